"""Access tokens of partners as credentials, behind access's port."""

import time
from collections import OrderedDict
from datetime import datetime

from backend.access.ports import Credential
from backend.kit.postgres import Database
from backend.oauth import service
from backend.oauth.rules.token import principal_of

TOKEN_CACHE_SECONDS = 1.0
TOKEN_CACHE_SIZE = 10_000


class PartnerTokens:
    """Finds access tokens, remembered for at most a second.

    What must be felt at once (a withdrawn consent) is looked at again, under a lock, by whoever
    discloses something; the memory only spares the many looks of a busy second.
    """

    def __init__(self, database: Database, *, audience: str) -> None:
        self._database = database
        self._audience = audience
        self._kept: OrderedDict[bytes, tuple[float, Credential]] = OrderedDict()

    async def find(self, token_hash: bytes, now: datetime) -> Credential | None:
        """Return the live credential of an access token."""
        kept = self._kept.get(token_hash)
        if kept is not None and time.monotonic() - kept[0] < TOKEN_CACHE_SECONDS:
            return kept[1]
        asked_at = time.monotonic()
        async with self._database.read() as tx:
            token = await service.find_access_token(tx, token_hash=token_hash, now=now)
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
