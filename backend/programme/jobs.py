"""What the clock does in the programme room."""

from backend.kit.clock import Clock
from backend.kit.postgres import Database
from backend.programme.service import budget


async def expire_reservations(database: Database, *, clock: Clock) -> int:
    """Give back what was reserved for a time that is over; return how many reservations that were.

    A transaction for some of them at a time. Run twice, it finds fewer.
    """
    count = 0
    while True:
        async with database.write() as tx:
            expired = await budget.expire_due(tx, now=clock.now())
        count += expired
        if expired < budget.EXPIRED_AT_ONCE:
            return count
