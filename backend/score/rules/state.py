"""A score as it is kept."""

from datetime import date, datetime
from uuid import UUID

import msgspec

from backend.score.rules.engine import ScoreResult


class Score(msgspec.Struct, frozen=True, kw_only=True):
    """A participant's score; `facts` are what programmes' rules may use.

    `explanation_sealed` opens with the key of the participation only.
    """

    subject_id: UUID
    points: int
    tier_code: str
    identity_points: int
    performance_points: int
    law_points: int
    economic_points: int
    civic_points: int
    facts: dict[str, int]
    scorecard_version: str
    input_digest: bytes
    as_of: date
    explanation_sealed: bytes
    computed_at: datetime

    @property
    def dimensions(self) -> dict[str, int]:
        """The points of each dimension, by code."""
        return {
            "identity": self.identity_points,
            "performance": self.performance_points,
            "law": self.law_points,
            "economic": self.economic_points,
            "civic": self.civic_points,
        }


def keep(
    result: ScoreResult, *, subject_id: UUID, explanation_sealed: bytes, computed_at: datetime
) -> Score:
    """Return a result in the form in which it is kept."""
    score = Score(
        subject_id=subject_id,
        points=result.points,
        tier_code=result.tier_code,
        identity_points=result.dimensions["identity"],
        performance_points=result.dimensions["performance"],
        law_points=result.dimensions["law"],
        economic_points=result.dimensions["economic"],
        civic_points=result.dimensions["civic"],
        facts=result.facts,
        scorecard_version=result.scorecard_version,
        input_digest=result.input_digest,
        as_of=result.as_of,
        explanation_sealed=explanation_sealed,
        computed_at=computed_at,
    )
    assert score.dimensions == result.dimensions, "no dimension is lost"
    return score
