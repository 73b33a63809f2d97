"""Goal: a scorecard that could break a promise never comes near a citizen.

Method: the packaged scorecard is changed in one place at a time, as somebody in a hurry or with
bad intent would; the loader must say what is wrong, and all of it at once.
"""

import json
import tomllib
from collections.abc import Callable
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from backend.record.rules.catalogue import DataFault
from backend.record.service import packaged_catalogue
from backend.score.rules.proof import (
    CURVE_POINTS_MAX,
    DOCUMENT_BYTES_MAX,
    load_scorecard,
    prove_scorecard,
    restore_scorecard,
)

TEXT = (files("backend.score") / "data" / "scorecard-2026-2.toml").read_text("utf-8")
CHALLENGER = Path(__file__).parents[2] / "docs/examples/scorecard-2026-3.toml"
CATALOGUE = packaged_catalogue()

Change = Callable[[dict[str, Any]], object]


def faults_of(change: Change) -> list[str]:
    """Change the packaged scorecard and return what the loader says of it."""
    raw = tomllib.loads(TEXT)
    change(raw)
    with pytest.raises(DataFault) as caught:
        prove_scorecard(raw, digest=bytes(32), catalogue=CATALOGUE)
    return list(caught.value.faults)


def at(raw: dict[str, Any], code: str) -> dict[str, Any]:
    """Return the table of one indicator."""
    return next(each for each in raw["indicator"] if each["code"] == code)


def change_of(code: str, **members: object) -> Change:
    """Return a change of some members of one indicator."""
    return lambda raw: at(raw, code).update(members)


CASES: dict[str, tuple[Change, str]] = {
    "a falling curve": (
        change_of("library_returns", curve=[[0, 10], [3, 35], [12, 20], [40, 45]]),
        "the curve falls",
    ),
    "a rising curve of adverse conduct": (
        change_of("penalties", curve=[[0, 80], [1, 60], [3, 70], [6, 0]]),
        "the curve rises",
    ),
    "more for waiting": (
        change_of("months_since_volunteering", curve=[[0, 0], [24, 20]], neutral_points=20),
        "the curve rises",
    ),
    "good and adverse in one": (
        change_of("penalties", classes=["penalty_minor", "tax_filing"]),
        "mixes adverse classes",
    ),
    "a window longer than records are kept": (
        change_of("library_returns", window_months=37),
        "longer than a class is kept",
    ),
    "a window longer than items are published": (
        change_of("library_overdue", window_months=4),
        "longer than its classes are published",
    ),
    "too many corners": (
        change_of("volunteer_hours", curve=[[n, 20 + 4 * n] for n in range(CURVE_POINTS_MAX + 1)]),
        f"1 to {CURVE_POINTS_MAX} corners",
    ),
    "corners out of order": (
        change_of("volunteer_hours", curve=[[0, 20], [50, 75], [10, 75], [200, 100]]),
        "the values of a curve rise",
    ),
    "a curve that says nothing": (
        change_of("volunteer_hours", curve=[[0, 20], [200, 20]]),
        "the curve is level",
    ),
    "neutral points from nowhere": (
        change_of("volunteer_hours", neutral_points=30),
        "neutral_points must be",
    ),
    "no data taken as a value": (
        change_of("volunteer_hours", neutral_value=10, neutral_points=45),
        "neutral_value is 0",
    ),
    "no data as bad as nothing but adverse": (
        change_of("rental_performance", neutral_value=0, neutral_points=0),
        "no data would stand where nothing but adverse",
    ),
    "a ratio without a minimum": (
        change_of("rental_performance", minimum_count=0),
        "a ratio needs a minimum_count",
    ),
    "a ratio against good conduct": (
        change_of("rental_performance", against=["library_return"]),
        "good classes against adverse",
    ),
    "a tenure of what does not last": (
        change_of("social_insurance_months", aggregate="tenure_months"),
        "classes that last",
    ),
    "a class nobody knows": (
        change_of("volunteer_hours", classes=["moon_walks"]),
        "moon_walks is not in the catalogue",
    ),
    "a class of another dimension": (
        change_of("volunteer_hours", classes=["library_return"]),
        "belongs to performance",
    ),
    "points that are no whole number": (
        change_of("volunteer_hours", curve=[[0, 20], [10, 45.5]]),
        "Expected `int`, got `float`",
    ),
    "values beyond every engine": (
        change_of("volunteer_hours", curve=[[0, 20], [10**10, 100]]),
        "lie in 0 to 1000000000",
    ),
    "a text as wide as a memory": (
        change_of("volunteer_hours", text_en="{value:1000000000}"),
        "text_en may use",
    ),
    "a text that looks inside": (
        change_of("volunteer_hours", text_en="{value.__class__}"),
        "text_en may use",
    ),
    "a text that converts": (change_of("volunteer_hours", text_zh="{value!r}"), "text_zh may use"),
    "a name that is not to be seen": (
        change_of("volunteer_hours", name_zh="志愿\u202e服务"),
        "printable characters",
    ),
    "a tier that blames": (
        lambda raw: raw["tier"][0].update(name_en="Poor"),
        "a negative name",
    ),
    "tiers that do not begin at 0": (
        lambda raw: raw["tier"][0].update(from_points=1),
        "tiers begin at 0",
    ),
    "a range beyond all reason": (
        lambda raw: raw.update(range_points=2**63),
        "1 to 10000",
    ),
    "a range that is true": (lambda raw: raw.update(range_points=True), "a whole number"),
    "caps that are not the range": (
        lambda raw: raw["dimension"][0].update(cap_points=149),
        "must add up to range_points",
    ),
    "a version that is a path": (lambda raw: raw.update(version="../x"), "version must be"),
    "a member nobody knows": (lambda raw: raw.update(weight=3), "unknown member weight"),
    "an indicator twice": (
        lambda raw: raw["indicator"].append(raw["indicator"][0]),
        "residence_months: given twice",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_what_could_break_a_promise_is_refused(name: str) -> None:
    change, said = CASES[name]
    faults = faults_of(change)
    assert any(said in fault for fault in faults), faults


def test_all_that_is_wrong_is_said_at_once() -> None:
    def spoil(raw: dict[str, Any]) -> None:
        for name in ("a falling curve", "a tier that blames", "a ratio without a minimum"):
            CASES[name][0](raw)
        at(raw, "volunteer_hours").update(classes=["volunteer_service", "moon_walks"])
        at(raw, "volunteer_hours")["curve"][0] = [0, 90]

    faults = "\n".join(faults_of(spoil))
    for said in (
        "library_returns: the curve falls",
        "a negative name",
        "a ratio needs a minimum_count",
        "moon_walks is not in the catalogue",
        "volunteer_hours: the curve falls",
    ):
        assert said in faults


@pytest.mark.parametrize(
    "text",
    ["", "{", "[", "= 1", "{} {}", "a=" + "[" * 100_000, "[" * 100_000, '{"a":' * 100_000],
    ids=range(8),
)
def test_what_is_no_document_is_refused_and_breaks_nothing(text: str) -> None:
    with pytest.raises(DataFault):
        load_scorecard(text, CATALOGUE)


@pytest.mark.parametrize(
    "text",
    ["range_points = " + "9" * 5000, '{"range_points": ' + "9" * 5000 + "}", '{"a": NaN}'],
)
def test_numbers_beyond_all_reason_are_refused(text: str) -> None:
    with pytest.raises(DataFault):
        load_scorecard(text, CATALOGUE)


def test_a_document_has_an_end() -> None:
    with pytest.raises(DataFault, match="longer than"):
        load_scorecard(TEXT + "#" * DOCUMENT_BYTES_MAX, CATALOGUE)


def test_json_says_the_same_as_toml() -> None:
    told = load_scorecard(json.dumps(tomllib.loads(TEXT)), CATALOGUE)
    written = load_scorecard(TEXT, CATALOGUE)
    assert (told.version, told.indicators, told.tiers) == (
        written.version,
        written.indicators,
        written.tiers,
    )
    assert told.digest != written.digest, "a digest names one text"


def test_json_that_says_a_member_twice_is_refused() -> None:
    text = json.dumps(tomllib.loads(TEXT)).replace("{", '{"range_points": 900, ', 1)
    with pytest.raises(DataFault, match="given twice: range_points"):
        load_scorecard(text, CATALOGUE)


def test_what_was_proved_is_read_again_to_the_same_scorecard() -> None:
    assert restore_scorecard(TEXT) == load_scorecard(TEXT, CATALOGUE)


@pytest.mark.parametrize("text", [TEXT, CHALLENGER.read_text("utf-8")], ids=["2026-2", "2026-3"])
def test_the_first_hours_of_volunteering_count_most(text: str) -> None:
    scorecard = load_scorecard(text, CATALOGUE)
    hours = next(each for each in scorecard.indicators if each.code == "volunteer_hours")
    an_hour = [
        (hours.points_at(right) - hours.points_at(left)) / (right - left)
        for (left, _), (right, _) in pairwise(hours.curve)
    ]
    assert an_hour == sorted(an_hour, reverse=True)
    assert an_hour[0] > 2 * an_hour[1] > 2 * an_hour[-1] > 0


def test_the_example_challenger_lets_the_first_hours_count_more_than_the_champion() -> None:
    champion = load_scorecard(TEXT, CATALOGUE)
    challenger = load_scorecard(CHALLENGER.read_text("utf-8"), CATALOGUE)
    before, after = (
        next(each for each in card.indicators if each.code == "volunteer_hours")
        for card in (champion, challenger)
    )
    assert all(after.points_at(value) >= before.points_at(value) for value in range(300))
    assert after.points_at(5) > before.points_at(5)
    assert after.points_at(200) == before.points_at(200)
