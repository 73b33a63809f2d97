"""How many checks each partner made on a day, in SQL."""

from collections.abc import Mapping, Sequence
from datetime import date
from uuid import UUID

import msgspec

from backend.kit.postgres import Tx


class ChecksMade(msgspec.Struct, frozen=True):
    """How many checks a partner has made on one day."""

    partner_id: UUID
    checks: int


async def lock_checks(tx: Tx, partner_ids: Sequence[UUID], *, day: date) -> list[ChecksMade]:
    """Return how many checks these partners made, and keep others from adding to them.

    The rows are locked in one order, after the consents and before the looks of a batch, so that
    two batches can't wait for each other.
    """
    return await tx.fetch_all(
        ChecksMade,
        """INSERT INTO partner_check (partner_id, day, checks)
           SELECT partner_id, $2, 0 FROM unnest($1::uuid[]) AS asked (partner_id)
           ORDER BY partner_id
           ON CONFLICT (partner_id, day) DO UPDATE SET checks = partner_check.checks
           RETURNING partner_id, checks""",
        sorted(partner_ids),
        day,
    )


async def add_checks(tx: Tx, made: Mapping[UUID, int], *, day: date) -> None:
    """Add to the counts of partners whose rows are locked."""
    await tx.execute(
        """UPDATE partner_check SET checks = partner_check.checks + made.checks
           FROM unnest($1::uuid[], $2::bigint[]) AS made (partner_id, checks)
           WHERE partner_check.partner_id = made.partner_id AND partner_check.day = $3""",
        list(made),
        list(made.values()),
        day,
    )


async def delete_checks(tx: Tx, *, before: date) -> int:
    """Delete the counts of days that are over; at most 50,000 at a time."""
    return await tx.execute(
        """DELETE FROM partner_check WHERE (partner_id, day) IN
             (SELECT partner_id, day FROM partner_check WHERE day < $1 LIMIT 50000)""",
        before,
    )
