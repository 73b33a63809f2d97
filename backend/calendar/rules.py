"""Working days: counting them, and reading a year of them; a day nobody told us of is unknown.

Time limits in days run from the day after the event (民法典 art. 201) and, where a rule says
working days, over the days of the State Council's yearly calendar: weekends that are worked to
make up for a holiday are working days, holidays on a weekday are not.
"""

import csv
import io
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import date, timedelta

import msgspec

from backend.kit.problem import Refusal

YEAR_MIN, YEAR_MAX = 2000, 2100
# A Chinese year has about 250 working days; a file with yes and no confused has about 115.
WORKING_DAYS_MIN, WORKING_DAYS_MAX = 200, 300
FILE_BYTES_MAX = 1_048_576
COLUMNS = ("day", "is_working")
FAULTS_MAX = 20

_ONE_DAY = timedelta(days=1)
_TRUTH = {"1": True, "true": True, "0": False, "false": False}


class WorkDay(msgspec.Struct, frozen=True):
    """One day of the calendar."""

    day: date
    is_working: bool


class DayChange(msgspec.Struct, frozen=True):
    """What an import did to one day; `was_working` is None when the day was unknown before."""

    day: date
    was_working: bool | None
    is_working: bool


class CalendarImport(msgspec.Struct, frozen=True):
    """What an import did: how many days are new, and which known ones it corrected."""

    added: int
    corrected: list[DayChange]


class DayCount(msgspec.Struct, frozen=True):
    """Days of a span: how many are working days, and of how many that is unknown."""

    working: int
    unknown: int


class WorkCalendar:
    """The days that are known, arranged so that each question is answered in one step.

    `_working_before[i]` and `_unknown_before[i]` count the days of the kind before the i-th day
    from `_first` on; `_working` lists the working days in order.
    """

    def __init__(self, days: Iterable[WorkDay]) -> None:
        known = {each.day: each.is_working for each in days}
        self._first = min(known, default=date.max)
        span = (max(known) - self._first).days + 1 if known else 0
        self._working_before, self._unknown_before = [0], [0]
        self._working: list[date] = []
        for place in range(span):
            day = self._first + timedelta(days=place)
            is_working = known.get(day)
            if is_working:
                self._working.append(day)
            self._working_before.append(len(self._working))
            self._unknown_before.append(self._unknown_before[-1] + (is_working is None))

    def count(self, first: date, last: date) -> DayCount:
        """Count the days from `first` to `last`, both included; none when `last` lies before."""
        days = max(0, (last - first).days + 1)
        begin, end = self._place(first), self._place(last + _ONE_DAY)
        if days == 0 or begin >= end:
            return DayCount(working=0, unknown=days)
        outside = days - (end - begin)
        unknown = self._unknown_before[end] - self._unknown_before[begin] + outside
        return DayCount(self._working_before[end] - self._working_before[begin], unknown)

    def add_working_days(self, day: date, working_days: int) -> date:
        """Return the n-th working day after `day`, which itself does not count; 0 gives `day`.

        The day a limit begins on does not count (民法典 art. 201). Raises Refusal calendar_unknown
        when a day on the way is unknown.
        """
        assert working_days >= 0, "a limit runs forward"
        if working_days == 0:
            return day
        first = day + _ONE_DAY
        place = self._working_before[self._place(first)] + working_days - 1
        if place >= len(self._working):
            raise self._unknown_from(first)
        found = self._working[place]
        passed = self.count(first, found)
        if passed.unknown:
            raise self._unknown_from(first)
        assert passed.working == working_days, "the n-th working day is the n-th"
        return found

    def _place(self, day: date) -> int:
        """Return how many days from the first known one on lie before a day, within the span."""
        return min(max(0, (day - self._first).days), len(self._working_before) - 1)

    def _unknown_from(self, day: date) -> Refusal:
        """Name the first unknown day from a day on; there is one, at the latest after the last."""
        while not self.count(day, day).unknown:
            day += _ONE_DAY
        return Refusal("calendar_unknown", day=day.isoformat())


def read_days(content: bytes) -> list[WorkDay]:
    """Read a CSV file `day,is_working` (1/0 or true/false) of whole years, and prove them.

    Raises Refusal calendar_invalid with what is wrong, at most FAULTS_MAX faults.
    """
    if len(content) > FILE_BYTES_MAX:
        raise Refusal("calendar_invalid", faults=[f"more than {FILE_BYTES_MAX} bytes"])
    try:
        rows = list(csv.reader(io.StringIO(content.decode("utf-8-sig")), strict=True))
    except UnicodeDecodeError:
        raise Refusal("calendar_invalid", faults=["not UTF-8"]) from None
    except csv.Error:
        raise Refusal("calendar_invalid", faults=["not CSV"]) from None
    if not rows or tuple(cell.strip() for cell in rows[0]) != COLUMNS:
        raise Refusal("calendar_invalid", faults=[f"the first line must be {','.join(COLUMNS)}"])
    days: list[WorkDay] = []
    faults: list[str] = []
    for number, row in enumerate(rows[1:], start=2):
        if not row:
            continue
        found = _read_day(row)
        if isinstance(found, WorkDay):
            days.append(found)
        else:
            faults.append(f"line {number}: {found}")
    if faults:
        raise Refusal("calendar_invalid", faults=faults[:FAULTS_MAX])
    return check_years(days)


def _read_day(row: Sequence[str]) -> WorkDay | str:
    if len(row) != len(COLUMNS):
        return f"{len(row)} cells instead of {len(COLUMNS)}"
    day, is_working = row[0].strip(), _TRUTH.get(row[1].strip().lower())
    if is_working is None:
        return "is_working must be 1 or 0"
    try:
        return WorkDay(_day(day), is_working)
    except ValueError:
        return "the day must be written YYYY-MM-DD"


def _day(text: str) -> date:
    if len(text) != len("YYYY-MM-DD"):  # the standard allows other forms, this file does not
        raise ValueError
    return date.fromisoformat(text)


def check_years(days: Sequence[WorkDay]) -> list[WorkDay]:
    """Return the days in order when they are whole years, each day once and the count likely.

    Half a year would be a calendar that ends in the middle of somebody's time limit. Raises
    Refusal calendar_invalid.
    """
    faults = [
        f"{day}: given {count} times"
        for day, count in sorted(Counter(each.day for each in days).items())
        if count > 1
    ]
    by_year: dict[int, set[date]] = {}
    for each in days:
        by_year.setdefault(each.day.year, set()).add(each.day)
    if not days:
        faults.append("no day")
    for year, found in sorted(by_year.items()):
        if not YEAR_MIN <= year <= YEAR_MAX:
            faults.append(f"{year}: not between {YEAR_MIN} and {YEAR_MAX}")
            continue
        missing = (date(year + 1, 1, 1) - date(year, 1, 1)).days - len(found)
        working = len({each.day for each in days if each.is_working and each.day.year == year})
        if missing:
            faults.append(f"{year}: {missing} days are missing")
        elif not WORKING_DAYS_MIN <= working <= WORKING_DAYS_MAX:
            faults.append(f"{year}: {working} working days can't be right")
    if faults:
        raise Refusal("calendar_invalid", faults=faults[:FAULTS_MAX])
    return sorted(days, key=lambda each: each.day)
