"""What time does to orders: a transaction each, so that nobody waits for all of them."""

from backend.kit.clock import Clock
from backend.kit.postgres import Database
from backend.order import service


async def expire_orders(database: Database, *, clock: Clock) -> int:
    """End orders that nobody confirmed in time; run twice, it finds fewer. Return how many."""
    count = 0
    while True:
        now = clock.now()
        async with database.read() as tx:
            overdue = await service.list_overdue(tx, now=now)
        ended = 0
        for order in overdue:
            async with database.write() as tx:
                ended += await service.expire(tx, found=order, now=now)
        count += ended
        if not ended:  # whoever was first at the others sees to them
            return count


async def stand_obligations(database: Database, *, clock: Clock) -> int:
    """Let stand what nobody contested in time; run twice, it finds fewer. Return how many."""
    count = 0
    while True:
        now = clock.now()
        async with database.read() as tx:
            due = await service.list_due(tx, now=now)
        stood = 0
        for obligation in due:
            async with database.write() as tx:
                stood += await service.stand(tx, found=obligation, now=now)
        count += stood
        if not stood:
            return count
