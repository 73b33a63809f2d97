"""SQL of scores, one at a time or a page at a time."""

from collections.abc import Sequence
from datetime import date
from uuid import UUID

import msgspec

from backend.kit.postgres import ReadTx, Tx
from backend.score.rules.state import Score


class ScoredSubject(msgspec.Struct, frozen=True):
    """Who has a score."""

    subject_id: UUID


async def insert_score(tx: Tx, score: Score) -> None:
    """Keep the first score of a subject, and begin its history."""
    assert score.revision == 1, "history begins with revision 1"
    await tx.execute(
        """WITH made AS (
             INSERT INTO score (subject_id, revision, points, identity_points, performance_points,
               law_points, economic_points, civic_points, indicator_values, scorecard_version,
               input_digest, as_of, computed_at, due_on)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
             RETURNING *)
           INSERT INTO score_history (subject_id, revision, points, identity_points,
             performance_points, law_points, economic_points, civic_points, indicator_values,
             scorecard_version, input_digest, as_of, computed_at)
           SELECT subject_id, revision, points, identity_points, performance_points, law_points,
                  economic_points, civic_points, indicator_values, scorecard_version,
                  input_digest, as_of, computed_at
           FROM made""",
        score.subject_id,
        score.revision,
        score.points,
        score.identity_points,
        score.performance_points,
        score.law_points,
        score.economic_points,
        score.civic_points,
        score.indicator_values,
        score.scorecard_version,
        score.input_digest,
        score.as_of,
        score.computed_at,
        score.due_on,
    )


async def find_score(tx: ReadTx, subject_id: UUID) -> Score | None:
    """Return a subject's score, or None."""
    return await tx.fetch_optional(
        Score,
        """SELECT subject_id, revision, points, identity_points, performance_points, law_points,
                  economic_points, civic_points, indicator_values, scorecard_version,
                  input_digest, as_of, computed_at, due_on
           FROM score WHERE subject_id = $1""",
        subject_id,
    )


async def list_scores(tx: ReadTx, subject_ids: Sequence[UUID]) -> list[Score]:
    """Return the scores of some subjects; who has none is not there."""
    return await tx.fetch_all(
        Score,
        """SELECT subject_id, revision, points, identity_points, performance_points, law_points,
                  economic_points, civic_points, indicator_values, scorecard_version,
                  input_digest, as_of, computed_at, due_on
           FROM score WHERE subject_id = ANY($1)""",
        subject_ids,
    )


async def save_score(tx: Tx, score: Score) -> None:
    """Keep a further revision of a score, and continue its history."""
    await tx.execute(
        """WITH made AS (
             UPDATE score SET revision = $2, points = $3, identity_points = $4,
               performance_points = $5, law_points = $6, economic_points = $7, civic_points = $8,
               indicator_values = $9, scorecard_version = $10, input_digest = $11, as_of = $12,
               computed_at = $13, due_on = $14
             WHERE subject_id = $1
             RETURNING *)
           INSERT INTO score_history (subject_id, revision, points, identity_points,
             performance_points, law_points, economic_points, civic_points, indicator_values,
             scorecard_version, input_digest, as_of, computed_at)
           SELECT subject_id, revision, points, identity_points, performance_points, law_points,
                  economic_points, civic_points, indicator_values, scorecard_version,
                  input_digest, as_of, computed_at
           FROM made""",
        score.subject_id,
        score.revision,
        score.points,
        score.identity_points,
        score.performance_points,
        score.law_points,
        score.economic_points,
        score.civic_points,
        score.indicator_values,
        score.scorecard_version,
        score.input_digest,
        score.as_of,
        score.computed_at,
        score.due_on,
    )


async def save_due(tx: Tx, subject_id: UUID, *, as_of: date, due_on: date) -> None:
    """Note that a score is the same on a later day, and when it is looked at again."""
    await tx.execute(
        """UPDATE score SET as_of = $2, due_on = $3 WHERE subject_id = $1""",
        subject_id,
        as_of,
        due_on,
    )


async def list_due(tx: ReadTx, *, today: date, limit: int) -> list[ScoredSubject]:
    """Return whose score may have changed by itself until a day, the longest due first."""
    return await tx.fetch_all(
        ScoredSubject,
        """SELECT subject_id FROM score WHERE due_on <= $1 ORDER BY due_on, subject_id LIMIT $2""",
        today,
        limit,
    )


async def list_scored(tx: ReadTx, *, after: UUID | None, limit: int) -> list[ScoredSubject]:
    """Return who has a score, in the order of the ids, from behind `after`."""
    return await tx.fetch_all(
        ScoredSubject,
        """SELECT subject_id FROM score
           WHERE $1::uuid IS NULL OR subject_id > $1 ORDER BY subject_id LIMIT $2""",
        after,
        limit,
    )


async def count_scores(tx: ReadTx) -> int:
    """Return how many scores there are."""
    return await tx.fetch_value(int, """SELECT count(*) FROM score""")


async def delete_score(tx: Tx, subject_id: UUID) -> None:
    """Delete a subject's score, and then its history.

    In this order: the first statement waits for whoever is working the score out, and the second
    then sees the revision they wrote.
    """
    await tx.execute("""DELETE FROM score WHERE subject_id = $1""", subject_id)
    await tx.execute("""DELETE FROM score_history WHERE subject_id = $1""", subject_id)
