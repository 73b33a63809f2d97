"""A city with one library, and the authorization server over HTTP, as the OAuth tests need them.

The server is the real one on a real database and Valkey; only the citizen's sign-in and consent
pages are left out: `answer` does what they do when the citizen presses a button.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import httpx
from litestar import Litestar
from litestar.di import Provide

from backend.kit.clock import Clock
from backend.kit.crypto import Vault
from backend.kit.postgres import Database, ReadTx
from backend.kit.replay import ReplayGuard
from backend.kit.valkey import Valkey
from backend.oauth import api, service
from backend.oauth.rules.request import Detail
from backend.partner import service as partner
from backend.partner.rules import Client
from tests.conftest import NOW
from tests.support.oauth_client import ISSUER, REDIRECT_URI, OauthClient, jwks_of

PARTNER_ID = UUID("01900000-0000-7000-8000-000000000001")
SUBJECT_ID = UUID("01900000-0000-8000-8000-000000000002")
CONSENT_ID = UUID("01900000-0000-7000-8000-000000000003")
CONSENT_LIFE = timedelta(days=180)


def make_client(
    *,
    client_id: str = "library-demo",
    jwks: dict[str, Any] | None = None,
    redirect_uris: list[str] | None = None,
    suspended_at: datetime | None = None,
    partner_suspended_at: datetime | None = None,
) -> Client:
    """Return a registered client without a database."""
    return Client(
        client_id=client_id,
        partner_id=PARTNER_ID,
        partner_code="city-library",
        partner_name_zh="市图书馆",
        partner_name_en="City Library",
        partner_kind="merchant",
        name_zh="图书借还",
        name_en="Library desk",
        jwks=jwks or {"keys": []},
        redirect_uris=redirect_uris or [REDIRECT_URI],
        scopes=["eligibility:verify"],
        created_at=NOW,
        suspended_at=suspended_at,
        partner_suspended_at=partner_suspended_at,
    )


class OnlyTheLibrary:
    """A DetailPolicy of a city with one programme."""

    async def complete(self, _tx: ReadTx, *, partner_id: UUID, detail: Detail) -> Detail | None:
        """Return what is asked if it is the one programme, for its one purpose."""
        assert partner_id
        asked = (detail.programme, detail.purpose)
        return detail if asked == ("library", "deposit_free_borrowing") else None


class OauthWorld:
    """The server, its database, its clock, and a client that is registered with it."""

    def __init__(
        self, database: Database, valkey: Valkey, vault: Vault, clock: Clock, *, issuer: str
    ) -> None:
        self.database = database
        self.vault = vault
        self.clock = clock
        self.issuer = issuer
        self.replay = ReplayGuard(valkey, database)
        self.app = self._app()
        self.http = httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url=issuer)
        self.library = OauthClient(self.http, clock)

    def _app(self) -> Litestar:
        given: dict[str, object] = {
            "clock": self.clock,
            "db": self.database,
            "detail_policy": OnlyTheLibrary(),
            "issuer": self.issuer,
            "replay": self.replay,
        }
        return Litestar(
            route_handlers=api.ROUTES,
            dependencies={name: _always(value) for name, value in given.items()},
            openapi_config=None,
            debug=True,
        )

    async def register(
        self,
        client: OauthClient,
        *,
        partner_code: str = "city-library",
        scopes: Sequence[str] = ("eligibility:verify",),
    ) -> Client:
        """Register a client with its partner."""
        async with self.database.write() as tx:
            if await partner.find_partner(tx, code=partner_code) is None:
                await partner.add_partner(
                    tx,
                    code=partner_code,
                    name_zh="市图书馆",
                    name_en="City Library",
                    kind="merchant",
                    now=NOW,
                )
            return await partner.add_client(
                tx,
                partner_code=partner_code,
                client_id=client.client_id,
                name_zh="图书借还",
                name_en="Library desk",
                jwks=jwks_of(client.key),
                redirect_uris=[REDIRECT_URI],
                scopes=list(scopes),
                now=NOW,
            )

    async def open_page(self, client: OauthClient, request_uri: str) -> httpx.Response:
        """Send the citizen's browser to the authorization endpoint."""
        query = {"client_id": client.client_id, "request_uri": request_uri}
        return await self.http.get("/oauth/authorize", params=query)

    async def answer(self, request_uri: str, *, yes: bool = True) -> str:
        """Answer an opened request as the consent page does; returns the redirect."""
        now = self.clock.now()
        async with self.database.write() as tx:
            if not yes:
                return await service.deny(tx, request_uri=request_uri, now=now)
            request = await service.get_request(tx, request_uri=request_uri, now=now)
            return await service.approve(
                tx,
                request_uri=request_uri,
                subject_id=SUBJECT_ID,
                consent_id=CONSENT_ID,
                details=request.parameters.details,
                expires_at=now + CONSENT_LIFE,
                vault=self.vault,
                now=now,
            )

    async def code(self, client: OauthClient | None = None, **changes: Any) -> str:
        """Push, open and approve a request; returns the code."""
        client = client or self.library
        pushed = await client.push(**changes)
        assert pushed.status_code == 201, pushed.text
        request_uri = pushed.json()["request_uri"]
        opened = await self.open_page(client, request_uri)
        assert opened.status_code == 303, opened.text
        redirect = await self.answer(request_uri)
        return parse_qs(urlsplit(redirect).query)["code"][0]

    async def tokens(self, client: OauthClient | None = None) -> dict[str, Any]:
        """Go the whole way; returns the token response."""
        client = client or self.library
        answer = await client.redeem(await self.code(client))
        assert answer.status_code == 200, answer.text
        tokens: dict[str, Any] = answer.json()
        return tokens


@asynccontextmanager
async def open_world(
    database: Database, valkey: Valkey, vault: Vault, clock: Clock, *, issuer: str = ISSUER
) -> AsyncIterator[OauthWorld]:
    """Open a world whose library is registered."""
    world = OauthWorld(database, valkey, vault, clock, issuer=issuer)
    try:
        await world.register(world.library)
        yield world
    finally:
        await world.http.aclose()
        await world.replay.close()


def _always(value: object) -> Provide:
    async def provide() -> Any:
        return value

    return Provide(provide)
