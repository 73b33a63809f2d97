"""Coming in over HTTP: one-time codes, opening an account, signing in and out.

The POSTs here take no Idempotency-Key: a one-time code is used up by the first request that
succeeds, so sending it again opens nothing twice.
"""

from datetime import datetime, timedelta
from typing import Annotated

import msgspec
from litestar import delete, post
from litestar.datastructures import CacheControlHeader
from litestar.di import NamedDependency
from litestar.params import JSONBody
from litestar.status_codes import HTTP_202_ACCEPTED

from backend.access.guard import public, requires
from backend.access.proof import CHALLENGE, proved_key
from backend.access.rules import CITIZEN_SCOPES, CitizenPrincipal, Scope
from backend.citizen import rules, service
from backend.citizen.ports import IdentityRegister, Sender, SendFailed
from backend.citizen.rules import (
    AccountMissing,
    CodeToSend,
    IdentityNotConfirmed,
    SessionKind,
    SignedIn,
    SignInFailed,
    SignInThrottled,
)
from backend.kit.clock import Clock
from backend.kit.crypto import Vault
from backend.kit.http import AnyRequest, problems
from backend.kit.log import get_log
from backend.kit.postgres import Database
from backend.kit.problem import Refusal
from backend.kit.replay import ReplayGuard

log = get_log(__name__)

_NO_STORE = CacheControlHeader(no_store=True)
_ANYONE_SIGNS_IN = public("whoever signs in has no token yet")

Phone = Annotated[
    str,
    msgspec.Meta(
        min_length=1,
        max_length=32,
        description="mobile number, with or without +86",
        examples=["13800138000"],
    ),
]
# The length too: Python's $ also matches before a line feed at the end.
Code = Annotated[
    str,
    msgspec.Meta(
        pattern="^[0-9]{6}$", max_length=6, description="the one-time code", examples=["042137"]
    ),
]


class SignInCodeCreate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Ask for a one-time code."""

    phone: Phone


class SignInCodeAccepted(msgspec.Struct, frozen=True):
    """Always the same: a code is on its way if one may be sent. It is good for `expires_in` s."""

    expires_in: int


class AccountCreate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Open an account: an adult, with id, name and phone as the identity register knows them."""

    phone: Phone
    code: Code
    national_id: Annotated[
        str, msgspec.Meta(min_length=1, max_length=32, examples=["11010519491231002X"])
    ]
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=200, examples=["林晓"])]


class SessionCreate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Sign in with a one-time code."""

    phone: Phone
    code: Code


class SessionCreated(msgspec.Struct, frozen=True):
    """A session's token, shown this once: send it as `Authorization: DPoP …` with a proof."""

    access_token: str
    token_type: str
    expires_in: int
    scope: str


@post(
    "/v1/sign-in-codes",
    operation_id="sign_in_code_create",
    tags=["citizen"],
    guards=[_ANYONE_SIGNS_IN],
    status_code=HTTP_202_ACCEPTED,
    responses=problems("body_invalid", "dpop_proof_invalid", "phone_invalid"),
)
async def create_sign_in_code(
    request: AnyRequest,
    data: JSONBody[SignInCodeCreate],
    db: NamedDependency[Database],
    clock: NamedDependency[Clock],
    vault: NamedDependency[Vault],
    origin: NamedDependency[str],
    replay: NamedDependency[ReplayGuard],
    sender: NamedDependency[Sender],
) -> SignInCodeAccepted:
    """Send a one-time code to a phone.

    The answer is the same whether the phone has an account or not, and whether a code was sent or
    withheld because of too many. A DPoP proof is optional here; its key's requests are counted.
    """
    now = clock.now()
    device = None
    if "dpop" in request.headers:
        device = await proved_key(request, origin=origin, replay=replay, now=now)
    async with db.write() as tx:
        decision = await service.request_code(
            tx, phone=data.phone, device=device, address=_address(request), vault=vault, now=now
        )
    if isinstance(decision, CodeToSend):
        try:
            await sender.send(phone=decision.phone, text=decision.text)
        except SendFailed as failure:
            # The citizen sees no code and asks for another; the answer must not tell them apart.
            log.error("code_not_sent", exc_info=failure)
    return SignInCodeAccepted(rules.CODE_LIFE // timedelta(seconds=1))


@post(
    "/v1/accounts",
    operation_id="account_create",
    tags=["citizen"],
    guards=[_ANYONE_SIGNS_IN],
    cache_control=_NO_STORE,
    responses=problems(
        "account_exists",
        "body_invalid",
        "dpop_proof_invalid",
        "identity_not_confirmed",
        "name_invalid",
        "national_id_invalid",
        "phone_invalid",
        "sign_in_failed",
        "sign_in_throttled",
        "under_age",
    ),
)
async def create_account(
    request: AnyRequest,
    data: JSONBody[AccountCreate],
    db: NamedDependency[Database],
    clock: NamedDependency[Clock],
    vault: NamedDependency[Vault],
    origin: NamedDependency[str],
    replay: NamedDependency[ReplayGuard],
    identity_register: NamedDependency[IdentityRegister],
) -> SessionCreated:
    """Open an account and sign in; the token is bound to the key of the DPoP proof."""
    now = clock.now()
    jkt = await proved_key(request, origin=origin, replay=replay, now=now)
    async with db.write() as tx:
        decision = await service.register(
            tx,
            phone=data.phone,
            code=data.code,
            national_id=data.national_id,
            name=data.name,
            device=jkt,
            address=_address(request),
            identity=identity_register,
            vault=vault,
            now=now,
            jkt=jkt,
            kind=SessionKind.APP,
        )
    return _session_created(decision, now)


@post(
    "/v1/sessions",
    operation_id="session_create",
    tags=["citizen"],
    guards=[_ANYONE_SIGNS_IN],
    cache_control=_NO_STORE,
    responses=problems(
        "account_missing",
        "body_invalid",
        "dpop_proof_invalid",
        "phone_invalid",
        "sign_in_failed",
        "sign_in_throttled",
    ),
)
async def create_session(
    request: AnyRequest,
    data: JSONBody[SessionCreate],
    db: NamedDependency[Database],
    clock: NamedDependency[Clock],
    vault: NamedDependency[Vault],
    origin: NamedDependency[str],
    replay: NamedDependency[ReplayGuard],
) -> SessionCreated:
    """Sign in; the token is bound to the key of the DPoP proof."""
    now = clock.now()
    jkt = await proved_key(request, origin=origin, replay=replay, now=now)
    async with db.write() as tx:
        decision = await service.sign_in(
            tx,
            phone=data.phone,
            code=data.code,
            device=jkt,
            address=_address(request),
            vault=vault,
            now=now,
            jkt=jkt,
            kind=SessionKind.APP,
        )
    return _session_created(decision, now)


@delete(
    "/v1/sessions/current",
    operation_id="session_delete",
    tags=["citizen"],
    guards=[requires(Scope.ME)],
    responses=problems("scope_insufficient", "token_invalid"),
)
async def delete_session(
    citizen: NamedDependency[CitizenPrincipal],
    db: NamedDependency[Database],
    clock: NamedDependency[Clock],
) -> None:
    """Sign out this install: its token is dead at once."""
    async with db.write() as tx:
        await service.end_session(tx, token_hash=citizen.session_hash, now=clock.now())


def _address(request: AnyRequest) -> str:
    return request.client.host if request.client is not None else ""


def _session_created(
    decision: SignedIn | SignInFailed | SignInThrottled | AccountMissing | IdentityNotConfirmed,
    now: datetime,
) -> SessionCreated:
    """Shape a decision that has been committed; raises the refusal it amounts to."""
    match decision:
        case SignedIn(token=token, session=session):
            seconds = (session.expires_at - now) // timedelta(seconds=1)
            return SessionCreated(token, "DPoP", seconds, " ".join(sorted(CITIZEN_SCOPES)))
        case SignInFailed():
            raise Refusal("sign_in_failed", www_authenticate=CHALLENGE)
        case SignInThrottled(retry_after_seconds=wait):
            raise Refusal("sign_in_throttled", retry_after_seconds=wait)
        case AccountMissing():
            raise Refusal("account_missing")
        case IdentityNotConfirmed():
            raise Refusal("identity_not_confirmed")


ROUTES = [create_sign_in_code, create_account, create_session, delete_session]
