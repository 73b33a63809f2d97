"""Access and refresh tokens in SQL, by their hashes."""

from collections.abc import Collection
from datetime import datetime

import msgspec

from backend.kit.postgres import ReadTx, Tx
from backend.oauth.rules.grant import Grant, RefreshToken
from backend.oauth.rules.token import AccessToken


class NewAccessToken(msgspec.Struct, frozen=True):
    """An access token to be stored, by its hash."""

    token_hash: bytes
    audience: str
    scopes: list[str]
    dpop_jkt: str
    created_at: datetime
    expires_at: datetime


async def insert_access_token(tx: Tx, grant: Grant, token: NewAccessToken) -> None:
    """Insert an access token of a grant."""
    await tx.execute(
        """
        INSERT INTO oauth_access_token
            (token_hash, grant_id, subject_id, client_id, audience, scopes, dpop_jkt, created_at,
             expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        """,
        token.token_hash,
        grant.grant_id,
        grant.subject_id,
        grant.client_id,
        token.audience,
        token.scopes,
        token.dpop_jkt,
        token.created_at,
        token.expires_at,
    )


async def list_access_tokens(tx: ReadTx, *, token_hashes: Collection[bytes]) -> list[AccessToken]:
    """Return access tokens with their grants, and whether client and partner are suspended.

    One statement for all API calls of a moment whose tokens aren't in a cache.
    """
    return await tx.fetch_all(
        AccessToken,
        """
        SELECT
            token.token_hash,
            token.grant_id,
            token.subject_id,
            token.client_id,
            g.partner_id,
            g.consent_id,
            g.pairwise_subject,
            token.audience,
            token.scopes,
            g.details,
            token.dpop_jkt,
            token.created_at,
            token.expires_at,
            token.revoked_at,
            g.revoked_at AS grant_revoked_at,
            g.expires_at AS grant_expires_at,
            client.suspended_at AS client_suspended_at,
            partner.suspended_at AS partner_suspended_at
        FROM oauth_access_token AS token
        INNER JOIN oauth_grant AS g ON g.grant_id = token.grant_id
        INNER JOIN client ON client.client_id = token.client_id
        INNER JOIN partner ON partner.partner_id = client.partner_id
        WHERE token.token_hash = ANY($1)
        """,
        list(token_hashes),
    )


async def find_access_token(tx: ReadTx, *, token_hash: bytes) -> AccessToken | None:
    """Return an access token, whatever its state."""
    found = await list_access_tokens(tx, token_hashes=[token_hash])
    return found[0] if found else None


async def revoke_access_token(tx: Tx, *, token_hash: bytes, now: datetime) -> None:
    """End one access token."""
    await tx.execute(
        """
        UPDATE oauth_access_token
        SET revoked_at = $2
        WHERE token_hash = $1 AND revoked_at IS NULL
        """,
        token_hash,
        now,
    )


async def insert_refresh_token(tx: Tx, token: RefreshToken) -> None:
    """Insert a refresh token, by its hash."""
    await tx.execute(
        """
        INSERT INTO oauth_refresh_token
            (token_hash, grant_id, subject_id, client_id, audience, dpop_jkt, created_at,
             expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        """,
        token.token_hash,
        token.grant_id,
        token.subject_id,
        token.client_id,
        token.audience,
        token.dpop_jkt,
        token.created_at,
        token.expires_at,
    )


async def find_refresh_token(tx: ReadTx, *, token_hash: bytes) -> RefreshToken | None:
    """Return a refresh token, whatever its state."""
    return await tx.fetch_optional(
        RefreshToken,
        """
        SELECT
            token_hash, grant_id, subject_id, client_id, audience, dpop_jkt, created_at,
            expires_at, revoked_at
        FROM oauth_refresh_token
        WHERE token_hash = $1
        """,
        token_hash,
    )


async def delete_access_tokens_over(tx: Tx, *, now: datetime) -> int:
    """Delete expired access tokens; at most 50,000 at a time."""
    return await tx.execute(
        """
        DELETE FROM oauth_access_token
        WHERE token_hash IN
            (SELECT token_hash FROM oauth_access_token WHERE expires_at <= $1 LIMIT 50000)
        """,
        now,
    )


async def delete_refresh_tokens_over(tx: Tx, *, now: datetime) -> int:
    """Delete expired refresh tokens; at most 50,000 at a time."""
    return await tx.execute(
        """
        DELETE FROM oauth_refresh_token
        WHERE token_hash IN
            (SELECT token_hash FROM oauth_refresh_token WHERE expires_at <= $1 LIMIT 50000)
        """,
        now,
    )
