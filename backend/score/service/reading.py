"""Reading scores: one subject's, and who has one at all."""

from datetime import datetime
from uuid import UUID

import msgspec

from backend.kit.clock import city_date
from backend.kit.postgres import ReadTx
from backend.kit.problem import Refusal
from backend.score.rules.run import END_SUBJECT
from backend.score.rules.state import Score, facts_of
from backend.score.service.scorecard import get_scorecard
from backend.score.store import score as store


class ChangedPage(msgspec.Struct, frozen=True):
    """Whose score is not up to date, and where the next scores begin; None after the last."""

    subject_ids: list[UUID]
    next_after: UUID | None


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


async def list_changed(tx: ReadTx, *, after: UUID, limit: int, now: datetime) -> ChangedPage:
    """Return whose records are no longer those that their score was worked out from.

    Of `limit` scores in the order of the ids, from `after` on.
    """
    end = await store.find_end(tx, after, limit) or END_SUBJECT
    changed = await store.list_changed(tx, first=after, end=end, as_of=city_date(now))
    return ChangedPage([each.subject_id for each in changed], None if end == END_SUBJECT else end)


async def count(tx: ReadTx) -> int:
    """Return how many scores there are."""
    return await store.count_scores(tx)
