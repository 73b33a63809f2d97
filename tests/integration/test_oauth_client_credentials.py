"""Goal: a client's own token opens what is its own, and speaks for no citizen.

Method: the raw test client against the real server on a real database and Valkey. Each part of a
token request is broken on purpose, and each kind of client tries what belongs to the other kind.
"""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx
import pytest

from backend.access.rules import ClientPrincipal, SourcePrincipal
from backend.kit.clock import FixedClock
from backend.kit.crypto import Vault
from backend.kit.ids import token_hash
from backend.kit.postgres import Database
from backend.kit.valkey import Valkey
from backend.oauth import service
from backend.oauth.credential import ClientTokens
from backend.partner import service as partner
from backend.partner.rules import scopes_of
from tests.conftest import NOW
from tests.support.oauth_client import DROP, ISSUER, OauthClient, change, jwks_of, new_key
from tests.support.oauth_world import OauthWorld, open_world

TOKEN = "/oauth/token"
SCOPES = ["quality:read", "submissions:write"]
OWN = ["decisions:read", "orders:write", "programmes:read", "webhooks:write"]


@pytest.fixture
async def world(
    database: Database, valkey: Valkey, vault: Vault, clock: FixedClock
) -> AsyncIterator[OauthWorld]:
    async with open_world(database, valkey, vault, clock) as world:
        yield world


@pytest.fixture
async def source(world: OauthWorld) -> OauthClient:
    return await register(world, "library-records")


async def register(
    world: OauthWorld, client_id: str, *, scopes: list[str] | None = None
) -> OauthClient:
    """Register a source and its client."""
    client = OauthClient(world.http, world.clock, client_id=client_id)
    names = {"name_zh": "市图书馆", "name_en": "City Library"}
    async with world.database.write() as tx:
        await partner.add_partner(
            tx,
            code=f"{client_id}-source",
            kind="source",
            source_code="city_library",
            known_sources=["city_library"],
            now=NOW,
            **names,
        )
        await partner.add_client(
            tx,
            partner_code=f"{client_id}-source",
            client_id=client_id,
            jwks=jwks_of(client.key),
            redirect_uris=[],
            scopes=SCOPES if scopes is None else scopes,
            now=NOW,
            **names,
        )
    return client


async def ask(client: OauthClient, *, proof: Any = None, **changes: Any) -> httpx.Response:
    """Ask for a token for the client itself; DROP as the proof sends none."""
    form = change({"grant_type": "client_credentials"}, changes)
    assertion = form.pop("assertion", None)
    proof = client.proof("POST", TOKEN) if proof is None else proof
    return await client.post(
        TOKEN, form, assertion=assertion, proof=None if proof is DROP else proof
    )


def refused(answer: httpx.Response, error: str, status: int = 400) -> None:
    assert (answer.status_code, answer.json()["error"]) == (status, error), answer.text
    assert answer.headers["cache-control"] == "no-store"


async def principal_of(
    world: OauthWorld, access_token: str
) -> ClientPrincipal | SourcePrincipal | None:
    store = ClientTokens(world.database, audience=ISSUER)
    found = await store.find(token_hash(access_token), world.clock.now())
    if found is None:
        return None
    assert isinstance(found.principal, ClientPrincipal | SourcePrincipal)
    return found.principal


async def test_6749_4_4_3_a_source_gets_a_bound_token_without_a_refresh_token(
    world: OauthWorld, source: OauthClient
) -> None:
    answer = await ask(source)
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert body.keys() == {"access_token", "token_type", "expires_in", "scope"}
    assert (body["token_type"], body["expires_in"]) == ("DPoP", 600)
    assert body["access_token"].startswith("cp_ct_")
    assert len(body["access_token"]) == len("cp_ct_") + 43
    assert answer.headers["cache-control"] == "no-store"
    principal = await principal_of(world, body["access_token"])
    assert isinstance(principal, SourcePrincipal)
    assert principal.source_code == "city_library"
    assert principal.scopes == set(SCOPES)


async def test_only_the_hash_of_a_token_is_stored(world: OauthWorld, source: OauthClient) -> None:
    token = (await ask(source)).json()["access_token"]
    async with world.database.read() as tx:
        row = await tx.fetch_value(
            str, "SELECT row_to_json(oauth_client_token)::text FROM oauth_client_token"
        )
    assert token not in row
    assert token_hash(token).hex() in row


async def test_6749_3_3_scopes_are_those_of_the_client_or_fewer(
    world: OauthWorld, source: OauthClient
) -> None:
    """Left out, all of them; none that is another's, unknown, repeated or malformed."""
    assert (await ask(source)).json()["scope"] == "quality:read submissions:write"
    assert (await ask(source, scope="quality:read")).json()["scope"] == "quality:read"
    for scope in (
        "eligibility:verify",
        "quality:read eligibility:verify",
        "me:score",
        "quality:read quality:read",
        "quality:read  submissions:write",
        " ",
        "QUALITY:READ",
    ):
        refused(await ask(source, scope=scope), "invalid_scope")
    narrow = await register(world, "tax-records", scopes=["submissions:write"])
    assert (await ask(narrow)).json()["scope"] == "submissions:write"
    refused(await ask(narrow, scope="quality:read"), "invalid_scope")


async def test_9449_5_a_token_request_needs_one_fresh_proof_for_this_address(
    source: OauthClient,
) -> None:
    for proof in (
        DROP,
        source.proof("GET", TOKEN),
        source.proof("POST", "/oauth/par"),
        source.proof("POST", TOKEN, claims={"iat": int(NOW.timestamp()) - 61}),
        source.proof("POST", TOKEN, header={"alg": "none"}),
    ):
        refused(await ask(source, proof=proof), "invalid_dpop_proof")
    proof = source.proof("POST", TOKEN)
    assert (await ask(source, proof=proof)).status_code == 200
    refused(await ask(source, proof=proof), "invalid_dpop_proof")


async def test_7523_3_the_assertion_is_the_clients_for_this_issuer_and_once(
    source: OauthClient,
) -> None:
    """FAPI 2.0 section 5.3.2.1: `aud` is the issuer as a string, and nothing else."""
    for broken in (
        {"key": new_key()},
        {"claims": {"aud": ISSUER + TOKEN}},
        {"claims": {"aud": [ISSUER]}},
        {"claims": {"exp": int(NOW.timestamp()) - 1}},
        {"claims": {"exp": int(NOW.timestamp()) + 3600}},
        {"claims": {"jti": DROP}},
        {"claims": {"sub": "library-demo"}},
        {"header": {"alg": "none"}},
    ):
        assertion = source.assertion(**broken)
        refused(await ask(source, assertion=assertion), "invalid_client", 401)
    assertion = source.assertion()
    assert (await ask(source, assertion=assertion)).status_code == 200
    refused(await ask(source, assertion=assertion), "invalid_client", 401)
    secret = await ask(source, client_secret="x")
    refused(secret, "invalid_client", 401)


async def test_6749_5_2_who_has_nothing_of_its_own_gets_no_token(world: OauthWorld) -> None:
    """A client that is registered to ask citizens, and for nothing else, acts for them alone."""
    for scope in (DROP, "eligibility:verify", "submissions:write"):
        refused(await ask(world.library, scope=scope), "unauthorized_client")


async def test_6749_4_4_a_merchant_gets_a_token_for_what_is_its_own(world: OauthWorld) -> None:
    """Left out, all its own scopes; whether somebody is eligible is asked with a consent alone."""
    kiosk = await of_merchant(world)
    body = (await ask(kiosk)).json()
    assert body["scope"] == " ".join(OWN)
    assert body.keys() == {"access_token", "token_type", "expires_in", "scope"}
    principal = await principal_of(world, body["access_token"])
    assert isinstance(principal, ClientPrincipal)
    assert (principal.client_id, principal.scopes) == ("library-kiosk", set(OWN))
    assert (await ask(kiosk, scope="webhooks:write")).json()["scope"] == "webhooks:write"
    for scope in ("eligibility:verify", "orders:write eligibility:verify", "submissions:write"):
        refused(await ask(kiosk, scope=scope), "invalid_scope")
    described = (await kiosk.introspect(body["access_token"])).json()
    assert (described["active"], described["sub"]) == (True, "library-kiosk")
    assert described["authorization_details"] == []


async def test_a_citizen_gives_no_scope_of_the_partners_own(world: OauthWorld) -> None:
    """What concerns a partner itself can't come out of a citizen's consent."""
    kiosk = await of_merchant(world)
    for scope in OWN:
        if scope != "orders:write":
            refused(await kiosk.push(scope=scope), "invalid_scope")
            refused(await kiosk.push(scope=f"eligibility:verify {scope}"), "invalid_scope")
    tokens = await world.tokens(kiosk)
    assert tokens["scope"] == "eligibility:verify"
    for scope in OWN:
        refused(await kiosk.refresh(tokens["refresh_token"], scope=scope), "invalid_scope")


async def of_merchant(world: OauthWorld) -> OauthClient:
    """Register a second client of the library, with all that a merchant's can have."""
    kiosk = OauthClient(world.http, world.clock, client_id="library-kiosk")
    await world.register(kiosk, scopes=sorted(scopes_of("merchant")))
    return kiosk


async def test_6749_5_2_a_source_asks_no_citizen(world: OauthWorld, source: OauthClient) -> None:
    """Neither by a pushed request nor with a code or refresh token, its own or another's."""
    refused(await source.push(), "unauthorized_client")
    refused(await source.push(scope="submissions:write"), "unauthorized_client")
    tokens = await world.tokens()
    refused(await source.refresh(tokens["refresh_token"]), "unauthorized_client")
    refused(await source.redeem(await world.code()), "unauthorized_client")
    refused(await source.redeem((await ask(source)).json()["access_token"]), "unauthorized_client")
    refused(await ask(source, grant_type="refresh_token"), "unauthorized_client")
    refused(await ask(source, grant_type="password"), "unsupported_grant_type")


async def test_8707_2_2_another_resource_and_details_are_refused(source: OauthClient) -> None:
    refused(await ask(source, resource="https://x.example"), "invalid_target")
    details = '[{"type": "eligibility"}]'
    answer = await ask(source, authorization_details=details)
    refused(answer, "invalid_authorization_details")
    assert (await ask(source, resource=ISSUER)).status_code == 200


async def test_7009_2_1_a_source_revokes_its_token_and_nobody_else_does(
    world: OauthWorld, source: OauthClient
) -> None:
    first, second = [(await ask(source)).json()["access_token"] for _ in range(2)]
    refused(await world.library.revoke(first), "invalid_grant")
    assert await principal_of(world, first) is not None
    assert (await source.revoke(first)).status_code == 200
    assert await principal_of(world, first) is None
    assert await principal_of(world, second) is not None
    assert (await source.revoke(first)).status_code == 200
    assert (await source.revoke("cp_ct_" + "A" * 43)).status_code == 200


async def test_7662_2_2_introspection_tells_the_client_about_its_token(
    world: OauthWorld, source: OauthClient, clock: FixedClock
) -> None:
    token = (await ask(source, scope="quality:read")).json()["access_token"]
    found = (await source.introspect(token)).json()
    assert found["active"] is True
    assert (found["client_id"], found["sub"]) == ("library-records", "library-records")
    assert (found["iss"], found["aud"], found["scope"]) == (ISSUER, ISSUER, "quality:read")
    assert found["cnf"] == {"jkt": source.jkt}
    assert found["exp"] - found["iat"] == 600
    assert found["authorization_details"] == []
    assert (await world.library.introspect(token)).json() == {"active": False}
    clock.advance(timedelta(seconds=600))
    assert (await source.introspect(token)).json() == {"active": False}
    assert await principal_of(world, token) is None


@pytest.mark.parametrize("whom", ["client", "partner"])
async def test_a_suspended_source_is_out_at_once(
    world: OauthWorld, source: OauthClient, whom: str
) -> None:
    """Its tokens are dead, and it gets no new one."""
    token = (await ask(source)).json()["access_token"]
    statement = {
        "client": "UPDATE client SET suspended_at = now() WHERE client_id = 'library-records'",
        "partner": "UPDATE partner SET suspended_at = now() WHERE source_code IS NOT NULL",
    }[whom]
    async with world.database.write() as tx:
        await tx.execute(statement)
    assert await principal_of(world, token) is None
    async with world.database.read() as tx:
        found = await partner.find_client(tx, client_id="library-records")
        assert found is not None
        described = await service.introspect(tx, client=found, token=token, issuer=ISSUER, now=NOW)
    assert described is None
    refused(await ask(source), "invalid_client", 401)


async def test_the_sweep_deletes_expired_tokens_only(
    world: OauthWorld, source: OauthClient, clock: FixedClock
) -> None:
    await ask(source)
    clock.advance(timedelta(seconds=300))
    kept = (await ask(source)).json()["access_token"]
    clock.advance(timedelta(seconds=300))
    async with world.database.write() as tx:
        assert await service.sweep(tx, now=clock.now()) == 1
    assert await principal_of(world, kept) is not None


async def test_8414_2_the_grant_and_its_scopes_are_advertised(world: OauthWorld) -> None:
    metadata = (await world.http.get("/.well-known/oauth-authorization-server")).json()
    assert "client_credentials" in metadata["grant_types_supported"]
    assert set(SCOPES) <= set(metadata["scopes_supported"])
    resource = (await world.http.get("/.well-known/oauth-protected-resource")).json()
    assert set(SCOPES) <= set(resource["scopes_supported"])
