"""Goal: a rule says exactly what it says in its file, and a rule nobody could explain is refused.

Method: small rules read from the file's form, evaluated on chosen facts; faulty ones by their
faults, all of them at once.
"""

from typing import Any

import pytest

from backend.programme.rules.fact import Direction, Fact, Unit
from backend.programme.rules.rule import (
    CLAUSES_MAX,
    CONDITIONS_MAX,
    Comparison,
    Condition,
    evaluate,
    parse_rule,
    rule_faults,
)

VOCABULARY = {
    code: Fact(code, direction, Unit.COUNT, maximum, code, code, [])
    for code, direction, maximum in (
        ("score", Direction.GOOD, 1000),
        ("returns", Direction.GOOD, 10**9),
        ("hours", Direction.GOOD, 10**9),
        ("overdue", Direction.ADVERSE, 10**9),
    )
}
SCORE = {"fact": "score", "at_least": 600}
RETURNS = {"fact": "returns", "at_least": 3}
HOURS = {"fact": "hours", "at_least": 10}
OVERDUE = {"fact": "overdue", "at_most": 2}


def read(raw: Any) -> Any:
    faults: list[str] = []
    rule = parse_rule(raw, faults)
    assert faults == []
    return rule


def faults_of(raw: Any) -> list[str]:
    faults: list[str] = []
    rule = parse_rule(raw, faults)
    assert (rule == ()) == bool(faults), "a rule is read whole or not at all"
    return faults + rule_faults(rule, VOCABULARY)


@pytest.mark.parametrize(
    ("comparison", "value", "is_met"),
    [
        (Comparison.AT_LEAST, 599, False),
        (Comparison.AT_LEAST, 600, True),
        (Comparison.AT_LEAST, None, False),
        (Comparison.AT_MOST, 600, True),
        (Comparison.AT_MOST, 601, False),
        (Comparison.AT_MOST, None, False),
    ],
)
def test_a_bound_is_included_and_the_unknown_is_never_enough(
    comparison: Comparison, value: int | None, is_met: bool
) -> None:
    assert Condition("score", comparison, 600).is_met(value) is is_met


def test_all_needs_every_part_and_any_needs_one() -> None:
    rule = read({"all": [SCORE, OVERDUE, {"any": [RETURNS, HOURS]}]})
    good = {"score": 600, "overdue": 2, "returns": 0, "hours": 10}
    assert evaluate(rule, good).holds
    assert not evaluate(rule, {**good, "hours": 9}).holds
    assert not evaluate(rule, {**good, "overdue": 3}).holds
    assert evaluate(rule, {**good, "hours": 0, "returns": 3}).holds


def test_what_is_missing_is_the_clauses_that_do_not_hold() -> None:
    rule = read({"all": [SCORE, OVERDUE, {"any": [RETURNS, HOURS]}]})
    trace = evaluate(rule, {"score": 580, "overdue": 0, "returns": 1, "hours": 4})
    missing = [[(s.fact, s.value, s.bound) for s in clause] for clause in trace.missing]
    assert missing == [[("score", 580, 600)], [("returns", 1, 3), ("hours", 4, 10)]]


def test_every_condition_is_in_the_trace_whatever_came_before() -> None:
    trace = evaluate(read({"all": [SCORE, OVERDUE]}), {"score": 1})
    assert [(s.fact, s.value, s.is_met) for clause in trace.clauses for s in clause] == [
        ("score", 1, False),
        ("overdue", None, False),
    ]


def test_any_of_all_is_brought_into_clauses() -> None:
    rule = read({"any": [SCORE, {"all": [RETURNS, HOURS]}]})
    assert [[c.fact for c in clause] for clause in rule] == [
        ["score", "returns"],
        ["score", "hours"],
    ]


def test_a_clause_that_another_one_implies_is_left_out() -> None:
    rule = read({"all": [{"any": [SCORE, RETURNS]}, SCORE, SCORE]})
    assert [[c.fact for c in clause] for clause in rule] == [["score"]]


@pytest.mark.parametrize(
    ("raw", "fault"),
    [
        ([], "a term is a table"),
        ({}, "a term is fact with"),
        ({"fact": "score"}, "a term is fact with"),
        ({"fact": "score", "at_least": 1, "at_most": 2}, "a term is fact with"),
        ({"not": SCORE}, "a term is fact with"),
        ({"all": []}, "1 to 16 terms"),
        ({"all": SCORE}, "1 to 16 terms"),
        ({"all": [SCORE], "any": [SCORE]}, "a term is fact with"),
        ({"fact": 7, "at_least": 1}, "fact is a text"),
        ({"fact": "score", "at_least": True}, "a whole number"),
        ({"fact": "score", "at_least": 1.5}, "a whole number"),
        ({"fact": "income", "at_least": 1}, "not in the vocabulary"),
        ({"fact": "score", "at_most": 600}, "can only be asked at_least"),
        ({"fact": "overdue", "at_least": 1}, "can only be asked at_most"),
        ({"fact": "score", "at_least": 0}, "from 1 to 1000"),
        ({"fact": "score", "at_least": 1001}, "from 1 to 1000"),
        ({"fact": "overdue", "at_most": -1}, "from 0 to"),
        ({"all": [{"any": [{"all": [{"any": [SCORE]}]}]}]}, "deeper than 3"),
    ],
)
def test_a_rule_that_is_not_understood_is_refused(raw: Any, fault: str) -> None:
    assert any(fault in found for found in faults_of(raw)), faults_of(raw)


def test_all_faults_come_at_once() -> None:
    raw = {"all": [{"fact": "income", "at_least": 1}, {"fact": "overdue", "at_least": 1}]}
    assert len(faults_of(raw)) == 2
    assert len(faults_of({"all": [{"x": 1}, {"any": []}, 7]})) == 3


def test_more_than_can_be_explained_is_refused() -> None:
    many = [{"fact": f"f{n}", "at_least": 1} for n in range(CONDITIONS_MAX + 1)]
    halves = {"all": [{"any": many[:9]}, {"any": many[9:]}]}
    assert any("conditions can't be explained" in fault for fault in faults_of(halves))
    pairs = [{"all": many[n : n + 3]} for n in (0, 3, 6)]
    assert CLAUSES_MAX < 3**3
    assert any("27 clauses can't be explained" in fault for fault in faults_of({"any": pairs}))
    # Counted before they are made: these would not fit into memory.
    huge = {"any": [{"all": many[:3]} for _ in range(16)]}
    assert any(f"{3**16} clauses" in fault for fault in faults_of(huge))
