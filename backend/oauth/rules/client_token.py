"""Tokens for a client's own resources: RFC 6749 §4.4.

A source department's software has no others. A merchant's or lender's has them for what is its
own, such as its webhook endpoints; what it does for a citizen takes a token from that citizen's
consent, and no token of its own opens it.
"""

from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from backend.access.rules import (
    CLIENT_SCOPES,
    SOURCE_SCOPES,
    ClientPrincipal,
    SourcePrincipal,
)
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
    """RFC 6749 §4.1.2.1, §5.2: a source acts for no citizen; for itself who has scopes for it."""
    may = client.partner_kind != SOURCE_KIND if citizens else bool(_own_scopes(client))
    if not may:
        whom = "citizens" if citizens else "itself"
        raise OauthError("unauthorized_client", f"this client may not act for {whom}")


def decide_client_scopes(form: Form, client: Client) -> list[str]:
    """Return the scopes of a token for a client's own resources (RFC 6749 §3.3, §4.4.2).

    Left out, `scope` means all that the client is registered for; what is unknown, malformed,
    repeated or not the client's is OauthError("invalid_scope").
    """
    possible = _own_scopes(client)
    asked = form["scope"].split(" ") if "scope" in form else sorted(possible)
    if len(set(asked)) != len(asked) or not possible.issuperset(asked):
        raise OauthError("invalid_scope", "a scope is unknown, repeated or not registered")
    assert asked, "check_grant_type lets no client through that has no scopes of its own"
    return sorted(asked)


def _own_scopes(client: Client) -> frozenset[str]:
    """Return what a client may be given for itself."""
    own = SOURCE_SCOPES if client.partner_kind == SOURCE_KIND else CLIENT_SCOPES
    return own.intersection(client.scopes)


def is_client_token_live(token: ClientToken, *, audience: str, now: datetime) -> bool:
    """Whether a token is good at `audience`: not expired, not revoked by any of its causes."""
    return (
        token.audience == audience
        and now < token.expires_at
        and token.revoked_at is None
        and token.client_suspended_at is None
        and token.partner_suspended_at is None
    )


def client_principal_of(
    token: ClientToken, *, audience: str, now: datetime
) -> ClientPrincipal | SourcePrincipal | None:
    """Return which partner or source a live token speaks for, or None (RFC 6750 §3.1)."""
    if not is_client_token_live(token, audience=audience, now=now):
        return None
    if token.source_code is None:
        return ClientPrincipal(
            partner_id=token.partner_id,
            client_id=token.client_id,
            scopes=frozenset(token.scopes),
            token_hash=token.token_hash,
        )
    return SourcePrincipal(
        partner_id=token.partner_id,
        client_id=token.client_id,
        source_code=token.source_code,
        scopes=frozenset(token.scopes),
        token_hash=token.token_hash,
    )
