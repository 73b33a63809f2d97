"""What access needs of the rooms above it: who stands behind a token."""

from datetime import datetime
from typing import Protocol

import msgspec

from backend.access.rules import Principal


class Credential(msgspec.Struct, frozen=True):
    """A live token: its bearer, the key it is bound to (RFC 7638 thumbprint) and its end."""

    principal: Principal
    jkt: str
    expires_at: datetime


class CredentialStore(Protocol):
    """Finds the credential of one kind of token."""

    async def find(self, token_hash: bytes, now: datetime) -> Credential | None:
        """Return the live credential, or None for an unknown, expired or revoked token."""
        ...
