"""Goal: whatever the loader accepts keeps product line 9 in the engine: its proof has no hole.

Method: random scorecards are spoilt at random places (curves, windows, neutral values, classes,
aggregates), points and caps are made to fit again so that many still look right, and what the
loader lets pass is tried with random records: more good conduct, less adverse, bounds.
"""

from typing import Any

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from backend.record.rules.catalogue import DIMENSIONS, DataFault
from backend.score.rules.engine import score_records
from backend.score.rules.scorecard import Indicator, Scorecard
from tests.property.score_worlds import (
    ADVERSE,
    AS_OF,
    CATALOGUE,
    GOOD,
    histories,
    prove,
    raw_scorecards,
    records,
)

AGGREGATES = ["count", "sum", "max", "tenure_months", "months_since", "ratio"]


@st.composite
def spoilt(draw: st.DrawFn) -> dict[str, Any]:
    """The tables of a scorecard of which a few members were replaced by anything at all."""
    raw = draw(raw_scorecards())
    for indicator in raw["indicator"]:
        for member in draw(st.sets(st.sampled_from(sorted(_ANYTHING)), max_size=3)):
            indicator[member] = draw(_ANYTHING[member](indicator))
        curve = indicator["curve"]
        if curve and draw(st.booleans()):
            values = sorted({value for value, _ in curve})
            indicator["curve"] = [
                [value, points] for value, (_, points) in zip(values, curve, strict=False)
            ]
        indicator["neutral_points"] = _points_at(indicator)
    for dimension in raw["dimension"]:
        own = [each for each in raw["indicator"] if each["dimension"] == dimension["code"]]
        most = [max((corner[1] for corner in each["curve"]), default=0) for each in own]
        least = max([sum(each["neutral_points"] for each in own), *most, 0])
        dimension["cap_points"] = draw(st.integers(least, max(least, sum(most))))
    raw["range_points"] = sum(each["cap_points"] for each in raw["dimension"])
    return raw


_CLASSES = st.lists(st.sampled_from([*CATALOGUE.classes]), max_size=3)
_ANYTHING: dict[str, Any] = {
    "aggregate": lambda _: st.sampled_from(AGGREGATES),
    "against": lambda _: _CLASSES,
    "classes": lambda each: (
        _CLASSES
        | st.lists(
            st.sampled_from(
                [c for c, k in CATALOGUE.classes.items() if k.dimension == each["dimension"]]
            ),
            min_size=1,
            max_size=3,
        )
    ),
    "curve": lambda _: st.lists(
        st.tuples(st.integers(-1, 1_200), st.integers(-1, 60)).map(list), max_size=6
    ),
    "dimension": lambda _: st.sampled_from(DIMENSIONS),
    "minimum_count": lambda _: st.integers(-1, 6),
    "neutral_value": lambda _: st.integers(-1, 1_001),
    "window_months": lambda _: st.integers(0, 120),
}


def _points_at(indicator: dict[str, Any]) -> int:
    if not indicator["curve"]:
        return 0
    members = {name: indicator[name] for name in Indicator.__struct_fields__ if name in indicator}
    return Indicator(**members).points_at(indicator["neutral_value"])


def proved(raw: dict[str, Any]) -> Scorecard:
    """Return what the loader accepts; other examples say nothing here."""
    try:
        return prove(raw)
    except DataFault:
        assume(False)
        raise


def points(scorecard: Scorecard, history: list[Any]) -> int:
    """Score a history on the day all tests look at, within bounds."""
    result = score_records(scorecard, history, AS_OF)
    assert 0 <= result.points <= scorecard.range_points
    return result.points


often_refused = settings(suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])


@often_refused
@given(spoilt(), histories(), records(99, kinds=GOOD))
def test_whatever_is_accepted_never_takes_points_for_good_conduct(raw, history, more):
    scorecard = proved(raw)
    assert points(scorecard, [*history, more]) >= points(scorecard, history)


@often_refused
@given(spoilt(), histories(), records(99, kinds=ADVERSE))
def test_whatever_is_accepted_never_gives_points_for_adverse_conduct(raw, history, less):
    scorecard = proved(raw)
    assert points(scorecard, history) >= points(scorecard, [*history, less])


@often_refused
@given(spoilt(), st.lists(records(1, kinds=ADVERSE), max_size=3))
def test_whatever_is_accepted_puts_no_data_above_nothing_but_adverse(raw, adverse):
    scorecard = proved(raw)
    assert points(scorecard, []) >= points(scorecard, adverse)
