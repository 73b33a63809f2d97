"""The citizen's doors over HTTP, as the tests of the citizen and consent rooms need them.

Handlers, guards and refusals are the real ones on a real database and Valkey. In place of the
rooms above, joining computes nothing, and leaving ends the consents.
"""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any
from uuid import UUID

import httpx
from litestar import Litestar
from litestar.datastructures import State
from litestar.di import Provide
from litestar.exceptions import HTTPException

from backend.access.authenticate import Authenticator
from backend.access.guard import provide_citizen
from backend.citizen import api, service
from backend.citizen.credential import CitizenSessions
from backend.citizen.ports import SendFailed
from backend.citizen.service import CURRENT_NOTICE, SESSION_PREFIX
from backend.consent import api as consent_api
from backend.consent import service as consent
from backend.kit.clock import FixedClock
from backend.kit.crypto import Vault
from backend.kit.http import (
    BODY_BYTES_MAX,
    JsonRequest,
    RequestLog,
    on_fault,
    on_framework_error,
    on_refusal,
)
from backend.kit.ids import token_hash
from backend.kit.postgres import Database, Tx
from backend.kit.problem import Refusal
from backend.kit.replay import ReplayGuard
from backend.kit.valkey import Valkey
from tests.support.citizen import Everybody, RecordingHooks, national_id, phone
from tests.support.oauth_client import ISSUER, OauthClient


class Inbox:
    """A sender that keeps what it is given; `away` makes it fail."""

    def __init__(self) -> None:
        self.texts: list[tuple[str, str]] = []
        self.away = False

    async def send(self, *, phone: str, text: str) -> None:
        """Keep the text."""
        if self.away:
            raise SendFailed
        self.texts.append((phone, text))

    @property
    def code(self) -> str:
        """The code in the last text."""
        found = re.search(r"\b[0-9]{6}\b", self.texts[-1][1])
        assert found is not None
        return found.group()


class EndingConsents(RecordingHooks):
    """Hooks that end the consents of who leaves."""

    async def left(self, tx: Tx, *, subject_id: UUID, now: datetime) -> None:
        """End them, and remember it."""
        await consent.end_all(tx, subject_id=subject_id, now=now)
        await super().left(tx, subject_id=subject_id, now=now)


class CitizenWorld:
    """The server with its database, clock and inbox."""

    def __init__(self, database: Database, valkey: Valkey, vault: Vault, clock: FixedClock) -> None:
        self.database, self.vault, self.clock = database, vault, clock
        self.inbox, self.hooks = Inbox(), EndingConsents()
        self.replay = ReplayGuard(valkey, database)
        self.http = httpx.AsyncClient(
            transport=httpx.ASGITransport(self._app(), raise_app_exceptions=False),
            base_url=ISSUER,
        )

    def _app(self) -> Litestar:
        given: dict[str, object] = {
            "clock": self.clock,
            "db": self.database,
            "identity_register": Everybody(),
            "origin": ISSUER,
            "participation_hooks": self.hooks,
            "replay": self.replay,
            "sender": self.inbox,
            "vault": self.vault,
        }
        authenticator = Authenticator(
            origin=ISSUER,
            clock=self.clock,
            replay=self.replay,
            stores={SESSION_PREFIX: CitizenSessions(self.database)},
        )
        return Litestar(
            route_handlers=[*api.ROUTES, *consent_api.ROUTES],
            dependencies={
                "citizen": Provide(provide_citizen),
                **{name: _always(value) for name, value in given.items()},
            },
            exception_handlers={
                Refusal: on_refusal,
                HTTPException: on_framework_error,
                Exception: on_fault,
            },
            middleware=[RequestLog()],
            request_class=JsonRequest,
            request_max_body_size=BODY_BYTES_MAX,
            state=State({"authenticator": authenticator, "origin": ISSUER}),
            openapi_config=None,
        )

    async def app_of(self, serial: int = 1, *, joins: bool = False) -> "App":
        """Return the app of a citizen who has just registered with it."""
        app = App(self)
        await app.call("POST", "/v1/sign-in-codes", {"phone": phone(serial)})
        person = {"national_id": national_id(serial), "name": "林晓"}
        answer = await app.call(
            "POST", "/v1/accounts", {"phone": phone(serial), "code": self.inbox.code, **person}
        )
        assert answer.status_code == 201, answer.text
        app.token = answer.json()["access_token"]
        if joins:
            body = {"notice_version": CURRENT_NOTICE.version}
            answer = await app.call("PUT", "/v1/me/participation", body)
            assert answer.status_code == 200, answer.text
        return app


class App:
    """An install of the first-party app with a key of its own."""

    def __init__(self, world: CitizenWorld) -> None:
        self.world = world
        self.signer = OauthClient(world.http, world.clock)
        self.token: str | None = None

    async def call(
        self, method: str, path: str, body: Any = None, *, headers: dict[str, str] | None = None
    ) -> httpx.Response:
        """Send one request with a fresh proof, and the token once there is one."""
        bare = path.partition("?")[0]
        signed = {"dpop": self.signer.proof(method, bare, access_token=self.token)}
        if self.token is not None:
            signed["authorization"] = f"DPoP {self.token}"
        return await self.world.http.request(
            method, path, json=body, headers={**signed, **(headers or {})}
        )

    @property
    async def subject_id(self) -> UUID:
        """Who is signed in here."""
        assert self.token is not None
        async with self.world.database.read() as tx:
            session = await service.find_session(
                tx, token_hash=token_hash(self.token), now=self.world.clock.now()
            )
        assert session is not None
        return session.subject_id


@asynccontextmanager
async def open_world(
    database: Database, valkey: Valkey, vault: Vault, clock: FixedClock
) -> AsyncIterator[CitizenWorld]:
    """Open a world and close what it opened."""
    world = CitizenWorld(database, valkey, vault, clock)
    try:
        yield world
    finally:
        await world.http.aclose()
        await world.replay.close()


def _always(value: object) -> Provide:
    async def provide() -> Any:
        return value

    return Provide(provide)
