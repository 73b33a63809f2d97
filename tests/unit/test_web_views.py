"""Goal: what a page shows is what the rooms decided, in words and lengths people read right.

Method: the pure functions that build views, on decisions made by hand and the scorecard in force.
"""

import re
from datetime import UTC, date, datetime
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend import web
from backend.kit.problem import PROBLEMS, Refusal
from backend.programme.rules.fact import Unit
from backend.programme.rules.offer import Lack, OfferState
from backend.programme.rules.rule import Comparison
from backend.score.rules.simulation import Add
from backend.score.service import packaged_scorecard
from backend.web import programmes
from backend.web.error import error_view
from backend.web.error_words import ERROR_WORDS
from backend.web.programmes import lack_text
from backend.web.records import record_lines, status_text
from backend.web.score import place_on_scale, with_sign
from backend.web.sign_in import way_back
from backend.web.simulation import SimulationForm, read_changes
from backend.web.words import Text
from tests.property.score_worlds import AS_OF, CATALOGUE, REPORTED_AT, make_record

TEMPLATES = Path(web.__file__).parent / "templates"
PAGES_WITH_FORMS = [
    page for page in sorted(TEMPLATES.rglob("*.html")) if "<form" in page.read_text("utf-8")
]


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


@pytest.mark.parametrize("page", PAGES_WITH_FORMS, ids=lambda page: page.name)
def test_what_does_not_show_comes_first_in_a_form(page: Path) -> None:
    """What follows a hidden field stands as close as what comes first: it must be that."""
    rest = re.sub(
        r"(<form[^>]*>)(\s*(?:<input type=\"hidden\"[^>]*>|\{%-? (?:if|endif)\b[^%]*%\}))*",
        r"\1",
        page.read_text("utf-8"),
    )
    assert 'type="hidden"' not in rest


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


TODAY = AS_OF


def test_a_line_of_a_record_leads_to_the_page_that_begins_with_it() -> None:
    held = make_record(
        CATALOGUE.classes["volunteer_service"], 7, occurred_on=date(2026, 11, 1), quantity=6
    )
    (line,) = record_lines([held], CATALOGUE)
    assert line.amount == Text("6 小时", "6 hours")
    assert line.href.endswith(f"#r-{held.record_id}")
    # The source is none of the catalogue's: its code is shown, the record is not hidden.
    assert line.source == Text("source", "source")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "计入信用分"),
        ({"disputed_at": REPORTED_AT}, "异议"),
        ({"repaired_at": REPORTED_AT}, "修复"),
        ({"ends_on": TODAY}, "已满公示期"),
    ],
)
def test_a_record_says_whether_it_counts_and_if_not_why(
    changes: dict[str, object], words: str
) -> None:
    fine = make_record(CATALOGUE.classes["penalty_minor"], 1, occurred_on=TODAY)
    held = msgspec.structs.replace(fine, **changes)
    assert words in status_text(held, today=TODAY).zh


def test_a_form_to_try_out_becomes_changes_and_a_day() -> None:
    form = SimulationForm(
        kind="add", record_class="volunteer_service", quantity=" 10 ", occurred_on="2026-11-01"
    )
    added = Add("volunteer_service", date(2026, 11, 1), quantity=10)
    assert read_changes(form, today=TODAY) == ([added], TODAY, [])
    later = read_changes(SimulationForm(kind="time", months="12"), today=TODAY)
    assert later == ([], date(2027, 11, 20), [])


@pytest.mark.parametrize(
    ("form", "fields"),
    [
        (SimulationForm(kind="add"), ["quantity", "occurred_on"]),
        (SimulationForm(kind="add", quantity="²", occurred_on="2026-11-01"), ["quantity"]),
        (SimulationForm(kind="add", quantity="9" * 11, occurred_on="2026-11-01"), ["quantity"]),
        (SimulationForm(kind="add", quantity="1", occurred_on="1.11.2026"), ["occurred_on"]),
        (SimulationForm(kind="time", months="-1"), ["months"]),
        (SimulationForm(kind="time", months="61"), ["months"]),
    ],
)
def test_what_is_wrong_with_a_form_to_try_out_is_said_of_its_fields(
    form: SimulationForm, fields: list[str]
) -> None:
    changes, _, faults = read_changes(form, today=TODAY)
    assert changes == []
    assert [fault.field for fault in faults] == fields


@pytest.mark.parametrize("kind", ["", "forget", "repair"])
def test_a_form_no_page_shows_is_refused(kind: str) -> None:
    with pytest.raises(Refusal, match="body_invalid"):
        read_changes(SimulationForm(kind=kind), today=TODAY)
