"""Goal: what the service stands on may go away and come back; nothing falls open, nothing is lost.

Method: the real application in process on a PostgreSQL and a Valkey of this file's own, which are
stopped, frozen and started again on the same data while the application stays.
"""

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from backend.app import open_house
from backend.kit.clock import FixedClock
from backend.kit.migrate import migrate
from backend.kit.postgres import Database
from backend.kit.problem import Unavailable
from backend.kit.valkey import Valkey, ValkeyDown
from backend.settings import load_settings
from tests.conftest import DIGEST_KEY, KEK, ROOT, _run, encoded_key, publish_data, with_database
from tests.support.citizen import phone
from tests.support.oauth_client import ISSUER
from tests.support.scene import Scene, proved
from tests.support.servers import Servers
from tests.support.world import CHECKS, App, World, oauth_error_of, problem_of

pytestmark = pytest.mark.xdist_group("outages")
FORM = {"content-type": "application/x-www-form-urlencoded"}


@pytest.fixture(scope="module")
def all_servers() -> Iterator[Servers]:
    with tempfile.TemporaryDirectory(prefix="cp-", dir="/tmp") as name:
        Path(name).chmod(0o755)  # PostgreSQL runs as another user when the tests run as root
        servers = Servers(Path(name))
        asyncio.run(migrate(servers.postgres.url, ROOT / "migrations"))
        asyncio.run(publish_data(servers.postgres.url))
        yield servers
        servers.postgres.stop()
        servers.valkey.stop()


@pytest.fixture
def servers(all_servers: Servers) -> Iterator[Servers]:
    yield all_servers
    all_servers.revive()


@pytest.fixture
async def scene(servers: Servers, clock: FixedClock, tmp_path: Path) -> AsyncIterator[Scene]:
    name = f"outage_{uuid4().hex[:8]}"
    await _run(
        with_database(servers.postgres.url, "postgres"),
        f"CREATE DATABASE {name} TEMPLATE creditplus",
    )
    settings = load_settings(
        {
            "CREDIT_DATABASE_URL": with_database(servers.postgres.url, name),
            "CREDIT_VALKEY_URL": servers.valkey.url,
            "CREDIT_PUBLIC_ORIGIN": ISSUER,
            "CREDIT_LOCAL_DIR": str(tmp_path),
            "CREDIT_KEK": encoded_key(KEK),
            "CREDIT_DIGEST_KEY": encoded_key(DIGEST_KEY),
        }
    )
    house = await open_house(settings, clock=clock)
    scene = await Scene(World(house)).set_up()
    yield scene
    await scene.world.close()
    await house.close()


async def health(scene: Scene) -> tuple[int, str, dict[str, str]]:
    """Return readiness: the HTTP status, the word for it, and how each check went."""
    answer = await scene.world.http.get("/health/ready")
    body = answer.json()
    return answer.status_code, body["status"], {e["name"]: e["status"] for e in body["checks"]}


async def everything_works(scene: Scene, serial: int) -> None:
    """A citizen comes in, agrees on the pages, and the library gets its yes."""
    app = await scene.world.reader_of(serial)
    tokens = await scene.world.tokens_of(await scene.world.browser_of(serial), scene.library)
    answer = await scene.world.check(scene.library, tokens.access)
    assert answer.json()["eligible"] is True
    assert len((await app.call("GET", "/v1/me/accesses")).json()["items"]) == 1


async def answers_to(scene: Scene, headers: dict[str, str], assertion: str) -> list[int]:
    """Send a used proof to the API and a used assertion to the authorization server."""
    http = scene.world.http
    api = await http.post(CHECKS, json={"programme": "library"}, headers=headers)
    form = {"token": scene.tokens.refresh}
    oauth = await scene.library.post("/oauth/introspect", form, assertion=assertion)
    return [api.status_code, oauth.status_code]


async def test_without_valkey_everything_goes_on_and_nothing_falls_open(
    scene: Scene, servers: Servers
) -> None:
    """Sign-in, pages, consent, tokens, checks; whatever was used before or meanwhile stays used."""
    used = [
        (proved(scene.library, scene.tokens.access, "POST", CHECKS), scene.library.assertion())
        for _ in range(2)
    ]
    assert await answers_to(scene, *used[0]) == [200, 200]
    servers.valkey.stop()
    status, word, checks = await health(scene)
    assert (status, word, checks["valkey"]) == (200, "degraded", "does not answer")
    assert await answers_to(scene, *used[0]) == [401, 401], "used before the outage"
    await everything_works(scene, serial=2)
    assert await answers_to(scene, *used[1]) == [200, 200]
    assert await answers_to(scene, *used[1]) == [401, 401], "used during the outage"
    servers.start_valkey()
    status, _, checks = await health(scene)
    assert (status, checks["valkey"]) == (200, "ok")
    for each in used:
        assert await answers_to(scene, *each) == [401, 401], "Valkey came back empty"
    await everything_works(scene, serial=3)


async def test_without_valkey_guessing_is_limited_as_before(scene: Scene, servers: Servers) -> None:
    """Five wrong codes, then the door is shut, for this phone and this address."""
    servers.valkey.stop()
    app, wrong = App(scene.world), {"phone": phone(7), "code": "999999"}
    tries = [(await app.call("POST", "/v1/sessions", wrong)).status_code for _ in range(6)]
    assert tries == [401] * 5 + [429]


async def test_with_valkey_frozen_one_waits_and_the_others_do_not(
    scene: Scene, servers: Servers
) -> None:
    """A server that answers nothing costs a second to find out, and then it is left alone."""
    with servers.frozen(servers.valkey):
        headers = proved(scene.library, scene.tokens.access, "POST", CHECKS)
        async with asyncio.timeout(10):
            assert await answers_to(scene, headers, scene.library.assertion()) == [200, 200]
        started = time.monotonic()
        for _ in range(20):
            assert (await scene.world.check(scene.library, scene.tokens.access)).status_code == 200
        assert time.monotonic() - started < 20 * 0.5, "not half a second each"
        again = await scene.world.http.post(CHECKS, json={}, headers=headers)
        problem_of(again, 401, "token_invalid")
        assert (await health(scene))[2]["valkey"] != "ok"
    await everything_works(scene, serial=2)


async def test_nobody_waits_for_ever_for_a_frozen_valkey(servers: Servers) -> None:
    """Whatever the client does on its own account, such as checking its connection's health."""
    client = Redis.from_url(
        servers.valkey.url, socket_timeout=0.1, retry=Retry(NoBackoff(), 1), health_check_interval=1
    )
    valkey = Valkey(client)
    assert await valkey.set_each_once(["replay:a"], [60]) == [True]
    await asyncio.sleep(1.1)
    with servers.frozen(servers.valkey):
        for ask in (valkey.ping, lambda: valkey.set_each_once(["replay:b"], [60])):
            async with asyncio.timeout(5):
                with pytest.raises(ValkeyDown):
                    await ask()
    await valkey.close()
    made = Valkey.open(servers.valkey.url)
    await made.ping()
    assert not made._client.connection_pool.connection_kwargs["health_check_interval"]
    await made.close()


async def test_without_postgres_everything_says_when_to_come_again(
    scene: Scene, servers: Servers
) -> None:
    """503 with Retry-After: a problem on the API, an error page on pages, OAuth's JSON there."""
    http = scene.world.http
    link = await scene.world.ask(scene.library)
    servers.postgres.stop()
    for method, path, scope in scene.protected_routes():
        sender = scene.sender_of(scope)
        answer = await http.request(method, path, headers=scene.signed(sender, method, path))
        unavailable(problem_of(answer, 503, "unavailable"), answer)
    code = {"phone": phone(5), "code": "123456"}
    identity = {"national_id": "11010519491231002X", "name": "林晓"}
    for path, body in (
        ("/v1/sign-in-codes", {"phone": phone(5)}),
        ("/v1/sessions", code),
        ("/v1/accounts", {**code, **identity}),
    ):
        answer = await App(scene.world).call("POST", path, body)
        unavailable(problem_of(answer, 503, "unavailable"), answer)
    told = [
        await scene.library.push(),
        await scene.library.redeem("cp_code_" + "A" * 43),
        await scene.library.refresh(scene.tokens.refresh),
        await scene.library.revoke(scene.tokens.refresh),
        await scene.library.introspect(scene.tokens.access),
        await http.get(link),
    ]
    for answer in told:
        oauth_error_of(answer, 503, "temporarily_unavailable")
        assert answer.headers["retry-after"] == "2"
    pages = [await scene.browser.http.get(path) for path in ("/", "/programmes", "/consent")]
    form = b"phone=13800000001&csrf=x"
    pages.append(await scene.browser.http.post("/programmes/enrol", content=form, headers=FORM))
    for page in pages:
        assert page.status_code == 503, page.text
        assert page.headers["content-type"].startswith("text/html")
        assert page.headers["retry-after"] == "2"
        assert "set-cookie" not in page.headers, "nobody is signed out by an outage"
    status, word, checks = await health(scene)
    assert (status, word, checks["valkey"]) == (503, "unavailable", "ok")
    for path in ("/health/live", "/problems/unavailable", "/openapi/openapi.json"):
        assert (await http.get(path)).status_code == 200


def unavailable(problem: dict[str, Any], answer: httpx.Response) -> None:
    """Hold a 503 to what a client needs, and to saying nothing of our inside."""
    assert answer.headers["retry-after"] == "2"
    assert "/tmp" not in str(problem)
    assert "asyncpg" not in str(problem)


async def test_postgres_comes_back_and_the_application_needs_no_restart(
    scene: Scene, servers: Servers
) -> None:
    """The same app, token, browser and refresh token go on where they were."""
    before = await scene.world.affairs()
    servers.postgres.stop()
    assert (await scene.world.check(scene.library, scene.tokens.access)).status_code == 503
    assert (await scene.app.call("GET", "/v1/me")).status_code == 503
    servers.start_postgres()
    assert await scene.world.affairs() == before
    assert (await scene.app.call("GET", "/v1/me")).status_code == 200
    assert (await scene.browser.open("/consents")).status == 200
    answer = await scene.world.check(scene.library, scene.tokens.access)
    assert answer.json()["eligible"] is True
    assert (await scene.library.refresh(scene.tokens.refresh)).status_code == 200
    await everything_works(scene, serial=2)
    status, _, checks = await health(scene)
    assert (status, checks["database"], checks["schema"]) == (200, "ok", "ok")


async def test_who_was_answered_before_postgres_fell_is_in_its_books(
    scene: Scene, servers: Servers
) -> None:
    """Checks and enrolments run while it is stopped: 200 means written, all else is a 503."""
    asked: list[asyncio.Task[httpx.Response]] = []
    leaving = await scene.app.call("GET", "/v1/me/programmes/library")
    path = f"/v1/me/enrolments/{leaving.json()['enrolment']['enrolment_id']}"

    async def ask_on() -> None:
        while True:
            asked.append(asyncio.create_task(scene.world.check(scene.library, scene.tokens.access)))
            await asyncio.sleep(0.005)

    async with scene.world.database.write() as tx:
        await tx.execute("UPDATE consent SET detail = jsonb_set(detail, '{per_day}', '100000')")
    asking = asyncio.create_task(ask_on())
    await asyncio.sleep(0.2)
    await asyncio.to_thread(servers.postgres.stop)
    deleted = await scene.app.call("DELETE", path)
    asking.cancel()
    answers = await asyncio.gather(*asked)
    assert {answer.status_code for answer in answers} <= {200, 503}
    assert {200, 503} <= {answer.status_code for answer in answers}, "it fell while they asked"
    assert deleted.status_code == 503
    # In this thread: the kernel ends a server with the thread that started it.
    servers.start_postgres()
    for answer in answers:
        if answer.status_code == 200:
            decision_id = answer.json()["decision_id"]
            assert await scene.world.count("decision", "decision_id = $1", decision_id) == 1
            assert await scene.world.count("access_entry", "decision_id = $1", decision_id) == 1
    assert await scene.world.count("decision") == await scene.world.count("access_entry")
    assert await scene.world.count("enrolment", "ended_at IS NULL") == 1
    assert (await scene.app.call("DELETE", path)).status_code == 204


async def test_nobody_waits_for_ever_for_a_frozen_postgres(
    scene: Scene, servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection that answers nothing is given up, and with it the place in the queue."""
    monkeypatch.setattr("backend.kit.postgres._OVERDUE_SECONDS", 0)
    url = scene.world.house.settings.database_url
    assert url is not None
    database = await Database.open(url, size=1, statement_timeout_seconds=1)
    async with database.read() as tx:
        assert await tx.fetch_value(int, "SELECT 1") == 1
    with servers.frozen(servers.postgres):
        async with asyncio.timeout(15):
            with pytest.raises(Unavailable):
                async with database.read() as tx:
                    await tx.fetch_value(int, "SELECT 1")
            assert (await health(scene))[:2] == (503, "unavailable")
    async with database.read() as tx:
        assert await tx.fetch_value(int, "SELECT 1") == 1
    await database.close()
