"""Verbs of data quality: time new reports as they come in, list the marks of months."""

from collections import Counter
from collections.abc import Iterable
from datetime import date, timedelta

from backend.calendar import service as calendar
from backend.kit.postgres import ReadTx
from backend.record import store
from backend.record.rules.catalogue import RecordClass
from backend.record.rules.life import Days, add_months
from backend.record.rules.quality import (
    MONTHS_MAX,
    MonthQuality,
    Timing,
    calendar_days_needed,
    clock_starts_on,
    is_late,
    measure,
)


async def time_reports(
    tx: ReadTx,
    *,
    record_class: RecordClass,
    days: Iterable[Days],
    received_on: date,
) -> Timing:
    """Say of how many new reports it is known whether they came in time, and how many did not.

    `days` are those of each report. A class without a clock times nothing.
    """
    within = record_class.report_within_working_days
    starts = Counter[date]()
    for each, count in Counter(days if within is not None else ()).items():
        starts_on = clock_starts_on(
            record_class, occurred_on=each.occurred_on, ended_on=each.ended_on
        )
        starts[starts_on] += count
    if within is None or not starts:
        return Timing(timed=0, late=0)
    first = received_on - timedelta(days=calendar_days_needed(within))
    known = await calendar.get_calendar(tx, first=first, last=received_on)
    timed = late = 0
    for starts_on, count in starts.items():
        verdict = is_late(known, starts_on=starts_on, received_on=received_on, within=within)
        timed += 0 if verdict is None else count
        late += count if verdict else 0
    return Timing(timed=timed, late=late)


async def list_quality(
    tx: ReadTx, *, source_code: str | None, month: date | None, today: date
) -> list[MonthQuality]:
    """Return the marks by month, source and class, newest first; months without lines are left out.

    One month (any day of it), or the last MONTHS_MAX up to today's; one source, or all.
    """
    last = (month or today).replace(day=1)
    found = await store.list_month_counts(
        tx,
        source_code=source_code,
        first_month=last if month else add_months(last, 1 - MONTHS_MAX),
        end_month=add_months(last, 1),
    )
    return [measure(each) for each in found]
