"""Cases: a person looks at what a machine said or a citizen contests, within a set time.

Who is decided about by a machine alone may ask for a person (个人信息保护法 art. 24). The day a
case is opened doesn't count (民法典 art. 201):

- not_yet: 15 working days, the longest that handling by a person may take by
  国信办秘字〔2019〕191号 part 6.
- obligation: 20 days, what credit registries have for objections (征信业管理条例 art. 25). They are
  plain days, so that nobody waits for a calendar to contest what a partner says of them.
"""

import unicodedata
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

import msgspec

from backend.calendar.rules import WorkCalendar
from backend.kit.problem import Refusal

TEXT_CHARACTERS_MAX = 1000
# 15 working days lie within this span, however long a holiday is.
CLOCK_SPAN = timedelta(days=60)
# What was decided or withdrawn is kept for the three years in which it can be gone to court about
# (民法典 art. 188), unless the citizen leaves before.
KEPT_FOR = timedelta(days=3 * 365 + 1)


class Kind(StrEnum):
    """What a case is about: `object` is a programme's code, or an obligation's id."""

    NOT_YET = "not_yet"
    OBLIGATION = "obligation"


class State(StrEnum):
    """Where a case stands."""

    OPEN = "open"
    DECIDED = "decided"
    WITHDRAWN = "withdrawn"


class Outcome(StrEnum):
    """What a person decided: it stays as it was, or it is changed in the citizen's favour."""

    UPHELD = "upheld"
    CHANGED = "changed"


NOT_YET_WORKING_DAYS: Final = 15
OBLIGATION_DAYS: Final = 20


class Case(msgspec.Struct, frozen=True):
    """A case as stored; what the citizen wrote is sealed, and None when there is nothing."""

    subject_id: UUID
    case_id: UUID
    kind: str
    object: str
    text_sealed: bytes | None
    state: str
    opened_at: datetime
    due_on: date
    taken_by: str | None
    outcome: str | None
    answer_zh: str | None
    answer_en: str | None
    decided_by: str | None
    decided_at: datetime | None


class Answer(msgspec.Struct, frozen=True):
    """What a person answers the citizen, in both languages."""

    outcome: Outcome
    zh: str
    en: str


def due_on(kind: Kind, *, opened_on: date, calendar: WorkCalendar) -> date:
    """Return the last day on which a case has to be decided; Refusal calendar_unknown (not_yet)."""
    if kind is Kind.OBLIGATION:
        return opened_on + timedelta(days=OBLIGATION_DAYS)
    due = calendar.add_working_days(opened_on, NOT_YET_WORKING_DAYS)
    assert opened_on < due <= opened_on + CLOCK_SPAN, "a clock runs forward and ends"
    return due


def is_overdue(case: Case, today: date) -> bool:
    """Say whether an open case should have been decided by now."""
    return case.state == State.OPEN and today > case.due_on


def days_overdue(case: Case, today: date) -> int:
    """Return by how many days an open case is late; 0 when it isn't."""
    return (today - case.due_on).days if is_overdue(case, today) else 0


def parse_text(text: str, *, member: str = "text", may_be_empty: bool = True) -> str:
    """Return words as they are kept: composed, without what can't be seen but new lines.

    Raises Refusal case_text_invalid.
    """
    clean = unicodedata.normalize("NFC", text.replace("\r\n", "\n")).strip()
    if not clean and not may_be_empty:
        raise Refusal("case_text_invalid", member=member, most=TEXT_CHARACTERS_MAX)
    if len(clean) > TEXT_CHARACTERS_MAX or any(
        unicodedata.category(char).startswith("C") for char in clean.replace("\n", "")
    ):
        raise Refusal("case_text_invalid", member=member, most=TEXT_CHARACTERS_MAX)
    return clean


def answer_of(outcome: Outcome, *, zh: str, en: str) -> Answer:
    """Return an answer that says why, in both languages; raises Refusal case_text_invalid."""
    return Answer(
        outcome,
        parse_text(zh, member="answer_zh", may_be_empty=False),
        parse_text(en, member="answer_en", may_be_empty=False),
    )


def seal_place(subject_id: UUID, case_id: UUID) -> str:
    """Return the place to which the seal of a case's text is bound."""
    return f"review_case|text_sealed|{subject_id}|{case_id}"
