"""Goal: what has expired is gone after a sweep, however busy the day was. Method: a busy day.

Each proof of a partner leaves a marker behind, and each wrong code of a stranger a counter: at a
thousand a second a sweep finds 300,000 of them after five minutes.
"""

from datetime import timedelta

from backend.app import House
from backend.kit.clock import FixedClock
from backend.kit.postgres import Database, Tx
from backend.worker import sweep

MANY = 120_000


async def count(database: Database, table: str) -> int:
    async with database.read() as tx:
        return await tx.fetch_value(int, f"SELECT count(*) FROM {table}")


async def leave_behind(tx: Tx, clock: FixedClock, *, seconds: int, many: int, first: int) -> None:
    """Leave markers and counters that have had their time in so many seconds."""
    until = clock.now() + timedelta(seconds=seconds)
    await tx.execute(
        """INSERT INTO replay_marker (marker, expires_at)
           SELECT sha256(n::text::bytea), $1 FROM generate_series($2::int, $3::int) AS n""",
        until,
        first,
        first + many - 1,
    )
    await tx.execute(
        """INSERT INTO sign_in_try (counter_hash, tried_at, touched_at)
           SELECT sha256(n::text::bytea), '{}', $1 FROM generate_series($2::int, $3::int) AS n""",
        until - timedelta(minutes=10),
        first,
        first + many // 4 - 1,
    )


async def test_one_sweep_takes_all_that_has_expired(house: House, clock: FixedClock) -> None:
    """And leaves what has not; the next one finds nothing."""
    async with house.database.write() as tx:
        await leave_behind(tx, clock, seconds=-1, many=MANY, first=1)
        await leave_behind(tx, clock, seconds=60, many=8, first=MANY + 1)
    assert await sweep(house) == MANY + MANY // 4
    assert await count(house.database, "replay_marker") == 8
    assert await count(house.database, "sign_in_try") == 2
    assert await sweep(house) == 0
