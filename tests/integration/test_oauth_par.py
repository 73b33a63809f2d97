"""Goal: nothing but a well-formed request of an authenticated client is pushed (RFC 9126).

Method: the raw test client against the real server over ASGI, breaking one thing a time: the
body, the assertion, the proof, the parameters, the database.
"""

from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest

from backend.kit.clock import FixedClock
from backend.kit.crypto import Vault
from backend.kit.postgres import Database
from backend.kit.valkey import Valkey
from tests.conftest import NOW
from tests.support.oauth_client import DROP, ISSUER, JWT_BEARER, OauthClient, new_key
from tests.support.oauth_world import OauthWorld, open_world

PAR = "/oauth/par"
FORM = "application/x-www-form-urlencoded"


@pytest.fixture
async def world(
    database: Database, valkey: Valkey, vault: Vault, clock: FixedClock
) -> AsyncIterator[OauthWorld]:
    async with open_world(database, valkey, vault, clock) as world:
        yield world


def refused(answer: httpx.Response, error: str, status: int = 400) -> None:
    assert (answer.status_code, answer.json()["error"]) == (status, error), answer.text
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    assert set(answer.json()) == {"error", "error_description"}


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": DROP}, "invalid_request"),
        ({"redirect_uri": "https://evil.example/"}, "invalid_request"),
        ({"code_challenge": DROP}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"request_uri": "urn:x"}, "invalid_request"),
        ({"request": "x"}, "request_not_supported"),
        ({"scope": "openid"}, "invalid_scope"),
        ({"authorization_details": "[]"}, "invalid_authorization_details"),
        (
            {"authorization_details": '[{"type":"eligibility","programme":"x","purpose":"y"}]'},
            "invalid_authorization_details",
        ),
        ({"dpop_jkt": "short"}, "invalid_request"),
        ({"resource": "https://x.example"}, "invalid_target"),
        ({"client_id": "somebody-else"}, "invalid_request"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else value,
)
async def test_a_request_that_breaks_the_profile_is_refused(
    world: OauthWorld, changes: dict[str, Any], error: str
) -> None:
    refused(await world.library.push(**changes), error)


async def test_long_state_and_nonce_come_back_whole(world: OauthWorld) -> None:
    state = "s" * 1200
    request_uri = (await world.library.push(state=state, nonce="n" * 64)).json()["request_uri"]
    await world.open_page(world.library, request_uri)
    assert f"state={state}&" in await world.answer(request_uri)


@pytest.mark.parametrize("name", ["state", "client_id", "client_assertion", "unknown"])
async def test_6749_3_1_a_parameter_given_twice_is_refused(world: OauthWorld, name: str) -> None:
    library = world.library
    extra = f"&{name}=a" if name != "unknown" else "&unknown=a&unknown=b"
    answer = await library.post(PAR, library.request_form(), extra=extra)
    refused(answer, "invalid_request")


@pytest.mark.parametrize(
    ("body", "media_type"),
    [
        (b"", FORM),
        (b"{}", "application/json"),
        (b"x", FORM),
        (b"a=%FF", FORM),
        (b"\xff\xfe", FORM),
        (b"a=" + b"x" * 70_000, FORM),
        (b"&".join(b"p%d=1" % number for number in range(100)), FORM),
    ],
    ids=["empty", "json", "no form", "percent", "utf-8", "65 KB", "100 parameters"],
)
async def test_bodies_that_are_no_form(world: OauthWorld, body: bytes, media_type: str) -> None:
    for path in (PAR, "/oauth/token", "/oauth/revoke", "/oauth/introspect"):
        answer = await world.http.post(path, content=body, headers={"content-type": media_type})
        assert answer.status_code in (400, 401)
        assert answer.json()["error"] in ("invalid_request", "invalid_client")


async def test_a_streamed_body_is_cut_off_at_64_kb(world: OauthWorld) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(1000):
            yield b"a" * 8192

    answer = await world.http.post(PAR, content=endless(), headers={"content-type": FORM})
    refused(answer, "invalid_request")


async def test_9126_2_1_the_endpoint_takes_only_posts(world: OauthWorld) -> None:
    for path in (PAR, "/oauth/token", "/oauth/revoke", "/oauth/introspect"):
        assert (await world.http.get(path)).status_code == 405


async def test_6749_2_3_without_authentication_nothing_is_pushed(world: OauthWorld) -> None:
    library = world.library
    form = library.request_form()
    headers = {"content-type": FORM}
    plain = await world.http.post(PAR, content=urlencode(form), headers=headers)
    refused(plain, "invalid_client", 401)
    secret = urlencode({**form, "client_secret": "x"})
    refused(await world.http.post(PAR, content=secret, headers=headers), "invalid_client", 401)
    basic = await world.http.post(
        PAR, content=urlencode(form), headers=headers, auth=("library-demo", "x")
    )
    refused(basic, "invalid_client", 401)


@pytest.mark.parametrize(
    "changes",
    [
        {"claims": {"aud": [ISSUER]}},
        {"claims": {"aud": ISSUER + PAR}},
        {"claims": {"exp": int(NOW.timestamp()) + 3600}},
        {"claims": {"exp": int(NOW.timestamp()) - 1}},
        {"claims": {"iat": int(NOW.timestamp()) + 61}},
        {"claims": {"nbf": int(NOW.timestamp()) + 61}},
        {"claims": {"jti": DROP}},
        {"claims": {"iss": "other"}},
        {"header": {"alg": "none"}},
        {"header": {"alg": "RS256"}},
        {"header": {"alg": "HS256"}},
        {"header": {"typ": "dpop+jwt"}},
        {"key": new_key()},
    ],
    ids=lambda changes: str(next(iter(changes.values())))[:30],
)
async def test_7523_3_a_broken_assertion_is_refused(
    world: OauthWorld, changes: dict[str, Any]
) -> None:
    library = world.library
    assertion = library.assertion(**changes)
    answer = await library.post(PAR, library.request_form(), assertion=assertion)
    refused(answer, "invalid_client", 401)


@pytest.mark.parametrize("client_id", ["nobody", "", "x" * 5000, "a\0b", "Library", "é", "a'; --"])
async def test_unknown_clients_are_refused_whatever_they_call_themselves(
    world: OauthWorld, client_id: str
) -> None:
    stranger = OauthClient(world.http, world.clock, client_id=client_id)
    answer = await stranger.push(client_id=DROP)
    refused(answer, "invalid_client", 401)


@pytest.mark.parametrize("algorithm", ["PS256", "Ed25519"])
async def test_fapi_5_4_1_the_other_algorithms_work_too(world: OauthWorld, algorithm: str) -> None:
    client = OauthClient(
        world.http,
        world.clock,
        client_id="other",
        key=new_key(algorithm),
        dpop_key=new_key(algorithm),
    )
    await world.register(client)
    assert (await world.tokens(client))["token_type"] == "DPoP"


async def test_9449_10_1_parameter_and_proof_name_the_same_key(world: OauthWorld) -> None:
    library = world.library
    proof = library.proof("POST", PAR)
    assert (await library.push(proof=proof, dpop_jkt=library.jkt)).status_code == 201
    other = new_key().thumbprint()
    answer = await library.push(proof=library.proof("POST", PAR), dpop_jkt=other)
    refused(answer, "invalid_request")
    refused(await library.push(proof=proof), "invalid_dpop_proof")
    refused(await library.push(proof=library.proof("POST", "/x")), "invalid_dpop_proof")


async def test_a_body_with_the_assertion_type_alone_is_no_authentication(
    world: OauthWorld,
) -> None:
    form = world.library.request_form(client_assertion=DROP, client_assertion_type=JWT_BEARER)
    answer = await world.library.post(PAR, {**form, "client_assertion": DROP})
    refused(answer, "invalid_client", 401)


async def test_with_postgres_away_the_answer_is_503_and_says_when_to_come_back(
    world: OauthWorld,
) -> None:
    await world.database.close()
    answer = await world.library.push()
    refused(answer, "temporarily_unavailable", 503)
    assert int(answer.headers["retry-after"]) > 0
