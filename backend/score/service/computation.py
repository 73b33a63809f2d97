"""Scores are worked out when somebody joins, follow the records, and end when somebody leaves.

Only who takes part has a score: each verb that writes one works under the lock of the
participation.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from backend.citizen import service as citizen
from backend.kit.clock import city_date
from backend.kit.postgres import Tx
from backend.record import service as record
from backend.score.rules.engine import score_records
from backend.score.rules.state import Score, is_new_revision, keep
from backend.score.service.scorecard import scorecard_in_force
from backend.score.store import score as store


async def compute(tx: Tx, *, subject_id: UUID, now: datetime) -> Score:
    """Work out and keep the score of somebody who has just joined, as of the city's date.

    The caller holds the citizen's account locked: whoever works on changed records waits.
    """
    scorecard = await scorecard_in_force(tx)
    records = await record.list_current_by_subject(tx, subject_ids=[subject_id])
    result = score_records(scorecard, records[subject_id], city_date(now))
    score = keep(result, subject_id=subject_id, revision=1, computed_at=now)
    await store.insert_score(tx, score)
    return score


async def recompute(tx: Tx, *, subject_ids: Sequence[UUID], now: datetime) -> int:
    """Work out anew the scores of those of the subjects who take part; return how many changed."""
    keys = await citizen.lock_participation_keys(tx, subject_ids=subject_ids)
    if not keys:
        return 0
    scorecard, as_of = await scorecard_in_force(tx), city_date(now)
    records = await record.list_current_by_subject(tx, subject_ids=[*keys])
    changed = 0
    for before in await store.list_scores(tx, [*keys]):
        result = score_records(scorecard, records[before.subject_id], as_of)
        after = keep(
            result,
            subject_id=before.subject_id,
            revision=before.revision + 1,
            computed_at=now,
        )
        if is_new_revision(after, before):
            await store.save_score(tx, after)
            changed += 1
        elif after.due_on != before.due_on:
            await store.save_due(tx, before.subject_id, as_of=as_of, due_on=after.due_on)
    return changed


async def erase(tx: Tx, *, subject_id: UUID) -> None:
    """Delete the score and its history of a subject who leaves; no effect when there is none."""
    await store.delete_score(tx, subject_id)
