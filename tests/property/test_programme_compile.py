"""Goal: compiled to SQL, a rule says what Python says, and better conduct never loses.

Method: Hypothesis draws rules over every fact of the scorecard and citizens around their bounds; a
real PostgreSQL runs the compiled statement on their scores. Of each citizen there is a better one:
what holds for the first holds for the second, in both engines.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from uuid import UUID

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backend.kit.postgres import Tx
from backend.programme.rules.compile import compile_cohort, rule_predicate
from backend.programme.rules.fact import Direction, vocabulary_of
from backend.programme.rules.rule import Comparison, Condition, Facts, Rule, evaluate
from backend.programme.store import cohort as store
from backend.score.rules.plan import plan_of
from backend.score.service import packaged_scorecard
from tests.property.score_city import Ground, open_ground

SCORECARD = packaged_scorecard()
VOCABULARY = vocabulary_of(SCORECARD)
CODES = plan_of(SCORECARD).fact_codes
BOUNDS = (1, 2, 20, 600)
VALUES = st.sampled_from([0, *(bound + step for bound in BOUNDS for step in (-1, 0, 1))])
# The ground is the same for all examples, and each of them leaves it as it was.
on_one_ground = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def ground(shared_url: str) -> Iterator[Ground]:
    """A database that stays empty."""
    with open_ground(shared_url) as ground:
        yield ground


@st.composite
def conditions(draw: st.DrawFn) -> Condition:
    fact = VOCABULARY[draw(st.sampled_from(CODES))]
    is_good = fact.direction is Direction.GOOD
    comparison = Comparison.AT_LEAST if is_good else Comparison.AT_MOST
    return Condition(fact.code, comparison, draw(st.sampled_from(BOUNDS)))


RULES = st.lists(
    st.lists(conditions(), min_size=1, max_size=3).map(tuple), min_size=1, max_size=4
).map(tuple)
CITIZENS = st.lists(st.fixed_dictionaries(dict.fromkeys(CODES, VALUES)), min_size=1, max_size=8)


def better(facts: Facts, by: int) -> dict[str, int]:
    """Return the same citizen with more of what is good and less of what is not."""
    return {
        code: value + by if VOCABULARY[code].direction is Direction.GOOD else max(0, value - by)
        for code, value in facts.items()
    }


async def lay_down(tx: Tx, citizens: list[dict[str, int]]) -> list[UUID]:
    """Give each citizen a score with these facts."""
    subject_ids = [UUID(int=place + 1) for place in range(len(citizens))]
    await tx.execute_many(
        """INSERT INTO account (subject_id, data_key, phone_sealed, name_sealed,
             national_id_sealed, created_at) VALUES ($1, '', '', '', '', $2)""",
        [(subject_id, datetime(2026, 1, 1, tzinfo=UTC)) for subject_id in subject_ids],
    )
    await tx.execute_many(
        """INSERT INTO participation (subject_id, data_key, notice_version, joined_at)
           VALUES ($1, '', 'x', $2)""",
        [(subject_id, datetime(2026, 1, 1, tzinfo=UTC)) for subject_id in subject_ids],
    )
    await tx.execute_many(
        """INSERT INTO score (subject_id, points, identity_points, performance_points,
             law_points, economic_points, civic_points, indicator_values, scorecard_version,
             input_digest, revision, as_of, due_on, computed_at)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, sha256(''), 1, $10, $10, $11)""",
        [
            (
                *(subject_id, *[facts[code] for code in CODES[:6]]),
                *([facts[code] for code in CODES[6:]], SCORECARD.version),
                *(date(2026, 1, 1), datetime(2026, 1, 1, tzinfo=UTC)),
            )
            for subject_id, facts in zip(subject_ids, citizens, strict=True)
        ],
    )
    return subject_ids


@on_one_ground
@given(rule=RULES, live=st.none() | RULES, citizens=CITIZENS, by=st.integers(0, 30))
def test_both_engines_agree_and_better_conduct_never_loses(
    ground: Ground, rule: Rule, live: Rule | None, citizens: list[dict[str, int]], by: int
) -> None:
    both = [*citizens, *(better(facts, by) for facts in citizens)]

    async def work(tx: Tx) -> list[store.CohortRow]:
        subject_ids = await lay_down(tx, both)
        statement = compile_cohort(rule, live, SCORECARD)
        return await store.evaluate_cohort(tx, statement, subject_ids)

    found = {row.subject_id.int: row for row in ground.run(work)}
    assert len(found) == len(both)
    for place, facts in enumerate(both, start=1):
        assert found[place].is_met is evaluate(rule, facts).holds
        assert found[place].was_met is (live is not None and evaluate(live, facts).holds)
    for place in range(1, len(citizens) + 1):
        if found[place].is_met:
            assert found[place + len(citizens)].is_met, "better conduct lost"


def test_what_the_scorecard_dropped_is_never_met(ground: Ground) -> None:
    dropped = ((Condition("indicator.gone", Comparison.AT_MOST, 5),),)

    async def work(tx: Tx) -> list[store.CohortRow]:
        (subject_id,) = await lay_down(tx, [dict.fromkeys(CODES, 0)])
        statement = compile_cohort(dropped, dropped, SCORECARD)
        return await store.evaluate_cohort(tx, statement, [subject_id])

    (row,) = ground.run(work)
    assert (row.is_met, row.was_met) == (False, False)


def test_a_score_of_another_scorecard_is_not_read_by_its_places(ground: Ground) -> None:
    other = msgspec.structs.replace(SCORECARD, version="another")

    async def work(tx: Tx) -> list[store.CohortRow]:
        subject_ids = await lay_down(tx, [dict.fromkeys(CODES, 600)])
        rule = ((Condition("score", Comparison.AT_LEAST, 1),),)
        return await store.evaluate_cohort(tx, compile_cohort(rule, None, other), subject_ids)

    assert ground.run(work) == []


@pytest.mark.parametrize("bound", [-1, True, 10**12, "1 OR true"])
def test_only_whole_numbers_and_plain_names_become_text(bound: object) -> None:
    condition = Condition("score", Comparison.AT_LEAST, bound)  # type: ignore[arg-type] - no number
    rule: Rule = ((condition,),)
    with pytest.raises(ValueError, match="no part of a statement"):
        rule_predicate(rule, SCORECARD)
    strange = msgspec.structs.replace(SCORECARD, version="'; DROP TABLE score; --")
    with pytest.raises(ValueError, match="no part of a statement"):
        compile_cohort((), None, strange)
