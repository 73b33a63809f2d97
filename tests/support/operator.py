"""Operators' software: signs in with a password and a second factor, and says why.

In a test:

    editor = await OperatorSoftware.of(world, "programmes")
    other = await OperatorSoftware.of(world, "programmes")      # a second person
    answer = await editor.call("POST", "/v1/operator/…", {"…": …}, reason="新增项目")

`of(world, *roles)` adds an operator with these roles (`security` and `audit` stand alone), sets
them up and signs them in over HTTP with a key of their own. `call` sends the token, a fresh proof,
the reason and, with a POST, a fresh Idempotency-Key; `signed(method, path)` returns those headers.
`editor.login` is what stands in the entries; `await editor.principal()` is who the guard lets in,
and `Actor.of(...)` of it who acts, for calling a verb directly.
"""

import base64
from typing import Any, Self
from urllib.parse import parse_qs, quote, urlsplit

import httpx

from backend.access.rules import OperatorPrincipal
from backend.kit.ids import new_token, token_hash
from backend.ledger.rules import Actor
from backend.operator import rules, service
from backend.operator.rules import SessionKind
from tests.support.oauth_client import OauthClient
from tests.support.world import World

PASSWORD = "correct horse battery staple"
REASON = "例行工作"
SESSIONS = "/v1/operator/sessions"


def code_of(secret: bytes, world: World) -> str:
    """Return what the authenticator app of an operator shows now."""
    return rules.totp_code(secret, rules.totp_step(world.clock.now()))


def secret_of(totp_uri: str) -> bytes:
    """Return the secret that an authenticator app reads from an address."""
    (text,) = parse_qs(urlsplit(totp_uri).query)["secret"]
    return base64.b32decode(text + "=" * (-len(text) % 8))


class OperatorSoftware:
    """One operator at a program with a key of its own."""

    def __init__(self, world: World, login: str, secret: bytes) -> None:
        self.world, self.login, self.secret = world, login, secret
        self.signer = OauthClient(world.http, world.clock, issuer=world.origin)
        self.token: str | None = None

    @classmethod
    async def of(cls, world: World, *roles: str, login: str | None = None) -> Self:
        """Add an operator with these roles, set them up and sign them in."""
        software = await cls.added(world, *roles, login=login)
        answer = await software.sign_in()
        assert answer.status_code == 201, answer.text
        return software

    @classmethod
    async def added(cls, world: World, *roles: str, login: str | None = None) -> Self:
        """Add an operator and set them up, as the command line does; nobody is signed in."""
        count = await world.count("operator")
        login = login or f"op-{count + 1}"
        now = world.clock.now()
        async with world.database.write() as tx:
            added = await service.add(
                tx,
                login=login,
                name_zh="陈静",
                name_en="Chen Jing",
                roles=roles,
                by=Actor.at_shell("测试"),
                reason=REASON,
                now=now,
            )
            done = await service.set_up_at_once(
                tx, added=added, password=PASSWORD, vault=world.vault, now=now
            )
        return cls(world, login, secret_of(done.totp_uri))

    @property
    def code(self) -> str:
        """The six digits of now."""
        return code_of(self.secret, self.world)

    async def sign_in(self, **changes: Any) -> httpx.Response:
        """Ask for a session; keep its token when there is one."""
        body = {"login": self.login, "password": PASSWORD, "totp": self.code, **changes}
        answer = await self.world.http.post(
            SESSIONS, json=body, headers={"dpop": self.signer.proof("POST", SESSIONS)}
        )
        if answer.status_code == 201:
            self.token = answer.json()["access_token"]
        return answer

    async def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        reason: str | None = REASON,
        headers: dict[str, str] | None = None,
    ) -> httpx.Response:
        """Send one request as the operator."""
        sent = {**self.signed(method, path, reason=reason), **(headers or {})}
        return await self.world.http.request(method, path, json=body, headers=sent)

    def signed(self, method: str, path: str, *, reason: str | None = REASON) -> dict[str, str]:
        """Return the headers of a call that is as it should be."""
        bare = path.partition("?")[0]
        sent = {"dpop": self.signer.proof(method, bare, access_token=self.token)}
        if self.token is not None:
            sent["authorization"] = f"DPoP {self.token}"
        if reason is not None:
            sent["operator-reason"] = quote(reason)
        if method == "POST":
            sent["idempotency-key"] = new_token("key_")
        return sent

    async def principal(self) -> OperatorPrincipal:
        """Return who the guard lets in with the token."""
        assert self.token is not None
        async with self.world.database.read() as tx:
            session = await service.find_session(
                tx,
                token_hash=token_hash(self.token),
                kind=SessionKind.API,
                now=self.world.clock.now(),
            )
        assert session is not None
        return rules.principal_of(session)
