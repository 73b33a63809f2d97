"""Goal: reasons and help say what moved a score and what a person can do about it, in points.

Method: the shipped scorecard with records on known days.
"""

from datetime import date, timedelta

import msgspec

from backend.record.rules.life import Record
from backend.score.rules.advice import Help, advise
from backend.score.rules.contribution import weigh
from backend.score.rules.engine import score_records
from backend.score.rules.explanation import Reason, explain
from backend.score.rules.simulation import Add, Ground, Repair
from tests.property.score_worlds import AS_OF, CATALOGUE, SHIPPED, make_record

INDICATORS = {each.code: each for each in SHIPPED.indicators}


def record(code: str, days_ago: int, *, number: int = 1, quantity: int = 1) -> Record:
    """Return a record of so many days ago."""
    return make_record(
        CATALOGUE.classes[code],
        number,
        occurred_on=AS_OF - timedelta(days=days_ago),
        quantity=quantity,
    )


def reasons(*records: Record, as_of: date = AS_OF) -> list[Reason]:
    values = score_records(SHIPPED, records, as_of).indicator_values
    return explain(SHIPPED, values, records, as_of)


def helps(*records: Record) -> list[Help]:
    return advise(Ground(SHIPPED, CATALOGUE, records), today=AS_OF)


def test_what_the_cap_cuts_off_is_taken_from_those_that_gave() -> None:
    records = [
        record("residence_registration", 5000, number=1),
        record("professional_licence", 3000, number=2),
        *(record("vocational_qualification", 100, number=3 + n) for n in range(3)),
    ]
    result = score_records(SHIPPED, records, AS_OF)
    assert result.dimensions["identity"] == 150
    effects = {
        each.indicator: (each.points - each.neutral_points, each.effect_points)
        for each in weigh(SHIPPED, result.indicator_values)
        if each.dimension == "identity"
    }
    # 50 + 40 + 30 given, 100 fit under the cap: each loses in proportion, whole points only.
    assert effects == {
        "residence_months": (50, 41),
        "licence_months": (40, 34),
        "qualifications": (30, 25),
    }


def test_reasons_tell_what_lowered_and_what_raised_in_order_of_effect() -> None:
    judgment = record("court_enforcement", 100, number=1)
    found = reasons(
        judgment,
        record("volunteer_service", 3, number=2, quantity=12),
        record("library_return", 3, number=3, quantity=2),
    )
    assert [(each.indicator, each.effect_points) for each in found] == [
        ("judgments", -50),
        ("volunteer_hours", 26),
        ("months_since_volunteering", 20),
        ("library_returns", 6),
    ]
    assert found[0].text_en == "Judgments left unperformed: 1"
    assert found[0].records == [judgment]


def test_four_reasons_and_no_more() -> None:
    """Product line 8; the number is written out here, so that it can't move unseen."""
    codes = ("library_return", "volunteer_service", "civic_honour", "transit_ride_paid")
    records = [record(code, 3, number=n, quantity=5) for n, code in enumerate(codes, 1)]
    records += [record("social_insurance", 3, number=8), record("tax_filing", 3, number=9)]
    assert len(reasons(*records)) == 4


def test_the_newest_records_are_named_and_not_without_end() -> None:
    records = [record("library_return", 10 + number, number=number) for number in range(1, 41)]
    (reason,) = [each for each in reasons(*records) if each.indicator == "library_returns"]
    assert reason.record_count == 40
    assert reason.records == records[:20]


def test_a_record_outside_the_window_or_past_its_life_is_not_named() -> None:
    counted = record("volunteer_service", 10, number=1, quantity=5)
    outside = record("volunteer_service", 800, number=2, quantity=5)
    ended = record("library_overdue", 95, number=3)
    found = reasons(counted, outside, ended)
    assert {each.record_id for reason in found for each in reason.records} == {counted.record_id}


def test_an_old_score_is_explained_by_the_day_it_was_of() -> None:
    penalty = record("penalty_minor", 100)
    then = AS_OF - timedelta(days=30)
    assert next(each.indicator for each in reasons(penalty, as_of=then)) == "penalties"
    assert reasons(penalty) == []


def test_a_thin_file_has_nothing_against_it_and_is_told_what_would_help() -> None:
    assert reasons() == []
    assert [each.gain_points for each in helps()] == [45, 18, 15]


def test_help_is_what_gives_most_and_what_a_person_can_do() -> None:
    found = helps(record("penalty_general", 120))
    assert len(found) == 3
    gains = [each.gain_points for each in found]
    assert gains == sorted(gains, reverse=True)
    assert all(INDICATORS[each.indicator].can_act for each in found)


def test_one_repaired_penalty_moves_every_indicator_that_looks_at_it() -> None:
    serious = record("penalty_serious", 400)
    first = helps(serious)[0]
    # Penalties 60 → 80, serious ones 15 → 50, months since the last: 5 + 13 − 12 of 24 → 10.
    assert (first.indicator, first.gain_points) == ("penalties", 20 + 35 + 5)
    assert first.changes == [Repair(serious.record_id)]
    assert first.records == [serious]
    assert "信用修复" in first.text_zh
    others = [each for each in helps(serious) if each.records == [serious]]
    assert others == [first], "the same thing is said once"


def test_a_repair_nobody_may_ask_for_yet_is_no_help() -> None:
    """NDRC Order 36: a serious item is published for 12 months at least."""
    young = record("penalty_serious", 300)
    assert all(each.records == [] for each in helps(young))


def test_of_several_items_the_one_whose_repair_gives_most_is_named() -> None:
    minor, serious = record("penalty_minor", 20, number=1), record("penalty_serious", 400, number=2)
    assert helps(minor, serious)[0].records == [serious]


def test_a_settled_debt_is_said_with_its_own_number() -> None:
    unpaid = record("transit_fare_unpaid", 20, quantity=4)
    (found,) = [each for each in helps(unpaid) if each.indicator == "transit_fares_unpaid"]
    assert found.text_en == "Settle unpaid transit fares: 4"
    assert found.gain_points == 25


def test_what_helps_is_reported_as_a_source_would_report_it() -> None:
    found = next(each for each in helps() if each.indicator == "volunteer_hours")
    assert found.changes == [Add("volunteer_service", AS_OF, quantity=10)]
    # 10 hours give 25 points, and the newest service another 20.
    assert found.gain_points == 45


def test_nothing_is_said_to_help_where_the_cap_is_reached() -> None:
    records = [record("volunteer_service", 3, number=n, quantity=200) for n in range(1, 4)]
    records += [record("civic_honour", 3, number=10 + n) for n in range(3)]
    assert score_records(SHIPPED, records, AS_OF).dimensions["civic"] == 150
    assert "civic" not in {each.dimension for each in helps(*records)}


def test_the_texts_that_come_with_the_service_are_right_for_none_one_and_many() -> None:
    """English bends a noun after a number, so no number stands in front of one it may bend."""
    for indicator in SHIPPED.indicators:
        for text in (indicator.text_en, *([indicator.help_en] if indicator.can_act else [])):
            number = "{step}" if "{step}" in text else "{value}"
            is_fixed = number == "{step}" and not CATALOGUE.classes[indicator.classes[0]].is_adverse
            assert is_fixed or number not in text or text.endswith(f": {number}"), text


def test_a_ratio_that_few_records_stand_behind_is_not_told_as_if_it_were_all_of_them() -> None:
    """One bill, paid on time, counts as 81 %: nobody is told that a fifth was paid late."""
    for indicator in SHIPPED.indicators:
        if indicator.aggregate == "ratio":
            share = indicator.neutral_value // 10
            assert f"不足{indicator.minimum_count}" in indicator.text_zh, indicator.code
            assert f"{share}%" in indicator.text_zh, indicator.code
            assert f"missing to {indicator.minimum_count} " in indicator.text_en, indicator.code
            assert f"{share} %" in indicator.text_en, indicator.code


def test_no_more_is_said_to_help_than_was_tried_out() -> None:
    """A step that no simulation has room for is told as what was simulated (line 8)."""
    for code in ("pledges_kept", "volunteer_hours"):
        looks = [each for each in SHIPPED.indicators if each.code == code]
        wide = [
            msgspec.structs.replace(each, help_step=100_000, curve=[(0, 10), (100_000, 30)])
            for each in looks
        ]
        others = [each for each in SHIPPED.indicators if each.code != code]
        others = [msgspec.structs.replace(each, can_act=False) for each in others]
        scorecard = msgspec.structs.replace(SHIPPED, indicators=[*others, *wide])
        for found in advise(Ground(scorecard, CATALOGUE, []), today=AS_OF):
            done = sum(each.quantity for each in found.changes if isinstance(each, Add))
            assert f" {done} " in f" {found.text_en.replace(')', ' ').replace('(', ' ')} "
