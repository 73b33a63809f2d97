"""SQL of those who wait for a seat, first come, first served.

Whoever gives a seat back and whoever begins to wait both hold the row of the seats: the one that
comes second sees what the other did, so nobody waits beside a free seat.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from backend.kit.postgres import ReadTx, Tx


class Queued(msgspec.Struct, frozen=True):
    """Somebody who waits, and their place: it only rises."""

    subject_id: UUID
    place: int
    granted_by_case_id: UUID | None


class OwnPlace(msgspec.Struct, frozen=True):
    """Where one citizen waits, and before how many."""

    programme_code: str
    waiting_id: UUID
    since: datetime
    granted_by_case_id: UUID | None
    people_ahead: int


class Place(msgspec.Struct, frozen=True):
    """A place in the queue, old or new."""

    subject_id: UUID
    waiting_id: UUID
    since: datetime


class Gone(msgspec.Struct, frozen=True):
    """Somebody who no longer waits."""

    subject_id: UUID


async def take_queue(tx: Tx, programme_code: str) -> None:
    """Let those who give seats to whoever waits come one after another, until the end."""
    await tx.execute("""SELECT pg_advisory_xact_lock(hashtextextended($1, 7253))""", programme_code)


async def hold_seats(tx: Tx, programme_code: str) -> int:
    """Keep the seats of a programme as they are until the transaction ends; return how many are
    free.
    """
    return await tx.fetch_value(
        int,
        """SELECT seats_total - seats_taken FROM seat_budget
           WHERE programme_code = $1 FOR NO KEY UPDATE""",
        programme_code,
    )


async def count_waiting(tx: ReadTx, programme_code: str, *, after: int, limit: int) -> int:
    """Return how many wait from behind a place, as far as the limit."""
    return await tx.fetch_value(
        int,
        """SELECT count(*) FROM (
             SELECT FROM waiting WHERE programme_code = $1 AND place > $2 LIMIT $3) AS found""",
        programme_code,
        after,
        limit,
    )


async def list_waiting(tx: ReadTx, programme_code: str, *, after: int, limit: int) -> list[Queued]:
    """Return who waits from behind a place, first come first."""
    return await tx.fetch_all(
        Queued,
        """SELECT subject_id, place, granted_by_case_id FROM waiting
           WHERE programme_code = $1 AND place > $2 ORDER BY place LIMIT $3""",
        programme_code,
        after,
        limit,
    )


async def insert_waiting(
    tx: Tx,
    programme_code: str,
    subject_ids: Sequence[UUID],
    *,
    waiting_ids: Sequence[UUID],
    case_ids: Sequence[UUID | None],
    since: datetime,
) -> list[Place]:
    """Queue citizens in this order; who waits already keeps their place.

    The seats are held (`hold_seats`), so places rise in the order in which they are seen.
    """
    return await tx.fetch_all(
        Place,
        """INSERT INTO waiting (subject_id, programme_code, waiting_id, granted_by_case_id, since)
           SELECT made.subject_id, $1, made.waiting_id, made.case_id, $5
           FROM unnest($2::uuid[], $3::uuid[], $4::uuid[]) WITH ORDINALITY
             AS made (subject_id, waiting_id, case_id, number)
           ORDER BY made.number
           ON CONFLICT (subject_id, programme_code) DO UPDATE
           SET granted_by_case_id =
             coalesce(excluded.granted_by_case_id, waiting.granted_by_case_id)
           RETURNING subject_id, waiting_id, since""",
        programme_code,
        list(subject_ids),
        list(waiting_ids),
        list(case_ids),
        since,
    )


async def delete_waiting(tx: Tx, programme_code: str, subject_ids: Sequence[UUID]) -> set[UUID]:
    """Take citizens out of a queue; return who was in it."""
    gone = await tx.fetch_all(
        Gone,
        """DELETE FROM waiting WHERE programme_code = $1 AND subject_id = ANY($2::uuid[])
           RETURNING subject_id""",
        programme_code,
        list(subject_ids),
    )
    return {each.subject_id for each in gone}


async def delete_own(tx: Tx, subject_id: UUID, waiting_id: UUID) -> bool:
    """Give a place up; False when the citizen has no such place."""
    count = await tx.execute(
        """DELETE FROM waiting WHERE subject_id = $1 AND waiting_id = $2""",
        subject_id,
        waiting_id,
    )
    return count == 1


async def delete_of_subject(tx: Tx, subject_id: UUID) -> None:
    """Give up every place of a citizen who leaves."""
    await tx.execute("""DELETE FROM waiting WHERE subject_id = $1""", subject_id)


async def delete_of_programme(tx: Tx, programme_code: str) -> None:
    """Send everybody home who waits for a programme that has ended."""
    await tx.execute("""DELETE FROM waiting WHERE programme_code = $1""", programme_code)


async def list_own(tx: ReadTx, subject_id: UUID) -> list[OwnPlace]:
    """Return where a citizen waits; the primary key bounds it by the programmes."""
    return await tx.fetch_all(
        OwnPlace,
        """SELECT own.programme_code, own.waiting_id, own.since, own.granted_by_case_id,
                  (SELECT count(*) FROM (
                     SELECT FROM waiting AS other
                     WHERE other.programme_code = own.programme_code
                       AND other.place < own.place LIMIT 100000) AS ahead) AS people_ahead
           FROM waiting AS own WHERE own.subject_id = $1""",
        subject_id,
    )


async def grant_running(tx: Tx, subject_id: UUID, programme_code: str, case_id: UUID) -> bool:
    """Let a running enrolment stand whatever its rule says; False when none runs."""
    count = await tx.execute(
        """UPDATE enrolment SET granted_by_case_id = $3
           WHERE subject_id = $1 AND programme_code = $2 AND ended_at IS NULL""",
        subject_id,
        programme_code,
        case_id,
    )
    return count == 1
