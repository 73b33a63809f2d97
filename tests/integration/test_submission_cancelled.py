"""Goal: a turn that is cancelled while it reads a file leaves nothing half taken, and nobody in
its transaction.

Method: a real upload on a real PostgreSQL. Its owner locks the parts, so that the turn's reading
thread surely waits for one when the turn is cancelled; the transaction itself is then asked how
often parts were read in it, which it can only answer while nobody else reads.
"""

import asyncio
from uuid import UUID

from backend.app import House
from backend.kit.postgres import Database
from backend.record import service
from tests.support.source import SourceSoftware, file_of
from tests.support.world import World

_READS = """SELECT seq_scan + idx_scan FROM pg_stat_xact_user_tables
            WHERE relname = 'upload_part'"""
_WAITING = """SELECT count(*) FROM pg_stat_activity
              WHERE datname = current_database() AND wait_event_type = 'Lock'"""


async def _until_somebody_waits(owner: Database) -> None:
    # Every look is a transaction of its own: in one, the server's picture stays the same.
    is_waiting = 0
    async with asyncio.timeout(10):
        while is_waiting == 0:
            await asyncio.sleep(0.02)
            async with owner.read() as tx:
                is_waiting = await tx.fetch_value(int, _WAITING)


async def test_a_cancelled_turn_ends_when_nobody_reads_in_its_transaction(house: House) -> None:
    """It waits for the part that is being read, reads no other, and the next turn takes it all."""
    world = World(house)
    software = await SourceSoftware.register(world)
    submission_id = UUID((await software.send(file_of(100))).json()["submission_id"])
    reads: list[int] = []

    async def turn() -> None:
        async with world.database.write() as tx:
            try:
                await service.take_upload(
                    tx, submission_id=submission_id, vault=world.vault, now=world.clock.now()
                )
            except asyncio.CancelledError:
                reads.append(await tx.fetch_value(int, _READS))
                raise

    assert house.settings.database_url is not None
    owner = await Database.open(house.settings.database_url, size=2, role=None)
    async with owner.write() as tx:
        await tx.execute("LOCK TABLE upload_part IN ACCESS EXCLUSIVE MODE")
        turning = asyncio.create_task(turn())
        await _until_somebody_waits(owner)
        turning.cancel()
        await asyncio.wait([turning], timeout=0.2)
        assert not turning.done(), "its transaction is still being read in"
    await owner.close()
    await asyncio.wait([turning])
    assert turning.cancelled()
    assert reads == [1], "the part it waited for, and no other"
    assert await world.count("submission", "bytes_done > 0 OR completed_at IS NOT NULL") == 0
    assert await world.count("record") == 0
    await world.work()
    assert await world.count("record") == 100, "nothing is held: the next turn takes it"
    assert await world.count("upload") == 0
    await world.close()
