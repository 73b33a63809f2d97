"""How long a record counts, worked out from its dates alone.

Nothing bad stays for ever: an adverse item ends five years after the conduct ended
(征信业管理条例 art. 16) or when its longest publication is over (NDRC Order 36), whichever is
first. A day written `…_until` is the first day on which it no longer counts.
"""

import calendar
from datetime import date, datetime
from uuid import UUID

import msgspec

from backend.record.rules.catalogue import ADVERSE_MONTHS_MAX, RecordClass


class Record(msgspec.Struct, frozen=True):
    """A current record: the highest version of what a source reported under one external id.

    `quantity` is in the unit of the class. For an adverse class `occurred_on` is the day of the
    decision and `ended_on` the day the conduct ended; otherwise they are when it began and ended.
    """

    subject_id: UUID
    record_id: UUID
    class_code: str
    source_code: str
    external_id: str
    version: int
    quantity: int
    occurred_on: date
    ended_on: date | None
    published_until: date | None
    reported_at: datetime


def add_months(day: date, months: int) -> date:
    """Return the same day `months` later (or earlier), or the month's last day if it has none.

    Days past the year 9999 or before the year 1 stop at the calendar's ends.
    """
    index = day.year * 12 + day.month - 1 + months
    year, month = index // 12, index % 12 + 1
    if year > date.max.year:
        return date.max
    if year < date.min.year:
        return date.min
    return date(year, month, min(day.day, calendar.monthrange(year, month)[1]))


def months_between(earlier: date, later: date) -> int:
    """Return how many whole months lie between two days; 0 when `later` is not later."""
    months = (later.year - earlier.year) * 12 + later.month - earlier.month
    if months > 0 and later < add_months(earlier, months):
        months -= 1
    return max(0, months)


def published_until(
    record_class: RecordClass, *, occurred_on: date, ended_on: date | None
) -> date | None:
    """Return the first day an adverse record no longer counts; None for other classes.

    The longest publication runs from the decision; the five years from the end of the conduct,
    once it has ended, which may be long before the decision.
    """
    if not record_class.is_adverse:
        return None
    assert record_class.publication_max_months is not None, "the loader proves this"
    limits = [add_months(occurred_on, record_class.publication_max_months)]
    if ended_on is not None:
        limits.append(add_months(ended_on, ADVERSE_MONTHS_MAX))
    return min(limits)


def ends_on(record_class: RecordClass, record: Record) -> date | None:
    """Return the first day a record no longer counts, or None while what it reports goes on."""
    if record_class.is_adverse:
        assert record.published_until is not None, "adverse records always end"
        return record.published_until
    if record.ended_on is None and record_class.is_lasting:
        return None
    return add_months(record.ended_on or record.occurred_on, record_class.retention_months)


def counts(record: Record, as_of: date) -> bool:
    """Say whether a scorecard may look at a record on the day `as_of`."""
    if record.occurred_on > as_of:
        return False
    return record.published_until is None or as_of < record.published_until
