"""Grants and authorization codes in SQL."""

from datetime import datetime
from uuid import UUID

from backend.kit.postgres import ReadTx, Tx
from backend.oauth.rules.grant import Code, Grant


async def insert_grant(tx: Tx, grant: Grant) -> None:
    """Insert a grant."""
    await tx.execute(
        """
        INSERT INTO oauth_grant
            (grant_id, subject_id, client_id, partner_id, consent_id, pairwise_subject, scopes,
             details, created_at, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
        """,
        grant.grant_id,
        grant.subject_id,
        grant.client_id,
        grant.partner_id,
        grant.consent_id,
        grant.pairwise_subject,
        grant.scopes,
        grant.details,
        grant.created_at,
        grant.expires_at,
    )


async def lock_grant(tx: Tx, *, grant_id: UUID) -> Grant:
    """Return a grant and keep others from revoking it meanwhile."""
    return await tx.fetch_one(
        Grant,
        """
        SELECT
            grant_id, subject_id, client_id, partner_id, consent_id, pairwise_subject, scopes,
            details, created_at, expires_at, revoked_at
        FROM oauth_grant
        WHERE grant_id = $1
        FOR UPDATE
        """,
        grant_id,
    )


async def get_grant(tx: ReadTx, *, grant_id: UUID) -> Grant:
    """Return a grant, whatever its state."""
    return await tx.fetch_one(
        Grant,
        """
        SELECT
            grant_id, subject_id, client_id, partner_id, consent_id, pairwise_subject, scopes,
            details, created_at, expires_at, revoked_at
        FROM oauth_grant
        WHERE grant_id = $1
        """,
        grant_id,
    )


async def revoke_grant(tx: Tx, *, grant_id: UUID, now: datetime) -> None:
    """End a grant, and with it every code and token made from it."""
    await tx.execute(
        """
        UPDATE oauth_grant
        SET revoked_at = $2
        WHERE grant_id = $1 AND revoked_at IS NULL
        """,
        grant_id,
        now,
    )


async def revoke_grants_of_consent(
    tx: Tx, *, subject_id: UUID, consent_id: UUID, now: datetime
) -> int:
    """End every grant that stands on a consent; returns how many stood."""
    return await tx.execute(
        """
        UPDATE oauth_grant
        SET revoked_at = $3
        WHERE subject_id = $1 AND consent_id = $2 AND revoked_at IS NULL
        """,
        subject_id,
        consent_id,
        now,
    )


async def revoke_grants_of_subject(tx: Tx, *, subject_id: UUID, now: datetime) -> int:
    """End every grant of a citizen; returns how many stood."""
    return await tx.execute(
        """
        UPDATE oauth_grant
        SET revoked_at = $2
        WHERE subject_id = $1 AND revoked_at IS NULL
        """,
        subject_id,
        now,
    )


async def insert_code(tx: Tx, code: Code, *, kept_until: datetime) -> None:
    """Insert an authorization code, by its hash; the row is kept to recognise a second use."""
    await tx.execute(
        """
        INSERT INTO oauth_code
            (code_hash, grant_id, subject_id, client_id, redirect_uri, code_challenge, dpop_jkt,
             created_at, expires_at, kept_until)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
        """,
        code.code_hash,
        code.grant_id,
        code.subject_id,
        code.client_id,
        code.redirect_uri,
        code.code_challenge,
        code.dpop_jkt,
        code.created_at,
        code.expires_at,
        kept_until,
    )


async def lock_code(tx: Tx, *, code_hash: bytes) -> Code | None:
    """Return a code and make every other redemption of it wait."""
    return await tx.fetch_optional(
        Code,
        """
        SELECT
            code_hash, grant_id, subject_id, client_id, redirect_uri, code_challenge, dpop_jkt,
            created_at, expires_at, consumed_at
        FROM oauth_code
        WHERE code_hash = $1
        FOR UPDATE
        """,
        code_hash,
    )


async def consume_code(tx: Tx, *, code_hash: bytes, now: datetime) -> bool:
    """Use a code up by compare-and-set; False when it was used before."""
    consumed = await tx.execute(
        """
        UPDATE oauth_code
        SET consumed_at = $2
        WHERE code_hash = $1 AND consumed_at IS NULL
        """,
        code_hash,
        now,
    )
    return consumed == 1


async def delete_grants_over(tx: Tx, *, ended_before: datetime) -> int:
    """Delete grants that expired before a moment; at most 50,000 at a time."""
    return await tx.execute(
        """
        DELETE FROM oauth_grant
        WHERE grant_id IN
            (SELECT grant_id FROM oauth_grant WHERE expires_at <= $1 LIMIT 50000)
        """,
        ended_before,
    )


async def delete_codes_over(tx: Tx, *, now: datetime) -> int:
    """Delete codes whose second use needn't be recognised any more; at most 50,000 at a time."""
    return await tx.execute(
        """
        DELETE FROM oauth_code
        WHERE code_hash IN
            (SELECT code_hash FROM oauth_code WHERE kept_until <= $1 LIMIT 50000)
        """,
        now,
    )
