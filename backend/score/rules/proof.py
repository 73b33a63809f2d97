"""The proof that a scorecard keeps its promises, before anybody is scored with it.

Proved: points stay in range and are whole numbers; more or better conduct never takes points
away and worse conduct never gives any; where there is no data an indicator stands at its neutral
value, which is never better than the least good conduct nor worse than the least bad one. What
the proof rests on is said beside each aggregate in `_direction_faults`.
"""

import hashlib
import json
import re
import tomllib
from collections import Counter
from collections.abc import Mapping
from itertools import pairwise
from string import Formatter
from typing import Any

import msgspec

from backend.record.rules.catalogue import (
    DIMENSIONS,
    Catalogue,
    DataFault,
    RecordClass,
    convert_tables,
)
from backend.score.rules.scorecard import (
    PERMILLE,
    VALUE_MAX,
    DimensionCap,
    Indicator,
    Scorecard,
    Tier,
)

DOCUMENT_BYTES_MAX = 1 << 20
RANGE_POINTS_MAX = 10_000
WINDOW_MONTHS_MAX = 600
CURVE_POINTS_MAX = 16
MINIMUM_COUNT_MAX = 10_000
MAX_INDICATORS = 200
NAME_LONGEST, TEXT_LONGEST = 60, 200

_CODE = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*")
_VERSION = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,38}[a-z0-9])?")
# 产品原则 1: no tier may be named as a blemish.
_NEGATIVE_ZH = ("差", "失信", "黑", "劣", "不良", "低", "警", "风险", "禁")
_NEGATIVE_EN = re.compile(r"\b(?:bad|poor|low|black|risk\w*|fail\w*|untrust\w*|warning|danger)\b")


def load_scorecard(text: str, catalogue: Catalogue) -> Scorecard:
    """Read and prove a scorecard (TOML, or JSON with the same members).

    Raises DataFault with every fault found.
    """
    digest = hashlib.sha256(text.encode()).digest()
    return prove_scorecard(_read(text), digest=digest, catalogue=catalogue)


def restore_scorecard(text: str) -> Scorecard:
    """Read a scorecard that was proved when it was submitted, without proving it again.

    The catalogue may have moved on since; what was worked out with a scorecard still has to be
    worked out again to the same bits.
    """
    raw = _read(text)
    return Scorecard(
        version=raw["version"],
        range_points=raw["range_points"],
        tiers=msgspec.convert(raw["tier"], list[Tier]),
        dimensions=msgspec.convert(raw["dimension"], list[DimensionCap]),
        indicators=msgspec.convert(raw["indicator"], list[Indicator]),
        digest=hashlib.sha256(text.encode()).digest(),
    )


def _read(text: str) -> dict[str, Any]:
    """Read a document; JSON is told from TOML by its first brace, which no TOML begins with."""
    if len(text.encode()) > DOCUMENT_BYTES_MAX:
        raise DataFault([f"scorecard: longer than {DOCUMENT_BYTES_MAX} bytes"])
    is_json = text.lstrip().startswith("{")
    try:
        raw = json.loads(text, object_pairs_hook=_once) if is_json else tomllib.loads(text)
    except (ValueError, RecursionError) as fault:
        # Numbers and nesting beyond all reason end up here too.
        raise DataFault([f"scorecard: not {'JSON' if is_json else 'TOML'}: {fault}"]) from None
    assert isinstance(raw, dict), "a brace opens an object"
    return raw


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse what JSON would let pass: a member given twice, of which the last one would count."""
    counted = Counter(name for name, _ in pairs)
    twice = [name for name, count in counted.items() if count > 1]
    if twice:
        raise ValueError(f"given twice: {', '.join(twice)}")
    return dict(pairs)


def prove_scorecard(raw: Mapping[str, Any], *, digest: bytes, catalogue: Catalogue) -> Scorecard:
    """Build a scorecard from its tables; raises DataFault with every fault found."""
    faults: list[str] = []
    version, range_points = raw.get("version"), raw.get("range_points")
    if not isinstance(version, str) or not _VERSION.fullmatch(version):
        faults.append("version must be a text of small letters, digits and . _ -, at most 40")
    # A bool is an int to Python, and nobody's range.
    if type(range_points) is not int or not 1 <= range_points <= RANGE_POINTS_MAX:
        faults.append(f"range_points must be a whole number, 1 to {RANGE_POINTS_MAX}")
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
    faults += _repeated("tier", [tier.code for tier in tiers])
    faults += _repeated("indicator", [indicator.code for indicator in indicators])
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


def _repeated(what: str, codes: list[str]) -> list[str]:
    return [f"{what} {code}: given twice" for code, count in Counter(codes).items() if count > 1]


def _name_faults(item: Tier | DimensionCap | Indicator) -> list[str]:
    """Look at what people read: it must be there, fit into a line, and show as it is stored."""
    faults: list[str] = []
    if not _CODE.fullmatch(item.code) or len(item.code) > NAME_LONGEST:
        faults.append("a code is lower_snake_case")
    for member in ("name_zh", "name_en"):
        name = getattr(item, member)
        if not name.strip() or len(name) > NAME_LONGEST or not name.isprintable():
            faults.append(f"{member} is 1 to {NAME_LONGEST} printable characters")
    return faults


def _tier_faults(tiers: list[Tier], range_points: int) -> list[str]:
    faults: list[str] = []
    starts = [tier.from_points for tier in tiers]
    if not starts or starts[0] != 0 or any(left >= right for left, right in pairwise(starts)):
        faults.append("tiers begin at 0 and rise")
    if starts and starts[-1] > range_points:
        faults.append("the last tier begins beyond the range")
    for tier in tiers:
        faults += [f"tier {tier.code}: {fault}" for fault in _name_faults(tier)]
        chinese = [word for word in _NEGATIVE_ZH if word in tier.name_zh]
        english = _NEGATIVE_EN.findall(f"{tier.code} {tier.name_en}".replace("_", " ").lower())
        if chinese or english:
            faults.append(f"tier {tier.code}: a negative name ({', '.join(chinese + english)})")
    return faults


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
        faults += [f"dimension {item.code}: {fault}" for fault in _name_faults(item)]
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
    faults = _name_faults(item)
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
    if item.curve and classes:
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
    if item.aggregate == "tenure_months" and not all(each.is_lasting for each in classes):
        # What does not last would seem to go on until its record is no longer kept.
        faults.append("tenure_months is for classes that last")
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
    if not 1 <= item.minimum_count <= MINIMUM_COUNT_MAX:
        faults.append(f"a ratio needs a minimum_count, 1 to {MINIMUM_COUNT_MAX}")
    if not 0 <= item.neutral_value <= PERMILLE or item.curve[-1][0] > PERMILLE:
        faults.append("a ratio lies between 0 and 1000 (permille)")
    elif item.points_at(item.neutral_value) <= item.points_at(0):
        # Product line 9: no data is neutral, not bad.
        faults.append("no data would stand where nothing but adverse records stands")
    return faults


def _text_faults(item: Indicator) -> list[str]:
    faults: list[str] = []
    texts = {"text_zh": item.text_zh, "text_en": item.text_en}
    helps = {"help_zh": item.help_zh, "help_en": item.help_en}
    for name, text in ({**texts, **helps} if item.can_act else texts).items():
        if not text.strip() or len(text) > TEXT_LONGEST or not text.isprintable():
            faults.append(f"{name} is 1 to {TEXT_LONGEST} printable characters")
        if not _is_plain_format(text):
            faults.append(f"{name} may use {{value}}, {{percent}} and {{step}} only")
    if item.help_step > VALUE_MAX:
        faults.append(f"help_step is {VALUE_MAX} at most")
    if item.can_act and (item.help_step < 1 or item.aggregate in {"tenure_months", "months_since"}):
        faults.append("what a person can do is a help_step of 1 or more, and never to wait")
    if not item.can_act and (item.help_step or any(helps.values())):
        faults.append("help is for what a person can do something about")
    return faults


def _is_plain_format(text: str) -> bool:
    """Say whether a text asks for its numbers as they are: no widths, no members, no nesting."""
    try:
        fields = [part[1:] for part in Formatter().parse(text) if part[1] is not None]
    except ValueError:
        return False
    return all(
        name in {"value", "percent", "step"} and not form and conversion is None
        for name, form, conversion in fields
    )
