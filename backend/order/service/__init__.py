"""The order room's verbs: open an order, carry it to its end, and what is owed after it."""

from backend.order.service.course import (
    Keeper,
    cancel,
    complete,
    confirm,
    decline,
    expire,
    list_overdue,
    lower_amount,
    report_performed,
)
from backend.order.service.holding import exposure_table
from backend.order.service.leaving import erase
from backend.order.service.obligation import (
    announce,
    apply_case,
    end,
    give_up_case,
    list_due,
    reply,
    stand,
)
from backend.order.service.opening import Opener, open_order
from backend.order.service.reading import (
    KeptOrder,
    NamedOrder,
    NamedPage,
    get_kept,
    get_of_citizen,
    list_kept,
    list_of_citizen,
)

__all__ = [
    "Keeper",
    "KeptOrder",
    "NamedOrder",
    "NamedPage",
    "Opener",
    "announce",
    "apply_case",
    "cancel",
    "complete",
    "confirm",
    "decline",
    "end",
    "erase",
    "expire",
    "exposure_table",
    "get_kept",
    "get_of_citizen",
    "give_up_case",
    "list_due",
    "list_kept",
    "list_of_citizen",
    "list_overdue",
    "lower_amount",
    "open_order",
    "reply",
    "report_performed",
    "stand",
]
