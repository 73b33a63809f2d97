"""Valkey: markers, counters and short caches. It holds no truth: flushing it loses nothing."""

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError


class ValkeyDown(Exception):
    """Valkey did not answer in time."""


class Valkey:
    """A small client with hard time limits: waiting for Valkey is worse than going without."""

    def __init__(self, client: Redis) -> None:
        self._client = client

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

    async def set_once(self, key: str, *, ttl_seconds: int) -> bool:
        """Set `key` unless it exists; True when this call was the one that set it.

        Raises ValkeyDown.
        """
        try:
            return bool(await self._client.set(key, b"1", nx=True, ex=ttl_seconds))
        except (RedisError, OSError) as fault:
            raise ValkeyDown from fault

    async def ping(self) -> None:
        """Ask for a sign of life; raises ValkeyDown."""
        try:
            await self._client.ping()
        except (RedisError, OSError) as fault:
            raise ValkeyDown from fault

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()
