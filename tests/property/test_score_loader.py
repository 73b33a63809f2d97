"""Goal: whatever the loader accepts keeps product line 9 in the engine: its proof has no hole.

Method: a few indicators of the shipped scorecard are spoilt at random places (curves, windows,
neutral values, classes, aggregates), often made to fit again so that many still look right, and
what the loader lets pass is tried with random records of what it looks at: more good conduct,
less adverse, bounds. A record is drawn only for a scorecard that was accepted.
"""

import tomllib
from importlib.resources import files
from itertools import combinations
from typing import Any

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from backend.record.rules.catalogue import DIMENSIONS, DataFault, RecordClass
from backend.record.rules.life import Record
from backend.score.rules.engine import score_records
from backend.score.rules.scorecard import Indicator, Scorecard
from tests.property.score_worlds import ADVERSE, AS_OF, CATALOGUE, DAYS_AGO, GOOD, prove, records

AGGREGATES = ["count", "sum", "max", "tenure_months", "months_since", "ratio"]
SHIPPED = tomllib.loads((files("backend.score") / "data" / "scorecard-2026-2.toml").read_text())
OF_DIMENSION = {
    code: [each.code for each in CATALOGUE.classes.values() if each.dimension == code]
    for code in DIMENSIONS
}
# Corners that go the one way or the other, or any way, and now and then out of all bounds.
_CORNERS = st.lists(st.tuples(st.integers(-1, 60), st.integers(-1, 60)), min_size=2, max_size=4)
_WAYS = st.sampled_from(["rises", "rises", "falls", "falls", "values rise", "as drawn"])


@st.composite
def _curves(draw: st.DrawFn) -> list[list[int]]:
    corners, way = draw(_CORNERS), draw(_WAYS)
    values, points = zip(*corners, strict=True)
    if way != "as drawn":
        values = tuple(sorted({*values}))
    if way in {"rises", "falls"}:
        points = tuple(sorted(points, reverse=way == "falls"))
    scale = draw(st.sampled_from([1, 20]))  # to both ends of a permille
    return [[value * scale, each] for value, each in zip(values, points, strict=False)]


_CLASSES = {
    code: st.lists(st.sampled_from(own), min_size=1, max_size=3)
    | st.lists(st.sampled_from([*CATALOGUE.classes]), max_size=3)
    for code, own in OF_DIMENSION.items()
}
_ANYTHING: dict[str, st.SearchStrategy[Any]] = {
    "aggregate": st.sampled_from(AGGREGATES),
    "curve": _curves(),
    "dimension": st.sampled_from(DIMENSIONS),
    "minimum_count": st.integers(-1, 6),
    "neutral_value": st.integers(-1, 1_001),
    "window_months": st.integers(0, 60),
}
# The curve nearly as often as all others together: on it all rests.
_OTHERS = sorted({*_ANYTHING, "against", "classes"} - {"curve"})
_MEMBERS = st.sampled_from(
    [
        *([("curve",)] * 10 + [("curve", member) for member in _OTHERS] * 2),
        *((member,) for member in _OTHERS),
        *combinations(_OTHERS, 2),
    ]
)
# Most windows are short, and what lies outside of them moves nothing.
_DAYS = st.integers(0, 60) | DAYS_AGO
_CHOSEN = st.lists(st.integers(0, len(SHIPPED["indicator"]) - 1), min_size=1, max_size=2)
_FITS = st.sampled_from([True] * 5 + [False])


@st.composite
def spoilt(draw: st.DrawFn) -> dict[str, Any]:
    """The tables of a scorecard of which a few members were replaced by anything at all."""
    indicators = [dict(SHIPPED["indicator"][place]) for place in draw(_CHOSEN)]
    for number, indicator in enumerate(indicators):
        indicator["code"] = f"indicator_{number}"
        for member in draw(_MEMBERS):
            in_dimension = member in {"against", "classes"}
            anything = _CLASSES[indicator["dimension"]] if in_dimension else _ANYTHING[member]
            indicator[member] = draw(anything)
        if draw(_FITS):
            _make_fit(indicator)
        indicator["neutral_points"] = _points_at(indicator)
    dimensions = [dict(each) for each in SHIPPED["dimension"]]
    for dimension in dimensions:
        own = [each for each in indicators if each["dimension"] == dimension["code"]]
        most = [max(points for _, points in each["curve"]) for each in own]
        least = max([sum(each["neutral_points"] for each in own), *most, 0])
        dimension["cap_points"] = least
        if len(own) > 1:
            dimension["cap_points"] = draw(st.integers(least, max(least, sum(most))))
    return {
        "version": "spoilt",
        "range_points": sum(each["cap_points"] for each in dimensions),
        "tier": SHIPPED["tier"][:1],
        "dimension": dimensions,
        "indicator": indicators,
    }


def _make_fit(indicator: dict[str, Any]) -> None:
    """Put right what goes with an aggregate, so that not all are refused for it."""
    if indicator["aggregate"] == "months_since":
        indicator["neutral_value"] = indicator["window_months"]
    elif indicator["aggregate"] != "ratio":
        indicator["neutral_value"] = 0
    against = indicator.get("against", ())
    indicator["against"] = [each for each in against if each not in indicator["classes"]]
    if indicator["aggregate"] != "ratio":
        indicator["against"], indicator["minimum_count"] = [], 0
    # What people read about an aggregate is no business of the engine.
    for member in ("can_act", "help_step", "help_zh", "help_en"):
        indicator.pop(member, None)
    indicator["can_act"] = False


def _points_at(indicator: dict[str, Any]) -> int:
    members = {name: indicator[name] for name in Indicator.__struct_fields__ if name in indicator}
    return Indicator(**members).points_at(indicator["neutral_value"])


@st.composite
def cases(draw: st.DrawFn, kinds: list[RecordClass]) -> tuple[Scorecard, list[Record], Record]:
    """What the loader accepts, a history, and one record more; the refused say nothing here."""
    try:
        scorecard = prove(draw(spoilt()))
    except DataFault:
        assume(False)
        raise
    looked_at = {code for each in scorecard.indicators for code in (*each.classes, *each.against)}
    named = [CATALOGUE.classes[code] for code in sorted(looked_at)]
    more = draw(records(99, [each for each in kinds if each.code in looked_at] or kinds, _DAYS))
    history = [draw(records(number, named, _DAYS)) for number in range(draw(st.integers(0, 4)))]
    return scorecard, history, more


def points(scorecard: Scorecard, history: list[Record]) -> int:
    """Score a history on the day all tests look at, within bounds."""
    result = score_records(scorecard, history, AS_OF)
    assert 0 <= result.points <= scorecard.range_points
    return result.points


often_refused = settings(suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])


@often_refused
@given(cases(GOOD))
def test_whatever_is_accepted_never_takes_points_for_good_conduct(case):
    scorecard, history, more = case
    assert points(scorecard, [*history, more]) >= points(scorecard, history)


@often_refused
@given(cases(ADVERSE))
def test_whatever_is_accepted_never_gives_points_for_adverse_conduct(case):
    scorecard, history, less = case
    assert points(scorecard, history) >= points(scorecard, [*history, less])


@often_refused
@given(cases(ADVERSE))
def test_whatever_is_accepted_puts_no_data_above_nothing_but_adverse(case):
    scorecard, history, less = case
    adverse = [each for each in history if CATALOGUE.classes[each.class_code].is_adverse]
    assert points(scorecard, []) >= points(scorecard, [*adverse, less])
