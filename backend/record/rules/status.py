"""What state a record is in, as people see it, and which steps lead from one state to another.

One table: `status_of` reads a state off a record by its signs, `next_status` refuses what the
table does not hold, and the table in docs/record-life.md is compared with it.
"""

from collections.abc import Callable
from datetime import date
from enum import StrEnum
from typing import NamedTuple

from backend.kit.problem import Refusal
from backend.record.rules.life import Record, RecordVersion
from backend.record.rules.personal import holds_personal_number

REASON_CHARACTERS_MAX = 200
ACTOR_CHARACTERS_MAX = 64


class Status(StrEnum):
    """Where a version of a record stands; the highest version stands for the record."""

    STANDING = "standing"
    DISPUTED = "disputed"
    REPAIRED = "repaired"
    ENDED = "ended"
    SUPERSEDED = "superseded"
    WITHDRAWN = "withdrawn"


class Step(StrEnum):
    """What can happen to a version: by a decision, by its source, or by time."""

    DISPUTE = "dispute"
    CONFIRM = "confirm"
    REPAIR = "repair"
    SUPERSEDE = "supersede"
    WITHDRAW = "withdraw"
    END = "end"


class Words(NamedTuple):
    """A phrase for people, in both languages."""

    zh: str
    en: str


# Disputes and repairs are taken by verbs (`service.life`); the source's steps come with higher
# versions, and time takes its own.
STEPS: dict[tuple[Status, Step], Status] = {
    (Status.STANDING, Step.DISPUTE): Status.DISPUTED,
    (Status.STANDING, Step.REPAIR): Status.REPAIRED,
    (Status.STANDING, Step.SUPERSEDE): Status.SUPERSEDED,
    (Status.STANDING, Step.WITHDRAW): Status.WITHDRAWN,
    (Status.STANDING, Step.END): Status.ENDED,
    (Status.DISPUTED, Step.CONFIRM): Status.STANDING,
    (Status.DISPUTED, Step.REPAIR): Status.REPAIRED,
    (Status.DISPUTED, Step.SUPERSEDE): Status.SUPERSEDED,
    (Status.DISPUTED, Step.WITHDRAW): Status.WITHDRAWN,
    (Status.DISPUTED, Step.END): Status.ENDED,
    (Status.REPAIRED, Step.SUPERSEDE): Status.SUPERSEDED,
    (Status.REPAIRED, Step.WITHDRAW): Status.WITHDRAWN,
    (Status.REPAIRED, Step.END): Status.ENDED,
    (Status.ENDED, Step.SUPERSEDE): Status.SUPERSEDED,
    (Status.ENDED, Step.WITHDRAW): Status.WITHDRAWN,
}

# Why a record does not count, for the citizen; a standing one may lie in the future.
WHY_NOT: dict[Status, Words] = {
    Status.STANDING: Words("所载日期尚未到来", "Its day has not come yet."),
    Status.DISPUTED: Words(
        "已提出异议，核查期间不计入信用分",
        "It is disputed: it does not count while it is looked at.",
    ),
    Status.REPAIRED: Words(
        "已完成信用修复，不再计入信用分", "It was repaired: it no longer counts."
    ),
    Status.ENDED: Words(
        "已满公示期或保存期，不再计入信用分", "Its time is over: it no longer counts."
    ),
    Status.SUPERSEDED: Words("信源单位已更正", "Its source has corrected it."),
    Status.WITHDRAWN: Words("信源单位已撤回", "Its source has withdrawn it."),
}


def _is_withdrawn(record: Record, _: date) -> bool:
    return isinstance(record, RecordVersion) and record.action == "withdraw"


def _is_superseded(record: Record, _: date) -> bool:
    return isinstance(record, RecordVersion) and record.superseded_at is not None


def _has_ended(record: Record, as_of: date) -> bool:
    return record.ends_on is not None and record.ends_on <= as_of


# The first sign that holds names the state: what the source says goes before what time does, and
# time goes before what was decided, because nothing can be decided about what is over.
_SIGNS: tuple[tuple[Status, Callable[[Record, date], bool]], ...] = (
    (Status.WITHDRAWN, _is_withdrawn),
    (Status.SUPERSEDED, _is_superseded),
    (Status.ENDED, _has_ended),
    (Status.REPAIRED, lambda record, _: record.repaired_at is not None),
    (Status.DISPUTED, lambda record, _: record.disputed_at is not None),
)


def status_of(record: Record, as_of: date) -> Status:
    """Return the state of a version on a day; a plain `Record` is a current one."""
    found = (status for status, holds in _SIGNS if holds(record, as_of))
    return next(found, Status.STANDING)


def next_status(status: Status, step: Step) -> Status:
    """Return where a step leads; raises Refusal record_step_impossible with both."""
    after = STEPS.get((status, step))
    if after is None:
        raise Refusal("record_step_impossible", status=status.value, step=step.value)
    return after


def why_not(record: Record, as_of: date) -> Words | None:
    """Return why a record does not count on a day, None when it does."""
    status = status_of(record, as_of)
    if status is Status.STANDING and record.occurred_on <= as_of:
        return None
    return WHY_NOT[status]


def check_words(*, actor: str, reason: str) -> None:
    """Hold who acts and why to what may be kept and shown; raises Refusal record_words_invalid."""
    for member, text, most in (
        ("actor", actor, ACTOR_CHARACTERS_MAX),
        ("reason", reason, REASON_CHARACTERS_MAX),
    ):
        # A reason is shown to the citizen and kept in the clear.
        is_plain = text.isprintable() and not holds_personal_number(text)
        if not 1 <= len(text.strip()) <= most or not is_plain:
            raise Refusal("record_words_invalid", member=member, most=most)
