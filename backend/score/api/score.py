"""The citizen's own score, with its reasons and what would help. Nobody else ever sees it."""

from collections.abc import Mapping
from datetime import date, datetime
from uuid import UUID

import msgspec
from litestar import get
from litestar.datastructures import CacheControlHeader
from litestar.di import NamedDependency

from backend.access.guard import requires
from backend.access.rules import CitizenPrincipal, Scope
from backend.kit.clock import Clock
from backend.kit.http import problems
from backend.kit.postgres import Database
from backend.score import service
from backend.score.rules.advice import Help
from backend.score.rules.explanation import Reason
from backend.score.rules.scorecard import Scorecard
from backend.score.service import ExplainedScore

NO_STORE = CacheControlHeader(no_store=True)


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
    """One thing that moved the score, by how much, and the records behind it.

    `record_ids` are the newest of `record_count`, at most 20; they are those of GET /v1/me/records.
    """

    indicator: str
    dimension: str
    effect_points: int
    text_zh: str
    text_en: str
    record_count: int
    record_ids: list[UUID]


class HelpView(msgspec.Struct, frozen=True):
    """One thing the citizen can do, and the points it would give if it stood there today.

    `record_ids` are the records to be repaired, where that is what would help.
    """

    indicator: str
    dimension: str
    gain_points: int
    text_zh: str
    text_en: str
    record_ids: list[UUID]


class ScoreView(msgspec.Struct, frozen=True):
    """A score of 0 to `range_points`; `base_points` is where everybody without data stands.

    `scorecard_version`, `as_of` and `input_digest` (hex) say what it was worked out from;
    `revision` counts up whenever that changed. From `next_change_on` on it may change without a
    new record, because an item ends or a window slides; null if it never does.
    """

    points: int
    range_points: int
    base_points: int
    tier: TierView
    dimensions: list[DimensionView]
    reasons: list[ReasonView]
    helps: list[HelpView]
    revision: int
    next_change_on: date | None
    scorecard_version: str
    as_of: date
    input_digest: str
    computed_at: datetime


@get(
    "/v1/me/score",
    operation_id="score_get",
    tags=["citizen"],
    guards=[requires(Scope.ME_SCORE)],
    cache_control=NO_STORE,
    responses=problems("scope_insufficient", "score_missing", "token_invalid"),
)
async def get_score(
    citizen: NamedDependency[CitizenPrincipal],
    db: NamedDependency[Database],
    clock: NamedDependency[Clock],
) -> ScoreView:
    """Show the citizen the score: points, tier, dimensions, reasons, and what would help."""
    async with db.read() as tx:
        explained = await service.get_explained(tx, subject_id=citizen.subject_id, now=clock.now())
    return _score_view(explained)


def tier_view(scorecard: Scorecard, points: int) -> TierView:
    """Return the tier a number of points lies in."""
    tier = scorecard.tier_at(points)
    return TierView(tier.code, tier.name_zh, tier.name_en)


def dimension_views(scorecard: Scorecard, points: Mapping[str, int]) -> list[DimensionView]:
    """Return the dimensions of a scorecard with their points, given by code."""
    return [
        DimensionView(
            code=each.code,
            name_zh=each.name_zh,
            name_en=each.name_en,
            points=points[each.code],
            cap_points=each.cap_points,
        )
        for each in scorecard.dimensions
    ]


def _score_view(explained: ExplainedScore) -> ScoreView:
    score, scorecard = explained.score, explained.scorecard
    return ScoreView(
        points=score.points,
        range_points=scorecard.range_points,
        base_points=explained.base_points,
        tier=tier_view(scorecard, score.points),
        dimensions=dimension_views(scorecard, score.dimensions),
        reasons=[_reason_view(each) for each in explained.reasons],
        helps=[_help_view(each) for each in explained.helps],
        revision=score.revision,
        next_change_on=explained.next_change_on,
        scorecard_version=score.scorecard_version,
        as_of=score.as_of,
        input_digest=score.input_digest.hex(),
        computed_at=score.computed_at,
    )


def _reason_view(reason: Reason) -> ReasonView:
    return ReasonView(
        indicator=reason.indicator,
        dimension=reason.dimension,
        effect_points=reason.effect_points,
        text_zh=reason.text_zh,
        text_en=reason.text_en,
        record_count=reason.record_count,
        record_ids=[each.record_id for each in reason.records],
    )


def _help_view(each: Help) -> HelpView:
    return HelpView(
        indicator=each.indicator,
        dimension=each.dimension,
        gain_points=each.gain_points,
        text_zh=each.text_zh,
        text_en=each.text_en,
        record_ids=[record.record_id for record in each.records],
    )


ROUTES = [get_score]
