"""Goal: working days are those of the State Council's calendar, and an unknown day is refused.

Method: the years the library brings, looked at around Spring Festival 2026 and at the edges of
years; counting by hand day by day as the oracle of the prefix sums; files with every fault.
"""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.calendar.rules import (
    FILE_BYTES_MAX,
    DayCount,
    WorkCalendar,
    WorkDay,
    check_years,
    read_days,
)
from backend.calendar.service import packaged_days
from backend.kit.problem import Refusal

DAYS = packaged_days()
CALENDAR = WorkCalendar(DAYS)
OF_2026 = [each for each in DAYS if each.day.year == 2026]
HEADER = "day,is_working\n"


def text_of(days: list[WorkDay]) -> str:
    """Write days as the file an operator imports."""
    return HEADER + "".join(f"{each.day},{int(each.is_working)}\n" for each in days)


def faults_of(content: bytes) -> list[str]:
    """Return what is wrong with a file."""
    with pytest.raises(Refusal) as refused:
        read_days(content)
    assert refused.value.code == "calendar_invalid"
    faults = refused.value.facts["faults"]
    assert isinstance(faults, list)
    return faults


def unknown_day_of(refused: pytest.ExceptionInfo[Refusal]) -> object:
    """Return the day a refusal names."""
    assert refused.value.code == "calendar_unknown"
    return refused.value.facts["day"]


def working_days_after(day: date, last: date) -> DayCount:
    """Count the days after a day up to and including the last."""
    return CALENDAR.count(day + timedelta(days=1), last)


def test_the_library_brings_whole_years_from_2004_to_2026() -> None:
    assert (DAYS[0].day, DAYS[-1].day) == (date(2004, 1, 1), date(2026, 12, 31))
    assert len(DAYS) == (date(2026, 12, 31) - date(2004, 1, 1)).days + 1


def test_around_spring_festival_2026_weekends_are_worked_and_weekdays_are_not() -> None:
    # 国办发明电〔2025〕7号: off 15 to 23 February, worked on the 14th and the 28th (Saturdays).
    for day in (date(2026, 2, 14), date(2026, 2, 28)):
        assert CALENDAR.count(day, day) == DayCount(working=1, unknown=0)
    off = CALENDAR.count(date(2026, 2, 15), date(2026, 2, 23))
    assert off == DayCount(working=0, unknown=0)
    # From Friday the 13th: Saturday 14, Tuesday 24 to Saturday 28 February, Monday 2 March.
    assert CALENDAR.add_working_days(date(2026, 2, 13), 1) == date(2026, 2, 14)
    assert CALENDAR.add_working_days(date(2026, 2, 13), 7) == date(2026, 3, 2)
    assert working_days_after(date(2026, 2, 13), date(2026, 3, 2)) == DayCount(7, 0)


def test_a_limit_runs_across_the_end_of_a_year() -> None:
    # Wednesday 31 December 2025; 1 to 3 January 2026 are off, Sunday the 4th is worked.
    assert CALENDAR.add_working_days(date(2025, 12, 31), 1) == date(2026, 1, 4)
    assert CALENDAR.add_working_days(date(2025, 12, 31), 2) == date(2026, 1, 5)


def test_the_day_itself_does_not_count_and_no_days_are_no_days() -> None:
    assert CALENDAR.add_working_days(date(2026, 3, 2), 0) == date(2026, 3, 2)


def test_past_the_last_known_day_nothing_is_guessed() -> None:
    assert CALENDAR.add_working_days(date(2026, 12, 30), 1) == date(2026, 12, 31)
    with pytest.raises(Refusal) as refused:
        CALENDAR.add_working_days(date(2026, 12, 30), 2)
    assert unknown_day_of(refused) == "2027-01-01"
    with pytest.raises(Refusal) as refused:
        CALENDAR.add_working_days(date(2003, 12, 30), 1)
    assert unknown_day_of(refused) == "2003-12-31"


def test_a_year_missing_in_the_middle_is_unknown_on_both_sides() -> None:
    calendar = WorkCalendar([each for each in DAYS if each.day.year != 2025])
    with pytest.raises(Refusal) as refused:
        calendar.add_working_days(date(2024, 12, 31), 1)
    assert unknown_day_of(refused) == "2025-01-01"
    with pytest.raises(Refusal) as refused:
        calendar.add_working_days(date(2025, 12, 30), 1)
    assert unknown_day_of(refused) == "2025-12-31"
    assert calendar.add_working_days(date(2025, 12, 31), 1) == date(2026, 1, 4)


def test_an_empty_calendar_knows_nothing() -> None:
    empty = WorkCalendar([])
    assert empty.count(date(2026, 1, 1), date(2026, 1, 10)) == DayCount(working=0, unknown=10)
    with pytest.raises(Refusal) as refused:
        empty.add_working_days(date(2025, 12, 31), 3)
    assert unknown_day_of(refused) == "2026-01-01"


days_around = st.dates(date(2003, 11, 1), date(2027, 3, 1))


@given(first=days_around, length=st.integers(-5, 500))
def test_a_count_is_what_counting_day_by_day_gives(first: date, length: int) -> None:
    known = {each.day: each.is_working for each in DAYS if each.day.year != 2015}
    calendar = WorkCalendar([WorkDay(day, is_working) for day, is_working in known.items()])
    span = [first + timedelta(days=place) for place in range(length)]
    expected = DayCount(
        working=sum(known.get(day, False) for day in span),
        unknown=sum(day not in known for day in span),
    )
    assert calendar.count(first, first + timedelta(days=length - 1)) == expected


@given(day=st.dates(date(2004, 1, 1), date(2025, 12, 31)), working_days=st.integers(1, 200))
def test_adding_and_counting_are_each_others_opposite(day: date, working_days: int) -> None:
    end = CALENDAR.add_working_days(day, working_days)
    assert CALENDAR.count(end, end).working == 1, "a limit ends on a working day"
    assert working_days_after(day, end) == DayCount(working_days, unknown=0)


def test_a_file_of_a_year_is_read_as_it_was_written() -> None:
    assert read_days(text_of(OF_2026).encode("utf-8-sig")) == OF_2026
    mixed = text_of(OF_2026[::-1]).replace(",1\n", ",true\r\n").replace(",0\n", ",FALSE\r\n")
    assert read_days(mixed.encode()) == OF_2026


def test_a_partial_year_is_refused() -> None:
    assert faults_of(text_of(OF_2026[:-31]).encode()) == ["2026: 31 days are missing"]


def test_a_day_given_twice_is_refused_also_when_both_lines_say_the_same() -> None:
    again = WorkDay(date(2026, 5, 1), False)
    for second in (again, WorkDay(again.day, True)):
        assert faults_of(text_of([*OF_2026, second]).encode()) == ["2026-05-01: given 2 times"]


def test_a_year_with_yes_and_no_confused_is_refused() -> None:
    inverted = [WorkDay(each.day, not each.is_working) for each in OF_2026]
    (fault,) = faults_of(text_of(inverted).encode())
    assert fault.endswith("working days can't be right")


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", "the first line must be day,is_working"),
        (b"date,is_working\n", "the first line must be day,is_working"),
        (HEADER.encode(), "no day"),
        (HEADER.encode() + b"2026-02-30,1\n", "line 2: the day must be written YYYY-MM-DD"),
        (HEADER.encode() + b"20260203,1\n", "line 2: the day must be written YYYY-MM-DD"),
        (HEADER.encode() + b"\n2026-02-03,yes\n", "line 3: is_working must be 1 or 0"),
        (HEADER.encode() + b"2026-02-03\n", "line 2: 1 cells instead of 2"),
        (HEADER.encode() + b'"2026-02-03,1\n', "not CSV"),
        (HEADER.encode() + b"2026-02-03,\xff\n", "not UTF-8"),
        (HEADER.encode() + b"1999-02-03,1\n", "1999: not between 2000 and 2100"),
        (b"x" * (FILE_BYTES_MAX + 1), f"more than {FILE_BYTES_MAX} bytes"),
    ],
)
def test_what_is_no_calendar_is_refused_with_the_reason(content: bytes, fault: str) -> None:
    assert faults_of(content) == [fault]


def test_the_library_itself_passes_what_files_must_pass() -> None:
    assert check_years(DAYS[::-1]) == DAYS
