"""A proof or an assertion is good once, in any process, whatever falls over.

Two memories are always written side by side: Valkey (SET NX EX) and an UNLOGGED table. A use is
the first only when every memory that answers says so. Either memory may lose everything (Valkey
is flushed, PostgreSQL crashes and empties unlogged tables) without one replay getting through;
keeping the second memory only as a fallback would forget what the first knew when it went away.
"""

import asyncio
import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from backend.kit.batch import Batcher
from backend.kit.metric import REPLAY_FALLBACKS
from backend.kit.postgres import Database, Tx
from backend.kit.valkey import Valkey, ValkeyDown


class _Use(msgspec.Struct, frozen=True):
    marker: bytes
    now: datetime
    expires_at: datetime


class _Taken(msgspec.Struct, frozen=True):
    marker: bytes


class ReplayGuard:
    """Remembers what was used, for as long as it could be used again."""

    def __init__(self, valkey: Valkey, database: Database) -> None:
        self._valkey = valkey
        self._database = database
        self._table = Batcher(self._mark_in_table, name="replay")

    async def first_use(self, kind: str, key: str, *, ttl_seconds: int, now: datetime) -> bool:
        """Return whether this is the first use of (kind, key) within `ttl_seconds`.

        Raises Unavailable when PostgreSQL is away: nothing is let through on a guess.
        """
        marker = hashlib.sha256(f"{kind}|{key}".encode()).digest()
        use = _Use(marker, now, now + timedelta(seconds=ttl_seconds))
        in_table, in_valkey = await asyncio.gather(
            self._table.ask(use), self._mark_in_valkey(marker, ttl_seconds)
        )
        return in_table and in_valkey

    async def close(self) -> None:
        """Finish what is in flight."""
        await self._table.close()

    async def _mark_in_valkey(self, marker: bytes, ttl_seconds: int) -> bool:
        try:
            return await self._valkey.set_once(f"replay:{marker.hex()}", ttl_seconds=ttl_seconds)
        except ValkeyDown:
            REPLAY_FALLBACKS.inc()
            return True  # the table alone decides

    async def _mark_in_table(self, uses: Sequence[_Use]) -> list[bool]:
        firsts: dict[bytes, int] = {}
        for place, use in enumerate(uses):
            firsts.setdefault(use.marker, place)
        async with self._database.write() as tx:
            taken = await _take(tx, [uses[place] for place in firsts.values()])
        return [use.marker in taken and firsts[use.marker] == i for i, use in enumerate(uses)]


async def _take(tx: Tx, uses: Sequence[_Use]) -> set[bytes]:
    """Insert markers, or take over expired ones; return those this call got."""
    # Sorted, so that two processes lock the same rows in the same order.
    ordered = sorted(uses, key=lambda use: use.marker)
    rows = await tx.fetch_all(
        _Taken,
        """INSERT INTO replay_marker AS held (marker, expires_at)
           SELECT marker, expires_at
           FROM unnest($1::bytea[], $2::timestamptz[]) AS fresh (marker, expires_at)
           ON CONFLICT (marker) DO UPDATE SET expires_at = excluded.expires_at
           WHERE held.expires_at <= $3
           RETURNING marker""",
        [use.marker for use in ordered],
        [use.expires_at for use in ordered],
        min(use.now for use in uses),
    )
    return {row.marker for row in rows}


async def purge(tx: Tx, *, now: datetime) -> int:
    """Delete expired markers and return how many; at most 50,000 at a time."""
    return await tx.execute(
        """DELETE FROM replay_marker WHERE marker IN
           (SELECT marker FROM replay_marker WHERE expires_at <= $1 LIMIT 50000)""",
        now,
    )
