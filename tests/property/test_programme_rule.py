"""Goal: better conduct never loses, and the clauses say the same as the file.

Method: Hypothesis writes rules in the file's form. Their clauses are compared with a plain
interpreter of that form written here, and with themselves on facts that got better.
"""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from backend.programme.rules.fact import Direction, vocabulary_of
from backend.programme.rules.rule import (
    CLAUSES_MAX,
    CONDITIONS_MAX,
    Comparison,
    Condition,
    Facts,
    evaluate,
    parse_rule,
    rule_faults,
)
from backend.score.service import packaged_scorecard
from tests.support.examples import examples

VOCABULARY = vocabulary_of(packaged_scorecard())
CODES = sorted(VOCABULARY)[7:11]  # two good, two adverse


@st.composite
def conditions(draw: st.DrawFn) -> dict[str, Any]:
    fact = VOCABULARY[draw(st.sampled_from(CODES))]
    bound = draw(st.sampled_from([1, 20, 40]))  # few, so that conditions meet again
    word = "at_least" if fact.direction is Direction.GOOD else "at_most"
    return {"fact": fact.code, word: bound}


def groups(parts: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.builds(
        lambda word, terms: {word: terms},
        st.sampled_from(["all", "any"]),
        st.lists(parts, min_size=1, max_size=3),
    )


PARTS = st.one_of(groups(conditions()), conditions())
TERMS = st.one_of(groups(PARTS), groups(groups(PARTS)), conditions())
# Around the bounds, and now and then nothing is known.
VALUES = st.sampled_from([0, 1, 19, 20, 39, 40, 41])
FACTS = st.one_of(
    st.fixed_dictionaries(dict.fromkeys(CODES, VALUES)),
    st.fixed_dictionaries({}, optional=dict.fromkeys(CODES, VALUES)),
)


def holds(term: dict[str, Any], facts: Facts) -> bool:
    """Interpret the file's form as it is written."""
    if "all" in term:
        return all(holds(each, facts) for each in term["all"])
    if "any" in term:
        return any(holds(each, facts) for each in term["any"])
    value = facts.get(term["fact"])
    if value is None:
        return False
    return value >= term["at_least"] if "at_least" in term else value <= term["at_most"]


@examples(400)
@given(TERMS, FACTS)
def test_the_clauses_say_what_the_file_says(term: dict[str, Any], facts: dict[str, int]) -> None:
    faults: list[str] = []
    rule = parse_rule(term, faults)
    if faults:
        assert all("can't be explained" in fault for fault in faults)
        return
    assert rule_faults(rule, VOCABULARY) == []
    assert evaluate(rule, facts).holds is holds(term, facts)


@given(TERMS, FACTS, st.data())
def test_better_conduct_never_loses(
    term: dict[str, Any], facts: dict[str, int], data: st.DataObject
) -> None:
    faults: list[str] = []
    rule = parse_rule(term, faults)
    better = {}
    for code, value in facts.items():
        step = data.draw(st.integers(0, 20), label=code)
        is_good = VOCABULARY[code].direction is Direction.GOOD
        better[code] = value + step if is_good else max(0, value - step)
    before, after = evaluate(rule, facts), evaluate(rule, better)
    assert after.holds or not before.holds
    assert len(after.missing) <= len(before.missing)


@given(TERMS, FACTS)
def test_whoever_gets_what_is_missing_is_eligible(
    term: dict[str, Any], facts: dict[str, int]
) -> None:
    rule = parse_rule(term, [])
    missing = evaluate(rule, facts).missing
    fixed = dict(facts)
    for clause in missing:
        step = clause[0]
        worse = max if step.comparison is Comparison.AT_LEAST else min
        fixed[step.fact] = worse(fixed.get(step.fact, step.bound), step.bound)
    assert evaluate(rule, fixed).holds


@given(TERMS)
def test_a_rule_that_is_read_can_be_explained(term: dict[str, Any]) -> None:
    rule = parse_rule(term, [])
    assert len(rule) <= CLAUSES_MAX
    found: set[Condition] = {condition for clause in rule for condition in clause}
    assert len(found) <= CONDITIONS_MAX
    for number, clause in enumerate(rule):
        others = [set(each) for place, each in enumerate(rule) if place != number]
        assert not any(each <= set(clause) for each in others), "no clause says what another says"
