"""Goal: kill -9 of either memory of what was used lets no proof and no assertion through twice.

Method: the real application in process; PostgreSQL crashes, which empties the unlogged table of
markers, or Valkey dies with all it knew. The other one remembers.
"""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from backend.app import open_house
from backend.kit.clock import FixedClock
from backend.kit.migrate import migrate
from backend.settings import load_settings
from tests.conftest import DIGEST_KEY, KEK, ROOT, encoded_key, publish_data
from tests.support.oauth_client import ISSUER
from tests.support.scene import Scene, proved
from tests.support.servers import Servers
from tests.support.world import CHECKS, World, oauth_error_of, problem_of

pytestmark = pytest.mark.xdist_group("fault")


@pytest.fixture
def servers() -> Iterator[Servers]:
    with tempfile.TemporaryDirectory(prefix="cp-", dir="/tmp") as name:
        Path(name).chmod(0o755)  # PostgreSQL runs as another user when the tests run as root
        servers = Servers(Path(name), durable=True)
        yield servers
        servers.postgres.stop()
        servers.valkey.stop()


@pytest.fixture
async def scene(servers: Servers, clock: FixedClock, tmp_path: Path) -> AsyncIterator[Scene]:
    await migrate(servers.postgres.url, ROOT / "migrations")
    await publish_data(servers.postgres.url)
    settings = load_settings(
        {
            "CREDIT_DATABASE_URL": servers.postgres.url,
            "CREDIT_VALKEY_URL": servers.valkey.url,
            "CREDIT_PUBLIC_ORIGIN": ISSUER,
            "CREDIT_LOCAL_DIR": str(tmp_path),
            "CREDIT_KEK": encoded_key(KEK),
            "CREDIT_DIGEST_KEY": encoded_key(DIGEST_KEY),
        }
    )
    house = await open_house(settings, clock=clock)
    yield await Scene(World(house)).set_up()
    await house.close()


@pytest.mark.parametrize("dies", ["postgres", "valkey"])
async def test_what_was_used_before_a_crash_stays_used(
    scene: Scene, servers: Servers, dies: str
) -> None:
    """At the API and at the authorization server, while one memory is away and once it is back."""
    headers = proved(scene.library, scene.tokens.access, "POST", CHECKS)
    assertion, form = scene.library.assertion(), {"token": scene.tokens.refresh}
    body = {"programme": "library"}

    async def use(*, again: bool) -> None:
        api = await scene.world.http.post(CHECKS, json=body, headers=headers)
        oauth = await scene.library.post("/oauth/introspect", form, assertion=assertion)
        if again:
            problem_of(api, 401, "token_invalid")
            oauth_error_of(oauth, 401, "invalid_client")
        else:
            assert (api.status_code, oauth.status_code) == (200, 200)

    await use(again=False)
    markers = await scene.world.count("replay_marker")
    if dies == "postgres":
        servers.kill(servers.postgres)
        api = await scene.world.http.post(CHECKS, json=body, headers=headers)
        problem_of(api, 503, "unavailable")
        servers.start_postgres()
        async with asyncio.timeout(10):
            while (await scene.world.http.get("/health/ready")).status_code != 200:
                await asyncio.sleep(0.05)
        assert await scene.world.count("replay_marker") == 0 < markers, "it forgot them all"
    else:
        servers.kill(servers.valkey)
        await use(again=True)
        servers.start_valkey()
    await use(again=True)
