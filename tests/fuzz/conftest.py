"""The city that is sent whatever comes to mind, a city to each module."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from backend.app import House, open_house
from backend.kit.clock import SystemClock
from backend.settings import load_settings
from tests.conftest import DIGEST_KEY, KEK, _run, encoded_key, with_database
from tests.fuzz.knowing import City
from tests.support.in_process import LoopThread
from tests.support.oauth_client import ISSUER


async def _open(database_url: str, valkey_url: str, directory: Path) -> House:
    environ = {
        "CREDIT_DATABASE_URL": database_url,
        "CREDIT_VALKEY_URL": valkey_url,
        "CREDIT_PUBLIC_ORIGIN": ISSUER,
        "CREDIT_LOCAL_DIR": str(directory),
        "CREDIT_KEK": encoded_key(KEK),
        "CREDIT_DIGEST_KEY": encoded_key(DIGEST_KEY),
    }
    return await open_house(load_settings(environ), clock=SystemClock())


@pytest.fixture(scope="module")
def city(
    postgres_url: str, template: str, valkey_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[City]:
    """A city in a thread of its own, on a clone of the template."""
    name = f"fuzz_{uuid4().hex[:12]}"
    asyncio.run(_run(postgres_url, f"CREATE DATABASE {name} TEMPLATE {template}"))
    thread = LoopThread()
    directory = tmp_path_factory.mktemp("fuzz")
    house = thread.run(_open(with_database(postgres_url, name), valkey_url, directory))
    city = City(thread, house)
    yield city
    thread.run(city.world.close())
    thread.run(house.close())
    thread.close()
    asyncio.run(_run(postgres_url, f"DROP DATABASE {name} WITH (FORCE)"))
