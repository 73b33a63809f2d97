"""Servers and worlds for the tests: one PostgreSQL and one Valkey a session, real ones.

`tx` is a transaction on a migrated database that is rolled back; `database` is a clone of the
migrated template for tests that commit (about 100 ms). `house` wires the whole application on
such a clone, `client` speaks HTTP with it in process.
"""

import asyncio
import base64
import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest
from hypothesis import settings

from backend.app import House, open_house
from backend.calendar import service as calendar
from backend.kit.clock import FixedClock
from backend.kit.crypto import Vault
from backend.kit.embedded import start_postgres, start_valkey
from backend.kit.log import configure_logs
from backend.kit.migrate import migrate
from backend.kit.postgres import Database, Tx
from backend.kit.valkey import Valkey
from backend.record import service as record
from backend.score import service as score
from backend.settings import load_settings

ROOT = Path(__file__).resolve().parent.parent
NOW = datetime(2026, 11, 20, 2, 0, tzinfo=UTC)  # a Friday, 10:00 in the city
KEK = bytes(range(32))
DIGEST_KEY = bytes(range(32, 64))

configure_logs(strict=True)
# No example fails for being slow: the machine is shared, and a timing is no property.
settings.register_profile("house", deadline=None)
settings.register_profile("thorough", deadline=None, max_examples=10_000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "house"))


@pytest.fixture(scope="session")
def servers_directory() -> Iterator[Path]:
    """A short directory: unix socket paths are limited to about 100 characters."""
    with tempfile.TemporaryDirectory(prefix="cp-", dir="/tmp") as name:
        directory = Path(name)
        directory.chmod(0o755)  # PostgreSQL runs as another user when the tests run as root
        yield directory


@pytest.fixture(scope="session")
def postgres_url(servers_directory: Path) -> Iterator[str]:
    """The DSN of the session's PostgreSQL; CREDIT_TEST_DATABASE_URL names another one."""
    if url := os.environ.get("CREDIT_TEST_DATABASE_URL"):
        yield url
        return
    with start_postgres(servers_directory / "pg", durable=False) as server:
        yield server.url


@pytest.fixture(scope="session")
def valkey_url(servers_directory: Path) -> Iterator[str]:
    """The URL of the session's Valkey; CREDIT_TEST_VALKEY_URL names another one."""
    if url := os.environ.get("CREDIT_TEST_VALKEY_URL"):
        yield url
        return
    with start_valkey(servers_directory / "vk") as server:
        yield server.url


def with_database(url: str, name: str) -> str:
    """Return `url` with another database name."""
    head, _, query = url.partition("?")
    base = head.rpartition("/")[0]
    return f"{base}/{name}" + (f"?{query}" if query else "")


async def _run(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


@pytest.fixture(scope="session")
def template(postgres_url: str) -> str:
    """The name of a database that has every migration, and the data that comes with the service."""
    name = f"template_{uuid4().hex[:8]}"
    asyncio.run(_run(postgres_url, f"CREATE DATABASE {name}"))
    asyncio.run(migrate(with_database(postgres_url, name), ROOT / "migrations"))
    asyncio.run(publish_data(with_database(postgres_url, name)))
    return name


async def publish_data(url: str) -> None:
    """Put in force what comes with the service, as the local stack does."""
    database = await Database.open(url, size=1)
    try:
        async with database.write() as tx:
            await calendar.import_packaged(tx, now=NOW)
            await record.publish_packaged_catalogue(tx, now=NOW)
            await score.publish_packaged(tx, NOW)
    finally:
        await database.close()


@pytest.fixture(scope="session")
def shared_url(postgres_url: str, template: str) -> str:
    """A database for tests that roll back: it stays empty."""
    name = f"shared_{uuid4().hex[:8]}"
    asyncio.run(_run(postgres_url, f"CREATE DATABASE {name} TEMPLATE {template}"))
    return with_database(postgres_url, name)


@pytest.fixture
async def database_url(postgres_url: str, template: str) -> AsyncIterator[str]:
    """A clone of the template of this test's own, dropped afterwards."""
    name = f"clone_{uuid4().hex[:12]}"
    await _run(postgres_url, f"CREATE DATABASE {name} TEMPLATE {template}")
    yield with_database(postgres_url, name)
    await _run(postgres_url, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """A database of this test's own, for tests that commit."""
    database = await Database.open(database_url, size=20)
    yield database
    await database.close()


class _RolledBack(Exception):
    pass


@pytest.fixture
async def tx(shared_url: str) -> AsyncIterator[Tx]:
    """A transaction that is rolled back when the test ends."""
    database = await Database.open(shared_url, size=2)
    try:
        async with database.write() as tx:
            yield tx
            raise _RolledBack
    except _RolledBack:
        pass
    finally:
        await database.close()


@pytest.fixture
async def valkey(valkey_url: str) -> AsyncIterator[Valkey]:
    """A client of the session's Valkey."""
    valkey = Valkey.open(valkey_url)
    yield valkey
    await valkey.close()


@pytest.fixture
def clock() -> FixedClock:
    """A clock that stands at NOW until the test moves it."""
    return FixedClock(NOW)


@pytest.fixture
def vault() -> Vault:
    """A vault with known keys."""
    return Vault(kek=KEK, digest_key=DIGEST_KEY)


def encoded_key(key: bytes) -> str:
    """Return a key as it is written in the environment."""
    return base64.urlsafe_b64encode(key).decode()


@pytest.fixture
async def house(
    database_url: str, valkey_url: str, clock: FixedClock, tmp_path: Path
) -> AsyncIterator[House]:
    """The whole service on a database of this test's own, with an inbox instead of a gateway."""
    settings = load_settings(
        {
            "CREDIT_DATABASE_URL": database_url,
            "CREDIT_VALKEY_URL": valkey_url,
            "CREDIT_KEK": encoded_key(KEK),
            "CREDIT_DIGEST_KEY": encoded_key(DIGEST_KEY),
            "CREDIT_LOCAL_DIR": str(tmp_path),
        }
    )
    house = await open_house(settings, clock=clock)
    yield house
    await house.close()
