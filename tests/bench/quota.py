"""A thousand citizens at once for a hundred seats, against the bare conditional UPDATE.

Both in one process on the same pool, by turns. The floor is a thousand times the statement that
takes a seat, each its own transaction, and nothing else: no citizen, no rule, no answer that is
kept. Each round of enrolments ends with exactly as many as there were seats, or the bench with an
error.
"""

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

from backend.kit.clock import SystemClock
from backend.kit.crypto import Vault
from backend.kit.embedded import start_postgres
from backend.kit.ids import new_token
from backend.kit.migrate import migrate
from backend.kit.postgres import Database
from backend.kit.problem import Refusal
from backend.programme import service as programme
from backend.programme.desk import EnrolmentDesk
from tests.bench.measure import PostgresProbe, machine
from tests.conftest import DIGEST_KEY, KEK, publish_data
from tests.support.programme_world import add_strangers

PROGRAMME = "library"
POOL_SIZE = 10  # as the service has it
_VAULT = Vault(kek=KEK, digest_key=DIGEST_KEY)


@dataclass(frozen=True)
class QuotaPlan:
    """How many come at once for how many seats, and how often each way is measured."""

    contenders: int
    seats: int
    rounds: int


@dataclass
class QuotaResult:
    """Contenders answered a second in each round: at the desk, alone, and the bare statement."""

    machine: list[tuple[str, str]] = field(default_factory=list)
    desk: list[float] = field(default_factory=list)
    alone: list[float] = field(default_factory=list)
    bare: list[float] = field(default_factory=list)


async def run_quota(plan: QuotaPlan, say: Callable[[str], None]) -> QuotaResult:
    """Measure by turns on a server of its own, fsync on."""
    result = QuotaResult()
    with tempfile.TemporaryDirectory(prefix="cp-bench-", dir="/tmp") as name:
        directory = Path(name)
        directory.chmod(0o755)  # PostgreSQL runs as another user when this runs as root
        with start_postgres(directory / "pg") as server:
            await migrate(server.url)
            await publish_data(server.url)
            probe = await PostgresProbe.open(server.url, directory / "none")
            database = await Database.open(server.url, size=POOL_SIZE)
            try:
                result.machine = machine(await probe.version(), "not used", directory)
                round_ = _Round(plan, database, await _found(database, plan.contenders))
                await probe.settle()
                await round_.measure(round_.at_desk)  # connections and plans are made
                for number in range(plan.rounds):
                    result.bare.append(await round_.measure(round_.bare))
                    result.desk.append(await round_.measure(round_.at_desk))
                    result.alone.append(await round_.measure(round_.alone))
                    say(f"round {number + 1}: {result.desk[-1]:,.0f}, bare {result.bare[-1]:,.0f}")
            finally:
                await database.close()
                await probe.close()
    return result


async def _found(database: Database, count: int) -> list[UUID]:
    now = SystemClock().now()
    async with database.write() as tx:
        await programme.publish_packaged(tx, now=now)
        return await add_strangers(tx, count, now=now)


class _Round:
    """Everybody comes at once, once more."""

    def __init__(self, plan: QuotaPlan, database: Database, crowd: list[UUID]) -> None:
        self._plan, self._database, self._crowd = plan, database, crowd
        self._clock = SystemClock()
        self._desk = EnrolmentDesk(database=database, vault=_VAULT, clock=self._clock)

    async def measure(self, way: Callable[[UUID], Awaitable[bool]]) -> float:
        """Let everybody come one way, and look whether all seats and no more are taken."""
        async with self._database.write() as tx:
            await tx.execute("DELETE FROM enrolment")
            await tx.execute("DELETE FROM idempotency_key")
            await tx.execute(
                "UPDATE seat_budget SET seats_taken = 0, seats_total = $1", self._plan.seats
            )
        begin = time.perf_counter()
        taken = await asyncio.gather(*(way(each) for each in self._crowd))
        seconds = time.perf_counter() - begin
        async with self._database.read() as tx:
            seats = await tx.fetch_value(
                int, "SELECT seats_taken FROM seat_budget WHERE programme_code = $1", PROGRAMME
            )
            enrolled = await tx.fetch_value(int, "SELECT count(*) FROM enrolment")
        if sum(taken) != self._plan.seats or seats != self._plan.seats:
            raise RuntimeError(f"{sum(taken)} were told yes, {seats} seats are taken")
        if way != self.bare and enrolled != seats:
            raise RuntimeError(f"{enrolled} enrolments for {seats} seats")
        return len(self._crowd) / seconds

    async def at_desk(self, subject_id: UUID) -> bool:
        """Enrol as the interface does."""
        try:
            await self._desk.enrol(
                subject_id=subject_id,
                programme_code=PROGRAMME,
                key=new_token("key_"),
                request=b"enrolment_create",
            )
        except Refusal as refusal:
            return _is_sold_out(refusal)
        return True

    async def alone(self, subject_id: UUID) -> bool:
        """Enrol in a transaction of one's own."""
        try:
            async with self._database.write() as tx:
                await programme.enrol(
                    tx, subject_id=subject_id, programme_code=PROGRAMME, now=self._clock.now()
                )
        except Refusal as refusal:
            return _is_sold_out(refusal)
        return True

    async def bare(self, _: UUID) -> bool:
        """Take a seat, and nothing else."""
        async with self._database.single() as tx:
            count = await tx.execute(
                """UPDATE seat_budget SET seats_taken = seats_taken + 1
                   WHERE programme_code = $1 AND seats_taken < seats_total""",
                PROGRAMME,
            )
        return count == 1


def _is_sold_out(refusal: Refusal) -> bool:
    if refusal.code != "seats_sold_out":
        raise refusal
    return False
