"""Scores follow records, the calendar and the scorecard in force; and are looked at once a night.

Each job may be killed at any moment and run again, or run twice at once: what is done stays done.
"""

import asyncio
from collections.abc import Callable
from datetime import datetime
from uuid import UUID

import msgspec

from backend.event.rules import Event
from backend.kit.clock import Clock
from backend.kit.postgres import Database, Tx
from backend.score import service
from backend.score.rules.run import FIRST_SUBJECT, PART_SUBJECTS, Progress, Run

# A batch holds the locks of its participations; it stays short: some 50 ms.
BATCH = 1_000
# How much of the work that a new day brings is done at a time; the rest is next minute's.
DUE_BATCHES = 100
# Parts of a pass that somebody left behind, each minute: well within the time of a job.
PARTS_A_MINUTE = 20
PAGE = 20_000
VERIFY_PAGE = 500
# While others are at the last parts of a pass, so often it is looked whether they are done.
_WAIT_SECONDS = 0.2
# Records that came in a moment ago are still on their way to the score.
_SETTLE_SECONDS = 5.0
_SETTLE_TRIES = 3


class RecomputeTotal(msgspec.Struct):
    """What a pass did: how many scores it worked out anew, and how many came out changed."""

    seen: int = 0
    changed: int = 0


async def recompute_changed(tx: Tx, *, event: Event, now: datetime) -> None:
    """Carry out "records.changed": score those of its subjects who take part.

    Safe to run twice: the same records give the same score, and an equal score is not rewritten.
    """
    subject_ids = [UUID(each) for each in event.payload["subject_ids"]]
    await service.recompute(tx, subject_ids=subject_ids, now=now)


async def recompute_due(database: Database, *, clock: Clock) -> RecomputeTotal:
    """Work out anew the scores that may have changed by themselves, at most DUE_BATCHES.

    An adverse item ends (征信业管理条例 16, NDRC Order 36) and a window slides on a day on which
    nothing comes in. Run again, it goes on with what is left.
    """
    total = RecomputeTotal()
    for _ in range(DUE_BATCHES):
        async with database.write() as tx:
            now = clock.now()
            due = await service.list_due(tx, limit=BATCH, now=now)
            total.changed += await service.recompute(tx, subject_ids=due, now=now)
        total.seen += len(due)
        if len(due) < BATCH:
            break
    return total


async def recompute_all_due(
    database: Database,
    *,
    clock: Clock,
    on_progress: Callable[[RecomputeTotal], None] = lambda _: None,
) -> RecomputeTotal:
    """Work out anew every score that may have changed by itself."""
    total = RecomputeTotal()
    while True:
        done = await recompute_due(database, clock=clock)
        total.seen, total.changed = total.seen + done.seen, total.changed + done.changed
        on_progress(total)
        if done.seen < BATCH * DUE_BATCHES:
            return total


async def recompute_all_changed(
    database: Database,
    *,
    clock: Clock,
    on_progress: Callable[[RecomputeTotal], None] = lambda _: None,
) -> RecomputeTotal:
    """Work out anew every score whose records are not those it was worked out from.

    Events do that by themselves; this finds what none was told of. `seen` counts the scores that
    were looked at.
    """
    total, after = RecomputeTotal(), FIRST_SUBJECT
    while True:
        async with database.read() as reading:
            found = await service.list_changed(reading, after=after, limit=PAGE, now=clock.now())
            total.seen = await service.count(reading) if found.next_after is None else total.seen
        for first in range(0, len(found.subject_ids), BATCH):
            async with database.write() as tx:
                total.changed += await service.recompute(
                    tx, subject_ids=found.subject_ids[first : first + BATCH], now=clock.now()
                )
        if found.next_after is None:
            return total
        total.seen, after = total.seen + PAGE, found.next_after
        on_progress(total)


async def recompute_all(
    database: Database,
    *,
    clock: Clock,
    connections: int = 1,
    part_subjects: int = PART_SUBJECTS,
    on_progress: Callable[[Progress], None] = lambda _: None,
) -> RecomputeTotal:
    """Work every score out anew in one pass, part by part, without keeping readers waiting.

    A pass that is under way is joined: one that was killed goes on where it stood, one that another
    process is at is shared with it. Returns what the whole pass did, whoever did it.
    """
    async with database.write() as tx:
        run = await service.begin_run(tx, now=clock.now(), part_subjects=part_subjects)

    async def work() -> None:
        while True:
            async with database.write() as tx:
                is_done = await service.recompute_part(tx, run=run, now=clock.now())
            if not is_done:
                return
            async with database.read() as reading:
                on_progress(await service.get_progress(reading, run_id=run.run_id))

    while True:
        await asyncio.gather(*(work() for _ in range(connections)))
        if await _finish(database, run, clock):
            break
        await asyncio.sleep(_WAIT_SECONDS)
    async with database.read() as reading:
        progress = await service.get_progress(reading, run_id=run.run_id)
    return RecomputeTotal(seen=progress.seen, changed=progress.changed)


async def resume_recompute(database: Database, *, clock: Clock) -> int:
    """Go on with a pass that is under way, at most PARTS_A_MINUTE; return how many were done."""
    async with database.read() as reading:
        run = await service.find_run(reading)
    if run is None:
        return 0
    done = 0
    while done < PARTS_A_MINUTE:
        async with database.write() as tx:
            if not await service.recompute_part(tx, run=run, now=clock.now()):
                break
        done += 1
    await _finish(database, run, clock)
    return done


async def follow_scorecard(tx: Tx, *, event: Event, now: datetime) -> None:
    """Carry out "scorecard.in_force": work one part of all scores out anew, and ask for the next.

    Whoever approved may be at it too (`recompute_all`), and a worker that is killed is followed by
    another one: they share the same pass.
    """
    going_on = event.payload.get("run_id")
    run = await service.find_run(tx) if going_on else await service.begin_run(tx, now=now)
    if run is None or (going_on and run.run_id != UUID(going_on)):
        return  # others have finished it, and perhaps begun another one
    if await service.recompute_part(tx, run=run, now=now):
        await service.emit_in_force(tx, run_id=run.run_id, now=now)
    else:
        await service.finish_run(tx, run=run, now=now)


async def verify(
    database: Database,
    *,
    clock: Clock,
    sample: int | None = None,
    settle_seconds: float = _SETTLE_SECONDS,
    on_progress: Callable[[int], None] = lambda _: None,
) -> service.Verified:
    """Compare scores as they are kept with the Python engine; `sample` of them, or all.

    One that differs is looked at again a little later: its records may just have changed.
    """
    seen, differing, after = 0, list[UUID](), None
    while True:
        async with database.read() as tx:
            if sample is not None:
                page = await service.verify_sample(tx, limit=sample, now=clock.now())
            else:
                page = await service.verify_page(
                    tx, after=after, limit=VERIFY_PAGE, now=clock.now()
                )
        seen, after = seen + page.seen, page.last
        differing += page.differing
        on_progress(seen)
        if sample is not None or page.seen < VERIFY_PAGE:
            break
    for _ in range(_SETTLE_TRIES):
        if not differing:
            break
        await asyncio.sleep(settle_seconds)
        async with database.read() as tx:
            again = await service.verify_listed(tx, subject_ids=differing, now=clock.now())
        differing = again.differing
    return service.Verified(seen, after, differing)


async def _finish(database: Database, run: Run, clock: Clock) -> bool:
    async with database.write() as tx:
        return await service.finish_run(tx, run=run, now=clock.now())
