"""The server's own keys: one active key, published with its neighbours at /oauth/jwks."""

from datetime import datetime

import msgspec
from joserfc.jwk import ECKey

from backend.kit.crypto import Vault
from backend.kit.postgres import ReadTx, Tx
from backend.oauth import store


async def ensure_signing_key(tx: Tx, *, vault: Vault, now: datetime) -> str:
    """Make the server's ES256 key if there is none; returns the `kid` of the active one.

    `kid` is the RFC 7638 thumbprint; the private part is sealed. Safe to run in two processes.
    """
    active = await _active_key(tx)
    if active is not None:
        return active.kid
    pair = ECKey.generate_key("P-256", private=True, auto_kid=True)
    public_jwk = {**pair.as_dict(private=False), "alg": "ES256", "use": "sig"}
    assert "d" not in public_jwk
    assert pair.kid is not None
    key = store.SigningKey(kid=pair.kid, status="active", public_jwk=public_jwk)
    private = msgspec.json.encode(pair.as_dict(private=True))
    sealed = vault.seal_service(private, aad=f"signing_key|private_sealed|{key.kid}")
    if await store.insert_signing_key(tx, key, private_sealed=sealed, now=now):
        return key.kid
    active = await _active_key(tx)
    assert active is not None, "another process has made the key meanwhile"
    return active.kid


async def has_active_signing_key(tx: ReadTx) -> bool:
    """Whether the server has the key it signs with; part of readiness."""
    return await _active_key(tx) is not None


async def list_public_keys(tx: ReadTx) -> list[dict[str, object]]:
    """Return our public keys as JWKs: the next, the active and the retiring ones."""
    return [key.public_jwk for key in await store.list_signing_keys(tx)]


async def _active_key(tx: ReadTx) -> store.SigningKey | None:
    keys = [key for key in await store.list_signing_keys(tx) if key.status == "active"]
    assert len(keys) <= 1, "a unique index sees to that"
    return keys[0] if keys else None
