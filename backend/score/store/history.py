"""SQL of the history of scores: every revision of a participant's score."""

from datetime import datetime
from uuid import UUID

from backend.kit.postgres import ReadTx, Tx
from backend.score.rules.state import ScoreRevision


async def find_revision(tx: ReadTx, subject_id: UUID, revision: int) -> ScoreRevision | None:
    """Return one revision of a subject's score, or None."""
    return await tx.fetch_optional(
        ScoreRevision,
        """SELECT subject_id, revision, points, identity_points, performance_points, law_points,
                  economic_points, civic_points, indicator_values, scorecard_version,
                  input_digest, as_of, computed_at
           FROM score_history WHERE subject_id = $1 AND revision = $2""",
        subject_id,
        revision,
    )


async def list_revisions(
    tx: ReadTx, subject_id: UUID, *, before: int | None, limit: int
) -> list[ScoreRevision]:
    """Return revisions of a subject's score, the newest first, from in front of `before`."""
    return await tx.fetch_all(
        ScoreRevision,
        """SELECT subject_id, revision, points, identity_points, performance_points, law_points,
                  economic_points, civic_points, indicator_values, scorecard_version,
                  input_digest, as_of, computed_at
           FROM score_history
           WHERE subject_id = $1 AND ($2::bigint IS NULL OR revision < $2)
           ORDER BY revision DESC LIMIT $3""",
        subject_id,
        before,
        limit,
    )


async def delete_old_revisions(tx: Tx, *, before: datetime, limit: int) -> int:
    """Delete revisions from before a moment, but never the newest of a subject; at most `limit`."""
    return await tx.execute(
        """DELETE FROM score_history AS old
           USING (
             SELECT subject_id, revision FROM score_history AS candidate
             WHERE computed_at < $1 AND EXISTS (
               SELECT FROM score_history AS newer
               WHERE newer.subject_id = candidate.subject_id
                 AND newer.revision > candidate.revision)
             LIMIT $2) AS gone
           WHERE old.subject_id = gone.subject_id AND old.revision = gone.revision""",
        before,
        limit,
    )
