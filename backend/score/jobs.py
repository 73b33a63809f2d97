"""Scores follow records: by event for those that changed, or in one pass over all of them."""

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

import msgspec

from backend.event.rules import Event
from backend.kit.clock import Clock
from backend.kit.crypto import Vault
from backend.kit.postgres import Database, Tx
from backend.score import service

# A batch holds the locks of its participations; it stays short.
BATCH = 200
# How much of the work that a new day brings is done at a time; the rest is next minute's.
AGED_BATCHES = 100


class RecomputeTotal(msgspec.Struct):
    """What a pass over all scores did: how many it looked at and how many it worked out anew."""

    seen: int = 0
    computed: int = 0


async def recompute_changed(tx: Tx, *, event: Event, vault: Vault, now: datetime) -> None:
    """Carry out "records.changed": score those of its subjects who take part.

    Safe to run twice: the same records give the same score, and an equal score is not rewritten.
    """
    subject_ids = [UUID(each) for each in event.payload["subject_ids"]]
    await service.recompute(tx, subject_ids=subject_ids, vault=vault, now=now)


async def recompute_aged(database: Database, *, vault: Vault, clock: Clock) -> int:
    """Work out anew scores of an earlier day, at most AGED_BATCHES; return how many they were.

    An adverse item ends (征信业管理条例 16, NDRC Order 36) and a window slides on a day on which
    nothing comes in. Run again, it goes on with what is left.
    """
    computed, after = 0, None
    for _ in range(AGED_BATCHES):
        async with database.write() as tx:
            now = clock.now()
            aged = await service.list_aged(tx, after=after, limit=BATCH, now=now)
            computed += await service.recompute(
                tx, subject_ids=[each.subject_id for each in aged], vault=vault, now=now
            )
        if len(aged) < BATCH:
            break
        after = aged[-1].subject_id
    return computed


async def recompute_all(
    database: Database,
    *,
    only_changed: bool,
    vault: Vault,
    clock: Clock,
    on_progress: Callable[[RecomputeTotal], None] = lambda _: None,
) -> RecomputeTotal:
    """Work out every score anew, a batch at a time, without keeping readers waiting.

    `only_changed`: those whose records came in after the score was worked out, and those of an
    earlier day (windows slide, items end). Killed and started again it simply begins again:
    equal scores are not rewritten.
    """
    total, after = RecomputeTotal(), None
    while True:
        async with database.write() as tx:
            scored = await service.list_scored(tx, after=after, limit=BATCH)
            stale = [each.subject_id for each in scored]
            if only_changed:
                stale = await service.list_stale(tx, scored=scored, now=clock.now())
            total.computed += await service.recompute(
                tx, subject_ids=stale, vault=vault, now=clock.now()
            )
        total.seen += len(scored)
        on_progress(total)
        if len(scored) < BATCH:
            return total
        after = scored[-1].subject_id
