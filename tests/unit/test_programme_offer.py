"""Goal: a citizen reads where they stand and exactly what is missing; seats never go below none.

Method: the library programme of the city, decided on chosen facts, days and seats.
"""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest

from backend.kit.problem import Refusal
from backend.programme.rules.document import Programme
from backend.programme.rules.offer import (
    Enrolment,
    Offer,
    OfferState,
    Seats,
    Waiting,
    check_enrolment,
    decide_offer,
    helps_with,
    people_told,
)
from backend.programme.service import packaged_documents, packaged_vocabulary
from backend.score.rules.advice import Help

NOW = datetime(2026, 11, 20, 2, tzinfo=UTC)
DAY = date(2026, 11, 20)
LIBRARY = next(each for each in packaged_documents() if each.document.code == "library")
GOOD = {
    "score": 600,
    "indicator.library_overdue": 2,
    "indicator.library_returns": 3,
    "indicator.volunteer_hours": 0,
}
ENROLMENT = Enrolment(UUID(int=1), UUID(int=2), "library", 1, NOW)


def offer(programme: Programme = LIBRARY, **changes: Any) -> Offer:
    given: dict[str, Any] = {
        "is_ended": False,
        "facts": GOOD,
        "enrolment": None,
        "seats": Seats(10, 3),
        "day": DAY,
        "vocabulary": packaged_vocabulary(),
    }
    return decide_offer(programme, **{**given, **changes})


def ending(day: date) -> Programme:
    document = msgspec.structs.replace(LIBRARY.document, ends_on=day)
    return msgspec.structs.replace(LIBRARY, document=document)


def test_who_meets_the_rule_can_enrol() -> None:
    found = offer()
    assert (found.state, found.missing, found.seats_left) == (OfferState.AVAILABLE, [], 10)


@pytest.mark.parametrize(
    ("total", "taken", "left", "counted"),
    [
        (200_000, 0, 200_000, 0),
        (200_000, 1, 200_000, 0),
        (200_000, 19, 200_000, 0),
        (200_000, 20, 199_980, 20),
        (200_000, 39, 199_980, 20),
        (45, 44, 5, 40),
        (45, 45, 0, 45),  # that all are taken everybody is told
        (10, 3, 10, 0),
    ],
)
def test_how_many_are_enrolled_is_told_in_twenties(
    total: int, taken: int, left: int, counted: int
) -> None:
    """产品原则 12: nobody watches single citizens come and go by a number (k = 20)."""
    seats = Seats(total, taken)
    assert (offer(seats=seats).seats_left, seats.taken_told) == (left, counted)


def test_who_does_not_is_told_what_is_now_and_what_is_needed() -> None:
    found = offer(facts={**GOOD, "score": 580, "indicator.library_returns": 1})
    assert found.state is OfferState.NOT_YET
    lacks = [[(each.name_zh, each.current, each.needed) for each in g] for g in found.missing]
    assert lacks == [
        [("信用分", 580, 600)],
        [("图书按期归还", 1, 3), ("志愿服务时长", 0, 10)],
    ]
    assert [each.unit for group in found.missing for each in group] == ["points", "count", "count"]


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({"seats": Seats(10, 10)}, OfferState.SOLD_OUT),
        ({"facts": None}, OfferState.JOIN_FIRST),
        ({"facts": {}}, OfferState.NOT_YET),
        ({"is_ended": True}, OfferState.CLOSED),
        ({"day": date(2025, 12, 31)}, OfferState.CLOSED),
        ({"enrolment": ENROLMENT}, OfferState.ENROLLED),
        ({"enrolment": ENROLMENT, "is_ended": True}, OfferState.ENROLLED),
        ({"enrolment": ENROLMENT, "facts": {}}, OfferState.ENROLLED),
        ({"facts": {}, "seats": Seats(10, 10)}, OfferState.NOT_YET),
    ],
)
def test_every_standing_has_its_state(changes: dict[str, Any], state: OfferState) -> None:
    assert offer(**changes).state is state


def test_an_enrolled_citizen_who_fell_below_the_rule_reads_why() -> None:
    found = offer(enrolment=ENROLMENT, facts={**GOOD, "indicator.library_overdue": 3})
    assert found.state is OfferState.ENROLLED
    assert [each.fact for group in found.missing for each in group] == ["indicator.library_overdue"]


def test_the_last_day_counts_and_the_next_does_not() -> None:
    assert offer(ending(DAY)).state is OfferState.AVAILABLE
    assert offer(ending(DAY - timedelta(days=1))).state is OfferState.CLOSED


def test_oversold_seats_are_a_fault_of_the_program() -> None:
    assert Seats(3, 3).left == 0
    with pytest.raises(AssertionError, match="oversold"):
        _ = Seats(3, 4).left


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"is_ended": True}, "programme_closed"),
        ({"day": date(2025, 12, 31)}, "programme_closed"),
        ({"facts": None}, "participation_required"),
        ({"facts": {**GOOD, "score": 599}}, "not_eligible_yet"),
    ],
)
def test_who_may_not_enrol_is_refused_by_name(changes: dict[str, Any], code: str) -> None:
    given: dict[str, Any] = {
        "is_ended": False,
        "facts": GOOD,
        "day": DAY,
        "vocabulary": packaged_vocabulary(),
    }
    check_enrolment(LIBRARY, **given)
    with pytest.raises(Refusal) as refused:
        check_enrolment(LIBRARY, **{**given, **changes})
    assert refused.value.code == code


def test_the_refusal_says_what_is_missing() -> None:
    with pytest.raises(Refusal) as refused:
        check_enrolment(
            LIBRARY,
            is_ended=False,
            facts={**GOOD, "score": 599},
            day=DAY,
            vocabulary=packaged_vocabulary(),
        )
    assert refused.value.facts["missing"] == [
        {
            "one_of": [
                {
                    "fact": "score",
                    "name_zh": "信用分",
                    "name_en": "Score",
                    "unit": "points",
                    "comparison": "at_least",
                    "current": 599,
                    "needed": 600,
                }
            ]
        }
    ]


def help_with(indicator: str, dimension: str, gain_points: int) -> Help:
    return Help(indicator, dimension, gain_points, "", "", [], [])


HELPS = [
    help_with("tax_level", "economic", 40),
    help_with("volunteer_hours", "civic", 30),
    help_with("blood_donations", "civic", 20),
    help_with("library_returns", "performance", 10),
]


@pytest.mark.parametrize(
    ("facts", "told"),
    [
        ({**GOOD, "score": 1}, ["tax_level", "volunteer_hours", "blood_donations"]),
        ({**GOOD, "indicator.library_returns": 0}, ["volunteer_hours", "library_returns"]),
        (
            {**GOOD, "score": 1, "indicator.library_returns": 0},
            ["volunteer_hours", "library_returns", "tax_level"],
        ),
        ({**GOOD, "indicator.library_overdue": 3}, []),
        (GOOD, []),
    ],
)
def test_what_helps_is_about_what_is_missing_and_what_the_rule_asks_comes_first(
    facts: dict[str, int], told: list[str]
) -> None:
    found = helps_with(offer(facts=facts).missing, HELPS)
    assert [each.indicator for each in found] == told


def test_what_a_person_granted_lacks_nothing() -> None:
    granted = msgspec.structs.replace(ENROLMENT, granted_by_case_id=UUID(int=3))
    found = offer(enrolment=granted, facts={})
    assert (found.state, found.missing, found.can_ask) == (OfferState.ENROLLED, [], False)
    place = Waiting(UUID(int=4), "library", NOW, UUID(int=3), 0)
    found = offer(waiting=place, facts={}, seats=Seats(10, 10))
    assert (found.state, found.missing) == (OfferState.SOLD_OUT, [])
    found = offer(waiting=msgspec.structs.replace(place, granted_by_case_id=None), facts={})
    assert (found.state, found.can_ask) == (OfferState.NOT_YET, True)


@pytest.mark.parametrize(("people", "told"), [(0, 0), (19, 0), (20, 20), (45, 40)])
def test_people_are_told_in_whole_twenties(people: int, told: int) -> None:
    assert people_told(people) == told
