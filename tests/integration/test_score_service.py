"""Goal: only who takes part has a score; it follows the records, and leaving ends it.

Method: the real verbs on a real PostgreSQL; events are taken from the outbox and handed to the
handler, as the worker does; races are tasks on two connections, one of them made to wait.
"""

import asyncio
from datetime import timedelta
from io import BytesIO
from uuid import UUID

import msgspec
import pytest

from backend.citizen import service as citizen
from backend.event import service as event
from backend.kit.clock import FixedClock, city_date
from backend.kit.crypto import SealBroken, Vault
from backend.kit.postgres import Database, Tx
from backend.kit.problem import Refusal
from backend.record.jobs import send_submission
from backend.score import jobs, service
from backend.score.rules.explanation import Explanation
from tests.support.citizen import national_id, sign_up


class Hooks:
    """What joining and leaving do to a score."""

    def __init__(self, vault: Vault) -> None:
        self.vault = vault

    async def joined(self, tx: Tx, *, subject_id: UUID, now) -> None:
        """Make the score."""
        key = await citizen.find_participation_key(tx, subject_id=subject_id)
        assert key is not None
        await service.compute(tx, subject_id=subject_id, vault=self.vault, data_key=key, now=now)

    async def left(self, tx: Tx, *, subject_id: UUID, now) -> None:
        """Erase the score."""
        await service.erase(tx, subject_id=subject_id)


class City:
    """A few citizens, a library, and the worker's hands."""

    def __init__(self, database: Database, vault: Vault, clock: FixedClock) -> None:
        self.database, self.vault, self.clock = database, vault, clock
        self.hooks = Hooks(vault)
        self.batches = 0

    def subject(self, serial: int) -> UUID:
        """Return the subject id of a person."""
        return self.vault.subject_id(national_id(serial))

    async def join(self, *serials: int) -> None:
        """Let people register and join."""
        for serial in serials:
            async with self.database.write() as tx:
                now = self.clock.now()
                await sign_up(tx, vault=self.vault, now=now, serial=serial)
                await citizen.join(
                    tx,
                    subject_id=self.subject(serial),
                    notice_version=citizen.CURRENT_NOTICE.version,
                    vault=self.vault,
                    now=now,
                    hooks=self.hooks,
                )

    async def leave(self, serial: int) -> None:
        """Let somebody leave."""
        async with self.database.write() as tx:
            subject_id = self.subject(serial)
            assert await citizen.leave(
                tx, subject_id=subject_id, now=self.clock.now(), hooks=self.hooks
            )

    async def borrow(self, serial: int, *, day: str = "2026-11-01", late: bool = False) -> None:
        """Put a returned library item on record."""
        self.batches += 1
        text = "national_id,external_id,occurred_on,quantity\n"
        text += f"{national_id(serial)},lib-{self.batches},{day},5\n"
        await send_submission(
            self.database,
            BytesIO(text.encode()),
            source_code="city_library",
            class_code="library_overdue" if late else "library_return",
            batch_id=None,
            vault=self.vault,
            clock=self.clock,
        )

    async def work(self) -> int:
        """Carry out the open events, as the worker does; return how many there were."""
        async with self.database.write() as tx:
            events = await event.claim(tx, now=self.clock.now())
        for each in events:
            async with self.database.write() as tx:
                if each.topic == "records.changed":
                    await jobs.recompute_changed(
                        tx, event=each, vault=self.vault, now=self.clock.now()
                    )
                await event.finish(tx, event_ids=[each.event_id], now=self.clock.now())
        return len(events)

    async def score(self, serial: int) -> service.Score | None:
        """Return somebody's score."""
        async with self.database.read() as tx:
            return await service.find(tx, subject_id=self.subject(serial))


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
    assert thin.points == sum(each.neutral_points for each in service.get_scorecard().indicators)
    assert reader.points > thin.points
    assert reader.facts["indicator.library_returns"] == 5
    assert reader.facts["score"] == reader.points == sum(reader.dimensions.values())
    assert reader.facts["dimension.performance"] == reader.performance_points


async def test_the_facts_are_the_vocabulary_of_programmes(city: City):
    await city.join(1)
    score = await city.score(1)
    assert score is not None
    names = {"score"}
    names |= {f"dimension.{each.code}" for each in service.get_scorecard().dimensions}
    names |= {f"indicator.{each.code}" for each in service.get_scorecard().indicators}
    assert score.facts.keys() == names
    assert all(type(value) is int for value in score.facts.values())


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
            await jobs.recompute_changed(tx, event=changed, vault=city.vault, now=city.clock.now())
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


async def test_an_explanation_opens_for_its_own_citizen_only(city: City):
    await city.borrow(1)
    await city.join(1, 2)
    async with city.database.read() as tx:
        explained = await service.get_explained(tx, subject_id=city.subject(1), vault=city.vault)
        other_key = await citizen.find_participation_key(tx, subject_id=city.subject(2))
    assert other_key is not None
    reasons = explained.explanation.reasons
    assert [each.indicator for each in reasons] == ["library_returns"]
    assert reasons[0].text_zh == "近24个月按期归还图书 5 册"
    sealed = explained.score.explanation_sealed
    assert b"library" not in sealed
    with pytest.raises(SealBroken):
        aad = f"score|explanation_sealed|{city.subject(1)}"
        city.vault.unseal(other_key, sealed, aad=aad)


async def test_without_taking_part_there_is_nothing_to_explain(city: City):
    async with city.database.read() as tx:
        with pytest.raises(Refusal, match="score_missing"):
            await service.get_explained(tx, subject_id=city.subject(1), vault=city.vault)
        with pytest.raises(Refusal, match="score_missing"):
            await service.get(tx, subject_id=city.subject(1))


async def test_a_score_kept_is_the_same_bits_worked_out_again(city: City):
    await city.borrow(1)
    await city.borrow(1, late=True)
    await city.join(1)
    kept = await city.score(1)
    assert kept is not None
    async with city.database.write() as tx:
        key = await citizen.find_participation_key(tx, subject_id=city.subject(1))
        assert key is not None
        again = await service.compute(
            tx, subject_id=city.subject(1), vault=city.vault, data_key=key, now=city.clock.now()
        )

    def opened(score: service.Score) -> Explanation:
        aad = f"score|explanation_sealed|{city.subject(1)}"
        plain = city.vault.unseal(key or b"", score.explanation_sealed, aad=aad)
        return msgspec.json.decode(plain, type=Explanation)

    assert opened(again) == opened(kept)
    assert msgspec.structs.replace(again, explanation_sealed=b"") == msgspec.structs.replace(
        kept, explanation_sealed=b""
    )


async def test_a_recompute_of_all_moves_what_time_has_moved(city: City, monkeypatch):
    monkeypatch.setattr(jobs, "BATCH", 2)
    await city.borrow(1, late=True, day="2026-09-01")
    await city.join(1, 2, 3)
    before = await city.score(1)
    city.clock.advance(timedelta(days=20))  # 2026-12-10: the item ended on 2026-12-01
    seen: list[int] = []
    total = await jobs.recompute_all(
        city.database,
        only_changed=False,
        vault=city.vault,
        clock=city.clock,
        on_progress=lambda done: seen.append(done.seen),
    )
    after = await city.score(1)
    assert (total.seen, total.computed, seen) == (3, 3, [2, 3])
    assert before is not None
    assert after is not None
    assert before.facts["indicator.library_overdue"] == 5
    assert after.facts["indicator.library_overdue"] == 0
    assert after.points > before.points


async def test_a_recompute_of_what_changed_finds_exactly_that(city: City):
    await city.join(1, 2, 3)
    city.clock.advance(timedelta(hours=1))
    await city.borrow(2)

    async def recompute() -> int:
        total = await jobs.recompute_all(
            city.database, only_changed=True, vault=city.vault, clock=city.clock
        )
        return total.computed

    assert await recompute() == 1
    score = await city.score(2)
    assert score is not None
    assert score.facts["indicator.library_returns"] == 5
    city.clock.advance(timedelta(days=1))
    assert await recompute() == 3, "another day: windows slide"


async def test_an_item_that_ends_leaves_the_score_without_anybody_asking(city: City, monkeypatch):
    """产品原则 7: nothing comes in on the day an item ends, so the worker looks for itself."""
    monkeypatch.setattr(jobs, "BATCH", 2)
    await city.borrow(1, late=True, day="2026-09-01")
    await city.join(1, 2, 3)
    city.clock.advance(timedelta(days=12))  # 2026-12-02: the item ended on 2026-12-01

    async def work() -> int:
        return await jobs.recompute_aged(city.database, vault=city.vault, clock=city.clock)

    assert await work() == 3
    after = await city.score(1)
    assert after is not None
    assert after.facts["indicator.library_overdue"] == 0
    assert after.as_of == city_date(city.clock.now())
    assert await work() == 0, "once a day"


async def test_work_on_aged_scores_is_bounded_and_goes_on_the_next_time(city: City, monkeypatch):
    monkeypatch.setattr(jobs, "BATCH", 1)
    monkeypatch.setattr(jobs, "AGED_BATCHES", 2)
    await city.join(1, 2, 3)
    city.clock.advance(timedelta(days=1))
    done = [
        await jobs.recompute_aged(city.database, vault=city.vault, clock=city.clock)
        for _ in range(3)
    ]
    assert done == [2, 1, 0]


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
                hooks=Slow(city.vault),
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
    score = await city.score(1)
    assert score is not None
    assert score.facts["indicator.library_returns"] == 5


async def test_who_leaves_while_a_score_is_worked_out_ends_without_one(city: City):
    """The lock of the participation: leaving waits for the score, and then takes it away."""
    await city.join(1)
    await city.borrow(1)
    computed, may_commit = asyncio.Event(), asyncio.Event()

    async def recompute() -> None:
        async with city.database.write() as tx:
            await service.recompute(
                tx, subject_ids=[city.subject(1)], vault=city.vault, now=city.clock.now()
            )
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
            await service.recompute(
                tx, subject_ids=[city.subject(1)], vault=city.vault, now=city.clock.now()
            )
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
    score = await city.score(1)
    assert score is not None
    assert score.facts["indicator.library_returns"] == 5
