"""Access tokens in use: at our API (RFC 6750, RFC 9449) and at introspection (RFC 7662)."""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from backend.access.rules import PartnerPrincipal
from backend.oauth.rules.grant import Grant, RefreshToken


class AccessToken(msgspec.Struct, frozen=True):
    """An access token with all that decides about it; `token_hash` is its SHA-256."""

    token_hash: bytes
    grant_id: UUID
    subject_id: UUID
    client_id: str
    partner_id: UUID
    consent_id: UUID | None
    pairwise_subject: str
    audience: str
    scopes: list[str]
    details: list[dict[str, Any]]
    dpop_jkt: str
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None
    grant_revoked_at: datetime | None
    grant_expires_at: datetime
    client_suspended_at: datetime | None
    partner_suspended_at: datetime | None


class Introspection(msgspec.Struct, frozen=True):
    """What an active token says (RFC 7662 §2.2, RFC 9449 §6.2, RFC 9396 §9.2).

    Times are seconds since 1970, `jkt` is the thumbprint of the key it is bound to, `consent_id`
    the consent it stands on. An inactive token has nothing to say: None stands for it.
    """

    client_id: str
    sub: str
    iss: str
    aud: str
    scope: str
    token_type: str
    iat: int
    exp: int
    jkt: str
    authorization_details: list[dict[str, Any]]
    consent_id: UUID | None


def is_live(token: AccessToken, *, audience: str, now: datetime) -> bool:
    """Whether a token is good at `audience`: not expired, not revoked by any of its causes."""
    return (
        token.audience == audience
        and now < token.expires_at
        and now < token.grant_expires_at
        and token.revoked_at is None
        and token.grant_revoked_at is None
        and token.client_suspended_at is None
        and token.partner_suspended_at is None
    )


def principal_of(token: AccessToken, *, audience: str, now: datetime) -> PartnerPrincipal | None:
    """Return whom a live token speaks for, or None (RFC 6750 §3.1 invalid_token).

    That it comes with a proof of the key `token.dpop_jkt` is checked by access.authenticate.
    """
    if token.consent_id is None or not is_live(token, audience=audience, now=now):
        return None
    return PartnerPrincipal(
        partner_id=token.partner_id,
        client_id=token.client_id,
        subject_id=token.subject_id,
        grant_id=token.grant_id,
        consent_id=token.consent_id,
        scopes=frozenset(token.scopes),
        details=token.details,
        token_hash=token.token_hash,
    )


def introspect_access(
    token: AccessToken | None, *, client_id: str, issuer: str, audience: str, now: datetime
) -> Introspection | None:
    """Describe an access token to the client it was issued to; to others it isn't active.

    RFC 7662 §4: introspection must not help to find out about other people's tokens.
    """
    if token is None or token.client_id != client_id:
        return None
    if not is_live(token, audience=audience, now=now):
        return None
    return Introspection(
        client_id=token.client_id,
        sub=token.pairwise_subject,
        iss=issuer,
        aud=token.audience,
        scope=" ".join(token.scopes),
        token_type="DPoP",  # noqa: S106 - the kind of token, not a token
        iat=int(token.created_at.timestamp()),
        exp=int(token.expires_at.timestamp()),
        jkt=token.dpop_jkt,
        authorization_details=token.details,
        consent_id=token.consent_id,
    )


def introspect_refresh(
    token: RefreshToken, grant: Grant, *, client_id: str, issuer: str, now: datetime
) -> Introspection | None:
    """Describe a refresh token to the client it was issued to; to others it isn't active."""
    assert token.grant_id == grant.grant_id
    if token.client_id != client_id:
        return None
    if token.revoked_at is not None or grant.revoked_at is not None:
        return None
    if now >= token.expires_at or now >= grant.expires_at:
        return None
    return Introspection(
        client_id=token.client_id,
        sub=grant.pairwise_subject,
        iss=issuer,
        aud=issuer,
        scope=" ".join(grant.scopes),
        # Not a token one presents to an API; RFC 8693 §2.2.1 has a word for that.
        token_type="N_A",  # noqa: S106 - the kind of token, not a token
        iat=int(token.created_at.timestamp()),
        exp=int(token.expires_at.timestamp()),
        jkt=token.dpop_jkt,
        authorization_details=grant.details,
        consent_id=grant.consent_id,
    )
