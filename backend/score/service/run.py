"""A pass over all scores: begun once, shared by whoever works on it, finished when no part is left.

Whoever wants to begin one while one is under way joins in; one with a scorecard that is no longer
in force ends where it is, and another begins.
"""

from datetime import datetime
from uuid import UUID

from backend.kit.clock import city_date
from backend.kit.ids import new_id
from backend.kit.postgres import ReadTx, Tx
from backend.score.rules.run import PART_SUBJECTS, Progress, Run, parts_of
from backend.score.service.computation import recompute_until_done
from backend.score.service.scorecard import scorecard_in_force
from backend.score.store import bulk
from backend.score.store import run as store
from backend.score.store import score as score_store


async def begin_run(tx: Tx, *, now: datetime, part_subjects: int = PART_SUBJECTS) -> Run:
    """Begin a pass with the scorecard in force, or return the one that is under way with it.

    Waits until nobody works scores out with a scorecard read before this moment.
    """
    await store.wait_for_scorecards(tx)
    scorecard = await scorecard_in_force(tx)
    unfinished = await store.find_unfinished(tx)
    if unfinished is not None:
        if unfinished.scorecard_version == scorecard.version:
            return unfinished
        await store.finish_run(tx, unfinished.run_id, now)
    run = Run(new_id(now), scorecard.version, now, None)
    starts = await score_store.list_part_starts(tx, size=part_subjects)
    parts = parts_of(run.run_id, [each.subject_id for each in starts])
    await store.insert_run(tx, run, parts)
    return run


async def find_run(tx: ReadTx) -> Run | None:
    """Return the pass under way, or None."""
    return await store.find_unfinished(tx)


async def recompute_part(tx: Tx, *, run: Run, now: datetime) -> bool:
    """Work out the scores of one part that nobody is at; False when there is none left.

    Of the day on which it is done: a pass may go on over midnight, or after a week.
    """
    await store.hold_scorecard(tx)
    scorecard = await scorecard_in_force(tx)
    if scorecard.version != run.scorecard_version:
        return False
    part = await store.claim_part(tx, run.run_id)
    if part is None:
        return False
    as_of = city_date(now)
    done = await bulk.recompute_between(
        tx, scorecard, first=part.first_subject, end=part.end_subject, as_of=as_of, now=now
    )
    changed = done.changed + await recompute_until_done(
        tx, scorecard, subject_ids=done.missed, as_of=as_of, now=now
    )
    await store.save_part(tx, part, seen=done.seen, changed=changed, now=now)
    return True


async def get_progress(tx: ReadTx, *, run_id: UUID) -> Progress:
    """Return how far a pass is."""
    return await store.get_progress(tx, run_id)


async def finish_run(tx: Tx, *, run: Run, now: datetime) -> bool:
    """End a pass when nothing of it is left to do; False while somebody is at a part of it.

    Also when another scorecard has come into force: its parts are left to the pass with that one.
    """
    progress = await store.get_progress(tx, run.run_id)
    scorecard = await scorecard_in_force(tx)
    is_over = progress.parts_done == progress.parts_total
    if is_over or scorecard.version != run.scorecard_version:
        await store.finish_run(tx, run.run_id, now)
        return True
    return False
