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
        token = await self._looks.ask(token_hash)
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
