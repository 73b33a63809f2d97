"""Goal: the authorization code flow works end to end as FAPI 2.0 lays it out, and only that way.

Method: the raw test client against the real server over ASGI, on a real database and Valkey; the
citizen's pages are played by the service verbs they call.
"""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

from backend.kit.clock import FixedClock
from backend.kit.crypto import Vault
from backend.kit.ids import token_hash
from backend.kit.postgres import Database
from backend.kit.problem import Refusal
from backend.kit.valkey import Valkey
from backend.oauth import service
from tests.conftest import NOW
from tests.support.oauth_client import DROP, ELIGIBILITY, ISSUER, REDIRECT_URI, OauthClient
from tests.support.oauth_world import CONSENT_ID, SUBJECT_ID, OauthWorld, open_world


@pytest.fixture
async def world(
    database: Database, valkey: Valkey, vault: Vault, clock: FixedClock
) -> AsyncIterator[OauthWorld]:
    async with open_world(database, valkey, vault, clock) as world:
        yield world


async def test_the_whole_way_from_push_to_refreshed_token(world: OauthWorld) -> None:
    library = world.library
    pushed = await library.push()
    assert pushed.status_code == 201, pushed.text
    assert pushed.headers["cache-control"] == "no-store"
    assert pushed.json()["expires_in"] == 90
    request_uri = pushed.json()["request_uri"]
    assert request_uri.startswith("urn:ietf:params:oauth:request_uri:")

    opened = await world.open_page(library, request_uri)
    assert opened.status_code == 303
    parts = urlsplit(opened.headers["location"])
    assert (parts.path, parts.netloc) == ("/consent", "")
    assert parse_qs(parts.query) == {"request_uri": [request_uri]}
    assert opened.headers["referrer-policy"] == "no-referrer"

    redirect = await world.answer(request_uri)
    query = parse_qs(urlsplit(redirect).query)
    assert redirect.startswith(REDIRECT_URI + "?")
    assert (query["state"], query["iss"]) == (["xyz"], [ISSUER])

    answer = await library.redeem(query["code"][0])
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    first = answer.json()
    assert first["token_type"] == "DPoP"
    assert first["expires_in"] == 600
    assert first["scope"] == "eligibility:verify"
    assert first["authorization_details"] == ELIGIBILITY
    assert first["access_token"].startswith("cp_at_")
    assert first["refresh_token"].startswith("cp_rt_")

    second = (await library.refresh(first["refresh_token"])).json()
    assert second["access_token"] != first["access_token"]
    assert "refresh_token" not in second
    assert second["authorization_details"] == ELIGIBILITY


async def test_nothing_secret_is_stored_in_the_clear(world: OauthWorld) -> None:
    pushed = (await world.library.push()).json()["request_uri"]
    code = await world.code()
    tokens = (await world.library.redeem(code)).json()
    secrets = [pushed, code, tokens["access_token"], tokens["refresh_token"]]
    async with world.database.read() as tx:
        for table in ("oauth_request", "oauth_grant", "oauth_code", "oauth_access_token"):
            dump = await tx.fetch_value(
                str, f"SELECT coalesce(json_agg(t)::text, '') FROM {table} t"
            )
            assert dump
            for secret in secrets:
                assert secret not in dump
                assert secret[-43:] not in dump
        digest = token_hash(tokens["access_token"])
        found = (await service.find_access_tokens(tx, token_hashes=[digest]))[digest]
    assert (found.subject_id, found.consent_id) == (SUBJECT_ID, CONSENT_ID)
    assert found.dpop_jkt == world.library.jkt


async def test_openid_core_8_1_two_partners_know_a_citizen_by_two_names(world: OauthWorld) -> None:
    transit = OauthClient(world.http, world.clock, client_id="transit-demo")
    await world.register(transit, partner_code="city-transit")
    subjects = set()
    for client in (world.library, world.library, transit):
        tokens = await world.tokens(client)
        subjects.add((await client.introspect(tokens["access_token"])).json()["sub"])
    assert len(subjects) == 2
    assert str(SUBJECT_ID) not in subjects


async def test_the_citizen_says_no(world: OauthWorld) -> None:
    request_uri = (await world.library.push()).json()["request_uri"]
    await world.open_page(world.library, request_uri)
    redirect = await world.answer(request_uri, yes=False)
    query = parse_qs(urlsplit(redirect).query)
    assert query == {"error": ["access_denied"], "state": ["xyz"], "iss": [ISSUER]}
    with pytest.raises(Refusal, match="authorization_request_gone"):
        await world.answer(request_uri)


async def test_9126_7_3_pages_load_twice_and_answers_count_once(world: OauthWorld) -> None:
    request_uri = (await world.library.push()).json()["request_uri"]
    for _ in range(3):
        assert (await world.open_page(world.library, request_uri)).status_code == 303
    await world.answer(request_uri)
    with pytest.raises(Refusal, match="authorization_request_gone"):
        await world.answer(request_uri)
    assert (await world.open_page(world.library, request_uri)).status_code == 400


async def test_9126_4_only_the_client_that_pushed_may_use_the_request(world: OauthWorld) -> None:
    other = OauthClient(world.http, world.clock, client_id="other")
    await world.register(other)
    request_uri = (await world.library.push()).json()["request_uri"]
    assert (await world.open_page(other, request_uri)).status_code == 400
    with pytest.raises(Refusal, match="authorization_request_gone"):
        await world.answer(request_uri)


async def test_9126_2_2_a_request_uri_expires_unopened_and_later_when_opened(
    world: OauthWorld, clock: FixedClock
) -> None:
    early = (await world.library.push()).json()["request_uri"]
    late = (await world.library.push()).json()["request_uri"]
    clock.advance(timedelta(seconds=89))
    assert (await world.open_page(world.library, early)).status_code == 303
    clock.advance(timedelta(seconds=1))
    assert (await world.open_page(world.library, late)).status_code == 400
    clock.advance(timedelta(seconds=809))
    assert await world.answer(early)


async def test_an_opened_request_is_over_after_a_quarter_of_an_hour(
    world: OauthWorld, clock: FixedClock
) -> None:
    request_uri = (await world.library.push()).json()["request_uri"]
    await world.open_page(world.library, request_uri)
    clock.advance(timedelta(seconds=900))
    with pytest.raises(Refusal, match="authorization_request_gone"):
        await world.answer(request_uri)


async def test_a_request_that_was_never_opened_can_not_be_answered(world: OauthWorld) -> None:
    request_uri = (await world.library.push()).json()["request_uri"]
    with pytest.raises(Refusal, match="authorization_request_gone"):
        await world.answer(request_uri)


@pytest.mark.parametrize(
    "query",
    [
        "",
        "client_id=library-demo",
        "request_uri=urn:ietf:params:oauth:request_uri:x",
        "client_id=library-demo&request_uri=https://evil.example/request",
        "client_id=library-demo&response_type=code&redirect_uri=https://evil.example&state=x",
        "client_id=library-demo&request_uri=%00",
        "client_id=%FF&request_uri=%FF",
    ],
)
async def test_fapi_5_3_2_2_what_was_not_pushed_is_refused_without_a_redirect(
    world: OauthWorld, query: str
) -> None:
    answer = await world.http.get(f"/oauth/authorize?{query}")
    assert answer.status_code == 400
    assert "location" not in answer.headers
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert "evil" not in answer.text


async def test_6749_3_1_query_parameters_come_once(world: OauthWorld) -> None:
    request_uri = (await world.library.push()).json()["request_uri"]
    query = f"client_id=library-demo&client_id=library-demo&request_uri={request_uri}"
    assert (await world.http.get(f"/oauth/authorize?{query}")).status_code == 400


async def test_parameters_beside_the_request_uri_change_nothing(world: OauthWorld) -> None:
    request_uri = (await world.library.push()).json()["request_uri"]
    query = {
        "client_id": "library-demo",
        "request_uri": request_uri,
        "redirect_uri": "https://evil.example",
        "state": "evil",
    }
    assert (await world.http.get("/oauth/authorize", params=query)).status_code == 303
    redirect = await world.answer(request_uri)
    assert "evil" not in redirect


async def test_a_suspended_client_gets_nothing_any_more(world: OauthWorld) -> None:
    request_uri = (await world.library.push()).json()["request_uri"]
    tokens = await world.tokens()
    async with world.database.write() as tx:
        await tx.execute("UPDATE client SET suspended_at = $1", NOW)
    assert (await world.open_page(world.library, request_uri)).status_code == 400
    assert (await world.library.push()).status_code == 401
    assert (await world.library.refresh(tokens["refresh_token"])).status_code == 401


async def test_8414_9728_metadata_and_keys_are_served(world: OauthWorld, vault: Vault) -> None:
    server = (await world.http.get("/.well-known/oauth-authorization-server")).json()
    assert server["issuer"] == ISSUER
    resource = (await world.http.get("/.well-known/oauth-protected-resource")).json()
    assert resource["authorization_servers"] == [server["issuer"]]
    async with world.database.write() as tx:
        kid = await service.ensure_signing_key(tx, vault=vault, now=NOW)
    keys = (await world.http.get(urlsplit(server["jwks_uri"]).path)).json()["keys"]
    assert [key["kid"] for key in keys] == [kid]
    assert all("d" not in key and key["use"] == "sig" and key["alg"] == "ES256" for key in keys)


async def test_there_is_one_active_signing_key_whoever_makes_it(
    database: Database, vault: Vault
) -> None:
    async with database.read() as tx:
        assert not await service.has_active_signing_key(tx)

    async def start() -> str:
        async with database.write() as tx:
            return await service.ensure_signing_key(tx, vault=vault, now=NOW)

    kids = await asyncio.gather(*(start() for _ in range(8)))
    assert len(set(kids)) == 1
    async with database.read() as tx:
        assert await service.has_active_signing_key(tx)


async def test_an_unknown_scope_default_still_covers_the_detail(world: OauthWorld) -> None:
    pushed = await world.library.push(scope=DROP)
    assert pushed.status_code == 201
