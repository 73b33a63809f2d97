"""A rule as SQL: what `rule.evaluate` says of one citizen, for many at once inside PostgreSQL.

As with scorecards (docs/adr/0022) the text is made of names and whole numbers alone, each looked
at before it goes in; people come in as parameters. The two must agree: a property test holds them
together on random rules and citizens.
"""

import re

import msgspec

from backend.programme.rules.rule import Comparison, Condition, Rule
from backend.score.rules.plan import plan_of
from backend.score.rules.scorecard import VALUE_MAX, Scorecard

_NAME = re.compile(r"[a-z0-9_.-]+")
_OPERATORS = {Comparison.AT_LEAST: ">=", Comparison.AT_MOST: "<="}


class CompiledCohort(msgspec.Struct, frozen=True):
    """A statement that says of each of some citizens whether a rule holds, and another did."""

    sql: str


def compile_cohort(rule: Rule, live: Rule | None, scorecard: Scorecard) -> CompiledCohort:
    """Return a statement about citizens whose scores were worked out with a scorecard.

    Takes their ids. Columns: subject_id, is_met, was_met (by the live rule; false without one).
    """
    version = _name(scorecard.version)
    was_met = "false" if live is None else rule_predicate(live, scorecard)
    sql = f"""SELECT score.subject_id, {rule_predicate(rule, scorecard)} AS is_met,
  {was_met} AS was_met
FROM score
WHERE score.subject_id = ANY($1::uuid[])
  AND score.scorecard_version = '{version}'"""  # noqa: S608 - names and numbers that were looked at
    return CompiledCohort(sql)


def rule_predicate(rule: Rule, scorecard: Scorecard) -> str:
    """Return a rule as a condition on a row of `score`; true or false, never unknown."""
    columns = _columns(scorecard)
    clauses = [
        "(" + " OR ".join(_condition(each, columns) for each in clause) + ")" for clause in rule
    ]
    return f"(({' AND '.join(clauses) or 'true'}) IS TRUE)"


def _columns(scorecard: Scorecard) -> dict[str, str]:
    """Return where each fact stands in a row of `score`."""
    found = {"score": "score.points"}
    place = 0
    for code in plan_of(scorecard).fact_codes:
        kind, _, name = code.partition(".")
        if kind == "dimension":
            found[code] = f"score.{_name(name)}_points"
        elif kind == "indicator":
            place += 1
            found[code] = f"score.indicator_values[{place}]"
    return found


def _condition(condition: Condition, columns: dict[str, str]) -> str:
    column = columns.get(condition.fact)
    if column is None:
        # A live rule may ask about what the scorecard has dropped: nobody knows it, so it never is.
        return "false"
    return f"{column} {_OPERATORS[condition.comparison]} {_number(condition.bound)}"


def _name(text: str) -> str:
    """Return a name that may stand in a statement; the loader refuses any other.

    Not by an assertion: those can be left out when Python is started.
    """
    if not _NAME.fullmatch(text):
        raise ValueError("a name that is no part of a statement")
    return text


def _number(value: int) -> str:
    if type(value) is not int or not 0 <= value <= VALUE_MAX:
        raise ValueError("a number that is no part of a statement")
    return str(value)
