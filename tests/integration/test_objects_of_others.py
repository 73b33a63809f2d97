"""Goal: nobody reads, changes or even recognises what is somebody else's.

Method: the real application in process. Each object that has an id, a secret or a cursor is tried
by each principal that is not its owner; the answer must be the one that an id nobody ever had
gets, byte for byte, and no table may have changed.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from uuid import UUID, uuid4

import httpx
import pytest

from backend.app import House
from tests.support.oauth_client import OauthClient
from tests.support.web import Browser
from tests.support.world import App, Tokens, World, oauth_error_of, problem_of

Send = Callable[[], Awaitable[httpx.Response]]
INTRUDERS = ("participant", "stranger", "signed_out")
PARTNERS = ("another_partner", "same_partner")


class Scene:
    """Lin, who has one of everything, and everybody who has no business with it."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.apps: dict[str, App] = {}
        self.clients: dict[str, OauthClient] = {}

    async def set_up(self) -> "Scene":
        world = self.world
        self.library = await world.found()
        self.lin = await world.reader_of(1)
        self.browser = await world.browser_of(1)
        self.tokens: Tokens = await world.tokens_of(self.browser, self.library)
        await world.check(self.library, self.tokens.access)
        self.apps["participant"] = await world.reader_of(2)
        self.apps["stranger"] = await world.app_of(3)
        self.apps["signed_out"] = await world.app_of(4, joins=True)
        await self.apps["signed_out"].call("DELETE", "/v1/sessions/current")
        self.clients["another_partner"] = await world.client_of("city-tourism", "tour-demo")
        self.clients["same_partner"] = await world.client_of("city-library", "library-kiosk")
        consents = (await self.lin.call("GET", "/v1/me/consents")).json()["items"]
        offer = (await self.lin.call("GET", "/v1/me/programmes/library")).json()
        self.paths = {
            "consent": f"/v1/me/consents/{consents[0]['consent_id']}",
            "enrolment": f"/v1/me/enrolments/{offer['enrolment']['enrolment_id']}",
        }
        return self

    async def unchanged(self, send: Send) -> httpx.Response:
        """Send a request that must change nothing."""
        before = await self.world.affairs()
        answer = await send()
        assert await self.world.affairs() == before, answer.text
        return answer


@pytest.fixture
async def scene(house: House) -> AsyncIterator[Scene]:
    world = World(house)
    yield await Scene(world).set_up()
    await world.close()


def same(answer: httpx.Response, other: httpx.Response) -> bool:
    """Whether two answers differ in nothing but the request they name."""
    return comparable(answer) == comparable(other)


def comparable(answer: httpx.Response) -> tuple[int, dict[str, str], str]:
    headers = {name: value for name, value in answer.headers.items() if name != "x-request-id"}
    return answer.status_code, headers, answer.text.replace(answer.headers["x-request-id"], "")


@pytest.mark.parametrize("kind", ["consent", "enrolment"])
@pytest.mark.parametrize("intruder", INTRUDERS)
async def test_a_citizens_object_is_not_there_for_another(
    scene: Scene, kind: str, intruder: str
) -> None:
    """404 as for an id that nobody ever had; 401 for one who is signed out."""
    app, path = scene.apps[intruder], scene.paths[kind]
    answer = await scene.unchanged(lambda: app.call("DELETE", path))
    if intruder == "signed_out":
        problem_of(answer, 401, "token_invalid")
    else:
        problem_of(answer, 404, "not_found")
    unknown = await app.call("DELETE", f"{path.rpartition('/')[0]}/{uuid4()}")
    assert same(answer, unknown)
    assert (await scene.lin.call("DELETE", path)).status_code == 204, "its owner finds it"


@pytest.mark.parametrize("kind", ["consent", "enrolment"])
@pytest.mark.parametrize("client", ["library", *PARTNERS])
async def test_a_partners_token_opens_nothing_of_the_citizens(
    scene: Scene, kind: str, client: str
) -> None:
    """Not even the consent that the token stands on."""
    if client == "library":
        holder, token = scene.library, scene.tokens.access
        problem = (403, "scope_insufficient")
    else:
        holder, token = scene.clients[client], scene.tokens.access
        problem = (401, "token_invalid")
    path = scene.paths[kind]
    headers = {
        "authorization": f"DPoP {token}",
        "dpop": holder.proof("DELETE", path, access_token=token),
    }
    answer = await scene.unchanged(lambda: scene.world.http.delete(path, headers=headers))
    problem_of(answer, *problem)


@pytest.mark.parametrize(
    "path",
    [
        *("/v1/me/accesses", "/v1/me/consents", "/v1/me/records", "/v1/me/programmes"),
        *("/v1/me/score", "/v1/me/score/history", "/v1/me/score/changes"),
    ],
)
async def test_lists_hold_the_own_things_only(scene: Scene, path: str) -> None:
    """What Lin sees has ids; none of them is in what anybody else sees."""
    hers = (await scene.lin.call("GET", path)).text
    subject = str(await scene.lin.subject_id)
    assert subject not in hers, "not even she is shown the pseudonym"
    for name in ("participant", "stranger"):
        theirs = (await scene.apps[name].call("GET", path)).text
        assert not ids_in(hers) & ids_in(theirs)


def ids_in(text: str) -> set[str]:
    """Return every UUID in a text."""
    found = set()
    for word in text.replace('"', " ").split():
        try:
            found.add(str(UUID(word)))
        except ValueError:
            continue
    return found


@pytest.mark.parametrize("path", ["/v1/me/accesses", "/v1/me/consents", "/v1/me/records"])
async def test_a_cursor_of_another_citizen_opens_no_page_of_hers(scene: Scene, path: str) -> None:
    """A cursor is a place in one's own list, whoever made it."""
    for _ in range(2):
        await scene.world.check(scene.library, scene.tokens.access)
    await scene.world.tokens_of(scene.browser, scene.library)
    page = (await scene.lin.call("GET", f"{path}?page_size=1")).json()
    assert page["next_cursor"] is not None
    address = f"{path}?cursor={page['next_cursor']}"
    hers = (await scene.lin.call("GET", address)).text
    theirs = await scene.unchanged(lambda: scene.apps["participant"].call("GET", address))
    assert theirs.status_code == 200
    assert not ids_in(hers) & ids_in(theirs.text)
    assert ids_in(hers)


@pytest.mark.parametrize("kind", ["repair", "expire"])
async def test_nobody_tries_out_what_is_on_record_about_another(scene: Scene, kind: str) -> None:
    """A record of hers is, to anybody else, one that never was."""
    record_id = (await scene.lin.call("GET", "/v1/me/records")).json()["items"][0]["record_id"]
    for name in ("participant", "stranger"):
        app = scene.apps[name]
        bodies = [
            {"changes": [{"kind": kind, "record_id": each}]} for each in (record_id, str(uuid4()))
        ]
        send = partial(app.call, "POST", "/v1/me/score/simulations")
        answers = [await scene.unchanged(partial(send, body)) for body in bodies]
        assert answers[0].status_code in (404, 422)
        assert same(*answers)


@pytest.mark.parametrize("client", PARTNERS)
async def test_another_clients_access_token_is_nothing(scene: Scene, client: str) -> None:
    """Not to use (its key is missing), not to describe, not to revoke."""
    other, token = scene.clients[client], scene.tokens.access
    problem_of(await scene.unchanged(lambda: scene.world.check(other, token)), 401, "token_invalid")
    described = await scene.unchanged(lambda: other.introspect(token))
    assert described.json() == {"active": False}
    assert same(described, await other.introspect("cp_at_" + "A" * 43))
    oauth_error_of(await scene.unchanged(lambda: other.revoke(token)), 400, "invalid_grant")
    yes = await scene.world.check(scene.library, token)
    assert yes.json()["eligible"] is True


@pytest.mark.parametrize("client", PARTNERS)
async def test_another_clients_refresh_token_is_nothing(scene: Scene, client: str) -> None:
    """Answered as one that nobody knows; it stays good for its owner."""
    other, token = scene.clients[client], scene.tokens.refresh
    answer = await scene.unchanged(lambda: other.refresh(token))
    oauth_error_of(answer, 400, "invalid_grant")
    assert same(answer, await other.refresh("cp_rt_" + "A" * 43))
    assert (await scene.unchanged(lambda: other.introspect(token))).json() == {"active": False}
    oauth_error_of(await scene.unchanged(lambda: other.revoke(token)), 400, "invalid_grant")
    assert (await scene.library.refresh(token)).status_code == 200


@pytest.mark.parametrize("client", PARTNERS)
async def test_another_clients_code_is_nothing_and_stays_good(scene: Scene, client: str) -> None:
    """A code that leaked through a redirect can't be used, nor spoiled, by its finder."""
    other = scene.clients[client]
    told = await scene.world.answer(scene.browser, await scene.world.ask(scene.library))
    other.verifier = scene.library.verifier
    answer = await scene.unchanged(lambda: other.redeem(told["code"]))
    oauth_error_of(answer, 400, "invalid_grant")
    assert same(answer, await other.redeem("cp_code_" + "A" * 43))
    assert (await scene.library.redeem(told["code"])).status_code == 200


@pytest.mark.parametrize("client", PARTNERS)
async def test_another_clients_request_can_not_be_opened(scene: Scene, client: str) -> None:
    """RFC 9126 section 2.2: a request_uri is bound to the client that pushed it."""
    link = httpx.URL(await scene.world.ask(scene.library))
    theirs = link.copy_set_param("client_id", scene.clients[client].client_id)
    answer = await scene.unchanged(lambda: scene.world.http.get(theirs))
    unknown = theirs.copy_set_param("request_uri", "urn:ietf:params:oauth:request_uri:" + "A" * 43)
    assert answer.status_code == 400
    assert "location" not in answer.headers
    assert same(answer, await scene.world.http.get(unknown))
    assert (await scene.world.http.get(link)).status_code == 303


async def test_a_request_that_one_answered_is_over_for_everybody(scene: Scene) -> None:
    """The second citizen at the same link is told, and gives nothing."""
    link = await scene.world.ask(scene.library)
    await scene.world.answer(scene.browser, link)
    second = await scene.world.browser_of(2)
    before = await scene.world.affairs()
    page = await second.open(link)
    assert page.status == 400
    request_uri = httpx.URL(link).params["request_uri"]
    page = await second.open(f"/consent?request_uri={request_uri}")
    assert page.status == 410
    assert page.forms == [form for form in page.forms if form.action == "/sign-out"]
    assert await scene.world.affairs() == before


@pytest.mark.parametrize(
    ("page", "action", "field"),
    [
        ("/consents", "/consents/withdraw", "consent_id"),
        ("/programmes", "/programmes/leave", "enrolment_id"),
    ],
)
async def test_a_page_ends_nothing_of_another(
    scene: Scene, page: str, action: str, field: str
) -> None:
    """Her form in another browser is foreign; an own form about her thing finds nothing."""
    hers = next(form for form in (await scene.browser.open(page)).forms if form.action == action)
    assert hers.fields[field]
    intruder = await scene.world.browser_of(2)
    before = await scene.world.affairs()
    assert (await intruder.submit(hers)).status == 403
    token = scene.world.form_token(
        intruder, {"consent_id": "withdraw"}.get(field, "leave-enrolment"), hers.fields[field]
    )
    assert (await intruder.submit(hers, csrf=token)).status == 404
    assert await scene.world.affairs() == before
    assert (await scene.browser.submit(hers)).status == 303


async def test_an_idempotency_key_is_a_citizens_own(scene: Scene) -> None:
    """The same key of another citizen is another request: no answer of hers comes out."""
    await scene.world.make_reader(5)
    fourth, fifth = (
        await scene.world.reader_of(6, enrols=()),
        await scene.world.app_of(5, joins=True),
    )
    key = {"idempotency-key": "k" * 32}
    body = {"programme": "library"}
    first = await fourth.call("POST", "/v1/me/enrolments", body, headers=key)
    second = await fifth.call("POST", "/v1/me/enrolments", body, headers=key)
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json()["enrolment_id"] != second.json()["enrolment_id"]


async def test_two_clients_know_one_citizen_apart_unless_they_are_one_partner(
    scene: Scene,
) -> None:
    """Pairwise by partner: a library and a tourist office can't join their books."""
    browser: Browser = scene.browser
    subjects = {}
    wants = {"library": scene.library, **scene.clients}
    for name, client in wants.items():
        code = "tourism" if name == "another_partner" else "library"
        tokens = await scene.world.tokens_of(browser, client, code)
        subjects[name] = (await client.introspect(tokens.access)).json()["sub"]
    assert subjects["library"] == subjects["same_partner"]
    assert subjects["library"] != subjects["another_partner"]
