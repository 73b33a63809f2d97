"""What a partner says is still owed after an order (征信业管理条例 15).

It is announced first. Unless the citizen contests it, it stands after a waiting period of working
days; if they do, only when a person has looked at it. That partner and the citizen see it, nobody
else does; no score knows of it. Paid, withdrawn or found wrong, it is gone.
"""

from datetime import date, datetime, timedelta
from typing import Any, Literal
from uuid import UUID

import msgspec

from backend.calendar.rules import WorkCalendar
from backend.kit.problem import Refusal
from backend.order.rules.machine import Owed, next_owed
from backend.order.rules.order import Order

CASE_KIND = "obligation"
# The least a programme may wait, and how far the calendar is read for it.
WAITING_WORKING_DAYS_MIN = 5
_CALENDAR_DAYS_PER_WORKING_DAY = 3

ReplyKind = Literal["will_pay", "contested"]
EndedBy = Literal["paid", "withdrawn", "reviewed"]
EVENT_OF_END: dict[EndedBy, str] = {
    "paid": "paid",
    "withdrawn": "withdraw",
    "reviewed": "reject",
}


class Obligation(msgspec.Struct, frozen=True):
    """A row of `obligation`; `state` is an `Owed`, as the database has it."""

    subject_id: UUID
    obligation_id: UUID
    order_id: UUID
    partner_id: UUID
    amount_fen: int
    state: str
    announced_at: datetime
    stands_on: date
    reply_kind: ReplyKind | None
    reply_sealed: bytes | None
    replied_at: datetime | None
    case_id: UUID | None
    revision: int


def calendar_span(today: date, working_days: int) -> tuple[date, date]:
    """Return the days of the calendar that a waiting period has to be looked up in."""
    last = today + timedelta(days=working_days * _CALENDAR_DAYS_PER_WORKING_DAY + 30)
    return today, last


def stands_on(calendar: WorkCalendar, today: date, working_days: int) -> date:
    """Return the first day after a waiting period that begins today.

    So many whole working days lie between: the day it begins on doesn't count (民法典 201).
    Raises Refusal calendar_unknown.
    """
    assert working_days >= WAITING_WORKING_DAYS_MIN, "a programme's loader proves this"
    return calendar.add_working_days(today, working_days) + timedelta(days=1)


def announced(
    order: Order, *, obligation_id: UUID, amount_fen: int, first_day: date, now: datetime
) -> Obligation:
    """Announce what is owed; raises Refusal obligation_too_large: credit stood for no more."""
    if amount_fen > order.credit_fen:
        raise Refusal("obligation_too_large", credit_fen=order.credit_fen)
    assert amount_fen >= 1, "what is owed is something"
    return Obligation(
        subject_id=order.subject_id,
        obligation_id=obligation_id,
        order_id=order.order_id,
        partner_id=order.partner_id,
        amount_fen=amount_fen,
        state=Owed.ANNOUNCED,
        announced_at=now,
        stands_on=first_day,
        reply_kind=None,
        reply_sealed=None,
        replied_at=None,
        case_id=None,
        revision=1,
    )


def replied(
    obligation: Obligation, kind: ReplyKind, *, sealed: bytes | None, now: datetime
) -> Obligation:
    """Take the citizen's answer: they will pay, or they contest it.

    Who said that they will pay can still contest; nothing is contested twice. Raises Refusal
    obligation_state_conflict, obligation_replied.
    """
    state = next_owed(obligation.state, "contest" if kind == "contested" else "will_pay")
    if obligation.reply_kind in ("contested", kind):
        raise Refusal("obligation_replied")
    return _moved(obligation, state, reply_kind=kind, reply_sealed=sealed, replied_at=now)


def standing(obligation: Obligation, *, today: date) -> Obligation:
    """Let one stand that nobody contested until its day."""
    assert today >= obligation.stands_on, "the waiting period is over"
    return _moved(obligation, next_owed(obligation.state, "stand"))


def upheld(obligation: Obligation) -> Obligation:
    """Let one stand that was contested and looked at."""
    return _moved(obligation, next_owed(obligation.state, "uphold"))


def given_up(obligation: Obligation) -> Obligation:
    """Let one go on as announced whose citizen took the case back."""
    return _moved(obligation, next_owed(obligation.state, "give_up"))


def check_end(obligation: Obligation, ended_by: EndedBy) -> int:
    """Return the number of the last message about an obligation that ends now.

    Raises Refusal obligation_state_conflict.
    """
    gone = next_owed(obligation.state, EVENT_OF_END[ended_by])
    assert gone is None, "what ended is gone"
    return obligation.revision + 1


def _moved(obligation: Obligation, state: Owed | None, **changes: Any) -> Obligation:
    assert state is not None, "what goes on has a state"
    return msgspec.structs.replace(
        obligation, state=state, revision=obligation.revision + 1, **changes
    )
