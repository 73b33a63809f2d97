"""Scores as they are kept, compared with what the Python engine makes of the same records.

The scores are written by PostgreSQL; that both engines mean the same is proved on random scorecards
and records, and looked at here on real ones.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from backend.kit.clock import city_date
from backend.kit.postgres import ReadTx
from backend.kit.problem import Refusal
from backend.record import service as record
from backend.score.rules.engine import score_records
from backend.score.rules.scorecard import Scorecard
from backend.score.rules.state import Score, keep
from backend.score.service.scorecard import get_scorecard
from backend.score.store import score as store


class Verified(msgspec.Struct, frozen=True):
    """Scores that were looked at, and those that the engine gives otherwise."""

    seen: int
    last: UUID | None
    differing: list[UUID]


async def verify_page(tx: ReadTx, *, after: UUID | None, limit: int, now: datetime) -> Verified:
    """Compare the scores behind `after` with the engine; scores that are due are not looked at."""
    scores = await store.list_not_due(tx, after=after, limit=limit, today=city_date(now))
    return await _verified(tx, scores)


async def verify_sample(tx: ReadTx, *, limit: int, now: datetime) -> Verified:
    """Compare scores chosen by chance with the engine."""
    return await _verified(tx, await store.list_sample(tx, limit=limit, today=city_date(now)))


async def verify_listed(tx: ReadTx, *, subject_ids: Sequence[UUID], now: datetime) -> Verified:
    """Compare some scores with the engine once more: their records may just have changed."""
    scores = await store.list_by_subject(tx, subject_ids)
    today = city_date(now)
    return await _verified(tx, [score for score in scores if score.due_on > today])


async def _verified(tx: ReadTx, scores: Sequence[Score]) -> Verified:
    records = await record.list_current_by_subject(
        tx, subject_ids=[score.subject_id for score in scores]
    )
    versions = {score.scorecard_version for score in scores}
    scorecards = {version: await _find_scorecard(tx, version) for version in versions}
    differing = []
    for score in scores:
        scorecard = scorecards[score.scorecard_version]
        if scorecard is None:
            differing.append(score.subject_id)
            continue
        result = score_records(scorecard, records[score.subject_id], score.as_of)
        again = keep(
            result,
            subject_id=score.subject_id,
            revision=score.revision,
            computed_at=score.computed_at,
        )
        if again != score:
            differing.append(score.subject_id)
    last = scores[-1].subject_id if scores else None
    return Verified(len(scores), last, differing)


async def _find_scorecard(tx: ReadTx, version: str) -> Scorecard | None:
    """Return a scorecard, or None for a version that nobody ever handed in."""
    try:
        return await get_scorecard(tx, version)
    except Refusal:  # scorecard_unknown, and nothing else
        return None
