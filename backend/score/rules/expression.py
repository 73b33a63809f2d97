"""One indicator in SQL: its value from what a pass over the records found, and its points.

Everything that gets into a text goes through `as_name` or `as_number`.
"""

import re
from itertools import pairwise

from backend.score.rules.scorecard import PERMILLE, VALUE_MAX, Indicator

_NAME = re.compile(r"[a-z0-9_.-]+")
# The day, its month counted from year 0, and its day of the month (31 for the last one of any
# month: no day of an earlier month is missing then).
AS_OF, MONTH, DAY = "$1::date", "$2::integer", "$3::integer"


def _months(day: str) -> str:
    """Return the whole months from a day to the day a statement is about."""
    parts = f"date_part('year', {day}) * 12 + date_part('month', {day})"
    return f"greatest(0, {MONTH} - ({parts})::integer - (date_part('day', {day}) > {DAY})::integer)"


_CALENDAR_MONTHS = (
    "(date_part('year', ended_on) * 12 + date_part('month', ended_on)"
    " - date_part('year', occurred_on) * 12 - date_part('month', occurred_on))::integer"
)
MONTHS_LASTED = (
    f"greatest(0, {_CALENDAR_MONTHS}"
    f" - (occurred_on + make_interval(months => {_CALENDAR_MONTHS}) > ended_on)::integer)"
)


def value_of(place: int, indicator: Indicator) -> str:
    """Return one indicator's value; what nothing was found for is neutral."""
    neutral = as_number(indicator.neutral_value)
    if indicator.aggregate == "ratio":
        good, bad = f"coalesce(good_{place}, 0)", f"coalesce(bad_{place}, 0)"
        missing = f"greatest(0, {as_number(indicator.minimum_count)} - {good} - {bad})"
        share = f"{good} * {PERMILLE} + {missing} * {neutral}"
        return f"(({share}) / ({good} + {bad} + {missing}))::integer"
    if indicator.aggregate == "count":
        return f"coalesce(nullif(found_{place}, 0), {neutral})::integer"
    if indicator.aggregate == "sum":
        return f"least(coalesce(found_{place}, {neutral}), {VALUE_MAX})::integer"
    if indicator.aggregate == "max":
        return f"coalesce(found_{place}, {neutral})"
    if indicator.aggregate == "months_since":
        since = f"found_{place}"
        return f"CASE WHEN {since} IS NULL THEN {neutral} ELSE {_months(since)} END"
    since = f"since_{place}"
    lasts = f"CASE WHEN {since} IS NOT NULL THEN {_months(since)} END"
    return f"coalesce(greatest({lasts}, lasted_{place}), {neutral})"


def points_of(place: int, indicator: Indicator) -> str:
    """Return the points of one indicator: straight between its corners, level outside."""
    value = f"value_{place}"
    left_value, left_points = indicator.curve[0]
    cases = [f"WHEN {value} <= {as_number(left_value)} THEN {as_number(left_points)}"]
    for (left_value, left_points), (right_value, right_points) in pairwise(indicator.curve):
        run, width = f"({value} - {as_number(left_value)})", right_value - left_value
        rise, sign = abs(right_points - left_points), "+" if right_points >= left_points else "-"
        cases.append(
            f"WHEN {value} < {as_number(right_value)} THEN {as_number(left_points)}"
            f" {sign} {as_number(rise)}::bigint * {run} / {as_number(width)}"
        )
    return f"CASE {' '.join(cases)} ELSE {as_number(indicator.curve[-1][1])} END"


def as_name(text: str) -> str:
    """Return a name that may stand in a statement; the loader refuses any other.

    Not by an assertion: those can be left out when Python is started.
    """
    if not _NAME.fullmatch(text):
        raise ValueError("a name that is no part of a statement")
    return text


def as_number(value: int) -> str:
    """Return a number as it may stand in a statement; the loader refuses any other."""
    if type(value) is not int or not 0 <= value <= VALUE_MAX:
        raise ValueError("a number that is no part of a statement")
    return str(value)
