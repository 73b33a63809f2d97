"""Identifiers and bearer secrets: made here, in Python, so that SQL never invents one."""

import hashlib
import secrets
import time
from datetime import datetime
from uuid import UUID

_VERSION_7 = 0x7 << 76
_VERSION_8 = 0x8 << 76
_VARIANT = 0b10 << 62
_LOW_BITS = (1 << 62) - 1


def new_id(now: datetime) -> UUID:
    """Return a UUIDv7 (RFC 9562 section 5.7): 48 bits of milliseconds, then 74 random bits.

    Ids made later sort later (to the millisecond), so tables grow at one end.
    """
    milliseconds = int(now.timestamp() * 1000)
    random_bits = secrets.randbits(74)
    high = (milliseconds << 80) | _VERSION_7 | ((random_bits >> 62) << 64)
    return UUID(int=high | _VARIANT | (random_bits & ((1 << 62) - 1)))


def new_ids(now: datetime, count: int) -> list[UUID]:
    """Return as many ids as `new_id` would give one by one, for rows that come in thousands."""
    milliseconds = int(now.timestamp() * 1000)
    base = (milliseconds << 80) | _VERSION_7 | _VARIANT
    noise = secrets.token_bytes(10 * count)
    return [
        UUID(int=base | (bits >> 68) << 64 | bits & _LOW_BITS)
        for bits in (
            int.from_bytes(noise[place : place + 10]) for place in range(0, 10 * count, 10)
        )
    ]


def subject_id_from(digest: bytes) -> UUID:
    """Return the pseudonymous subject id (UUIDv8, RFC 9562 section 5.8) held in a keyed digest.

    The first 122 usable bits of the digest become the id, so the same person has the same
    subject id before an account exists, with one, and after it is gone.
    """
    assert len(digest) >= 16, "a digest shorter than a UUID would collide"
    value = int.from_bytes(digest[:16])
    value &= ~((0xF << 76) | (0b11 << 62))
    return UUID(int=value | _VERSION_8 | _VARIANT)


def new_token(prefix: str) -> str:
    """Return a bearer secret: `prefix` and 43 URL-safe characters carrying 256 random bits."""
    return prefix + secrets.token_urlsafe(32)


def token_hash(token: str) -> bytes:
    """Return the SHA-256 of a token, the only form in which a token is stored.

    A plain hash is enough: the token carries 256 random bits, nobody can guess its preimage.
    """
    return hashlib.sha256(token.encode()).digest()


def monotonic_milliseconds() -> int:
    """Return a monotonic reading for durations in logs and metrics."""
    return time.monotonic_ns() // 1_000_000
