"""The calendar's verbs: take years in, look working days up, say how far they reach."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta

import chinese_calendar
from chinese_calendar.constants import holidays

from backend.calendar import store
from backend.calendar.rules import CalendarImport, WorkCalendar, WorkDay, check_years
from backend.kit.postgres import ReadTx, Tx
from backend.kit.problem import Refusal


def packaged_days() -> list[WorkDay]:
    """Return the years the library brings: from 2004 to the last the State Council announced."""
    first = date(min(holidays).year, 1, 1)
    # The library answers for a year as soon as it has one holiday of it: the last year counts
    # when its calendar goes as far as the National Day, which each year's announcement holds.
    years = {day.year for day in holidays}
    last = max(year for year in years if date(year, 10, 1) in holidays)
    count = (date(last, 12, 31) - first).days + 1
    days = [first + timedelta(days=place) for place in range(count)]
    return check_years([WorkDay(day, chinese_calendar.is_workday(day)) for day in days])


async def import_days(tx: Tx, *, days: Sequence[WorkDay], now: datetime) -> CalendarImport:
    """Take whole years in; days that are known otherwise are corrected, and named.

    Whoever looks working days up sees it from the next transaction on. What was timed before
    stays as it was. Raises Refusal calendar_invalid.
    """
    changes = await store.save_days(tx, check_years(days), now=now)
    corrected = [each for each in changes if each.was_working is not None]
    return CalendarImport(
        len(changes) - len(corrected), sorted(corrected, key=lambda each: each.day)
    )


async def import_packaged(tx: Tx, *, now: datetime) -> CalendarImport:
    """Take in the library's years of which no day is known; what a city corrected stays."""
    known = {each.year for each in await store.list_years(tx)}
    days = [each for each in packaged_days() if each.day.year not in known]
    if not days:
        return CalendarImport(0, [])
    return await import_days(tx, days=days, now=now)


async def get_calendar(tx: ReadTx, *, first: date, last: date) -> WorkCalendar:
    """Return what is known of the days from `first` to `last`, both included."""
    assert first <= last, "a span runs forward"
    return WorkCalendar(await store.list_days(tx, first=first, last=last))


async def list_year(tx: ReadTx, *, year: int) -> list[WorkDay]:
    """Return all days of a year; raises Refusal calendar_unknown when it isn't known."""
    first = date(year, 1, 1)
    days = await store.list_days(tx, first=first, last=date(year, 12, 31))
    if not days:
        raise Refusal("calendar_unknown", day=first.isoformat())
    return days


async def find_known_until(tx: ReadTx, *, today: date) -> date | None:
    """Return the day up to which every day from today on is known; None when today isn't."""
    return await store.find_known_until(tx, today=today)
