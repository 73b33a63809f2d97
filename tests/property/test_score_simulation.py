"""Goal: the simulator tells the truth: it says what the engine would, and good conduct never hurts.

Method: Hypothesis draws scorecards that the loader proves, records of the shipped catalogue and
changes to them; each simulation is held against the engine on records that are really there.
Product lines 8 and 9.
"""

from datetime import date, timedelta
from typing import Any

import msgspec
from hypothesis import assume, given
from hypothesis import strategies as st

from backend.record.rules.life import Record, add_months, counts, ends_on_of
from backend.score.rules.advice import HELPS_MAX, advise
from backend.score.rules.engine import score_records
from backend.score.rules.explanation import REASONS_MAX, explain, records_behind
from backend.score.rules.scorecard import Scorecard
from backend.score.rules.simulation import (
    MONTHS_AHEAD_MAX,
    Add,
    Change,
    Expire,
    Ground,
    Repair,
    Simulation,
    simulate,
)
from tests.property.score_worlds import (
    ADVERSE,
    AS_OF,
    CATALOGUE,
    GOOD,
    SHIPPED,
    histories,
    make_record,
    scorecards,
)


def ground_of(scorecard: Scorecard, history: list[Record]) -> Ground:
    return Ground(scorecard, CATALOGUE, history)


def try_out(ground: Ground, *changes: Change, as_of: date = AS_OF) -> Simulation:
    return simulate(ground, changes, today=AS_OF, as_of=as_of)


def looked_at(scorecard: Scorecard) -> set[str]:
    return {code for each in scorecard.indicators for code in (*each.classes, *each.against)}


def counted(history: list[Record], kinds: list[Any]) -> list[Record]:
    codes = {each.code for each in kinds}
    return [each for each in history if each.class_code in codes and counts(each, AS_OF)]


@st.composite
def additions(draw: st.DrawFn, scorecard: Scorecard, *, as_of: date = AS_OF) -> Add:
    """A record of a good class the scorecard looks at, up to a day."""
    seen = looked_at(scorecard)
    kinds = [each for each in GOOD if each.code in seen]
    assume(kinds)
    record_class = draw(st.sampled_from(kinds))
    occurred_on = as_of - timedelta(days=draw(st.integers(0, 900)))
    lasted = draw(st.none() | st.integers(0, (as_of - occurred_on).days))
    return Add(
        record_class.code,
        occurred_on,
        ended_on=None if lasted is None else occurred_on + timedelta(days=lasted),
        quantity=draw(st.integers(1, record_class.value.max)),
    )


def there(change: Add, number: int) -> Record:
    """The record a change stands for, as the record room would hold it."""
    return make_record(
        CATALOGUE.classes[change.class_code],
        number,
        occurred_on=change.occurred_on,
        ended_on=change.ended_on,
        quantity=change.quantity,
    )


@given(scorecards, histories())
def test_simulating_nothing_changes_nothing(scorecard: Scorecard, history: list[Record]) -> None:
    found = try_out(ground_of(scorecard, history))
    assert found.before == found.after
    assert (found.comparison.items, found.comparison.base) == ([], None)
    assert found.before.points == score_records(scorecard, history, AS_OF).points


@given(scorecards, histories(), st.data())
def test_added_conduct_is_what_the_engine_says_when_it_is_really_there(
    scorecard: Scorecard, history: list[Record], data: st.DataObject
) -> None:
    months = data.draw(st.integers(0, MONTHS_AHEAD_MAX))
    as_of = add_months(AS_OF, months)
    changes = data.draw(st.lists(additions(scorecard, as_of=as_of), max_size=5))
    found = try_out(ground_of(scorecard, history), *changes, as_of=as_of)
    real = [there(each, 1000 + number) for number, each in enumerate(changes)]
    expected = score_records(scorecard, [*history, *real], as_of)
    assert (found.after.points, found.after.dimensions) == (expected.points, expected.dimensions)
    moved = sum(each.delta_points for each in found.comparison.items)
    assert moved == found.after.points - found.before.points


@given(scorecards, histories(), st.data())
def test_more_good_conduct_never_lowers_the_score(
    scorecard: Scorecard, history: list[Record], data: st.DataObject
) -> None:
    changes = data.draw(st.lists(additions(scorecard), min_size=1, max_size=5))
    found = try_out(ground_of(scorecard, history), *changes)
    assert found.after.points >= found.before.points


@given(scorecards, histories(), st.data())
def test_an_adverse_record_repaired_or_ended_never_lowers_the_score_and_is_as_if_never_there(
    scorecard: Scorecard, history: list[Record], data: st.DataObject
) -> None:
    adverse = counted(history, ADVERSE)
    assume(adverse)
    gone = data.draw(
        st.lists(st.sampled_from(adverse), min_size=1, unique_by=lambda e: e.record_id)
    )
    kinds = [data.draw(st.sampled_from([Repair, Expire])) for _ in gone]
    changes = [kind(each.record_id) for kind, each in zip(kinds, gone, strict=True)]
    found = try_out(ground_of(scorecard, history), *changes)
    assert found.after.points >= found.before.points
    left = [each for each in history if each not in gone]
    assert found.after.points == score_records(scorecard, left, AS_OF).points


@given(scorecards, histories(), st.integers(0, MONTHS_AHEAD_MAX))
def test_what_time_alone_does_is_what_the_engine_says_on_that_day(
    scorecard: Scorecard, history: list[Record], months: int
) -> None:
    as_of = add_months(AS_OF, months)
    found = try_out(ground_of(scorecard, history), as_of=as_of)
    assert found.after.points == score_records(scorecard, history, as_of).points
    assert found.after.as_of == as_of


@given(histories())
def test_help_is_the_real_effect_on_the_whole_score(history: list[Record]) -> None:
    ground = ground_of(SHIPPED, history)
    helps = advise(ground, today=AS_OF)
    assert len(helps) <= HELPS_MAX
    gains = [each.gain_points for each in helps]
    assert gains == sorted(gains, reverse=True)
    can_act = {each.code for each in SHIPPED.indicators if each.can_act}
    for each in helps:
        found = try_out(ground, *each.changes)
        assert found.after.points - found.before.points == each.gain_points > 0
        assert each.indicator in can_act
        repaired = {change.record_id for change in each.changes if isinstance(change, Repair)}
        assert {record.record_id for record in each.records} == repaired


@given(histories())
def test_nobody_is_told_to_ask_for_a_repair_before_the_least_publication_is_over(
    history: list[Record],
) -> None:
    """NDRC Order 36: a person can do nothing about it before."""
    for each in advise(ground_of(SHIPPED, history), today=AS_OF):
        for record in each.records:
            least = CATALOGUE.classes[record.class_code].publication_min_months
            assert add_months(record.occurred_on, least or 0) <= AS_OF


@given(scorecards, histories())
def test_reasons_are_few_in_order_of_effect_and_name_records_that_count(
    scorecard: Scorecard, history: list[Record]
) -> None:
    values = score_records(scorecard, history, AS_OF).indicator_values
    reasons = explain(scorecard, values, history, AS_OF)
    effects = [abs(reason.effect_points) for reason in reasons]
    assert len(effects) <= REASONS_MAX
    assert effects == sorted(effects, reverse=True)
    assert 0 not in effects
    indicators = {each.code: each for each in scorecard.indicators}
    for reason in reasons:
        indicator = indicators[reason.indicator]
        assert all(counts(each, AS_OF) for each in reason.records)
        codes = {*indicator.classes, *indicator.against}
        assert {each.class_code for each in reason.records} <= codes
        days = [each.occurred_on for each in reason.records]
        assert days == sorted(days, reverse=True)


@given(scorecards, histories(), st.randoms(use_true_random=False))
def test_the_order_of_the_records_plays_no_part(
    scorecard: Scorecard, history: list[Record], order: Any
) -> None:
    shuffled = history[:]
    order.shuffle(shuffled)
    values = score_records(scorecard, history, AS_OF).indicator_values
    assert explain(scorecard, values, shuffled, AS_OF) == explain(scorecard, values, history, AS_OF)


@given(scorecards, histories())
def test_the_records_behind_an_indicator_are_those_the_engine_looked_at(
    scorecard: Scorecard, history: list[Record]
) -> None:
    result = score_records(scorecard, history, AS_OF)
    for indicator in scorecard.indicators:
        behind = records_behind(indicator, history, AS_OF)
        assert behind == result.tallies[indicator.code].records


@given(st.sampled_from(GOOD + ADVERSE), st.integers(0, 3000))
def test_a_simulated_record_ends_when_a_real_one_does(kind: Any, days: int) -> None:
    occurred_on = AS_OF - timedelta(days=days)
    record = there(Add(kind.code, occurred_on), 1)
    assert record.ends_on == ends_on_of(kind, occurred_on=occurred_on, ended_on=None)
    ended = msgspec.structs.replace(record, ended_on=AS_OF)
    assert ended.ends_on == record.ends_on
