"""Signatures by Standard Webhooks 1.0: `v1` (HMAC-SHA-256) and `v1a` (Ed25519).

Every live secret signs, and the receiver takes a message when one signature is right: while a
secret is being replaced, a receiver with either of the two is served.
"""

import base64
from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from standardwebhooks import Webhook

from backend.webhook.rules.endpoint import Scheme, Secret

KEY_BYTES: Final = 32
USER_AGENT: Final = "creditplus-webhooks/1"
SIGNATURE_HEADER: Final = "webhook-signature"


def shown_secret(scheme: Scheme, key: bytes) -> str:
    """Return what a receiver needs to verify: the shared secret, or the public key."""
    if scheme == "hmac":
        return "whsec_" + base64.b64encode(key).decode()
    public = Ed25519PrivateKey.from_private_bytes(key).public_key()
    return "whpk_" + base64.b64encode(public.public_bytes(Encoding.Raw, PublicFormat.Raw)).decode()


def signature_of(
    scheme: Scheme, keys: Sequence[bytes], *, message_id: UUID, body: bytes, now: datetime
) -> str:
    """Return the value of `webhook-signature`: one signature a key, separated by spaces."""
    if scheme == "hmac":
        text = body.decode()
        return " ".join(Webhook(key).sign(str(message_id), now, text) for key in keys)
    signed = f"{message_id}.{int(now.timestamp())}.".encode() + body
    return " ".join("v1a," + _ed25519(key, signed) for key in keys)


def head_of(message_id: UUID, now: datetime) -> dict[str, str]:
    """Return the head of a request but for its signature: what is kept of it."""
    return {
        "content-type": "application/json",
        "user-agent": USER_AGENT,
        "webhook-id": str(message_id),
        "webhook-timestamp": str(int(now.timestamp())),
    }


def keys_of(secrets: Sequence[Secret]) -> list[bytes]:
    """Return the keys of secrets, in their order."""
    return [each.key for each in secrets]


def _ed25519(key: bytes, signed: bytes) -> str:
    return base64.b64encode(Ed25519PrivateKey.from_private_bytes(key).sign(signed)).decode()
