"""Goal: only who takes part has a score; it follows the records, and leaving ends it.

Method: the real verbs on a real PostgreSQL; events are taken from the outbox and handed to the
handler, as the worker does; races are tasks on two connections, one of them made to wait.
"""

import asyncio
from datetime import timedelta
from uuid import UUID

import pytest

from backend.citizen import service as citizen
from backend.event import service as event
from backend.kit.clock import FixedClock
from backend.kit.crypto import Vault
from backend.kit.postgres import Database, Tx
from backend.kit.problem import Refusal
from backend.score import jobs, service
from tests.support.citizen import sign_up
from tests.support.score_world import City, Hooks


@pytest.fixture
def city(database: Database, vault: Vault, clock: FixedClock) -> City:
    """A city on a database of this test's own."""
    return City(database, vault, clock)


async def test_joining_makes_a_score_from_what_is_on_record(city: City):
    await city.borrow(1)
    assert await city.score(1) is None, "no score before joining"
    await city.join(1, 2)
    reader, thin = await city.score(1), await city.score(2)
    assert reader is not None
    assert thin is not None
    assert thin.points == sum(
        each.neutral_points for each in service.packaged_scorecard().indicators
    )
    assert reader.points > thin.points
    facts = await city.facts(1)
    assert facts["indicator.library_returns"] == 5
    assert facts["score"] == reader.points == sum(reader.dimensions.values())
    assert facts["dimension.performance"] == reader.performance_points


async def test_the_facts_are_the_vocabulary_of_programmes(city: City):
    await city.join(1)
    facts = await city.facts(1)
    names = {"score"}
    names |= {f"dimension.{each.code}" for each in service.packaged_scorecard().dimensions}
    names |= {f"indicator.{each.code}" for each in service.packaged_scorecard().indicators}
    assert facts.keys() == names
    assert all(type(value) is int for value in facts.values())


async def test_records_that_come_in_move_the_scores_of_participants_only(city: City):
    await city.join(1)
    before = await city.score(1)
    await city.borrow(1)
    await city.borrow(2)
    assert await city.work() > 0
    after = await city.score(1)
    assert before is not None
    assert after is not None
    assert after.points > before.points
    assert await city.score(2) is None, "records alone make no score"


async def test_an_event_carried_out_twice_changes_nothing_more(city: City):
    await city.join(1)
    await city.borrow(1)
    async with city.database.write() as tx:
        (changed,) = [
            each
            for each in await event.claim(tx, now=city.clock.now())
            if each.topic == "records.changed"
        ]
    scores = []
    for _ in range(2):
        city.clock.advance(timedelta(minutes=1))
        async with city.database.write() as tx:
            await jobs.recompute_changed(tx, event=changed, now=city.clock.now())
        scores.append(await city.score(1))
    assert scores[0] == scores[1], "an equal score is not written again"


async def test_leaving_erases_the_score_for_good_and_the_key_with_it(city: City):
    await city.borrow(1)
    await city.join(1)
    await city.leave(1)
    assert await city.score(1) is None
    await city.borrow(1)
    await city.work()
    assert await city.score(1) is None, "no score comes back after leaving"
    async with city.database.read() as tx:
        assert await citizen.find_participation_key(tx, subject_id=city.subject(1)) is None


async def test_without_taking_part_there_is_nothing_to_explain(city: City):
    async with city.database.read() as tx:
        with pytest.raises(Refusal, match="score_missing"):
            await service.get_explained(tx, subject_id=city.subject(1), now=city.clock.now())
        with pytest.raises(Refusal, match="score_missing"):
            await service.get(tx, subject_id=city.subject(1))


async def test_a_record_that_comes_in_while_somebody_joins_is_not_lost(city: City):
    """Joining has read the records already; the event must not be done before joining is."""
    computed, may_commit = asyncio.Event(), asyncio.Event()

    class Slow(Hooks):
        async def joined(self, tx: Tx, *, subject_id: UUID, now) -> None:
            await super().joined(tx, subject_id=subject_id, now=now)
            computed.set()
            await may_commit.wait()

    async def join() -> None:
        async with city.database.write() as tx:
            await citizen.join(
                tx,
                subject_id=city.subject(1),
                notice_version=citizen.CURRENT_NOTICE.version,
                vault=city.vault,
                now=city.clock.now(),
                hooks=Slow(),
            )

    async with city.database.write() as tx:
        await sign_up(tx, vault=city.vault, now=city.clock.now(), serial=1)
    joiner = asyncio.create_task(join())
    await computed.wait()
    await city.borrow(1)
    worker = asyncio.create_task(city.work())
    await asyncio.sleep(0.1)
    assert not worker.done(), "the event waits for who joins"
    may_commit.set()
    await asyncio.gather(joiner, worker)
    assert (await city.facts(1))["indicator.library_returns"] == 5


async def test_who_leaves_while_a_score_is_worked_out_ends_without_one(city: City):
    """The lock of the participation: leaving waits for the score, and then takes it away."""
    await city.join(1)
    await city.borrow(1)
    computed, may_commit = asyncio.Event(), asyncio.Event()

    async def recompute() -> None:
        async with city.database.write() as tx:
            await service.recompute(tx, subject_ids=[city.subject(1)], now=city.clock.now())
            computed.set()
            await may_commit.wait()

    worker = asyncio.create_task(recompute())
    await computed.wait()
    leaver = asyncio.create_task(city.leave(1))
    await asyncio.sleep(0.1)
    assert not leaver.done(), "leaving waits"
    may_commit.set()
    await asyncio.gather(worker, leaver)
    assert await city.score(1) is None


async def test_a_score_worked_out_while_somebody_leaves_is_not_written(city: City):
    await city.join(1)
    await city.borrow(1)
    left, may_commit = asyncio.Event(), asyncio.Event()

    async def leave() -> None:
        async with city.database.write() as tx:
            now = city.clock.now()
            await citizen.leave(tx, subject_id=city.subject(1), now=now, hooks=city.hooks)
            left.set()
            await may_commit.wait()

    leaver = asyncio.create_task(leave())
    await left.wait()
    worker = asyncio.create_task(city.work())
    await asyncio.sleep(0.1)
    assert not worker.done(), "the score waits"
    may_commit.set()
    await asyncio.gather(worker, leaver)
    assert await city.score(1) is None


async def test_two_recomputes_at_once_end_with_the_newest_records(city: City):
    """The second reads under the lock, so it sees what the first could not."""
    await city.join(1)
    first_read, may_commit = asyncio.Event(), asyncio.Event()

    async def first() -> None:
        async with city.database.write() as tx:
            await service.recompute(tx, subject_ids=[city.subject(1)], now=city.clock.now())
            first_read.set()
            await may_commit.wait()

    task = asyncio.create_task(first())
    await first_read.wait()
    await city.borrow(1)
    second = asyncio.create_task(city.work())
    await asyncio.sleep(0.1)
    assert not second.done()
    may_commit.set()
    await asyncio.gather(task, second)
    assert (await city.facts(1))["indicator.library_returns"] == 5
