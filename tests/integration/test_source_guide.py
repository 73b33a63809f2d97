"""Goal: the program in docs/source-api.md hands a file in. Method: run it, as it stands there."""

import asyncio
import json
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
import uvloop

from backend.app import House, open_house
from backend.cli.partner import add_source_client
from backend.kit.clock import SystemClock
from tests.conftest import ROOT
from tests.support.oauth_client import jwks_of, new_key
from tests.support.served import served
from tests.support.source import file_of
from tests.support.stack import free_port
from tests.support.world import World


@pytest.fixture(scope="module")
def event_loop_policy() -> asyncio.AbstractEventLoopPolicy:
    return uvloop.EventLoopPolicy()


@pytest.fixture
async def living(house: House) -> AsyncIterator[House]:
    """The service by the clock on the wall, which the program reads too, at an address it calls."""
    origin = f"http://127.0.0.1:{free_port()}"
    settings = msgspec.structs.replace(house.settings, public_origin=origin)
    living = await open_house(settings, clock=SystemClock())
    yield living
    await living.close()


def program() -> str:
    text = (ROOT / "docs" / "source-api.md").read_text()
    found = re.search(r"<!-- example -->\n```python\n(.*?)```\n<!-- /example -->", text, re.S)
    assert found is not None
    return found.group(1)


async def test_the_program_of_the_guide_hands_a_file_in(living: House, tmp_path: Path) -> None:
    """And prints what came of it, the bad line with its reason."""
    world = World(living)
    key = new_key(kid="guide-1")
    async with world.database.write() as tx:
        await add_source_client(
            tx,
            source_code="city_library",
            client_id=None,
            jwks=jwks_of(key),
            now=world.clock.now(),
        )
    (tmp_path / "hand_in.py").write_text(program())
    (tmp_path / "key.json").write_text(json.dumps(key.as_dict(private=True)))
    (tmp_path / "returns.csv").write_bytes(file_of(200) + b"bad\n")

    async def work() -> None:
        while True:
            await world.work()
            await asyncio.sleep(0.1)

    port = int(world.origin.rpartition(":")[2])
    async with served(world, port=port):
        words = ["source-city-library", "key.json", "returns.csv", "library_return", "b-1"]
        working = asyncio.create_task(work())
        ran = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "hand_in.py", world.origin, *words],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env={"NO_PROXY": "*"},
        )
        working.cancel()
    assert ran.returncode == 0, ran.stderr
    assert "200 lines in, 1 kept aside" in ran.stdout
    assert "columns_too_few" in ran.stdout
    await world.close()
