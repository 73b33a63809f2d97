"""What the citizen's score was, and what changed between any two of its revisions."""

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

import msgspec
from litestar import get
from litestar.di import NamedDependency
from litestar.params import QueryParameter

from backend.access.guard import requires
from backend.access.rules import CitizenPrincipal, Scope
from backend.kit.http import Cursor, PageSize, problems
from backend.kit.page import PAGE_SIZE_DEFAULT
from backend.kit.postgres import Database
from backend.record.rules.life import Record
from backend.score import service
from backend.score.api.score import (
    NO_STORE,
    DimensionView,
    TierView,
    dimension_views,
    tier_view,
)
from backend.score.rules.change import BaseChange, IndicatorChange
from backend.score.service import PastScore, RevisionChanges

_REVISION_MAX = 2**63 - 1


class RevisionView(msgspec.Struct, frozen=True):
    """The score as it stood once; `scorecard_version`, `as_of` and `input_digest` say from what."""

    revision: int
    points: int
    range_points: int
    tier: TierView
    dimensions: list[DimensionView]
    scorecard_version: str
    as_of: date
    input_digest: str
    computed_at: datetime


class RevisionPageView(msgspec.Struct, frozen=True):
    """One page of revisions, newest first; `next_cursor` is null on the last."""

    items: list[RevisionView]
    next_cursor: str | None


class BaseChangeView(msgspec.Struct, frozen=True):
    """How another scorecard moved the place where everybody without data stands."""

    points_before: int
    points_after: int
    delta_points: int
    text_zh: str
    text_en: str


class ChangedRecordView(msgspec.Struct, frozen=True):
    """A version of a record that came to stand behind an indicator, or left it."""

    record_id: UUID
    record_class: str
    source: str
    external_id: str
    version: int
    quantity: int
    occurred_on: date


class IndicatorChangeView(msgspec.Struct, frozen=True):
    """How one indicator moved the score. A value is null where the scorecard does not look at it.

    `came` and `left` name at most 20 records each; what was purged since can't be named, and where
    neither came nor left, time alone moved the value, or a cap the effect.
    """

    indicator: str
    dimension: str
    name_zh: str
    name_en: str
    value_before: int | None
    value_after: int | None
    effect_before: int
    effect_after: int
    delta_points: int
    text_zh: str
    text_en: str
    came: list[ChangedRecordView]
    left: list[ChangedRecordView]


class ScoreChangesView(msgspec.Struct, frozen=True):
    """What changed between two revisions, the items that weigh most first.

    `delta_points` is exactly the sum of the items' and that of `base`, which is null when one
    scorecard gave both.
    """

    before: RevisionView
    after: RevisionView
    delta_points: int
    base: BaseChangeView | None
    items: list[IndicatorChangeView]


@get(
    "/v1/me/score/history",
    operation_id="score_history_list",
    tags=["citizen"],
    guards=[requires(Scope.ME_SCORE)],
    cache_control=NO_STORE,
    responses=problems(
        "cursor_invalid",
        "parameter_invalid",
        "scope_insufficient",
        "score_missing",
        "token_invalid",
    ),
)
async def list_history(
    citizen: NamedDependency[CitizenPrincipal],
    db: NamedDependency[Database],
    cursor: Cursor = None,
    page_size: PageSize = PAGE_SIZE_DEFAULT,
) -> RevisionPageView:
    """List what the score was since the citizen joined, newest first."""
    async with db.read() as tx:
        page = await service.list_history(
            tx, subject_id=citizen.subject_id, cursor=cursor, page_size=page_size
        )
    return RevisionPageView([_revision_view(each) for each in page.items], page.next_cursor)


@get(
    "/v1/me/score/changes",
    operation_id="score_change_list",
    tags=["citizen"],
    guards=[requires(Scope.ME_SCORE)],
    cache_control=NO_STORE,
    responses=problems(
        "parameter_invalid",
        "scope_insufficient",
        "score_missing",
        "score_revision_missing",
        "token_invalid",
    ),
)
async def list_changes(
    citizen: NamedDependency[CitizenPrincipal],
    db: NamedDependency[Database],
    from_revision: Annotated[
        int | None,
        QueryParameter(
            name="from",
            ge=1,
            le=_REVISION_MAX,
            description="A revision of GET /v1/me/score/history; else the one before `to`",
        ),
    ] = None,
    to_revision: Annotated[
        int | None,
        QueryParameter(
            name="to",
            ge=1,
            le=_REVISION_MAX,
            description="A revision of GET /v1/me/score/history; else the newest",
        ),
    ] = None,
) -> ScoreChangesView:
    """Say what changed between two revisions of the score, item by item."""
    async with db.read() as tx:
        changes = await service.get_changes(
            tx,
            subject_id=citizen.subject_id,
            from_revision=from_revision,
            to_revision=to_revision,
        )
    return _changes_view(changes)


def base_view(base: BaseChange | None) -> BaseChangeView | None:
    """Return the view of what a scorecard moved for everybody."""
    if base is None:
        return None
    return BaseChangeView(
        points_before=base.points_before,
        points_after=base.points_after,
        delta_points=base.delta_points,
        text_zh=base.text_zh,
        text_en=base.text_en,
    )


def _revision_view(past: PastScore) -> RevisionView:
    score, scorecard = past.score, past.scorecard
    return RevisionView(
        revision=score.revision,
        points=score.points,
        range_points=scorecard.range_points,
        tier=tier_view(scorecard, score.points),
        dimensions=dimension_views(scorecard, score.dimensions),
        scorecard_version=score.scorecard_version,
        as_of=score.as_of,
        input_digest=score.input_digest.hex(),
        computed_at=score.computed_at,
    )


def _changes_view(changes: RevisionChanges) -> ScoreChangesView:
    return ScoreChangesView(
        before=_revision_view(changes.before),
        after=_revision_view(changes.after),
        delta_points=changes.after.score.points - changes.before.score.points,
        base=base_view(changes.base),
        items=[_item_view(each.item, each.came, each.left) for each in changes.items],
    )


def _item_view(
    item: IndicatorChange, came: list[Record], left: list[Record]
) -> IndicatorChangeView:
    return IndicatorChangeView(
        indicator=item.indicator,
        dimension=item.dimension,
        name_zh=item.name_zh,
        name_en=item.name_en,
        value_before=item.value_before,
        value_after=item.value_after,
        effect_before=item.effect_before,
        effect_after=item.effect_after,
        delta_points=item.delta_points,
        text_zh=item.text_zh,
        text_en=item.text_en,
        came=[_record_view(each) for each in came],
        left=[_record_view(each) for each in left],
    )


def _record_view(record: Record) -> ChangedRecordView:
    return ChangedRecordView(
        record_id=record.record_id,
        record_class=record.class_code,
        source=record.source_code,
        external_id=record.external_id,
        version=record.version,
        quantity=record.quantity,
        occurred_on=record.occurred_on,
    )


ROUTES = [list_history, list_changes]
