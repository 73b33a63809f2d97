"""Coming in over HTTP: setting up, signing in and out.

The POSTs here take no Idempotency-Key: a set-up code and a code of the second factor are used up by
the first request that succeeds, so sending it again opens nothing twice.
"""

from datetime import datetime, timedelta
from typing import Annotated
from uuid import UUID

import msgspec
from litestar import delete, get, post
from litestar.datastructures import CacheControlHeader
from litestar.di import NamedDependency
from litestar.params import JSONBody

from backend.access.guard import public, requires
from backend.access.proof import CHALLENGE, proved_key
from backend.access.rules import OPERATOR_SCOPES, OperatorPrincipal, Scope, operator_scopes
from backend.kit.clock import Clock
from backend.kit.http import AnyRequest, problems
from backend.kit.postgres import Database
from backend.kit.problem import Refusal
from backend.kit.replay import ReplayGuard
from backend.operator import service
from backend.operator.desk import OperatorDesk
from backend.operator.rules import (
    LOGIN_LONGEST,
    PASSWORD_LONGEST,
    SessionKind,
    SignedIn,
    SignInDecision,
    SignInFailed,
    SignInThrottled,
)
from backend.operator.service import Knock, SetUp

_NO_STORE = CacheControlHeader(no_store=True)
_ANYONE = public("whoever signs in has no token yet")

Login = Annotated[str, msgspec.Meta(min_length=1, max_length=LOGIN_LONGEST, examples=["chen.jing"])]
_Password = Annotated[str, msgspec.Meta(min_length=1, max_length=PASSWORD_LONGEST)]


class OperatorSetUpCreate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Choose a password with the code of whoever added or reset the operator."""

    login: Login
    set_up_code: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    password: _Password


class OperatorSetUpCreated(msgspec.Struct, frozen=True):
    """The second factor, shown this once: give `totp_uri` to an authenticator app (RFC 6238)."""

    totp_uri: str


class OperatorSessionCreate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Sign in with a password and the six digits of the second factor."""

    login: Login
    password: _Password
    # The length too: Python's $ also matches before a line feed at the end.
    totp: Annotated[str, msgspec.Meta(pattern="^[0-9]{6}$", max_length=6, examples=["042137"])]


class OperatorSessionCreated(msgspec.Struct, frozen=True):
    """A session's token, shown this once: send it as `Authorization: DPoP …` with a proof.

    It ends `expires_in` seconds from now, and before that when it isn't used for a quarter of an
    hour.
    """

    access_token: str
    token_type: str
    expires_in: int
    scope: str


class OperatorMeView(msgspec.Struct, frozen=True):
    """Who is signed in, and what they may do."""

    operator_id: UUID
    login: str
    name_zh: str
    name_en: str
    roles: list[str]
    scopes: list[str]


@post(
    "/v1/operator/set-ups",
    operation_id="operator_set_up",
    tags=["operator"],
    guards=[_ANYONE],
    cache_control=_NO_STORE,
    responses=problems(
        "body_invalid",
        "dpop_proof_invalid",
        "operator_password_weak",
        "sign_in_failed",
        "sign_in_throttled",
        "too_many_requests",
    ),
)
async def create_set_up(
    request: AnyRequest,
    data: JSONBody[OperatorSetUpCreate],
    clock: NamedDependency[Clock],
    origin: NamedDependency[str],
    replay: NamedDependency[ReplayGuard],
    operator_desk: NamedDependency[OperatorDesk],
) -> OperatorSetUpCreated:
    """Set a new or reset operator up: the password is theirs, and so is the second factor."""
    jkt = await proved_key(request, origin=origin, replay=replay, now=clock.now())
    decision = await operator_desk.set_up(
        Knock(data.login, jkt, _address(request)),
        set_up_code=data.set_up_code,
        password=data.password,
    )
    if isinstance(decision, SetUp):
        return OperatorSetUpCreated(decision.totp_uri)
    if isinstance(decision, SignInThrottled):
        raise Refusal("sign_in_throttled", retry_after_seconds=decision.retry_after_seconds)
    raise Refusal("sign_in_failed", www_authenticate=CHALLENGE)


@post(
    "/v1/operator/sessions",
    operation_id="operator_session_create",
    tags=["operator"],
    guards=[_ANYONE],
    cache_control=_NO_STORE,
    responses=problems(
        "body_invalid",
        "dpop_proof_invalid",
        "sign_in_failed",
        "sign_in_throttled",
        "too_many_requests",
    ),
)
async def create_session(
    request: AnyRequest,
    data: JSONBody[OperatorSessionCreate],
    clock: NamedDependency[Clock],
    origin: NamedDependency[str],
    replay: NamedDependency[ReplayGuard],
    operator_desk: NamedDependency[OperatorDesk],
) -> OperatorSessionCreated:
    """Sign in; the token is bound to the key of the DPoP proof. Which part is wrong isn't told."""
    now = clock.now()
    jkt = await proved_key(request, origin=origin, replay=replay, now=now)
    decision = await operator_desk.sign_in(
        Knock(data.login, jkt, _address(request)),
        password=data.password,
        code=data.totp,
        kind=SessionKind.API,
        jkt=jkt,
    )
    return _session_created(decision, now)


@delete(
    "/v1/operator/sessions/current",
    operation_id="operator_session_delete",
    tags=["operator"],
    guards=[requires(Scope.OPERATOR)],
    responses=problems("scope_insufficient", "token_invalid"),
)
async def delete_session(
    operator: NamedDependency[OperatorPrincipal],
    db: NamedDependency[Database],
    clock: NamedDependency[Clock],
) -> None:
    """Sign out: the token is dead at once."""
    async with db.write() as tx:
        await service.end_session(tx, token_hash=operator.session_hash, now=clock.now())


@get(
    "/v1/operator/me",
    operation_id="operator_me_get",
    tags=["operator"],
    guards=[requires(Scope.OPERATOR)],
    cache_control=_NO_STORE,
    responses=problems("scope_insufficient", "token_invalid"),
)
async def get_me(operator: NamedDependency[OperatorPrincipal]) -> OperatorMeView:
    """Say who is signed in, and with which roles."""
    roles = [role for role, scope in OPERATOR_SCOPES.items() if scope in operator.scopes]
    return OperatorMeView(
        operator_id=operator.operator_id,
        login=operator.login,
        name_zh=operator.name_zh,
        name_en=operator.name_en,
        roles=sorted(roles),
        scopes=sorted(operator.scopes),
    )


def _address(request: AnyRequest) -> str:
    return request.client.host if request.client is not None else ""


def _session_created(decision: SignInDecision, now: datetime) -> OperatorSessionCreated:
    """Shape a decision that has been committed; raises the refusal it amounts to."""
    match decision:
        case SignedIn(token=token, operator=operator, expires_at=expires_at):
            seconds = (expires_at - now) // timedelta(seconds=1)
            scopes = " ".join(sorted(operator_scopes(operator.roles)))
            return OperatorSessionCreated(token, "DPoP", seconds, scopes)
        case SignInFailed():
            raise Refusal("sign_in_failed", www_authenticate=CHALLENGE)
        case SignInThrottled(retry_after_seconds=wait):
            raise Refusal("sign_in_throttled", retry_after_seconds=wait)


ROUTES = [create_set_up, create_session, delete_session, get_me]
