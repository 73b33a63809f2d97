"""How long a record counts, worked out from its dates alone.

Nothing bad stays for ever: an adverse item ends five years after the conduct ended
(征信业管理条例 art. 16) or when its longest publication is over (NDRC Order 36), whichever is
first. `ends_on` is the first day on which a record no longer counts. Until then it counts unless a
higher version took its place, or it is disputed, or repaired.
"""

import calendar
import hashlib
from collections.abc import Iterable
from datetime import date, datetime
from functools import lru_cache
from typing import Literal, NamedTuple
from uuid import UUID

import msgspec

from backend.record.rules.catalogue import ADVERSE_MONTHS_MAX, RecordClass

Action = Literal["report", "withdraw", "repair"]
_DAY_ZERO = date(1970, 1, 1).toordinal()


class Days(NamedTuple):
    """The days of a record: see `Record`."""

    occurred_on: date
    ended_on: date | None
    ends_on: date | None


class Record(msgspec.Struct, frozen=True):
    """A current record: the highest version of what a source reported under one external id.

    `quantity` is in the unit of the class. For an adverse class `occurred_on` is the day of the
    decision and `ended_on` the day the conduct ended; otherwise they are when it began and ended.
    `ends_on` is the first day on which it no longer counts, None while what it reports goes on.
    `fingerprint` stands for the content, see `fingerprint_of`.
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
    ends_on: date | None
    reported_at: datetime
    disputed_at: datetime | None
    repaired_at: datetime | None
    fingerprint: int


class RecordVersion(Record, frozen=True):
    """One version of a record, current or not; `superseded_at` is when it stopped being so.

    A withdrawal is superseded from the moment it came: it never stood.
    """

    action: Action
    superseded_at: datetime | None


def fingerprint_of(
    *,
    class_code: str,
    source_code: str,
    external_id: str,
    version: int,
    quantity: int,
    occurred_on: date,
    ended_on: date | None,
    ends_on: date | None,
) -> int:
    """Return what stands for a record's content in sums over a subject's records.

    The first eight bytes of the SHA-256 of its parts joined by `|`, as a signed whole number, big
    end first; days are counted from 1970-01-01, and left out where there is none. Migration 0013
    says the same in SQL.
    """
    row = (external_id, version, quantity, Days(occurred_on, ended_on, ends_on))
    (eight,) = fingerprints_of(class_code, source_code, [row])
    return int.from_bytes(eight, "big", signed=True)


def fingerprints_of(
    class_code: str, source_code: str, contents: Iterable[tuple[str, int, int, Days]]
) -> list[bytes]:
    """Return the eight bytes of the fingerprints of many records, see `fingerprint_of`.

    `contents`: number, version, quantity and days of each.
    """
    sha256, beginning = hashlib.sha256, f"{class_code}|{source_code}"
    texts = (
        f"{beginning}|{external_id}|{version}|{quantity}{_days_text(days)}"
        for external_id, version, quantity, days in contents
    )
    return [sha256(text.encode()).digest()[:8] for text in texts]


@lru_cache(maxsize=16_384)  # records come in thousands, and are of few different days
def _days_text(days: Days) -> str:
    return "".join("|" if day is None else f"|{day.toordinal() - _DAY_ZERO}" for day in days)


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


def ends_on_of(
    record_class: RecordClass, *, occurred_on: date, ended_on: date | None
) -> date | None:
    """Return the first day a record no longer counts; None while what it reports goes on.

    An adverse one: the longest publication runs from the decision; the five years from the end of
    the conduct, once it has ended, which may be long before the decision. Any other is kept from
    its end; until that is reported, a lasting one goes on.
    """
    if record_class.is_adverse:
        assert record_class.publication_max_months is not None, "the loader proves this"
        limits = [add_months(occurred_on, record_class.publication_max_months)]
        if ended_on is not None:
            limits.append(add_months(ended_on, ADVERSE_MONTHS_MAX))
        return min(limits)
    if ended_on is None and record_class.is_lasting:
        return None
    return add_months(ended_on or occurred_on, record_class.retention_months)


def stands(record: Record) -> bool:
    """Say whether a current record is neither disputed nor repaired."""
    return record.disputed_at is None and record.repaired_at is None


def counts(record: Record, as_of: date) -> bool:
    """Say whether a scorecard may look at a current record on the day `as_of`."""
    return (
        record.disputed_at is None
        and record.repaired_at is None
        and record.occurred_on <= as_of
        and (record.ends_on is None or as_of < record.ends_on)
    )


def stood_at(version: RecordVersion, at: datetime) -> bool:
    """Say whether a version stood at a moment, as far as is known now.

    A dispute that was settled since is forgotten: what it held back is taken to have stood.
    """
    return version.reported_at <= at and all(
        end is None or at < end
        for end in (version.superseded_at, version.disputed_at, version.repaired_at)
    )
