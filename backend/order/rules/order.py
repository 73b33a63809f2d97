"""A service order: what it may stand for, and what each step makes of it.

Amounts only go down once it is open. `amount_fen` is what is at risk; `credit_fen` the part credit
stands for; the rest is the citizen's own money.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

import msgspec
from msgspec import UNSET

from backend.kit.problem import Refusal
from backend.oauth.rules.request import order_detail_of
from backend.order.rules.machine import State, next_state
from backend.programme.rules.benefit import (
    Benefit,
    DeferredPayment,
    DepositWaiver,
    FeeWaiver,
)
from backend.record.rules.personal import holds_personal_number

CONFIRM_WITHIN = timedelta(days=30)
AMOUNT_FEN_MAX = 100_000_000
REFERENCE_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}$"

ConfirmedBy = Literal["citizen", "consent"]
# `nothing_owed`: something was said to be owed, and it was paid, withdrawn or found wrong.
Performance = Literal["performed", "open_obligation", "nothing_owed"]


class Order(msgspec.Struct, frozen=True):
    """A row of `service_order`; `state` is a `State`, as the database has it."""

    subject_id: UUID
    order_id: UUID
    partner_id: UUID
    client_id: str
    consent_id: UUID
    programme_code: str
    programme_version: int
    decision_id: UUID
    reservation_id: UUID
    reference: str
    state: str
    confirmed_by: ConfirmedBy | None
    opened_fen: int
    accepts_partial: bool
    amount_fen: int
    credit_fen: int
    settled_fen: int | None
    performance: Performance | None
    revision: int
    created_at: datetime
    confirm_by: datetime
    activated_at: datetime | None
    ended_at: datetime | None


class Asked(msgspec.Struct, frozen=True):
    """What a partner asks for: a programme's benefit, for so much, under a number of its own.

    With `accepts_partial` credit may stand for a part: the rest is the citizen's own money.
    """

    programme_code: str
    reference: str
    amount_fen: int
    accepts_partial: bool


class OrderConsent(msgspec.Struct, frozen=True):
    """What the citizen's consent says of orders: who confirms each, and the most credit in one."""

    confirm: ConfirmedBy
    amount_max_fen: int | None


class Allowance(msgspec.Struct, frozen=True):
    """How much credit may stand for: by benefit, programme and consent, and what is free still."""

    cap_fen: int
    order_max_fen: int
    consent_max_fen: int | None
    free_fen: int


def consent_for(details: Sequence[Mapping[str, Any]], programme_code: str) -> OrderConsent:
    """Return what a token's authorization details (RFC 9396) say of a programme's orders.

    Raises Refusal insufficient_authorization_details.
    """
    detail = order_detail_of(details, programme_code)
    if detail is None:
        raise Refusal("insufficient_authorization_details")
    most = detail.amount_max_fen
    return OrderConsent(detail.confirm, None if most is UNSET else most)


def check_asked(asked: Asked, consent: OrderConsent) -> None:
    """Raise Refusal order_amount_too_large, order_reference_invalid.

    Both can be told: they say nothing of the citizen but what the consent said to the partner.
    """
    most = consent.amount_max_fen
    if most is not None and asked.amount_fen > most and not asked.accepts_partial:
        raise Refusal("order_amount_too_large", limit_fen=most)
    is_code = re.fullmatch(REFERENCE_PATTERN, asked.reference) is not None
    if not is_code or holds_personal_number(asked.reference):
        raise Refusal("order_reference_invalid")


def check_same(order: Order, asked: Asked) -> None:
    """Raise Refusal order_reference_taken unless an order is what is asked for once more."""
    known = (order.programme_code, order.opened_fen, order.accepts_partial)
    if known != (asked.programme_code, asked.amount_fen, asked.accepts_partial):
        raise Refusal("order_reference_taken")


def cap_fen_of(benefit: Benefit) -> int | None:
    """Return up to how much a benefit stands for; None for one that is no amount of money."""
    match benefit:
        case DepositWaiver() | DeferredPayment() | FeeWaiver():
            return benefit.cap_fen
        case _:
            return None


def credit_of(asked: Asked, allowance: Allowance) -> int:
    """Return the part of an amount that credit stands for; 0 when there is no room for it.

    That is no room for any of it or, unless the partner takes a part too, not for all of it.
    """
    bounds = [asked.amount_fen, allowance.cap_fen, allowance.order_max_fen, allowance.free_fen]
    if allowance.consent_max_fen is not None:
        bounds.append(allowance.consent_max_fen)
    credit = min(bounds)
    assert 0 <= credit <= asked.amount_fen, "credit stands for a part of what is at risk"
    return credit if credit == asked.amount_fen or asked.accepts_partial else 0


def created(order: Order) -> Order:
    """Return a new order as it begins."""
    return _checked(order, None)


def activated(order: Order, *, by: ConfirmedBy, reservation_id: UUID, now: datetime) -> Order:
    """Confirm an order; raises Refusal order_state_conflict, also when its time is over."""
    state = next_state(order.state, "confirm" if by == "citizen" else "start")
    if now >= order.confirm_by:
        raise Refusal("order_state_conflict", state=State.EXPIRED.value)
    return _moved(
        order, state=state, confirmed_by=by, reservation_id=reservation_id, activated_at=now
    )


def lowered(order: Order, amount_fen: int) -> Order:
    """Lower the amount at risk; credit goes on standing for as much of it as before.

    Raises Refusal order_state_conflict, order_amount_not_lower.
    """
    state = next_state(order.state, "lower")
    if amount_fen >= order.amount_fen:
        raise Refusal("order_amount_not_lower", amount_fen=order.amount_fen)
    credit = min(order.credit_fen, amount_fen)
    return _moved(order, state=state, amount_fen=amount_fen, credit_fen=credit)


def completed(order: Order, settled_fen: int, *, now: datetime) -> Order:
    """Complete an order: credit has stood for so much in the end.

    Raises Refusal order_state_conflict, order_settled_too_much.
    """
    state = next_state(order.state, "complete")
    if settled_fen > order.credit_fen:
        raise Refusal("order_settled_too_much", credit_fen=order.credit_fen)
    return _moved(order, state=state, settled_fen=settled_fen, ended_at=now)


def ended(order: Order, event: Literal["cancel", "decline", "leave"], *, now: datetime) -> Order:
    """Cancel an order; raises Refusal order_state_conflict."""
    return _moved(order, state=next_state(order.state, event), ended_at=now)


def expired(order: Order, *, now: datetime) -> Order:
    """End an order that nobody confirmed in time."""
    assert now >= order.confirm_by, "its time is over"
    return _moved(order, state=next_state(order.state, "expire"), ended_at=now)


def performed(order: Order) -> Order:
    """Say that what was agreed was performed.

    Also after something was said to be owed and no longer is. Raises Refusal order_state_conflict
    (it isn't completed), performance_reported.
    """
    if order.state != State.COMPLETED:
        raise Refusal("order_state_conflict", state=str(order.state))
    if order.performance not in (None, "nothing_owed"):
        raise Refusal("performance_reported", performance=order.performance)
    return _moved(order, performance="performed")


def owing(order: Order) -> Order:
    """Say that something is still owed, once.

    Raises Refusal order_state_conflict (it isn't completed), performance_reported.
    """
    if order.state != State.COMPLETED:
        raise Refusal("order_state_conflict", state=str(order.state))
    if order.performance is not None:
        raise Refusal("performance_reported", performance=order.performance)
    return _moved(order, performance="open_obligation")


def owing_nothing(order: Order) -> Order:
    """Say that nothing is owed any more."""
    assert order.performance == "open_obligation", "what ends has begun"
    return _moved(order, performance="nothing_owed")


def open_fen(order: Order) -> int:
    """Return how much credit stands for in an order now; nothing in one that has ended."""
    return order.credit_fen if order.state in (State.CREATED, State.ACTIVE) else 0


def _moved(order: Order, **changes: Any) -> Order:
    after = msgspec.structs.replace(order, revision=order.revision + 1, **changes)
    return _checked(after, order)


def _checked(order: Order, before: Order | None) -> Order:
    """Return the order; what the table's CHECKs say is said here too."""
    assert 1 <= order.credit_fen <= order.amount_fen <= order.opened_fen, "amounts only go down"
    assert (order.activated_at is None) == (order.confirmed_by is None)
    is_over = order.state in (State.COMPLETED, State.CANCELLED, State.EXPIRED)
    assert (order.ended_at is not None) == is_over, "what is over has an end"
    assert (order.settled_fen is not None) == (order.state == State.COMPLETED)
    assert order.settled_fen is None or 0 <= order.settled_fen <= order.credit_fen
    assert order.performance is None or order.state == State.COMPLETED
    if before is not None:
        assert order.amount_fen <= before.amount_fen, "the amount never rises"
        assert order.credit_fen <= before.credit_fen, "the credit part never rises"
    return order
