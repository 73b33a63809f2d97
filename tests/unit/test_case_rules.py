"""Goal: the clock of a case counts the working days of the State Council's calendar, or plain days
where the law has those; it ends on the last of them, and is late from the day after on; words are
kept as they can be shown.

Method: the rules alone, on the calendar of 2026 as the library brings it.
"""

from datetime import UTC, date, datetime, timedelta
from uuid import uuid4

import pytest

from backend.calendar.rules import WorkCalendar, WorkDay
from backend.calendar.service import packaged_days
from backend.case.rules import (
    TEXT_CHARACTERS_MAX,
    Case,
    Kind,
    Outcome,
    answer_of,
    days_overdue,
    due_on,
    is_overdue,
    parse_text,
)
from backend.kit.problem import Refusal

CALENDAR = WorkCalendar(packaged_days())


@pytest.mark.parametrize(
    ("kind", "opened", "due"),
    [
        # 20 November is a Friday; the day itself doesn't count.
        (Kind.NOT_YET, date(2026, 11, 20), date(2026, 12, 11)),
        (Kind.OBLIGATION, date(2026, 11, 20), date(2026, 12, 10)),
        # Opened on a Saturday: the Monday after is the first day.
        (Kind.NOT_YET, date(2026, 11, 21), date(2026, 12, 11)),
        # 25 September and 1 to 7 October are free, 20 September and 10 October are worked.
        (Kind.NOT_YET, date(2026, 9, 18), date(2026, 10, 15)),
    ],
)
def test_the_clock_counts_the_days_of_its_kind(kind: Kind, opened: date, due: date) -> None:
    found = due_on(kind, opened_on=opened, calendar=CALENDAR)
    assert found == due


def test_every_clock_ends_within_the_span_that_is_read() -> None:
    """Whatever day of the known years a case is opened on."""
    day, last = date(2010, 1, 1), date(2026, 10, 15)
    while day < last:
        for kind in Kind:
            due_on(kind, opened_on=day, calendar=CALENDAR)  # asserts that it lies within
        day += timedelta(days=1)


def test_an_unknown_day_is_not_guessed() -> None:
    short = WorkCalendar([WorkDay(date(2026, 11, 20), is_working=True)])
    with pytest.raises(Refusal) as refused:
        due_on(Kind.NOT_YET, opened_on=date(2026, 11, 20), calendar=short)
    assert refused.value.code == "calendar_unknown"


def test_contesting_needs_no_calendar() -> None:
    """征信业管理条例 art. 25: 20 days; the right to reply doesn't end where the calendar does."""
    due = due_on(Kind.OBLIGATION, opened_on=date(2026, 12, 20), calendar=WorkCalendar([]))
    assert due == date(2027, 1, 9)


def case_due(on: date, state: str = "open") -> Case:
    moment = datetime(2026, 11, 1, tzinfo=UTC)
    return Case(uuid4(), uuid4(), "not_yet", "library", None, state, moment, on, *([None] * 6))


@pytest.mark.parametrize(
    ("today", "state", "days"),
    [
        (date(2026, 12, 10), "open", 0),
        (date(2026, 12, 11), "open", 0),
        (date(2026, 12, 12), "open", 1),
        (date(2026, 12, 31), "open", 20),
        (date(2026, 12, 31), "decided", 0),
        (date(2026, 12, 31), "withdrawn", 0),
    ],
)
def test_late_is_what_is_open_after_its_day(today: date, state: str, days: int) -> None:
    case = case_due(date(2026, 12, 11), state)
    assert days_overdue(case, today) == days
    assert is_overdue(case, today) == (days > 0)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("", ""),
        ("  请复核。 ", "请复核。"),
        ("one\r\ntwo", "one\ntwo"),
        ("e\u0301", "é"),
        ("字" * TEXT_CHARACTERS_MAX, "字" * TEXT_CHARACTERS_MAX),
    ],
)
def test_words_are_kept_composed(text: str, kept: str) -> None:
    assert parse_text(text) == kept


@pytest.mark.parametrize("text", ["字" * (TEXT_CHARACTERS_MAX + 1), "a\0b", "a\x1bb", "a\u202eb"])
def test_words_that_can_not_be_shown_are_refused(text: str) -> None:
    with pytest.raises(Refusal) as refused:
        parse_text(text)
    assert refused.value.code == "case_text_invalid"


@pytest.mark.parametrize(("zh", "en", "member"), [(" ", "x", "answer_zh"), ("好", "", "answer_en")])
def test_an_answer_says_why_in_both_languages(zh: str, en: str, member: str) -> None:
    with pytest.raises(Refusal) as refused:
        answer_of(Outcome.UPHELD, zh=zh, en=en)
    assert refused.value.facts["member"] == member
