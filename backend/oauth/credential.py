"""Tokens of partners and sources as credentials, behind access's port."""

import time
from collections import OrderedDict
from collections.abc import Sequence
from datetime import datetime

from backend.access.ports import Credential
from backend.kit.batch import Batcher
from backend.kit.postgres import Database
from backend.oauth import service
from backend.oauth.rules.client_token import client_principal_of
from backend.oauth.rules.token import AccessToken, principal_of

TOKEN_CACHE_SECONDS = 1.0
TOKEN_CACHE_SIZE = 10_000


class PartnerTokens:
    """Finds access tokens, many at a time, and remembers them for at most a second.

    What must be felt at once (a withdrawn consent) is looked at again, under a lock, by whoever
    discloses something; the memory only spares the many looks of a busy second.
    """

    def __init__(self, database: Database, *, audience: str) -> None:
        self._database = database
        self._audience = audience
        self._kept: OrderedDict[bytes, tuple[float, Credential]] = OrderedDict()
        self._looks = Batcher(self._look_up, name="token")

    async def find(self, token_hash: bytes, now: datetime) -> Credential | None:
        """Return the live credential of an access token."""
        kept = self._kept.get(token_hash)
        if kept is not None and time.monotonic() - kept[0] < TOKEN_CACHE_SECONDS:
            return kept[1]
        asked_at = time.monotonic()
        return self._keep(token_hash, await self._looks.ask(token_hash), asked_at, now)

    async def find_each(
        self, token_hashes: Sequence[bytes], now: datetime
    ) -> list[Credential | None]:
        """Return the live credential of each access token, in their order."""
        asked_at = time.monotonic()
        found: dict[bytes, Credential | None] = {}
        for token_hash in token_hashes:
            kept = self._kept.get(token_hash)
            if kept is not None and asked_at - kept[0] < TOKEN_CACHE_SECONDS:
                found[token_hash] = kept[1]
        unknown = [*dict.fromkeys(each for each in token_hashes if each not in found)]
        if unknown:
            for token_hash, token in zip(unknown, await self._look_up(unknown), strict=True):
                found[token_hash] = self._keep(token_hash, token, asked_at, now)
        return [found[token_hash] for token_hash in token_hashes]

    def _keep(
        self, token_hash: bytes, token: AccessToken | None, asked_at: float, now: datetime
    ) -> Credential | None:
        """Remember a token that was looked up, or forget it when it is dead."""
        principal = None if token is None else principal_of(token, audience=self._audience, now=now)
        if token is None or principal is None:
            self._kept.pop(token_hash, None)
            return None
        credential = Credential(principal, token.dpop_jkt, token.expires_at)
        self._kept[token_hash] = (asked_at, credential)
        self._kept.move_to_end(token_hash)
        if len(self._kept) > TOKEN_CACHE_SIZE:
            self._kept.popitem(last=False)
        return credential

    async def _look_up(self, token_hashes: Sequence[bytes]) -> list[AccessToken | None]:
        async with self._database.single() as tx:
            found = await service.find_access_tokens(tx, token_hashes=token_hashes)
        return [found.get(token_hash) for token_hash in token_hashes]


class ClientTokens:
    """Finds tokens of clients' own; they are few, so each is looked up each time."""

    def __init__(self, database: Database, *, audience: str) -> None:
        self._database = database
        self._audience = audience

    async def find(self, token_hash: bytes, now: datetime) -> Credential | None:
        """Return the live credential of a token of a client's own."""
        async with self._database.single() as tx:
            token = await service.find_client_token(tx, token_hash=token_hash)
        if token is None:
            return None
        principal = client_principal_of(token, audience=self._audience, now=now)
        return (
            None if principal is None else Credential(principal, token.dpop_jkt, token.expires_at)
        )
