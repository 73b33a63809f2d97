"""Goal: the two engines give the same bits, and the daily run finds exactly what a day changes.

Method: Hypothesis draws scorecards that the loader proves and cities with calendars at their
hardest; the compiled SQL works on a real PostgreSQL, the Python engine on the same records.
"""

from collections.abc import Iterator
from datetime import date, timedelta
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backend.kit.postgres import Tx
from backend.score.rules.engine import ScoreResult, score_records
from backend.score.rules.run import END_SUBJECT, FIRST_SUBJECT
from backend.score.rules.state import Score, keep
from backend.score.store import bulk
from backend.score.store import score as store
from tests.property.score_city import Ground, RandomCity, cities, lay_down, open_ground
from tests.property.score_worlds import REPORTED_AT

STEPS = st.lists(st.sampled_from([1, 2, 27, 28, 29, 30, 31, 90, 365]) | st.integers(1, 400))
LATER = REPORTED_AT + timedelta(hours=1)
# The ground is the same for all examples, and each of them leaves it as it was.
on_one_ground = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def ground(shared_url: str) -> Iterator[Ground]:
    """A database that stays empty."""
    with open_ground(shared_url) as ground:
        yield ground


def in_python(city: RandomCity, as_of: date) -> dict[UUID, ScoreResult]:
    """Work every score of a city out with the Python engine."""
    return {
        subject_id: score_records(city.scorecard, city.records(subject_id), as_of)
        for subject_id in city.rows
    }


def figures(score: bulk.EvaluatedScore | Score) -> tuple[object, ...]:
    """All that two engines have to agree on."""
    return (
        *(score.points, score.identity_points, score.performance_points, score.law_points),
        *(score.economic_points, score.civic_points, score.indicator_values),
        *(score.input_digest, score.due_on),
    )


def settled(score: bulk.EvaluatedScore | Score) -> tuple[object, ...]:
    """All of it but the day to look again, which may come early: a tenure may end before it."""
    return figures(score)[:-1]


def kept(result: ScoreResult, subject_id: UUID) -> Score:
    """Return a result as it is kept."""
    return keep(result, subject_id=subject_id, revision=1, computed_at=REPORTED_AT)


@on_one_ground
@given(cities())
def test_both_engines_give_the_same_bits(ground: Ground, city: RandomCity) -> None:
    async def work(tx: Tx) -> list[bulk.EvaluatedScore]:
        await lay_down(tx, city)
        return await bulk.evaluate_between(
            tx, city.scorecard, first=FIRST_SUBJECT, end=END_SUBJECT, as_of=city.as_of
        )

    found = {each.subject_id: figures(each) for each in ground.run(work)}
    expected = {
        subject_id: figures(kept(result, subject_id))
        for subject_id, result in in_python(city, city.as_of).items()
    }
    assert found == expected


@on_one_ground
@given(cities(), STEPS)
def test_the_daily_run_finds_exactly_those_that_a_day_changes(
    ground: Ground, city: RandomCity, steps: list[int]
) -> None:
    async def work(tx: Tx) -> None:
        await lay_down(tx, city)
        day = city.as_of
        await bulk.recompute_between(
            tx, city.scorecard, first=FIRST_SUBJECT, end=END_SUBJECT, as_of=day, now=LATER
        )
        for step in steps:
            day += timedelta(days=step)
            expected = {
                subject_id: kept(result, subject_id)
                for subject_id, result in in_python(city, day).items()
            }
            before = {each.subject_id: each for each in await _all(tx, city)}
            due = {each.subject_id for each in await store.list_due(tx, today=day, limit=1_000)}
            for subject_id, score in expected.items():
                if subject_id not in due:
                    assert settled(score) == settled(before[subject_id]), "what changes is due"
                    assert before[subject_id].due_on <= score.due_on, "and never found too late"
            await bulk.recompute_listed(
                tx, city.scorecard, subject_ids=sorted(due, key=str), as_of=day, now=LATER
            )
            for each in await _all(tx, city):
                same = figures if each.subject_id in due else settled
                assert same(each) == same(expected[each.subject_id])

    ground.run(work)


async def _all(tx: Tx, city: RandomCity) -> list[Score]:
    return await store.list_by_subject(tx, list(city.rows))
