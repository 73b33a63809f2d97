"""A score with its reasons: worked out when somebody asks, from what stands on the score's day."""

from uuid import UUID

import msgspec

from backend.kit.postgres import ReadTx
from backend.record import service as record
from backend.score.rules.engine import score_records
from backend.score.rules.explanation import Explanation, explain
from backend.score.rules.scorecard import Scorecard
from backend.score.rules.state import Score
from backend.score.service.reading import get
from backend.score.service.scorecard import get_scorecard


class ExplainedScore(msgspec.Struct, frozen=True):
    """A score, its reasons, and the scorecard it was worked out with."""

    score: Score
    explanation: Explanation
    scorecard: Scorecard


async def get_explained(tx: ReadTx, *, subject_id: UUID) -> ExplainedScore:
    """Return the score of a citizen with its reasons; raises Refusal score_missing."""
    score = await get(tx, subject_id=subject_id)
    scorecard = await get_scorecard(tx, score.scorecard_version)
    records = await record.list_current_by_subject(tx, subject_ids=[subject_id])
    result = score_records(scorecard, records[subject_id], score.as_of)
    return ExplainedScore(score, explain(scorecard, result), scorecard)
