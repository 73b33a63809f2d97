"""The server's own keys in SQL."""

from datetime import datetime
from typing import Any

import msgspec

from backend.kit.postgres import ReadTx, Tx


class SigningKey(msgspec.Struct, frozen=True):
    """The public part of one of our own keys."""

    kid: str
    status: str
    public_jwk: dict[str, Any]


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
