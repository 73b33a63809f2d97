"""One worker's loop that sends to partners, against a bare loop of httpx POSTs of the same bodies.

The loop claims, signs, sends at looked-at addresses, reads the answer and writes delivery and try
durably; the bare loop only posts. The receiver is the same: it answers at once and looks at
nothing.
"""

import asyncio
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID, uuid4

import asyncpg
import httpx

from backend.kit.clock import SystemClock
from backend.kit.crypto import Vault
from backend.kit.embedded import start_postgres
from backend.kit.ids import new_id
from backend.kit.migrate import migrate
from backend.kit.postgres import Database
from backend.partner import service as partner
from backend.webhook import service
from backend.webhook.jobs import SENDING_MAX, Dispatch
from backend.webhook.ports import Courier
from backend.webhook.rules.address import TargetPolicy
from backend.webhook.rules.payload import body_of
from backend.webhook.store.delivery import NewDelivery, insert_deliveries
from tests.bench.measure import PostgresProbe, machine
from tests.bench.process import LOAD_CORE, SERVER_CORE, free_port, server, stay_on
from tests.conftest import DIGEST_KEY, KEK

_LOOPBACK = TargetPolicy(allow_loopback=True)
ROUND_SECONDS_MAX = 120
_EMPTY = "TRUNCATE webhook_delivery, webhook_try"
_OPEN = "SELECT count(*) FROM webhook_delivery WHERE state <> 'delivered'"
_TRIES = "SELECT count(*) FROM webhook_try WHERE status = 200"


@dataclass(frozen=True)
class WebhookPlan:
    """How many messages go to how many endpoints in a round."""

    messages: int
    endpoints: int
    rounds: int


@dataclass
class WebhookResult:
    """Messages a second of each round: by the worker's loop, to one endpoint only, bare.

    And the CPU time of this process a message, in µs, which others on the machine change less.
    """

    machine: list[tuple[str, str]] = field(default_factory=list)
    sent: list[float] = field(default_factory=list)
    lone: list[float] = field(default_factory=list)
    bare: list[float] = field(default_factory=list)
    sent_us: list[float] = field(default_factory=list)
    bare_us: list[float] = field(default_factory=list)


async def run_webhook(plan: WebhookPlan, say: Callable[[str], None]) -> WebhookResult:
    """Measure by turns, worker and receiver on a core each, fsync on."""
    result = WebhookResult()
    stay_on(LOAD_CORE)
    with tempfile.TemporaryDirectory(prefix="cp-bench-", dir="/tmp") as name:
        directory, port = Path(name), free_port()
        directory.chmod(0o755)  # PostgreSQL runs as another user when this runs as root
        words = ["-m", "tests.bench.webhook_receiver", str(port)]
        with (
            start_postgres(directory / "pg") as postgres,
            server(
                words,
                port=port,
                environ=dict(os.environ),
                log=directory / "receiver.log",
                core=LOAD_CORE,
            ),
        ):
            stay_on(SERVER_CORE)
            await migrate(postgres.url)
            probe = await PostgresProbe.open(postgres.url, directory / "none")
            result.machine = machine(await probe.version(), "not used", directory)
            await probe.close()
            database = await Database.open(postgres.url, size=4)
            try:
                bench = _Bench(plan, database, postgres.url, f"http://127.0.0.1:{port}/hooks")
                await bench.rounds(result, say)
            finally:
                await database.close()
    return result


class _Bench:
    """Partners with an endpoint each, all at one receiver."""

    def __init__(self, plan: WebhookPlan, database: Database, owner_url: str, url: str) -> None:
        self._plan, self._database, self._owner_url, self._url = plan, database, owner_url, url
        self._vault, self._clock = Vault(kek=KEK, digest_key=DIGEST_KEY), SystemClock()
        self._endpoints: list[tuple[UUID, UUID]] = []

    async def rounds(self, result: WebhookResult, say: Callable[[str], None]) -> None:
        """Measure the three by turns."""
        await self._found()
        owner = await asyncpg.connect(self._owner_url)
        try:
            for number in range(self._plan.rounds):
                begin = time.process_time()
                result.sent.append(await self._send(owner, self._endpoints))
                result.sent_us.append(self._cpu_us(begin))
                result.lone.append(await self._send(owner, self._endpoints[:1]))
                begin = time.process_time()
                result.bare.append(await self._post())
                result.bare_us.append(self._cpu_us(begin))
                say(
                    f"round {number + 1}: {result.sent[-1]:,.0f} sent,"
                    f" {result.lone[-1]:,.0f} to one endpoint, {result.bare[-1]:,.0f} bare a second"
                )
        finally:
            await owner.close()

    def _cpu_us(self, begin: float) -> float:
        return (time.process_time() - begin) / self._plan.messages * 1e6

    async def _found(self) -> None:
        now = self._clock.now()
        async with self._database.write() as tx:
            for number in range(self._plan.endpoints):
                added = await partner.add_partner(
                    tx,
                    code=f"partner-{number}",
                    name_zh="商户",
                    name_en="Merchant",
                    kind="merchant",
                    now=now,
                )
                endpoint = await service.add_endpoint(
                    tx,
                    partner_id=added.partner_id,
                    url=f"{self._url}/{number}",
                    topics=["order.created"],
                    scheme="hmac",
                    policy=_LOOPBACK,
                    vault=self._vault,
                    now=now,
                )
                self._endpoints.append((endpoint.endpoint_id, added.partner_id))
        owner = await asyncpg.connect(self._owner_url)
        await owner.execute("UPDATE webhook_endpoint SET state = 'active', verified_at = now()")
        await owner.close()

    async def _send(
        self,
        owner: "asyncpg.Connection[asyncpg.Record]",
        endpoints: list[tuple[UUID, UUID]],
    ) -> float:
        """Return how many messages a second the loop sends, from first claim to last row."""
        await owner.execute(_EMPTY)
        await self._insert(endpoints)
        await owner.execute("VACUUM ANALYZE webhook_delivery, webhook_endpoint")
        dispatch = Dispatch(
            database=self._database,
            vault=self._vault,
            clock=self._clock,
            courier=Courier(_LOOPBACK),
        )
        stopping = asyncio.Event()
        begin = time.perf_counter()
        running = asyncio.create_task(dispatch.run(stopping=stopping))
        async with asyncio.timeout(ROUND_SECONDS_MAX):
            while await owner.fetchval(_OPEN):
                await asyncio.sleep(0.05)
        seconds = time.perf_counter() - begin
        stopping.set()
        await running
        assert await owner.fetchval(_TRIES) == self._plan.messages, "each was sent once"
        return self._plan.messages / seconds

    async def _insert(self, endpoints: list[tuple[UUID, UUID]]) -> None:
        now = self._clock.now()
        new = []
        for number in range(self._plan.messages):
            endpoint_id, partner_id = endpoints[number % len(endpoints)]
            object_id = uuid4()
            delivery = NewDelivery(
                delivery_id=new_id(now),
                endpoint_id=endpoint_id,
                partner_id=partner_id,
                message_id=new_id(now),
                topic="order.created",
                object_id=object_id,
                sequence=1,
                body=self._body(object_id),
                kind="event",
            )
            new.append(delivery)
        async with self._database.write() as tx:
            await insert_deliveries(tx, new, now)

    async def _post(self) -> float:
        """Return how many of the same bodies a second a loop of httpx POSTs sends."""
        bodies = iter([self._body(uuid4()) for _ in range(self._plan.messages)])
        limits = httpx.Limits(max_connections=SENDING_MAX, max_keepalive_connections=SENDING_MAX)

        async def post(client: httpx.AsyncClient) -> None:
            for body in bodies:
                headers = {"content-type": "application/json"}
                answer = await client.post(self._url, content=body, headers=headers)
                assert answer.status_code == 200

        async with httpx.AsyncClient(limits=limits, trust_env=False) as client:
            begin = time.perf_counter()
            await asyncio.gather(*[post(client) for _ in range(SENDING_MAX)])
            return self._plan.messages / (time.perf_counter() - begin)

    def _body(self, object_id: UUID) -> bytes:
        return body_of(
            topic="order.created",
            object_id=object_id,
            sequence=1,
            facts={"programme": "rental"},
            origin="https://credit.example.cn",
            now=self._clock.now(),
        )
