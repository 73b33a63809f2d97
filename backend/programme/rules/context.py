"""Conditions of enrolment: what is asked of a citizen once, when they enrol, and at no check.

Age and district come from the identity number, which is opened for the one answer and kept
nowhere; so a partner's check, which must be fast and read nothing sealed, never asks about them
(docs/adr). They are written in the same algebra as rules, from a vocabulary of their own: "at
least" on what only grows, and membership of a district, which is never asked the other way round.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import msgspec

from backend.kit.problem import Refusal
from backend.programme.rules.rule import read_clauses

# Raised when the meaning of a fact changes: a document that was proved keeps its meaning.
CONTEXT_VERSION = 1
_CODES_MAX = 50


class ContextKind(StrEnum):
    """How a context fact is asked."""

    AT_LEAST = "at_least"
    ONE_OF = "one_of"


class ContextFact(msgspec.Struct, frozen=True):
    """One thing known of a citizen apart from records; `maximum` is None for a code."""

    code: str
    kind: ContextKind
    maximum: int | None
    name_zh: str
    name_en: str
    unit_zh: str
    unit_en: str


CONTEXT_FACTS: Mapping[str, ContextFact] = {
    fact.code: fact
    for fact in (
        ContextFact("context.age", ContextKind.AT_LEAST, 100, "年龄", "Age", "周岁", "years"),
        ContextFact(
            *("context.participation_months", ContextKind.AT_LEAST, 120),
            *("参与时长", "Time taking part", "个月", "months"),
        ),
        ContextFact(
            *("context.district", ContextKind.ONE_OF, None),
            *("身份证件登记地区", "District of the identity card", "", ""),
        ),
    )
}


class ContextCondition(msgspec.Struct, frozen=True, order=True):
    """A context fact and what is enough: a bound, or one of some codes (the other is empty)."""

    fact: str
    bound: int
    one_of: tuple[str, ...]

    def is_met(self, value: int | str | None) -> bool:
        """Whether a value is enough; one that nobody knows never is."""
        if self.one_of:
            return value in self.one_of
        return isinstance(value, int) and value >= self.bound


ContextRule = tuple[tuple[ContextCondition, ...], ...]
ContextFacts = Mapping[str, int | str]


def parse_context_rule(raw: Any, faults: list[str]) -> ContextRule:
    """Read `[enrol]` as it stands in a file; what is wrong with it is added to `faults`.

    A term is {fact, at_least}, {fact, one_of}, {all = [terms]} or {any = [terms]}.
    """
    keys = ({"fact", "at_least"}, {"fact", "one_of"})
    return read_clauses(raw, "enrol", leaf=_condition, keys=keys, faults=faults)


def context_lacks(rule: ContextRule, facts: ContextFacts) -> ContextRule:
    """Return the clauses that don't hold; of each, one condition met would be enough."""
    return tuple(
        clause for clause in rule if not any(each.is_met(facts.get(each.fact)) for each in clause)
    )


def check_context(lacks: ContextRule) -> None:
    """Check that no condition of enrolment is missing.

    Raises Refusal not_eligible_yet (missing): what is needed, and nothing of what the identity
    number says.
    """
    if lacks:
        missing = [{"one_of": [_shown(each) for each in clause]} for clause in lacks]
        raise Refusal("not_eligible_yet", missing=missing)


def _shown(condition: ContextCondition) -> dict[str, object]:
    fact = CONTEXT_FACTS[condition.fact]
    return {
        "fact": fact.code,
        "name_zh": fact.name_zh,
        "name_en": fact.name_en,
        "unit": fact.unit_en or "district",
        "comparison": fact.kind.value,
        "current": None,
        "needed": condition.bound if fact.kind is ContextKind.AT_LEAST else condition.one_of,
    }


def _condition(raw: dict[str, Any], place: str, faults: list[str]) -> ContextRule:
    fact = CONTEXT_FACTS.get(raw["fact"]) if isinstance(raw["fact"], str) else None
    if fact is None:
        faults.append(f"{place}: {raw['fact']} is no context fact")
        return ()
    asked = next(word for word in raw if word != "fact")
    if asked != fact.kind:
        faults.append(f"{place}: {fact.code} can only be asked {fact.kind}")
        return ()
    if fact.kind is ContextKind.AT_LEAST:
        bound = raw["at_least"]
        assert fact.maximum is not None, "a number has a largest value"
        if type(bound) is not int or not 1 <= bound <= fact.maximum:
            faults.append(f"{place}: {fact.code} at_least is a whole number up to {fact.maximum}")
            return ()
        return ((ContextCondition(fact.code, bound, ()),),)
    codes = raw["one_of"]
    if not isinstance(codes, list) or not 1 <= len(codes) <= _CODES_MAX:
        faults.append(f"{place}: {fact.code} one_of is an array of 1 to {_CODES_MAX} codes")
        return ()
    if not all(isinstance(code, str) and _is_district(code) for code in codes):
        faults.append(f"{place}: {fact.code} is the six digits of GB/T 2260")
        return ()
    return ((ContextCondition(fact.code, 0, tuple(sorted(set(codes)))),),)


def _is_district(code: str) -> bool:
    return len(code) == 6 and code.isascii() and code.isdigit()
