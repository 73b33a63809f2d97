"""What a message says: that something happened to an object, its id, and where to look.

The body is that of Standard Webhooks 1.0: `type`, `timestamp`, `data`. It holds ids, codes and
links; who reads a partner's log learns nothing about a person from it.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec

# The topics a partner can follow, and what each is about.
OBJECTS: Final = {
    "order.created": "service_order",
    "order.activated": "service_order",
    "order.completed": "service_order",
    "order.cancelled": "service_order",
    "order.expired": "service_order",
    "order.amount_lowered": "service_order",
    "obligation.announced": "obligation",
    "obligation.replied": "obligation",
    "obligation.standing": "obligation",
    "obligation.ended": "obligation",
    "consent.ended": "consent",
    "programme.paused": "programme",
    "programme.resumed": "programme",
    "programme.ended": "programme",
    "endpoint.paused": "webhook_endpoint",
    "endpoint.probe": "webhook_endpoint",
    "endpoint.challenge": "webhook_endpoint",
}
TOPICS: Final = tuple(OBJECTS)
# Sent to the endpoint they are about, whatever it follows.
OWN_TOPICS: Final = frozenset({"endpoint.probe", "endpoint.challenge"})
FOLLOWED_TOPICS: Final = tuple(topic for topic in TOPICS if topic not in OWN_TOPICS)

# What a message may say besides: codes and ids, by name. Anything else would be a leak.
FACTS: Final = frozenset(
    {"challenge", "ended_by", "obligation_id", "order_id", "programme", "purpose", "reason"}
)
_FACT = re.compile(r"[A-Za-z0-9_.:-]{1,100}")

# Where a partner looks at what a message is about; an obligation is part of its order.
_PATHS: Final = {
    "service_order": "/v1/service-orders/{id}",
    "obligation": "/v1/service-orders/{order_id}",
    "programme": "/v1/programmes",
    "webhook_endpoint": "/v1/webhook-endpoints/{id}",
}


class Data(msgspec.Struct, frozen=True, omit_defaults=True):
    """What happened to which object; `url` is left out where there is nothing more to see."""

    object: str
    id: UUID
    revision: int
    url: str | None = None
    facts: dict[str, str] = {}


class Body(msgspec.Struct, frozen=True):
    """The body of a message."""

    type: str
    timestamp: datetime
    data: Data


def facts_of(facts: Mapping[str, object]) -> dict[str, str]:
    """Return the facts of a message as they are sent.

    Their names are on the list and their values are ids or codes: what is neither is a
    programmer's error, for it could be somebody's name.
    """
    told = {name: str(value) for name, value in facts.items()}
    assert told.keys() <= FACTS, f"no facts of a message: {sorted(told.keys() - FACTS)}"
    assert all(_FACT.fullmatch(value) for value in told.values()), "a fact is an id or a code"
    return told


def body_of(
    *,
    topic: str,
    object_id: UUID,
    sequence: int,
    facts: Mapping[str, str],
    origin: str,
    now: datetime,
) -> bytes:
    """Return the bytes that are signed and sent, the same in every try."""
    kind = OBJECTS[topic]
    path = _PATHS.get(kind)
    url = None
    if path is not None and ("{order_id}" not in path or "order_id" in facts):
        named: dict[str, Any] = {"id": object_id, "order_id": facts.get("order_id")}
        url = origin + path.format(**named)
    data = Data(object=kind, id=object_id, revision=sequence, url=url, facts=dict(facts))
    return msgspec.json.encode(Body(type=topic, timestamp=now, data=data))
