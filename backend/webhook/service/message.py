"""Telling a partner that something happened: written with its cause, sent afterwards."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from backend.event import service as event
from backend.kit.postgres import Tx
from backend.webhook.rules.payload import FOLLOWED_TOPICS, facts_of

MESSAGE_TOPIC = "webhook.message"


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
    return await event.emit(
        tx,
        topic=MESSAGE_TOPIC,
        subject_id=None,
        payload={
            "partner_id": str(partner_id),
            "topic": topic,
            "object_id": str(object_id),
            "sequence": sequence,
            "facts": facts_of(facts),
        },
        now=now,
    )
