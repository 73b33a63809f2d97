"""Access tokens in use at our API (RFC 6750, RFC 9449)."""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from backend.access.rules import PartnerPrincipal


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
