"""Taking a file in with all its checks, against a bare COPY of the same rows to the same table."""

import io
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

import asyncpg

from backend.cli.city.people import national_id
from backend.kit.clock import SystemClock, city_date
from backend.kit.crypto import Vault
from backend.kit.embedded import start_postgres
from backend.kit.migrate import migrate
from backend.kit.postgres import Database
from backend.record.jobs import send_submission
from tests.bench.measure import PostgresProbe, machine
from tests.conftest import DIGEST_KEY, KEK, publish_data

SOURCE, CLASS = "city_library", "library_return"
LINES_A_PERSON = 12
ROWS_MAX = 1_000_000
_EMPTY = "TRUNCATE record, submission, submission_error, outbox"


@dataclass(frozen=True)
class IngestPlan:
    """How many rows a file has, and how often each way is measured."""

    rows: int
    rounds: int


@dataclass
class IngestResult:
    """Rows a second of each round: all checks, and the bare COPY."""

    machine: list[tuple[str, str]] = field(default_factory=list)
    taken: list[float] = field(default_factory=list)
    copied: list[float] = field(default_factory=list)


async def run_ingest(plan: IngestPlan, say: Callable[[str], None]) -> IngestResult:
    """Measure by turns on a server of its own, fsync on."""
    result = IngestResult()
    with tempfile.TemporaryDirectory(prefix="cp-bench-", dir="/tmp") as name:
        directory = Path(name)
        directory.chmod(0o755)  # PostgreSQL runs as another user when this runs as root
        with start_postgres(directory / "pg") as server:
            await migrate(server.url)
            await publish_data(server.url)
            result.machine = machine(await _version(server.url, directory), "not used", directory)
            database = await Database.open(server.url, size=4)
            try:
                await _rounds(plan, result, database, server.url, say)
            finally:
                await database.close()
    return result


async def _version(url: str, directory: Path) -> str:
    probe = await PostgresProbe.open(url, directory / "none")
    try:
        return await probe.version()
    finally:
        await probe.close()


async def _rounds(
    plan: IngestPlan,
    result: IngestResult,
    database: Database,
    url: str,
    say: Callable[[str], None],
) -> None:
    vault, clock = Vault(kek=KEK, digest_key=DIGEST_KEY), SystemClock()
    content = make_file(plan.rows, today=city_date(clock.now()))
    say(f"a file of {plan.rows:,} rows, {len(content) / 1e6:.0f} MB")
    connection = await asyncpg.connect(url)
    try:
        for number in range(plan.rounds):
            await connection.execute(_EMPTY)
            begin = time.perf_counter()
            taken = await send_submission(
                database,
                io.BytesIO(content),
                source_code=SOURCE,
                class_code=CLASS,
                batch_id=f"bench-{number}",
                vault=vault,
                clock=clock,
            )
            result.taken.append(plan.rows / (time.perf_counter() - begin))
            if (taken.accepted, taken.rejected) != (plan.rows, 0):
                raise RuntimeError(f"{taken.accepted} of {plan.rows} rows went in")
            result.copied.append(await _copy(connection, plan.rows))
            say(f"round {number + 1}: {result.taken[-1]:,.0f} and {result.copied[-1]:,.0f} rows/s")
    finally:
        await connection.close()


async def _copy(connection: "asyncpg.Connection[asyncpg.Record]", rows: int) -> float:
    """Copy the rows that went in out, empty the table, and copy them in again: rows a second."""
    binary = io.BytesIO()
    await connection.copy_from_table("record", output=binary, format="binary")
    await connection.execute(_EMPTY)
    binary.seek(0)
    begin = time.perf_counter()
    await connection.copy_to_table("record", source=binary, format="binary")
    seconds = time.perf_counter() - begin
    assert await connection.fetchval("SELECT count(*) FROM record") == rows
    return rows / seconds


def make_file(rows: int, *, today: date) -> bytes:
    """Write a library's file: readers with a dozen returns each, in the order of the days."""
    readers = max(1, rows // LINES_A_PERSON)
    numbers = [
        national_id(each, date(1960 + each % 40, 1, 1 + each % 28)) for each in range(readers)
    ]
    lines = ["national_id,external_id,version,occurred_on,ended_on,quantity"]
    for row in range(rows):
        day = today - timedelta(days=700 - row * 700 // rows)
        lines.append(f"{numbers[row % readers]},LB{row:09},1,{day},,{1 + row % 9}")
    return ("\n".join(lines) + "\n").encode()
