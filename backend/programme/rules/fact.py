"""The vocabulary of rules: every fact a programme may ask about, with its direction and range.

It is read off the scorecard in force, so a rule can't ask about anything that is not scored, and
the direction of a fact (whether more of it is good) is the one the scorecard was proved with.
"""

from collections.abc import Mapping
from enum import StrEnum

import msgspec

from backend.score.rules.scorecard import PERMILLE, VALUE_MAX, Indicator, Scorecard


class Direction(StrEnum):
    """Whether more of a fact is better conduct or worse."""

    GOOD = "good"
    ADVERSE = "adverse"


class Unit(StrEnum):
    """What a fact counts."""

    POINTS = "points"
    COUNT = "count"
    MONTHS = "months"
    PERMILLE = "permille"


class Fact(msgspec.Struct, frozen=True):
    """One whole number about a citizen; `classes` are the record classes it is made from."""

    code: str
    direction: Direction
    unit: Unit
    maximum: int
    name_zh: str
    name_en: str
    classes: list[str]


Vocabulary = Mapping[str, Fact]

_UNITS = {
    "count": Unit.COUNT,
    "sum": Unit.COUNT,
    "max": Unit.COUNT,
    "tenure_months": Unit.MONTHS,
    "months_since": Unit.MONTHS,
    "ratio": Unit.PERMILLE,
}


def vocabulary_of(scorecard: Scorecard) -> dict[str, Fact]:
    """Return every fact a score computed with this scorecard holds, by its code."""
    facts = [
        Fact("score", Direction.GOOD, Unit.POINTS, scorecard.range_points, "信用分", "Score", [])
    ]
    facts += [
        Fact(
            code=f"dimension.{dimension.code}",
            direction=Direction.GOOD,
            unit=Unit.POINTS,
            maximum=dimension.cap_points,
            name_zh=dimension.name_zh,
            name_en=dimension.name_en,
            classes=[],
        )
        for dimension in scorecard.dimensions
    ]
    facts += [_indicator_fact(indicator) for indicator in scorecard.indicators]
    return {fact.code: fact for fact in facts}


def _indicator_fact(indicator: Indicator) -> Fact:
    rises = indicator.curve[0][1] <= indicator.curve[-1][1]
    unit = _UNITS[indicator.aggregate]
    return Fact(
        code=f"indicator.{indicator.code}",
        direction=Direction.GOOD if rises else Direction.ADVERSE,
        unit=unit,
        maximum=PERMILLE if unit is Unit.PERMILLE else VALUE_MAX,
        name_zh=indicator.name_zh,
        name_en=indicator.name_en,
        classes=sorted({*indicator.classes, *indicator.against}),
    )
