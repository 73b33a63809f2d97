"""Tokens for a client's own resources: RFC 6749 §4.4, for source departments and nobody else.

Whoever acts for citizens gets tokens from their consent, so no client has both kinds of grant.
"""

from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from backend.access.rules import SOURCE_SCOPES, SourcePrincipal
from backend.oauth.rules.fault import OauthError
from backend.oauth.rules.form import Form
from backend.partner.rules import SOURCE_KIND, Client

CLIENT_TOKEN_PREFIX = "cp_ct_"  # noqa: S105 - public by design
CLIENT_TOKEN_LIFE = timedelta(seconds=600)

GRANT_TYPES = ("authorization_code", "refresh_token", "client_credentials")


class ClientToken(msgspec.Struct, frozen=True):
    """A token of a client's own with all that decides about it; `token_hash` is its SHA-256.

    `source_code` is that of the client's partner, null when the partner is no source.
    """

    token_hash: bytes
    client_id: str
    partner_id: UUID
    source_code: str | None
    audience: str
    scopes: list[str]
    dpop_jkt: str
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None
    client_suspended_at: datetime | None
    partner_suspended_at: datetime | None


def check_grant_type(grant_type: str, client: Client) -> None:
    """RFC 6749 §5.2: a grant type that exists, and that this client may use.

    Raises OauthError unsupported_grant_type or unauthorized_client.
    """
    if grant_type not in GRANT_TYPES:
        raise OauthError(
            "unsupported_grant_type", f"grant_type is none of {', '.join(GRANT_TYPES)}"
        )
    check_acts_for(client, citizens=grant_type != "client_credentials")


def check_acts_for(client: Client, *, citizens: bool) -> None:
    """RFC 6749 §4.1.2.1, §5.2: a source acts for itself, every other client for citizens."""
    if citizens == (client.partner_kind == SOURCE_KIND):
        whom = "citizens" if citizens else "itself"
        raise OauthError("unauthorized_client", f"this client may not act for {whom}")


def decide_client_scopes(form: Form, client: Client) -> list[str]:
    """Return the scopes of a token for a client's own resources (RFC 6749 §3.3, §4.4.2).

    Left out, `scope` means all that the client is registered for; what is unknown, malformed,
    repeated or not the client's is OauthError("invalid_scope").
    """
    possible = SOURCE_SCOPES.intersection(client.scopes)
    asked = form["scope"].split(" ") if "scope" in form else sorted(possible)
    if len(set(asked)) != len(asked) or not possible.issuperset(asked):
        raise OauthError("invalid_scope", "a scope is unknown, repeated or not registered")
    assert asked, "a source's client is registered with at least one scope"
    return sorted(asked)


def is_client_token_live(token: ClientToken, *, audience: str, now: datetime) -> bool:
    """Whether a token is good at `audience`: not expired, not revoked by any of its causes."""
    return (
        token.audience == audience
        and now < token.expires_at
        and token.revoked_at is None
        and token.client_suspended_at is None
        and token.partner_suspended_at is None
    )


def source_principal_of(
    token: ClientToken, *, audience: str, now: datetime
) -> SourcePrincipal | None:
    """Return which source a live token speaks for, or None (RFC 6750 §3.1 invalid_token)."""
    if token.source_code is None or not is_client_token_live(token, audience=audience, now=now):
        return None
    return SourcePrincipal(
        partner_id=token.partner_id,
        client_id=token.client_id,
        source_code=token.source_code,
        scopes=frozenset(token.scopes),
        token_hash=token.token_hash,
    )
