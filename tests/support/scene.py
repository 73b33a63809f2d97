"""One reader, one library, one department, and every way to knock at a door as one of them.

The reader is eligible, takes part and is enrolled; the library holds her consent's tokens, and one
of its own; the department hands in.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

from backend.access.guard import Requires
from backend.access.rules import (
    CITIZEN_SCOPES,
    CLIENT_SCOPES,
    PARTNER_SCOPES,
    SOURCE_SCOPES,
    Scope,
)
from tests.support.oauth_client import OauthClient
from tests.support.partner import PartnerSoftware
from tests.support.source import SourceSoftware
from tests.support.world import App, World


class Scene:
    """A reader with an app and a browser, a library with her token, a department with its own."""

    def __init__(self, world: World) -> None:
        self.world = world

    async def set_up(self) -> "Scene":
        """Let it all have happened."""
        self.library = await self.world.found()
        self.app = await self.world.reader_of()
        self.browser = await self.world.browser_of()
        self.tokens = await self.world.tokens_of(self.browser, self.library)
        self.own = await PartnerSoftware.of(self.library)
        self.source = await SourceSoftware.register(self.world)
        return self

    @property
    def holders(self) -> list[tuple[OauthClient, str]]:
        """Who holds a token that is good: the citizen's app, the library, the department."""
        assert self.app.token is not None
        return [
            (self.app.signer, self.app.token),
            (self.library, self.tokens.access),
            (self.source.client, self.source.token),
        ]

    def sender_of(self, scope: Scope) -> str:
        """Return whose tokens carry a scope; for one of two, the one with a citizen's consent."""
        if scope in CITIZEN_SCOPES:
            return "citizen"
        if scope in SOURCE_SCOPES:
            return "source"
        return "client" if scope in CLIENT_SCOPES - PARTNER_SCOPES else "partner"

    def signed(self, sender: str, method: str, path: str) -> dict[str, str]:
        """Return the headers of a call that is as it should be, whoever may make it."""
        if sender == "citizen":
            return self.app.signed(method, path)
        if sender == "anyone":
            return App(self.world).signed(method, path)
        if sender == "source":
            return self.source.signed(method, path)
        if sender == "client":
            return self.own.signed(method, path)
        assert sender == "partner"
        return proved(self.library, self.tokens.access, method, path)

    async def consent_path(self) -> str:
        """Return the address of the consent that the tokens stand on."""
        items = (await self.app.call("GET", "/v1/me/consents")).json()["items"]
        return f"/v1/me/consents/{items[0]['consent_id']}"

    @asynccontextmanager
    async def nothing_changes(self) -> AsyncIterator[None]:
        """Hold that whatever is sent meanwhile changes no table."""
        before = await self.world.affairs()
        yield
        after = await self.world.affairs()
        changed = {name for name in after if after[name] != before[name]}
        assert changed == set(), f"what was refused changed {changed}"

    def protected_routes(self) -> list[tuple[str, str, Scope]]:
        """Return every operation that asks for a token: method, a path, the scope it asks for."""
        found = []
        for route in self.world.app.routes:
            for handler in getattr(route, "route_handlers", []):
                for guard in handler.guards or ():
                    if isinstance(guard, Requires):
                        (method,) = handler.http_methods - {"OPTIONS", "HEAD"}
                        found.append((method, _some_path(route.path), guard.scope))
        assert {scope for _, _, scope in found} == set(Scope), "no scope is without an operation"
        return found


def proved(client: OauthClient, token: str, method: str, path: str) -> dict[str, str]:
    """Return a token with a proof, as RFC 9449 section 7.1 has it."""
    proof = client.proof(method, path, access_token=token)
    return {"authorization": f"DPoP {token}", "dpop": proof}


def _some_path(template: str) -> str:
    path = template.replace("{code:str}", "library")
    for name in ("consent_id", "enrolment_id", "submission_id"):
        path = path.replace("{" + name + ":uuid}", str(uuid4()))
    assert "{" not in path, f"say what stands for a parameter of {template}"
    return path
