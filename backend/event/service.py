"""The event room's verbs: write an event with its cause; say how far behind its carrying is."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from backend.event import store
from backend.event.rules import (
    HAND_OVER_AGAIN_AFTER,
    HAND_OVER_MAX,
    KEPT_AFTER_DONE,
    Event,
    handed_at_of,
)
from backend.kit.ids import new_id
from backend.kit.postgres import ReadTx, Tx


async def emit(
    tx: Tx,
    *,
    topic: str,
    subject_id: UUID | None,
    payload: dict[str, Any],
    now: datetime,
    wait: timedelta | None = None,
) -> UUID:
    """Write an event in the transaction of its cause and return its id.

    `payload` holds ids and codes only: it is kept for a week after it was carried out. `wait`, less
    than a minute, is how long nobody looks at it.
    """
    event = Event(new_id(now), topic, subject_id, payload)
    await store.insert_event(tx, event, now, handed_at=handed_at_of(now, wait))
    return event.event_id


async def emit_all(
    tx: Tx, *, topic: str, payloads: Sequence[dict[str, Any]], now: datetime
) -> None:
    """Write events of one topic and of no one subject, in one round trip; see `emit`."""
    events = [Event(new_id(now), topic, None, payload) for payload in payloads]
    if events:
        await store.insert_events(tx, events, now)


async def claim(tx: Tx, *, now: datetime) -> list[Event]:
    """Claim the events that are due to be handed to the queue, oldest first."""
    return await store.claim_events(
        tx, now=now, handed_before=now - HAND_OVER_AGAIN_AFTER, limit=HAND_OVER_MAX
    )


async def take(tx: Tx, *, event_id: UUID) -> Event | None:
    """Hold an event for the rest of the transaction; None when it is done or being done."""
    return await store.lock_open_event(tx, event_id)


async def take_earlier(tx: Tx, *, event: Event) -> list[Event]:
    """Hold the open events of the same topic and object that come before one, in their order.

    For topics whose payload names an `object_id` and a `sequence`: the queue carries events in no
    order. Whoever is at one of them now is waited for; what is done by then isn't returned.
    """
    return await store.lock_open_before(
        tx,
        topic=event.topic,
        object_id=event.payload["object_id"],
        sequence=event.payload["sequence"],
    )


async def finish(tx: Tx, *, event_ids: list[UUID], now: datetime) -> None:
    """Mark events as done, in the transaction of their effect."""
    await store.mark_done(tx, event_ids, now)


async def get_lag(tx: ReadTx, *, now: datetime) -> timedelta:
    """Return the age of the oldest event that isn't done."""
    oldest = await store.find_oldest_open(tx)
    return max(timedelta(0), now - oldest) if oldest is not None else timedelta(0)


async def purge(tx: Tx, *, now: datetime) -> int:
    """Delete what was done more than a week ago; return how much that was."""
    return await store.delete_done(tx, done_before=now - KEPT_AFTER_DONE)
