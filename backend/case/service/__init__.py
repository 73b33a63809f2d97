"""The case room's verbs: citizens ask for a person to look; operators look, decide, answer."""

from backend.case.service.citizen import (
    WITHDRAWN_TOPIC,
    OwnCase,
    erase,
    list_by_citizen,
    open_case,
    withdraw,
    withdraw_if_open,
)
from backend.case.service.queue import (
    DECIDED_TOPIC,
    LOOK_ACTION,
    LOOK_DATA_KIND,
    LookedAt,
    QueueCounts,
    count_queue,
    decide,
    list_queue,
    look,
    opened_text,
    purge,
    take,
)

__all__ = [
    "DECIDED_TOPIC",
    "LOOK_ACTION",
    "LOOK_DATA_KIND",
    "WITHDRAWN_TOPIC",
    "LookedAt",
    "OwnCase",
    "QueueCounts",
    "count_queue",
    "decide",
    "erase",
    "list_by_citizen",
    "list_queue",
    "look",
    "open_case",
    "opened_text",
    "purge",
    "take",
    "withdraw",
    "withdraw_if_open",
]
