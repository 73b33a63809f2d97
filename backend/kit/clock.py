"""Time comes in from the edge: no rule reads a clock."""

from datetime import UTC, date, datetime, timedelta
from typing import Protocol, runtime_checkable
from zoneinfo import ZoneInfo

CITY_ZONE = ZoneInfo("Asia/Shanghai")


@runtime_checkable  # the framework checks what it injects into a handler
class Clock(Protocol):
    """Tells the present moment."""

    def now(self) -> datetime:
        """Return the present moment as an aware UTC datetime."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Return the present moment as an aware UTC datetime."""
        return datetime.now(UTC)


class FixedClock:
    """A clock that stands still until it is told to move; for tests and replays."""

    def __init__(self, moment: datetime) -> None:
        assert moment.tzinfo is not None, "a moment without a zone is not a moment"
        self._moment = moment.astimezone(UTC)

    def now(self) -> datetime:
        """Return the moment the clock was set to."""
        return self._moment

    def advance(self, step: timedelta) -> None:
        """Move the clock by `step`, which may be negative."""
        self._moment += step


def city_date(moment: datetime) -> date:
    """Return the calendar date in the city (Asia/Shanghai) at `moment`.

    Ages, windows and legal time limits count in the city's days, not in UTC days.
    """
    return moment.astimezone(CITY_ZONE).date()
