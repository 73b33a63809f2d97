"""Telling a partner that something happened: written with its cause, sent afterwards."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

import msgspec

from backend.event import service as event_service
from backend.event.rules import Event
from backend.kit.ids import new_id
from backend.kit.postgres import Tx
from backend.webhook.rules.payload import FOLLOWED_TOPICS, body_of, facts_of
from backend.webhook.store import delivery as delivery_store
from backend.webhook.store import endpoint as endpoint_store
from backend.webhook.store.delivery import NewDelivery

MESSAGE_TOPIC = "webhook.message"


class _Message(msgspec.Struct, frozen=True):
    partner_id: UUID
    topic: str
    object_id: UUID
    sequence: int
    facts: dict[str, str]
    at: datetime


async def emit_message(
    tx: Tx,
    *,
    partner_id: UUID,
    topic: str,
    object_id: UUID,
    sequence: int,
    facts: Mapping[str, object],
    now: datetime,
) -> UUID:
    """Tell a partner, in the transaction of the cause, what happened to an object of its own.

    `sequence` rises with each message about one object: its endpoints hear them in this order.
    `facts` are codes and ids by the names in `rules.payload.FACTS`; an obligation's messages name
    their `order_id`. Return the message's id, which stays the same in every try and replay.
    """
    assert topic in FOLLOWED_TOPICS, f"no topic of a message: {topic}"
    assert sequence >= 1, "the first message about an object is its revision 1"
    return await event_service.emit(
        tx,
        topic=MESSAGE_TOPIC,
        subject_id=None,
        payload={
            "partner_id": str(partner_id),
            "topic": topic,
            "object_id": str(object_id),
            "sequence": sequence,
            "facts": facts_of(facts),
            "at": now.isoformat(),
        },
        now=now,
    )


async def fan_out(tx: Tx, *, event: Event, origin: str, now: datetime) -> int:
    """Write a delivery for each endpoint that follows a message; return how many are new.

    Safe to run twice. Messages about one object are written in their order, whatever order the
    queue carries them in: those before this one are carried out with it.
    """
    earlier = await event_service.take_earlier(tx, event=event)
    count = 0
    for each in [*earlier, event]:
        count += await _deliver(tx, event=each, origin=origin, now=now)
    await event_service.finish(tx, event_ids=[each.event_id for each in earlier], now=now)
    return count


async def _deliver(tx: Tx, *, event: Event, origin: str, now: datetime) -> int:
    message = msgspec.convert(event.payload, _Message)
    followers = await endpoint_store.list_followers(
        tx, partner_id=message.partner_id, topic=message.topic
    )
    if not followers:
        return 0
    body = body_of(
        topic=message.topic,
        object_id=message.object_id,
        sequence=message.sequence,
        facts=message.facts,
        origin=origin,
        now=message.at,
    )
    new = [
        NewDelivery(
            delivery_id=new_id(now),
            endpoint_id=each.endpoint_id,
            partner_id=message.partner_id,
            message_id=event.event_id,
            topic=message.topic,
            object_id=message.object_id,
            sequence=message.sequence,
            body=body,
            kind="event",
        )
        for each in followers
    ]
    return await delivery_store.insert_deliveries(tx, new, now)
