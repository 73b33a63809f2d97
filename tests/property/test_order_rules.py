"""Goal: whatever happens to an order, in whatever order, its amounts only go down, it never stands
for more than cap, bound and exposure allow, and what is over stays over; what is owed likewise.

Method: Hypothesis draws amounts, allowances and runs of steps; a step is either refused by the
machine's table or changes exactly what it may.
"""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any, ParamSpec, TypeVar
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from backend.kit.problem import Refusal
from backend.order.rules import obligation as owed_rules
from backend.order.rules import order as rules
from backend.order.rules.machine import ORDER_STEPS, OWED_STEPS, Owed, State, is_over, order_step
from backend.order.rules.obligation import Obligation
from backend.order.rules.order import Allowance, Asked, Order

NOW = datetime(2026, 11, 20, 2, tzinfo=UTC)
ID = UUID("01900000-0000-7000-8000-000000000001")
AMOUNTS = st.integers(min_value=1, max_value=1_000)
P = ParamSpec("P")
T = TypeVar("T")
ROOM = st.integers(min_value=0, max_value=1_200)


def tried(act: Callable[P, T], *args: P.args, **named: P.kwargs) -> T | str:
    """Return what comes of something, or the code it is refused with."""
    try:
        return act(*args, **named)
    except Refusal as refusal:
        return refusal.code


def order_of(amount_fen: int, credit_fen: int) -> Order:
    """Return an order that has just been opened."""
    return rules.created(
        Order(
            subject_id=ID,
            order_id=ID,
            partner_id=ID,
            client_id="shop",
            consent_id=ID,
            programme_code="rental",
            programme_version=1,
            decision_id=ID,
            reservation_id=ID,
            reference="R-1",
            state=State.CREATED,
            confirmed_by=None,
            opened_fen=amount_fen,
            accepts_partial=False,
            amount_fen=amount_fen,
            credit_fen=credit_fen,
            settled_fen=None,
            performance=None,
            revision=1,
            created_at=NOW,
            confirm_by=NOW + rules.CONFIRM_WITHIN,
            activated_at=None,
            ended_at=None,
        )
    )


@given(AMOUNTS, ROOM, ROOM, st.none() | ROOM, ROOM, st.booleans())
def test_credit_never_exceeds_what_allows_it(
    amount: int, cap: int, most: int, bound: int | None, free: int, partial: bool
) -> None:
    """And is the most that all of them allow; all or nothing, unless a part is taken too."""
    credit = rules.credit_of(
        Asked("rental", "R-1", amount, partial),
        Allowance(cap_fen=cap, order_max_fen=most, consent_max_fen=bound, free_fen=free),
    )
    allowed = min(amount, cap, most, free, *([] if bound is None else [bound]))
    assert credit == (allowed if partial or allowed == amount else 0)


STEPS = st.sampled_from(
    ["confirm", "start", "lower", "complete", "cancel", "decline", "leave", "expire", "perform"]
)


def stepped(order: Order, step: str, amount: int, now: datetime) -> Order:
    """Take one step of an order."""
    match step:
        case "confirm":
            return rules.activated(order, by="citizen", reservation_id=ID, now=now)
        case "start":
            return rules.activated(order, by="consent", reservation_id=ID, now=now)
        case "lower":
            return rules.lowered(order, amount)
        case "complete":
            return rules.completed(order, amount, now=now)
        case "expire":
            return rules.expired(order, now=order.confirm_by)
        case "perform":
            return rules.performed(order)
        case "cancel" | "decline" | "leave":
            return rules.ended(order, step, now=now)
        case _:
            raise AssertionError(step)


@given(AMOUNTS, st.data(), st.lists(st.tuples(STEPS, ROOM.filter(bool)), max_size=12))
def test_amounts_only_fall_and_what_is_over_stays_over(
    amount: int, data: st.DataObject, steps: list[tuple[str, int]]
) -> None:
    order = order_of(amount, data.draw(st.integers(min_value=1, max_value=amount)))
    for step, value in steps:
        before = order
        after = tried(stepped, order, step, value, NOW)
        if isinstance(after, str):
            assert after in {
                *("order_state_conflict", "order_amount_not_lower"),
                *("order_settled_too_much", "performance_reported"),
            }
            if step != "perform" and after == "order_state_conflict":
                assert before.state not in order_step(step).sources
            continue
        order = after
        assert order.revision == before.revision + 1
        assert order.amount_fen <= before.amount_fen
        assert order.credit_fen <= before.credit_fen
        assert (order.amount_fen < before.amount_fen) == (step == "lower")
        assert rules.open_fen(order) <= rules.open_fen(before)
        assert rules.open_fen(order) == (0 if is_over(order.state) else order.credit_fen)
        if is_over(before.state):
            assert step == "perform"
            assert order.state == before.state


@given(AMOUNTS, st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=60)))
def test_nothing_is_confirmed_after_its_time(amount: int, later: timedelta) -> None:
    order = order_of(amount, amount)
    now = NOW + later
    active = tried(stepped, order, "confirm", 0, now)
    if isinstance(active, str):
        assert active == "order_state_conflict"
        assert now >= order.confirm_by
    else:
        assert active.state == State.ACTIVE
        assert now < order.confirm_by


def owed_of(order: Order) -> Obligation:
    """Return what has just been announced."""
    return owed_rules.announced(
        order, obligation_id=ID, amount_fen=1, first_day=date(2026, 12, 5), now=NOW
    )


OWED = st.sampled_from(
    ["will_pay", "contest", "stand", "uphold", "give_up", "reject", "paid", "withdraw"]
)


def owed_stepped(obligation: Obligation, step: str) -> Obligation | None:
    """Take one step of an obligation; None when it is gone."""
    changes: dict[str, Any] = {"sealed": None, "now": NOW}
    match step:
        case "will_pay":
            return owed_rules.replied(obligation, "will_pay", **changes)
        case "contest":
            return owed_rules.replied(obligation, "contested", **changes)
        case "stand":
            return owed_rules.standing(obligation, today=obligation.stands_on)
        case "uphold":
            return owed_rules.upheld(obligation)
        case "give_up":
            return owed_rules.given_up(obligation)
        case _:
            by = {event: end for end, event in owed_rules.EVENT_OF_END.items()}[step]
            owed_rules.check_end(obligation, by)
            return None


@given(st.lists(OWED, max_size=10))
def test_what_is_contested_never_stands_unlooked_at(steps: list[str]) -> None:
    """Once contested, only a reviewer, or the citizen who takes it back, lets it go on."""
    obligation: Obligation | None = owed_of(order_of(10, 10))
    assert obligation is not None
    for step in steps:
        before = obligation
        after = tried(owed_stepped, before, step)
        if isinstance(after, str):
            assert after in {"obligation_state_conflict", "obligation_replied"}
            continue
        if before.state == Owed.CONTESTED:
            assert step in {"uphold", "give_up", "reject", "paid", "withdraw"}
        if after is None:
            return
        assert after.revision == before.revision + 1
        assert after.amount_fen == before.amount_fen
        obligation = after


def test_every_step_has_one_way_to_be_taken() -> None:
    """The tables name what the steps above do, and nothing more."""
    named = {step.event for step in ORDER_STEPS} - {"open"}
    assert named == {
        *("confirm", "start", "lower", "complete", "cancel", "decline", "leave", "expire"),
    }
    assert {step.event for step in OWED_STEPS} - {"announce"} == {
        *("will_pay", "contest", "stand", "uphold", "give_up", "reject", "paid", "withdraw"),
    }


def test_the_same_content_is_the_same_order() -> None:
    """What was asked for counts, not what was lowered since."""
    order = order_of(100, 100)
    lowered = rules.lowered(order, 50)
    rules.check_same(lowered, Asked("rental", "R-1", 100, False))
    for other in (
        Asked("transit", "R-1", 100, False),
        Asked("rental", "R-1", 50, False),
        Asked("rental", "R-1", 100, True),
    ):
        assert tried(rules.check_same, lowered, other) == "order_reference_taken"
