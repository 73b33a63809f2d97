"""How often a partner may ask in a day: a bound over all of its consents.

A consent bounds the looks at one citizen; this bounds a partner that holds many. Partners without
a bound cost a batch nothing.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Self
from uuid import UUID

from backend.kit.clock import city_date
from backend.kit.postgres import Tx
from backend.programme.store import allowance as store


class Allowance:
    """How many more checks each partner of a batch may make today."""

    def __init__(self, left: Mapping[UUID, int], *, day: date) -> None:
        self._left = dict(left)
        self._day = day

    @classmethod
    async def of(cls, tx: Tx, bounds: Mapping[UUID, int | None], *, day: date) -> Self:
        """Return what is left of the bounds; who has one is counted alone until the end of `tx`."""
        bounded = {partner_id: most for partner_id, most in bounds.items() if most is not None}
        if not bounded:
            return cls({}, day=day)
        made = await store.lock_checks(tx, list(bounded), day=day)
        left = {each.partner_id: bounded[each.partner_id] - each.checks for each in made}
        return cls(left, day=day)

    def take(self, partner_id: UUID) -> bool:
        """Take one check; False when the bound of the day is reached."""
        if partner_id not in self._left:
            return True
        if self._left[partner_id] < 1:
            return False
        self._left[partner_id] -= 1
        return True

    async def save(self, tx: Tx, partner_ids: Iterable[UUID]) -> None:
        """Count the checks that were written, one for each of `partner_ids`."""
        made = Counter(each for each in partner_ids if each in self._left)
        if made:
            await store.add_checks(tx, made, day=self._day)


async def purge_checks(tx: Tx, *, now: datetime) -> int:
    """Delete the counts of days that are over; return how many rows."""
    return await store.delete_checks(tx, before=city_date(now))
