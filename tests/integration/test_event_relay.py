"""Goal: what was promised with a change is carried out, whatever happens to the queue.

Method: a real queue (arq on Valkey), real transactions, handlers that fail, a flushed Valkey.
"""

import asyncio
from datetime import timedelta
from uuid import UUID

import pytest
from arq import Retry, create_pool
from arq.connections import ArqRedis, RedisSettings

from backend.event import service
from backend.event.jobs import Relay
from backend.event.rules import HAND_OVER_AGAIN_AFTER, Event
from backend.kit.clock import FixedClock
from backend.kit.postgres import Database, Tx
from backend.kit.problem import Unavailable


class _Follower:
    """Carries out events by noting them, or fails as often as it is told."""

    def __init__(self, failures: int = 0) -> None:
        self.seen: list[UUID] = []
        self.failures = failures

    async def __call__(self, tx: Tx, *, event: Event) -> None:
        if self.failures:
            self.failures -= 1
            raise RuntimeError("not yet")
        self.seen.append(event.event_id)


@pytest.fixture
async def queue(valkey_url: str) -> ArqRedis:
    return await create_pool(RedisSettings.from_dsn(valkey_url), default_queue_name="arq:test")


def _relay(database: Database, clock: FixedClock, follower: _Follower) -> Relay:
    return Relay(database=database, clock=clock, handlers={"followed": follower})


async def _emit(database: Database, clock: FixedClock, topic: str = "followed") -> UUID:
    async with database.write() as tx:
        return await service.emit(
            tx, topic=topic, subject_id=None, payload={"n": 1}, now=clock.now()
        )


async def _lag(database: Database, clock: FixedClock) -> timedelta:
    async with database.read() as tx:
        return await service.get_lag(tx, now=clock.now())


async def test_an_event_of_a_rolled_back_change_never_was(
    database: Database, clock: FixedClock
) -> None:
    with pytest.raises(ZeroDivisionError):
        async with database.write() as tx:
            await service.emit(tx, topic="followed", subject_id=None, payload={}, now=clock.now())
            raise ZeroDivisionError
    clock.advance(timedelta(hours=1))
    assert await _lag(database, clock) == timedelta(0)


async def test_an_event_is_handed_over_and_carried_out_once(
    database: Database, clock: FixedClock, queue: ArqRedis
) -> None:
    follower = _Follower()
    relay = _relay(database, clock, follower)
    event_id = await _emit(database, clock)
    assert await relay.hand_over(queue) == 1
    assert await relay.hand_over(queue) == 0
    assert {job.job_id for job in await queue.queued_jobs()} >= {str(event_id)}
    await asyncio.gather(*[relay.handle(event_id, attempt=1) for _ in range(5)])
    await relay.handle(event_id, attempt=1)
    assert follower.seen == [event_id]
    assert await _lag(database, clock) == timedelta(0)


async def test_a_flushed_queue_loses_nothing(
    database: Database, clock: FixedClock, queue: ArqRedis
) -> None:
    relay = _relay(database, clock, _Follower())
    event_id = await _emit(database, clock)
    await relay.hand_over(queue)
    await queue.flushdb()
    clock.advance(HAND_OVER_AGAIN_AFTER + timedelta(seconds=1))
    assert await _lag(database, clock) > HAND_OVER_AGAIN_AFTER
    assert await relay.hand_over(queue) == 1
    assert [job.job_id for job in await queue.queued_jobs()] == [str(event_id)]


async def test_a_failing_handler_is_tried_again_and_leaves_no_half_effect(
    database: Database, clock: FixedClock
) -> None:
    follower = _Follower(failures=1)
    relay = _relay(database, clock, follower)
    event_id = await _emit(database, clock)
    with pytest.raises(Retry):
        await relay.handle(event_id, attempt=1)
    assert follower.seen == []
    await relay.handle(event_id, attempt=2)
    assert follower.seen == [event_id]


async def test_a_topic_nobody_follows_does_not_pile_up(
    database: Database, clock: FixedClock, queue: ArqRedis
) -> None:
    await _emit(database, clock, topic="unfollowed")
    await _relay(database, clock, _Follower()).hand_over(queue)
    clock.advance(timedelta(hours=1))
    assert await _lag(database, clock) == timedelta(0)


async def test_two_relays_never_hand_over_the_same_event(
    database: Database, clock: FixedClock
) -> None:
    events = {await _emit(database, clock) for _ in range(40)}

    async def claim() -> list[UUID]:
        async with database.write() as tx:
            claimed = [event.event_id for event in await service.claim(tx, now=clock.now())]
            await asyncio.sleep(0.05)
            return claimed

    claimed = [
        event for batch in await asyncio.gather(*[claim() for _ in range(4)]) for event in batch
    ]
    assert sorted(claimed) == sorted(events)


class _LosesCancellations(Relay):
    """A relay whose turn ends in the error of a server that goes away while it is cancelled."""

    is_lost = False

    async def hand_over(self, queue: ArqRedis) -> int:
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            if self.is_lost:
                raise
            self.is_lost = True
            raise Unavailable("database") from None
        return 0


async def test_a_relay_stops_even_when_its_cancellation_is_lost(
    database: Database, clock: FixedClock, queue: ArqRedis
) -> None:
    relay, stopping = (
        _LosesCancellations(database=database, clock=clock, handlers={}),
        asyncio.Event(),
    )
    running = asyncio.create_task(relay.run(queue, stopping=stopping))
    await asyncio.sleep(0.05)
    stopping.set()
    running.cancel()
    done, _ = await asyncio.wait([running], timeout=3)
    assert done, "the loop goes on for ever"


async def test_what_was_done_long_ago_is_deleted(database: Database, clock: FixedClock) -> None:
    relay = _relay(database, clock, _Follower())
    await relay.handle(await _emit(database, clock), attempt=1)
    open_event = await _emit(database, clock)
    clock.advance(timedelta(days=8))
    async with database.write() as tx:
        assert await service.purge(tx, now=clock.now()) == 1
        assert await service.take(tx, event_id=open_event) is not None
