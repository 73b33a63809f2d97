"""The citizens enrolled in a programme are told when it rests or has ended, some at a time."""

from datetime import datetime
from uuid import UUID

from backend.event import service as event_service
from backend.event.rules import Event
from backend.kit.postgres import Tx
from backend.notice import service as notice
from backend.programme.store import life as store

STOPPED_TOPIC = "programme.stopped"
# Each is held until the transaction ends, and costs three statements.
TOLD_AT_A_TIME = 200


async def announce(tx: Tx, *, programme_code: str, topic: str, now: datetime) -> None:
    """Have everybody told who is enrolled, after the commit of what stopped the programme."""
    await _go_on(tx, {"programme": programme_code, "topic": topic}, now=now)


async def tell_enrolled(tx: Tx, *, event: Event, now: datetime) -> int:
    """Tell the next of those who are enrolled; return how many. The rest is another event.

    Who leaves meanwhile is told nothing, and nobody is told twice: they are taken in the order of
    their ids, in the transaction that marks the event done.
    """
    code, after = event.payload["programme"], event.payload.get("after")
    found = await store.list_enrolled_in(
        tx, code, after=None if after is None else UUID(after), limit=TOLD_AT_A_TIME
    )
    for each in found:
        await notice.notify(
            tx,
            subject_id=each.subject_id,
            topic=event.payload["topic"],
            facts={"programme": code},
            now=now,
        )
    if len(found) == TOLD_AT_A_TIME:
        rest = {**event.payload, "after": str(found[-1].subject_id)}
        await _go_on(tx, rest, now=now)
    return len(found)


async def _go_on(tx: Tx, payload: dict[str, str], *, now: datetime) -> None:
    await event_service.emit(tx, topic=STOPPED_TOPIC, subject_id=None, payload=payload, now=now)
