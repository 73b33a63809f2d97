"""The one function from records to a score: pure, whole numbers only, the same bits everywhere.

The order of the records plays no part. Every indicator's value and points, the records behind
them and what they moved come out with the score, so that it can be explained and worked out
again. `compile` says the same in SQL for many subjects at once; a property test holds them equal.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import date

import msgspec

from backend.record.rules.life import Record, add_months, counts, months_between
from backend.score.rules.contribution import Contribution, weigh
from backend.score.rules.plan import classes_of, plan_of, window_floor
from backend.score.rules.scorecard import PERMILLE, VALUE_MAX, Indicator, Scorecard

# The due day of a score that nothing but a new record can change.
NEVER = date.max


class Tally(msgspec.Struct, frozen=True):
    """What one indicator found: its value, and the records it looked at, newest first.

    `good` and `bad` are the two sides of a ratio, in quantities; 0 for other aggregates. A value,
    and each quantity in a ratio, is VALUE_MAX at most.
    """

    value: int
    records: list[Record]
    good: int = 0
    bad: int = 0


class ScoreResult(msgspec.Struct, frozen=True):
    """A score with everything needed to explain it and to work it out again.

    `indicator_values` and `contributions` are in the scorecard's order; `tallies` by the code of
    the indicator. `due_on` is the first day on which it may differ without a new record.
    """

    points: int
    dimensions: dict[str, int]
    indicator_values: list[int]
    contributions: list[Contribution]
    tallies: dict[str, Tally]
    scorecard_version: str
    as_of: date
    input_digest: bytes
    due_on: date


def score_records(scorecard: Scorecard, records: Iterable[Record], as_of: date) -> ScoreResult:
    """Score what stands of one subject's records, as it is on the day `as_of`.

    Records that do not count on that day (disputed, repaired, ended, to come) are not looked at;
    superseded versions are none of the caller's `records`. `dimensions` is keyed by code.
    """
    plan = plan_of(scorecard)
    counted: list[Record] = []
    due = NEVER
    for record in records:
        if counts(record, as_of):
            counted.append(record)
            if record.ends_on is not None and record.ends_on < due:
                due = record.ends_on
        elif as_of < record.occurred_on < due and counts(record, record.occurred_on):
            due = record.occurred_on
    by_class: dict[str, list[Record]] = {}
    # By dates and the source's own numbers, never by chance: the same records, the same order.
    counted.sort(key=_newness, reverse=True)
    for record in counted:
        by_class.setdefault(record.class_code, []).append(record)
    floors = {months: window_floor(as_of, months) for months in plan.windows}
    tallies: dict[str, Tally] = {}
    for indicator in scorecard.indicators:
        found = _inside(indicator, by_class, floors[indicator.window_months])
        tallied = tallies[indicator.code] = _tallied(indicator, found, as_of)
        if found:
            due = min(due, _moves_on(indicator, tallied, as_of))
    values = [each.value for each in tallies.values()]
    points = [
        indicator.points_at(value)
        for indicator, value in zip(scorecard.indicators, values, strict=True)
    ]
    dimensions = {
        code: min(cap, sum(points[place] for place in places)) for code, cap, places in plan.members
    }
    total = sum(dimensions.values())
    assert 0 <= total <= scorecard.range_points, "the loader proves the bounds"
    assert due > as_of, "what is due is still to come"
    return ScoreResult(
        points=total,
        dimensions=dimensions,
        indicator_values=values,
        contributions=weigh(scorecard, values),
        tallies=tallies,
        scorecard_version=scorecard.version,
        as_of=as_of,
        input_digest=input_digest(counted),
        due_on=due,
    )


def tally(indicator: Indicator, by_class: Mapping[str, Sequence[Record]], as_of: date) -> Tally:
    """Work out the value of one indicator from records that count, grouped by class."""
    floor = window_floor(as_of, indicator.window_months)
    found = _inside(indicator, by_class, floor)
    found.sort(key=_newness, reverse=True)
    return _tallied(indicator, found, as_of)


def ratio_value(indicator: Indicator, good: int, bad: int) -> int:
    """Return the good share in permille; what is missing to the minimum count is neutral."""
    missing = max(0, indicator.minimum_count - good - bad)
    share = good * PERMILLE + missing * indicator.neutral_value
    return share // (good + bad + missing)


def input_digest(counted: Sequence[Record]) -> bytes:
    """Fingerprint the records that count: the SHA-256 of how many they are and of their sum."""
    total = sum(record.fingerprint for record in counted)
    return hashlib.sha256(f"{len(counted)}|{total}".encode()).digest()


def _newness(record: Record) -> tuple[date, str, str]:
    return (record.occurred_on, record.source_code, record.external_id)


def _inside(
    indicator: Indicator, by_class: Mapping[str, Sequence[Record]], floor: date
) -> list[Record]:
    """Return the records an indicator looks at: of its classes, and within its window.

    A tenure is inside until its window from its end is over; one that goes on always is.
    """
    found: list[Record] = []
    codes = classes_of(indicator)
    for code in codes:
        for record in by_class.get(code, ()):
            day = record.ended_on if indicator.aggregate == "tenure_months" else record.occurred_on
            if day is None or day > floor:
                found.append(record)
    if len(codes) > 1:
        found.sort(key=_newness, reverse=True)
    return found


def _tallied(indicator: Indicator, found: list[Record], as_of: date) -> Tally:
    """Work out a value from what lies within the window, newest first."""
    if indicator.aggregate == "ratio":
        good, bad = (
            sum(min(each.quantity, VALUE_MAX) for each in found if each.class_code in side)
            for side in (indicator.classes, indicator.against)
        )
        return Tally(ratio_value(indicator, good, bad), found, good, bad)
    if not found:
        return Tally(indicator.neutral_value, found)
    if indicator.aggregate == "count":
        value = len(found)
    elif indicator.aggregate == "sum":
        value = sum(each.quantity for each in found)
    elif indicator.aggregate == "max":
        value = max(each.quantity for each in found)
    elif indicator.aggregate == "months_since":
        value = months_between(found[0].occurred_on, as_of)
    else:
        assert indicator.aggregate == "tenure_months", "an aggregate without arithmetic"
        value = max(
            months_between(each.occurred_on, min(each.ended_on or as_of, as_of)) for each in found
        )
    return Tally(min(value, VALUE_MAX), found)


def _moves_on(indicator: Indicator, tallied: Tally, as_of: date) -> date:
    """Return the first day on which an indicator's value may change by the calendar alone.

    That is when the first record leaves the window, and when one whole month more is full: since
    the newest record, or of the tenure that goes on and began first; those that began later are
    never longer.
    """
    if indicator.aggregate != "tenure_months":
        days = [each.occurred_on for each in tallied.records]
        leaves = add_months(min(days), indicator.window_months)
        if indicator.aggregate != "months_since":
            return leaves
        return min(leaves, add_months(max(days), tallied.value + 1))
    moves = [
        add_months(each.ended_on, indicator.window_months)
        for each in tallied.records
        if each.ended_on is not None
    ]
    going_on = [
        each.occurred_on
        for each in tallied.records
        if each.ended_on is None or each.ended_on > as_of
    ]
    if going_on:
        moves.append(add_months(min(going_on), tallied.value + 1))
    return min(moves)
