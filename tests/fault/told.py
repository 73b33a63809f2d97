"""What those who play were told: every acknowledged write, to be held against the books."""

from collections import Counter
from typing import Any
from uuid import UUID

import msgspec

RUNNING = ("created", "active")
# What a partner sees of an order and what stands in its row.
SHOWN = ("programme", "state", "amount_fen", "credit_fen", "settled_fen", "performance")


class Owed(msgspec.Struct):
    """What was said to be owed under an order, and what was told of it since."""

    order_id: str
    topics: list[str]


class Told(msgspec.Struct):
    """All acknowledgements of one game.

    `orders` holds what was shown of each order after each of its changes, `claims` which requests
    were told that a change is theirs, `topics` what its partner has to hear of it.
    """

    orders: dict[str, dict[int, tuple[Any, ...]]] = {}
    owners: dict[str, UUID] = {}
    claims: dict[tuple[str, int], set[str]] = {}
    topics: dict[tuple[str, int], str] = {}
    owed: dict[str, Owed] = {}
    enrolled: dict[str, tuple[UUID, str]] = {}
    left: set[str] = set()
    yes: list[str] = []
    refills: list[tuple[str, int]] = []
    surprises: list[str] = []
    statuses: Counter[str] = msgspec.field(default_factory=Counter)
    operations: int = 0
    lost: int = 0
    retries: int = 0
    repeated: int = 0

    def change(self, subject_id: UUID, key: str, view: dict[str, Any], *topics: str | None) -> None:
        """Note that a request was told of its changes; the last of them is what is shown."""
        order_id, last = view["order_id"], view["revision"]
        self.owners[order_id] = subject_id
        shown = self.orders.setdefault(order_id, {})
        for revision, topic in enumerate(topics, start=last - len(topics) + 1):
            self.claims.setdefault((order_id, revision), set()).add(key)
            if topic is not None:
                self.topics[order_id, revision] = topic
        shown[last] = tuple(view[name] for name in SHOWN)

    def newest(self, order_id: str) -> dict[str, Any]:
        """Return an order as it was told last."""
        shown = self.orders[order_id]
        revision = max(shown)
        return {"revision": revision, **dict(zip(SHOWN, shown[revision], strict=True))}

    def messages(self) -> set[tuple[str, int, str]]:
        """Return what partners must have heard: object, revision, topic."""
        of_orders = {(order_id, number, topic) for (order_id, number), topic in self.topics.items()}
        order = ("obligation.announced", "obligation.replied", "obligation.ended")
        return of_orders | {
            (obligation_id, number, topic)
            for obligation_id, owed in self.owed.items()
            for number, topic in enumerate(sorted(owed.topics, key=order.index), start=1)
        }
