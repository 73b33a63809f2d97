"""What follows from a scorecard alone, worked out once and kept while it is in use."""

import calendar
from collections.abc import Sequence
from datetime import date

import msgspec

from backend.record.rules.catalogue import DIMENSIONS
from backend.score.rules.scorecard import Indicator, Scorecard

# A process works with the scorecard in force, now and then with an older one.
_KEPT_MAX = 16


class Look(msgspec.Struct, frozen=True):
    """The classes that are looked at within one window, by the day of theirs that lies in it."""

    day: str
    months: int
    codes: tuple[str, ...]


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """A scorecard, prepared for use.

    `looked_at`: for each class the places of the indicators that look at it. `members`: for each
    dimension, in the order of DIMENSIONS, its cap and the places of its indicators. `numbers`: of
    the classes from 1 on, so that those of one look stand side by side where that is possible.
    `only_windows`: the window of each class that is looked at by one look, and by `occurred_on`.
    """

    scorecard: Scorecard
    fact_codes: tuple[str, ...]
    windows: tuple[int, ...]
    looked_at: dict[str, tuple[int, ...]]
    looks: tuple[Look, ...]
    numbers: dict[str, int]
    only_windows: dict[str, int]
    members: tuple[tuple[str, int, tuple[int, ...]], ...]


_kept: dict[int, Plan] = {}


def plan_of(scorecard: Scorecard) -> Plan:
    """Return the plan of a scorecard; the same object the second time."""
    found = _kept.get(id(scorecard))
    if found is not None and found.scorecard is scorecard:
        return found
    if len(_kept) >= _KEPT_MAX:
        _kept.clear()
    plan = _kept[id(scorecard)] = _made(scorecard)
    return plan


def window_floor(as_of: date, months: int) -> date:
    """Return the last day that lies outside a window of so many months on the day `as_of`.

    A day is inside iff it is later: the same as as_of < add_months(day, months). On the last day
    of a month every day of the month it reaches back to has left, the 31st of a long one too.
    """
    index = as_of.year * 12 + as_of.month - 1 - months
    year, month = index // 12, index % 12 + 1
    assert year >= date.min.year, "no window reaches back further than the calendar"
    last = calendar.monthrange(year, month)[1]
    is_last_day = as_of.day == calendar.monthrange(as_of.year, as_of.month)[1]
    return date(year, month, last if is_last_day else min(as_of.day, last))


def _made(scorecard: Scorecard) -> Plan:
    looked_at: dict[str, list[int]] = {}
    for place, indicator in enumerate(scorecard.indicators):
        for code in classes_of(indicator):
            looked_at.setdefault(code, []).append(place)
    looks = _looks(scorecard)
    caps = {dimension.code: dimension.cap_points for dimension in scorecard.dimensions}
    return Plan(
        scorecard=scorecard,
        fact_codes=(
            "score",
            *(f"dimension.{code}" for code in DIMENSIONS),
            *(f"indicator.{indicator.code}" for indicator in scorecard.indicators),
        ),
        windows=tuple(sorted({indicator.window_months for indicator in scorecard.indicators})),
        looked_at={code: tuple(places) for code, places in looked_at.items()},
        looks=looks,
        numbers={
            code: number
            for number, code in enumerate(
                dict.fromkeys(code for look in looks for code in look.codes), start=1
            )
        },
        only_windows=_only_windows(looks),
        members=tuple(
            (
                code,
                caps[code],
                tuple(
                    place
                    for place, indicator in enumerate(scorecard.indicators)
                    if indicator.dimension == code
                ),
            )
            for code in DIMENSIONS
        ),
    )


def _looks(scorecard: Scorecard) -> tuple[Look, ...]:
    found: dict[tuple[str, int], dict[str, None]] = {}
    for indicator in scorecard.indicators:
        day = "ended_on" if indicator.aggregate == "tenure_months" else "occurred_on"
        for code in classes_of(indicator):
            found.setdefault((day, indicator.window_months), {})[code] = None
    return tuple(Look(day, months, tuple(codes)) for (day, months), codes in sorted(found.items()))


def _only_windows(looks: Sequence[Look]) -> dict[str, int]:
    found: dict[str, list[Look]] = {}
    for look in looks:
        for code in look.codes:
            found.setdefault(code, []).append(look)
    return {
        code: only[0].months
        for code, only in found.items()
        if len(only) == 1 and only[0].day == "occurred_on"
    }


def classes_of(indicator: Indicator) -> tuple[str, ...]:
    """Return every class an indicator looks at, those of both sides of a ratio, each once."""
    return tuple(dict.fromkeys((*indicator.classes, *indicator.against)))
