"""What changed between two scores of one citizen, item by item, adding up exactly.

Two scores may come from different scorecards: then where everybody starts from is an item too, and
what only one of them looks at counts as unmoved in the other.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec

from backend.record.rules.catalogue import Catalogue
from backend.score.rules.contribution import Contribution, base_points, weigh
from backend.score.rules.scorecard import Indicator, Scorecard

_PERCENT = "%"


class Standing(NamedTuple):
    """Where somebody stood: a scorecard and the values of its indicators, in its order."""

    scorecard: Scorecard
    values: Sequence[int]


class Unit(msgspec.Struct, frozen=True):
    """What an indicator's values count; `en` is singular."""

    zh: str
    en: str


class BaseChange(msgspec.Struct, frozen=True):
    """How the scorecard moved the place where everybody without data stands."""

    points_before: int
    points_after: int
    delta_points: int
    text_zh: str
    text_en: str


class IndicatorChange(msgspec.Struct, frozen=True):
    """How one indicator moved a score; a value is None where the scorecard does not look at it."""

    indicator: str
    dimension: str
    name_zh: str
    name_en: str
    value_before: int | None
    value_after: int | None
    effect_before: int
    effect_after: int
    delta_points: int
    text_zh: str
    text_en: str


class Comparison(msgspec.Struct, frozen=True):
    """What changed: `base` when the scorecards differ, and every indicator that moved.

    The deltas add up to `points_after` minus `points_before`; the items that weigh most come
    first.
    """

    points_before: int
    points_after: int
    base: BaseChange | None
    items: list[IndicatorChange]


def units_of(scorecard: Scorecard, catalogue: Catalogue) -> dict[str, Unit]:
    """Return what the values of each indicator count, by code; as the catalogue says today."""
    return {each.code: _unit(each, catalogue) for each in scorecard.indicators}


def compare(
    before: Standing,
    after: Standing,
    *,
    units: Mapping[str, Unit],
    units_before: Mapping[str, Unit] | None = None,
) -> Comparison:
    """Return what changed between two scores.

    `units` name what the values count, by indicator; `units_before` where the scorecard before
    counted otherwise.
    """
    lines_before = {each.indicator: each for each in weigh(*before)}
    lines_after = {each.indicator: each for each in weigh(*after)}
    looks_before = _looks(before.scorecard, units if units_before is None else units_before)
    looks_after = _looks(after.scorecard, units)
    items = [
        _item(looks_before.get(code, look), look, lines_before.get(code), lines_after.get(code))
        for code, look in (looks_before | looks_after).items()
    ]
    base_before, base_after = base_points(before.scorecard), base_points(after.scorecard)
    base = _base(before.scorecard, after.scorecard, base_before, base_after)
    points_before = base_before + sum(each.effect_points for each in lines_before.values())
    points_after = base_after + sum(each.effect_points for each in lines_after.values())
    moved = sum(each.delta_points for each in items) + (base.delta_points if base else 0)
    assert moved == points_after - points_before, "the items add up to the difference"
    kept = [each for each in items if _is_worth_saying(each)]
    kept.sort(key=lambda each: (-abs(each.delta_points), each.indicator))
    return Comparison(points_before, points_after, base, kept)


class _Look(NamedTuple):
    """An indicator as one scorecard has it, what its values count, and which scorecard it is."""

    indicator: Indicator
    unit: Unit
    version: str


def _looks(scorecard: Scorecard, units: Mapping[str, Unit]) -> dict[str, _Look]:
    return {
        each.code: _Look(each, units.get(each.code, Unit("", "")), scorecard.version)
        for each in scorecard.indicators
    }


def _is_worth_saying(item: IndicatorChange) -> bool:
    is_in_both = item.value_before is not None and item.value_after is not None
    return item.delta_points != 0 or (is_in_both and item.value_before != item.value_after)


def _base(
    before: Scorecard, after: Scorecard, base_before: int, base_after: int
) -> BaseChange | None:
    if before.version == after.version:
        assert base_before == base_after, "a version is one scorecard"
        return None
    if base_before == base_after:
        zh, en = f"仍是 {base_after} 分", f"is still {base_after}"
    else:
        zh = f"从 {base_before} 分变为 {base_after} 分"
        en = f"went from {base_before} to {base_after}"
    return BaseChange(
        points_before=base_before,
        points_after=base_after,
        delta_points=base_after - base_before,
        text_zh=f"按评分卡 {after.version} 而不是 {before.version}：没有记录时的起点{zh}",
        text_en=f"By scorecard {after.version} instead of {before.version}: "
        f"where everybody without records starts {en}",
    )


def _item(
    look_before: _Look,
    look_after: _Look,
    before: Contribution | None,
    after: Contribution | None,
) -> IndicatorChange:
    indicator = look_after.indicator
    value_before = None if before is None else before.value
    value_after = None if after is None else after.value
    effect_before = 0 if before is None else before.effect_points
    effect_after = 0 if after is None else after.effect_points
    zh, en = _moved(look_before, look_after, value_before, value_after)
    return IndicatorChange(
        indicator=indicator.code,
        dimension=indicator.dimension,
        name_zh=indicator.name_zh,
        name_en=indicator.name_en,
        value_before=value_before,
        value_after=value_after,
        effect_before=effect_before,
        effect_after=effect_after,
        delta_points=effect_after - effect_before,
        text_zh=f"{indicator.name_zh}：{zh}",
        text_en=f"{indicator.name_en}: {en}",
    )


def _moved(
    look_before: _Look, look_after: _Look, before: int | None, after: int | None
) -> tuple[str, str]:
    """Say how a value moved: "从 12 小时变为 18 小时", "from 12 to 18 hours".

    Two scores may be compared backwards too, so none of two scorecards is called the new one.
    """
    if after is None:
        assert before is not None, "an indicator is in one of the two scorecards"
        return (
            f"只有评分卡 {look_before.version} 看这一项",
            f"only scorecard {look_before.version} looks at it",
        )
    indicator, unit, version = look_after
    now = _shown(indicator, after)
    if before is None:
        return (
            f"只有评分卡 {version} 看这一项：{now}{_zh(unit)}",
            f"only scorecard {version} looks at it, at {now}{_en(unit, after)}",
        )
    then, unit_before = _shown(look_before.indicator, before), look_before.unit
    if unit_before != unit:
        # Another scorecard counts something else under the same name: each number as it was meant.
        return f"从 {then}{_zh(unit_before)}变为 {now}{_zh(unit)}", (
            f"from {then}{_en(unit_before, before)} to {now}{_en(unit, after)}"
        )
    if before == after:
        return f"仍是 {now}{_zh(unit)}", f"still {now}{_en(unit, after)}"
    return f"从 {then}{_zh(unit)}变为 {now}{_zh(unit)}", f"from {then} to {now}{_en(unit, after)}"


def _shown(indicator: Indicator, value: int) -> str:
    return f"{value / 10:g}" if indicator.aggregate == "ratio" else str(value)


def _zh(unit: Unit) -> str:
    return f" {unit.zh}" if unit.zh not in {"", _PERCENT} else unit.zh


def _en(unit: Unit, count: int) -> str:
    if unit.en in {"", _PERCENT}:
        return unit.en
    return f" {unit.en}" if count == 1 else f" {plural(unit.en)}"


def plural(word: str) -> str:
    """Return the regular plural of an English word: hours, matches, copies."""
    if word.endswith(("s", "x", "ch", "sh")):
        return f"{word}es"
    if word.endswith("y") and word[-2:-1] not in set("aeiou"):
        return f"{word[:-1]}ies"
    return f"{word}s"


def _unit(indicator: Indicator, catalogue: Catalogue) -> Unit:
    if indicator.aggregate == "count":
        return Unit("项", "record")
    if indicator.aggregate in {"tenure_months", "months_since"}:
        return Unit("个月", "month")
    if indicator.aggregate == "ratio":
        return Unit(_PERCENT, _PERCENT)
    found = catalogue.classes.get(indicator.classes[0])
    return Unit("", "") if found is None else Unit(found.value.unit_zh, found.value.unit_en)
