"""What came of a department's lines in a month, and the mark that is worked out from it.

Everything follows from the counts by whole numbers, rounded down, so that a department can work
its mark out again with a pencil (docs/quality.md). A share is in permille of what it is taken of,
and None when there was nothing to take it of: its weight then falls to the others.
"""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Final

import msgspec

from backend.calendar.rules import WorkCalendar
from backend.record.rules.catalogue import RecordClass

FORMULA: Final = "1"
"""Which rules made a mark; changed with any of them, so that marks are compared among their own."""

WEIGHTS: Final[Mapping[str, int]] = {
    "completeness": 20,
    "validity": 30,
    "timeliness": 30,
    "uniqueness": 10,
    "first_time_right": 10,
}
MONTHS_MAX: Final = 24

# However a calendar runs, among so many days in a row one is worked: the longest time off since
# there have been such calendars was ten days, the Spring Festival of 2020.
DAYS_OFF_MAX: Final = 13
_ONE_DAY = timedelta(days=1)


class MonthCounts(msgspec.Struct, frozen=True, kw_only=True):
    """What came of the lines of one source and class that were handed in in one month.

    `month` is its first day, in the city's zone, by the day a file came in. `incomplete` are those
    of the `rejected` in which something is missing. Of the `accepted`, `duplicates` were on record
    already, `corrections` gave something on record a new version, `withdrawals` and `repairs` are
    what they say; `timed` were new reports of which it is known whether they came in time, and
    `late` did not.
    """

    source_code: str
    class_code: str
    month: date
    accepted: int
    rejected: int
    incomplete: int
    duplicates: int
    corrections: int
    withdrawals: int
    repairs: int
    timed: int
    late: int

    @property
    def lines(self) -> int:
        """How many lines there were."""
        return self.accepted + self.rejected


class Shares(msgspec.Struct, frozen=True, kw_only=True):
    """Shares of good lines in permille, rounded down; None where there was nothing to look at."""

    completeness: int | None
    validity: int | None
    timeliness: int | None
    uniqueness: int | None
    first_time_right: int | None


class MonthQuality(msgspec.Struct, frozen=True):
    """The counts of a month, with their shares and the mark, 0 to 100."""

    counts: MonthCounts
    shares: Shares
    mark: int | None


class Timing(msgspec.Struct, frozen=True):
    """Of how many new reports it is known whether they came in time, and how many did not."""

    timed: int
    late: int


def measure(counts: MonthCounts) -> MonthQuality:
    """Work the shares and the mark of a month out from its counts."""
    assert 0 <= counts.incomplete <= counts.rejected, "an incomplete line did not go in"
    assert 0 <= counts.late <= counts.timed <= counts.accepted, "only what went in is timed"
    assert counts.duplicates + counts.corrections <= counts.accepted, "a line is one of these"
    shares = Shares(
        completeness=_share(counts.incomplete, counts.lines),
        validity=_share(counts.rejected, counts.lines),
        timeliness=_share(counts.late, counts.timed),
        uniqueness=_share(counts.duplicates, counts.accepted),
        first_time_right=_share(counts.corrections, counts.accepted),
    )
    return MonthQuality(counts, shares, mark_of(shares))


def mark_of(shares: Shares) -> int | None:
    """Return the mark 0 to 100: the weighted mean of the shares there are, rounded down.

    None when there is no share at all: no line, no mark. Only a month without any fault has 100.
    """
    found: dict[str, int | None] = msgspec.structs.asdict(shares)
    known = {name: share for name, share in found.items() if share is not None}
    if not known:
        return None
    weight = sum(WEIGHTS[name] for name in known)
    mark = sum(WEIGHTS[name] * share for name, share in known.items()) // (10 * weight)
    assert 0 <= mark <= 100, "a mean of shares lies between them"
    return mark


def _share(bad: int, of: int) -> int | None:
    return None if of == 0 else 1000 * (of - bad) // of


def clock_starts_on(record_class: RecordClass, *, occurred_on: date, ended_on: date | None) -> date:
    """Return the day from which a source has its working days to report.

    The decision for an adverse class (its conduct may have ended long before); otherwise the last
    thing that is reported: the end, if the line tells of one.
    """
    return occurred_on if record_class.is_adverse else ended_on or occurred_on


def calendar_days_needed(within: int) -> int:
    """Return how many days before the day of reporting a calendar has to reach to decide."""
    return (within + 1) * (DAYS_OFF_MAX + 1)


def is_late(
    calendar: WorkCalendar, *, starts_on: date, received_on: date, within: int
) -> bool | None:
    """Say whether a report came after the last of its `within` working days.

    None when the calendar doesn't know. Unknown days are no guess where no calendar could change
    the answer: a gap shorter than the limit is in time, and one so long that no row of days off
    explains it is late.
    """
    assert within >= 1, "the catalogue's loader proves this"
    # In time up to the last working day itself, so what counts are those that had passed before.
    first, last = starts_on + _ONE_DAY, received_on - _ONE_DAY
    passed = calendar.count(first, last)
    if passed.working >= within or (last - first).days + 1 >= within * (DAYS_OFF_MAX + 1):
        return True
    return False if passed.working + passed.unknown < within else None
