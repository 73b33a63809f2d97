"""Goal: a code, a proof and an assertion count once, whatever runs at the same time, and what is
revoked is over.

Method: the raw test client against the real server on a real database and Valkey; races are run
for real, 16 at a time, and with Valkey away.
"""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx
import pytest

from backend.kit.clock import FixedClock
from backend.kit.crypto import Vault
from backend.kit.ids import token_hash
from backend.kit.postgres import Database
from backend.kit.valkey import Valkey
from backend.oauth import service
from backend.oauth.rules.token import principal_of
from tests.conftest import NOW
from tests.support.oauth_client import DROP, ISSUER, OauthClient, new_key
from tests.support.oauth_world import CONSENT_ID, SUBJECT_ID, OauthWorld, open_world

TOKEN = "/oauth/token"


@pytest.fixture
async def world(
    database: Database, valkey: Valkey, vault: Vault, clock: FixedClock
) -> AsyncIterator[OauthWorld]:
    async with open_world(database, valkey, vault, clock) as world:
        yield world


def refused(answer: httpx.Response, error: str, status: int = 400) -> None:
    assert (answer.status_code, answer.json()["error"]) == (status, error), answer.text
    assert answer.headers["cache-control"] == "no-store"
    description = answer.json()["error_description"]
    assert all(" " <= char <= "~" and char not in '"\\' for char in description)


async def is_live(world: OauthWorld, access_token: str) -> bool:
    now = world.clock.now()
    async with world.database.read() as tx:
        found = await service.find_access_tokens(tx, token_hashes=[token_hash(access_token)])
    return any(principal_of(token, audience=ISSUER, now=now) for token in found.values())


async def test_6749_4_1_2_a_replayed_code_is_refused_and_ends_the_grant(world: OauthWorld) -> None:
    code = await world.code()
    tokens = (await world.library.redeem(code)).json()
    assert await is_live(world, tokens["access_token"])
    refused(await world.library.redeem(code), "invalid_grant")
    assert not await is_live(world, tokens["access_token"])
    refused(await world.library.refresh(tokens["refresh_token"]), "invalid_grant")
    assert (await world.library.introspect(tokens["access_token"])).json() == {"active": False}


async def test_6749_4_1_2_a_code_replayed_long_after_it_expired_still_ends_the_grant(
    world: OauthWorld, clock: FixedClock
) -> None:
    code = await world.code()
    tokens = (await world.library.redeem(code)).json()
    clock.advance(timedelta(days=60))
    async with world.database.write() as tx:
        await service.sweep(tx, now=clock.now())
    assert (await world.library.refresh(tokens["refresh_token"])).status_code == 200
    refused(await world.library.redeem(code), "invalid_grant")
    refused(await world.library.refresh(tokens["refresh_token"]), "invalid_grant")


async def test_16_redemptions_at_once_one_succeeds_and_the_grant_is_revoked(
    world: OauthWorld,
) -> None:
    for _ in range(3):
        code = await world.code()
        answers = await asyncio.gather(*(world.library.redeem(code) for _ in range(16)))
        winners = [answer for answer in answers if answer.status_code == 200]
        assert len(winners) == 1
        for answer in answers:
            if answer.status_code != 200:
                refused(answer, "invalid_grant")
        assert not await is_live(world, winners[0].json()["access_token"])


async def test_16_answers_at_once_count_once(world: OauthWorld) -> None:
    request_uri = (await world.library.push()).json()["request_uri"]
    await world.open_page(world.library, request_uri)
    answers = await asyncio.gather(
        *(world.answer(request_uri, yes=number % 2 == 0) for number in range(16)),
        return_exceptions=True,
    )
    assert len([answer for answer in answers if isinstance(answer, str)]) == 1
    assert sum(getattr(answer, "code", "") == "authorization_request_gone" for answer in answers)


async def test_7523_3_7_a_replayed_assertion_is_refused_at_every_endpoint(
    world: OauthWorld,
) -> None:
    library = world.library
    assertion = library.assertion()
    form = {"token": "x"}
    assert (await library.post("/oauth/revoke", form, assertion=assertion)).status_code == 200
    for path in ("/oauth/revoke", "/oauth/introspect", TOKEN, "/oauth/par"):
        refused(await library.post(path, form, assertion=assertion), "invalid_client", 401)


async def test_16_uses_of_one_assertion_at_once_one_succeeds(world: OauthWorld) -> None:
    library = world.library
    assertion = library.assertion()
    answers = await asyncio.gather(
        *(library.post("/oauth/revoke", {"token": "x"}, assertion=assertion) for _ in range(16))
    )
    assert sorted(answer.status_code for answer in answers) == [200] + [401] * 15


async def test_9449_11_1_a_replayed_proof_is_refused(world: OauthWorld) -> None:
    tokens = await world.tokens()
    proof = world.library.proof("POST", TOKEN)
    answer = await world.library.refresh(tokens["refresh_token"], proof=proof)
    assert answer.status_code == 200
    again = await world.library.refresh(tokens["refresh_token"], proof=proof)
    refused(again, "invalid_dpop_proof")


async def test_with_valkey_away_the_flow_goes_on_and_replays_do_not(
    database: Database, vault: Vault, clock: FixedClock
) -> None:
    nowhere = Valkey.open("redis://127.0.0.1:1")
    async with open_world(database, nowhere, vault, clock) as world:
        tokens = await world.tokens()
        proof, assertion = world.library.proof("POST", TOKEN), world.library.assertion()
        form = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
        assert (await world.library.post(TOKEN, form, proof=proof)).status_code == 200
        refused(await world.library.post(TOKEN, form, proof=proof), "invalid_dpop_proof")
        introspection = {"token": "x"}
        first = await world.library.post("/oauth/introspect", introspection, assertion=assertion)
        assert first.status_code == 200
        second = await world.library.post("/oauth/introspect", introspection, assertion=assertion)
        refused(second, "invalid_client", 401)
    await nowhere.close()


@pytest.mark.parametrize(
    "changes",
    [
        {"code_verifier": "w" * 43},
        {"redirect_uri": "https://library.example.cn/other"},
        {"code": "cp_code_" + "x" * 43},
    ],
    ids=["verifier", "redirect", "code"],
)
async def test_6749_4_1_3_7636_4_6_a_wrong_redemption_leaves_the_code_good(
    world: OauthWorld, changes: dict[str, Any]
) -> None:
    code = await world.code()
    refused(await world.library.redeem(**{"code": code, **changes}), "invalid_grant")
    assert (await world.library.redeem(code)).status_code == 200


@pytest.mark.parametrize("missing", ["code", "redirect_uri", "code_verifier", "grant_type"])
async def test_6749_4_1_3_a_missing_parameter_is_named(world: OauthWorld, missing: str) -> None:
    answer = await world.library.redeem(**{"code": await world.code(), missing: DROP})
    refused(answer, "invalid_request")
    assert missing in answer.json()["error_description"]


async def test_6749_4_1_3_another_clients_code_is_unknown_and_stays_good(
    world: OauthWorld,
) -> None:
    thief = OauthClient(world.http, world.clock, client_id="thief")
    await world.register(thief)
    code = await world.code()
    thief.verifier = world.library.verifier
    refused(await thief.redeem(code), "invalid_grant")
    tokens = await world.library.redeem(code)
    assert tokens.status_code == 200
    refused(await thief.redeem(code), "invalid_grant")
    assert await is_live(world, tokens.json()["access_token"])


async def test_9449_10_a_code_is_bound_to_the_key_named_when_it_was_pushed(
    world: OauthWorld,
) -> None:
    library, other = world.library, new_key()
    by_parameter = await world.code(dpop_jkt=library.jkt)
    by_proof = await world.code(proof=library.proof("POST", "/oauth/par"))
    for code in (by_parameter, by_proof):
        stolen = await library.redeem(code, proof=library.proof("POST", TOKEN, key=other))
        refused(stolen, "invalid_grant")
        assert (await library.redeem(code)).status_code == 200


async def test_6749_4_1_2_a_code_is_good_for_a_minute(world: OauthWorld, clock: FixedClock) -> None:
    code = await world.code()
    clock.advance(timedelta(seconds=60))
    refused(await world.library.redeem(code), "invalid_grant")


async def test_9449_5_a_token_request_needs_a_proof_for_this_address(world: OauthWorld) -> None:
    library = world.library
    form = {"grant_type": "refresh_token", "refresh_token": "x"}
    refused(await library.post(TOKEN, form), "invalid_dpop_proof")
    for proof in (
        library.proof("GET", TOKEN),
        library.proof("POST", "/oauth/par"),
        library.proof("POST", TOKEN, claims={"htu": "https://evil.example/oauth/token"}),
        library.proof("POST", TOKEN, claims={"iat": int(NOW.timestamp()) - 61}),
        library.proof("POST", TOKEN, header={"alg": "none"}),
        "x",
    ):
        refused(await library.post(TOKEN, form, proof=proof), "invalid_dpop_proof")


async def test_9449_4_3_the_host_header_says_nothing(world: OauthWorld) -> None:
    library = world.library
    proof = library.proof("POST", TOKEN, claims={"htu": "http://evil.example/oauth/token"})
    world.http.headers["host"] = "evil.example"
    form = {"grant_type": "refresh_token", "refresh_token": "x"}
    refused(await library.post(TOKEN, form, proof=proof), "invalid_dpop_proof")


async def test_9449_4_3_1_one_proof_not_several_to_choose_from(world: OauthWorld) -> None:
    library = world.library
    headers = [
        ("content-type", "application/x-www-form-urlencoded"),
        ("dpop", library.proof("POST", TOKEN)),
        ("dpop", library.proof("POST", TOKEN)),
    ]
    form = {
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": library.assertion(),
        "grant_type": "refresh_token",
        "refresh_token": "x",
    }
    answer = await world.http.post(
        TOKEN, content=httpx.QueryParams(form).__str__(), headers=headers
    )
    refused(answer, "invalid_dpop_proof")


@pytest.mark.parametrize("grant_type", ["password", "implicit", "urn:ietf:params:oauth:x", "CODE"])
async def test_other_grants_do_not_exist(world: OauthWorld, grant_type: str) -> None:
    proof = world.library.proof("POST", TOKEN)
    answer = await world.library.post(TOKEN, {"grant_type": grant_type}, proof=proof)
    refused(answer, "unsupported_grant_type")


async def test_6749_6_refresh_is_bound_to_client_and_key_and_ends(
    world: OauthWorld, clock: FixedClock
) -> None:
    library = world.library
    thief = OauthClient(world.http, world.clock, client_id="thief", dpop_key=library.dpop_key)
    await world.register(thief)
    refresh_token = (await world.tokens())["refresh_token"]
    refused(await thief.refresh(refresh_token), "invalid_grant")
    other_key = library.proof("POST", TOKEN, key=new_key())
    refused(await library.refresh(refresh_token, proof=other_key), "invalid_grant")
    refused(await library.refresh(refresh_token, scope="me:score"), "invalid_scope")
    refused(await library.refresh(refresh_token, resource="https://x.example"), "invalid_target")
    refused(
        await library.refresh(refresh_token, authorization_details="[]"),
        "invalid_authorization_details",
    )
    clock.advance(timedelta(days=89))
    assert (await library.refresh(refresh_token)).status_code == 200
    clock.advance(timedelta(days=1))
    refused(await library.refresh(refresh_token), "invalid_grant")


async def test_7009_2_1_revoking_an_access_token_ends_it_and_no_other(world: OauthWorld) -> None:
    tokens = await world.tokens()
    second = (await world.library.refresh(tokens["refresh_token"])).json()
    answer = await world.library.revoke(tokens["access_token"])
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    assert not await is_live(world, tokens["access_token"])
    assert await is_live(world, second["access_token"])


async def test_7009_2_1_revoking_a_refresh_token_ends_everything_of_its_grant(
    world: OauthWorld,
) -> None:
    tokens = await world.tokens()
    assert (await world.library.revoke(tokens["refresh_token"])).status_code == 200
    assert not await is_live(world, tokens["access_token"])
    refused(await world.library.refresh(tokens["refresh_token"]), "invalid_grant")
    assert (await world.library.revoke(tokens["refresh_token"])).status_code == 200


async def test_7009_2_2_unknown_tokens_are_no_error_and_foreign_ones_stay(
    world: OauthWorld,
) -> None:
    thief = OauthClient(world.http, world.clock, client_id="thief")
    await world.register(thief)
    tokens = await world.tokens()
    assert (await world.library.revoke("cp_at_unknown")).status_code == 200
    for token in (tokens["access_token"], tokens["refresh_token"]):
        refused(await thief.revoke(token), "invalid_grant")
    assert await is_live(world, tokens["access_token"])
    refused(await world.library.post("/oauth/revoke", {}), "invalid_request")


async def test_7662_2_2_introspection_tells_the_client_about_its_tokens(
    world: OauthWorld, clock: FixedClock
) -> None:
    thief = OauthClient(world.http, world.clock, client_id="thief")
    await world.register(thief)
    tokens = await world.tokens()
    found = (await world.library.introspect(tokens["access_token"])).json()
    assert found["active"] is True
    assert found["token_type"] == "DPoP"
    assert found["client_id"] == "library-demo"
    assert (found["iss"], found["aud"]) == (ISSUER, ISSUER)
    assert found["cnf"] == {"jkt": world.library.jkt}
    assert found["exp"] - found["iat"] == 600
    assert found["authorization_details"][0]["programme"] == "library"
    assert (await world.library.introspect(tokens["refresh_token"])).json()["active"] is True
    for token in (tokens["access_token"], tokens["refresh_token"], "unknown"):
        assert (await thief.introspect(token)).json() == {"active": False}
    clock.advance(timedelta(seconds=600))
    assert (await world.library.introspect(tokens["access_token"])).json() == {"active": False}


async def test_withdrawing_the_consent_ends_its_tokens_in_the_same_transaction(
    world: OauthWorld,
) -> None:
    first, second = await world.tokens(), await world.tokens()
    async with world.database.write() as tx:
        count = await service.revoke_consent(
            tx, subject_id=SUBJECT_ID, consent_id=CONSENT_ID, now=NOW
        )
    assert count == 2
    for tokens in (first, second):
        assert not await is_live(world, tokens["access_token"])
        refused(await world.library.refresh(tokens["refresh_token"]), "invalid_grant")


async def test_a_code_of_a_withdrawn_consent_brings_nothing(world: OauthWorld) -> None:
    code = await world.code()
    async with world.database.write() as tx:
        assert await service.revoke_subject(tx, subject_id=SUBJECT_ID, now=NOW) == 1
        assert await service.revoke_subject(tx, subject_id=SUBJECT_ID, now=NOW) == 0
    refused(await world.library.redeem(code), "invalid_grant")


async def test_everything_expired_is_swept_and_nothing_else(
    world: OauthWorld, clock: FixedClock
) -> None:
    tables = ("oauth_request", "oauth_code", "oauth_access_token", "oauth_refresh_token")

    async def count() -> list[int]:
        async with world.database.read() as tx:
            sql = "SELECT count(*) FROM "
            return [await tx.fetch_value(int, sql + table) for table in (*tables, "oauth_grant")]

    async def sweep() -> int:
        async with world.database.write() as tx:
            return await service.sweep(tx, now=clock.now())

    await world.tokens()
    assert await sweep() == 0
    assert await count() == [1, 1, 1, 1, 1]
    clock.advance(timedelta(minutes=16))
    await sweep()
    assert await count() == [0, 1, 0, 1, 1]
    clock.advance(timedelta(days=90))
    await sweep()
    assert await count() == [0, 1, 0, 0, 1]
    clock.advance(timedelta(days=90))
    await sweep()
    assert await count() == [0, 0, 0, 0, 1]
    clock.advance(timedelta(days=2))
    await sweep()
    assert await count() == [0, 0, 0, 0, 0]
