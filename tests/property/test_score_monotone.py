"""Goal: a score is bounded, the same for the same records, and moves only the right way.

Method: Hypothesis draws scorecards that the loader proves (and the shipped one) and records of
the shipped catalogue, changes conduct for the better, and compares. Product lines 8 and 9.
"""

import random
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from backend.record.rules.catalogue import DataFault
from backend.record.rules.life import Record, counts
from backend.score.rules.contribution import base_points
from backend.score.rules.engine import score_records
from backend.score.rules.scorecard import Scorecard
from tests.property.score_worlds import (
    ADVERSE,
    AS_OF,
    CATALOGUE,
    GOOD,
    SHIPPED,
    histories,
    make_record,
    prove,
    raw_scorecards,
    records,
    scorecards,
)


def points(scorecard: Scorecard, history: list[Record]) -> int:
    """Score a history on the day all tests look at."""
    return score_records(scorecard, history, AS_OF).points


@given(scorecards, histories())
def test_a_score_and_its_dimensions_stay_within_their_bounds(scorecard, history):
    result = score_records(scorecard, history, AS_OF)
    assert 0 <= result.points <= scorecard.range_points
    caps = {each.code: each.cap_points for each in scorecard.dimensions}
    assert result.dimensions.keys() == caps.keys()
    assert all(0 <= given_ <= caps[code] for code, given_ in result.dimensions.items())
    assert sum(result.dimensions.values()) == result.points
    assert all(type(value) is int for value in result.indicator_values)


@given(scorecards, histories(), st.randoms(use_true_random=False))
def test_the_order_of_the_records_plays_no_part(scorecard, history, order: random.Random):
    shuffled = history[:]
    order.shuffle(shuffled)
    first = score_records(scorecard, history, AS_OF)
    second = score_records(scorecard, shuffled, AS_OF)
    assert first == second


@given(scorecards)
def test_no_data_is_neutral(scorecard):
    result = score_records(scorecard, [], AS_OF)
    assert result.points == base_points(scorecard)
    assert all(each.effect_points == 0 for each in result.contributions)


@given(scorecards, histories(), records(99, kinds=GOOD))
def test_one_more_good_record_never_lowers_the_score(scorecard, history, more):
    assert points(scorecard, [*history, more]) >= points(scorecard, history)


@given(scorecards, histories(), records(99, kinds=ADVERSE))
def test_one_adverse_record_less_never_lowers_the_score(scorecard, history, less):
    assert points(scorecard, history) >= points(scorecard, [*history, less])


@given(scorecards, histories(), records(99), st.integers(1, 100))
def test_a_larger_quantity_moves_the_score_the_way_of_its_class(scorecard, history, record, more):
    larger = msgspec.structs.replace(record, quantity=record.quantity + more)
    before, after = points(scorecard, [*history, record]), points(scorecard, [*history, larger])
    if CATALOGUE.classes[record.class_code].is_adverse:
        assert after <= before
    else:
        assert after >= before


@given(scorecards, histories(), records(99, kinds=ADVERSE), st.integers(1, 400))
def test_an_adverse_item_that_lies_further_back_never_weighs_more(scorecard, history, record, days):
    assume(record.occurred_on <= AS_OF)
    ended_on = record.ended_on and record.ended_on - timedelta(days=days)
    older = make_record(
        CATALOGUE.classes[record.class_code],
        99,
        occurred_on=record.occurred_on - timedelta(days=days),
        ended_on=ended_on,
        quantity=record.quantity,
    )
    assert points(scorecard, [*history, older]) >= points(scorecard, [*history, record])


@given(scorecards, histories(), records(99, kinds=GOOD), st.integers(1, 400))
def test_a_tenure_that_lasts_longer_never_lowers_the_score(scorecard, history, record, days):
    assume(record.ended_on is not None)
    assert record.ended_on is not None
    longer = msgspec.structs.replace(record, ended_on=record.ended_on + timedelta(days=days))
    assert points(scorecard, [*history, longer]) >= points(scorecard, [*history, record])


@given(histories(), st.data())
def test_the_digest_changes_with_what_counts_and_with_nothing_else(history, data):
    result = score_records(SHIPPED, history, AS_OF)
    renamed = [msgspec.structs.replace(each, record_id=each.record_id) for each in history]
    to_come = data.draw(records(99))
    to_come = msgspec.structs.replace(to_come, occurred_on=AS_OF + timedelta(days=1))
    assert score_records(SHIPPED, [*renamed, to_come], AS_OF).input_digest == result.input_digest
    counted = make_record(CATALOGUE.classes["library_return"], 99, occurred_on=AS_OF)
    assert score_records(SHIPPED, [*history, counted], AS_OF).input_digest != result.input_digest
    tomorrow = AS_OF + timedelta(days=1)
    if all(counts(each, AS_OF) == counts(each, tomorrow) for each in history):
        assert score_records(SHIPPED, history, tomorrow).input_digest == result.input_digest


def _turned(raw: dict[str, Any]) -> dict[str, Any] | None:
    """Turn the first curve that is not level the wrong way round."""
    for indicator in raw["indicator"]:
        given_ = [corner[1] for corner in indicator["curve"]]
        if given_[0] != given_[-1]:
            for corner, turned in zip(indicator["curve"], given_[::-1], strict=True):
                corner[1] = turned
            return raw
    return None


@given(raw_scorecards())
def test_a_curve_turned_the_wrong_way_is_refused(raw):
    turned = _turned(raw)
    assume(turned is not None)
    assert turned is not None
    with pytest.raises(DataFault, match=r"the curve (falls|rises)"):
        prove(turned)
