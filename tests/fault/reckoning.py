"""What was told held against what stands: whatever was acknowledged and is gone, or is there twice.

`reckon` compares a game's acknowledgements with the rows of the same citizens and with what the
partners' receivers took; the books of the rooms (balances, journal, reservations, exposures, seats)
are read with it. Each sentence that doesn't hold comes back with what breaks it.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

import asyncpg
import msgspec

from tests.fault.books import BOOKS, broken_in
from tests.fault.told import RUNNING, SHOWN, Told
from tests.support import budget_world, order_world
from tests.support.receiver import Message

# Nothing is said twice, and every answer that is kept is about something there is.
FURTHER = {
    "a citizen is told of a step once": """
        SELECT topic || ' ' || facts::text FROM notice
        WHERE topic LIKE 'order.%' OR topic LIKE 'obligation.%'
        GROUP BY subject_id, topic, facts HAVING count(*) > 1""",
    "an answer kept about an order is about one there is": """
        SELECT told.order_id FROM (
          SELECT coalesce(kept ->> 'order_id', kept -> 'order' ->> 'order_id') AS order_id
          FROM (SELECT convert_from(answer, 'UTF8')::jsonb AS kept FROM idempotency_key) AS answers
        ) AS told
        WHERE told.order_id IS NOT NULL AND told.order_id NOT IN (
          SELECT order_id::text FROM service_order)""",
}
ALL_BOOKS = {**BOOKS, **budget_world.BOOKS, **order_world.BOOKS, **FURTHER}


class Balance(msgspec.Struct, frozen=True):
    """A programme's balance as a whole, and how often it was filled up."""

    limit_fen: int
    reserved_fen: int
    settled_fen: int
    uses: int
    refills: int


class Reckoning:
    """One game's acknowledgements, against the state of the database as one connection sees it."""

    def __init__(
        self, connection: asyncpg.Connection, told: Told, *, before: dict[str, Balance]
    ) -> None:
        self._connection, self._told, self._before = connection, told, before
        self._found: dict[str, list[str]] = {}

    async def reckon(
        self, subjects: Sequence[UUID], arrived: Iterable[Message]
    ) -> dict[str, list[str]]:
        """Return the sentences that don't hold, with what breaks them."""
        self._found = await broken_in(self._connection, ALL_BOOKS)
        self._note("every answer was one that can be", self._told.surprises)
        self._changes_told_once()
        await self._orders(subjects)
        await self._obligations(subjects)
        await self._enrolments(subjects)
        await self._exposures(subjects)
        await self._records(subjects)
        await self._yes()
        await self._balances()
        self._messages([*arrived])
        return self._found

    def _note(self, sentence: str, wrong: Iterable[object]) -> None:
        if found := sorted(str(each) for each in wrong):
            self._found[sentence] = [*found[:5], f"{len(found)} in all"]

    def _compare(self, sentence: str, told: dict[Any, Any], stands: dict[Any, Any]) -> None:
        """Note what was told and doesn't stand, and what stands and was told to nobody."""
        keys = [key for key in told.keys() | stands.keys() if told.get(key) != stands.get(key)]
        self._note(
            sentence, [f"{key}: told {told.get(key)}, stands {stands.get(key)}" for key in keys]
        )

    def _changes_told_once(self) -> None:
        told = self._told
        self._note(
            "a change of an order is the work of one request",
            [change for change, keys in told.claims.items() if len(keys) != 1],
        )
        missing = [
            (order_id, revision)
            for order_id, shown in told.orders.items()
            for revision in range(1, max(shown) + 1)
            if (order_id, revision) not in told.claims
        ]
        self._note("every change of an order was told", missing)

    async def _orders(self, subjects: Sequence[UUID]) -> None:
        rows = await self._connection.fetch(
            """SELECT *, programme_code AS programme FROM service_order
               WHERE subject_id = ANY($1)""",
            subjects,
        )
        stands = {
            str(row["order_id"]): (row["revision"], *(row[name] for name in SHOWN)) for row in rows
        }
        told = {
            order_id: (max(shown), *shown[max(shown)])
            for order_id, shown in self._told.orders.items()
        }
        self._compare("an order stands as it was told last", told, stands)

    async def _obligations(self, subjects: Sequence[UUID]) -> None:
        rows = await self._connection.fetch(
            """SELECT obligation_id, order_id, revision FROM obligation
               WHERE subject_id = ANY($1)""",
            subjects,
        )
        stands = {str(row[0]): (str(row[1]), row[2]) for row in rows}
        told = {
            obligation_id: (owed.order_id, len(owed.topics))
            for obligation_id, owed in self._told.owed.items()
            if "obligation.ended" not in owed.topics
        }
        self._compare("what is owed is what was told and not paid", told, stands)

    async def _enrolments(self, subjects: Sequence[UUID]) -> None:
        rows = await self._connection.fetch(
            """SELECT enrolment_id, subject_id, programme_code, ended_at FROM enrolment
               WHERE subject_id = ANY($1)""",
            subjects,
        )
        stands = {str(row[0]): (row[1], row[2], row[3] is not None) for row in rows}
        told = {
            enrolment_id: (*whose, enrolment_id in self._told.left)
            for enrolment_id, whose in self._told.enrolled.items()
        }
        self._compare("an enrolment runs until its end was told", told, stands)

    async def _exposures(self, subjects: Sequence[UUID]) -> None:
        rows = await self._connection.fetch(
            "SELECT subject_id, open_fen FROM exposure WHERE open_fen > 0 AND subject_id = ANY($1)",
            subjects,
        )
        told: Counter[UUID] = Counter()
        for order_id, owner in self._told.owners.items():
            newest = self._told.newest(order_id)
            if newest["state"] in RUNNING:
                told[owner] += newest["credit_fen"]
        self._compare("exposure is what running orders were told", dict(told), dict(rows))

    async def _records(self, subjects: Sequence[UUID]) -> None:
        rows = await self._connection.fetch(
            """SELECT external_id, count(*) FROM record
               WHERE source_code = 'service_orders' AND subject_id = ANY($1) GROUP BY 1""",
            subjects,
        )
        told = {
            order_id: 1
            for order_id in self._told.orders
            if self._told.newest(order_id)["performance"] == "performed"
        }
        self._compare("a performed order is one record", told, dict(rows))

    async def _yes(self) -> None:
        rows = await self._connection.fetch(
            """SELECT decision_id::text FROM decision
               JOIN access_entry USING (subject_id, decision_id)
               WHERE eligible AND disclosed = 'eligible' AND decision_id::text = ANY($1)""",
            self._told.yes,
        )
        gone = set(self._told.yes) - {row[0] for row in rows}
        self._note("a yes can be looked up, and its look is in the ledger", gone)

    async def _balances(self) -> None:
        told = {}
        for code, before in self._before.items():
            orders = [self._told.newest(order_id) for order_id in self._told.orders]
            mine = [order for order in orders if order["programme"] == code]
            running = [order for order in mine if order["state"] in RUNNING]
            completed = [order for order in mine if order["state"] == "completed"]
            refills = [amount for refilled, amount in self._told.refills if refilled == code]
            told[code] = Balance(
                limit_fen=before.limit_fen + sum(refills),
                reserved_fen=before.reserved_fen + sum(order["credit_fen"] for order in running),
                settled_fen=before.settled_fen + sum(order["settled_fen"] for order in completed),
                uses=before.uses + len(running) + len(completed),
                refills=before.refills + len(refills),
            )
        stands = await balances(self._connection, [*self._before])
        self._compare("a balance is what was told of orders and refills", told, stands)

    def _messages(self, arrived: Sequence[Message]) -> None:
        """Compare what receivers took: everything at least once, and each object's in order."""
        due = self._told.messages()
        came = {(each.object_id, each.revision, each.type) for each in arrived}
        self._note("every event was delivered", due - came)
        self._note("nothing was delivered that nobody was told of", came - due)
        first: dict[str, list[int]] = {}
        for message in arrived:
            revisions = first.setdefault(message.object_id, [])
            if message.revision not in revisions:
                revisions.append(message.revision)
        wrong = [f"{each}: {order}" for each, order in first.items() if order != sorted(order)]
        self._note("an object's events come in order", wrong)


async def balances(connection: asyncpg.Connection, codes: Sequence[str]) -> dict[str, Balance]:
    """Return the balances of programmes as a whole."""
    rows = await connection.fetch(
        """SELECT programme_code, limit_fen, reserved_fen, settled_fen, uses, (
             SELECT count(*) FROM budget_entry AS told
             WHERE told.programme_code = budget.programme_code AND told.span = 'programme'
               AND kind = 'refill')
           FROM budget WHERE span = 'programme' AND programme_code = ANY($1)""",
        codes,
    )
    return {row[0]: Balance(*row[1:]) for row in rows}
