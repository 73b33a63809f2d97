"""Goal: the two kinds of transaction keep their promises. Method: real PostgreSQL, real faults."""

import asyncio
from datetime import timedelta
from uuid import UUID, uuid4

import asyncpg
import msgspec
import pytest

from backend.kit import idempotency
from backend.kit.clock import FixedClock
from backend.kit.postgres import Database, ReadTx, Tx
from backend.kit.problem import Refusal, Unavailable
from backend.kit.replay import ReplayGuard
from backend.kit.valkey import Valkey


class _Row(msgspec.Struct):
    owner_id: UUID
    key: str


class _Answer(msgspec.Struct):
    number: int


async def _insert(tx: Tx, owner: UUID, key: str) -> None:
    await tx.execute(
        "INSERT INTO idempotency_key VALUES ($1, $2, '', '', now() + interval '1 hour')", owner, key
    )


async def _rows(tx: ReadTx, owner: UUID) -> list[_Row]:
    return await tx.fetch_all(
        _Row, "SELECT owner_id, key FROM idempotency_key WHERE owner_id = $1 ORDER BY key", owner
    )


async def test_a_body_that_returns_commits_and_one_that_raises_rolls_back(
    database: Database,
) -> None:
    owner = uuid4()
    async with database.write() as tx:
        await _insert(tx, owner, "kept")
    with pytest.raises(ZeroDivisionError):
        async with database.write() as tx:
            await _insert(tx, owner, "lost")
            raise ZeroDivisionError
    async with database.read() as reading:
        assert [row.key for row in await _rows(reading, owner)] == ["kept"]


async def test_a_reader_cannot_write_even_when_it_tries(database: Database) -> None:
    with pytest.raises(Exception, match="read-only"):
        async with database.read() as reading:
            await _insert(Tx(reading._connection), uuid4(), "never")


async def test_a_single_statement_commits_by_itself_and_a_second_one_is_refused(
    database: Database,
) -> None:
    owner = uuid4()
    with pytest.raises(AssertionError, match="one statement"):
        async with database.single() as tx:
            await _insert(tx, owner, "kept")
            await _insert(tx, owner, "never")
    async with database.single() as tx:
        assert [row.key for row in await _rows(tx, owner)] == ["kept"]


async def test_the_application_is_not_the_owner_of_its_tables(database: Database) -> None:
    with pytest.raises(Exception, match="must be owner"):
        async with database.write() as tx:
            await tx.execute("DROP TABLE idempotency_key")


async def test_a_database_that_is_away_is_unavailable_and_comes_back(
    database: Database, database_url: str
) -> None:
    superuser = await asyncpg.connect(database_url)
    with pytest.raises(Unavailable):
        async with database.write() as victim:
            pid = await victim.fetch_value(int, "SELECT pg_backend_pid()")
            await superuser.execute("SELECT pg_terminate_backend($1)", pid)
            await victim.fetch_value(int, "SELECT 1")
    await superuser.close()
    async with database.read() as reading:
        assert await reading.fetch_value(int, "SELECT 1") == 1


async def test_once_gives_the_first_answer_again_and_runs_once(
    database: Database, clock: FixedClock
) -> None:
    owner, runs = uuid4(), 0

    async def run() -> _Answer:
        nonlocal runs
        runs += 1
        return _Answer(runs)

    async def send(body: bytes = b"a", key: str | None = "k" * 16) -> _Answer:
        async with database.write() as tx:
            return await idempotency.once(
                tx, owner_id=owner, key=key, request=body, kind=_Answer, now=clock.now(), run=run
            )

    assert await send() == await send() == _Answer(1)
    with pytest.raises(Refusal, match="idempotency_key_reused"):
        await send(b"b")
    for missing in (None, "short", "x" * 65, "contains spaces here"):
        with pytest.raises(Refusal, match="idempotency_key_missing"):
            await send(key=missing)
    clock.advance(idempotency.KEPT_FOR + timedelta(seconds=1))
    assert await send(b"b") == _Answer(2)


async def test_a_repetition_in_flight_is_told_to_wait(
    database: Database, clock: FixedClock
) -> None:
    owner, started, release = uuid4(), asyncio.Event(), asyncio.Event()

    async def slow() -> _Answer:
        started.set()
        await release.wait()
        return _Answer(1)

    async def send() -> _Answer:
        async with database.write() as tx:
            return await idempotency.once(
                tx,
                owner_id=owner,
                key="k" * 20,
                request=b"",
                kind=_Answer,
                now=clock.now(),
                run=slow,
            )

    first = asyncio.create_task(send())
    await started.wait()
    with pytest.raises(Refusal, match="idempotency_key_in_flight"):
        await send()
    release.set()
    assert await first == await send() == _Answer(1)


async def _use(guard: ReplayGuard, clock: FixedClock, key: str) -> bool:
    return await guard.first_use("test", key, ttl_seconds=60, now=clock.now())


async def test_of_equal_uses_in_a_batch_the_earliest_is_the_first(
    database: Database, valkey: Valkey, clock: FixedClock
) -> None:
    guard, keys = ReplayGuard(valkey, database), [uuid4().hex for _ in range(3)]
    firsts = await asyncio.gather(*[_use(guard, clock, key) for _ in range(20) for key in keys])
    assert firsts == [True] * 3 + [False] * 57


async def test_a_proof_is_good_once_across_processes_and_races(
    database: Database, valkey: Valkey, clock: FixedClock
) -> None:
    guards = [ReplayGuard(valkey, database) for _ in range(2)]
    racers, late = uuid4().hex, uuid4().hex
    firsts = await asyncio.gather(*[_use(guards[i % 2], clock, racers) for i in range(32)])
    # None, when each of two processes was the faster one in one of the memories.
    assert sum(firsts) <= 1
    assert await _use(guards[0], clock, late)
    assert not await _use(guards[1], clock, late)


async def test_a_replay_is_seen_when_valkey_forgot_or_is_down(
    database: Database, valkey: Valkey, clock: FixedClock
) -> None:
    key = uuid4().hex
    assert await _use(ReplayGuard(valkey, database), clock, key)
    down = Valkey.open("redis://127.0.0.1:1")
    assert not await _use(ReplayGuard(down, database), clock, key)
    assert await _use(ReplayGuard(down, database), clock, key + "x")
    # And the other way round: PostgreSQL crashed and emptied the table, Valkey still knows.
    async with database.write() as tx:
        await tx.execute("DELETE FROM replay_marker")
    assert not await _use(ReplayGuard(valkey, database), clock, key)


async def test_a_marker_may_be_used_again_after_its_life(
    database: Database, clock: FixedClock
) -> None:
    guard, key = ReplayGuard(Valkey.open("redis://127.0.0.1:1"), database), uuid4().hex
    assert await _use(guard, clock, key)
    clock.advance(timedelta(seconds=61))
    assert await _use(guard, clock, key)
    assert not await _use(guard, clock, key)
