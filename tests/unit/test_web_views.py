"""Goal: what a page shows is what the rooms decided, in words and lengths people read right.

Method: the pure functions that build views, on decisions made by hand and the scorecard in force.
"""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.kit.problem import PROBLEMS
from backend.programme.rules.fact import Unit
from backend.programme.rules.offer import Lack, OfferState
from backend.programme.rules.rule import Comparison
from backend.score.service import packaged_scorecard
from backend.web import programmes
from backend.web.error import error_view
from backend.web.error_words import ERROR_WORDS
from backend.web.programmes import lack_text
from backend.web.score import place_on_scale, with_sign
from backend.web.sign_in import way_back
from backend.web.words import Text


def lack(unit: Unit, comparison: Comparison, current: int | None, needed: int) -> Lack:
    return Lack("indicator.x", "名称", "Name", unit, comparison, current, needed)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (
            lack(Unit.POINTS, Comparison.AT_LEAST, 540, 600),
            Text(
                "名称至少 600 分（您现在 540 分）", "Name: at least 600 points (yours: 540 points)"
            ),
        ),
        (
            lack(Unit.COUNT, Comparison.AT_MOST, 3, 2),
            Text("名称至多 2（您现在 3）", "Name: at most 2 (yours: 3)"),
        ),
        (
            lack(Unit.PERMILLE, Comparison.AT_LEAST, 805, 900),
            Text("名称至少 90%（您现在 80.5%）", "Name: at least 90% (yours: 80.5%)"),
        ),
        (
            lack(Unit.MONTHS, Comparison.AT_LEAST, None, 12),
            Text("名称至少 12 个月（还没有数据）", "Name: at least 12 months (no data yet)"),
        ),
    ],
)
def test_what_is_missing_is_said_with_units_and_the_own_value(found: Lack, expected: Text) -> None:
    assert lack_text(found) == expected


def test_the_mark_stands_above_the_name_of_its_tier() -> None:
    scorecard = packaged_scorecard()
    width = 1000 / len(scorecard.tiers)
    for index, tier in enumerate(scorecard.tiers):
        assert place_on_scale(tier.from_points, scorecard) == round(index * width)
    assert place_on_scale(scorecard.range_points, scorecard) == 1000


@given(st.integers(0, 999))
def test_more_points_never_stand_further_left(points: int) -> None:
    scorecard = packaged_scorecard()
    assert place_on_scale(points, scorecard) <= place_on_scale(points + 1, scorecard) <= 1000


def test_effects_carry_a_sign_as_wide_as_a_digit() -> None:
    assert [with_sign(points) for points in (12, 0, -8)] == ["+12", "+0", "−8"]


def test_every_state_of_an_offer_has_words_and_a_place() -> None:
    assert set(programmes._STATES) == set(OfferState) == set(programmes._ORDER)
    assert set(programmes._UNITS) == set(Unit)


def test_the_words_of_refusals_are_of_codes_that_exist_and_are_in_order() -> None:
    assert ERROR_WORDS.keys() <= PROBLEMS.keys()
    assert list(ERROR_WORDS) == sorted(ERROR_WORDS)
    for words in ERROR_WORDS.values():
        assert all((words.title.zh, words.title.en, words.detail.zh, words.detail.en))


def test_a_code_without_words_of_its_own_shows_its_title() -> None:
    view = error_view("body_too_large", {}, request_id="r")
    assert view.words.title == Text("请求内容过大", "The body is too large")
    until = datetime(2026, 11, 27, tzinfo=UTC)
    assert error_view("consent_cooling_down", {"until": until}, request_id="r").until == until


@pytest.mark.parametrize(
    ("to", "href"),
    [("programmes", "/programmes"), ("", "/"), ("https://evil.example", "/"), ("consent", "/")],
)
def test_a_way_back_is_a_page_of_the_table_or_home(to: str, href: str) -> None:
    assert way_back(to=to, request_uri="") == href
