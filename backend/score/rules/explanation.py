"""Why a score is what it is, and what would help: in words, in order of effect."""

from uuid import UUID

import msgspec

from backend.score.rules.engine import Contribution, ScoreResult, Tally, ratio_value
from backend.score.rules.scorecard import Indicator, Scorecard

REASONS_MAX = 4
HELPS_MAX = 3


class Reason(msgspec.Struct, frozen=True):
    """One thing that moved a score: by how many points, in words, the newest records behind it."""

    indicator: str
    dimension: str
    effect_points: int
    text_zh: str
    text_en: str
    record_ids: list[UUID]


class Help(msgspec.Struct, frozen=True):
    """One thing the person can do, and the points it would give if it stood there today."""

    indicator: str
    dimension: str
    gain_points: int
    text_zh: str
    text_en: str


class Explanation(msgspec.Struct, frozen=True):
    """What is kept beside a score, sealed: its reasons, what would help, and the whole trace."""

    base_points: int
    reasons: list[Reason]
    helps: list[Help]
    contributions: list[Contribution]


def explain(scorecard: Scorecard, result: ScoreResult) -> Explanation:
    """Put a result into words: at most REASONS_MAX reasons and HELPS_MAX things that help."""
    indicators = {indicator.code: indicator for indicator in scorecard.indicators}
    moved = [each for each in result.contributions if each.effect_points != 0]
    moved.sort(key=lambda each: (-abs(each.effect_points), each.effect_points, each.indicator))
    return Explanation(
        base_points=result.base_points,
        reasons=[_reason(indicators[each.indicator], each) for each in moved[:REASONS_MAX]],
        helps=_helps(scorecard, result),
        contributions=result.contributions,
    )


def _reason(indicator: Indicator, contribution: Contribution) -> Reason:
    value = contribution.value
    return Reason(
        indicator=indicator.code,
        dimension=indicator.dimension,
        effect_points=contribution.effect_points,
        text_zh=_worded(indicator.text_zh, indicator, value),
        text_en=_worded(indicator.text_en, indicator, value),
        record_ids=contribution.record_ids,
    )


def _helps(scorecard: Scorecard, result: ScoreResult) -> list[Help]:
    """Try one step of each thing a person can do, and keep what gives most under the caps."""
    caps = {dimension.code: dimension.cap_points for dimension in scorecard.dimensions}
    given = {each.indicator: each.points for each in result.contributions}
    helps: list[Help] = []
    for indicator in scorecard.indicators:
        if not indicator.can_act:
            continue
        value = _one_step_on(indicator, result.tallies[indicator.code])
        own = [each for each in scorecard.indicators if each.dimension == indicator.dimension]
        others = sum(given[each.code] for each in own if each.code != indicator.code)
        reached = min(caps[indicator.dimension], others + indicator.points_at(value))
        gain_points = reached - result.dimensions[indicator.dimension]
        if gain_points > 0:
            helps.append(
                Help(
                    indicator=indicator.code,
                    dimension=indicator.dimension,
                    gain_points=gain_points,
                    text_zh=_worded(indicator.help_zh, indicator, value),
                    text_en=_worded(indicator.help_en, indicator, value),
                )
            )
    helps.sort(key=lambda each: (-each.gain_points, each.indicator))
    return helps[:HELPS_MAX]


def _one_step_on(indicator: Indicator, tallied: Tally) -> int:
    """Return the value after one step in the direction that can only help."""
    if indicator.aggregate == "ratio":
        return ratio_value(indicator, tallied.good + indicator.help_step, tallied.bad)
    if indicator.curve[0][1] > indicator.curve[-1][1]:
        return max(0, tallied.value - indicator.help_step)
    return tallied.value + indicator.help_step


def _worded(text: str, indicator: Indicator, value: int) -> str:
    return text.format(value=value, percent=value // 10, step=indicator.help_step)
