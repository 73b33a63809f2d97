"""SQL of the working-day calendar."""

from collections.abc import Sequence
from datetime import date, datetime

import msgspec

from backend.calendar.rules import DayChange, WorkDay
from backend.kit.postgres import ReadTx, Tx


class KnownYear(msgspec.Struct, frozen=True):
    """A year the calendar holds."""

    year: int


async def save_days(tx: Tx, days: Sequence[WorkDay], *, now: datetime) -> list[DayChange]:
    """Write days in their order; return those that are new and those that were corrected."""
    return await tx.fetch_all(
        DayChange,
        """INSERT INTO work_calendar AS known (day, is_working, imported_at)
           SELECT given.day, given.is_working, $3::timestamptz
           FROM unnest($1::date[], $2::boolean[]) AS given (day, is_working)
           ON CONFLICT (day) DO UPDATE
           SET is_working = excluded.is_working, imported_at = excluded.imported_at
           WHERE known.is_working <> excluded.is_working
           RETURNING new.day, old.is_working AS was_working, new.is_working""",
        [each.day for each in days],
        [each.is_working for each in days],
        now,
    )


async def list_days(tx: ReadTx, *, first: date, last: date) -> list[WorkDay]:
    """Return the known days from `first` to `last`, both included, in order."""
    return await tx.fetch_all(
        WorkDay,
        """SELECT day, is_working FROM work_calendar WHERE day BETWEEN $1 AND $2 ORDER BY day""",
        first,
        last,
    )


async def list_years(tx: ReadTx) -> list[KnownYear]:
    """Return the years of which a day is known."""
    return await tx.fetch_all(
        KnownYear,
        """SELECT DISTINCT extract(year FROM day)::bigint AS year FROM work_calendar
           ORDER BY year""",
    )


async def find_known_until(tx: ReadTx, *, today: date) -> date | None:
    """Return the last day up to which every day from today on is known; None when today isn't."""
    return await tx.fetch_optional_value(
        date,
        """SELECT max(day)
           FROM (SELECT day, row_number() OVER (ORDER BY day) AS place
                 FROM work_calendar WHERE day >= $1) AS ahead
           WHERE day - $1::date = place - 1""",
        today,
    )
