"""What pages say in two languages, and how they write dates."""

from datetime import date, datetime

import msgspec

from backend.kit.clock import CITY_ZONE


class Text(msgspec.Struct, frozen=True):
    """One statement in Chinese and in English; both or neither."""

    zh: str
    en: str


NOTHING = Text("", "")


def city_day(on: date) -> str:
    """Return a day as Chinese readers write it: 2026年11月24日."""
    day = _in_city(on)
    return f"{day.year}年{day.month}月{day.day}日"


def city_day_en(on: date) -> str:
    """Return a day in English: 24 November 2026."""
    day = _in_city(on)
    return f"{day.day} {day:%B} {day.year}"


def city_day_iso(on: date) -> str:
    """Return a day for the machine-readable attribute of <time>: 2026-11-24."""
    day = _in_city(on)
    return f"{day.year:04}-{day.month:02}-{day.day:02}"


def city_time(at: datetime) -> str:
    """Return a moment in the city's time, to the minute: 2026年11月24日 14:05."""
    return f"{city_day(at)} {at.astimezone(CITY_ZONE):%H:%M}"


def city_time_en(at: datetime) -> str:
    """Return a moment in the city's time in English: 24 November 2026, 14:05."""
    return f"{city_day_en(at)}, {at.astimezone(CITY_ZONE):%H:%M}"


def _in_city(on: date) -> date:
    return on.astimezone(CITY_ZONE).date() if isinstance(on, datetime) else on
