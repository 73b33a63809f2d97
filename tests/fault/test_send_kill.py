"""Goal: PostgreSQL killed in the middle of a file leaves all or nothing of a chunk.

Method: a durable server of its own is killed with SIGKILL several times while a file goes in and
started again; the file is sent again each time, until it is in. Then its lines are counted.
"""

import asyncio
import os
import signal
import tempfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest

from backend.kit.clock import SystemClock, city_date
from backend.kit.crypto import Vault
from backend.kit.embedded import EmbeddedServer, start_postgres
from backend.kit.migrate import migrate
from backend.kit.postgres import Database
from backend.kit.problem import Unavailable
from backend.record import jobs, service
from tests.support.citizen import national_id

KILLS = 4
LINES = 4_000
PEOPLE = 50
CHUNK = 100


@pytest.fixture
def home() -> Iterator[Path]:
    """A directory for the server's data."""
    with tempfile.TemporaryDirectory(prefix="cp-", dir="/tmp") as name:
        directory = Path(name)
        directory.chmod(0o755)  # PostgreSQL runs as another user when this runs as root
        yield directory


def the_file() -> BytesIO:
    """Return reports, then a correction of each, with a bad line behind every hundredth."""
    today = city_date(SystemClock().now())
    rows = ["national_id,external_id,version,occurred_on"]
    for number in range(LINES):
        version = 1 + number // (LINES // 2)
        external_id = f"k-{number % (LINES // 2)}"
        rows.append(f"{national_id(1 + number % PEOPLE)},{external_id},{version},{today}")
        if number % 100 == 99:
            rows.append("bad")
    return BytesIO("\n".join([*rows, ""]).encode())


async def send(url: str, vault: Vault, server: EmbeddedServer | None) -> bool:
    """Send the file; kill the server, if there is one to kill, after some chunks."""
    taken = 0

    def kill_in_the_middle(_: int) -> None:
        nonlocal taken
        taken += 1
        if server is not None and taken == 6:
            # The next chunk is under way when the signal arrives, a moment later.
            asyncio.get_running_loop().call_later(0.003, os.kill, server.pid, signal.SIGKILL)

    try:
        database = await Database.open(url, size=2)
        try:
            await jobs.send_submission(
                database,
                the_file(),
                source_code="city_library",
                class_code="library_return",
                batch_id="killed",
                vault=vault,
                clock=SystemClock(),
                on_progress=kill_in_the_middle,
            )
        finally:
            await database.close()
    except Unavailable:
        return False
    return True


async def count(url: str, vault: Vault) -> tuple[int, int, int]:
    """Return how many lines were taken, versions are on file, and records stand."""
    database = await Database.open(url, size=1)
    try:
        versions = standing = 0
        subjects = {vault.subject_id(national_id(1 + each)) for each in range(PEOPLE)}
        async with database.read() as tx:
            found = await service.list_submissions(
                tx, source_code="city_library", cursor=None, page_size=2
            )
            for subject_id in subjects:
                own = await service.list_versions(tx, subject_id=subject_id)
                versions += len(own)
                standing += sum(each.superseded_at is None for each in own)
        (submission,) = found.items
        assert submission.accepted == versions, "a chunk is there whole, with its count, or not"
        assert submission.accepted + submission.rejected == submission.lines_done
        return submission.lines_done, versions, standing
    finally:
        await database.close()


def test_a_killed_server_keeps_whole_chunks_and_the_file_is_finished_by_sending_it_again(
    home: Path, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "CHUNK_LINES", CHUNK)
    server = start_postgres(home / "pg")
    try:
        asyncio.run(prepare(server.url))
        before = 0
        for _ in range(KILLS):
            assert not asyncio.run(send(server.url, vault, server)), "it was killed before it ended"
            server.stop()
            server = start_postgres(home / "pg")
            lines, _, _ = asyncio.run(count(server.url, vault))
            assert lines % CHUNK == 0
            assert lines > before, "it goes on where it stood"
            before = lines
        assert asyncio.run(send(server.url, vault, None))
        assert asyncio.run(count(server.url, vault)) == (LINES + LINES // 100, LINES, LINES // 2)
    finally:
        server.stop()


async def prepare(url: str) -> None:
    """Make the schema and put the packaged catalogue in force."""
    await migrate(url)
    database = await Database.open(url, size=1)
    try:
        async with database.write() as tx:
            await service.publish_packaged_catalogue(tx, now=SystemClock().now())
    finally:
        await database.close()
