"""The authorization server's state in SQL: requests, grants, codes, tokens and keys."""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from backend.kit.postgres import ReadTx, Tx
from backend.oauth.rules.grant import Code, Grant, RefreshToken
from backend.oauth.rules.request import StoredRequest
from backend.oauth.rules.token import AccessToken


class NewAccessToken(msgspec.Struct, frozen=True):
    """An access token to be stored, by its hash."""

    token_hash: bytes
    audience: str
    scopes: list[str]
    dpop_jkt: str
    created_at: datetime
    expires_at: datetime


class SigningKey(msgspec.Struct, frozen=True):
    """The public part of one of our own keys."""

    kid: str
    status: str
    public_jwk: dict[str, Any]


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


async def insert_code(tx: Tx, code: Code) -> None:
    """Insert an authorization code, by its hash."""
    await tx.execute(
        """
        INSERT INTO oauth_code
            (code_hash, grant_id, subject_id, client_id, redirect_uri, code_challenge, dpop_jkt,
             created_at, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
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


async def find_access_token(tx: ReadTx, *, token_hash: bytes) -> AccessToken | None:
    """Return an access token with its grant, and whether its client and partner are suspended.

    One statement: it runs for every API call whose token isn't in a cache.
    """
    return await tx.fetch_optional(
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
        WHERE token.token_hash = $1
        """,
        token_hash,
    )


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


async def insert_signing_key(
    tx: Tx, key: SigningKey, *, private_sealed: bytes, now: datetime
) -> bool:
    """Insert a key; False when there is an active one already."""
    inserted = await tx.execute(
        """
        INSERT INTO signing_key (kid, key_use, status, private_sealed, public_jwk, created_at)
        VALUES ($1, 'response', $2, $3, $4, $5)
        ON CONFLICT (key_use) WHERE status = 'active' DO NOTHING
        """,
        key.kid,
        key.status,
        private_sealed,
        key.public_jwk,
        now,
    )
    return inserted == 1


async def list_signing_keys(tx: ReadTx) -> list[SigningKey]:
    """Return the public parts of all keys, the newest first."""
    return await tx.fetch_all(
        SigningKey,
        """
        SELECT kid, status, public_jwk
        FROM signing_key
        ORDER BY created_at DESC, kid
        LIMIT 20
        """,
    )
