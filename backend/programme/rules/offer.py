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
from backend.score.rules.advice import HELPS_MAX, Help

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
    """A citizen's place in a programme, on the terms of the version it was made under.

    With `granted_by_case_id`, a person let the rule count as met.
    """

    subject_id: UUID
    enrolment_id: UUID
    programme_code: str
    programme_version: int
    enrolled_at: datetime
    granted_by_case_id: UUID | None = None


class Waiting(msgspec.Struct, frozen=True):
    """A citizen's place in the queue for a seat; how many are ahead, as it may be told.

    `people_ahead_told` is None where nobody counted.
    """

    waiting_id: UUID
    programme_code: str
    since: datetime
    granted_by_case_id: UUID | None
    people_ahead_told: int | None


def people_told(count: int) -> int:
    """Return a number of people as others may know it: whole twenties, the rest left out."""
    assert count >= 0, "nobody is fewer than none"
    return count // PEOPLE_TOLD_IN * PEOPLE_TOLD_IN


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
        return people_told(self.taken)

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
    what may be told: the others' comings and goings show in twenties only. What a person granted
    lacks nothing.
    """

    programme: Programme
    state: OfferState
    missing: list[list[Lack]]
    seats_left: int
    enrolment: Enrolment | None
    waiting: Waiting | None
    helps: list[Help] = []

    @property
    def can_ask(self) -> bool:
        """Whether a person can be asked to look at what is missing."""
        return bool(self.missing) and self.state is not OfferState.CLOSED


def decide_offer(
    programme: Programme,
    *,
    is_ended: bool,
    facts: Facts | None,
    enrolment: Enrolment | None,
    seats: Seats,
    day: date,
    vocabulary: Vocabulary,
    waiting: Waiting | None = None,
) -> Offer:
    """Say where a citizen stands; `facts` is None for one who does not take part.

    `programme` is the version the citizen is enrolled under, else the one in force.
    """
    is_granted = any(each and each.granted_by_case_id for each in (enrolment, waiting))
    missing = [] if facts is None or is_granted else lacks_of(programme, facts, vocabulary)
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
    return Offer(programme, state, missing, seats.left_told, enrolment, waiting)


def helps_with(missing: Sequence[Sequence[Lack]], helps: Sequence[Help]) -> list[Help]:
    """Return what helps with what is missing, of all that a citizen can do; the most first.

    A score is helped by everything, a dimension by what counts in it, an indicator by itself.
    """
    facts = {lack.fact for group in missing for lack in group}
    found = [
        each
        for each in helps
        if facts & {"score", f"dimension.{each.dimension}", f"indicator.{each.indicator}"}
    ]
    # What the rule itself asks about comes first: points alone may not be enough.
    found.sort(key=lambda each: f"indicator.{each.indicator}" not in facts)
    return found[:HELPS_MAX]


def check_enrolment(
    programme: Programme,
    *,
    is_ended: bool,
    facts: Facts | None,
    day: date,
    vocabulary: Vocabulary,
    is_granted: bool = False,
) -> None:
    """Check that a citizen may enrol, seats apart; what a person granted needs no rule.

    Raises Refusal programme_closed, participation_required, not_eligible_yet (missing).
    """
    if is_ended or not programme.document.is_open_on(day):
        raise Refusal("programme_closed")
    if facts is None:
        raise Refusal("participation_required")
    missing = [] if is_granted else lacks_of(programme, facts, vocabulary)
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
