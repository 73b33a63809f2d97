"""Scores follow records: by event for those that changed, or in one pass over all of them."""

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

import msgspec

from backend.event.rules import Event
from backend.kit.clock import Clock
from backend.kit.postgres import Database, Tx
from backend.score import service

# A batch holds the locks of its participations; it stays short.
BATCH = 200
# How much of the work that a new day brings is done at a time; the rest is next minute's.
DUE_BATCHES = 100


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


async def recompute_all(
    database: Database,
    *,
    clock: Clock,
    on_progress: Callable[[RecomputeTotal], None] = lambda _: None,
) -> RecomputeTotal:
    """Work out every score anew, a batch at a time, without keeping readers waiting."""
    total, after = RecomputeTotal(), None
    while True:
        async with database.write() as tx:
            scored = await service.list_scored(tx, after=after, limit=BATCH)
            total.changed += await service.recompute(tx, subject_ids=scored, now=clock.now())
        total.seen += len(scored)
        on_progress(total)
        if len(scored) < BATCH:
            return total
        after = scored[-1]


async def follow_scorecard(tx: Tx, *, event: Event, now: datetime) -> None:
    """Carry out "scorecard.in_force": work a batch of scores out anew; the next does the rest.

    Whoever approved may be at it too (`recompute_all`): what is done already stays as it is. A
    worker that is killed is followed by another one, which goes on with this batch.
    """
    after = event.payload.get("after")
    scored = await service.list_scored(tx, after=UUID(after) if after else None, limit=BATCH)
    await service.recompute(tx, subject_ids=scored, now=now)
    if len(scored) == BATCH:
        await service.emit_in_force(tx, after=scored[-1], now=now)
