"""Goal: kill -9 of the API or the worker in the middle of a file: it goes in whole, each line once.

Method: the four processes; a department that sends its file again whenever anything goes wrong, as
docs/source-api.md tells it to. The API is killed while parts arrive, worker and PostgreSQL while
lines are taken in; afterwards the books must hold every line once, and nothing must be left lying.
"""

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import httpx
import pytest

from backend.cli.partner import add_source_client
from backend.kit.clock import SystemClock
from backend.kit.postgres import Database
from tests.fault.fleet import Fleet
from tests.support.in_process import LoopThread
from tests.support.oauth_client import OauthClient, jwks_of
from tests.support.source import SourceSoftware, file_of

pytestmark = pytest.mark.xdist_group("fault")

LINES = 120_000
CONTENT = file_of(LINES, prefix="kill")
PIECE_BYTES = 131_072
WAIT_SECONDS = 60


@pytest.fixture(scope="module")
def fleet() -> Iterator[Fleet]:
    with tempfile.TemporaryDirectory(prefix="cp-", dir="/tmp") as name:
        Path(name).chmod(0o755)  # PostgreSQL runs as another user when the tests run as root
        fleet = Fleet(Path(name) / "fleet")
        try:
            fleet.revive()
            yield fleet
        finally:
            fleet.stop()


class Department:
    """Sends one file until the service says that it is complete."""

    def __init__(self, fleet: Fleet) -> None:
        self._origin = fleet.origin
        self.attempts = 0
        self.submission_ids: set[str] = set()

    async def register(self, database_url: str) -> None:
        """Become known, straight in the database, as the command line does it."""
        self._http = httpx.AsyncClient(base_url=self._origin, trust_env=False, timeout=20)
        client = OauthClient(
            self._http, SystemClock(), client_id="source-city-library", issuer=self._origin
        )
        self._software = SourceSoftware(client, "city_library")
        database = await Database.open(database_url, size=1)
        async with database.write() as tx:
            await add_source_client(
                tx,
                source_code="city_library",
                client_id=client.client_id,
                jwks=jwks_of(client.key),
                now=SystemClock().now(),
            )
        await database.close()

    async def play(self) -> dict[str, int]:
        """Return what came of the file, as the service says it."""
        while True:
            try:
                await self._software.sign_in()
                self.attempts += 1
                sent = await self._software.send(self._slowly(), batch_id="killed")
                if sent.status_code in (200, 202):
                    self.submission_ids.add(sent.json()["submission_id"])
                    return await self._until_complete(sent.json()["submission_id"])
            except (httpx.HTTPError, AssertionError):
                pass  # the service is away, or answers that it is
            await asyncio.sleep(0.2)

    async def _until_complete(self, submission_id: str) -> dict[str, int]:
        while True:
            found = await self._software.look(submission_id)
            if found["status"] == "complete":
                return found
            await asyncio.sleep(0.1)

    async def _slowly(self) -> AsyncIterator[bytes]:
        for place in range(0, len(CONTENT), PIECE_BYTES):
            yield CONTENT[place : place + PIECE_BYTES]
            await asyncio.sleep(0.02)


async def _count(url: str, query: str) -> int:
    connection = await asyncpg.connect(url)
    try:
        count: int = await connection.fetchval(query)
        return count
    finally:
        await connection.close()


def _wait_until(fleet: Fleet, query: str, least: int) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while asyncio.run(_count(fleet.database_url, query)) < least:
        assert time.monotonic() < deadline, f"{query}\n{fleet.last_words()}"
        time.sleep(0.01)
        fleet.revive()  # one that started while the database was away has given up


PARTS = "SELECT count(*) FROM upload_part"
TAKEN = "SELECT coalesce(max(lines_done), 0) FROM submission WHERE batch_id = 'killed'"


def test_a_file_survives_kills_of_all_that_handle_it(fleet: Fleet) -> None:
    department, thread = Department(fleet), LoopThread()
    thread.run(department.register(fleet.database_url))
    playing = asyncio.run_coroutine_threadsafe(department.play(), thread.loop)
    _wait_until(fleet, PARTS, 2)
    fleet.kill("api")
    fleet.revive()
    for done, victim in ((1, "worker"), (20_001, "postgres"), (60_001, "worker")):
        _wait_until(fleet, TAKEN, done)
        fleet.kill(victim)
        fleet.revive()
    deadline = time.monotonic() + WAIT_SECONDS * 3
    while not playing.done() and time.monotonic() < deadline:
        time.sleep(0.1)
        fleet.revive()
    found = playing.result(0)
    thread.close()
    assert department.attempts > 1, "the API was killed while the file arrived"
    assert len(department.submission_ids) == 1
    assert (found["lines"], found["accepted"], found["rejected"]) == (LINES, LINES, 0)
    assert found["duplicates"] == 0, "no line came to the books twice"
    records = "SELECT count(*) FROM record WHERE external_id LIKE 'kill-%'"
    assert asyncio.run(_count(fleet.database_url, records)) == LINES
    of_submissions = (
        "SELECT count(*) FROM upload JOIN submission USING (upload_id)"
        " WHERE submission.batch_id = 'killed'"
    )
    assert asyncio.run(_count(fleet.database_url, of_submissions)) == 0
    assert asyncio.run(_count(fleet.database_url, "SELECT count(*) FROM upload")) <= 1
    assert not fleet.faults()
