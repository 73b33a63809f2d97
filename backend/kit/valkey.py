"""Valkey: markers, counters and short caches. It holds no truth: flushing it loses nothing."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import asynccontextmanager
from typing import Final, cast

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as NoAnswer

_SOCKET_SECONDS: Final = 0.5
# The last word on waiting, whatever the client does inside: connecting, asking, once more.
_ANSWER_SECONDS: Final = 1.5
# A server that is frozen or out of reach costs that long to find out; others needn't wait too.
_LEFT_ALONE_SECONDS: Final = 1.0

# The client's work for a command is 40 µs, for a further key of this script 2.
_SET_EACH_ONCE: Final = """
local made = {}
for i, key in ipairs(KEYS) do
  made[i] = server.call('SET', key, '1', 'NX', 'EX', ARGV[i]) and 1 or 0
end
return made
"""


class ValkeyDown(Exception):
    """Valkey did not answer in time."""


class Valkey:
    """A small client with hard time limits: waiting for Valkey is worse than going without."""

    def __init__(self, client: Redis) -> None:
        self._client = client
        self._left_alone_until = 0.0

    @classmethod
    def open(cls, url: str) -> "Valkey":
        """Make a client for `url` (redis:// or unix://); it connects when first used."""
        client = Redis.from_url(
            url,
            socket_timeout=_SOCKET_SECONDS,
            socket_connect_timeout=_SOCKET_SECONDS,
            retry=Retry(NoBackoff(), 1),
            # With a frozen server, the client's health checks connect to check their connection's
            # health, for ever and ever deeper (redis-py#3745).
            health_check_interval=0,
        )
        return cls(client)

    async def set_each_once(self, keys: Sequence[str], ttls_seconds: Sequence[int]) -> list[bool]:
        """Set each key unless it exists; of each, True when this call was the one that set it.

        One command, however many keys. Raises ValkeyDown; at once for a moment after Valkey did
        not answer in time.
        """
        if time.monotonic() < self._left_alone_until:
            raise ValkeyDown
        async with self._in_time():
            found = await cast(
                "Awaitable[list[int]]",
                self._client.eval(_SET_EACH_ONCE, len(keys), *keys, *map(str, ttls_seconds)),
            )
        return [each == 1 for each in found]

    async def ping(self) -> None:
        """Ask for a sign of life; raises ValkeyDown."""
        async with self._in_time():
            await self._client.ping()

    @asynccontextmanager
    async def _in_time(self) -> AsyncIterator[None]:
        """Bound what happens inside, and call every way to fail ValkeyDown."""
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                yield
        except (RedisError, OSError) as fault:
            if isinstance(fault, NoAnswer | TimeoutError):
                self._left_alone_until = time.monotonic() + _LEFT_ALONE_SECONDS
            raise ValkeyDown from fault

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()
