"""The eligibility check against a bare handler and the usual way: rounds by turns, in one run.

Every answer is looked at, and at the end the ledger holds exactly one row for each: a check that
was answered without one, or refused, ends the bench with an error instead of a table.
"""

import itertools
import os
import statistics
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from backend.kit.crypto import Vault
from backend.kit.embedded import start_postgres, start_valkey
from backend.kit.migrate import migrate
from backend.kit.postgres import Database
from tests.bench.load import Outcome, drive
from tests.bench.measure import PostgresProbe, machine, valkey_version
from tests.bench.process import LOAD_CORE, Served, free_port, server, stay_on
from tests.bench.world import Desk, found_city
from tests.conftest import DIGEST_KEY, KEK, encoded_key, publish_data

WARM_UP_SECONDS = 3.0
LONE_CHECKS = 300
COUNTED_CHECKS = 2_000
BARE_REQUEST = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


@dataclass(frozen=True)
class Plan:
    """How long and how hard to measure."""

    seconds: float
    rounds: int
    connections: int
    citizens: int


@dataclass
class Result:
    """What was measured; rates in answers a second, latencies in milliseconds."""

    machine: list[tuple[str, str]] = field(default_factory=list)
    bare: list[Outcome] = field(default_factory=list)
    checks: list[Outcome] = field(default_factory=list)
    peer: list[Outcome] = field(default_factory=list)
    half: Outcome = field(default_factory=Outcome)
    half_rate: float = 0.0
    lone: Outcome = field(default_factory=Outcome)
    bare_lone: Outcome = field(default_factory=Outcome)
    fsyncs: int = 0
    fsynced_checks: int = 0
    statements: dict[str, float] = field(default_factory=dict)
    lone_statements: dict[str, float] = field(default_factory=dict)


class _Answer(msgspec.Struct, forbid_unknown_fields=True):
    eligible: bool
    programme: str
    benefit: dict[str, object]
    decision_id: str
    valid_until: str


class Bench:
    """One run: sends rounds and keeps the decisions it was told of."""

    def __init__(
        self, plan: Plan, desk: Desk, *, api: Served, bare: Served, peer: Served | None = None
    ) -> None:
        self.plan, self.desk = plan, desk
        self._api, self._bare, self._peer = api, bare, peer
        self.decisions: list[str] = []
        # First guesses, for how many proofs to prepare.
        self._rate, self._peer_rate = 4_000.0, 400.0

    async def check(
        self,
        *,
        seconds: float = 60.0,
        connections: int | None = None,
        count: int | None = None,
        rate: float | None = None,
    ) -> Outcome:
        """Let the desk check citizens for so long, or so often, and look at each answer."""
        expected = rate or self._rate * 1.5
        requests = self.desk.requests(count or int(expected * seconds) + 100)
        outcome = await self._drive(
            self._api, requests, connections=connections, seconds=seconds, rate=rate
        )
        self._look_at(outcome)
        if count is None and rate is None:
            # A round that ran out of proofs was shorter; the next one gets more.
            self._rate = outcome.rate
        return outcome

    async def peer(self, *, seconds: float) -> Outcome:
        """Let the desk check citizens the usual way for so long, and look at each answer."""
        assert self._peer is not None, "there is a peer to measure"
        requests = self.desk.requests(int(self._peer_rate * 1.5 * seconds) + 100)
        outcome = await self._drive(self._peer, requests, connections=None, seconds=seconds)
        self._look_at(outcome)
        self._peer_rate = outcome.rate
        return outcome

    def _look_at(self, outcome: Outcome) -> None:
        if set(outcome.statuses) != {200}:
            raise RuntimeError(f"not every check was answered: {outcome.statuses}")
        for body in outcome.bodies:
            answer = msgspec.json.decode(body, type=_Answer)
            assert answer.eligible, "everybody in this city is eligible"
            self.decisions.append(answer.decision_id)

    async def bare(self, *, seconds: float, connections: int | None = None) -> Outcome:
        """Let the bare handler answer for so long."""
        requests = itertools.repeat(BARE_REQUEST)
        outcome = await self._drive(self._bare, requests, connections=connections, seconds=seconds)
        assert set(outcome.statuses) == {200}
        return outcome

    async def _drive(
        self,
        served: Served,
        requests: Iterable[bytes],
        *,
        connections: int | None,
        seconds: float,
        rate: float | None = None,
    ) -> Outcome:
        before = served.cpu_seconds()
        outcome = await drive(
            served.port,
            requests,
            connections=connections or self.plan.connections,
            seconds=seconds,
            rate=rate,
        )
        outcome.cpu_seconds = served.cpu_seconds() - before
        return outcome


@dataclass(frozen=True)
class Ground:
    """The servers below the API, and what can be asked of them."""

    directory: Path
    database_url: str
    valkey_url: str
    probe: PostgresProbe


async def run(plan: Plan, say: Callable[[str], None]) -> Result:
    """Start the servers, found a city, measure; `say` is told how far it is."""
    with tempfile.TemporaryDirectory(prefix="cp-bench-", dir="/tmp") as name:
        directory = Path(name)
        directory.chmod(0o755)  # PostgreSQL runs as another user when the bench runs as root
        stay_on(LOAD_CORE)
        with (
            start_postgres(directory / "pg") as postgres,
            start_valkey(directory / "vk") as valkey,
        ):
            await migrate(postgres.url)
            await publish_data(postgres.url)
            probe = await PostgresProbe.open(postgres.url, directory / "pg" / "log")
            try:
                ground = Ground(directory, postgres.url, valkey.url, probe)
                return await _found_and_measure(plan, ground, say)
            finally:
                await probe.close()


async def _found_and_measure(plan: Plan, ground: Ground, say: Callable[[str], None]) -> Result:
    ports = free_port(), free_port(), free_port(), free_port()
    environ = _environ(ground, port=ports[0], metrics_port=ports[1])
    database = await Database.open(ground.database_url, size=2)
    try:
        desk = Desk(
            database, Vault(kek=KEK, digest_key=DIGEST_KEY), environ["CREDIT_PUBLIC_ORIGIN"]
        )
        say(f"{plan.citizens} citizens register, join, enrol and consent")
        await found_city(desk, ground.directory, citizens=plan.citizens)
        await ground.probe.settle()
        api = ["-m", "backend", "serve"]
        bare = ["-m", "tests.bench.bare", str(ports[2])]
        peer = ["-m", "tests.bench.peer.app", str(ports[3])]
        with (
            server(api, port=ports[0], environ=environ, log=ground.directory / "api.log") as checks,
            server(
                bare, port=ports[2], environ=os.environ, log=ground.directory / "bare.log"
            ) as floor,
            server(
                peer, port=ports[3], environ=environ, log=ground.directory / "peer.log"
            ) as usual,
        ):
            bench = Bench(plan, desk, api=checks, bare=floor, peer=usual)
            return await _measure(bench, ground, say)
    finally:
        await database.close()


def _environ(ground: Ground, *, port: int, metrics_port: int) -> dict[str, str]:
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("CREDIT_")}
    return inherited | {
        "CREDIT_DATABASE_URL": ground.database_url,
        "CREDIT_VALKEY_URL": ground.valkey_url,
        "CREDIT_PORT": str(port),
        "CREDIT_METRICS_PORT": str(metrics_port),
        "CREDIT_PUBLIC_ORIGIN": f"http://127.0.0.1:{port}",
        "CREDIT_LOCAL_DIR": str(ground.directory),
        "CREDIT_KEK": encoded_key(KEK),
        "CREDIT_DIGEST_KEY": encoded_key(DIGEST_KEY),
    }


async def _measure(bench: Bench, ground: Ground, say: Callable[[str], None]) -> Result:
    plan, probe = bench.plan, ground.probe
    result = Result(
        machine(await probe.version(), await valkey_version(ground.valkey_url), ground.directory)
    )
    say("warming up")
    await bench.bare(seconds=WARM_UP_SECONDS)
    await bench.check(seconds=WARM_UP_SECONDS)
    await bench.peer(seconds=WARM_UP_SECONDS)
    for number in range(1, plan.rounds + 1):
        await bench.desk.issue_tokens()
        result.bare.append(await bench.bare(seconds=plan.seconds))
        before = await probe.wal_fsyncs(), len(bench.decisions)
        result.checks.append(await bench.check(seconds=plan.seconds))
        result.fsyncs += await probe.wal_fsyncs() - before[0]
        result.fsynced_checks += len(bench.decisions) - before[1]
        result.peer.append(await bench.peer(seconds=plan.seconds))
        ratio = result.checks[-1].rate / result.bare[-1].rate
        say(
            f"round {number}: bare {result.bare[-1].rate:.0f}/s,"
            f" checks {result.checks[-1].rate:.0f}/s, ratio {ratio:.3f},"
            f" the usual way {result.peer[-1].rate:.0f}/s"
        )
    await bench.desk.issue_tokens()
    result.half_rate = statistics.median(each.rate for each in result.checks) / 2
    say("half of the maximum rate, one connection, statements")
    result.half = await bench.check(seconds=plan.seconds, rate=result.half_rate)
    result.bare_lone = await bench.bare(seconds=1.0, connections=1)
    result.lone = await bench.check(count=LONE_CHECKS, connections=1)
    result.statements = await _statements(bench, probe, plan.connections)
    result.lone_statements = await _statements(bench, probe, 1)
    await _compare_with_ledger(bench, probe)
    return result


async def _statements(bench: Bench, probe: PostgresProbe, connections: int) -> dict[str, float]:
    """Count what PostgreSQL is sent for each check, BEGIN and COMMIT included."""
    begin = await probe.log_statements(on=True)
    before = len(bench.decisions)
    count = COUNTED_CHECKS if connections > 1 else LONE_CHECKS
    await bench.check(count=count, connections=connections)
    await probe.log_statements(on=False)
    checks = len(bench.decisions) - before
    return {word: count / checks for word, count in probe.statements(begin).items()}


async def _compare_with_ledger(bench: Bench, probe: PostgresProbe) -> None:
    rows, written = await probe.decision_ids()
    told = set(bench.decisions)
    if not rows == len(told) == len(bench.decisions) or written != told:
        raise RuntimeError(
            f"{len(bench.decisions)} answers with {len(told)} decisions, but {rows} ledger rows"
            f" and {len(written)} decisions with a look"
        )
