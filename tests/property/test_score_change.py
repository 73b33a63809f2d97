"""Goal: what changed between two scores adds up exactly, whatever the scores and the scorecards.

Method: Hypothesis draws scorecards that the loader proves, different ones too, and any values of
their indicators; the items are added up and held against the points worked out apart from them.
Product line 8.
"""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.score.rules.change import Standing, Unit, compare, plural, units_of
from backend.score.rules.contribution import base_points, total_points, weigh
from backend.score.rules.scorecard import Scorecard
from tests.property.score_worlds import CATALOGUE, SHIPPED, scorecards

LARGE = 1_000_000_000


@st.composite
def standings(draw: st.DrawFn, versions: tuple[str, ...] = ("one",)) -> Standing:
    """A scorecard and any values of its indicators."""
    scorecard = draw(scorecards)
    if draw(st.booleans()):
        scorecard = msgspec.structs.replace(scorecard, version=draw(st.sampled_from(versions)))
    value = st.integers(0, 70) | st.integers(0, LARGE)
    return Standing(scorecard, [draw(value) for _ in scorecard.indicators])


def independent_points(scorecard: Scorecard, values: list[int]) -> int:
    """The points by the definition: each dimension's sum under its cap."""
    total = 0
    for dimension in scorecard.dimensions:
        own = [
            indicator.points_at(value)
            for indicator, value in zip(scorecard.indicators, values, strict=True)
            if indicator.dimension == dimension.code
        ]
        total += min(dimension.cap_points, sum(own))
    return total


@given(standings())
def test_effects_add_up_to_the_way_from_the_base_to_the_score(standing: Standing) -> None:
    scorecard, values = standing
    lines = weigh(scorecard, values)
    assert [each.indicator for each in lines] == [each.code for each in scorecard.indicators]
    total = base_points(scorecard) + sum(each.effect_points for each in lines)
    assert total == total_points(scorecard, values) == independent_points(scorecard, [*values])
    for each in lines:
        moved = each.points - each.neutral_points
        assert min(moved, 0) <= each.effect_points <= max(moved, 0)


@given(standings(), standings(("another",)))
def test_the_items_add_up_to_the_difference_also_across_scorecards(
    before: Standing, after: Standing
) -> None:
    if before.scorecard.version == after.scorecard.version:
        after = Standing(before.scorecard, (after.values * 9)[: len(before.values)])
        if len(after.values) < len(before.values):
            after = before
    found = compare(before, after, units={})
    assert found.points_before == independent_points(before.scorecard, [*before.values])
    assert found.points_after == independent_points(after.scorecard, [*after.values])
    base = 0 if found.base is None else found.base.delta_points
    moved = base + sum(each.delta_points for each in found.items)
    assert moved == found.points_after - found.points_before
    assert (found.base is None) == (before.scorecard.version == after.scorecard.version)
    sizes = [abs(each.delta_points) for each in found.items]
    assert sizes == sorted(sizes, reverse=True)


@given(standings())
def test_between_a_score_and_itself_nothing_changed(standing: Standing) -> None:
    found = compare(standing, standing, units=units_of(SHIPPED, CATALOGUE))
    assert (found.base, found.items) == (None, [])


@given(standings(), standings(("another",)))
def test_the_way_back_is_the_way_there_with_other_signs(before: Standing, after: Standing) -> None:
    if before.scorecard.version == after.scorecard.version:
        return
    there, back = compare(before, after, units={}), compare(after, before, units={})
    moved = {each.indicator: each.delta_points for each in there.items}
    assert moved == {each.indicator: -each.delta_points for each in back.items}


UNITS = units_of(SHIPPED, CATALOGUE)
CODES = [each.code for each in SHIPPED.indicators]


def shipped(**values: int) -> Standing:
    """Where somebody stands on the shipped scorecard; what is not given is neutral."""
    return Standing(
        SHIPPED, [values.get(each.code, each.neutral_value) for each in SHIPPED.indicators]
    )


@pytest.mark.parametrize(
    ("code", "then", "now", "zh", "en"),
    [
        (
            *("volunteer_hours", 12, 18),
            "志愿服务时长：从 12 小时变为 18 小时",
            "Volunteer hours: from 12 to 18 hours",
        ),
        (
            *("volunteer_hours", 0, 1),
            "志愿服务时长：从 0 小时变为 1 小时",
            "Volunteer hours: from 0 to 1 hour",
        ),
        (
            *("utility_on_time", 800, 805),
            "水电气费按期缴纳比例：从 80%变为 80.5%",
            "Utility bills paid on time: from 80 to 80.5%",
        ),
        (
            *("penalties", 1, 0),
            "行政处罚：从 1 项变为 0 项",
            "Administrative penalties: from 1 to 0 records",
        ),
        (
            *("residence_months", 12, 13),
            "居住登记时长：从 12 个月变为 13 个月",
            "Length of residence registration: from 12 to 13 months",
        ),
    ],
)
def test_an_item_says_from_what_to_what(code: str, then: int, now: int, zh: str, en: str) -> None:
    (item,) = compare(shipped(**{code: then}), shipped(**{code: now}), units=UNITS).items
    assert (item.text_zh, item.text_en) == (zh, en)
    assert (item.value_before, item.value_after) == (then, now)


def test_what_another_scorecard_counts_otherwise_is_said_as_each_of_them_counts_it() -> None:
    (place,) = (n for n, each in enumerate(SHIPPED.indicators) if each.code == "library_returns")
    indicators = [*SHIPPED.indicators]
    indicators[place] = msgspec.structs.replace(
        indicators[place],
        aggregate="ratio",
        against=["library_overdue"],
        minimum_count=3,
        neutral_value=500,
        curve=[(0, 0), (500, 10), (1000, 45)],
    )
    other = msgspec.structs.replace(SHIPPED, version="another", indicators=indicators)
    values = [each.neutral_value for each in indicators]
    values[place] = 900
    found = compare(
        shipped(library_returns=5),
        Standing(other, values),
        units=units_of(other, CATALOGUE),
        units_before=UNITS,
    )
    (item,) = found.items
    assert item.text_zh == "图书按期归还：从 5 件变为 90%"
    assert item.text_en == "Library items returned on time: from 5 items to 90%"


def test_what_the_cap_takes_is_said_as_a_value_that_stands_still() -> None:
    full = {"residence_months": 200, "licence_months": 200}
    before, after = shipped(**full), shipped(**full, qualifications=3)
    items = {each.indicator: each for each in compare(before, after, units=UNITS).items}
    assert items["qualifications"].delta_points > 0
    assert items["licence_months"].delta_points < 0
    assert items["licence_months"].text_en.endswith("still 200 months")


def test_what_only_one_scorecard_looks_at_is_said_so() -> None:
    dropped = SHIPPED.indicators[-1]
    fewer = msgspec.structs.replace(SHIPPED, version="2027-1", indicators=SHIPPED.indicators[:-1])
    full = shipped(**{dropped.code: 3})
    found = compare(full, Standing(fewer, full.values[:-1]), units=UNITS)
    (item,) = found.items
    assert (item.value_before, item.value_after, item.effect_after) == (3, None, 0)
    assert item.text_en == f"Civic honours: only scorecard {SHIPPED.version} looks at it"
    assert found.base is not None
    assert found.base.delta_points == -dropped.neutral_points
    assert found.base.text_zh.startswith(f"按评分卡 2027-1 而不是 {SHIPPED.version}：")
    back = compare(Standing(fewer, full.values[:-1]), full, units=UNITS).items[0]
    assert back.text_en == f"{item.text_en}, at 3 records", "true in both directions of time"


def test_a_scorecard_that_moves_nobodys_start_is_named_all_the_same() -> None:
    renamed = Standing(msgspec.structs.replace(SHIPPED, version="2027-1"), shipped().values)
    found = compare(shipped(), renamed, units=UNITS)
    assert found.base is not None
    assert (found.base.delta_points, found.items) == (0, [])
    assert "is still" in found.base.text_en


def test_a_unit_nobody_knows_any_more_is_left_out() -> None:
    (item,) = compare(shipped(ip_count=1), shipped(ip_count=2), units={}).items
    assert item.text_en == "Intellectual property: from 1 to 2"
    assert UNITS["tax_level"] == Unit("级", "level")


def test_english_plurals_are_regular() -> None:
    assert [plural(each) for each in ("hour", "match", "copy", "day", "pass")] == [
        *("hours", "matches", "copies", "days", "passes"),
    ]
