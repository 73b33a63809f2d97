"""Rules: "all" and "any" of "at least" on good facts and "at most" on adverse ones.

There is no negation and no code, so a rule is monotone by construction: with a fact that gets
better, a condition that was met stays met. Every rule is brought into one form, a list of clauses
that must all hold, each a list of conditions of which one is enough. In that form "what is
missing" is simply the clauses that don't hold.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from enum import StrEnum
from itertools import product
from typing import Any, Generic, TypeVar

import msgspec

from backend.programme.rules.fact import Direction, Vocabulary

C = TypeVar("C")

CONDITIONS_MAX = 16
DEPTH_MAX = 3
CLAUSES_MAX = 16

Facts = Mapping[str, int]


class Comparison(StrEnum):
    """How a fact is compared: what counts as enough."""

    AT_LEAST = "at_least"
    AT_MOST = "at_most"


class Condition(msgspec.Struct, frozen=True, order=True):
    """One fact and the bound it must keep."""

    fact: str
    comparison: Comparison
    bound: int

    def is_met(self, value: int | None) -> bool:
        """Whether a value is enough; a fact nobody knows never is."""
        if value is None:
            return False
        if self.comparison is Comparison.AT_LEAST:
            return value >= self.bound
        return value <= self.bound


Clause = tuple[Condition, ...]
Rule = tuple[Clause, ...]


class Step(msgspec.Struct, frozen=True):
    """One condition as it was found: the line of a trace. `value` is None for an unknown fact."""

    fact: str
    comparison: Comparison
    bound: int
    value: int | None
    is_met: bool


class Trace(msgspec.Struct, frozen=True):
    """How a rule was evaluated, clause by clause."""

    clauses: list[list[Step]]

    @property
    def holds(self) -> bool:
        """Whether the rule is satisfied."""
        return not self.missing

    @property
    def missing(self) -> list[list[Step]]:
        """The clauses that don't hold; of each, one condition met would be enough."""
        return [clause for clause in self.clauses if not any(step.is_met for step in clause)]


def evaluate(rule: Rule, facts: Facts) -> Trace:
    """Evaluate a rule on a citizen's facts; every condition is looked at, whatever came before."""
    return Trace([[_step(condition, facts) for condition in clause] for clause in rule])


def facts_of(rule: Rule) -> set[str]:
    """Return the codes of the facts a rule asks about."""
    return {condition.fact for clause in rule for condition in clause}


def parse_rule(raw: Any, faults: list[str]) -> Rule:
    """Read a rule as it stands in a data file; what is wrong with it is added to `faults`.

    A term is {fact, at_least}, {fact, at_most}, {all = [terms]} or {any = [terms]}.
    """
    keys = ({"fact", "at_least"}, {"fact", "at_most"})
    return read_clauses(raw, "rule", leaf=_condition, keys=keys, faults=faults)


def read_clauses(
    raw: Any,
    place: str,
    *,
    leaf: Callable[[dict[str, Any], str, list[str]], tuple[tuple[C, ...], ...]],
    keys: Collection[set[str]],
    faults: list[str],
) -> tuple[tuple[C, ...], ...]:
    """Read terms of any conditions into clauses; none when there is a fault, which is then noted.

    `leaf` reads a term whose members are one of `keys`.
    """
    found = len(faults)
    rule = _Reader(leaf, keys, faults).clauses(raw, place, 1)
    if len({condition for clause in rule for condition in clause}) > CONDITIONS_MAX:
        faults.append(f"{place}: more than {CONDITIONS_MAX} conditions can't be explained")
    if len(rule) > CLAUSES_MAX:
        faults.append(f"{place}: {len(rule)} clauses can't be explained, at most {CLAUSES_MAX}")
    if len(faults) > found:
        return ()
    assert rule, "a rule that was read has at least one clause"
    return rule


def rule_faults(rule: Rule, vocabulary: Vocabulary) -> list[str]:
    """Return why a rule can't be used: unknown facts, falling conditions, bounds without sense."""
    faults = []
    for condition in sorted({condition for clause in rule for condition in clause}):
        fact = vocabulary.get(condition.fact)
        name = f"rule: {condition.fact} {condition.comparison} {condition.bound}"
        if fact is None:
            faults.append(f"{name}: the fact is not in the vocabulary")
            continue
        wanted = Comparison.AT_LEAST if fact.direction is Direction.GOOD else Comparison.AT_MOST
        if condition.comparison is not wanted:
            faults.append(
                f"{name}: more of a fact that is {fact.direction} must never be worse, "
                f"so it can only be asked {wanted}"
            )
        elif wanted is Comparison.AT_LEAST and not 1 <= condition.bound <= fact.maximum:
            faults.append(f"{name}: the bound is not from 1 to {fact.maximum}")
        elif wanted is Comparison.AT_MOST and not 0 <= condition.bound < fact.maximum:
            faults.append(f"{name}: the bound is not from 0 to {fact.maximum - 1}")
    return faults


def _step(condition: Condition, facts: Facts) -> Step:
    value = facts.get(condition.fact)
    return Step(
        fact=condition.fact,
        comparison=condition.comparison,
        bound=condition.bound,
        value=value,
        is_met=condition.is_met(value),
    )


class _Reader(Generic[C]):
    """Reads terms, whatever the conditions in them are."""

    def __init__(
        self,
        leaf: Callable[[dict[str, Any], str, list[str]], tuple[tuple[C, ...], ...]],
        keys: Collection[set[str]],
        faults: list[str],
    ) -> None:
        self._leaf, self._keys, self._faults = leaf, keys, faults

    def clauses(self, raw: Any, place: str, depth: int) -> tuple[tuple[C, ...], ...]:
        """Return the clauses of one term; none when it is faulty, which is then noted."""
        if not isinstance(raw, dict):
            self._faults.append(f"{place}: a term is a table")
            return ()
        if raw.keys() in self._keys:
            return self._leaf(raw, place, self._faults)
        if raw.keys() not in ({"all"}, {"any"}):
            words = " or ".join(sorted(word for keys in self._keys for word in keys - {"fact"}))
            self._faults.append(f"{place}: a term is fact with {words}, or all, or any")
            return ()
        if depth > DEPTH_MAX:
            self._faults.append(f"{place}: all and any deeper than {DEPTH_MAX} can't be explained")
            return ()
        ((word, terms),) = raw.items()
        if not isinstance(terms, list) or not 1 <= len(terms) <= CONDITIONS_MAX:
            self._faults.append(f"{place}.{word}: 1 to {CONDITIONS_MAX} terms in an array")
            return ()
        parts = [
            self.clauses(term, f"{place}.{word}[{number}]", depth + 1)
            for number, term in enumerate(terms, start=1)
        ]
        if not all(parts):
            return ()
        if word == "all":
            return _smallest(clause for part in parts for clause in part)
        # Any of (a and b), c is the same as (a or c) and (b or c): one clause of each part, joined.
        count = 1
        for part in parts:
            count *= len(part)
        if count > CLAUSES_MAX:
            self._faults.append(
                f"{place}: {count} clauses can't be explained, at most {CLAUSES_MAX}"
            )
            return ()
        return _smallest(_joined(choice) for choice in product(*parts))


def _condition(raw: dict[str, Any], place: str, faults: list[str]) -> Rule:
    comparison = Comparison.AT_LEAST if "at_least" in raw else Comparison.AT_MOST
    fact, bound = raw["fact"], raw[comparison]
    if not isinstance(fact, str) or not isinstance(bound, int) or isinstance(bound, bool):
        faults.append(f"{place}: fact is a text and {comparison} a whole number")
        return ()
    return ((Condition(fact, comparison, bound),),)


def _joined(clauses: Iterable[tuple[C, ...]]) -> tuple[C, ...]:
    """Return one clause of all conditions, each once, in the order they were written."""
    return tuple(dict.fromkeys(condition for clause in clauses for condition in clause))


def _smallest(clauses: Iterable[tuple[C, ...]]) -> tuple[tuple[C, ...], ...]:
    """Leave out every clause that holds whenever another one does: nobody needs to read it."""
    once = list(dict.fromkeys(clauses))
    sets = [frozenset(clause) for clause in once]
    seen: set[frozenset[C]] = set()
    kept = []
    for clause, conditions in zip(once, sets, strict=True):
        is_weaker = any(other < conditions for other in sets) or conditions in seen
        if not is_weaker:
            kept.append(clause)
            seen.add(conditions)
    return tuple(kept)
