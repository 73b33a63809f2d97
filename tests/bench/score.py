"""Recomputing every score inside PostgreSQL, against the bare aggregates; one score in Python.

Cities of growing size on one server, fsync on. In each, by turns: the bare INSERT … SELECT … GROUP
BY, and a full recompute in which every score comes out new and gets a row of history (the dearest
there is), on one connection and on two, by the command an operator runs, in a process whose memory
is looked at. Then one in a hundred citizens has a changed record, and those alone are worked out
again.
"""

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from uuid import UUID

import asyncpg

from backend.kit.clock import SystemClock, city_date
from backend.kit.embedded import start_postgres
from backend.kit.migrate import migrate
from backend.kit.postgres import Database
from backend.record import service as record
from backend.record.rules.life import Record
from backend.score import service as score
from backend.score.jobs import BATCH, recompute_changed
from backend.score.rules.engine import score_records
from backend.score.rules.scorecard import Scorecard
from tests.bench import score_bare, score_city
from tests.bench.measure import PostgresProbe, machine
from tests.conftest import DIGEST_KEY, KEK, encoded_key, publish_data

SAMPLE = 2_000  # citizens whose score is worked out in Python
CHANGED_SHARE = 100  # one in so many has a changed record
_EVERY_SCORE_IS_OLD = "UPDATE score SET scorecard_version = 'none'"


@dataclass(frozen=True)
class ScorePlan:
    """Which cities are measured, and how often each."""

    sizes: list[int]
    rounds: int


@dataclass
class CityResult:
    """Seconds of each round in a city, and the largest resident memory of the command, in MB."""

    citizens: int
    bare: list[float] = field(default_factory=list)
    double: list[float] = field(default_factory=list)
    full: list[float] = field(default_factory=list)
    memory_mb: list[float] = field(default_factory=list)
    unchanged: float = 0.0
    changed: float = 0.0
    changed_citizens: int = 0


@dataclass
class ScoreResult:
    """What was measured; the Python engine in µs of CPU a citizen."""

    machine: list[tuple[str, str]] = field(default_factory=list)
    cities: list[CityResult] = field(default_factory=list)
    python_us: list[float] = field(default_factory=list)


async def run_score(plan: ScorePlan, say: Callable[[str], None]) -> ScoreResult:
    """Measure each city on one server."""
    result = ScoreResult()
    with tempfile.TemporaryDirectory(prefix="cp-bench-", dir="/tmp") as name:
        directory = Path(name)
        directory.chmod(0o755)  # PostgreSQL runs as another user when this runs as root
        with start_postgres(directory / "pg") as server:
            await migrate(server.url)
            await publish_data(server.url)
            probe = await PostgresProbe.open(server.url, directory / "none")
            result.machine = machine(await probe.version(), "not used", directory)
            await probe.close()
            database = await Database.open(server.url, size=2)
            connection = await asyncpg.connect(server.url)
            try:
                await score_bare.create(connection)
                for citizens in plan.sizes:
                    ground = _Ground(database, connection, server.url)
                    result.cities.append(await _city(ground, citizens, plan.rounds, say))
                result.python_us = await _python(database, plan.rounds)
            finally:
                await connection.close()
                await database.close()
    return result


@dataclass(frozen=True)
class _Ground:
    database: Database
    connection: "asyncpg.Connection[asyncpg.Record]"
    url: str


async def _city(
    ground: _Ground, citizens: int, rounds: int, say: Callable[[str], None]
) -> CityResult:
    say(f"a city of {citizens:,} ...")
    await score_city.fill(ground.connection, citizens)
    result = CityResult(citizens)
    for number in range(rounds):
        await ground.connection.execute("TRUNCATE bare")
        begin = time.perf_counter()
        await score_bare.insert(ground.connection, _today())
        result.bare.append(time.perf_counter() - begin)
        for connections, seconds in ((1, result.full), (2, result.double)):
            await _forget(ground.connection)
            taken, memory_mb, changed = _full(ground.url, connections)
            if changed != citizens:
                raise RuntimeError(f"{changed} of {citizens} scores came out new")
            seconds.append(taken)
            result.memory_mb.append(memory_mb)
        say(
            f"  round {number + 1}: bare {result.bare[-1]:.1f} s, full {result.full[-1]:.1f} s,"
            f" on two connections {result.double[-1]:.1f} s"
        )
    result.unchanged, _, _ = _full(ground.url, 1)
    result.changed_citizens, result.changed = await _changed(ground, citizens)
    return result


def _today() -> date:
    return city_date(SystemClock().now())


async def _forget(connection: "asyncpg.Connection[asyncpg.Record]") -> None:
    """Let every score be of another scorecard, without a history, in tables at rest."""
    await connection.execute(_EVERY_SCORE_IS_OLD)
    await connection.execute("TRUNCATE score_history")
    await connection.execute("VACUUM (FULL, ANALYZE) score")
    await connection.execute("CHECKPOINT")


def _full(url: str, connections: int) -> tuple[float, float, int]:
    """Run the command; return its seconds, its largest resident memory in MB, scores that changed.

    The command says itself how long the work took, without the start of its process.
    """
    environ = {
        **os.environ,
        "CREDIT_DATABASE_URL": url,
        "CREDIT_ENV": "demo",
        "CREDIT_KEK": encoded_key(KEK),
        "CREDIT_DIGEST_KEY": encoded_key(DIGEST_KEY),
    }
    words = [sys.executable, "-m", "backend", "score", "recompute", "--all", "--json"]
    words += ["--connections", str(connections)]
    with subprocess.Popen(words, env=environ, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        said = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise RuntimeError("the recompute failed")
    facts = json.loads(said)
    return facts["seconds"], usage.ru_maxrss / 1024, facts["changed"]


async def _changed(ground: _Ground, citizens: int) -> tuple[int, float]:
    """Let one in CHANGED_SHARE have a larger quantity on record, and carry their events out."""
    chosen = await ground.connection.fetch(
        """UPDATE record SET quantity = quantity + 1, fingerprint = fingerprint + 1
           WHERE class_code = 'volunteer_service' AND subject_id IN (
               SELECT md5(citizen::text)::uuid FROM generate_series(1, $1::int, $2::int) AS citizen)
           RETURNING subject_id""",
        citizens,
        CHANGED_SHARE,
    )
    subject_ids = sorted({row["subject_id"] for row in chosen})
    random.Random(1).shuffle(subject_ids)
    await ground.connection.execute("CHECKPOINT")
    begin = time.perf_counter()
    for first in range(0, len(subject_ids), BATCH):
        await _carry_out(ground.database, subject_ids[first : first + BATCH])
    return len(subject_ids), time.perf_counter() - begin


async def _carry_out(database: Database, subject_ids: list[UUID]) -> None:
    now = SystemClock().now()
    event = score_city.changed_event(subject_ids, now)
    async with database.write() as tx:
        await recompute_changed(tx, event=event, now=now)


async def _python(database: Database, rounds: int) -> list[float]:
    """Work out scores with their traces one by one; return µs of CPU a citizen, each round."""
    async with database.read() as tx:
        scorecard = await score.scorecard_in_force(tx)
        subject_ids = await score.list_scored(tx, after=None, limit=SAMPLE)
        records = await record.list_current_by_subject(tx, subject_ids=subject_ids)
    return [_python_round(scorecard, list(records.values())) for _ in range(rounds)]


def _python_round(scorecard: Scorecard, histories: list[list[Record]]) -> float:
    begin = time.process_time()
    for history in histories:
        score_records(scorecard, history, _today())
    return (time.process_time() - begin) / len(histories) * 1e6
