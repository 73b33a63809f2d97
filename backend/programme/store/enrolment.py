"""SQL of enrolments made many at a time: one statement a step, however many there are.

What is gathered reaches over rooms, as for a batch of checks: see docs/adr/0009.
"""

from collections.abc import Sequence
from uuid import UUID

import msgspec

from backend.kit.postgres import Tx
from backend.programme.rules.offer import Enrolment


class Contender(msgspec.Struct, frozen=True):
    """What is known of a citizen who takes part and wants to enrol.

    What is known of the score is None where there is none; `running` are the digests of the
    versions of running enrolments; `waits_for` are the programmes whose seats are waited for, and
    `grants` the cases that granted them, None where none did.
    """

    subject_id: UUID
    points: int | None
    dimensions: list[int] | None
    indicator_values: list[int] | None
    scorecard_digest: bytes | None
    running: list[bytes]
    waits_for: list[str]
    grants: list[UUID | None]


class Inserted(msgspec.Struct, frozen=True):
    """An enrolment that went in."""

    enrolment_id: UUID


async def take_turns(tx: Tx, subject_ids: Sequence[UUID]) -> None:
    """Let the enrolments of each of these citizens come one after another, until the end.

    In one order, so that two who let several wait can't wait for each other.
    """
    await tx.execute(
        """SELECT pg_advisory_xact_lock(hashtextextended(wanted.subject_id::text, 7252))
           FROM (
             SELECT subject_id FROM unnest($1::uuid[]) AS w (subject_id) ORDER BY 1) AS wanted""",
        list(subject_ids),
    )


async def hold_contenders(tx: Tx, subject_ids: Sequence[UUID]) -> list[Contender]:
    """Return those who take part, and keep them from leaving until the transaction ends.

    Whoever leaves waits for this, and then erases what was made with the rest.
    """
    return await tx.fetch_all(
        Contender,
        """WITH held AS (
             SELECT subject_id FROM participation WHERE subject_id = ANY($1::uuid[])
             ORDER BY subject_id FOR SHARE)
           SELECT held.subject_id, score.points,
                  CASE WHEN score.subject_id IS NOT NULL THEN ARRAY[
                    score.identity_points, score.performance_points, score.law_points,
                    score.economic_points, score.civic_points] END AS dimensions,
                  score.indicator_values, scorecard.digest AS scorecard_digest,
                  ARRAY(
                    SELECT version.digest FROM enrolment JOIN programme_version AS version
                      ON version.programme_code = enrolment.programme_code
                      AND version.version = enrolment.programme_version
                    WHERE enrolment.subject_id = held.subject_id
                      AND enrolment.ended_at IS NULL) AS running,
                  ARRAY(
                    SELECT programme_code FROM waiting
                    WHERE waiting.subject_id = held.subject_id ORDER BY 1) AS waits_for,
                  ARRAY(
                    SELECT granted_by_case_id FROM waiting
                    WHERE waiting.subject_id = held.subject_id ORDER BY programme_code) AS grants
           FROM held
           LEFT JOIN score ON score.subject_id = held.subject_id
           LEFT JOIN scorecard ON scorecard.version = score.scorecard_version""",
        list(subject_ids),
    )


async def take_seats(tx: Tx, programme_code: str, wanted: int) -> int:
    """Take as many seats as there are, and no more than wanted; return how many."""
    taken = await tx.fetch_optional_value(
        int,
        """UPDATE seat_budget
           SET seats_taken = seats_taken + least($2, seats_total - seats_taken)
           WHERE programme_code = $1 AND seats_taken < seats_total
           RETURNING new.seats_taken - old.seats_taken""",
        programme_code,
        wanted,
    )
    return taken or 0


async def give_seats_back(tx: Tx, programme_code: str, count: int) -> bool:
    """Give seats back that were taken before; False when so many weren't."""
    changed = await tx.execute(
        """UPDATE seat_budget SET seats_taken = seats_taken - $2
           WHERE programme_code = $1 AND seats_taken >= $2""",
        programme_code,
        count,
    )
    return changed == 1


async def insert_enrolments(tx: Tx, enrolments: Sequence[Enrolment]) -> set[UUID]:
    """Insert running enrolments; return the ids of those that went in. The unique index decides."""
    inserted = await tx.fetch_all(
        Inserted,
        """INSERT INTO enrolment
             (subject_id, enrolment_id, programme_code, programme_version, enrolled_at,
              granted_by_case_id)
           SELECT made.* FROM unnest(
             $1::uuid[], $2::uuid[], $3::text[], $4::bigint[], $5::timestamptz[], $6::uuid[])
             AS made (subject_id, enrolment_id, programme_code, programme_version, enrolled_at,
                      granted_by_case_id)
           ORDER BY made.subject_id
           ON CONFLICT (subject_id, programme_code) WHERE ended_at IS NULL DO NOTHING
           RETURNING enrolment_id""",
        [each.subject_id for each in enrolments],
        [each.enrolment_id for each in enrolments],
        [each.programme_code for each in enrolments],
        [each.programme_version for each in enrolments],
        [each.enrolled_at for each in enrolments],
        [each.granted_by_case_id for each in enrolments],
    )
    return {each.enrolment_id for each in inserted}
