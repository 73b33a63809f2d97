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


class Use(msgspec.Struct, frozen=True):
    """One use of something that is good once, by the name it is remembered by."""

    marker: bytes
    ttl_seconds: int
    now: datetime


class _Taken(msgspec.Struct, frozen=True):
    marker: bytes


class ReplayGuard:
    """Remembers what was used, for as long as it could be used again."""

    def __init__(self, valkey: Valkey, database: Database) -> None:
        self._valkey = valkey
        self._database = database
        self._uses = Batcher(self._mark, name="replay")

    async def first_use(self, kind: str, key: str, *, ttl_seconds: int, now: datetime) -> bool:
        """Return whether this is the first use of (kind, key) within `ttl_seconds`.

        Raises Unavailable when PostgreSQL is away: nothing is let through on a guess.
        """
        return await self._uses.ask(use_of(kind, key, ttl_seconds=ttl_seconds, now=now))

    async def close(self) -> None:
        """Finish what is in flight."""
        await self._uses.close()

    async def _mark(self, uses: Sequence[Use]) -> list[bool]:
        """Mark a batch in both memories at once; of two equal uses in it the earlier is first."""
        firsts = {use.marker: use for use in reversed(uses)}
        distinct = list(firsts.values())
        in_table, in_valkey = await asyncio.gather(
            self._mark_in_table(distinct), self.mark_in_valkey(distinct)
        )
        taken = in_table & in_valkey
        return [use.marker in taken and firsts[use.marker] is use for use in uses]

    async def mark_in_valkey(self, uses: Sequence[Use]) -> set[bytes]:
        """Mark distinct uses in Valkey, and return those that weren't; all when it is away."""
        if not uses:
            return set()
        try:
            made = await self._valkey.set_each_once(
                [f"replay:{use.marker.hex()}" for use in uses], [use.ttl_seconds for use in uses]
            )
        except ValkeyDown:
            REPLAY_FALLBACKS.inc(len(uses))
            return {use.marker for use in uses}  # the table alone decides
        return {use.marker for use, is_first in zip(uses, made, strict=True) if is_first}

    async def _mark_in_table(self, uses: Sequence[Use]) -> set[bytes]:
        async with self._database.single() as tx:
            return await take_in_table(tx, uses)


def use_of(kind: str, key: str, *, ttl_seconds: int, now: datetime) -> Use:
    """Return the use of (kind, key), to be remembered for `ttl_seconds`."""
    return Use(hashlib.sha256(f"{kind}|{key}".encode()).digest(), ttl_seconds, now)


async def take_in_table(tx: Tx, uses: Sequence[Use]) -> set[bytes]:
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
        [use.now + timedelta(seconds=use.ttl_seconds) for use in ordered],
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
