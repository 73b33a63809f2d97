"""Tokens for a client's own resources: made, found (RFC 6749 §4.4)."""

from datetime import datetime

import msgspec

from backend.kit.ids import new_token, token_hash
from backend.kit.postgres import ReadTx, Tx
from backend.oauth import store
from backend.oauth.rules.client_token import (
    CLIENT_TOKEN_LIFE,
    CLIENT_TOKEN_PREFIX,
    ClientToken,
    decide_client_scopes,
)
from backend.oauth.rules.form import Form
from backend.partner.rules import Client


class IssuedClientToken(msgspec.Struct, frozen=True):
    """A fresh token; this is the only moment it exists in the clear. `expires_in` in seconds."""

    access_token: str
    expires_in: int
    scopes: list[str]


async def issue_client_token(
    tx: Tx, *, client: Client, form: Form, jkt: str, resource: str, now: datetime
) -> IssuedClientToken:
    """Make a token for an authenticated client's own resources, bound to the key `jkt`.

    There is no refresh token (RFC 6749 §4.4.3). Raises OauthError("invalid_scope").
    """
    scopes = decide_client_scopes(form, client)
    access_token = new_token(CLIENT_TOKEN_PREFIX)
    await store.insert_client_token(
        tx,
        ClientToken(
            token_hash=token_hash(access_token),
            client_id=client.client_id,
            partner_id=client.partner_id,
            source_code=None,  # read with the partner, as it is when the token is used
            audience=resource,
            scopes=scopes,
            dpop_jkt=jkt,
            created_at=now,
            expires_at=now + CLIENT_TOKEN_LIFE,
            revoked_at=None,
            client_suspended_at=client.suspended_at,
            partner_suspended_at=client.partner_suspended_at,
        ),
    )
    return IssuedClientToken(access_token, int(CLIENT_TOKEN_LIFE.total_seconds()), scopes)


async def find_client_token(tx: ReadTx, *, token_hash: bytes) -> ClientToken | None:
    """Return a token of a client's own by its SHA-256, whatever its state."""
    return await store.find_client_token(tx, token_hash=token_hash)
