"""What each indicator gave to a score, worked out from its values alone.

A score is kept as the values of its scorecard's indicators and nothing else: what each of them
moved is the same function of them whenever anybody asks, for any score that is kept.
"""

from collections.abc import Sequence

import msgspec

from backend.score.rules.scorecard import Scorecard


class Contribution(msgspec.Struct, frozen=True):
    """What one indicator gave: its line in the arithmetic of a score.

    `effect_points` is what it moved the score away from where it stands without data, after the
    cap of its dimension; the effects add up to the score minus its base.
    """

    indicator: str
    dimension: str
    value: int
    points: int
    neutral_points: int
    effect_points: int


def base_points(scorecard: Scorecard) -> int:
    """Return where everybody without data stands."""
    return sum(indicator.neutral_points for indicator in scorecard.indicators)


def weigh(scorecard: Scorecard, values: Sequence[int]) -> list[Contribution]:
    """Return what each indicator gave, in the scorecard's order; `values` are in the same order."""
    assert len(values) == len(scorecard.indicators), "one value an indicator"
    points = [
        indicator.points_at(value)
        for indicator, value in zip(scorecard.indicators, values, strict=True)
    ]
    effects = [0] * len(points)
    for dimension in scorecard.dimensions:
        own = [
            place
            for place, indicator in enumerate(scorecard.indicators)
            if indicator.dimension == dimension.code
        ]
        moved = [points[place] - scorecard.indicators[place].neutral_points for place in own]
        overflow = sum(points[place] for place in own) - dimension.cap_points
        for place, effect in zip(own, _under_cap(moved, overflow), strict=True):
            effects[place] = effect
    return [
        Contribution(
            indicator=indicator.code,
            dimension=indicator.dimension,
            value=values[place],
            points=points[place],
            neutral_points=indicator.neutral_points,
            effect_points=effects[place],
        )
        for place, indicator in enumerate(scorecard.indicators)
    ]


def total_points(scorecard: Scorecard, values: Sequence[int]) -> int:
    """Return the score that values of a scorecard's indicators give."""
    return base_points(scorecard) + sum(each.effect_points for each in weigh(scorecard, values))


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
