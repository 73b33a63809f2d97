"""Reading scores: one subject's, and who has one at all."""

from datetime import datetime
from uuid import UUID

from backend.kit.clock import city_date
from backend.kit.postgres import ReadTx
from backend.kit.problem import Refusal
from backend.score.rules.state import Score, facts_of
from backend.score.service.scorecard import get_scorecard
from backend.score.store import score as store


async def find(tx: ReadTx, *, subject_id: UUID) -> Score | None:
    """Return the score of a subject, or None for one who does not take part."""
    return await store.find_score(tx, subject_id)


async def get(tx: ReadTx, *, subject_id: UUID) -> Score:
    """Return the score of a subject; raises Refusal score_missing."""
    score = await store.find_score(tx, subject_id)
    if score is None:
        raise Refusal("score_missing")
    return score


async def find_facts(tx: ReadTx, *, subject_id: UUID) -> dict[str, int] | None:
    """Return what programmes may ask about a subject, or None for one who does not take part."""
    score = await store.find_score(tx, subject_id)
    if score is None:
        return None
    return facts_of(
        await get_scorecard(tx, score.scorecard_version),
        points=score.points,
        dimensions=score.dimensions.values(),
        indicator_values=score.indicator_values,
    )


async def list_due(tx: ReadTx, *, limit: int, now: datetime) -> list[UUID]:
    """Return whose score may have changed by itself until the city's date, longest due first."""
    due = await store.list_due(tx, today=city_date(now), limit=limit)
    return [each.subject_id for each in due]


async def list_scored(tx: ReadTx, *, after: UUID | None, limit: int) -> list[UUID]:
    """Return who has a score, in the order of the ids, from behind `after`; for work in batches."""
    scored = await store.list_scored(tx, after=after, limit=limit)
    return [each.subject_id for each in scored]


async def count(tx: ReadTx) -> int:
    """Return how many scores there are."""
    return await store.count_scores(tx)
