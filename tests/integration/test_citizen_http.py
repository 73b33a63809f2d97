"""Goal: the citizen's doors over HTTP let in who should be, and answer the rest as documented.

Method: the handlers in process on a real PostgreSQL and Valkey; a first-party app with a key of
its own signs each call (RFC 9449). The clock stands until the test moves it.
"""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx
import pytest

from backend.access.rules import CITIZEN_SCOPES
from backend.citizen.service import CURRENT_NOTICE
from backend.kit.clock import FixedClock
from backend.kit.crypto import Vault
from backend.kit.postgres import Database
from backend.kit.valkey import Valkey
from tests.conftest import NOW
from tests.support.citizen import national_id, phone
from tests.support.citizen_world import App, CitizenWorld, open_world

MINOR = "999999200901010019"
JOINING = {"notice_version": CURRENT_NOTICE.version}


@pytest.fixture
async def world(
    database: Database, valkey: Valkey, vault: Vault, clock: FixedClock
) -> AsyncIterator[CitizenWorld]:
    async with open_world(database, valkey, vault, clock) as world:
        yield world


def refused(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """Return the members of a refusal, which is problem details (RFC 9457) of this code."""
    assert answer.headers["content-type"].startswith("application/problem+json"), answer.text
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (status, code)
    return problem


async def test_a_citizen_registers_joins_leaves_and_is_gone(world: CitizenWorld) -> None:
    """The whole life of an account, and a token bound to the key it was made for."""
    app = await world.app_of()
    me = (await app.call("GET", "/v1/me")).json()
    assert me == {
        "name_masked": "林*",
        "phone_masked": "138****0001",
        "joined_at": None,
        "created_at": "2026-11-20T02:00:00Z",
    }
    before = (await app.call("GET", "/v1/me/participation")).json()
    assert (before["joined_at"], before["accepted_version"]) == (None, None)
    assert before["notice"]["version"] == CURRENT_NOTICE.version
    assert "自愿" in before["notice"]["text_zh"]
    for _ in range(2):
        joined = await app.call("PUT", "/v1/me/participation", JOINING)
        assert joined.status_code == 200
        assert joined.json()["joined_at"] == "2026-11-20T02:00:00Z"
    for _ in range(2):
        assert (await app.call("DELETE", "/v1/me/participation")).status_code == 204
    assert (await app.call("GET", "/v1/me/participation")).json()["joined_at"] is None
    for topic in ("citizen.joined", "citizen.left"):
        assert await world.count("outbox", "topic = $1", topic) == 1, topic
    assert (await app.call("DELETE", "/v1/me")).status_code == 204
    refused(await app.call("GET", "/v1/me"), 401, "token_invalid")


async def test_a_session_says_what_it_is_and_is_not_kept_by_caches(world: CitizenWorld) -> None:
    """DPoP, thirty days, every citizen scope; no-store."""
    await world.app_of()
    app = App(world)
    await app.call("POST", "/v1/sign-in-codes", {"phone": phone(1)})
    answer = await app.call("POST", "/v1/sessions", {"phone": phone(1), "code": world.inbox.code})
    assert answer.status_code == 201
    session = answer.json()
    assert session["access_token"].startswith("cp_st_")
    assert session["token_type"] == "DPoP"
    assert session["expires_in"] == 30 * 24 * 3600
    assert set(session["scope"].split()) == CITIZEN_SCOPES
    assert answer.headers["cache-control"] == "no-store"


async def test_signing_out_kills_this_session_and_no_other(world: CitizenWorld) -> None:
    """Each install has its own."""
    first = await world.app_of()
    second = App(world)
    await second.call("POST", "/v1/sign-in-codes", {"phone": phone(1)})
    answer = await second.call(
        "POST", "/v1/sessions", {"phone": phone(1), "code": world.inbox.code}
    )
    second.token = answer.json()["access_token"]
    assert (await first.call("DELETE", "/v1/sessions/current")).status_code == 204
    refused(await first.call("GET", "/v1/me"), 401, "token_invalid")
    assert (await second.call("GET", "/v1/me")).status_code == 200
    world.clock.advance(timedelta(days=30))
    refused(await second.call("GET", "/v1/me"), 401, "token_invalid")


async def test_a_stolen_token_is_of_no_use_with_another_key(world: CitizenWorld) -> None:
    """Bound to the install: neither another key, nor Bearer, nor a used proof gets in."""
    app, thief = await world.app_of(), App(world)
    thief.token = app.token
    refused(await thief.call("GET", "/v1/me"), 401, "token_invalid")
    bearer = {"authorization": f"Bearer {app.token}"}
    refused(await app.call("GET", "/v1/me", headers=bearer), 401, "token_invalid")
    proof = {"dpop": app.signer.proof("GET", "/v1/me", access_token=app.token)}
    assert (await app.call("GET", "/v1/me", headers=proof)).status_code == 200
    refused(await app.call("GET", "/v1/me", headers=proof), 401, "token_invalid")


async def test_asking_for_a_code_answers_the_same_for_every_phone(world: CitizenWorld) -> None:
    """Known, unknown, asked too often, gateway away: one status, one body, the same headers."""
    app = await world.app_of(1)
    answers = [
        await world.http.post("/v1/sign-in-codes", json={"phone": number})
        for number in (phone(1), phone(2), "138 0000 0003", *[phone(4)] * 6)
    ]
    assert len(world.inbox.texts) == 1 + 3 + 5, "the sixth to one phone was withheld"
    world.inbox.away = True
    answers.append(await app.call("POST", "/v1/sign-in-codes", {"phone": phone(1)}))
    assert {answer.status_code for answer in answers} == {202}
    assert {answer.content for answer in answers} == {b'{"expires_in":300}'}
    headers = [{**answer.headers, "x-request-id": ""} for answer in answers]
    assert all(each == headers[0] for each in headers)


async def test_five_wrong_codes_then_the_door_is_shut_for_a_while(world: CitizenWorld) -> None:
    """401 with a way in, then 429 with Retry-After; the failed tries were committed."""
    await world.app_of()
    for _ in range(5):
        answer = await App(world).call(
            "POST", "/v1/sessions", {"phone": phone(1), "code": "999999"}
        )
        refused(answer, 401, "sign_in_failed")
        assert answer.headers["www-authenticate"].startswith("DPoP ")
    await world.http.post("/v1/sign-in-codes", json={"phone": phone(1)})
    right = {"phone": phone(1), "code": world.inbox.code}
    answer = await App(world).call("POST", "/v1/sessions", right)
    problem = refused(answer, 429, "sign_in_throttled")
    assert answer.headers["retry-after"] == "600" == str(problem["retry_after_seconds"])
    world.clock.advance(timedelta(minutes=10))
    await world.http.post("/v1/sign-in-codes", json={"phone": phone(1)})
    right = {"phone": phone(1), "code": world.inbox.code}
    assert (await App(world).call("POST", "/v1/sessions", right)).status_code == 201


async def test_a_phone_without_an_account_learns_so_by_its_own_code_only(
    world: CitizenWorld,
) -> None:
    """A wrong code fails as for everybody; the right one leads to registering with it."""
    app = App(world)
    await app.call("POST", "/v1/sign-in-codes", {"phone": phone(1)})
    wrong = await app.call("POST", "/v1/sessions", {"phone": phone(1), "code": "999999"})
    refused(wrong, 401, "sign_in_failed")
    body = {"phone": phone(1), "code": world.inbox.code}
    refused(await app.call("POST", "/v1/sessions", body), 404, "account_missing")
    body |= {"national_id": national_id(1), "name": "林晓"}
    assert (await app.call("POST", "/v1/accounts", body)).status_code == 201
    refused(await app.call("POST", "/v1/accounts", body), 401, "sign_in_failed")


async def test_a_second_account_is_refused_and_nothing_is_said_of_the_first(
    world: CitizenWorld,
) -> None:
    """One for an identity, one for a phone."""
    await world.app_of(1)
    for serial, number in ((2, national_id(1)), (1, national_id(2))):
        await world.http.post("/v1/sign-in-codes", json={"phone": phone(serial)})
        person = {"national_id": number, "name": "林晓"}
        body = {"phone": phone(serial), "code": world.inbox.code, **person}
        problem = refused(
            await App(world).call("POST", "/v1/accounts", body), 409, "account_exists"
        )
        assert set(problem) == {
            *("type", "title", "title_zh", "status", "detail", "code", "request_id")
        }


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"national_id": national_id(1)[:-1] + "?"}, "national_id_invalid"),
        ({"name": "林\u202e晓"}, "name_invalid"),
        ({"phone": "010-65551234"}, "phone_invalid"),
    ],
)
async def test_what_is_typed_wrongly_is_named_and_not_repeated(
    world: CitizenWorld, changes: dict[str, str], code: str
) -> None:
    """422 with the fault; what was typed isn't in the answer."""
    await world.http.post("/v1/sign-in-codes", json={"phone": phone(1)})
    body = {"phone": phone(1), "code": world.inbox.code, "name": "林晓"}
    body |= {"national_id": national_id(1), **changes}
    answer = await App(world).call("POST", "/v1/accounts", body)
    refused(answer, 422, code)
    assert all(value not in answer.text for value in changes.values())


async def test_a_minor_is_refused(world: CitizenWorld) -> None:
    """Eighteen in the city's calendar; nothing is opened."""
    await world.http.post("/v1/sign-in-codes", json={"phone": phone(1)})
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    total = sum(int(d) * w for d, w in zip(MINOR[:17], weights, strict=True))
    number = MINOR[:17] + "10X98765432"[total % 11]
    body = {"phone": phone(1), "code": world.inbox.code, "name": "陈晨", "national_id": number}
    refused(await App(world).call("POST", "/v1/accounts", body), 422, "under_age")


async def test_joining_needs_the_notice_in_force(world: CitizenWorld) -> None:
    """The refusal names the version to show."""
    app = await world.app_of()
    answer = await app.call("PUT", "/v1/me/participation", {"notice_version": "2025-01"})
    problem = refused(answer, 409, "notice_outdated")
    assert problem["current_version"] == CURRENT_NOTICE.version


@pytest.mark.parametrize("path", ["/v1/accounts", "/v1/sessions"])
async def test_a_session_is_only_made_for_a_key_that_proves_itself(
    world: CitizenWorld, path: str
) -> None:
    """No proof, two proofs, one for another address, an old one, a used one: 400, code kept."""
    await world.http.post("/v1/sign-in-codes", json={"phone": phone(1)})
    body = {"phone": phone(1), "code": world.inbox.code}
    if path == "/v1/accounts":
        body |= {"national_id": national_id(1), "name": "林晓"}
    app = App(world)
    used = app.signer.proof("POST", path)
    await world.http.post(path, json={**body, "code": "999999"}, headers={"dpop": used})
    proofs = [
        [],
        [app.signer.proof("POST", path), app.signer.proof("POST", path)],
        [app.signer.proof("POST", "/v1/other")],
        [app.signer.proof("GET", path)],
        [app.signer.proof("POST", path, claims={"iat": int(NOW.timestamp()) - 61})],
        ["nonsense"],
        ["x" * 9000],
        [used],
    ]
    for each in proofs:
        answer = await world.http.post(path, json=body, headers=[("dpop", proof) for proof in each])
        assert "reason" in refused(answer, 400, "dpop_proof_invalid")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/sign-in-codes", {"phone": phone(1), "more": 1}),
        ("/v1/sign-in-codes", {"phone": 13800138000}),
        ("/v1/sign-in-codes", {}),
        ("/v1/sign-in-codes", []),
        ("/v1/sign-in-codes", {"phone": "1" * 33}),
        ("/v1/sessions", {"phone": phone(1), "code": "12345"}),
        ("/v1/sessions", {"phone": phone(1), "code": "1234567"}),
        ("/v1/sessions", {"phone": phone(1), "code": "12345６"}),
        ("/v1/sessions", {"phone": phone(1), "code": "123456\n"}),
        ("/v1/sessions", {"phone": phone(1)}),
        ("/v1/accounts", {"phone": phone(1), "code": "123456", "name": None, "national_id": "1"}),
    ],
)
async def test_a_body_of_another_shape_is_refused(
    world: CitizenWorld, path: str, body: object
) -> None:
    """Unknown members, wrong types, missing and overlong ones: 400 body_invalid."""
    refused(await App(world).call("POST", path, body), 400, "body_invalid")


BROKEN = [b"{", b"", b'"\xff"', b'{"phone": "\xff\xfe"}', b"[" * 5000, b'{"phone": "\\ud800"}']


@pytest.mark.parametrize("content", BROKEN)
async def test_broken_json_and_broken_utf8_are_refused(world: CitizenWorld, content: bytes) -> None:
    """400, and the service goes on."""
    headers = {"content-type": "application/json"}
    answer = await world.http.post("/v1/sign-in-codes", content=content, headers=headers)
    refused(answer, 400, "body_invalid")


async def test_a_body_of_65_kilobytes_is_refused(world: CitizenWorld) -> None:
    """The limit is 64 KB."""
    body = {"phone": "1" * 65_536}
    refused(await world.http.post("/v1/sign-in-codes", json=body), 413, "body_too_large")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/me"),
        ("DELETE", "/v1/me"),
        ("GET", "/v1/me/participation"),
        ("PUT", "/v1/me/participation"),
        ("DELETE", "/v1/me/participation"),
        ("DELETE", "/v1/sessions/current"),
        ("GET", "/v1/me/consents"),
        ("DELETE", "/v1/me/consents/01900000-0000-7000-8000-000000000001"),
    ],
)
async def test_nothing_of_a_citizen_is_open_without_a_token(
    world: CitizenWorld, method: str, path: str
) -> None:
    """Neither without one, nor with one that nobody gave out."""
    refused(await world.http.request(method, path), 401, "token_invalid")
    app = App(world)
    app.token = "cp_st_" + "A" * 43
    refused(await app.call(method, path), 401, "token_invalid")


async def test_one_code_sent_twice_at_once_makes_one_account(world: CitizenWorld) -> None:
    """A double tap: one 201; whoever is second is told, and nothing is half done."""
    await world.http.post("/v1/sign-in-codes", json={"phone": phone(1)})
    person = {"national_id": national_id(1), "name": "林晓"}
    body = {"phone": phone(1), "code": world.inbox.code, **person}
    app = App(world)
    answers = await asyncio.gather(*(app.call("POST", "/v1/accounts", body) for _ in range(4)))
    statuses = sorted(answer.status_code for answer in answers)
    assert statuses == [201, 401, 401, 401]


async def test_with_valkey_down_signing_in_goes_on_and_the_limits_hold(
    world: CitizenWorld, database: Database, vault: Vault, clock: FixedClock
) -> None:
    """Codes, tries and proofs are counted in PostgreSQL: nothing falls open."""
    nowhere = Valkey.open("redis://127.0.0.1:1/0")
    async with open_world(database, nowhere, vault, clock) as dark:
        app = await dark.app_of(1, joins=True)
        proof = {"dpop": app.signer.proof("GET", "/v1/me", access_token=app.token)}
        assert (await app.call("GET", "/v1/me", headers=proof)).status_code == 200
        refused(await app.call("GET", "/v1/me", headers=proof), 401, "token_invalid")
        wrong = {"phone": phone(2), "code": "999999"}
        statuses = [
            (await App(dark).call("POST", "/v1/sessions", wrong)).status_code for _ in range(6)
        ]
        assert statuses == [401] * 5 + [429]
    await nowhere.close()
