"""Goal: a token is good for its bearer, its key, its time, its scope and its routes, and no other.

Method: the real application in process. Each wrong way to present a token or a proof is tried at
every operation that asks for one (they are found by their guards), and no table may change.
"""

from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any

import pytest

from backend.app import House
from backend.kit.clock import FixedClock
from tests.conftest import NOW
from tests.support.oauth_client import DROP, OauthClient, new_key
from tests.support.scene import Scene, proved
from tests.support.source import SUBMISSIONS
from tests.support.world import CHECKS, World, oauth_error_of, problem_of

NOW_SECONDS = int(NOW.timestamp())
UNKNOWN = "A" * 43
_PREFIXES = ("cp_at_", "cp_ct_", "cp_op_", "cp_st_", "cp_rt_", "cp_code_", "")

# How a client presents its token to an operation: (client, token, method, path) -> headers.
Present = Callable[[OauthClient, str, str, str], dict[str, str]]


@pytest.fixture
async def scene(house: House) -> AsyncIterator[Scene]:
    world = World(house)
    yield await Scene(world).set_up()
    await world.close()


async def refused_everywhere(
    scene: Scene, client: OauthClient, token: str, *, present: Present, error: str | None
) -> None:
    """Present a token to each protected operation: 401, one challenge, nothing changed."""
    async with scene.nothing_changes():
        for method, path, _ in scene.protected_routes():
            headers = present(client, token, method, path)
            answer = await scene.world.http.request(method, path, headers=headers)
            problem_of(answer, 401, "token_invalid")
            challenge = answer.headers["www-authenticate"]
            assert challenge.startswith('DPoP algs="ES256 PS256 Ed25519", '), challenge
            assert challenge.endswith('/.well-known/oauth-protected-resource"'), challenge
            assert (f' error="{error}", ' in challenge) == (error is not None), challenge
            assert ("error=" in challenge) == (error is not None), challenge


async def test_no_token_is_refused(scene: Scene) -> None:
    """With a challenge that says how to come in, and no error code (RFC 6750 section 3.1)."""
    await refused_everywhere(scene, scene.library, "", present=lambda *_: {}, error=None)


@pytest.mark.parametrize(
    "token",
    [
        *(prefix + UNKNOWN for prefix in _PREFIXES),
        *("cp_at_", "cp_st_x", "cp_at_" + "A" * 251, "cp_at_ x", "cp_at_\x7f"),
    ],
)
async def test_an_unknown_token_is_refused(scene: Scene, token: str) -> None:
    """Of any kind, length and alphabet, with a proof made for it."""
    await refused_everywhere(scene, scene.library, token, present=proved, error="invalid_token")


async def test_an_expired_token_is_refused(scene: Scene, clock: FixedClock) -> None:
    """From the very moment it ends; the refresh token after ninety days."""
    assert (await scene.world.check(scene.library, scene.tokens.access)).status_code == 200
    clock.advance(timedelta(seconds=600))
    problem_of(await scene.world.check(scene.library, scene.tokens.access), 401, "token_invalid")
    clock.advance(timedelta(days=30))
    for client, token in scene.holders:
        await refused_everywhere(scene, client, token, present=proved, error="invalid_token")
    clock.advance(timedelta(days=60))
    async with scene.nothing_changes():
        oauth_error_of(await scene.library.refresh(scene.tokens.refresh), 400, "invalid_grant")


async def test_a_foreign_token_is_refused(scene: Scene) -> None:
    """Of citizens, partners, sources and operators by role, each opens no route of the others."""
    async with scene.nothing_changes():
        for method, path, scope in scene.protected_routes():
            for sender in sorted(scene.strangers_to(scope)):
                headers = scene.signed(sender, method, path)
                answer = await scene.world.http.request(method, path, headers=headers)
                assert problem_of(answer, 403, "scope_insufficient")["scope"] == scope


async def test_a_token_without_the_scope_is_refused(scene: Scene) -> None:
    """403, and the scope to ask for is named; a scope of citizens can't be asked for at all."""
    async with scene.world.database.write() as tx:
        await tx.execute("UPDATE oauth_access_token SET scopes = '{openid}'")
    async with scene.nothing_changes():
        answer = await scene.world.check(scene.library, scene.tokens.access)
        assert problem_of(answer, 403, "scope_insufficient")["scope"] == "eligibility:verify"
        oauth_error_of(await scene.library.push(scope="me:read"), 400, "invalid_scope")


async def test_a_refresh_token_and_a_code_open_nothing(scene: Scene) -> None:
    """Each is good at the token endpoint only."""
    told = await scene.world.answer(scene.browser, await scene.world.ask(scene.library))
    for secret in (scene.tokens.refresh, told["code"]):
        await refused_everywhere(
            scene, scene.library, secret, present=proved, error="invalid_token"
        )


async def test_a_browsers_session_is_no_token(scene: Scene) -> None:
    """The cookie's secret has no key, so no proof makes it one; the API reads no cookies."""
    session = scene.browser.http.cookies["credit_session"]
    client = scene.app.signer
    await refused_everywhere(scene, client, session, present=proved, error="invalid_token")

    def as_cookie(_client: OauthClient, token: str, _method: str, _path: str) -> dict[str, str]:
        return {"cookie": f"credit_session={token}"}

    await refused_everywhere(scene, client, session, present=as_cookie, error=None)


async def test_a_bound_token_sent_as_bearer_is_refused(scene: Scene) -> None:
    """RFC 9449 section 7.1: with a proof or without one."""

    def bare(_client: OauthClient, token: str, _method: str, _path: str) -> dict[str, str]:
        return {"authorization": f"Bearer {token}"}

    def with_proof(client: OauthClient, token: str, method: str, path: str) -> dict[str, str]:
        return {**proved(client, token, method, path), **bare(client, token, method, path)}

    for client, token in scene.holders:
        for present in (bare, with_proof):
            await refused_everywhere(scene, client, token, present=present, error="invalid_token")


async def test_a_token_in_the_query_or_the_body_is_no_token(scene: Scene) -> None:
    """RFC 9700 section 4.3.2: a query ends up in logs."""
    http = scene.world.http
    async with scene.nothing_changes():
        for client, token in scene.holders:
            for method, path, _ in scene.protected_routes():
                sent = {"dpop": client.proof(method, path, access_token=token)}
                query = {"access_token": token}
                answer = await http.request(method, path, params=query, headers=sent)
                problem_of(answer, 401, "token_invalid")
        token = scene.tokens.access
        for body in ({"data": {"access_token": token}}, {"json": {"access_token": token}}):
            sent = {"dpop": scene.library.proof("POST", CHECKS, access_token=token)}
            answer = await http.post(CHECKS, headers=sent, **body)
            problem_of(answer, 401, "token_invalid")


def own_call(scene: Scene, token: str) -> tuple[str, str]:
    """Return an operation that the holder of a token may use."""
    calls = {
        scene.app.token: ("GET", "/v1/me"),
        scene.own.token: ("GET", "/v1/webhook-endpoints"),
        scene.source.token: ("GET", SUBMISSIONS),
        scene.operators["operator"].token: ("GET", "/v1/operator/me"),
    }
    return calls.get(token, ("POST", CHECKS))


async def test_two_tokens_or_two_proofs_are_refused(scene: Scene) -> None:
    """Nobody chooses for the caller (RFC 6750 section 2, RFC 9449 section 4.3)."""
    for client, token in scene.holders:
        method, path = own_call(scene, token)
        good = [*proved(client, token, method, path).items()]
        again = [*proved(client, token, method, path).items()]
        async with scene.nothing_changes():
            for headers, error in (
                ([*good, again[0]], "invalid_request"),
                ([*good, again[1]], "invalid_dpop_proof"),
                (good[:1], "invalid_dpop_proof"),
            ):
                answer = await scene.world.http.request(method, path, headers=headers)
                problem_of(answer, 401, "token_invalid")
                assert f'error="{error}"' in answer.headers["www-authenticate"]


async def test_a_replayed_proof_is_refused(scene: Scene) -> None:
    """Once each, whatever came of the first use, at the API and at the authorization server."""
    body = {"programme": "loan"}
    async with scene.nothing_changes():
        for client, token in scene.holders:
            method, path = own_call(scene, token)
            headers = proved(client, token, method, path)
            first = await scene.world.http.request(method, path, json=body, headers=headers)
            assert first.status_code in {200, 403}
            second = await scene.world.http.request(method, path, json=body, headers=headers)
            problem_of(second, 401, "token_invalid")
            assert 'error="invalid_dpop_proof"' in second.headers["www-authenticate"]
        proof = scene.library.proof("POST", "/oauth/token")
        assert (await scene.library.refresh("cp_rt_unknown", proof=proof)).status_code == 400
        answer = await scene.library.refresh(scene.tokens.refresh, proof=proof)
        oauth_error_of(answer, 400, "invalid_dpop_proof")


async def test_a_replayed_assertion_is_refused(scene: Scene) -> None:
    """RFC 7523 section 3: one assertion, one request."""
    assertion = scene.library.assertion()
    first = await scene.library.post("/oauth/introspect", {"token": "x"}, assertion=assertion)
    assert first.status_code == 200
    async with scene.nothing_changes():
        form = {"token": scene.tokens.refresh}
        answer = await scene.library.post("/oauth/revoke", form, assertion=assertion)
        oauth_error_of(answer, 401, "invalid_client")


async def test_a_replayed_code_is_refused_and_ends_its_grant(scene: Scene) -> None:
    """RFC 9700 section 2.1.1: what came of the code may be in wrong hands, so all of it ends."""
    told = await scene.world.answer(scene.browser, await scene.world.ask(scene.library))
    first = await scene.library.redeem(told["code"])
    tokens = first.json()
    oauth_error_of(await scene.library.redeem(told["code"]), 400, "invalid_grant")
    problem_of(await scene.world.check(scene.library, tokens["access_token"]), 401, "token_invalid")
    oauth_error_of(await scene.library.refresh(tokens["refresh_token"]), 400, "invalid_grant")
    async with scene.nothing_changes():
        oauth_error_of(await scene.library.redeem(told["code"]), 400, "invalid_grant")
    assert await scene.world.count("access_entry") == 0


@pytest.mark.parametrize(
    "changes",
    [
        {"code_verifier": "x" * 43},
        {"code_verifier": DROP},
        {"redirect_uri": "https://library.example.cn/callback/"},
        {"redirect_uri": DROP},
        {"client_id": "tour-demo"},
    ],
)
async def test_a_code_with_anything_else_wrong_is_refused_and_stays_good(
    scene: Scene, changes: dict[str, Any]
) -> None:
    """Whoever tries to spoil a code can't; past its minute it is over."""
    told = await scene.world.answer(scene.browser, await scene.world.ask(scene.library))
    async with scene.nothing_changes():
        answer = await scene.library.redeem(told["code"], **changes)
        assert answer.status_code == 400
        assert answer.json()["error"] in {"invalid_grant", "invalid_request"}
    assert (await scene.library.redeem(told["code"])).status_code == 200


async def test_what_is_late_is_refused(scene: Scene, clock: FixedClock) -> None:
    """A request must be opened within 90 seconds, a code redeemed within 60."""
    link = await scene.world.ask(scene.library)
    told = await scene.world.answer(scene.browser, await scene.world.ask(scene.library))
    clock.advance(timedelta(seconds=60))
    async with scene.nothing_changes():
        oauth_error_of(await scene.library.redeem(told["code"]), 400, "invalid_grant")
        clock.advance(timedelta(seconds=30))
        answer = await scene.world.http.get(link)
        assert answer.status_code == 400
        assert "location" not in answer.headers


CLAIMS: dict[str, dict[str, Any]] = {
    "another method": {"htm": "PATCH"},
    "another path": {"htu": "http://127.0.0.1:8000/v1/me/other"},
    "another host": {"htu": "http://evil.example/v1/me"},
    "no address": {"htu": DROP},
    "no method": {"htm": DROP},
    "no token hash": {"ath": DROP},
    "the hash of another token": {"ath": UNKNOWN},
    "no jti": {"jti": DROP},
    "no time": {"iat": DROP},
    "a minute old": {"iat": NOW_SECONDS - 61},
    "from the future": {"iat": NOW_SECONDS + 11},
}
HEADERS: dict[str, dict[str, Any]] = {
    "another type": {"typ": "JWT"},
    "no type": {"typ": DROP},
    "no algorithm": {"alg": "none"},
    "a shared secret": {"alg": "HS256"},
    "no key": {"jwk": DROP},
}


@pytest.mark.parametrize("wrong", [*CLAIMS, *HEADERS])
async def test_a_proof_for_something_else_is_refused(scene: Scene, wrong: str) -> None:
    """htm, htu, ath, iat, jti, typ, alg and jwk, each wrong alone."""

    def present(client: OauthClient, token: str, method: str, path: str) -> dict[str, str]:
        claims, header = CLAIMS.get(wrong), HEADERS.get(wrong)
        proof = client.proof(method, path, access_token=token, claims=claims, header=header)
        return {"authorization": f"DPoP {token}", "dpop": proof}

    for client, token in scene.holders:
        await refused_everywhere(scene, client, token, present=present, error="invalid_dpop_proof")


async def test_a_proof_by_another_key_is_refused(scene: Scene) -> None:
    """The token is bound to the key it was made for."""
    thief = new_key()

    def present(client: OauthClient, token: str, method: str, path: str) -> dict[str, str]:
        proof = client.proof(method, path, access_token=token, key=thief)
        return {"authorization": f"DPoP {token}", "dpop": proof}

    for client, token in scene.holders:
        await refused_everywhere(scene, client, token, present=present, error="invalid_token")
