"""Tokens of clients' own in SQL, by their hashes."""

from datetime import datetime

from backend.kit.postgres import ReadTx, Tx
from backend.oauth.rules.client_token import ClientToken


async def insert_client_token(tx: Tx, token: ClientToken) -> None:
    """Insert a token; client and partner are known by the client's id."""
    await tx.execute(
        """
        INSERT INTO oauth_client_token
            (token_hash, client_id, audience, scopes, dpop_jkt, created_at, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7)
        """,
        token.token_hash,
        token.client_id,
        token.audience,
        token.scopes,
        token.dpop_jkt,
        token.created_at,
        token.expires_at,
    )


async def find_client_token(tx: ReadTx, *, token_hash: bytes) -> ClientToken | None:
    """Return a token, whatever its state, and whether client and partner are suspended."""
    return await tx.fetch_optional(
        ClientToken,
        """
        SELECT
            token.token_hash,
            token.client_id,
            client.partner_id,
            partner.source_code,
            token.audience,
            token.scopes,
            token.dpop_jkt,
            token.created_at,
            token.expires_at,
            token.revoked_at,
            client.suspended_at AS client_suspended_at,
            partner.suspended_at AS partner_suspended_at
        FROM oauth_client_token AS token
        INNER JOIN client ON client.client_id = token.client_id
        INNER JOIN partner ON partner.partner_id = client.partner_id
        WHERE token.token_hash = $1
        """,
        token_hash,
    )


async def revoke_client_token(tx: Tx, *, token_hash: bytes, now: datetime) -> None:
    """End a token."""
    await tx.execute(
        """
        UPDATE oauth_client_token
        SET revoked_at = $2
        WHERE token_hash = $1 AND revoked_at IS NULL
        """,
        token_hash,
        now,
    )


async def delete_client_tokens_over(tx: Tx, *, now: datetime) -> int:
    """Delete expired tokens; at most 50,000 at a time."""
    return await tx.execute(
        """
        DELETE FROM oauth_client_token
        WHERE token_hash IN
            (SELECT token_hash FROM oauth_client_token WHERE expires_at <= $1 LIMIT 50000)
        """,
        now,
    )
