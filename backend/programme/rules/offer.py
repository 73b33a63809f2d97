"""What a citizen can get: yes, or not yet and what is missing; and the seats that bound it."""

from collections.abc import Sequence
from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import msgspec

from backend.kit.problem import Refusal
from backend.programme.rules.document import Document, Programme
from backend.programme.rules.fact import Unit, Vocabulary
from backend.programme.rules.rule import Comparison, Facts, Step, evaluate

# Numbers about people are told so that nobody's coming or going can be read off them.
PEOPLE_TOLD_IN = 20


class OfferState(StrEnum):
    """Where a citizen stands with a programme."""

    AVAILABLE = "available"
    ENROLLED = "enrolled"
    NOT_YET = "not_yet"
    SOLD_OUT = "sold_out"
    JOIN_FIRST = "join_first"
    CLOSED = "closed"


class Enrolment(msgspec.Struct, frozen=True):
    """A citizen's place in a programme, on the terms of the version it was made under."""

    subject_id: UUID
    enrolment_id: UUID
    programme_code: str
    programme_version: int
    enrolled_at: datetime


class Seats(msgspec.Struct, frozen=True):
    """How many can be enrolled at the same time, and how many are."""

    total: int
    taken: int

    @property
    def left(self) -> int:
        """How many places are free."""
        assert 0 <= self.taken <= self.total, "seats can't be oversold"
        return self.total - self.taken

    @property
    def taken_told(self) -> int:
        """How many are enrolled, as others may know it: whole twenties, or all."""
        if self.left == 0:
            return self.total
        return self.taken // PEOPLE_TOLD_IN * PEOPLE_TOLD_IN

    @property
    def left_told(self) -> int:
        """How many places are free, by what may be known of those enrolled; 0 when none is."""
        return self.total - self.taken_told


class Lack(msgspec.Struct, frozen=True):
    """One condition that is not met: what it is now and what is needed, in words for a citizen.

    `current` is None when nothing is known about the fact.
    """

    fact: str
    name_zh: str
    name_en: str
    unit: Unit
    comparison: Comparison
    current: int | None
    needed: int


class Offer(msgspec.Struct, frozen=True):
    """A programme as one citizen sees it.

    `missing` holds groups; of each group, one condition met would be enough. It is also filled
    for an enrolled citizen who fell below the rule: a partner then gets no yes. `seats_left` is
    what may be told: the others' comings and goings show in twenties only.
    """

    programme: Programme
    state: OfferState
    missing: list[list[Lack]]
    seats_left: int
    enrolment: Enrolment | None


def decide_offer(
    programme: Programme,
    *,
    is_ended: bool,
    facts: Facts | None,
    enrolment: Enrolment | None,
    seats: Seats,
    day: date,
    vocabulary: Vocabulary,
) -> Offer:
    """Say where a citizen stands; `facts` is None for one who does not take part.

    `programme` is the version the citizen is enrolled under, else the one in force.
    """
    missing = [] if facts is None else lacks_of(programme, facts, vocabulary)
    is_open = not is_ended and programme.document.is_open_on(day)
    if enrolment is not None:
        state = OfferState.ENROLLED
    elif not is_open:
        state = OfferState.CLOSED
    elif facts is None:
        state = OfferState.JOIN_FIRST
    elif missing:
        state = OfferState.NOT_YET
    else:
        state = OfferState.AVAILABLE if seats.left > 0 else OfferState.SOLD_OUT
    return Offer(programme, state, missing, seats.left_told, enrolment)


def check_enrolment(
    programme: Programme,
    *,
    is_ended: bool,
    facts: Facts | None,
    day: date,
    vocabulary: Vocabulary,
) -> None:
    """Check that a citizen may enrol, seats apart.

    Raises Refusal programme_closed, participation_required, not_eligible_yet (missing).
    """
    if is_ended or not programme.document.is_open_on(day):
        raise Refusal("programme_closed")
    if facts is None:
        raise Refusal("participation_required")
    missing = lacks_of(programme, facts, vocabulary)
    if missing:
        shown: list[list[dict[str, Any]]] = msgspec.to_builtins(missing)
        raise Refusal("not_eligible_yet", missing=[{"one_of": group} for group in shown])


def check_exclusion(document: Document, running: Sequence[Document]) -> None:
    """Check that what a citizen is enrolled in leaves room for a programme.

    Raises Refusal already_enrolled, enrolment_excluded (programme: the one to leave first).
    """
    for other in running:
        if other.code == document.code:
            raise Refusal("already_enrolled")
    for other in running:
        if document.excludes(other):
            raise Refusal("enrolment_excluded", programme=other.code)


def lacks_of(programme: Programme, facts: Facts, vocabulary: Vocabulary) -> list[list[Lack]]:
    """Return what is missing to a citizen, group by group; empty when nothing is."""
    trace = evaluate(programme.rule, facts)
    return [[_lack(step, vocabulary) for step in clause] for clause in trace.missing]


def _lack(step: Step, vocabulary: Vocabulary) -> Lack:
    # An enrolment's old version may ask about a fact that the scorecard in force has dropped.
    fact = vocabulary.get(step.fact)
    return Lack(
        fact=step.fact,
        name_zh=fact.name_zh if fact else step.fact,
        name_en=fact.name_en if fact else step.fact,
        unit=fact.unit if fact else Unit.COUNT,
        comparison=step.comparison,
        current=step.value,
        needed=step.bound,
    )
