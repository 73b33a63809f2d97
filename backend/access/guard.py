"""Guards: each route says who may call it, with `requires(scope)` or `public(why)`.

A contract test lists every route with its guard, so a route without one shows up as a diff.
"""

from typing import Any, cast

from litestar.connection import ASGIConnection
from litestar.handlers.base import BaseRouteHandler
from litestar.types import HTTPScope

from backend.access.authenticate import Authenticator
from backend.access.rules import (
    CITIZEN_SCOPES,
    CLIENT_SCOPES,
    OPERATOR_SCOPES,
    PARTNER_SCOPES,
    SOURCE_SCOPES,
    CitizenPrincipal,
    ClientPrincipal,
    OperatorPrincipal,
    PartnerPrincipal,
    Principal,
    Scope,
    SourcePrincipal,
    operator_scopes,
)
from backend.kit.problem import Refusal

_STATE_KEY = "principal"
_FAULT_KEY = "fault"
Connection = ASGIConnection[Any, Any, Any, Any]


class Requires:
    """A guard that lets in a verified token carrying one scope."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope

    async def __call__(self, connection: Connection, _handler: BaseRouteHandler) -> None:
        """Authenticate the caller; raises TokenRefused (401) or Refusal("scope_insufficient")."""
        scope = cast("HTTPScope", connection.scope)
        fault: Exception | None = scope["state"].pop(_FAULT_KEY, None)
        if fault is not None:
            raise fault
        authenticator: Authenticator = connection.app.state["authenticator"]
        scope["state"][_STATE_KEY] = await self.admit(scope, authenticator)

    async def admit(self, scope: HTTPScope, authenticator: Authenticator) -> Principal:
        """Return who sent a request; raises TokenRefused (401) or Refusal("scope_insufficient")."""
        principal = await authenticator.authenticate(
            method=scope["method"],
            path=scope["raw_path"].decode("ascii", "replace"),
            authorization=header_values(scope, b"authorization"),
            proofs=header_values(scope, b"dpop"),
        )
        if not self.allows(principal):
            raise Refusal("scope_insufficient", scope=str(self.scope))
        return principal

    def allows(self, principal: Principal) -> bool:
        """Whether somebody may come in."""
        return isinstance(principal, BEARERS[self.scope]) and self.scope in principal.scopes


_BEARERS: tuple[tuple[frozenset[Scope], type[Principal]], ...] = (
    (CITIZEN_SCOPES, CitizenPrincipal),
    (PARTNER_SCOPES, PartnerPrincipal),
    (CLIENT_SCOPES, ClientPrincipal),
    (SOURCE_SCOPES, SourcePrincipal),
    (operator_scopes(OPERATOR_SCOPES), OperatorPrincipal),
)
# Whose tokens carry a scope, and nobody else's.
BEARERS: dict[Scope, tuple[type[Principal], ...]] = {
    scope: tuple(bearer for scopes, bearer in _BEARERS if scope in scopes) for scope in Scope
}


def let_guard_raise(scope: HTTPScope, fault: Exception) -> None:
    """Hand a request that failed below the framework to its guard, to be answered as any other."""
    scope["state"][_FAULT_KEY] = fault


class Public:
    """A guard that lets in anyone, and says why that is right."""

    def __init__(self, why: str) -> None:
        assert why, "an open route needs a reason"
        self.why = why

    async def __call__(self, _connection: Connection, _handler: BaseRouteHandler) -> None:
        """Let the caller in."""


def requires(scope: Scope) -> Requires:
    """Return the guard that asks for a token with `scope`."""
    return Requires(scope)


def public(why: str) -> Public:
    """Return the guard of an operation that is open to anyone, for the reason given."""
    return Public(why)


def header_values(scope: HTTPScope, name: bytes) -> list[str]:
    """Return all values of one header, as the server handed them over."""
    return [value.decode("latin-1") for each, value in scope["headers"] if each == name]


async def provide_citizen(request: Connection) -> CitizenPrincipal:
    """Return the citizen the guard let in."""
    principal = request.scope["state"][_STATE_KEY]
    assert isinstance(principal, CitizenPrincipal), "the route's guard asks for a citizen scope"
    return principal


async def provide_partner(request: Connection) -> PartnerPrincipal:
    """Return the partner the guard let in with a citizen's token.

    Raises Refusal scope_insufficient for a partner's own token, which speaks for no citizen.
    """
    principal = request.scope["state"][_STATE_KEY]
    if isinstance(principal, ClientPrincipal):
        raise Refusal("scope_insufficient", scope=str(Scope.ELIGIBILITY_VERIFY))
    assert isinstance(principal, PartnerPrincipal), "the route's guard asks for a partner scope"
    return principal


async def provide_client(request: Connection) -> ClientPrincipal:
    """Return the partner the guard let in with a token of its own.

    Raises Refusal scope_insufficient for a citizen's token.
    """
    principal = request.scope["state"][_STATE_KEY]
    if isinstance(principal, PartnerPrincipal):
        raise Refusal("scope_insufficient", scope=str(Scope.ORDERS_WRITE))
    assert isinstance(principal, ClientPrincipal), "the route's guard asks for a partner's scope"
    return principal


async def provide_order_keeper(request: Connection) -> PartnerPrincipal | ClientPrincipal:
    """Return the partner the guard let in, with a citizen's token or one of its own."""
    principal = request.scope["state"][_STATE_KEY]
    assert isinstance(principal, PartnerPrincipal | ClientPrincipal), "a partner's scope"
    return principal


async def provide_operator(request: Connection) -> OperatorPrincipal:
    """Return the operator the guard let in."""
    principal = request.scope["state"][_STATE_KEY]
    assert isinstance(principal, OperatorPrincipal), "the route asks for an operator"
    return principal


async def provide_source(request: Connection) -> SourcePrincipal:
    """Return the source department the guard let in."""
    principal = request.scope["state"][_STATE_KEY]
    assert isinstance(principal, SourcePrincipal), "the route's guard asks for a source scope"
    return principal
