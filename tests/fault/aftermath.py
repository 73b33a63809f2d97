"""What comes after the kills: everything is started again, and what waited is carried out."""

import asyncio
import time

import asyncpg

from tests.fault.fleet import NAMES, Fleet

# So long nothing may come of it.
DRAIN_SECONDS = 30


async def drain(fleet: Fleet) -> None:
    """Wait until the outbox is carried out.

    What was handed to a queue that is gone is handed over again after a minute: here the minute
    passes at once.
    """
    connection = await asyncpg.connect(fleet.database_url)
    await connection.execute(
        "UPDATE outbox SET handed_at = handed_at - interval '2 minutes' WHERE done_at IS NULL"
    )
    least, deadline = None, 0.0
    while left := await connection.fetchval("SELECT count(*) FROM outbox WHERE done_at IS NULL"):
        if least is None or left < least:
            least, deadline = left, time.monotonic() + DRAIN_SECONDS
        assert time.monotonic() < deadline, f"{left} wait still: {fleet.last_words()}"
        await asyncio.sleep(0.1)
    await connection.close()


async def missing(fleet: Fleet, decision_ids: list[str]) -> list[str]:
    """Return the decisions that a partner was told of and the books know nothing about."""
    connection = await asyncpg.connect(fleet.database_url)
    rows = await connection.fetch(
        """SELECT decision_id::text FROM decision JOIN access_entry USING (subject_id, decision_id)
           WHERE eligible AND disclosed = 'eligible' AND decision_id::text = ANY($1)""",
        decision_ids,
    )
    await connection.close()
    return sorted(set(decision_ids) - {row[0] for row in rows})


def power_cut(fleet: Fleet) -> None:
    """Kill everything at once, start it again, and let the worker catch up."""
    for name in NAMES:
        fleet.kill(name)
    fleet.revive()
    asyncio.run(drain(fleet))
