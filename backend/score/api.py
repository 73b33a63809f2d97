"""The citizen's own score, with its reasons and what would help. Nobody else ever sees it."""

from datetime import date, datetime
from uuid import UUID

import msgspec
from litestar import get
from litestar.datastructures import CacheControlHeader
from litestar.di import NamedDependency

from backend.access.guard import requires
from backend.access.rules import CitizenPrincipal, Scope
from backend.kit.crypto import Vault
from backend.kit.http import problems
from backend.kit.postgres import Database
from backend.score import service
from backend.score.service import ExplainedScore


class TierView(msgspec.Struct, frozen=True):
    """The named part of the range the score lies in."""

    code: str
    name_zh: str
    name_en: str


class DimensionView(msgspec.Struct, frozen=True):
    """The points of one dimension, and the most it can give."""

    code: str
    name_zh: str
    name_en: str
    points: int
    cap_points: int


class ReasonView(msgspec.Struct, frozen=True):
    """One thing that moved the score, by how much, and the newest records behind it."""

    indicator: str
    dimension: str
    effect_points: int
    text_zh: str
    text_en: str
    record_ids: list[UUID]


class HelpView(msgspec.Struct, frozen=True):
    """One thing the citizen can do, and the points it would give if it stood there today."""

    indicator: str
    dimension: str
    gain_points: int
    text_zh: str
    text_en: str


class ScoreView(msgspec.Struct, frozen=True):
    """A score of 0 to `range_points`; `base_points` is where everybody without data stands.

    `scorecard_version`, `as_of` and `input_digest` (hex) say what it was worked out from.
    """

    points: int
    range_points: int
    base_points: int
    tier: TierView
    dimensions: list[DimensionView]
    reasons: list[ReasonView]
    helps: list[HelpView]
    scorecard_version: str
    as_of: date
    input_digest: str
    computed_at: datetime


@get(
    "/v1/me/score",
    operation_id="score_get",
    tags=["citizen"],
    guards=[requires(Scope.ME_SCORE)],
    cache_control=CacheControlHeader(no_store=True),
    responses=problems("scope_insufficient", "score_missing", "token_invalid"),
)
async def get_score(
    citizen: NamedDependency[CitizenPrincipal],
    db: NamedDependency[Database],
    vault: NamedDependency[Vault],
) -> ScoreView:
    """Show the citizen the score: points, tier, dimensions, reasons, and what would help."""
    async with db.read() as tx:
        explained = await service.get_explained(tx, subject_id=citizen.subject_id, vault=vault)
    return _score_view(explained)


def _score_view(explained: ExplainedScore) -> ScoreView:
    score, explanation = explained.score, explained.explanation
    scorecard = explained.scorecard
    tier = scorecard.tier_at(score.points)
    return ScoreView(
        points=score.points,
        range_points=scorecard.range_points,
        base_points=explanation.base_points,
        tier=TierView(tier.code, tier.name_zh, tier.name_en),
        dimensions=[
            DimensionView(
                code=each.code,
                name_zh=each.name_zh,
                name_en=each.name_en,
                points=score.dimensions[each.code],
                cap_points=each.cap_points,
            )
            for each in scorecard.dimensions
        ],
        reasons=[
            ReasonView(
                indicator=each.indicator,
                dimension=each.dimension,
                effect_points=each.effect_points,
                text_zh=each.text_zh,
                text_en=each.text_en,
                record_ids=each.record_ids,
            )
            for each in explanation.reasons
        ],
        helps=[
            HelpView(
                indicator=each.indicator,
                dimension=each.dimension,
                gain_points=each.gain_points,
                text_zh=each.text_zh,
                text_en=each.text_en,
            )
            for each in explanation.helps
        ],
        scorecard_version=score.scorecard_version,
        as_of=score.as_of,
        input_digest=score.input_digest.hex(),
        computed_at=score.computed_at,
    )


ROUTES = [get_score]
