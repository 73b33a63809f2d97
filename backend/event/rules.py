"""An event is a fact that something else must follow; it is carried out at least once."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import msgspec

# What was handed to the queue and isn't done by then is handed over again: the queue may have
# been flushed, or the worker killed.
HAND_OVER_AGAIN_AFTER = timedelta(seconds=60)
HAND_OVER_MAX = 500
KEPT_AFTER_DONE = timedelta(days=7)


class Event(msgspec.Struct, frozen=True):
    """One row of the outbox; `payload` holds ids and codes, never personal data."""

    event_id: UUID
    topic: str
    subject_id: UUID | None
    payload: dict[str, Any]
