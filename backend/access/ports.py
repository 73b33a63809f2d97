"""What access needs of the rooms above it: who stands behind a token."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Protocol

import msgspec

from backend.access.rules import Principal


class Credential(msgspec.Struct, frozen=True):
    """A live token: its bearer, the key it is bound to (RFC 7638 thumbprint) and its end.

    `on_use` is called once the bearer has proved to hold the key, for a token that ends when it is
    not used.
    """

    principal: Principal
    jkt: str
    expires_at: datetime
    on_use: Callable[[], Awaitable[None]] | None = None


class CredentialStore(Protocol):
    """Finds the credential of one kind of token."""

    async def find(self, token_hash: bytes, now: datetime) -> Credential | None:
        """Return the live credential, or None for an unknown, expired or revoked token."""
        ...


class BatchCredentialStore(CredentialStore, Protocol):
    """Finds the credentials of one kind of token, many at a time."""

    async def find_each(
        self, token_hashes: Sequence[bytes], now: datetime
    ) -> list[Credential | None]:
        """Return of each token what `find` does, in their order."""
        ...
