"""What tokens of each kind say at introspection, and to whom (RFC 7662)."""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from backend.oauth.rules.client_token import ClientToken, is_client_token_live
from backend.oauth.rules.grant import Grant, RefreshToken
from backend.oauth.rules.token import AccessToken, is_live

# RFC 9449 §5: the type of a token that is of use only with a proof of its key.
BOUND_TO_KEY = "DPoP"
# Not a token one presents to an API; RFC 8693 §2.2.1 has a word for that.
NOT_FOR_ACCESS = "N_A"


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
    return _describe(
        token,
        kind=BOUND_TO_KEY,
        subject=token.pairwise_subject,
        issuer=issuer,
        audience=token.audience,
        scopes=token.scopes,
        details=token.details,
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
    return _describe(
        token,
        kind=NOT_FOR_ACCESS,
        subject=grant.pairwise_subject,
        issuer=issuer,
        audience=issuer,
        scopes=grant.scopes,
        details=grant.details,
        consent_id=grant.consent_id,
    )


def introspect_client_token(
    token: ClientToken | None, *, client_id: str, issuer: str, now: datetime
) -> Introspection | None:
    """Describe a token to the client it was issued to (RFC 7662 §2.2, §4); None: not active.

    Its subject is the client itself, as RFC 9068 §2.2 has it where no resource owner is involved.
    """
    if token is None or token.client_id != client_id:
        return None
    if not is_client_token_live(token, audience=issuer, now=now):
        return None
    return _describe(
        token,
        kind=BOUND_TO_KEY,
        subject=token.client_id,
        issuer=issuer,
        audience=token.audience,
        scopes=token.scopes,
        details=[],
        consent_id=None,
    )


def _describe(
    token: AccessToken | RefreshToken | ClientToken,
    *,
    kind: str,
    subject: str,
    issuer: str,
    audience: str,
    scopes: list[str],
    details: list[dict[str, Any]],
    consent_id: UUID | None,
) -> Introspection:
    return Introspection(
        client_id=token.client_id,
        sub=subject,
        iss=issuer,
        aud=audience,
        scope=" ".join(scopes),
        token_type=kind,
        iat=int(token.created_at.timestamp()),
        exp=int(token.expires_at.timestamp()),
        jkt=token.dpop_jkt,
        authorization_details=details,
        consent_id=consent_id,
    )
