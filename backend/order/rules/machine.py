"""The life of an order, and of what is still owed after it, as data.

Everything that says which states there are and what leads from one to the next is made from the
tables here: the decisions in `order` and `obligation`, the values the interface names, and the
tables and the picture in docs/service-orders.md, which a contract test writes again and compares.
"""

from collections.abc import Iterator, Sequence
from enum import StrEnum

import msgspec

from backend.kit.problem import Refusal


class State(StrEnum):
    """Where an order stands."""

    CREATED = "created"
    ACTIVE = "active"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


class Owed(StrEnum):
    """Where an obligation stands; one that ended is gone, and has no state."""

    ANNOUNCED = "announced"
    CONTESTED = "contested"
    STANDING = "standing"


class Who(StrEnum):
    """Who sets a step off."""

    PARTNER = "partner"
    CITIZEN = "citizen"
    CONSENT = "consent"
    TIME = "time"
    REVIEWER = "reviewer"


class Step(msgspec.Struct, frozen=True):
    """One thing that can happen.

    `sources` are the states it can happen in, none when it begins something; `target` is the state
    it leads to, None when nothing is left. `topic` is what the partner is told, `notice` what the
    citizen is told.
    """

    event: str
    by: Who
    sources: tuple[str, ...]
    target: str | None
    guard: str
    topic: str | None = None
    notice: str | None = None


_OPEN = (State.CREATED, State.ACTIVE)

ORDER_STEPS: tuple[Step, ...] = (
    Step(
        *("open", Who.PARTNER, (), State.CREATED),
        "the benefit is open to the citizen; cap, exposure and budget leave room for a credit part",
        topic="order.created",
        notice="order.to_confirm",
    ),
    Step(
        *("confirm", Who.CITIZEN, (State.CREATED,), State.ACTIVE),
        "before `confirm_by`",
        topic="order.activated",
        notice="order.activated",
    ),
    Step(
        *("start", Who.CONSENT, (State.CREATED,), State.ACTIVE),
        "programme and consent both say that no order needs to be confirmed; at once with `open`",
        topic="order.activated",
        notice="order.activated",
    ),
    Step(
        *("lower", Who.PARTNER, _OPEN, "="),
        "the new amount is less than the old one",
        topic="order.amount_lowered",
    ),
    Step(
        *("complete", Who.PARTNER, (State.ACTIVE,), State.COMPLETED),
        "what credit stood for in the end is no more than the credit part",
        topic="order.completed",
        notice="order.completed",
    ),
    Step(
        *("cancel", Who.PARTNER, _OPEN, State.CANCELLED),
        "",
        topic="order.cancelled",
        notice="order.cancelled",
    ),
    Step(
        *("decline", Who.CITIZEN, (State.CREATED,), State.CANCELLED),
        "",
        topic="order.cancelled",
    ),
    Step(
        *("leave", Who.CITIZEN, (State.CREATED,), State.CANCELLED),
        "the citizen stops taking part",
        topic="order.cancelled",
    ),
    Step(
        *("expire", Who.TIME, (State.CREATED,), State.EXPIRED),
        "from `confirm_by` on, 30 days after it was opened",
        topic="order.expired",
        notice="order.expired",
    ),
)

OWED_STEPS: tuple[Step, ...] = (
    Step(
        *("announce", Who.PARTNER, (), Owed.ANNOUNCED),
        "the order is completed, nothing was said of its performance yet, and the amount is no"
        " more than its credit part",
        topic="obligation.announced",
        notice="obligation.announced",
    ),
    Step(
        *("will_pay", Who.CITIZEN, (Owed.ANNOUNCED,), "="),
        "once",
        topic="obligation.replied",
    ),
    Step(
        *("contest", Who.CITIZEN, (Owed.ANNOUNCED, Owed.STANDING), Owed.CONTESTED),
        "once; a case is opened",
        topic="obligation.replied",
    ),
    Step(
        *("stand", Who.TIME, (Owed.ANNOUNCED,), Owed.STANDING),
        "from `stands_on` on, after the waiting period in working days",
        topic="obligation.standing",
        notice="obligation.standing",
    ),
    Step(
        *("uphold", Who.REVIEWER, (Owed.CONTESTED,), Owed.STANDING),
        "the case was decided against the citizen",
        topic="obligation.standing",
        notice="obligation.standing",
    ),
    Step(
        *("give_up", Who.CITIZEN, (Owed.CONTESTED,), Owed.ANNOUNCED),
        "the citizen takes the case back; the day it stands on is the old one",
    ),
    Step(
        *("reject", Who.REVIEWER, (Owed.CONTESTED,), None),
        "the case was decided for the citizen",
        topic="obligation.ended",
        notice="obligation.ended",
    ),
    Step(
        *("paid", Who.PARTNER, tuple(Owed), None),
        "",
        topic="obligation.ended",
        notice="obligation.ended",
    ),
    Step(
        *("withdraw", Who.PARTNER, tuple(Owed), None),
        "",
        topic="obligation.ended",
        notice="obligation.ended",
    ),
)

_ORDER = {step.event: step for step in ORDER_STEPS}
_OWED = {step.event: step for step in OWED_STEPS}
assert len(_ORDER) == len(ORDER_STEPS), "an event of an order is one step"
assert len(_OWED) == len(OWED_STEPS), "an event of an obligation is one step"


def order_step(event: str) -> Step:
    """Return what an event does to an order."""
    return _ORDER[event]


def owed_step(event: str) -> Step:
    """Return what an event does to an obligation."""
    return _OWED[event]


def next_state(state: str, event: str) -> State:
    """Return the state of an order after an event; raises Refusal order_state_conflict."""
    step = _ORDER[event]
    if state not in step.sources:
        raise Refusal("order_state_conflict", state=str(state))
    return State(state if step.target == "=" else str(step.target))


def next_owed(state: str, event: str) -> Owed | None:
    """Return the state of an obligation after an event, None when it is gone.

    Raises Refusal obligation_state_conflict.
    """
    step = _OWED[event]
    if state not in step.sources:
        raise Refusal("obligation_state_conflict", state=str(state))
    if step.target is None:
        return None
    return Owed(state if step.target == "=" else step.target)


def is_over(state: str) -> bool:
    """Say whether nothing can happen to an order any more."""
    return not any(state in step.sources for step in ORDER_STEPS)


def table_of(steps: Sequence[Step]) -> Iterator[str]:
    """Write steps as a table."""
    yield "| event | by | from | to | only if | partner is told | citizen is told |"
    yield "|---|---|---|---|---|---|---|"
    for step in steps:
        sources = ", ".join(f"`{each}`" for each in step.sources) or "(nothing)"
        if step.target is None:
            target = "(gone)"
        else:
            target = "(the same)" if step.target == "=" else f"`{step.target}`"
        told = (f"`{each}`" if each else "" for each in (step.topic, step.notice))
        cells = (f"`{step.event}`", step.by.value, sources, target, step.guard, *told)
        yield f"| {' | '.join(cells)} |"


def picture_of(steps: Sequence[Step]) -> Iterator[str]:
    """Draw steps as lines of text, a source and a target a line, with all that leads there."""
    arrows: dict[tuple[str, str], list[str]] = {}
    for step in steps:
        for source in step.sources or ("(nothing)",):
            target = source if step.target == "=" else step.target or "(gone)"
            arrows.setdefault((source, target), []).append(step.event)
    width = max(len(source) for source, _ in arrows)
    longest = max(len(" | ".join(events)) for events in arrows.values())
    for (source, target), events in arrows.items():
        label = f" {' | '.join(events)} "
        yield f"{source:<{width}} --{label:-<{longest + 2}}--> {target}"
