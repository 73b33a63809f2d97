"""The scorecard: how conduct becomes points, as data that is proved before it is used.

Proved: points stay in range and are whole numbers; more or better conduct never takes points
away and worse conduct never gives any; where there is no data an indicator stands at its neutral
value, which is never better than the least good conduct nor worse than the least bad one. What
the proof rests on is said beside each aggregate in `_direction`.
"""

import hashlib
import re
import tomllib
from collections import Counter
from collections.abc import Mapping
from itertools import pairwise
from string import Formatter
from typing import Any, Literal

import msgspec

from backend.record.rules.catalogue import (
    DIMENSIONS,
    Catalogue,
    DataFault,
    Dimension,
    RecordClass,
    convert_tables,
)

Aggregate = Literal["count", "sum", "max", "tenure_months", "months_since", "ratio"]

PERMILLE = 1_000
WINDOW_MONTHS_MAX = 600
VALUE_MAX = 1_000_000_000
CURVE_POINTS_MAX = 16
MAX_INDICATORS = 200

_CODE = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*")
# 产品原则 1: no tier may be named as a blemish.
_NEGATIVE_ZH = ("差", "失信", "黑", "劣", "不良", "低", "警", "风险", "禁")
_NEGATIVE_EN = re.compile(r"\b(?:bad|poor|low|black|risk\w*|fail\w*|untrust\w*|warning|danger)\b")


class Tier(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A named part of the range, from `from_points` up to the next tier."""

    code: str
    name_zh: str
    name_en: str
    from_points: int


class DimensionCap(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The most points one dimension can give."""

    code: Dimension
    name_zh: str
    name_en: str
    cap_points: int


class Indicator(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One thing that is looked at: an aggregate over records, and the curve that gives points.

    `curve` holds (value, points) corners, straight between them and level outside; values count
    records, units, months or permille as `aggregate` says. `against` is the other side of a ratio.
    """

    code: str
    dimension: Dimension
    name_zh: str
    name_en: str
    aggregate: Aggregate
    classes: list[str]
    window_months: int
    neutral_value: int
    neutral_points: int
    curve: list[tuple[int, int]]
    text_zh: str
    text_en: str
    can_act: bool
    against: list[str] = []
    minimum_count: int = 0
    help_step: int = 0
    help_zh: str = ""
    help_en: str = ""

    def points_at(self, value: int) -> int:
        """Return the points at a value: straight between corners, rounded towards the left one.

        Only non-negative whole numbers are divided, so that every engine gives the same bits.
        """
        left_value, left_points = self.curve[0]
        if value <= left_value:
            return left_points
        for right_value, right_points in self.curve[1:]:
            if value < right_value:
                run, width = value - left_value, right_value - left_value
                if right_points >= left_points:
                    return left_points + (right_points - left_points) * run // width
                return left_points - (left_points - right_points) * run // width
            left_value, left_points = right_value, right_points
        return left_points

    @property
    def points_max(self) -> int:
        """The most points this indicator can give."""
        return max(points for _, points in self.curve)


class Scorecard(msgspec.Struct, frozen=True, kw_only=True):
    """A proved scorecard; `digest` is the SHA-256 of the file it came from."""

    version: str
    range_points: int
    tiers: list[Tier]
    dimensions: list[DimensionCap]
    indicators: list[Indicator]
    digest: bytes

    def tier_at(self, points: int) -> Tier:
        """Return the tier a number of points lies in."""
        return next(tier for tier in reversed(self.tiers) if points >= tier.from_points)


def load_scorecard(text: str, catalogue: Catalogue) -> Scorecard:
    """Read and prove a scorecard (TOML); raises DataFault with every fault found."""
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as fault:
        raise DataFault([f"scorecard: not TOML: {fault}"]) from None
    digest = hashlib.sha256(text.encode()).digest()
    return prove_scorecard(raw, digest=digest, catalogue=catalogue)


def restore_scorecard(text: str) -> Scorecard:
    """Read a scorecard that was proved when it was submitted, without proving it again.

    The catalogue may have moved on since; what was worked out with a scorecard still has to be
    worked out again to the same bits.
    """
    raw = tomllib.loads(text)
    return Scorecard(
        version=raw["version"],
        range_points=raw["range_points"],
        tiers=msgspec.convert(raw["tier"], list[Tier]),
        dimensions=msgspec.convert(raw["dimension"], list[DimensionCap]),
        indicators=msgspec.convert(raw["indicator"], list[Indicator]),
        digest=hashlib.sha256(text.encode()).digest(),
    )


def prove_scorecard(raw: Mapping[str, Any], *, digest: bytes, catalogue: Catalogue) -> Scorecard:
    """Build a scorecard from its tables; raises DataFault with every fault found."""
    faults: list[str] = []
    version, range_points = raw.get("version"), raw.get("range_points")
    if not isinstance(version, str) or not version:
        faults.append("version must be a text")
    if not isinstance(range_points, int):
        faults.append("range_points must be a whole number")
        range_points = 0
    unknown = raw.keys() - {"version", "range_points", "tier", "dimension", "indicator"}
    faults += [f"unknown member {name}" for name in sorted(unknown)]
    tiers = convert_tables(raw.get("tier"), Tier, "tier", faults)
    dimensions = convert_tables(raw.get("dimension"), DimensionCap, "dimension", faults)
    indicators = convert_tables(raw.get("indicator"), Indicator, "indicator", faults)
    faults += _tier_faults(tiers, range_points)
    for indicator in indicators:
        found = _indicator_faults(indicator, catalogue)
        faults += [f"indicator {indicator.code}: {fault}" for fault in found]
    counted = Counter(indicator.code for indicator in indicators)
    faults += [f"indicator {code}: given twice" for code, count in counted.items() if count > 1]
    if not 1 <= len(indicators) <= MAX_INDICATORS:
        faults.append(f"a scorecard has 1 to {MAX_INDICATORS} indicators")
    faults += _dimension_faults(dimensions, indicators, range_points)
    if faults:
        raise DataFault(faults)
    return Scorecard(
        version=str(version),
        range_points=range_points,
        tiers=tiers,
        dimensions=dimensions,
        indicators=indicators,
        digest=digest,
    )


def _tier_faults(tiers: list[Tier], range_points: int) -> list[str]:
    faults: list[str] = []
    starts = [tier.from_points for tier in tiers]
    if not starts or starts[0] != 0 or any(left >= right for left, right in pairwise(starts)):
        faults.append("tiers begin at 0 and rise")
    if starts and starts[-1] > range_points:
        faults.append("the last tier begins beyond the range")
    for tier in tiers:
        chinese = [word for word in _NEGATIVE_ZH if word in tier.name_zh]
        english = _NEGATIVE_EN.findall(f"{tier.code} {tier.name_en}".replace("_", " ").lower())
        if chinese or english:
            faults.append(f"tier {tier.code}: a negative name ({', '.join(chinese + english)})")
    counted = Counter(tier.code for tier in tiers)
    return faults + [f"tier {code}: given twice" for code, count in counted.items() if count > 1]


def _dimension_faults(
    dimensions: list[DimensionCap], indicators: list[Indicator], range_points: int
) -> list[str]:
    faults: list[str] = []
    if sorted(item.code for item in dimensions) != sorted(DIMENSIONS):
        faults.append(f"the dimensions are {', '.join(DIMENSIONS)}, each once")
    if sum(item.cap_points for item in dimensions) != range_points:
        faults.append("the caps of the dimensions must add up to range_points")
    for item in dimensions:
        own = [indicator for indicator in indicators if indicator.dimension == item.code]
        if item.cap_points < 0:
            faults.append(f"dimension {item.code}: a cap below zero")
        if sum(indicator.neutral_points for indicator in own) > item.cap_points:
            faults.append(f"dimension {item.code}: neutral points exceed the cap")
        if sum(indicator.points_max for indicator in own if indicator.curve) < item.cap_points:
            faults.append(f"dimension {item.code}: the cap can't be reached")
        if any(indicator.points_max > item.cap_points for indicator in own if indicator.curve):
            faults.append(f"dimension {item.code}: an indicator gives more than the cap")
    return faults


def _indicator_faults(item: Indicator, catalogue: Catalogue) -> list[str]:
    faults: list[str] = []
    if not _CODE.fullmatch(item.code):
        faults.append("a code is lower_snake_case")
    if not item.classes:
        faults.append("looks at no class")
    if len({*item.classes, *item.against}) != len(item.classes) + len(item.against):
        faults.append("names a class twice")
    classes = [catalogue.classes[code] for code in item.classes if code in catalogue.classes]
    against = [catalogue.classes[code] for code in item.against if code in catalogue.classes]
    unknown = {*item.classes, *item.against} - catalogue.classes.keys()
    faults += [f"class {code} is not in the catalogue" for code in sorted(unknown)]
    for record_class in classes + against:
        if record_class.dimension != item.dimension:
            faults.append(f"class {record_class.code} belongs to {record_class.dimension}")
        if record_class.sensitivity != "plain":
            faults.append(f"class {record_class.code} needs a written consent: never scored")
    faults += _window_faults(item, classes + against)
    faults += _curve_faults(item)
    if item.curve and not unknown and item.classes:
        faults += _direction_faults(item, classes, against)
    return faults + _text_faults(item)


def _window_faults(item: Indicator, classes: list[RecordClass]) -> list[str]:
    """Refuse a window that looks back further than the catalogue keeps what it looks for."""
    if not 1 <= item.window_months <= WINDOW_MONTHS_MAX:
        return [f"window_months must be 1 to {WINDOW_MONTHS_MAX}"]
    kept = [each.retention_months for each in classes if not each.is_adverse]
    published = [each.publication_max_months or 0 for each in classes if each.is_adverse]
    if any(months < item.window_months for months in kept):
        return ["window_months is longer than a class is kept"]
    if published and not kept and max(published) < item.window_months:
        return ["window_months is longer than its classes are published"]
    return []


def _curve_faults(item: Indicator) -> list[str]:
    if not 1 <= len(item.curve) <= CURVE_POINTS_MAX:
        return [f"a curve has 1 to {CURVE_POINTS_MAX} corners"]
    faults: list[str] = []
    if any(left >= right for (left, _), (right, _) in pairwise(item.curve)):
        faults.append("the values of a curve rise")
    if any(not 0 <= value <= VALUE_MAX for value, _ in item.curve):
        faults.append(f"the values of a curve lie in 0 to {VALUE_MAX}")
    if item.curve[0][1] == item.curve[-1][1]:
        # 个人信息保护法 6; and a programme's rule takes from the curve which way is better.
        faults.append("the curve is level: what moves nothing is not looked at")
    if any(points < 0 for _, points in item.curve):
        faults.append("no indicator gives less than 0 points")
    if item.points_at(item.neutral_value) != item.neutral_points:
        there = item.points_at(item.neutral_value)
        faults.append(f"neutral_points must be what the curve gives at neutral_value: {there}")
    return faults


def _direction_faults(
    item: Indicator, classes: list[RecordClass], against: list[RecordClass]
) -> list[str]:
    """Prove that good conduct never takes points and bad conduct never gives any.

    count, sum, max: one more record, or a larger quantity, never makes them smaller; with none
    they are 0. tenure_months: the longest one; the same. months_since: a further record can only
    make it smaller; with none it is taken as the whole window. ratio: what is missing up to
    `minimum_count` is taken as neutral, so that the first records pull it from the neutral value
    step by step: more on the good side never makes it smaller, more on the other never larger.
    """
    faults: list[str] = []
    adverse = [record_class.is_adverse for record_class in classes]
    if any(adverse) != all(adverse):
        return ["mixes adverse classes with others"]
    is_bad = all(adverse)
    points = [corner[1] for corner in item.curve]
    must_rise = (item.aggregate == "months_since") == is_bad
    if must_rise and any(left > right for left, right in pairwise(points)):
        faults.append("the curve falls: more or better conduct would take points away")
    if not must_rise and any(left < right for left, right in pairwise(points)):
        faults.append("the curve rises: more or worse adverse conduct would give points")
    if item.aggregate == "ratio":
        return faults + _ratio_faults(item, is_bad=is_bad, against=against)
    if item.against or item.minimum_count:
        faults.append("against and minimum_count belong to a ratio")
    if item.aggregate == "tenure_months" and is_bad:
        faults.append("tenure_months is for conduct that lasts, not for adverse classes")
    if item.aggregate == "months_since":
        if item.neutral_value != item.window_months or item.curve[-1][0] > item.window_months:
            faults.append("months_since: neutral_value is window_months, the curve ends within it")
    elif item.neutral_value != 0:
        faults.append("neutral_value is 0: nothing reported is a count of nothing")
    return faults


def _ratio_faults(item: Indicator, *, is_bad: bool, against: list[RecordClass]) -> list[str]:
    faults: list[str] = []
    if is_bad or not all(record_class.is_adverse for record_class in against) or not against:
        faults.append("a ratio sets good classes against adverse ones")
    if item.minimum_count < 1:
        faults.append("a ratio needs a minimum_count")
    if not 0 <= item.neutral_value <= PERMILLE or item.curve[-1][0] > PERMILLE:
        faults.append("a ratio lies between 0 and 1000 (permille)")
    return faults


def _text_faults(item: Indicator) -> list[str]:
    faults: list[str] = []
    texts = {"text_zh": item.text_zh, "text_en": item.text_en}
    helps = {"help_zh": item.help_zh, "help_en": item.help_en}
    for name, text in ({**texts, **helps} if item.can_act else texts).items():
        if not text.strip():
            faults.append(f"{name} is empty")
        try:
            fields = {field for _, field, _, _ in Formatter().parse(text) if field is not None}
        except ValueError:
            fields = {text}
        if fields - {"value", "percent", "step"}:
            faults.append(f"{name} may use {{value}}, {{percent}} and {{step}} only")
    if item.can_act and (item.help_step < 1 or item.aggregate in {"tenure_months", "months_since"}):
        faults.append("what a person can do is a help_step of 1 or more, and never to wait")
    if not item.can_act and (item.help_step or any(helps.values())):
        faults.append("help is for what a person can do something about")
    return faults
