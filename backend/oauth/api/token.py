"""Tokens over HTTP: issue, revoke, introspect."""

from typing import Any, Literal
from uuid import UUID

import msgspec
from litestar import Response, post
from litestar.di import NamedDependency
from litestar.status_codes import HTTP_200_OK

from backend.access.guard import public
from backend.kit.clock import Clock
from backend.kit.dpop import DpopError
from backend.kit.http import AnyRequest
from backend.kit.log import get_log
from backend.kit.postgres import Database
from backend.kit.replay import ReplayGuard
from backend.oauth import service
from backend.oauth.api.caller import (
    BODY_BYTES_MAX,
    FAULT_HANDLERS,
    NO_STORE,
    Caller,
    authenticate,
    form_operation,
    oauth_faults,
)
from backend.oauth.rules.client_token import check_grant_type
from backend.oauth.rules.fault import invalid_grant
from backend.oauth.rules.form import required
from backend.oauth.rules.grant import (
    CodeReused,
    check_token_parameters,
    read_redemption,
    read_refreshing,
)
from backend.oauth.rules.introspection import BOUND_TO_KEY
from backend.oauth.rules.metadata import INTROSPECT_PATH, REVOKE_PATH, TOKEN_PATH

log = get_log(__name__)

_CLIENT_AUTHENTICATES = "the client authenticates in the form, by private_key_jwt"


class TokenView(msgspec.Struct, forbid_unknown_fields=True):
    """A token response (RFC 6749 §5.1, RFC 9449 §5, RFC 9396 §7).

    `consent_id` names the consent it stands on, as the message that tells of its end does.
    Described as closed, as the two other kinds are, so that a response is of one kind only.
    """

    access_token: str
    token_type: str
    expires_in: int
    scope: str
    authorization_details: list[dict[str, Any]]
    consent_id: UUID | None


class ClientTokenView(msgspec.Struct, forbid_unknown_fields=True):
    """The token response for a client's own resources (RFC 6749 §4.4.3): no refresh token."""

    access_token: str
    token_type: str
    expires_in: int
    scope: str


class FirstTokenView(TokenView):
    """The token response for a code, which brings the refresh token."""

    refresh_token: str


class ConfirmationView(msgspec.Struct):
    """The key a token is bound to (RFC 7800 §3.1): its RFC 7638 thumbprint."""

    jkt: str


class ActiveTokenView(msgspec.Struct):
    """What introspection says about an active token (RFC 7662 §2.2).

    `consent_id` is null for a client's own token.
    """

    active: Literal[True]
    client_id: str
    sub: str
    iss: str
    aud: str
    scope: str
    token_type: str
    iat: int
    exp: int
    cnf: ConfirmationView
    authorization_details: list[dict[str, Any]]
    consent_id: UUID | None


class InactiveTokenView(msgspec.Struct):
    """All that introspection says about any other token."""

    active: Literal[False]


class RevokedView(msgspec.Struct):
    """Nothing to say (RFC 7009 §2.2)."""


@post(
    TOKEN_PATH,
    operation_id="oauth_token",
    tags=["anyone"],
    guards=[public(_CLIENT_AUTHENTICATES)],
    exception_handlers=FAULT_HANDLERS,
    request_max_body_size=BODY_BYTES_MAX,
    operation_class=form_operation(
        required=["grant_type"],
        optional=["code", "redirect_uri", "code_verifier", "refresh_token", "scope", "resource"],
    ),
    status_code=HTTP_200_OK,
    responses=oauth_faults(400, 401),
)
async def issue_token(
    request: AnyRequest,
    db: NamedDependency[Database],
    clock: NamedDependency[Clock],
    replay: NamedDependency[ReplayGuard],
    issuer: NamedDependency[str],
) -> Response[FirstTokenView | TokenView | ClientTokenView]:
    """Issue tokens bound to the proof's key: for an authorization code or a refresh token.

    A client gets one for what is its own (client_credentials). A DPoP proof is required. A code
    that comes a second time ends its grant.
    """
    now = clock.now()
    caller = await authenticate(request, db=db, replay=replay, issuer=issuer, now=now)
    grant_type = required(caller.form, "grant_type")
    check_grant_type(grant_type, caller.client)
    check_token_parameters(caller.form, resource=issuer)
    sender = {"client_id": caller.client.client_id, "jkt": _key_of(caller)}
    if grant_type == "authorization_code":
        redemption = read_redemption(caller.form, **sender)
        async with db.write() as tx:
            outcome = await service.redeem(tx, redemption=redemption, resource=issuer, now=now)
        if isinstance(outcome, CodeReused):
            log.warning("oauth_code_reused", client_id=caller.client.client_id)
            raise invalid_grant("the code was used before; the grant is revoked")
        return _token_response(outcome)
    if grant_type == "refresh_token":
        refreshing = read_refreshing(caller.form, **sender)
        async with db.write() as tx:
            tokens = await service.refresh(tx, refreshing=refreshing, now=now)
        return _token_response(tokens)
    assert grant_type == "client_credentials", "check_grant_type lets no other through"
    async with db.write() as tx:
        issued = await service.issue_client_token(
            tx,
            client=caller.client,
            form=caller.form,
            jkt=sender["jkt"],
            resource=issuer,
            now=now,
        )
    return _client_token_response(issued)


@post(
    REVOKE_PATH,
    operation_id="oauth_revoke",
    tags=["anyone"],
    guards=[public(_CLIENT_AUTHENTICATES)],
    exception_handlers=FAULT_HANDLERS,
    request_max_body_size=BODY_BYTES_MAX,
    operation_class=form_operation(required=["token"], optional=["token_type_hint"]),
    status_code=HTTP_200_OK,
    responses=oauth_faults(400, 401),
)
async def revoke_token(
    request: AnyRequest,
    db: NamedDependency[Database],
    clock: NamedDependency[Clock],
    replay: NamedDependency[ReplayGuard],
    issuer: NamedDependency[str],
) -> Response[RevokedView]:
    """Revoke a token (RFC 7009); a refresh token takes everything made from its grant with it.

    A token that nobody knows, or that is over, is answered alike: it isn't good any more.
    """
    now = clock.now()
    caller = await authenticate(request, db=db, replay=replay, issuer=issuer, now=now)
    token = required(caller.form, "token")
    async with db.write() as tx:
        await service.revoke(tx, client=caller.client, token=token, now=now)
    return Response(RevokedView(), headers=NO_STORE)


@post(
    INTROSPECT_PATH,
    operation_id="oauth_introspect",
    tags=["anyone"],
    guards=[public(_CLIENT_AUTHENTICATES)],
    exception_handlers=FAULT_HANDLERS,
    request_max_body_size=BODY_BYTES_MAX,
    operation_class=form_operation(required=["token"], optional=["token_type_hint"]),
    status_code=HTTP_200_OK,
    responses=oauth_faults(400, 401),
)
async def introspect_token(
    request: AnyRequest,
    db: NamedDependency[Database],
    clock: NamedDependency[Clock],
    replay: NamedDependency[ReplayGuard],
    issuer: NamedDependency[str],
) -> Response[ActiveTokenView | InactiveTokenView]:
    """Describe a token to the client it was issued to (RFC 7662); any other is `active: false`."""
    now = clock.now()
    caller = await authenticate(request, db=db, replay=replay, issuer=issuer, now=now)
    token = required(caller.form, "token")
    async with db.read() as tx:
        found = await service.introspect(
            tx, client=caller.client, token=token, issuer=issuer, now=now
        )
    if found is None:
        return Response(InactiveTokenView(active=False), headers=NO_STORE)
    view = ActiveTokenView(
        active=True,
        client_id=found.client_id,
        sub=found.sub,
        iss=found.iss,
        aud=found.aud,
        scope=found.scope,
        token_type=found.token_type,
        iat=found.iat,
        exp=found.exp,
        cnf=ConfirmationView(jkt=found.jkt),
        authorization_details=found.authorization_details,
        consent_id=found.consent_id,
    )
    return Response(view, headers=NO_STORE)


def _key_of(caller: Caller) -> str:
    """RFC 9449 §5: tokens are bound to a key, so a token request proves one."""
    if caller.jkt is None:
        raise DpopError("invalid_dpop_proof", "a DPoP proof is required")
    return caller.jkt


def _client_token_response(
    issued: service.IssuedClientToken,
) -> Response[FirstTokenView | TokenView | ClientTokenView]:
    view = ClientTokenView(
        access_token=issued.access_token,
        token_type=BOUND_TO_KEY,
        expires_in=issued.expires_in,
        scope=" ".join(issued.scopes),
    )
    return Response(view, headers=NO_STORE)


def _token_response(
    tokens: service.Tokens,
) -> Response[FirstTokenView | TokenView | ClientTokenView]:
    view = TokenView(
        access_token=tokens.access_token,
        token_type=BOUND_TO_KEY,
        expires_in=tokens.expires_in,
        scope=" ".join(tokens.scopes),
        authorization_details=tokens.grant.details,
        consent_id=tokens.grant.consent_id,
    )
    if tokens.refresh_token is None:
        return Response(view, headers=NO_STORE)
    first = FirstTokenView(**msgspec.structs.asdict(view), refresh_token=tokens.refresh_token)
    return Response(first, headers=NO_STORE)
