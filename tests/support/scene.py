"""One reader, one library, one department, and every way to knock at a door as one of them.

The reader is eligible, takes part and is enrolled; the library holds her consent's tokens, and one
of its own; the department hands in. One operator runs programmes, data and cases, one lets others
in and out, one reads what they did.
"""

import re
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
    operator_scopes,
)
from tests.support.oauth_client import OauthClient
from tests.support.operator import OperatorSoftware
from tests.support.partner import PartnerSoftware
from tests.support.source import SourceSoftware
from tests.support.world import App, World

# Who is at which operator's program; `security` and `audit` stand alone.
OPERATORS = {
    "operator": ("programmes", "data", "cases"),
    "security": ("security",),
    "auditor": ("audit",),
}


class Scene:
    """A reader with an app and a browser, a library with her token, a department with its own."""

    def __init__(self, world: World) -> None:
        self.world = world

    async def set_up(self) -> "Scene":
        """Let it all have happened."""
        self.library = await self.world.found()
        self.app = await self.world.reader_of()
        self.browser = await self.world.browser_of()
        self.tokens = await self.world.tokens_of(
            self.browser, self.library, order={"confirm": "consent"}
        )
        self.own = await PartnerSoftware.of(self.library)
        self.source = await SourceSoftware.register(self.world)
        self.operators = {
            name: await OperatorSoftware.of(self.world, *roles) for name, roles in OPERATORS.items()
        }
        return self

    @property
    def holders(self) -> list[tuple[OauthClient, str]]:
        """Who holds a good token: citizen's app, library (of both kinds), department, operator."""
        assert self.app.token is not None
        return [
            (self.app.signer, self.app.token),
            (self.library, self.tokens.access),
            (self.library, self.own.token),
            (self.source.client, self.source.token),
            (self.operators["operator"].signer, self.operators["operator"].token or ""),
        ]

    def sender_of(self, scope: Scope) -> str:
        """Return whose tokens carry a scope; for one of two, the one with a citizen's consent."""
        if scope in CITIZEN_SCOPES:
            return "citizen"
        if scope in SOURCE_SCOPES:
            return "source"
        if scope in CLIENT_SCOPES | PARTNER_SCOPES:
            return "partner" if scope in PARTNER_SCOPES else "client"
        return next(name for name, roles in OPERATORS.items() if scope in operator_scopes(roles))

    def strangers_to(self, scope: Scope) -> set[str]:
        """Return all whose tokens are good and don't carry a scope."""
        carriers = {
            "citizen": CITIZEN_SCOPES,
            "partner": PARTNER_SCOPES,
            "client": CLIENT_SCOPES,
            "source": SOURCE_SCOPES,
            **{name: operator_scopes(roles) for name, roles in OPERATORS.items()},
        }
        return {sender for sender, scopes in carriers.items() if scope not in scopes}

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
        if sender in self.operators:
            return self.operators[sender].signed(method, path)
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
    names = {"code": "library", "client_id": "library-demo", "login": "nobody"}
    path = re.sub(r"\{\w+:uuid\}", lambda _: str(uuid4()), template)
    path = re.sub(r"\{\w+:int\}", "1", path)
    for name, value in names.items():
        path = path.replace("{" + name + ":str}", value)
    assert "{" not in path, f"say what stands for a parameter of {template}"
    return path
