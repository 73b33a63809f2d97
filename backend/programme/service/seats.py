"""Seats that become free are kept for whoever waits: nobody who comes later takes one first.

A freed seat stays taken while its event goes to the queue, and is given back there when nobody in
the queue can have it.
"""

from datetime import datetime
from uuid import UUID

from backend.event import service as event
from backend.kit.postgres import Tx
from backend.programme.store import enrolment as enrolment_store
from backend.programme.store import waiting as store

FREED_TOPIC = "seat.freed"
# One event gives away as many seats at most; the rest is free for everybody meanwhile.
KEPT_AT_ONCE = 200


async def give_back(
    tx: Tx, *, programme_code: str, count: int = 1, after: int = 0, now: datetime
) -> None:
    """Keep seats for whoever waits from behind a place; without anybody there they are free."""
    assert count > 0, "no seat is no event"
    await store.hold_seats(tx, programme_code)
    if await store.count_waiting(tx, programme_code, after=after, limit=1):
        await pass_on(tx, programme_code=programme_code, count=count, after=after, now=now)
        return
    released = await enrolment_store.give_seats_back(tx, programme_code, count)
    assert released, "what is given back was taken"


async def offer_free(tx: Tx, *, programme_code: str, now: datetime) -> None:
    """Keep the free seats for those who wait: there are more of them, or the programme goes on."""
    free = await store.hold_seats(tx, programme_code)
    if free <= 0:
        return
    limit = min(free, KEPT_AT_ONCE)
    waiting = await store.count_waiting(tx, programme_code, after=0, limit=limit)
    if waiting:
        kept = await enrolment_store.take_seats(tx, programme_code, waiting)
        assert kept == waiting, "the seats are held"
        await pass_on(tx, programme_code=programme_code, count=kept, after=0, now=now)


async def pass_on(tx: Tx, *, programme_code: str, count: int, after: int, now: datetime) -> UUID:
    """Send seats that are kept to the queue, behind a place."""
    payload = {"programme": programme_code, "seats": count, "after": after}
    return await event.emit(tx, topic=FREED_TOPIC, subject_id=None, payload=payload, now=now)
