"""Goal: the scorecard in force says what it means, and a scorecard that can't be proved is refused.

Method: single indicators through the engine with records on known days; the shipped file with one
thing changed through the loader.
"""

import hashlib
from datetime import date, timedelta
from importlib.resources import files
from typing import Any

import msgspec
import pytest

from backend.record.rules.catalogue import DataFault
from backend.record.rules.life import Record
from backend.score.rules.contribution import base_points
from backend.score.rules.engine import score_records, tally
from backend.score.rules.proof import load_scorecard
from backend.score.rules.scorecard import Indicator
from backend.score.rules.state import facts_of
from tests.property.score_worlds import AS_OF, CATALOGUE, SHIPPED, make_record

TEXT = (files("backend.score") / "data" / "scorecard-2026-2.toml").read_text()
INDICATORS = {each.code: each for each in SHIPPED.indicators}


def record(code: str, days_ago: int, *, number: int = 1, quantity: int = 1, ended: int = -1):
    """Return a record of so many days ago, ended so many days ago if at all."""
    return make_record(
        CATALOGUE.classes[code],
        number,
        occurred_on=AS_OF - timedelta(days=days_ago),
        ended_on=AS_OF - timedelta(days=ended) if ended >= 0 else None,
        quantity=quantity,
    )


def value(code: str, *records: Record) -> int:
    """Return what an indicator of the shipped scorecard finds in records."""
    by_class: dict[str, list[Record]] = {}
    for each in records:
        by_class.setdefault(each.class_code, []).append(each)
    return tally(INDICATORS[code], by_class, AS_OF).value


def facts_on(records: list[Record], as_of: date) -> dict[str, int]:
    """Return what programmes may ask about somebody with these records."""
    result = score_records(SHIPPED, records, as_of)
    return facts_of(
        SHIPPED,
        points=result.points,
        dimensions=result.dimensions.values(),
        indicator_values=result.indicator_values,
    )


def faults_of(old: str, new: str) -> str:
    """Load the shipped scorecard with one thing changed, and return what the loader says."""
    assert old in TEXT
    with pytest.raises(DataFault) as caught:
        load_scorecard(TEXT.replace(old, new, 1), CATALOGUE)
    return "\n".join(caught.value.faults)


class TestShipped:
    def test_it_has_the_range_the_dimensions_and_the_tiers_of_the_product(self):
        assert SHIPPED.range_points == 1000
        assert [each.code for each in SHIPPED.tiers] == [
            *("start", "steady", "good", "excellent", "exemplary"),
        ]
        assert [each.name_zh for each in SHIPPED.tiers] == ["起步", "稳健", "良好", "优秀", "示范"]
        assert len(SHIPPED.indicators) >= 10

    def test_it_looks_at_every_class_of_the_catalogue(self):
        seen = {code for each in SHIPPED.indicators for code in (*each.classes, *each.against)}
        assert seen == set(CATALOGUE.classes)

    def test_its_head_lists_the_facts_a_programme_may_use(self):
        head = TEXT[: TEXT.index("version =")]
        listed = {
            word
            for line in head.splitlines()
            for word in line.lstrip("# ").split()
            if word.startswith(("indicator.", "dimension."))
        }
        facts = facts_on([], AS_OF)
        assert listed | {"score"} == facts.keys()

    def test_a_thin_file_stands_in_the_first_tier_and_has_nothing_against_it(self):
        result = score_records(SHIPPED, [], AS_OF)
        assert SHIPPED.tier_at(result.points).code == "start"

    def test_the_first_volunteering_hours_count_most(self):
        points = INDICATORS["volunteer_hours"].points_at
        assert points(10) - points(0) > points(50) - points(40) > points(110) - points(100) > 0


class TestAggregates:
    def test_count_counts_records_in_the_window_and_not_its_first_day(self):
        assert value("qualifications") == 0
        assert value("qualifications", record("vocational_qualification", 30, quantity=1)) == 1
        on_edge = record("pledge_kept", (AS_OF - date(2023, 11, 20)).days)
        within = record("pledge_kept", (AS_OF - date(2023, 11, 21)).days)
        assert value("pledges_kept", on_edge) == 0
        assert value("pledges_kept", within) == 1

    def test_sum_adds_quantities(self):
        rides = [record("transit_ride_paid", 90 * n + 1, number=n, quantity=10) for n in range(3)]
        assert value("transit_rides_paid", *rides) == 30

    def test_max_takes_the_best_of_the_window(self):
        levels = [
            record("tax_level", 100, number=1, quantity=3),
            record("tax_level", 400, number=2, quantity=5),
            record("tax_level", 900, number=3, quantity=5),
        ]
        assert value("tax_level", *levels) == 5
        assert value("tax_level", levels[0], levels[2]) == 3

    def test_tenure_is_the_longest_that_has_not_ended_before_the_window(self):
        going_on = record("residence_registration", 400, number=1)
        ended = record("residence_registration", 4000, number=2, ended=60)
        assert value("residence_months", going_on) == 13
        assert value("residence_months", going_on, ended) == 13
        just_ended = record("residence_registration", 4000, number=2, ended=10)
        assert value("residence_months", going_on, just_ended) == 131

    def test_months_since_is_the_whole_window_when_there_was_nothing(self):
        assert value("months_since_penalty") == 36
        penalties = [
            record("penalty_serious", 700, number=1),
            record("penalty_minor", 40, number=2),
        ]
        assert value("months_since_penalty", *penalties) == 1
        assert value("months_since_penalty", penalties[0]) == 23

    @pytest.mark.parametrize(
        ("good", "bad", "permille"),
        [
            (0, 0, 800),  # nothing known: neutral
            (1, 0, 816),  # (1000 + 11 × 800) / 12
            (0, 1, 733),
            (6, 6, 500),
            (12, 0, 1000),
            (24, 1, 960),
        ],
    )
    def test_a_ratio_comes_away_from_neutral_step_by_step(self, good, bad, permille):
        records = []
        for number in range(1, good // 12 + 2):
            part = min(12, good - 12 * (number - 1))
            if part > 0:
                records.append(record("utility_paid", 10, number=number, quantity=part))
        if bad:
            records.append(record("utility_late", 20, number=99, quantity=bad))
        assert value("utility_on_time", *records) == permille

    def test_records_past_their_life_are_not_looked_at(self):
        late = record("library_overdue", 95)
        assert late.ends_on is not None
        assert facts_on([late], AS_OF)["indicator.library_overdue"] == 0
        day_before = late.ends_on - timedelta(days=1)
        facts = facts_on([late], day_before)
        assert facts["indicator.library_overdue"] == 1


class TestCurve:
    CURVE = msgspec.structs.replace(
        INDICATORS["volunteer_hours"], curve=[(2, 10), (5, 20), (8, 13)], neutral_value=0
    )

    @pytest.mark.parametrize(
        ("at", "points"),
        [(0, 10), (2, 10), (3, 13), (4, 16), (5, 20), (6, 18), (7, 16), (8, 13), (99, 13)],
    )
    def test_it_is_straight_between_corners_and_level_outside(self, at, points):
        assert self.CURVE.points_at(at) == points

    def test_a_curve_of_one_corner_is_level(self):
        level = msgspec.structs.replace(self.CURVE, curve=[(5, 7)])
        assert [level.points_at(at) for at in (0, 5, 9)] == [7, 7, 7]


class TestLife:
    def test_an_item_past_its_publication_is_out_of_windows_that_reach_further_back(self):
        """Product line 7: the window of penalties is 36 months, their publication 12."""
        over = record("penalty_general", 366)
        result = score_records(SHIPPED, [over], AS_OF)
        assert result.tallies["penalties"].value == 0
        assert result.tallies["months_since_penalty"].value == 36
        assert result.points == base_points(SHIPPED)
        assert result.input_digest == score_records(SHIPPED, [], AS_OF).input_digest

    def test_the_digest_says_nothing_of_day_or_scorecard(self):
        other = msgspec.structs.replace(SHIPPED, version="2026-3", digest=bytes(32))
        digests = {
            score_records(each, [], day).input_digest
            for each in (SHIPPED, other)
            for day in (AS_OF, AS_OF + timedelta(days=1))
        }
        assert digests == {hashlib.sha256(b"0|0").digest()}


class TestLoader:
    @pytest.mark.parametrize(
        ("old", "new", "said"),
        [
            ("curve = [[0, 10], [3, 20], [12, 35]", "curve = [[0, 10], [3, 20], [12, 15]", "falls"),
            ("curve = [[0, 30], [1, 22], [3, 10]", "curve = [[0, 30], [1, 22], [3, 25]", "rises"),
            ("curve = [[0, 10], [3, 20]", "curve = [[0, 10], [0, 20]", "values of a curve rise"),
            ("curve = [[0, 30], [1, 22], [3, 10], [6, 0]]", "curve = [[0, 30]]", "curve is level"),
            ("curve = [[0, 20], [10, 45]", "curve = [[0, 21], [10, 45]", "neutral_points must"),
            ("curve = [[0, 0], [500, 15]", "curve = [[0, -5], [500, 15]", "less than 0"),
            ('"library_return"]', '"library_book"]', "not in the catalogue"),
            ('"library_return"]', '"library_return", "library_overdue"]', "mixes adverse"),
            ('"library_return"]', '"library_return", "library_return"]', "names a class twice"),
            ('"library_return"]', '"volunteer_service"]', "belongs to civic"),
            ('against = ["utility_late"]', 'against = ["library_return"]', "a ratio sets good"),
            ("minimum_count = 12", "minimum_count = 0", "needs a minimum_count"),
            ("window_months = 24", "window_months = 37", "longer than a class is kept"),
            ("window_months = 3\n", "window_months = 4\n", "longer than its classes are published"),
            ("neutral_value = 0", "neutral_value = 5", "neutral_value is 0"),
            ("neutral_value = 36", "neutral_value = 35", "neutral_value is window_months"),
            ("cap_points = 150", "cap_points = 151", "must add up to range_points"),
            ("cap_points = 150", "cap_points = 40", "neutral points exceed the cap"),
            ("cap_points = 300", "cap_points = 400", "the cap can't be reached"),
            ('code = "civic"\nname_zh', 'code = "law"\nname_zh', "each once"),
            ('name_zh = "起步"', 'name_zh = "较差"', "a negative name"),
            ('name_en = "Start"', 'name_en = "Poor"', "a negative name"),
            ("from_points = 560", "from_points = 700", "tiers begin at 0 and rise"),
            ("{value} 册", "{name} 册", "may use"),
            ("{value} 册", "{value 册", "may use"),
            ("help_step = 6\n", "help_step = 0\n", "help_step of 1 or more"),
            ("can_act = false", "can_act = true", "help_zh is 1 to 200"),
            ('code = "ip_count"', 'code = "tax_level"', "tax_level: given twice"),
            ('version = "2026-2"', "version = 2026", "version must be a text"),
            ('version = "2026-2"', 'version = "2026-2"\nsurprise = 1', "unknown member surprise"),
            ('aggregate = "max"', 'aggregate = "latest"', "Invalid enum value"),
            ('aggregate = "max"', 'aggregate = "max"\nminimum_count = 2', "belong to a ratio"),
        ],
    )
    def test_what_can_not_be_proved_is_refused(self, old, new, said):
        assert said in faults_of(old, new)

    def test_text_that_is_not_toml_is_refused(self):
        with pytest.raises(DataFault, match="not TOML"):
            load_scorecard("= 1", CATALOGUE)

    def test_all_faults_are_told_at_once(self):
        text = TEXT.replace("cap_points = 150", "cap_points = 151", 1)
        text = text.replace("minimum_count = 12", "minimum_count = 0").replace("起步", "黑名单")
        with pytest.raises(DataFault) as caught:
            load_scorecard(text, CATALOGUE)
        assert len(caught.value.faults) >= 3

    def test_a_class_that_needs_written_consent_is_never_scored(self):
        classes: dict[str, Any] = dict(CATALOGUE.classes)
        classes["library_return"] = msgspec.structs.replace(
            classes["library_return"], sensitivity="written_consent"
        )
        guarded = msgspec.structs.replace(CATALOGUE, classes=classes)
        with pytest.raises(DataFault, match="never scored"):
            load_scorecard(TEXT, guarded)

    def test_a_tenure_is_never_held_against_anybody(self):
        said = faults_of('"residence_registration"]', '"penalty_serious"]')
        assert "tenure_months is for classes that last" in said


def test_an_indicator_is_a_struct_that_takes_no_surprises():
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"code": "x", "surprise": 1}, Indicator)
