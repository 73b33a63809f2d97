"""Pushed authorization requests in SQL."""

from datetime import datetime

from backend.kit.postgres import ReadTx, Tx
from backend.oauth.rules.request import StoredRequest


async def insert_request(tx: Tx, request_hash: bytes, request: StoredRequest) -> None:
    """Insert a pushed request."""
    await tx.execute(
        """
        INSERT INTO oauth_request
            (request_hash, client_id, parameters, dpop_jkt, created_at, expires_at, decide_by)
        VALUES ($1, $2, $3, $4, $5, $6, $7)
        """,
        request_hash,
        request.client_id,
        request.parameters,
        request.dpop_jkt,
        request.created_at,
        request.expires_at,
        request.decide_by,
    )


async def find_request(tx: ReadTx, *, request_hash: bytes) -> StoredRequest | None:
    """Return a pushed request, whatever its state."""
    return await tx.fetch_optional(
        StoredRequest,
        """
        SELECT
            client_id, parameters, dpop_jkt, created_at, expires_at, decide_by, begun_at,
            consumed_at
        FROM oauth_request
        WHERE request_hash = $1
        """,
        request_hash,
    )


async def lock_request(tx: Tx, *, request_hash: bytes) -> StoredRequest | None:
    """Return a pushed request and keep others from changing it."""
    return await tx.fetch_optional(
        StoredRequest,
        """
        SELECT
            client_id, parameters, dpop_jkt, created_at, expires_at, decide_by, begun_at,
            consumed_at
        FROM oauth_request
        WHERE request_hash = $1
        FOR UPDATE
        """,
        request_hash,
    )


async def begin_request(tx: Tx, *, request_hash: bytes, now: datetime) -> None:
    """Note that a citizen has opened a request; the first time counts."""
    await tx.execute(
        """
        UPDATE oauth_request
        SET begun_at = $2
        WHERE request_hash = $1 AND begun_at IS NULL
        """,
        request_hash,
        now,
    )


async def consume_request(tx: Tx, *, request_hash: bytes, now: datetime) -> bool:
    """Use a request up; False when it was used before."""
    consumed = await tx.execute(
        """
        UPDATE oauth_request
        SET consumed_at = $2
        WHERE request_hash = $1 AND consumed_at IS NULL
        """,
        request_hash,
        now,
    )
    return consumed == 1


async def delete_requests_over(tx: Tx, *, now: datetime) -> int:
    """Delete requests that can't be answered any more; at most 50,000 at a time."""
    return await tx.execute(
        """
        DELETE FROM oauth_request
        WHERE request_hash IN
            (SELECT request_hash FROM oauth_request WHERE decide_by <= $1 LIMIT 50000)
        """,
        now,
    )
