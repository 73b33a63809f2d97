"""Goal: an OAuth client library that isn't ours goes the whole way, over real HTTP.

Method: the demo's relying party, built on idpyoidc, against the server in uvicorn on a loopback
port; the citizen's pages are played by the service verbs they call. What had to be replaced in
idpyoidc, and why, is in docs/adr/0007; that it still has to be is tested here too.
"""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from urllib.parse import parse_qs, urlsplit

import pytest
import uvicorn
from cryptojwt.jwk.ec import new_ec_key
from cryptojwt.jws.jws import factory
from idpyoidc.client.client_auth import assertion_jwt

from backend.cli.relying_party import RelyingParty, RelyingPartyError
from backend.kit.clock import SystemClock
from backend.kit.crypto import Vault
from backend.kit.postgres import Database
from backend.kit.valkey import Valkey
from tests.support.oauth_client import REDIRECT_URI, new_key
from tests.support.oauth_world import OauthWorld, open_world


@contextlib.asynccontextmanager
async def served(world: OauthWorld, listener: socket.socket) -> AsyncIterator[None]:
    """Serve the world on a listening socket until the block ends."""
    config = uvicorn.Config(world.app, log_config=None, lifespan="off", access_log=False)
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield
    finally:
        server.should_exit = True
        await task


@pytest.fixture
async def world(database: Database, valkey: Valkey, vault: Vault) -> AsyncIterator[OauthWorld]:
    listener = socket.create_server(("127.0.0.1", 0))
    origin = f"http://127.0.0.1:{listener.getsockname()[1]}"
    async with (
        open_world(database, valkey, vault, SystemClock(), issuer=origin) as world,
        served(world, listener),
    ):
        yield world


@pytest.fixture
async def library(world: OauthWorld) -> AsyncIterator[RelyingParty]:
    keys = {"keys": [world.library.key.as_dict(private=True)]}
    library = await asyncio.to_thread(
        RelyingParty,
        origin=world.issuer,
        client_id="library-demo",
        redirect_uri=REDIRECT_URI,
        keys=keys,
    )
    yield library
    library.close()


async def approve(world: OauthWorld, authorization_url: str) -> str:
    """Go where the browser is sent, and say yes."""
    query = parse_qs(urlsplit(authorization_url).query)
    request_uri = query["request_uri"][0]
    opened = await world.open_page(world.library, request_uri)
    assert opened.status_code == 303, opened.text
    return await world.answer(request_uri)


async def test_the_whole_way(world: OauthWorld, library: RelyingParty) -> None:
    pushed = await asyncio.to_thread(
        library.push, programme="library", purpose="deposit_free_borrowing"
    )
    assert pushed.status == 201
    assert library.authorization_url.startswith(world.issuer + "/oauth/authorize?")
    redirect = await approve(world, library.authorization_url)

    tokens = await asyncio.to_thread(library.exchange, redirect)
    assert tokens.status == 200
    assert tokens.body["token_type"] == "DPoP"
    assert tokens.body["authorization_details"][0]["programme"] == "library"

    refreshed = await asyncio.to_thread(library.refresh)
    assert refreshed.status == 200
    assert refreshed.body["access_token"] != tokens.body["access_token"]

    assert (await asyncio.to_thread(library.introspect)).body["active"] is True
    assert (await asyncio.to_thread(library.revoke)).status == 200
    assert (await asyncio.to_thread(library.introspect)).body == {"active": False}
    refused = await asyncio.to_thread(library.refresh)
    assert (refused.status, refused.body["error"]) == (400, "invalid_grant")


async def test_a_redirect_of_somebody_else_is_not_followed(
    world: OauthWorld, library: RelyingParty
) -> None:
    await asyncio.to_thread(library.push, programme="library", purpose="deposit_free_borrowing")
    redirect = await approve(world, library.authorization_url)
    for forged in (
        redirect.replace("iss=", "iss=https%3A%2F%2Fevil.example%2F"),
        redirect.replace("iss=", "x="),
    ):
        with pytest.raises(RelyingPartyError):
            await asyncio.to_thread(library.exchange, forged)
    with pytest.raises(KeyError):
        await asyncio.to_thread(library.exchange, redirect.replace("state=", "state=x"))


async def test_a_no_of_the_citizen_reaches_the_partner(
    world: OauthWorld, library: RelyingParty
) -> None:
    await asyncio.to_thread(library.push, programme="library", purpose="deposit_free_borrowing")
    request_uri = parse_qs(urlsplit(library.authorization_url).query)["request_uri"][0]
    await world.open_page(world.library, request_uri)
    redirect = await world.answer(request_uri, yes=False)
    with pytest.raises(RelyingPartyError, match="access_denied"):
        await asyncio.to_thread(library.exchange, redirect)


async def test_what_the_server_refuses_is_said(world: OauthWorld, library: RelyingParty) -> None:
    with pytest.raises(RelyingPartyError, match="invalid_authorization_details"):
        await asyncio.to_thread(library.push, programme="loan", purpose="x")
    stranger = await asyncio.to_thread(
        RelyingParty,
        origin=world.issuer,
        client_id="library-demo",
        redirect_uri=REDIRECT_URI,
        keys={"keys": [new_key().as_dict(private=True)]},
    )
    with pytest.raises(RelyingPartyError, match="invalid_client"):
        await asyncio.to_thread(
            stranger.push, programme="library", purpose="deposit_free_borrowing"
        )
    stranger.close()


def test_idpyoidc_still_makes_a_list_of_one_audience_and_lives_ten_minutes() -> None:
    """When this fails, idpyoidc has changed: see whether IssuerAssertion can go."""
    assertion = assertion_jwt(
        "c", [new_ec_key("P-256", alg="ES256")], "https://as.example", "ES256"
    )
    claims = factory(assertion).jwt.payload()
    assert claims["aud"] == ["https://as.example"]
    assert claims["exp"] - claims["iat"] == 600
