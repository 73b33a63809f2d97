"""SQL of budgets: balances, what is reserved of them, and why they changed.

Whoever changes a balance of a programme has locked the programme's own row first: the rows of its
partners, days and months, and of its citizens, are then nobody else's. Reservations are locked
before balances.
"""

from collections.abc import Sequence
from datetime import date, datetime
from uuid import UUID

from backend.kit.postgres import ReadTx, Tx
from backend.programme.rules.budget import (
    Balance,
    Bucket,
    Cause,
    Change,
    Entry,
    Kind,
    Reservation,
)
from backend.programme.rules.document import Limit


async def make_balances(
    tx: Tx, programme_code: str, limits: Sequence[tuple[Bucket, Limit]], cause: Cause
) -> None:
    """Make the balances that are missing, empty and with these limits."""
    await tx.execute(
        """WITH made AS (
             INSERT INTO budget (programme_code, span, bucket, limit_fen, limit_uses, revision)
             SELECT $1, missing.span, missing.bucket, missing.limit_fen, missing.limit_uses, 1
             FROM unnest($2::text[], $3::text[], $4::bigint[], $5::bigint[])
               AS missing (span, bucket, limit_fen, limit_uses)
             ON CONFLICT (programme_code, span, bucket) DO NOTHING
             RETURNING span, bucket, limit_fen, limit_uses)
           INSERT INTO budget_entry
             (programme_code, span, bucket, revision, kind, reserved_change_fen,
              settled_change_fen, uses_change, limit_fen, limit_uses, reserved_fen, settled_fen,
              uses, by_whom, reason, at)
           SELECT $1, span, bucket, 1, 'limit', 0, 0, 0, limit_fen, limit_uses, 0, 0, 0, $6, $7, $8
           FROM made""",
        programme_code,
        [bucket.span for bucket, _ in limits],
        [bucket.name for bucket, _ in limits],
        [limit.amount_fen for _, limit in limits],
        [limit.uses for _, limit in limits],
        cause.by_whom,
        cause.reason,
        cause.at,
    )


async def lock_balances(tx: Tx, programme_code: str, buckets: Sequence[Bucket]) -> list[Balance]:
    """Lock the balances of these buckets one after the other, and return those there are."""
    return await tx.fetch_all(
        Balance,
        """SELECT budget.programme_code, budget.span, budget.bucket, budget.limit_fen,
                  budget.limit_uses, budget.reserved_fen, budget.settled_fen, budget.uses,
                  budget.revision
           FROM unnest($2::text[], $3::text[]) WITH ORDINALITY AS wanted (span, bucket, place)
           JOIN budget ON budget.programme_code = $1 AND budget.span = wanted.span
             AND budget.bucket = wanted.bucket
           ORDER BY wanted.place
           FOR UPDATE OF budget""",
        programme_code,
        [bucket.span for bucket in buckets],
        [bucket.name for bucket in buckets],
    )


async def find_balances(
    tx: ReadTx,
    programme_code: str,
    buckets: Sequence[Bucket],
    *,
    subject_id: UUID,
    citizen: Limit,
) -> list[Balance]:
    """Return the balances of these buckets there are, and last the citizen's own by a limit."""
    return await tx.fetch_all(
        Balance,
        """SELECT programme_code, span, bucket, limit_fen, limit_uses, reserved_fen, settled_fen,
                  uses, revision
           FROM unnest($2::text[], $3::text[]) AS wanted (span, bucket)
           JOIN budget USING (span, bucket) WHERE programme_code = $1
           UNION ALL
           SELECT $1, 'citizen', '', $5, $6, coalesce(reserved_fen, 0), coalesce(settled_fen, 0),
                  coalesce(uses, 0), 0
           FROM (VALUES ($4::uuid, $1)) AS asked (subject_id, programme_code)
           LEFT JOIN citizen_budget USING (subject_id, programme_code)""",
        programme_code,
        [bucket.span for bucket in buckets],
        [bucket.name for bucket in buckets],
        subject_id,
        citizen.amount_fen,
        citizen.uses,
    )


async def list_balances(tx: ReadTx, programme_code: str, day: date, month: date) -> list[Balance]:
    """Return a programme's balances: as a whole, by partner, by day and by month from these on."""
    return await tx.fetch_all(
        Balance,
        """SELECT programme_code, span, bucket, limit_fen, limit_uses, reserved_fen, settled_fen,
                  uses, revision
           FROM budget
           WHERE programme_code = $1
             AND (span IN ('programme', 'partner')
                  OR span = 'day' AND bucket >= to_char($2::date, 'YYYY-MM-DD')
                  OR span = 'month' AND bucket >= to_char($3::date, 'YYYY-MM'))
           ORDER BY array_position(ARRAY['programme', 'partner', 'day', 'month'], span), bucket
           LIMIT 5000""",
        programme_code,
        day,
        month,
    )


async def save_limits(
    tx: Tx, programme_code: str, limits: Sequence[tuple[Bucket, Limit]], *, kind: Kind, cause: Cause
) -> int:
    """Give balances other limits; return how many have them. Their CHECK has the last word."""
    return await tx.execute(
        """WITH changed AS (
             UPDATE budget
             SET limit_fen = wanted.limit_fen, limit_uses = wanted.limit_uses,
                 revision = budget.revision + 1
             FROM unnest($2::text[], $3::text[], $4::bigint[], $5::bigint[])
               AS wanted (span, bucket, limit_fen, limit_uses)
             WHERE budget.programme_code = $1 AND budget.span = wanted.span
               AND budget.bucket = wanted.bucket
             RETURNING budget.*)
           INSERT INTO budget_entry
             (programme_code, span, bucket, revision, kind, reserved_change_fen,
              settled_change_fen, uses_change, limit_fen, limit_uses, reserved_fen, settled_fen,
              uses, by_whom, reason, at)
           SELECT programme_code, span, bucket, revision, $6, 0, 0, 0, limit_fen, limit_uses,
                  reserved_fen, settled_fen, uses, $7, $8, $9
           FROM changed""",
        programme_code,
        [bucket.span for bucket, _ in limits],
        [bucket.name for bucket, _ in limits],
        [limit.amount_fen for _, limit in limits],
        [limit.uses for _, limit in limits],
        kind.value,
        cause.by_whom,
        cause.reason,
        cause.at,
    )


async def insert_reservation(
    tx: Tx, reservation: Reservation, change: Change, *, citizen: Limit, cause: Cause
) -> int:
    """Reserve: the citizen's balance, the shared ones and their history, in one statement.

    Returns how many shared balances changed: 0 when the citizen's own has no room, and then nothing
    changed. The shared ones are locked, and were found to have room.
    """
    return await tx.fetch_value(
        int,
        """WITH citizen AS (
             INSERT INTO citizen_budget
               (subject_id, programme_code, limit_fen, limit_uses, reserved_fen, uses)
             SELECT $1, $3, $11, $12, $6, $10
             WHERE ($11::bigint IS NULL OR $6 <= $11) AND ($12::bigint IS NULL OR $10 <= $12)
             ON CONFLICT (subject_id, programme_code) DO UPDATE
             SET limit_fen = excluded.limit_fen, limit_uses = excluded.limit_uses,
                 reserved_fen = citizen_budget.reserved_fen + excluded.reserved_fen,
                 uses = citizen_budget.uses + excluded.uses
             WHERE (excluded.limit_fen IS NULL OR excluded.limit_fen >= citizen_budget.reserved_fen
                      + citizen_budget.settled_fen + excluded.reserved_fen)
               AND (excluded.limit_uses IS NULL
                    OR excluded.limit_uses >= citizen_budget.uses + excluded.uses)
             RETURNING subject_id),
           made AS (
             INSERT INTO reservation
               (subject_id, reservation_id, programme_code, partner_id, day, amount_fen, state,
                created_at, expires_at)
             SELECT subject_id, $2, $3, $4, $5, $6, 'reserved', $9, $13 FROM citizen),
           changed AS (
             UPDATE budget
             SET reserved_fen = budget.reserved_fen + $6, uses = budget.uses + $10,
                 revision = budget.revision + 1
             FROM unnest($7::text[], $8::text[]) AS counted (span, bucket)
             WHERE budget.programme_code = $3 AND budget.span = counted.span
               AND budget.bucket = counted.bucket AND EXISTS (SELECT FROM citizen)
             RETURNING budget.*),
           entered AS (
             INSERT INTO budget_entry
               (programme_code, span, bucket, revision, kind, reserved_change_fen,
                settled_change_fen, uses_change, limit_fen, limit_uses, reserved_fen, settled_fen,
                uses, reservation_id, by_whom, reason, at)
             SELECT programme_code, span, bucket, revision, 'reserve', $6, 0, $10, limit_fen,
                    limit_uses, reserved_fen, settled_fen, uses, $2, $14, $15, $9
             FROM changed RETURNING revision)
           SELECT count(*) FROM entered""",
        reservation.subject_id,
        reservation.reservation_id,
        reservation.programme_code,
        reservation.partner_id,
        reservation.day,
        change.reserved_fen,
        [bucket.span for bucket in reservation.buckets],
        [bucket.name for bucket in reservation.buckets],
        cause.at,
        change.uses,
        citizen.amount_fen,
        citizen.uses,
        reservation.expires_at,
        cause.by_whom,
        cause.reason,
    )


async def save_reservation(tx: Tx, reservation: Reservation, change: Change, cause: Cause) -> int:
    """Save what became of a reservation, with its balances and their history.

    Returns how many shared balances changed; the reservation and they are locked.
    """
    return await tx.fetch_value(
        int,
        """WITH saved AS (
             UPDATE reservation
             SET amount_fen = $4, settled_fen = $5, state = $6, closed_at = $7
             WHERE subject_id = $1 AND reservation_id = $2 AND state = 'reserved'
             RETURNING subject_id),
           citizen AS (
             UPDATE citizen_budget
             SET reserved_fen = citizen_budget.reserved_fen + $10,
                 settled_fen = citizen_budget.settled_fen + $11,
                 uses = citizen_budget.uses + $12
             FROM saved
             WHERE citizen_budget.subject_id = saved.subject_id
               AND citizen_budget.programme_code = $3
             RETURNING citizen_budget.subject_id),
           changed AS (
             UPDATE budget
             SET reserved_fen = budget.reserved_fen + $10, settled_fen = budget.settled_fen + $11,
                 uses = budget.uses + $12, revision = budget.revision + 1
             FROM unnest($8::text[], $9::text[]) AS counted (span, bucket)
             WHERE budget.programme_code = $3 AND budget.span = counted.span
               AND budget.bucket = counted.bucket AND EXISTS (SELECT FROM citizen)
             RETURNING budget.*),
           entered AS (
             INSERT INTO budget_entry
               (programme_code, span, bucket, revision, kind, reserved_change_fen,
                settled_change_fen, uses_change, limit_fen, limit_uses, reserved_fen, settled_fen,
                uses, reservation_id, by_whom, reason, at)
             SELECT programme_code, span, bucket, revision, $13, $10, $11, $12, limit_fen,
                    limit_uses, reserved_fen, settled_fen, uses, $2, $14, $15, $16
             FROM changed RETURNING revision)
           SELECT count(*) FROM entered""",
        reservation.subject_id,
        reservation.reservation_id,
        reservation.programme_code,
        reservation.amount_fen,
        reservation.settled_fen,
        reservation.state,
        reservation.closed_at,
        [bucket.span for bucket in reservation.buckets],
        [bucket.name for bucket in reservation.buckets],
        change.reserved_fen,
        change.settled_fen,
        change.uses,
        change.kind.value,
        cause.by_whom,
        cause.reason,
        cause.at,
    )


async def lock_reservation(tx: Tx, subject_id: UUID, reservation_id: UUID) -> Reservation | None:
    """Lock a reservation and return it, or None."""
    return await tx.fetch_optional(
        Reservation,
        """SELECT subject_id, reservation_id, programme_code, partner_id, day, amount_fen,
                  settled_fen, state, created_at, expires_at, closed_at
           FROM reservation WHERE subject_id = $1 AND reservation_id = $2 FOR UPDATE""",
        subject_id,
        reservation_id,
    )


async def lock_reserved(tx: Tx, subject_id: UUID) -> None:
    """Lock all that is reserved for a citizen, in one order."""
    await tx.execute(
        """SELECT FROM reservation WHERE subject_id = $1 AND state = 'reserved'
           ORDER BY reservation_id FOR UPDATE""",
        subject_id,
    )


async def lock_due(tx: Tx, now: datetime, limit: int) -> list[Reservation]:
    """Lock reservations whose time is over and that nobody else has locked; by programme."""
    return await tx.fetch_all(
        Reservation,
        """SELECT subject_id, reservation_id, programme_code, partner_id, day, amount_fen,
                  settled_fen, state, created_at, expires_at, closed_at
           FROM reservation
           WHERE state = 'reserved' AND expires_at <= $1
           ORDER BY programme_code LIMIT $2 FOR UPDATE SKIP LOCKED""",
        now,
        limit,
    )


async def clear_expiry(tx: Tx, subject_id: UUID, reservation_id: UUID) -> int:
    """Let a reservation last as long as what it was made for."""
    return await tx.execute(
        """UPDATE reservation SET expires_at = NULL
           WHERE subject_id = $1 AND reservation_id = $2 AND state = 'reserved'""",
        subject_id,
        reservation_id,
    )


async def delete_closed(tx: Tx, subject_id: UUID) -> None:
    """Delete what a citizen's reservations were, and take it out of their balances.

    What is still reserved stays. Differences are taken off, so that a reservation that is made at
    the same moment is counted; the shared balances and their history name no citizen.
    """
    await tx.execute(
        """WITH deleted AS (
             DELETE FROM reservation WHERE subject_id = $1 AND state <> 'reserved'
             RETURNING programme_code, state, settled_fen),
           gone AS (
             SELECT programme_code, sum(settled_fen)::bigint AS settled_fen, count(*) AS uses
             FROM deleted WHERE state = 'settled' GROUP BY programme_code)
           UPDATE citizen_budget
           SET settled_fen = citizen_budget.settled_fen - gone.settled_fen,
               uses = citizen_budget.uses - gone.uses
           FROM gone
           WHERE citizen_budget.subject_id = $1
             AND citizen_budget.programme_code = gone.programme_code""",
        subject_id,
    )


async def delete_empty(tx: Tx, subject_id: UUID) -> None:
    """Delete a citizen's balances that hold nothing."""
    await tx.execute(
        """DELETE FROM citizen_budget
           WHERE subject_id = $1 AND reserved_fen = 0 AND settled_fen = 0 AND uses = 0""",
        subject_id,
    )


async def list_entries(
    tx: ReadTx, programme_code: str, bucket: Bucket, *, before: int | None, limit: int
) -> list[Entry]:
    """Return why a balance changed, newest first, from the revision below `before` on."""
    return await tx.fetch_all(
        Entry,
        """SELECT programme_code, span, bucket, revision, kind, reserved_change_fen,
                  settled_change_fen, uses_change, limit_fen, limit_uses, reserved_fen,
                  settled_fen, uses, reservation_id, by_whom, reason, at
           FROM budget_entry
           WHERE programme_code = $1 AND span = $2 AND bucket = $3
             AND ($4::bigint IS NULL OR revision < $4)
           ORDER BY revision DESC LIMIT $5""",
        programme_code,
        bucket.span,
        bucket.name,
        before,
        limit,
    )
