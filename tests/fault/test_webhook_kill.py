"""Goal: workers that are killed while they send lose no message and turn no object's order round.

Method: three processes send from one database to a real receiver, which fails now and then; each is
killed with a signal that nothing can catch, again and again, and another takes its place.
"""

import asyncio
import os
import random
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import UUID, uuid4

import asyncpg
import pytest

from backend.kit.child import bound_to_us
from backend.kit.clock import SystemClock
from backend.kit.crypto import Vault
from backend.kit.embedded import start_postgres
from backend.kit.migrate import migrate
from backend.kit.postgres import Database
from backend.webhook.jobs import Dispatch
from backend.webhook.ports import Courier
from backend.webhook.rules.address import TargetPolicy
from tests.conftest import DIGEST_KEY, KEK, ROOT
from tests.support.receiver import Receiver
from tests.support.webhook_world import WebhookWorld, open_webhooks

pytestmark = pytest.mark.xdist_group("fault")

OBJECTS, MESSAGES = 60, 4
WORKERS, KILLS = 3, 12
# What a killed worker had taken comes back when its lease ends; the test ends it sooner.
END_LEASES = "UPDATE webhook_delivery SET due_at = now() WHERE state = 'pending'"
STILL_OPEN = "SELECT count(*) FROM webhook_delivery WHERE ended_at IS NULL"


@pytest.fixture
def durable_url() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="cp-", dir="/tmp") as name:
        Path(name).chmod(0o755)  # PostgreSQL runs as another user when the tests run as root
        with start_postgres(Path(name) / "pg", durable=True) as server:
            yield server.url


@pytest.fixture
async def world(durable_url: str, vault: Vault) -> AsyncIterator[WebhookWorld]:
    await migrate(durable_url, ROOT / "migrations")
    database = await Database.open(durable_url, size=4)
    async with open_webhooks(database, vault) as world:
        yield world
    await database.close()


async def send_until_killed(url: str) -> None:
    """Be a worker that only sends."""
    database = await Database.open(url, size=3)
    dispatch = Dispatch(
        database=database,
        vault=Vault(kek=KEK, digest_key=DIGEST_KEY),
        clock=SystemClock(),
        courier=Courier(TargetPolicy(allow_loopback=True)),
    )
    await dispatch.run(stopping=asyncio.Event())


def _start(url: str) -> subprocess.Popen[bytes]:
    words = [sys.executable, "-m", "tests.fault.test_webhook_kill", url]
    return subprocess.Popen(bound_to_us(words), cwd=ROOT, stdin=subprocess.DEVNULL)


async def _tell(world: WebhookWorld, partner_id: UUID) -> dict[str, list[int]]:
    """Write messages about many objects; return what has to arrive, by object."""
    expected: dict[str, list[int]] = {}
    for _ in range(OBJECTS):
        object_id = uuid4()
        for number in range(1, MESSAGES + 1):
            await world.tell(partner_id, object_id=object_id, sequence=number)
        expected[str(object_id)] = list(range(1, MESSAGES + 1))
    return expected


async def test_killed_workers_lose_nothing_and_keep_the_order(
    world: WebhookWorld, durable_url: str
) -> None:
    partner_id = await world.add_partner()
    receiver = await world.receive()
    await world.add_endpoint(partner_id, receiver)
    expected = await _tell(world, partner_id)
    receiver.behaviour = "slow:0.05"
    chance, owner = random.Random(7), await asyncpg.connect(durable_url)
    workers = [_start(durable_url) for _ in range(WORKERS)]
    try:
        for _ in range(KILLS):
            await asyncio.sleep(chance.uniform(0.5, 2.0))
            receiver.behaviour = chance.choice(["slow:0.05", "slow:0.05", "status:500"])
            victim = chance.randrange(WORKERS)
            os.kill(workers[victim].pid, signal.SIGKILL)
            workers[victim].wait()
            workers[victim] = _start(durable_url)
        receiver.behaviour = "ok"
        async with asyncio.timeout(120):
            while await owner.fetchval(
                "SELECT count(*) FROM webhook_delivery WHERE ended_at IS NULL"
            ):
                await owner.execute(END_LEASES)
                await asyncio.sleep(1)
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()
        await owner.close()
    assert first_arrivals(receiver) == expected
    repeated = len(receiver.taken) - OBJECTS * MESSAGES
    assert repeated >= 0


def first_arrivals(receiver: Receiver) -> dict[str, list[int]]:
    """Return the revisions of each object in the order in which each was taken first."""
    told: dict[str, list[int]] = {}
    for message in receiver.taken:
        revisions = told.setdefault(message.object_id, [])
        if message.revision not in revisions:
            revisions.append(message.revision)
    return told


if __name__ == "__main__":
    asyncio.run(send_until_killed(sys.argv[1]))
