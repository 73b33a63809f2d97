"""Goal: a report tells what is true of the city, and nothing about a few people in it.

Method: Hypothesis draws cities person by person, with the same conduct under two scorecards; the
report is made and every number of people in it is looked at, on its own and against the others.
"""

import json
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from datetime import UTC, date, datetime
from importlib.resources import files
from itertools import combinations
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from backend.kit.anonymity import K, told
from backend.record.service import packaged_catalogue
from backend.score.rules.picture import draw_report
from backend.score.rules.proof import load_scorecard
from backend.score.rules.report import Report
from backend.score.rules.reporting import Heading, make_report
from backend.score.rules.sample import AGE_BANDS, Person, Sample, Standing
from backend.score.rules.scorecard import Scorecard
from tests.support.examples import examples

TODAY = date(2026, 11, 24)
CHAMPION = load_scorecard(
    (files("backend.score") / "data" / "scorecard-2026-2.toml").read_text("utf-8"),
    packaged_catalogue(),
)
CHALLENGER = load_scorecard(
    (Path(__file__).parents[2] / "docs/examples/scorecard-2026-3.toml").read_text("utf-8"),
    packaged_catalogue(),
)
NUMBERS_OF_PEOPLE = {"people", "performed_people", "failed_people", "participants"}
NUMBERS_OF_PEOPLE |= {"lower", "same", "higher", "none", "few", "more"}


def standing(scorecard: Scorecard, values: list[int]) -> Standing:
    """Work out how somebody stands with these values of the indicators."""
    points = [
        each.points_at(value) for each, value in zip(scorecard.indicators, values, strict=True)
    ]
    dimensions = [
        min(
            dimension.cap_points,
            sum(
                given_
                for given_, each in zip(points, scorecard.indicators, strict=True)
                if each.dimension == dimension.code
            ),
        )
        for dimension in scorecard.dimensions
    ]
    return Standing(sum(dimensions), dimensions, values)


@st.composite
def samples(draw: st.DrawFn, most: int = 120) -> Sample:
    """A city: some kinds of people, each with some number of them."""
    sample = Sample(champion=CHAMPION, challenger=CHALLENGER)
    neutral = [each.neutral_value for each in CHAMPION.indicators]
    for _ in range(draw(st.integers(0, 5))):
        values = neutral[:]
        for place in draw(st.sets(st.integers(0, len(values) - 1), max_size=8)):
            values[place] = draw(st.integers(0, CHAMPION.indicators[place].curve[-1][0]))
        person = Person(
            age_band=draw(st.sampled_from(AGE_BANDS)),
            district=draw(st.sampled_from(["110101", "110102", "310101"])),
            record_count=draw(st.integers(0, 5)),
            performed=draw(st.integers(0, 3)),
            failed=draw(st.integers(0, 2)),
        )
        for _ in range(draw(st.integers(0, most))):
            sample.add(
                person,
                champion=standing(CHAMPION, values),
                challenger=standing(CHALLENGER, values),
            )
    return sample


def report_of(sample: Sample, earlier: dict[str, Report] | None = None) -> Report:
    """Make the report of a backtest."""
    heading = Heading(
        report_id=UUID(int=7),
        made_by="李薇",
        made_at=datetime(2026, 11, 24, 2, tzinfo=UTC),
        as_of=date(2026, 5, 24),
        today=TODAY,
        earlier=earlier or {},
    )
    return make_report(sample, heading)


def numbers(value: Any, name: str = "") -> Iterator[int]:
    """Return every number of people in a report."""
    if isinstance(value, dict):
        for member, inner in value.items():
            yield from numbers(inner, member)
    elif isinstance(value, list):
        for inner in value:
            yield from numbers(inner)
    elif name in NUMBERS_OF_PEOPLE and value is not None:
        yield value


@examples(60)
@given(samples())
def test_no_number_in_a_report_nor_a_difference_of_two_stands_for_a_few_people(sample):
    found = set(numbers(msgspec.to_builtins(report_of(sample))))
    assert not any(0 < number < K for number in found)
    assert not any(0 < abs(a - b) < K for a, b in combinations(found, 2))


@examples(60)
@given(samples())
def test_what_is_told_is_what_is_true_in_whole_twenties(sample):
    report = report_of(sample)
    assert report.participants == told(sample.participants)
    assert report.is_told == (sample.participants >= K)
    if report.champion is None:
        return
    assert sample.champion is not None
    for each in report.champion.tiers:
        following = [t.from_points for t in CHAMPION.tiers if t.from_points > each.from_points]
        true = sum(
            count
            for points, count in sample.champion.spread.items()
            if each.from_points <= points < min(following, default=10**9)
        )
        assert each.people is None or each.people == told(true)
        assert each.people is None or not 0 < true < K
    for group in report.parity.age_bands if report.parity else []:
        true = sum(sample.champion.by_age[_age(group.code)].values())
        assert group.people is None or (group.people == told(true) and not 0 < true < K)
        assert (group.champion is None) == (not group.people)


def _age(code: str) -> int:
    return int(code)


@examples(40)
@given(samples(most=60))
def test_the_same_city_again_has_not_drifted(sample):
    first = report_of(sample)
    again = report_of(sample, {"2026-2": first, "2026-3": first})
    if again.champion is not None:
        assert again.champion.drift.stability_index == 0
        assert again.champion.drift.level == "stable"


@examples(25)
@given(samples(), st.text(max_size=100))
def test_every_report_can_be_drawn_and_read_back(sample, name):
    report = msgspec.structs.replace(report_of(sample), made_by=_printable(name))
    root = ET.fromstring(draw_report(report))
    assert root.tag.endswith("svg")
    assert [each.tag.rpartition("}")[2] for each in root][:2] == ["title", "desc"]
    tags = {each.tag.rpartition("}")[2] for each in root.iter()}
    assert tags <= {"svg", "title", "desc", "g", "rect", "line", "text"}
    assert not any(
        name.startswith("on") or "href" in name for e in root.iter() for name in e.attrib
    )
    encoded = msgspec.json.encode(report)
    assert msgspec.json.decode(encoded, type=Report) == report
    assert json.loads(encoded)["schema"] == "creditplus.scorecard-report/1"


def _printable(text: str) -> str:
    return "".join(each for each in text if each.isprintable()) or "李薇"


def test_what_is_drawn_can_not_become_markup() -> None:
    sample = Sample(champion=CHAMPION, challenger=None)
    report = msgspec.structs.replace(report_of(sample), made_by='<script>"&')
    assert "<script>" not in draw_report(report)


def crowd(values_of: dict[str, int], count: int, **person: Any) -> Sample:
    """A city of one kind of people, who have these values under the champion and challenger."""
    sample = Sample(champion=CHAMPION, challenger=CHALLENGER)
    values = [values_of.get(each.code, each.neutral_value) for each in CHAMPION.indicators]
    for _ in range(count):
        sample.add(
            Person(**{"age_band": 25, "district": "110101", **person}),
            champion=standing(CHAMPION, values),
            challenger=standing(CHALLENGER, values),
        )
    return sample


def test_a_city_of_nineteen_says_nothing_and_one_of_twenty_speaks() -> None:
    assert not report_of(crowd({}, 19)).is_told
    report = report_of(crowd({}, 20))
    assert report.is_told
    assert report.champion is not None
    assert report.champion.mean_points == report.champion.base_points
    assert report.movement is not None
    assert [each.people for each in report.movement.bands] == [0, 0, 0, 20, 0, 0, 0]


def test_what_moves_few_people_is_not_told_and_takes_another_one_with_it() -> None:
    sample = crowd({"volunteer_hours": 5, "tax_filings": 1}, 60)
    for _ in range(3):
        values = [
            3 if each.code == "ip_count" else each.neutral_value for each in CHAMPION.indicators
        ]
        sample.add(
            Person(age_band=25, district="110101"),
            champion=standing(CHAMPION, values),
            challenger=standing(CHALLENGER, values),
        )
    report = report_of(sample)
    assert report.champion is not None
    told_of = {each.code: each for each in report.champion.indicators}
    assert told_of["ip_count"].people is None
    assert told_of["ip_count"].share_permille is None
    hidden = [each.code for each in report.champion.indicators if each.people is None]
    assert len(hidden) == 2, "a lone one would follow from the rest"


def test_points_that_foretell_have_an_area_above_a_half() -> None:
    sample = crowd({"library_returns": 40}, 40, performed=3)
    for person, values_of in (
        (Person(age_band=35, district="110101", performed=1, failed=2), {"penalties": 3}),
    ):
        values = [values_of.get(each.code, each.neutral_value) for each in CHAMPION.indicators]
        for _ in range(40):
            sample.add(
                person,
                champion=standing(CHAMPION, values),
                challenger=standing(CHALLENGER, values),
            )
    outcome = report_of(sample).champion.outcome  # type: ignore[union-attr] - told: 80 people
    assert outcome.reason is None
    assert outcome.area == 0.875, "120 above 80 and 40 beside them: (120 + 20) / 160"
    assert outcome.separation == 0.75
    few = report_of(crowd({}, 60, performed=1)).champion.outcome  # type: ignore[union-attr] - 60
    assert (few.reason, few.area, few.separation) == ("too_few", None, None)


def test_a_group_that_reaches_a_tier_less_often_is_marked() -> None:
    sample = crowd({"library_returns": 40, "volunteer_hours": 60, "tax_filings": 3}, 400)
    values = [each.neutral_value for each in CHAMPION.indicators]
    for number in range(400):
        sample.add(
            Person(age_band=65, district="110102" if number % 2 else "310101"),
            champion=standing(CHAMPION, values),
            challenger=standing(CHALLENGER, values),
        )
    report = report_of(sample)
    assert report.parity is not None
    young, old = report.parity.age_bands
    assert young.champion is not None
    assert old.champion is not None
    assert not young.champion.tiers[0].is_low
    assert old.champion.tiers[0].is_low
    assert old.champion.tiers[0].ratio_permille == 0
    assert [each.people for each in report.parity.districts] == [400, 200, 200]


def add(sample: Sample, count: int, champion: dict[str, int], challenger: dict[str, int]) -> None:
    """Add people who have other values under the one scorecard than under the other."""
    under = [
        [given_.get(each.code, each.neutral_value) for each in CHAMPION.indicators]
        for given_ in (champion, challenger)
    ]
    for _ in range(count):
        sample.add(
            Person(age_band=25, district="310101"),
            champion=standing(CHAMPION, under[0]),
            challenger=standing(CHALLENGER, under[1]),
        )


@examples(40)
@given(st.integers(100, 2_000), st.integers(1, K - 1), st.sampled_from([20, 50, 80]))
def test_no_mean_counts_a_few_people(crowd_size, few, hours):
    """Whoever knows by how much a scorecard moves each of them can't say how many they are."""
    sample = crowd({}, crowd_size)
    add(sample, few, {}, {"volunteer_hours": hours})
    report = report_of(sample)
    without = report_of(crowd({}, crowd_size + few))
    assert report.movement is not None
    assert report.movement.mean_change_points == 0
    assert report.movement.stability_index == 0
    assert ">0.00<" in draw_report(report), "drawn with the digits that are told, and no more"
    assert report.challenger is not None
    assert without.challenger is not None
    assert report.challenger.mean_points == without.challenger.mean_points
    assert report.parity is not None
    for group in (*report.parity.age_bands, *report.parity.districts):
        if group.champion is not None and group.challenger is not None:
            assert group.champion.mean_points == group.challenger.mean_points


@examples(40)
@given(samples(most=40))
def test_a_district_of_a_few_people_is_not_even_named(sample):
    report = report_of(sample)
    if report.parity is not None:
        assert all(each.people for each in report.parity.districts)
        assert len(report.parity.age_bands) >= 1


@examples(40)
@given(st.integers(1, K - 1), st.integers(1, 3), st.integers(1, 3))
def test_what_a_few_people_are_moved_by_follows_from_no_share(few, one, other):
    """Neither from what is missing to the whole nor from a dimension less its other indicators."""
    told_shares = []
    for value in (one, other):
        sample = crowd({"volunteer_hours": 40, "tax_filings": 2}, 60)
        add(sample, few, {"civic_honours": value}, {"civic_honours": value})
        report = report_of(sample)
        assert report.champion is not None
        told_shares.append((report.champion.indicators, report.champion.dimensions))
    assert told_shares[0] == told_shares[1]


@examples(20)
@given(st.integers(1_000, 2_000), st.integers(0, 200))
def test_the_mean_of_many_is_told_nearly_as_it_is(crowd_size, hours):
    report = report_of(crowd({"volunteer_hours": hours}, crowd_size))
    sample = crowd({"volunteer_hours": hours}, 1)
    assert report.champion is not None
    assert sample.champion is not None
    (there,) = sample.champion.spread
    away = there - report.champion.mean_points
    assert 0 <= away <= 2 if there >= report.champion.base_points else -2 <= away <= 0
