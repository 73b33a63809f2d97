"""The one function from records to a score: pure, whole numbers only, the same bits everywhere.

The order of the records plays no part. Every indicator's points, the records behind them and
what they moved come out with the score, so that it can be explained and worked out again.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from uuid import UUID

import msgspec

from backend.record.rules.life import Record, add_months, counts, months_between
from backend.score.rules.scorecard import PERMILLE, Indicator, Scorecard

RECORDS_NAMED_MAX = 20


class Tally(msgspec.Struct, frozen=True):
    """What one indicator found: its value, and the records it looked at, newest first.

    `good` and `bad` are the two sides of a ratio, in quantities; 0 for other aggregates.
    """

    value: int
    records: list[Record]
    good: int = 0
    bad: int = 0


class Contribution(msgspec.Struct, frozen=True):
    """What one indicator gave: its line in the trace of a score.

    `effect_points` is what it moved the score away from where it stands without data, after the
    cap of its dimension; the effects add up to the score minus its base. `record_ids` are the
    newest of `record_count` records.
    """

    indicator: str
    dimension: str
    value: int
    points: int
    neutral_points: int
    effect_points: int
    record_count: int
    record_ids: list[UUID]


class ScoreResult(msgspec.Struct, frozen=True):
    """A score with everything needed to explain it and to work it out again."""

    points: int
    base_points: int
    tier_code: str
    dimensions: dict[str, int]
    facts: dict[str, int]
    contributions: list[Contribution]
    tallies: dict[str, Tally]
    scorecard_version: str
    as_of: date
    input_digest: bytes


def score_records(scorecard: Scorecard, records: Iterable[Record], as_of: date) -> ScoreResult:
    """Score the current records of one subject as they stand on the day `as_of`.

    Records past their life are not looked at. `dimensions` and `facts` are keyed by code; facts
    hold `score`, `dimension.<code>` and `indicator.<code>`.
    """
    counted = [record for record in records if counts(record, as_of)]
    by_class: dict[str, list[Record]] = {}
    for record in counted:
        by_class.setdefault(record.class_code, []).append(record)
    tallies = {
        indicator.code: tally(indicator, by_class, as_of) for indicator in scorecard.indicators
    }
    dimensions: dict[str, int] = {}
    contributions: list[Contribution] = []
    for dimension in scorecard.dimensions:
        own = [each for each in scorecard.indicators if each.dimension == dimension.code]
        points = [each.points_at(tallies[each.code].value) for each in own]
        dimensions[dimension.code] = min(dimension.cap_points, sum(points))
        moved = [now - each.neutral_points for now, each in zip(points, own, strict=True)]
        effects = _under_cap(moved, sum(points) - dimensions[dimension.code])
        contributions += [
            _contribution(each, tallies[each.code], given, effect)
            for each, given, effect in zip(own, points, effects, strict=True)
        ]
    total = sum(dimensions.values())
    base = sum(indicator.neutral_points for indicator in scorecard.indicators)
    assert 0 <= total <= scorecard.range_points, "the loader proves the bounds"
    assert base + sum(each.effect_points for each in contributions) == total, "effects add up"
    facts = {"score": total}
    facts |= {f"dimension.{code}": points for code, points in dimensions.items()}
    facts |= {f"indicator.{code}": each.value for code, each in tallies.items()}
    return ScoreResult(
        points=total,
        base_points=base,
        tier_code=scorecard.tier_at(total).code,
        dimensions=dimensions,
        facts=facts,
        contributions=contributions,
        tallies=tallies,
        scorecard_version=scorecard.version,
        as_of=as_of,
        input_digest=_digest(scorecard, counted, as_of),
    )


def tally(indicator: Indicator, by_class: Mapping[str, Sequence[Record]], as_of: date) -> Tally:
    """Work out the value of one indicator from records that count, grouped by class."""
    start = add_months(as_of, -indicator.window_months)
    is_tenure = indicator.aggregate == "tenure_months"
    found = [
        record
        for code in (*indicator.classes, *indicator.against)
        for record in by_class.get(code, ())
        if start < ((record.ended_on or as_of) if is_tenure else record.occurred_on)
    ]
    # By dates and the source's own numbers, never by chance: the same records, the same order.
    found.sort(key=lambda each: (each.occurred_on, each.source_code, each.external_id))
    found.reverse()
    if indicator.aggregate == "ratio":
        good = sum(each.quantity for each in found if each.class_code in indicator.classes)
        bad = sum(each.quantity for each in found) - good
        return Tally(ratio_value(indicator, good, bad), found, good, bad)
    if not found:
        return Tally(indicator.neutral_value, found)
    if indicator.aggregate == "count":
        return Tally(len(found), found)
    if indicator.aggregate == "sum":
        return Tally(sum(each.quantity for each in found), found)
    if indicator.aggregate == "max":
        return Tally(max(each.quantity for each in found), found)
    if indicator.aggregate == "months_since":
        return Tally(months_between(found[0].occurred_on, as_of), found)
    assert is_tenure, f"an aggregate without arithmetic: {indicator.aggregate}"
    longest = max(
        months_between(each.occurred_on, min(each.ended_on or as_of, as_of)) for each in found
    )
    return Tally(longest, found)


def ratio_value(indicator: Indicator, good: int, bad: int) -> int:
    """Return the good share in permille; what is missing to the minimum count is neutral."""
    missing = max(0, indicator.minimum_count - good - bad)
    share = good * PERMILLE + missing * indicator.neutral_value
    return share // (good + bad + missing)


def _contribution(
    indicator: Indicator, tallied: Tally, points: int, effect_points: int
) -> Contribution:
    return Contribution(
        indicator=indicator.code,
        dimension=indicator.dimension,
        value=tallied.value,
        points=points,
        neutral_points=indicator.neutral_points,
        effect_points=effect_points,
        record_count=len(tallied.records),
        record_ids=[record.record_id for record in tallied.records[:RECORDS_NAMED_MAX]],
    )


def _under_cap(moved: list[int], overflow: int) -> list[int]:
    """Take what the cap cuts off from those that gave, each in proportion, to the exact point."""
    given = sum(points for points in moved if points > 0)
    if overflow <= 0:
        return moved
    assert overflow <= given, "neutral points alone stay below the cap"
    effects = [points - overflow * points // given if points > 0 else points for points in moved]
    left = overflow - (sum(moved) - sum(effects))
    for place in sorted(range(len(effects)), key=lambda place: -effects[place])[:left]:
        effects[place] -= 1
    return effects


def _digest(scorecard: Scorecard, counted: Iterable[Record], as_of: date) -> bytes:
    """Fingerprint all that the result depends on, without the ids this database gave."""
    rows = sorted(
        (
            *(record.class_code, record.source_code, record.external_id, record.version),
            *(record.quantity, record.occurred_on.isoformat()),
            *(str(record.ended_on), str(record.published_until)),
        )
        for record in counted
    )
    content = [scorecard.version, scorecard.digest.hex(), as_of.isoformat(), rows]
    return hashlib.sha256(msgspec.json.encode(content)).digest()
