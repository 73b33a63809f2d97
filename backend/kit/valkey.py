"""Valkey: markers, counters and short caches. It holds no truth: flushing it loses nothing."""

import time
from collections.abc import Awaitable, Sequence
from typing import Final, cast

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as NoAnswer

# The client's work for a command is 40 µs, for a further key of this script 2.
_SET_EACH_ONCE: Final = """
local made = {}
for i, key in ipairs(KEYS) do
  made[i] = server.call('SET', key, '1', 'NX', 'EX', ARGV[i]) and 1 or 0
end
return made
"""


# A server that is frozen or out of reach costs a second to find out; the others needn't wait too.
_LEFT_ALONE_SECONDS: Final = 1.0


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
            socket_timeout=0.5,
            socket_connect_timeout=0.5,
            retry=Retry(NoBackoff(), 1),
            health_check_interval=15,
        )
        return cls(client)

    async def set_each_once(self, keys: Sequence[str], ttls_seconds: Sequence[int]) -> list[bool]:
        """Set each key unless it exists; of each, True when this call was the one that set it.

        One command, however many keys. Raises ValkeyDown; at once for a moment after Valkey did
        not answer in time.
        """
        if time.monotonic() < self._left_alone_until:
            raise ValkeyDown
        try:
            found = await cast(
                "Awaitable[list[int]]",
                self._client.eval(_SET_EACH_ONCE, len(keys), *keys, *map(str, ttls_seconds)),
            )
        except (RedisError, OSError) as fault:
            if isinstance(fault, NoAnswer):
                self._left_alone_until = time.monotonic() + _LEFT_ALONE_SECONDS
            raise ValkeyDown from fault
        return [each == 1 for each in found]

    async def ping(self) -> None:
        """Ask for a sign of life; raises ValkeyDown."""
        try:
            await self._client.ping()
        except (RedisError, OSError) as fault:
            raise ValkeyDown from fault

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()
