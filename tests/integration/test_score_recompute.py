"""Goal: passes over scores do each piece of work once, whoever is killed, races or leaves; and what
is kept can be proved.

Method: the real jobs on a real PostgreSQL. Races are transactions on several connections, one of
them held open at the place where the other must wait, or must not; a killed process is a real one.
"""

import asyncio
import os
import signal
import subprocess
import sys
from datetime import timedelta
from uuid import UUID

import asyncpg
import pytest

from backend.event import service as event
from backend.kit.clock import FixedClock, city_date
from backend.kit.crypto import Vault
from backend.kit.postgres import Database
from backend.score import jobs, service
from backend.score.rules.run import END_SUBJECT, FIRST_SUBJECT, Progress
from backend.score.store import bulk, history
from backend.score.store import run as run_store
from tests.conftest import DIGEST_KEY, KEK, encoded_key
from tests.support.score_world import City

STALE = "UPDATE score SET scorecard_version = 'old'"


@pytest.fixture
def city(database: Database, vault: Vault, clock: FixedClock) -> City:
    """A city on a database of this test's own."""
    return City(database, vault, clock)


async def spoil(city: City) -> None:
    """Let every score be one of a scorecard that is no longer in force."""
    async with city.database.write() as tx:
        await tx.execute(STALE)


async def versions(city: City) -> set[str]:
    """Return the scorecards that scores were worked out with."""
    async with city.database.read() as tx:
        ids = await service.list_scored(tx, after=None, limit=1_000)
        found = [await service.get(tx, subject_id=each) for each in ids]
    return {each.scorecard_version for each in found}


async def revisions(city: City, serial: int) -> list[int]:
    """Return the revisions in somebody's history, the newest first."""
    async with city.database.read() as tx:
        found = await history.list_revisions(tx, city.subject(serial), before=None, limit=100)
    return [each.revision for each in found]


async def recompute_all(city: City, *, part_subjects: int = 1, connections: int = 1):
    """Work every score out anew, a few subjects a part; return the total and the progress told."""
    told: list[Progress] = []
    total = await jobs.recompute_all(
        city.database,
        clock=city.clock,
        connections=connections,
        part_subjects=part_subjects,
        on_progress=told.append,
    )
    return total, told


async def test_a_score_and_its_history_begin_with_the_first_revision(city: City):
    await city.join(1)
    score = await city.score(1)
    assert score is not None
    assert (score.revision, await revisions(city, 1)) == (1, [1])


async def test_each_change_is_a_revision_and_what_is_equal_is_none(city: City):
    await city.join(1)
    await city.borrow(1)
    await city.work()
    assert await revisions(city, 1) == [2, 1]
    total, _ = await recompute_all(city)
    assert (total.seen, total.changed) == (1, 0)
    assert await revisions(city, 1) == [2, 1]


async def test_the_newest_revision_in_the_history_is_the_score(city: City):
    await city.join(1)
    await city.borrow(1)
    await city.work()
    score = await city.score(1)
    async with city.database.read() as tx:
        (newest, _) = await history.list_revisions(tx, city.subject(1), before=None, limit=9)
    assert score is not None
    assert newest == service.ScoreRevision(
        **{name: getattr(score, name) for name in service.ScoreRevision.__struct_fields__}
    )


async def test_leaving_takes_the_history_too(city: City):
    await city.borrow(1)
    await city.join(1)
    await city.leave(1)
    assert await revisions(city, 1) == []


async def test_a_pass_moves_what_time_has_moved_part_by_part(city: City):
    await city.borrow(1, late=True, day="2026-09-01")
    await city.join(1, 2, 3)
    city.clock.advance(timedelta(days=20))  # 2026-12-10: the item ended on 2026-12-01
    total, told = await recompute_all(city, part_subjects=2)
    assert (total.seen, total.changed) == (3, 1)
    assert [(each.parts_done, each.parts_total) for each in told] == [(1, 2), (2, 2)]
    assert (await city.facts(1))["indicator.library_overdue"] == 0


async def test_a_pass_over_nobody_is_done_at_once(city: City):
    total, told = await recompute_all(city)
    assert (total.seen, total.changed) == (0, 0)
    assert [each.parts_total for each in told] == [1]


async def test_two_connections_share_the_parts(city: City):
    await city.join(*range(1, 8))
    await spoil(city)
    total, told = await recompute_all(city, connections=3)
    assert (total.seen, total.changed, len(told)) == (7, 7, 7)


async def test_a_pass_that_stopped_goes_on_where_it_stood(city: City):
    await city.join(1, 2, 3)
    await spoil(city)
    async with city.database.write() as tx:
        begun = await service.begin_run(tx, now=city.clock.now(), part_subjects=1)
    async with city.database.write() as tx:
        assert await service.recompute_part(tx, run=begun, now=city.clock.now())
    with pytest.raises(asyncio.CancelledError):
        async with city.database.write() as tx:
            assert await service.recompute_part(tx, run=begun, now=city.clock.now())
            raise asyncio.CancelledError
    city.clock.advance(timedelta(days=1))
    total, told = await recompute_all(city)
    assert [each.parts_done for each in told] == [2, 3], "what was done is not done again"
    assert (total.seen, total.changed) == (3, 3)


async def test_who_begins_a_pass_while_one_is_under_way_joins_it(city: City):
    await city.join(1, 2, 3, 4)
    await spoil(city)
    first, second = await asyncio.gather(recompute_all(city), recompute_all(city))
    assert first[0] == second[0]
    assert first[0].changed == 4
    async with city.database.read() as tx:
        assert await tx.fetch_value(int, "SELECT count(*) FROM score_run") == 1
        assert await service.find_run(tx) is None


async def test_a_pass_with_a_scorecard_that_was_replaced_ends_where_it_is(city: City):
    await city.join(1, 2)
    async with city.database.write() as tx:
        old = await service.begin_run(tx, now=city.clock.now(), part_subjects=1)
        await tx.execute("UPDATE score_run SET scorecard_version = 'old'")
        await tx.execute(STALE)
    async with city.database.write() as tx:
        replaced = service_run(old, "old")
        assert not await service.recompute_part(tx, run=replaced, now=city.clock.now())
    await recompute_all(city)
    assert await versions(city) == {"2026-2"}
    async with city.database.read() as tx:
        assert await tx.fetch_value(int, "SELECT count(*) FROM score_run") == 2
        assert await service.find_run(tx) is None


def service_run(run, version: str):
    """Return a run as of another scorecard."""
    return type(run)(run.run_id, version, run.started_at, run.finished_at)


async def test_the_worker_goes_on_with_a_pass_that_was_left_behind(city: City):
    await city.join(1, 2, 3)
    await spoil(city)
    async with city.database.write() as tx:
        await service.begin_run(tx, now=city.clock.now(), part_subjects=1)
    assert await jobs.resume_recompute(city.database, clock=city.clock) == 3
    assert await jobs.resume_recompute(city.database, clock=city.clock) == 0
    assert await versions(city) == {"2026-2"}


async def test_the_worker_follows_a_scorecard_part_by_part(city: City):
    await city.join(1, 2, 3)
    await spoil(city)
    async with city.database.write() as tx:
        await service.begin_run(tx, now=city.clock.now(), part_subjects=1)
        await service.emit_in_force(tx, now=city.clock.now())
    for _ in range(5):
        async with city.database.write() as tx:
            for each in await event.claim(tx, now=city.clock.now()):
                if each.topic == "scorecard.in_force":
                    await jobs.follow_scorecard(tx, event=each, now=city.clock.now())
                await event.finish(tx, event_ids=[each.event_id], now=city.clock.now())
    assert await versions(city) == {"2026-2"}
    async with city.database.read() as tx:
        assert await service.find_run(tx) is None


async def test_a_killed_pass_is_finished_by_the_next(city: City, database_url: str):
    """kill -9 while a part waits for a row that somebody else holds."""
    await city.join(1, 2, 3)
    await spoil(city)
    last = max(city.subject(serial) for serial in (1, 2, 3))
    holder = await asyncpg.connect(database_url)
    held = holder.transaction()
    await held.start()
    await holder.execute("SELECT FROM score WHERE subject_id = $1 FOR UPDATE", last)
    async with city.database.write() as tx:
        await service.begin_run(tx, now=city.clock.now(), part_subjects=1)
    environ = {
        **os.environ,
        "CREDIT_DATABASE_URL": database_url,
        "CREDIT_KEK": encoded_key(KEK),
        "CREDIT_DIGEST_KEY": encoded_key(DIGEST_KEY),
    }
    words = [sys.executable, "-m", "backend", "score", "recompute", "--all", "--connections", "1"]
    process = subprocess.Popen(words, env=environ, stdout=subprocess.DEVNULL)
    try:
        async with asyncio.timeout(30):
            while await _parts_done(city) < 2:
                await asyncio.sleep(0.05)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    await held.rollback()
    await holder.close()
    assert len(await versions(city)) == 2, "two parts are done and one is not"
    total, told = await recompute_all(city)
    assert [each.parts_done for each in told] == [3]
    assert (total.seen, total.changed) == (3, 3)


async def _parts_done(city: City) -> int:
    async with city.database.read() as tx:
        return await tx.fetch_value(int, "SELECT count(done_at) FROM score_run_part")


async def test_nobody_waits_for_a_part_to_read_a_score(city: City):
    await city.join(1)
    await spoil(city)
    async with city.database.write() as tx:
        run = await service.begin_run(tx, now=city.clock.now())
    async with city.database.write() as tx:
        assert await service.recompute_part(tx, run=run, now=city.clock.now())
        async with asyncio.timeout(2), city.database.read() as reading:
            found = await service.get(reading, subject_id=city.subject(1))
    assert found.scorecard_version == "old", "until the part is committed"


async def test_a_record_that_races_with_a_part_is_in_the_score_afterwards(city: City):
    """The part has the older picture and writes first: the event waits, and looks again."""
    await city.join(1)
    await spoil(city)
    async with city.database.write() as tx:
        run = await service.begin_run(tx, now=city.clock.now())
    async with city.database.write() as tx:
        assert await service.recompute_part(tx, run=run, now=city.clock.now())
        await city.borrow(1)
        worker = asyncio.create_task(city.work())
        await asyncio.sleep(0.2)
        assert not worker.done(), "the event waits for the row"
    await worker
    assert (await city.facts(1))["indicator.library_returns"] == 5
    assert await revisions(city, 1) == [3, 2, 1]


async def test_an_older_picture_never_overwrites_a_newer_one(city: City, database_url: str):
    """The part sees a score and waits for it; what it then finds is newer, and is left alone."""
    await city.join(1)
    await spoil(city)
    await city.borrow(1)
    scorecard = service.packaged_scorecard()
    older: list[bulk.Recomputed] = []

    async def part() -> None:
        async with city.database.write() as tx:
            older.append(
                await bulk.recompute_between(
                    tx,
                    scorecard,
                    first=FIRST_SUBJECT,
                    end=END_SUBJECT,
                    as_of=city_date(city.clock.now()),
                    now=city.clock.now(),
                )
            )

    async with city.database.write() as tx:
        await service.recompute(tx, subject_ids=[city.subject(1)], now=city.clock.now())
        waiting = asyncio.create_task(part())
        await asyncio.sleep(0.2)
        assert not waiting.done()
    await waiting
    assert older[0].changed == 0
    assert older[0].missed == [city.subject(1)], "the caller has to look at it again"
    assert await revisions(city, 1) == [2, 1]
    assert (await city.facts(1))["indicator.library_returns"] == 5


async def test_parts_and_events_over_the_same_subjects_never_wait_in_a_circle(city: City):
    await city.join(*range(1, 30))
    subject_ids = [city.subject(serial) for serial in range(1, 30)]

    async def event_after(ids: list[UUID]) -> None:
        for _ in range(10):
            async with city.database.write() as tx:
                await tx.execute(
                    """WITH held AS (
                         SELECT record_id FROM record WHERE subject_id = ANY($1)
                         ORDER BY record_id FOR UPDATE)
                       UPDATE record SET disputed_at =
                         CASE WHEN disputed_at IS NULL THEN reported_at END
                       WHERE record_id IN (SELECT record_id FROM held)""",
                    ids,
                )
                await service.recompute(tx, subject_ids=ids, now=city.clock.now())

    async def passes() -> None:
        for _ in range(10):
            async with city.database.write() as tx:
                await service.begin_run(tx, now=city.clock.now())
            await jobs.resume_recompute(city.database, clock=city.clock)

    for serial in range(1, 30):
        await city.borrow(serial)
    await asyncio.gather(
        event_after(subject_ids[::2]), event_after(subject_ids[::-3]), passes(), passes()
    )
    verified = await jobs.verify(city.database, clock=city.clock, settle_seconds=0)
    assert (verified.seen, verified.differing) == (29, [])


async def test_who_leaves_while_a_part_runs_stays_gone(city: City):
    await city.join(1, 2)
    await spoil(city)
    async with city.database.write() as tx:
        run = await service.begin_run(tx, now=city.clock.now())
    async with city.database.write() as tx:
        assert await service.recompute_part(tx, run=run, now=city.clock.now())
        leaver = asyncio.create_task(city.leave(1))
        await asyncio.sleep(0.2)
        assert not leaver.done(), "leaving waits for the part"
    await leaver
    assert await city.score(1) is None
    assert await revisions(city, 1) == [], "the revision that the part wrote went too"


async def test_a_part_that_waits_for_who_leaves_makes_no_score(city: City):
    await city.join(1, 2)
    await spoil(city)
    async with city.database.write() as tx:
        await service.begin_run(tx, now=city.clock.now())
    async with city.database.write() as tx:
        await service.erase(tx, subject_id=city.subject(1))
        part = asyncio.create_task(jobs.resume_recompute(city.database, clock=city.clock))
        await asyncio.sleep(0.2)
        assert not part.done(), "the part waits"
    await part
    assert await city.score(1) is None
    assert await revisions(city, 1) == []
    assert await versions(city) == {"2026-2"}


async def test_a_pass_begins_when_who_joins_with_the_old_scorecard_is_in(city: City):
    begun = asyncio.Event()

    async def begin() -> None:
        async with city.database.write() as tx:
            await service.begin_run(tx, now=city.clock.now())
            begun.set()

    async with city.database.write() as tx:
        await run_store.hold_scorecard(tx)
        waiting = asyncio.create_task(begin())
        await asyncio.sleep(0.2)
        assert not begun.is_set(), "a pass now would not see who is joining"
    await waiting


async def test_an_item_that_ends_leaves_the_score_without_anybody_asking(city: City, monkeypatch):
    """产品原则 7: nothing comes in on the day an item ends, so the worker looks for itself."""
    monkeypatch.setattr(jobs, "BATCH", 1)
    await city.borrow(1, late=True, day="2026-09-01")
    await city.join(1, 2, 3)
    score = await city.score(1)
    assert score is not None
    assert str(score.due_on) == "2026-12-01", "the day is known before"
    city.clock.advance(timedelta(days=10))
    assert (await jobs.recompute_due(city.database, clock=city.clock)).seen == 0
    city.clock.advance(timedelta(days=2))
    done = await jobs.recompute_due(city.database, clock=city.clock)
    assert (done.seen, done.changed) == (1, 1), "exactly the one that changes"
    after = await city.score(1)
    assert after is not None
    assert (await city.facts(1))["indicator.library_overdue"] == 0
    assert after.as_of == city_date(city.clock.now())
    assert (await jobs.recompute_due(city.database, clock=city.clock)).seen == 0, "once"


async def test_work_on_due_scores_is_bounded_and_goes_on_the_next_time(city: City, monkeypatch):
    monkeypatch.setattr(jobs, "BATCH", 1)
    monkeypatch.setattr(jobs, "DUE_BATCHES", 2)
    for serial in (1, 2, 3):
        await city.borrow(serial, late=True, day="2026-09-01")
    await city.join(1, 2, 3)
    city.clock.advance(timedelta(days=20))
    seen = [(await jobs.recompute_due(city.database, clock=city.clock)).seen for _ in range(3)]
    assert seen == [2, 1, 0]


async def test_a_score_that_no_event_told_of_a_change_is_found(city: City):
    await city.join(1, 2, 3)
    await city.borrow(2)  # and the event gets lost
    total = await jobs.recompute_all_changed(city.database, clock=city.clock)
    assert (total.seen, total.changed) == (3, 1)
    assert (await city.facts(2))["indicator.library_returns"] == 5
    total = await jobs.recompute_all_changed(city.database, clock=city.clock)
    assert total.changed == 0


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("points", "points + 1"),
        ("law_points", "law_points - 1"),
        ("indicator_values", "indicator_values || 1"),
        ("input_digest", "sha256('')"),
        ("scorecard_version", "'nobody-s'"),
        ("due_on", "due_on + 1"),
    ],
)
async def test_a_score_that_was_tampered_with_is_found_and_put_right(
    city: City, column: str, value: str
):
    for serial in (1, 2, 3):
        await city.borrow(serial)
    await city.join(1, 2, 3)
    await city.work()

    async def differing(sample: int | None = None) -> list[UUID]:
        verified = await jobs.verify(
            city.database, clock=city.clock, sample=sample, settle_seconds=0
        )
        assert verified.seen == 3
        return verified.differing

    right = await city.score(2)
    assert right is not None
    assert await differing() == []
    async with city.database.write() as tx:
        await tx.execute(
            f"UPDATE score SET {column} = {value} WHERE subject_id = $1", city.subject(2)
        )
    assert await differing() == await differing(10) == [city.subject(2)]
    await recompute_all(city)
    assert await differing() == []
    again = await city.score(2)
    assert again is not None
    assert (again.points, again.dimensions) == (right.points, right.dimensions)


async def test_a_score_whose_event_is_on_its_way_is_no_difference(city: City):
    await city.join(1)
    await city.borrow(1)

    async def late() -> None:
        await asyncio.sleep(0.1)
        await city.work()

    verified, _ = await asyncio.gather(
        jobs.verify(city.database, clock=city.clock, settle_seconds=0.5), late()
    )
    assert verified.differing == []


async def test_history_goes_after_two_years_but_for_the_newest_revision(city: City):
    await city.join(1, 2)
    await city.borrow(1)
    await city.work()
    city.clock.advance(timedelta(days=720))

    async def purge() -> int:
        async with city.database.write() as tx:
            return await service.purge_history(tx, now=city.clock.now())

    assert await purge() == 0
    city.clock.advance(timedelta(days=20))
    assert await purge() == 1
    assert (await revisions(city, 1), await revisions(city, 2)) == ([2], [1])
    assert await purge() == 0


async def test_the_commands_say_what_they_did(city: City, database_url: str):
    await city.borrow(1)
    await city.join(1, 2)
    environ = {
        **os.environ,
        "CREDIT_DATABASE_URL": database_url,
        "CREDIT_KEK": encoded_key(KEK),
        "CREDIT_DIGEST_KEY": encoded_key(DIGEST_KEY),
    }

    def command(*words: str) -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, "-m", "backend", "score", *words],
            env=environ,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout.strip()

    code, said = await asyncio.to_thread(command, "recompute", "--all")
    assert code == 0
    assert said.endswith("of 2 scores changed.")
    assert await asyncio.to_thread(command, "verify", "--json") == (
        0,
        '{"seen": 2, "differing": 0}',
    )
    async with city.database.write() as tx:
        await tx.execute("UPDATE score SET points = points + 1")
    said_verified = await asyncio.to_thread(command, "verify", "--sample", "9", "--json")
    assert said_verified == (1, '{"seen": 2, "differing": 2}')
    for which in ("--due", "--changed"):
        code, said = await asyncio.to_thread(command, "recompute", which)
        assert (code, said.split()[0]) == (0, "0"), said
    code, said = await asyncio.to_thread(command, "recompute")
    assert code == 2
