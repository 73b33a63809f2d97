"""Goal: a file that comes slowly, without an end, cut off, or to two workers at once holds nobody
up, fills no memory, and goes in once or not at all.

Method: the real application behind the server that `creditplus serve` runs, on its event loop;
senders are generators and sockets that stall, never end a line, or go away.
"""

import asyncio
import contextlib
import tracemalloc
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import pytest
import uvloop

from backend.app import House
from backend.kit.clock import FixedClock
from backend.kit.problem import Refusal
from backend.kit.wire import BoundedHttp
from backend.record import service
from backend.record.api import submissions
from backend.record.rules import upload as rules
from backend.record.rules.upload import PART_BYTES
from backend.record.store.version import lock_source
from backend.worker import sweep
from tests.support.served import served
from tests.support.source import (
    HEADER,
    SUBMISSIONS,
    SourceSoftware,
    file_of,
    lines_of,
)
from tests.support.world import World, problem_of

MEMORY_MAX = 12 * PART_BYTES
LONG_LINE_BYTES = 40 * PART_BYTES
PIECE = b"x" * 65_536


@pytest.fixture(scope="module")
def event_loop_policy() -> asyncio.AbstractEventLoopPolicy:
    return uvloop.EventLoopPolicy()


@pytest.fixture
async def world(house: House) -> AsyncIterator[World]:
    world = World(house)
    yield world
    await world.close()


class Wire:
    """A department's software in front of a real server."""

    def __init__(self, world: World, port: int, http: httpx.AsyncClient) -> None:
        self.world, self.port, self.http = world, port, http
        self.software: SourceSoftware

    async def sign_in(self) -> None:
        self.software = (await SourceSoftware.register(self.world)).over(self.http)

    def head(self, *, length: int, batch_id: str = "b-1") -> bytes:
        """Return the head of a request that hands a file in."""
        signed = self.software.signed("POST", SUBMISSIONS)
        lines = [
            f"POST {SUBMISSIONS}?class=library_return&batch_id={batch_id} HTTP/1.1",
            "host: a",
            "content-type: text/csv",
            f"content-length: {length}",
            *(f"{name}: {value}" for name, value in signed.items()),
        ]
        return "\r\n".join([*lines, "", ""]).encode()

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.port)


@pytest.fixture
async def wire(world: World) -> AsyncIterator[Wire]:
    async with (
        served(world) as port,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30) as http,
    ):
        wire = Wire(world, port, http)
        await wire.sign_in()
        yield wire


async def until(condition: Any, *, seconds: float = 10) -> None:
    async with asyncio.timeout(seconds):
        while not await condition():
            await asyncio.sleep(0.02)


async def nothing_lies(world: World) -> bool:
    return await world.count("upload") == 0 == await world.count("upload_part")


async def idle_transactions(world: World) -> int:
    """Ask as the database's owner: to the application others' connections have no state."""
    assert world.house.settings.database_url is not None
    owner = await asyncpg.connect(world.house.settings.database_url)
    try:
        found = await owner.fetchval(
            """SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
               AND state LIKE 'idle in transaction%' AND pid <> pg_backend_pid()"""
        )
    finally:
        await owner.close()
    assert isinstance(found, int)
    return found


async def test_a_line_without_an_end_fills_no_memory(wire: Wire) -> None:
    """Neither while it arrives nor while it is taken in; the lines around it are good ones."""

    async def content() -> AsyncIterator[bytes]:
        yield f"{HEADER}\n{lines_of(0, 3)}".encode()
        for _ in range(LONG_LINE_BYTES // len(PIECE)):
            yield PIECE
        yield f"\n{lines_of(3, 2)}".encode()

    tracemalloc.start()
    try:
        answer = await wire.software.send(content())
        assert answer.status_code == 202, answer.text
        await wire.world.work()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < MEMORY_MAX, f"{peak / PART_BYTES:.1f} MiB"
    submission_id = answer.json()["submission_id"]
    taken = await wire.software.look(submission_id)
    assert (taken["status"], taken["lines"]) == ("complete", 6)
    assert (taken["accepted"], taken["rejected"]) == (5, 1)
    (row,) = await wire.software.errors(submission_id)
    assert (row["line"], row["code"]) == ("5", "line_too_long")
    assert len(row["content"]) <= 8_192
    assert await nothing_lies(wire.world)


async def test_a_file_is_cut_off_at_its_limit(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Announced or not; nothing of it stays, and the next one is taken."""
    monkeypatch.setattr(submissions.create_submission, "request_max_body_size", 3 * PART_BYTES)
    world = World(house)

    async def endless() -> AsyncIterator[bytes]:
        yield f"{HEADER}\n".encode()
        for _ in range(10_000):
            yield PIECE

    async with (
        served(world) as port,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30) as http,
    ):
        software = (await SourceSoftware.register(world)).over(http)
        sending = Wire(world, port, http)
        sending.software = software
        reader, writer = await sending.connect()
        writer.write(sending.head(length=4 * PART_BYTES))
        assert b" 413 " in await reader.readuntil(b"\r\n")
        writer.close()
        # The server may have stopped listening before the sender stops talking.
        with contextlib.suppress(httpx.WriteError):
            problem_of(await software.send(endless()), 413, "body_too_large")
        await until(lambda: nothing_lies(world))
        assert await world.count("submission") == 0
        assert (await software.send(file_of(3))).status_code == 202
    await world.close()


async def test_a_file_of_too_many_lines_is_refused(
    wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A million is taken, one more is not; the first line of a CSV file is none of them."""
    monkeypatch.setattr(rules, "UPLOAD_LINES_MAX", 100)
    problem = problem_of(await wire.software.send(file_of(101)), 422, "submission_too_long")
    assert problem["lines_max"] == 100
    problem_of(await wire.software.send(file_of(101).rstrip()), 422, "submission_too_long")
    assert await nothing_lies(wire.world)
    assert (await wire.software.send(file_of(100))).status_code == 202


async def test_a_slow_sender_holds_no_transaction(
    wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has more time than strangers have; between two parts the database knows nothing of it."""
    monkeypatch.setattr(BoundedHttp, "arrival_seconds", 0.3)
    content = file_of(40_000)
    reader, writer = await wire.connect()
    writer.write(wire.head(length=len(content)) + content[: PART_BYTES + 10])

    async def one_part() -> bool:
        return await wire.world.count("upload_part") == 1

    await until(one_part)
    await asyncio.sleep(0.5)
    assert await idle_transactions(wire.world) == 0
    writer.write(content[PART_BYTES + 10 :])
    assert b" 202 " in await reader.readuntil(b"\r\n")
    writer.close()
    await wire.world.work()
    assert await wire.world.count("record") == 40_000


@pytest.mark.parametrize("table", ["partner", "client"])
async def test_a_file_of_who_is_suspended_while_it_arrives_is_not_taken(
    wire: Wire, table: str
) -> None:
    """An upload may take most of an hour: who may send is asked again when it is whole."""
    content = file_of(30_000)

    async def slowly() -> AsyncIterator[bytes]:
        yield content[:PART_BYTES]

        async def one_part() -> bool:
            return await wire.world.count("upload_part") == 1

        yield content[PART_BYTES : PART_BYTES + 10]
        await until(one_part)
        async with wire.world.database.write() as tx:
            await tx.execute(f"UPDATE {table} SET suspended_at = now()")
        yield content[PART_BYTES + 10 :]

    answer = await wire.software.send(slowly())
    problem_of(answer, 401, "token_invalid")
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]
    assert await wire.world.count("submission") == 0
    assert await nothing_lies(wire.world)


async def test_a_stranger_has_no_more_time_than_before(
    wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Refused at once; who goes on sending all the same is left after as long as anybody."""
    monkeypatch.setattr(BoundedHttp, "arrival_seconds", 0.3)
    head = wire.head(length=PART_BYTES).replace(
        b"authorization: DPoP cp_ct_", b"authorization: DPoP cp_ct-"
    )
    reader, writer = await wire.connect()
    writer.write(head)
    assert b" 401 " in await reader.readuntil(b"\r\n")
    async with asyncio.timeout(5):
        await reader.read()
    writer.close()


async def test_a_sender_that_stalls_is_told(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    """What lay there of its file goes at once, and so does the time it was given."""
    monkeypatch.setattr(submissions, "PIECE_SECONDS", 0.3)
    monkeypatch.setattr(BoundedHttp, "arrival_seconds", 0.3)
    reader, writer = await wire.connect()
    writer.write(wire.head(length=10_000) + file_of(10))
    answer = await reader.readuntil(b"\r\n")
    assert b" 400 " in answer
    async with asyncio.timeout(5):
        assert b"body_incomplete" in await reader.read()
    writer.close()
    assert await nothing_lies(wire.world)
    assert await wire.world.count("submission") == 0


async def test_a_cut_connection_leaves_nothing(wire: Wire) -> None:
    """No submission, no event, no parts; the same file sent again is a file like any other."""
    content = file_of(60_000)
    _, writer = await wire.connect()
    writer.write(wire.head(length=len(content)) + content[: 2 * PART_BYTES + 10])

    async def two_parts() -> bool:
        return await wire.world.count("upload_part") == 2

    await until(two_parts)
    writer.transport.abort()
    await until(lambda: nothing_lies(wire.world))
    assert await wire.world.count("submission") == 0
    assert await wire.world.count("outbox", "topic = 'submission.uploaded'") == 0
    assert (await wire.software.send(content)).status_code == 202
    await wire.world.work()
    assert await wire.world.count("record") == 60_000


async def test_what_a_killed_process_leaves_is_swept_after_an_hour(
    wire: Wire, clock: FixedClock
) -> None:
    """And what waits for the worker stays, however long that is away."""
    world = wire.world
    sending = rules.Sending(
        "city_library", "library_return", "b-0", rules.Layout("csv", "utf-8", {})
    )
    async with world.database.write() as tx:
        upload_id = await service.begin_upload(tx, sending=sending, now=clock.now())
        part = service.seal_part(world.vault, upload_id, begin=0, content=b"half a file")
        await service.keep_part(tx, upload_id=upload_id, part=part, size=11)
    submission_id = (await wire.software.send(file_of(100))).json()["submission_id"]
    clock.advance(timedelta(minutes=59))
    await sweep(world.house)
    assert await world.count("upload") == 2
    clock.advance(timedelta(minutes=2))
    await sweep(world.house)
    assert await world.count("upload") == 1
    async with world.database.write() as tx:
        with pytest.raises(Refusal, match="body_incomplete"):
            await service.keep_part(tx, upload_id=upload_id, part=part, size=11)
    await world.work()
    await wire.software.sign_in()
    assert (await wire.software.look(submission_id))["accepted"] == 100
    assert await nothing_lies(world)


async def test_two_workers_at_once_take_every_line_once(wire: Wire) -> None:
    """The queue may hand one event over twice, and two events of one file at once."""
    submission_id = (await wire.software.send(file_of(30_000))).json()["submission_id"]
    world = wire.world

    async def work() -> None:
        while (await wire.software.look(submission_id))["status"] != "complete":
            async with world.database.write() as tx:
                await service.take_upload(
                    tx, submission_id=UUID(submission_id), vault=world.vault, now=world.clock.now()
                )

    await asyncio.gather(work(), work(), work())
    await world.work()
    taken = await wire.software.look(submission_id)
    assert (taken["lines"], taken["accepted"]) == (30_000, 30_000)
    assert await world.count("record") == 30_000
    assert await nothing_lies(world)


async def test_files_of_one_source_wait_their_turn_without_holding_the_worker(wire: Wire) -> None:
    """However many a department hands in at once, one of the worker's jobs is at them, and the
    others are for everybody else's events."""
    await wire.software.send(file_of(100))
    world = wire.world
    async with world.database.write() as busy:
        await lock_source(busy, wire.software.source_code)  # as another file's turn does
        async with asyncio.timeout(3):
            await world.work()
        assert await world.count("record") == 0
    assert await world.work() == 0, "it is looked at again, but not at once"
    assert isinstance(world.clock, FixedClock)
    world.clock.advance(timedelta(seconds=rules.TURN_WAIT_SECONDS + 1))
    await world.work()
    assert await world.count("record") == 100
    assert await nothing_lies(world)


async def test_a_turn_that_is_cancelled_changes_nothing(wire: Wire) -> None:
    """A worker that is told to stop in the middle: the next one goes on from where it stood."""
    submission_id = (await wire.software.send(file_of(30_000))).json()["submission_id"]
    world = wire.world

    async def turn() -> None:
        async with world.database.write() as tx:
            await service.take_upload(
                tx, submission_id=UUID(submission_id), vault=world.vault, now=world.clock.now()
            )

    for wait in (0.0, 0.01, 0.05, 0.1, 0.2):
        turning = asyncio.create_task(turn())
        await asyncio.sleep(wait)
        turning.cancel()
        await asyncio.wait([turning])
        assert await idle_transactions(world) == 0
    await world.work()
    assert (await wire.software.look(submission_id))["accepted"] == 30_000
    assert await world.count("record") == 30_000
