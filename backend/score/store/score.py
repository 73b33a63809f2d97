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


async def list_sample(tx: ReadTx, *, limit: int, today: date) -> list[Score]:
    """Return scores chosen by chance, of those that are not due."""
    return await tx.fetch_all(
        Score,
        """SELECT subject_id, revision, points, identity_points, performance_points, law_points,
                  economic_points, civic_points, indicator_values, scorecard_version,
                  input_digest, as_of, computed_at, due_on
           FROM score WHERE due_on > $2 ORDER BY random() LIMIT $1""",
        limit,
        today,
    )


async def list_not_due(tx: ReadTx, *, after: UUID | None, limit: int, today: date) -> list[Score]:
    """Return scores that are not due, in the order of the ids, from behind `after`."""
    return await tx.fetch_all(
        Score,
        """SELECT subject_id, revision, points, identity_points, performance_points, law_points,
                  economic_points, civic_points, indicator_values, scorecard_version,
                  input_digest, as_of, computed_at, due_on
           FROM score WHERE due_on > $3 AND ($1::uuid IS NULL OR subject_id > $1)
           ORDER BY subject_id LIMIT $2""",
        after,
        limit,
        today,
    )


async def list_by_subject(tx: ReadTx, subject_ids: Sequence[UUID]) -> list[Score]:
    """Return the scores of some subjects; who has none is not there."""
    return await tx.fetch_all(
        Score,
        """SELECT subject_id, revision, points, identity_points, performance_points, law_points,
                  economic_points, civic_points, indicator_values, scorecard_version,
                  input_digest, as_of, computed_at, due_on
           FROM score WHERE subject_id = ANY($1)""",
        subject_ids,
    )


async def list_changed(tx: ReadTx, *, first: UUID, end: UUID, as_of: date) -> list[ScoredSubject]:
    """Return whose records on a day are no longer those their score was worked out from.

    The digest is that of the engine's `input_digest`.
    """
    return await tx.fetch_all(
        ScoredSubject,
        """SELECT score.subject_id
           FROM score LEFT JOIN (
             SELECT subject_id, count(*) AS record_count, sum(fingerprint) AS record_sum
             FROM record
             WHERE subject_id >= $1 AND subject_id < $2 AND occurred_on <= $3
               AND (ends_on IS NULL OR ends_on > $3) AND superseded_at IS NULL
               AND disputed_at IS NULL AND repaired_at IS NULL
             GROUP BY subject_id) AS standing USING (subject_id)
           WHERE score.subject_id >= $1 AND score.subject_id < $2
             AND score.input_digest <> sha256(
               (coalesce(record_count, 0) || '|' || coalesce(record_sum, 0))::bytea)
           ORDER BY score.subject_id""",
        first,
        end,
        as_of,
    )


async def find_end(tx: ReadTx, first: UUID, limit: int) -> UUID | None:
    """Return the subject with a score so many places behind `first`, or None behind the last."""
    return await tx.fetch_optional_value(
        UUID,
        """SELECT subject_id FROM score WHERE subject_id >= $1
           ORDER BY subject_id OFFSET $2 LIMIT 1""",
        first,
        limit,
    )


async def list_part_starts(tx: ReadTx, *, size: int) -> list[ScoredSubject]:
    """Return every so many-th subject with a score, in the order of the ids, from the first on."""
    return await tx.fetch_all(
        ScoredSubject,
        """SELECT subject_id
           FROM (SELECT subject_id, row_number() OVER (ORDER BY subject_id) AS place FROM score)
           WHERE (place - 1) % $1 = 0 ORDER BY subject_id""",
        size,
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
