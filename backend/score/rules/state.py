"""A score as it is kept: what it was worked out from and when it changes by itself.

The values of the scorecard's indicators are what a score rests on. Dimensions, tier, facts and
reasons are functions of the scorecard and those values, so none of them is kept beside them.
"""

from collections.abc import Iterable
from datetime import date, datetime
from uuid import UUID

import msgspec

from backend.score.rules.engine import ScoreResult
from backend.score.rules.plan import plan_of
from backend.score.rules.scorecard import Scorecard


class ScoreRevision(msgspec.Struct, frozen=True, kw_only=True):
    """A score as it stood at one time; `revision` counts from 1 for each subject.

    `indicator_values` are in the order of the indicators of the scorecard `scorecard_version`.
    `input_digest` fingerprints the records that counted; it says nothing of day or scorecard.
    """

    subject_id: UUID
    revision: int
    points: int
    identity_points: int
    performance_points: int
    law_points: int
    economic_points: int
    civic_points: int
    indicator_values: list[int]
    scorecard_version: str
    input_digest: bytes
    as_of: date
    computed_at: datetime

    @property
    def dimensions(self) -> dict[str, int]:
        """The points of each dimension, by code, in the order of DIMENSIONS."""
        return {
            "identity": self.identity_points,
            "performance": self.performance_points,
            "law": self.law_points,
            "economic": self.economic_points,
            "civic": self.civic_points,
        }


class Score(ScoreRevision, frozen=True, kw_only=True):
    """A participant's score as it stands; from `due_on` on it may differ without a new record."""

    due_on: date


def keep(result: ScoreResult, *, subject_id: UUID, revision: int, computed_at: datetime) -> Score:
    """Return a result in the form in which it is kept."""
    score = Score(
        subject_id=subject_id,
        revision=revision,
        points=result.points,
        identity_points=result.dimensions["identity"],
        performance_points=result.dimensions["performance"],
        law_points=result.dimensions["law"],
        economic_points=result.dimensions["economic"],
        civic_points=result.dimensions["civic"],
        indicator_values=result.indicator_values,
        scorecard_version=result.scorecard_version,
        input_digest=result.input_digest,
        as_of=result.as_of,
        computed_at=computed_at,
        due_on=result.due_on,
    )
    assert score.dimensions == result.dimensions, "no dimension is lost"
    return score


def is_new_revision(score: Score, before: Score) -> bool:
    """Say whether a score differs from what was kept in more than its day."""
    return (score.scorecard_version, score.indicator_values, score.input_digest) != (
        before.scorecard_version,
        before.indicator_values,
        before.input_digest,
    )


def facts_of(
    scorecard: Scorecard,
    *,
    points: int,
    dimensions: Iterable[int],
    indicator_values: Iterable[int],
) -> dict[str, int]:
    """Return what programmes' rules may ask about: `score`, `dimension.…` and `indicator.…`.

    The scorecard is the one the score was worked out with; `dimensions` are in the order of
    DIMENSIONS, the values in that of the scorecard's indicators.
    """
    figures = figures_of(points=points, dimensions=dimensions, indicator_values=indicator_values)
    return dict(zip(fact_codes_of(scorecard), figures, strict=True))


def fact_codes_of(scorecard: Scorecard) -> tuple[str, ...]:
    """Return the codes of a scorecard's facts, in the order of `figures_of`."""
    return plan_of(scorecard).fact_codes


def figures_of(
    *, points: int, dimensions: Iterable[int], indicator_values: Iterable[int]
) -> tuple[int, ...]:
    """Return the values of a scorecard's facts, each at the place of its code."""
    return (points, *dimensions, *indicator_values)
