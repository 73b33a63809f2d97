"""Scores are worked out when somebody joins, follow the records, and end when somebody leaves.

Only who takes part has a score. One subject is worked out in Python, many in PostgreSQL; both give
the same bits. Whoever works a score out holds the scorecard in force before reading it: a pass with
a new one begins when nobody works with the old one any more, and then sees all that was written.
"""

from collections.abc import Sequence
from datetime import date, datetime, time
from uuid import UUID

from backend.citizen import service as citizen
from backend.kit.clock import CITY_ZONE, city_date
from backend.kit.postgres import Tx
from backend.kit.problem import Unavailable
from backend.record import service as record
from backend.record.rules.life import add_months
from backend.score.rules.engine import score_records
from backend.score.rules.scorecard import Scorecard
from backend.score.rules.state import Score, keep
from backend.score.service.scorecard import scorecard_in_force
from backend.score.store import bulk, history, run
from backend.score.store import score as store

# Somebody else has to write a score between two tries for a third one to be needed.
_TRIES_MAX = 20
# Revisions are kept for two years: as long as a citizen may ask what has changed since.
HISTORY_MONTHS = 24
_PURGED_MAX = 10_000


async def compute(tx: Tx, *, subject_id: UUID, now: datetime) -> Score:
    """Work out and keep the score of somebody who has just joined, as of the city's date.

    The caller holds the citizen's account locked: whoever works on changed records waits.
    """
    await run.hold_scorecard(tx)
    scorecard = await scorecard_in_force(tx)
    records = await record.list_current_by_subject(tx, subject_ids=[subject_id])
    result = score_records(scorecard, records[subject_id], city_date(now))
    score = keep(result, subject_id=subject_id, revision=1, computed_at=now)
    await store.insert_score(tx, score)
    return score


async def recompute(tx: Tx, *, subject_ids: Sequence[UUID], now: datetime) -> int:
    """Work out anew the scores of those of the subjects who take part; return how many changed.

    Under the lock of their participations, so that who joins at this moment is waited for, and
    records that were committed before are seen.
    """
    keys = await citizen.lock_participation_keys(tx, subject_ids=subject_ids)
    if not keys:
        return 0
    await run.hold_scorecard(tx)
    scorecard = await scorecard_in_force(tx)
    return await recompute_until_done(
        tx, scorecard, subject_ids=[*keys], as_of=city_date(now), now=now
    )


async def recompute_until_done(
    tx: Tx, scorecard: Scorecard, *, subject_ids: list[UUID], as_of: date, now: datetime
) -> int:
    """Work scores out until none is missed because somebody else wrote it meanwhile."""
    changed = 0
    for _ in range(_TRIES_MAX):
        if not subject_ids:
            return changed
        done = await bulk.recompute_listed(
            tx, scorecard, subject_ids=subject_ids, as_of=as_of, now=now
        )
        changed, subject_ids = changed + done.changed, done.missed
    raise Unavailable("score")


async def purge_history(tx: Tx, *, now: datetime) -> int:
    """Delete revisions older than HISTORY_MONTHS, except a subject's newest; return how many."""
    before = datetime.combine(add_months(city_date(now), -HISTORY_MONTHS), time(), CITY_ZONE)
    return await history.delete_old_revisions(tx, before=before, limit=_PURGED_MAX)


async def erase(tx: Tx, *, subject_id: UUID) -> None:
    """Delete the score and its history of a subject who leaves; no effect when there is none."""
    await store.delete_score(tx, subject_id)
