"""From a pushed request to a code: RFC 9126, RFC 6749 §4.1.1 and §4.1.2."""

from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from backend.kit.crypto import Vault
from backend.kit.ids import new_id, new_token, token_hash
from backend.kit.postgres import ReadTx, Tx
from backend.kit.problem import Refusal
from backend.oauth import store
from backend.oauth.ports import DetailPolicy
from backend.oauth.rules.fault import OauthError
from backend.oauth.rules.form import Form
from backend.oauth.rules.grant import CODE_LIFE_SECONDS, CODE_PREFIX, Code, Grant
from backend.oauth.rules.request import (
    REQUEST_URI_LIFE_SECONDS,
    REQUEST_URI_PREFIX,
    AuthorizationRequest,
    Detail,
    StoredRequest,
    decide_key_binding,
    decide_push,
    denial_redirect,
    is_open,
    parameters_of,
    push_times,
    success_redirect,
)
from backend.partner import service as partner
from backend.partner.rules import Client


class PushedRequest(msgspec.Struct, frozen=True):
    """What a push is answered with (RFC 9126 §2.2)."""

    request_uri: str
    expires_in: int


async def push_request(
    tx: Tx,
    *,
    client: Client,
    form: Form,
    proof_jkt: str | None,
    policy: DetailPolicy,
    issuer: str,
    now: datetime,
) -> PushedRequest:
    """Store the authorization request of an authenticated client (RFC 9126 §2).

    `proof_jkt` is the key of the DPoP proof that came with it, if one did. Raises OauthError.
    """
    parameters = decide_push(form, client=client, resource=issuer, issuer=issuer)
    dpop_jkt = decide_key_binding(form, proof_jkt=proof_jkt)
    completed = [
        await policy.complete(tx, partner_id=client.partner_id, detail=detail)
        for detail in parameters.details
    ]
    allowed = [detail for detail in completed if detail is not None]
    if len(allowed) < len(completed):
        raise OauthError(
            "invalid_authorization_details", "this partner can't ask for that programme in that way"
        )
    parameters = msgspec.structs.replace(parameters, details=allowed)
    request_uri = new_token(REQUEST_URI_PREFIX)
    expires_at, decide_by = push_times(now)
    request = StoredRequest(
        client_id=client.client_id,
        parameters=msgspec.to_builtins(parameters),
        dpop_jkt=dpop_jkt,
        created_at=now,
        expires_at=expires_at,
        decide_by=decide_by,
        begun_at=None,
        consumed_at=None,
    )
    await store.insert_request(tx, token_hash(request_uri), request)
    return PushedRequest(request_uri=request_uri, expires_in=REQUEST_URI_LIFE_SECONDS)


async def begin(tx: Tx, *, client_id: str, request_uri: str, now: datetime) -> AuthorizationRequest:
    """Open a pushed request at the authorization endpoint (RFC 9126 §4).

    Loading the page doesn't use it up. Refusal("authorization_request_gone") when it is unknown,
    expired, answered, or another client's.
    """
    request_hash = token_hash(request_uri)
    stored = await store.lock_request(tx, request_hash=request_hash)
    if stored is None or stored.client_id != client_id:
        raise Refusal("authorization_request_gone")
    request = await _open_request(tx, stored, now=now)
    await store.begin_request(tx, request_hash=request_hash, now=now)
    return request


async def get_request(tx: ReadTx, *, request_uri: str, now: datetime) -> AuthorizationRequest:
    """Return the request a citizen has opened, for the pages that show it.

    Refusal("authorization_request_gone") when it was not opened, is over or was answered.
    """
    stored = await store.find_request(tx, request_hash=token_hash(request_uri))
    if stored is None or stored.begun_at is None:
        raise Refusal("authorization_request_gone")
    return await _open_request(tx, stored, now=now)


async def approve(
    tx: Tx,
    *,
    request_uri: str,
    subject_id: UUID,
    consent_id: UUID,
    details: list[Detail],
    expires_at: datetime,
    vault: Vault,
    now: datetime,
) -> str:
    """Use a request up with the citizen's yes; returns the redirect with a code and `iss`.

    `details` and `expires_at` are what the consent says. Raises
    Refusal("authorization_request_gone") when somebody answered, or the time was up, before.
    """
    request, stored = await _consume(tx, request_uri=request_uri, now=now)
    parameters = request.parameters
    assert details, "a grant allows something"
    assert all(detail in parameters.details for detail in details), "no more than was asked for"
    grant = Grant(
        grant_id=new_id(now),
        subject_id=subject_id,
        client_id=request.client_id,
        partner_id=request.partner_id,
        consent_id=consent_id,
        pairwise_subject=vault.pairwise(subject_id, request.partner_id),
        scopes=parameters.scopes,
        details=msgspec.to_builtins(details),
        created_at=now,
        expires_at=expires_at,
        revoked_at=None,
    )
    await store.insert_grant(tx, grant)
    code = new_token(CODE_PREFIX)
    await store.insert_code(
        tx,
        Code(
            code_hash=token_hash(code),
            grant_id=grant.grant_id,
            subject_id=subject_id,
            client_id=grant.client_id,
            redirect_uri=parameters.redirect_uri,
            code_challenge=parameters.code_challenge,
            dpop_jkt=stored.dpop_jkt,
            created_at=now,
            expires_at=min(now + timedelta(seconds=CODE_LIFE_SECONDS), expires_at),
            consumed_at=None,
        ),
        kept_until=expires_at,
    )
    return success_redirect(parameters, code=code)


async def deny(tx: Tx, *, request_uri: str, now: datetime) -> str:
    """Use a request up with the citizen's no; returns the redirect with `access_denied`.

    Raises Refusal("authorization_request_gone") as `approve` does.
    """
    request, _ = await _consume(tx, request_uri=request_uri, now=now)
    return denial_redirect(request.parameters)


async def _open_request(
    tx: ReadTx, stored: StoredRequest, *, now: datetime
) -> AuthorizationRequest:
    """Return a stored request with the names to show, or refuse because it is over."""
    client = await partner.find_client(tx, client_id=stored.client_id)
    if client is None or client.is_suspended or not is_open(stored, now=now):
        raise Refusal("authorization_request_gone")
    return AuthorizationRequest(
        client_id=client.client_id,
        client_name_zh=client.name_zh,
        client_name_en=client.name_en,
        partner_id=client.partner_id,
        partner_name_zh=client.partner_name_zh,
        partner_name_en=client.partner_name_en,
        parameters=parameters_of(stored),
        decide_by=stored.decide_by,
    )


async def _consume(
    tx: Tx, *, request_uri: str, now: datetime
) -> tuple[AuthorizationRequest, StoredRequest]:
    """Use an opened request up: one answer each, whoever clicks first (RFC 9126 §7.3)."""
    request_hash = token_hash(request_uri)
    stored = await store.lock_request(tx, request_hash=request_hash)
    if stored is None or stored.begun_at is None:
        raise Refusal("authorization_request_gone")
    request = await _open_request(tx, stored, now=now)
    consumed = await store.consume_request(tx, request_hash=request_hash, now=now)
    assert consumed, "the row is locked and was not consumed"
    return request, stored
