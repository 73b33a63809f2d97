"""A programme with a budget, and what its books must say whenever nothing is under way."""

from typing import Any
from uuid import UUID

import msgspec

from backend.kit.ids import new_id
from backend.kit.postgres import ReadTx, Tx
from backend.programme import service as programme
from backend.programme.rules.document import Budget, Programme

CODE = "rental"

# Each sentence with the query that finds what breaks it.
BOOKS = {
    "a balance is the sum of its history": """
        SELECT budget.programme_code || ' ' || budget.span || ' ' || budget.bucket
        FROM budget LEFT JOIN (
          SELECT programme_code, span, bucket, sum(reserved_change_fen) AS reserved_fen,
                 sum(settled_change_fen) AS settled_fen, sum(uses_change) AS uses,
                 count(*) AS entries, max(revision) AS revision
          FROM budget_entry GROUP BY programme_code, span, bucket) AS told
          USING (programme_code, span, bucket)
        WHERE (budget.reserved_fen, budget.settled_fen, budget.uses, budget.revision,
               budget.revision)
          IS DISTINCT FROM (told.reserved_fen, told.settled_fen, told.uses, told.revision,
                            told.entries)""",
    "an entry holds the balance before it and what it changed": """
        SELECT programme_code || ' ' || span || ' ' || bucket || ' ' || revision FROM (
          SELECT *, lag(reserved_fen, 1, 0::bigint) OVER w AS reserved_before,
                 lag(settled_fen, 1, 0::bigint) OVER w AS settled_before,
                 lag(uses, 1, 0::bigint) OVER w AS uses_before
          FROM budget_entry
          WINDOW w AS (PARTITION BY programme_code, span, bucket ORDER BY revision)) AS told
        WHERE reserved_fen <> reserved_before + reserved_change_fen
           OR settled_fen <> settled_before + settled_change_fen
           OR uses <> uses_before + uses_change""",
    "a balance has the limits of its last entry": """
        SELECT budget.span || ' ' || budget.bucket FROM budget JOIN budget_entry AS told
          USING (programme_code, span, bucket, revision)
        WHERE (budget.limit_fen, budget.limit_uses) IS DISTINCT FROM
              (told.limit_fen, told.limit_uses)""",
    "nothing is promised beyond a limit": """
        SELECT span || ' ' || bucket FROM budget
        WHERE reserved_fen + settled_fen > limit_fen OR uses > limit_uses
        UNION ALL
        SELECT subject_id::text FROM citizen_budget
        WHERE reserved_fen + settled_fen > limit_fen OR uses > limit_uses""",
    "a reservation is in its four buckets, once, and in no other": """
        WITH counted AS (
          SELECT programme_code, span, bucket,
                 sum(amount_fen) FILTER (WHERE state = 'reserved') AS reserved_fen,
                 sum(settled_fen) AS settled_fen,
                 count(*) FILTER (WHERE state IN ('reserved', 'settled')) AS uses
          FROM reservation CROSS JOIN LATERAL (VALUES
            ('programme', ''), ('partner', partner_id::text), ('day', day::text),
            ('month', to_char(day, 'YYYY-MM'))) AS counts (span, bucket)
          GROUP BY programme_code, span, bucket)
        SELECT span || ' ' || bucket FROM budget FULL JOIN counted
          USING (programme_code, span, bucket)
        WHERE budget.revision IS NULL
           OR budget.reserved_fen <> coalesce(counted.reserved_fen, 0)
           OR budget.settled_fen <> coalesce(counted.settled_fen, 0)
           OR budget.uses <> coalesce(counted.uses, 0)""",
    "a citizen's balance is the sum of the citizen's reservations": """
        SELECT subject_id FROM citizen_budget FULL JOIN (
          SELECT subject_id, programme_code,
                 coalesce(sum(amount_fen) FILTER (WHERE state = 'reserved'), 0) AS reserved_fen,
                 coalesce(sum(settled_fen), 0) AS settled_fen,
                 count(*) FILTER (WHERE state IN ('reserved', 'settled')) AS uses
          FROM reservation GROUP BY subject_id, programme_code) AS counted
          USING (subject_id, programme_code)
        WHERE (citizen_budget.reserved_fen, citizen_budget.settled_fen, citizen_budget.uses)
          IS DISTINCT FROM (counted.reserved_fen, counted.settled_fen, counted.uses)""",
    "every step of a reservation is told in each of its four buckets": """
        SELECT reservation_id FROM budget_entry WHERE reservation_id IS NOT NULL
        GROUP BY reservation_id, kind, at, reserved_change_fen HAVING count(*) % 4 <> 0
        UNION ALL
        SELECT reservation_id FROM reservation WHERE 4 <> (
          SELECT count(*) FROM budget_entry AS told
          WHERE told.reservation_id = reservation.reservation_id AND kind = 'reserve')
        UNION ALL
        SELECT reservation_id FROM reservation
        WHERE (CASE WHEN state = 'reserved' THEN 0 ELSE 4 END) <> (
          SELECT count(*) FROM budget_entry AS told
          WHERE told.reservation_id = reservation.reservation_id
            AND kind IN ('settle', 'release', 'expire'))""",
}


class _Broken(msgspec.Struct):
    what: str


async def broken(tx: ReadTx) -> dict[str, list[str]]:
    """Return the sentences that do not hold, with what breaks them."""
    found = {}
    for sentence, sql in BOOKS.items():
        rows = await tx.fetch_all(_Broken, f"SELECT found.what::text FROM ({sql}) AS found (what)")
        if rows:
            found[sentence] = [row.what for row in rows[:5]]
    return found


async def publish(tx: Tx, budget: Budget | None, *, now: Any) -> Programme:
    """Publish the packaged programmes, and the rental with this budget."""
    await programme.publish_packaged(tx, now=now)
    return await publish_next(tx, budget, now=now)


async def publish_next(tx: Tx, budget: Budget | None, *, now: Any) -> Programme:
    """Publish another version of the rental, with this budget."""
    found = await programme.find_programme(tx, programme_code=CODE)
    assert found is not None
    document = found.programme.document
    version = document.version + 1
    changed = msgspec.structs.replace(document, version=version, budget=budget)
    made = msgspec.structs.replace(
        found.programme, document=changed, digest=new_id(now).bytes + bytes(16)
    )
    assert await programme.publish(tx, programme=made, now=now) is programme.Publication.PUBLISHED
    return made


def partner(number: int) -> UUID:
    """Return a partner's id."""
    return UUID(int=(8 << 76) | (2 << 62) | number)


def citizen(number: int) -> UUID:
    """Return a citizen's id."""
    return UUID(int=(8 << 76) | (2 << 62) | (1 << 40) | number)
