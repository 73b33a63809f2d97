"""Codes and refresh tokens turned into tokens: RFC 6749 §4.1.3 and §6, RFC 7636, RFC 9449.

Pure: the service brings locked rows in and writes down what is decided here.
"""

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from hmac import compare_digest
from typing import Any
from uuid import UUID

import msgspec
from authlib.oauth2.rfc7636 import create_s256_code_challenge

from backend.oauth.rules.fault import OauthError, invalid_grant, invalid_request
from backend.oauth.rules.form import Form, required

CODE_PREFIX = "cp_code_"
ACCESS_TOKEN_PREFIX = "cp_at_"  # noqa: S105 - public by design
REFRESH_TOKEN_PREFIX = "cp_rt_"  # noqa: S105 - public by design

CODE_LIFE_SECONDS = 60
ACCESS_TOKEN_LIFE_SECONDS = 600
REFRESH_TOKEN_LIFE = timedelta(days=90)

# RFC 7636 §4.1.
_VERIFIER = re.compile(r"[A-Za-z0-9\-._~]{43,128}")


class Grant(msgspec.Struct, frozen=True):
    """What one citizen allowed one client; `details` are authorization details as builtins."""

    grant_id: UUID
    subject_id: UUID
    client_id: str
    partner_id: UUID
    consent_id: UUID | None
    pairwise_subject: str
    scopes: list[str]
    details: list[dict[str, Any]]
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None


class Code(msgspec.Struct, frozen=True):
    """A row of `oauth_code`, without the code."""

    code_hash: bytes
    grant_id: UUID
    subject_id: UUID
    client_id: str
    redirect_uri: str
    code_challenge: str
    dpop_jkt: str | None
    created_at: datetime
    expires_at: datetime
    consumed_at: datetime | None


class RefreshToken(msgspec.Struct, frozen=True):
    """A row of `oauth_refresh_token`, without the token."""

    token_hash: bytes
    grant_id: UUID
    subject_id: UUID
    client_id: str
    audience: str
    dpop_jkt: str
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None


class Redemption(msgspec.Struct, frozen=True):
    """An authenticated client asks to turn a code into tokens, proving the key `jkt`."""

    client_id: str
    code: str
    redirect_uri: str
    code_verifier: str
    jkt: str


class Refreshing(msgspec.Struct, frozen=True):
    """An authenticated client asks for a new access token, proving the key `jkt`."""

    client_id: str
    refresh_token: str
    scope: str | None
    jkt: str


class CodeAttempt(msgspec.Struct, frozen=True):
    """Everything the decision about one redemption stands on."""

    code: Code
    grant: Grant
    redemption: Redemption
    now: datetime


class RefreshAttempt(msgspec.Struct, frozen=True):
    """Everything the decision about one refresh stands on."""

    token: RefreshToken
    grant: Grant
    refreshing: Refreshing
    now: datetime


class TokensDue(msgspec.Struct, frozen=True):
    """The decision: which tokens to make. No `refresh_expires_at`: no refresh token."""

    access_expires_at: datetime
    refresh_expires_at: datetime | None
    scopes: list[str]


class CodeReused(msgspec.Struct, frozen=True):
    """The decision: the code was used before, so it may be stolen: end the whole grant."""

    grant_id: UUID


def read_redemption(form: Form, *, client_id: str, jkt: str) -> Redemption:
    """Read the parameters of RFC 6749 §4.1.3 and RFC 7636 §4.5."""
    return Redemption(
        client_id=client_id,
        code=required(form, "code"),
        redirect_uri=required(form, "redirect_uri"),
        code_verifier=required(form, "code_verifier"),
        jkt=jkt,
    )


def read_refreshing(form: Form, *, client_id: str, jkt: str) -> Refreshing:
    """Read the parameters of RFC 6749 §6."""
    return Refreshing(
        client_id=client_id,
        refresh_token=required(form, "refresh_token"),
        scope=form.get("scope"),
        jkt=jkt,
    )


def decide_redemption(attempt: CodeAttempt) -> TokensDue | CodeReused:
    """Decide about one redemption; raises OauthError and then nothing changes.

    Reuse is looked at as soon as the code is known to belong to the client: somebody else must
    not be able to end a grant with a code that was never theirs.
    """
    check_code_client(attempt)
    if attempt.code.consumed_at is not None:
        # RFC 6749 §4.1.2, RFC 9700 §2.1.1: whatever came of this code may be in wrong hands.
        return CodeReused(grant_id=attempt.grant.grant_id)
    for check in CODE_CHECKS:
        check(attempt)
    refresh_end = min(attempt.grant.expires_at, attempt.now + REFRESH_TOKEN_LIFE)
    assert attempt.code.grant_id == attempt.grant.grant_id
    assert attempt.now < refresh_end
    return TokensDue(
        access_expires_at=access_end(attempt.grant, now=attempt.now),
        refresh_expires_at=refresh_end,
        scopes=attempt.grant.scopes,
    )


def check_code_client(attempt: CodeAttempt) -> None:
    """RFC 6749 §4.1.3: the code was issued to the authenticated client."""
    if attempt.code.client_id != attempt.redemption.client_id:
        raise invalid_grant("the code is unknown")


def check_code_expiry(attempt: CodeAttempt) -> None:
    """RFC 6749 §4.1.2, FAPI 2.0 §5.3.2.1: a code is good for at most 60 seconds."""
    if attempt.now >= attempt.code.expires_at:
        raise invalid_grant("the code has expired")


def check_code_grant(attempt: CodeAttempt) -> None:
    """What the citizen allowed still stands."""
    _check_grant_alive(attempt.grant, now=attempt.now)


def check_code_redirect_uri(attempt: CodeAttempt) -> None:
    """RFC 6749 §4.1.3: the same redirect_uri as in the authorization request."""
    if attempt.code.redirect_uri != attempt.redemption.redirect_uri:
        raise invalid_grant("redirect_uri is not the one of the authorization request")


def check_code_verifier(attempt: CodeAttempt) -> None:
    """RFC 7636 §4.6: the verifier belongs to the challenge, by S256."""
    verifier = attempt.redemption.code_verifier
    if _VERIFIER.fullmatch(verifier) is None:
        raise invalid_request("code_verifier is not 43 to 128 unreserved characters")
    challenge: str = create_s256_code_challenge(verifier)
    if not compare_digest(challenge, attempt.code.code_challenge):
        raise invalid_grant("code_verifier does not belong to the code_challenge")


def check_code_key(attempt: CodeAttempt) -> None:
    """RFC 9449 §10: the proof is made with the key named in the authorization request."""
    if attempt.code.dpop_jkt not in (None, attempt.redemption.jkt):
        raise invalid_grant("the code is bound to another DPoP key")


CODE_CHECKS: tuple[Callable[[CodeAttempt], None], ...] = (
    check_code_expiry,
    check_code_grant,
    check_code_redirect_uri,
    check_code_verifier,
    check_code_key,
)


def decide_refresh(attempt: RefreshAttempt) -> TokensDue:
    """Decide about one refresh; raises OauthError and then nothing changes.

    The refresh token stays as it is: it can't be used without the client's two keys, and
    rotation would only lose it with a lost answer (FAPI 2.0 §5.3.2.1).
    """
    for check in REFRESH_CHECKS:
        check(attempt)
    return TokensDue(
        access_expires_at=access_end(attempt.grant, now=attempt.now),
        refresh_expires_at=None,
        scopes=_narrowed(attempt.grant, attempt.refreshing),
    )


def check_refresh_client(attempt: RefreshAttempt) -> None:
    """RFC 6749 §6: the refresh token was issued to the authenticated client."""
    if attempt.token.client_id != attempt.refreshing.client_id:
        raise invalid_grant("the refresh token is unknown")


def check_refresh_state(attempt: RefreshAttempt) -> None:
    """RFC 6749 §6: neither expired nor revoked."""
    if attempt.token.revoked_at is not None or attempt.now >= attempt.token.expires_at:
        raise invalid_grant("the refresh token has expired or was revoked")


def check_refresh_grant(attempt: RefreshAttempt) -> None:
    """What the citizen allowed still stands."""
    _check_grant_alive(attempt.grant, now=attempt.now)


def check_refresh_key(attempt: RefreshAttempt) -> None:
    """RFC 9449 §5: proved with the key that the refresh token is bound to."""
    if attempt.token.dpop_jkt != attempt.refreshing.jkt:
        raise invalid_grant("the refresh token is bound to another DPoP key")


def check_refresh_scope(attempt: RefreshAttempt) -> None:
    """RFC 6749 §6: the same scopes or fewer."""
    if not set(_narrowed(attempt.grant, attempt.refreshing)) <= set(attempt.grant.scopes):
        raise OauthError("invalid_scope", "scope goes beyond what was granted")


REFRESH_CHECKS: tuple[Callable[[RefreshAttempt], None], ...] = (
    check_refresh_client,
    check_refresh_state,
    check_refresh_grant,
    check_refresh_key,
    check_refresh_scope,
)


def check_token_parameters(form: Form, *, resource: str) -> None:
    """RFC 8707 §2.2, RFC 9396 §6: what can't be narrowed here must not be silently widened.

    A token request may repeat the one resource; authorization details are fixed by the grant.
    """
    if form.get("resource", resource) != resource:
        raise OauthError("invalid_target", "resource is not the resource of this server")
    if "authorization_details" in form:
        raise OauthError(
            "invalid_authorization_details", "authorization_details are fixed by the grant"
        )


def access_end(grant: Grant, *, now: datetime) -> datetime:
    """Return when an access token made now ends: after ten minutes, or with its grant."""
    end = min(grant.expires_at, now + timedelta(seconds=ACCESS_TOKEN_LIFE_SECONDS))
    assert now < end <= grant.expires_at
    return end


def _narrowed(grant: Grant, refreshing: Refreshing) -> list[str]:
    if refreshing.scope is None:
        return grant.scopes
    return sorted(set(refreshing.scope.split(" ")))


def _check_grant_alive(grant: Grant, *, now: datetime) -> None:
    if grant.revoked_at is not None:
        raise invalid_grant("the grant was revoked")
    if now >= grant.expires_at:
        raise invalid_grant("the grant has expired")
