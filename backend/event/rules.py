"""An event is a fact that something else must follow; it is carried out at least once."""

from datetime import datetime, timedelta
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


def handed_at_of(now: datetime, wait: timedelta | None) -> datetime | None:
    """Return since when an event counts as handed over; None when it is to be at once.

    One that waits is written as handed over so long ago that it is due again after `wait`.
    """
    if wait is None:
        return None
    assert timedelta(0) < wait < HAND_OVER_AGAIN_AFTER, "a wait ends before others begin anew"
    return now + wait - HAND_OVER_AGAIN_AFTER
