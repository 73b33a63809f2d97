"""Identifiers and bearer secrets: made here, in Python, so that SQL never invents one."""

import hashlib
import os
import secrets
import time
from collections import deque
from datetime import datetime
from uuid import UUID

_VERSION_7 = 0x7 << 76
_VERSION_8 = 0x8 << 76
_VARIANT = 0b10 << 62
# Where a UUIDv7 is random: 12 bits behind the version, 62 behind the variant.
_NOISE = ((0xFFF << 64) | ((1 << 62) - 1)).to_bytes(16)
# Asking the kernel for ten bytes takes longer than making an id of them, so it is asked for many.
_NOISE_BYTES, _NOISES = 10, 256
_noise: deque[bytes] = deque()
os.register_at_fork(after_in_child=_noise.clear)  # two processes must not make the same ids


def new_id(now: datetime) -> UUID:
    """Return a UUIDv7 (RFC 9562 section 5.7): 48 bits of milliseconds, then 74 random bits.

    Ids made later sort later (to the millisecond), so tables grow at one end.
    """
    milliseconds = int(now.timestamp() * 1000)
    noise = int.from_bytes(_fresh_noise())
    high = (milliseconds << 80) | _VERSION_7 | (noise & 0xFFF) << 64
    return UUID(int=high | _VARIANT | noise >> 18)


def _fresh_noise() -> bytes:
    """Return random bytes of the kernel's that nobody else gets."""
    try:
        return _noise.popleft()
    except IndexError:
        many = os.urandom(_NOISE_BYTES * _NOISES)
        _noise.extend(
            many[place : place + _NOISE_BYTES]
            for place in range(_NOISE_BYTES, len(many), _NOISE_BYTES)
        )
        return many[:_NOISE_BYTES]


def first_id_at(moment: datetime) -> UUID:
    """Return an id below all that `new_id` makes in the millisecond of a moment, and no lower.

    What was made before is found by its id alone.
    """
    return UUID(int=(int(moment.timestamp() * 1000) << 80) | _VERSION_7 | _VARIANT)


def new_ids(now: datetime, count: int) -> list[bytes]:
    """Return the 16 bytes of as many ids as `new_id` would give one by one, for thousands of rows.

    They are made as one number: what a UUIDv7 fixes is laid over as many random bytes at once.
    """
    milliseconds = int(now.timestamp() * 1000)
    fixed = ((milliseconds << 80) | _VERSION_7 | _VARIANT).to_bytes(16)
    noise = int.from_bytes(secrets.token_bytes(16 * count)) & int.from_bytes(_NOISE * count)
    ids = (noise | int.from_bytes(fixed * count)).to_bytes(16 * count)
    return [ids[place : place + 16] for place in range(0, 16 * count, 16)]


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
