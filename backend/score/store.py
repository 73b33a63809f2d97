"""SQL of scores."""

from collections.abc import Sequence
from datetime import date, datetime
from uuid import UUID

import msgspec

from backend.kit.postgres import ReadTx, Tx
from backend.score.rules.state import Score


class ScoredSubject(msgspec.Struct, frozen=True):
    """Who has a score, and when it was worked out."""

    subject_id: UUID
    computed_at: datetime


async def save_scores(tx: Tx, scores: Sequence[Score]) -> int:
    """Write scores; one of the same input stays as it is. Return how many were written."""
    return await tx.execute(
        """INSERT INTO score (subject_id, points, tier_code, identity_points, performance_points,
               law_points, economic_points, civic_points, facts, scorecard_version, input_digest,
               as_of, explanation_sealed, computed_at)
           SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::text[], $4::bigint[], $5::bigint[],
               $6::bigint[], $7::bigint[], $8::bigint[], $9::jsonb[], $10::text[], $11::bytea[],
               $12::date[], $13::bytea[], $14::timestamptz[])
           ON CONFLICT (subject_id) DO UPDATE SET
               points = excluded.points, tier_code = excluded.tier_code,
               identity_points = excluded.identity_points,
               performance_points = excluded.performance_points,
               law_points = excluded.law_points, economic_points = excluded.economic_points,
               civic_points = excluded.civic_points, facts = excluded.facts,
               scorecard_version = excluded.scorecard_version,
               input_digest = excluded.input_digest, as_of = excluded.as_of,
               explanation_sealed = excluded.explanation_sealed,
               computed_at = excluded.computed_at
           WHERE score.input_digest <> excluded.input_digest""",
        [each.subject_id for each in scores],
        [each.points for each in scores],
        [each.tier_code for each in scores],
        [each.identity_points for each in scores],
        [each.performance_points for each in scores],
        [each.law_points for each in scores],
        [each.economic_points for each in scores],
        [each.civic_points for each in scores],
        [each.facts for each in scores],
        [each.scorecard_version for each in scores],
        [each.input_digest for each in scores],
        [each.as_of for each in scores],
        [each.explanation_sealed for each in scores],
        [each.computed_at for each in scores],
    )


async def find_score(tx: ReadTx, subject_id: UUID) -> Score | None:
    """Return a subject's score, or None."""
    return await tx.fetch_optional(
        Score,
        """SELECT subject_id, points, tier_code, identity_points, performance_points, law_points,
                  economic_points, civic_points, facts, scorecard_version, input_digest, as_of,
                  explanation_sealed, computed_at
           FROM score WHERE subject_id = $1""",
        subject_id,
    )


async def list_scored(tx: ReadTx, *, after: UUID | None, limit: int) -> list[ScoredSubject]:
    """Return who has a score, in the order of the ids, from behind `after`."""
    return await tx.fetch_all(
        ScoredSubject,
        """SELECT subject_id, computed_at FROM score
           WHERE $1::uuid IS NULL OR subject_id > $1 ORDER BY subject_id LIMIT $2""",
        after,
        limit,
    )


async def list_aged(
    tx: ReadTx, *, today: date, after: UUID | None, limit: int
) -> list[ScoredSubject]:
    """Return whose score is of an earlier day, in the order of the ids, from behind `after`."""
    return await tx.fetch_all(
        ScoredSubject,
        """SELECT subject_id, computed_at FROM score
           WHERE as_of < $1 AND ($2::uuid IS NULL OR subject_id > $2)
           ORDER BY subject_id LIMIT $3""",
        today,
        after,
        limit,
    )


async def count_scores(tx: ReadTx) -> int:
    """Return how many scores there are."""
    return await tx.fetch_value(int, """SELECT count(*) FROM score""")


async def delete_score(tx: Tx, subject_id: UUID) -> None:
    """Delete a subject's score."""
    await tx.execute("""DELETE FROM score WHERE subject_id = $1""", subject_id)
