"""Goal: whether a line came in time is said by the working days of its class, and never guessed.

Method: lines around Spring Festival 2026 by the library's calendar; gaps no calendar reaches; the
worked example of docs/quality.md, whose numbers are read from its text.
"""

import re
from datetime import date
from itertools import groupby

import pytest

from backend.calendar.rules import WorkCalendar
from backend.calendar.service import packaged_days
from backend.record.rules.quality import (
    DAYS_OFF_MAX,
    FORMULA,
    WEIGHTS,
    MonthCounts,
    clock_starts_on,
    is_late,
    measure,
)
from backend.record.service import packaged_catalogue
from tests.conftest import ROOT

DAYS = packaged_days()
CALENDAR = WorkCalendar(DAYS)
DOCUMENT = (ROOT / "docs" / "quality.md").read_text("utf-8")


@pytest.mark.parametrize(
    ("received_on", "late"),
    [
        (date(2026, 2, 13), False),  # the day itself
        (date(2026, 2, 14), False),  # a Saturday that is worked: the first working day
        (date(2026, 3, 1), False),  # a Sunday, after the sixth
        (date(2026, 3, 2), False),  # the seventh
        (date(2026, 3, 3), True),
    ],
)
def test_a_decision_of_friday_13_february_is_due_on_the_seventh_working_day(
    received_on: date, late: bool
) -> None:
    starts_on = date(2026, 2, 13)
    assert is_late(CALENDAR, starts_on=starts_on, received_on=received_on, within=7) is late


def test_a_day_off_after_the_last_working_day_is_late() -> None:
    # Seven working days from Tuesday 2 June 2026 end on Thursday the 11th.
    ask = {"starts_on": date(2026, 6, 2), "within": 7}
    assert is_late(CALENDAR, received_on=date(2026, 6, 11), **ask) is False
    assert is_late(CALENDAR, received_on=date(2026, 6, 13), **ask) is True


def test_where_the_calendar_does_not_reach_timing_is_unknown() -> None:
    ask = {"received_on": date(2004, 1, 20), "within": 20}
    assert is_late(CALENDAR, starts_on=date(2003, 12, 10), **ask) is None
    assert is_late(CALENDAR, starts_on=date(2003, 12, 31), **ask) is False
    assert is_late(WorkCalendar([]), starts_on=date(2026, 1, 1), **ask | {"within": 7}) is False


def test_a_gap_no_calendar_explains_is_late_without_one() -> None:
    ask = {"starts_on": date(1990, 1, 1), "within": 7}
    assert is_late(WorkCalendar([]), received_on=date(2026, 1, 1), **ask) is True
    longest = 7 * (DAYS_OFF_MAX + 1)
    edge = date.fromordinal(date(1990, 1, 1).toordinal() + longest)
    assert is_late(WorkCalendar([]), received_on=edge, **ask) is None
    assert is_late(WorkCalendar([]), received_on=date.fromordinal(edge.toordinal() + 1), **ask)


def test_no_time_off_since_2004_was_as_long_as_the_bound() -> None:
    runs = [len(list(run)) for off, run in groupby(DAYS, lambda day: not day.is_working) if off]
    assert max(runs) == 10
    assert max(runs) < DAYS_OFF_MAX


def test_an_adverse_class_counts_from_the_decision_and_others_from_what_is_reported_last() -> None:
    classes = packaged_catalogue().classes.values()
    adverse = next(each for each in classes if each.is_adverse)
    lasting = next(each for each in classes if each.is_lasting)
    early, late = date(2025, 3, 1), date(2026, 5, 1)
    assert clock_starts_on(adverse, occurred_on=late, ended_on=early) == late
    assert clock_starts_on(lasting, occurred_on=early, ended_on=None) == early
    assert clock_starts_on(lasting, occurred_on=early, ended_on=late) == late


def test_each_class_of_the_model_has_a_clock_so_that_no_source_goes_unmeasured() -> None:
    assert all(each.report_within_working_days for each in packaged_catalogue().classes.values())


def counts_of(**given: int) -> MonthCounts:
    """Make counts of which only some are not zero."""
    zero = dict.fromkeys(
        ("accepted", "rejected", "incomplete", "duplicates", "corrections", "withdrawals"), 0
    )
    return MonthCounts(
        source_code="city_library",
        class_code="library_return",
        month=date(2026, 11, 1),
        **zero | {"repairs": 0, "timed": 0, "late": 0} | given,
    )


def test_without_lines_there_is_no_mark() -> None:
    assert measure(counts_of()).mark is None


def test_unknown_timing_leaves_its_weight_to_the_others() -> None:
    known = measure(counts_of(accepted=8, rejected=2, timed=8))
    unknown = measure(counts_of(accepted=8, rejected=2))
    assert known.shares.timeliness == 1000
    assert unknown.shares.timeliness is None
    # 20 + 30 x 0.8 + 30 + 10 + 10 of 100, and 20 + 30 x 0.8 + 10 + 10 of 70.
    assert (known.mark, unknown.mark) == (94, 91)


def test_the_worked_example_of_the_document_is_what_the_code_says() -> None:
    example = DOCUMENT.split("<!-- example -->")[1].split("<!-- /example -->")[0]
    given = {name: int(number) for name, number in re.findall(r"`(\w+)` \| (\d+) \|", example)}
    lines = given.pop("lines")
    counts = counts_of(**given)
    assert counts.lines == lines
    quality = measure(counts)
    rows = re.findall(r"\| (\w+) \| [^|]+ \| (\d+) ‰ \| (\d+) \| (\d+) \|", example)
    assert [name for name, *_ in rows] == list(WEIGHTS)
    for name, share, weight, product in rows:
        assert getattr(quality.shares, name) == int(share)
        assert WEIGHTS[name] == int(weight)
        assert int(share) * int(weight) == int(product)
    total, mark = re.findall(r"sum is (\d+).*?mark is \*\*(\d+)\*\*", example, re.DOTALL)[0]
    assert sum(int(product) for *_, product in rows) == int(total)
    assert quality.mark == int(mark)
    assert f"formula {FORMULA}" in DOCUMENT
