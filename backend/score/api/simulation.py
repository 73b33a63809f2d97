"""What the citizen's score would be, if: worked out and answered, and nothing is kept."""

from datetime import date
from typing import Annotated
from uuid import UUID

import msgspec
from litestar import post
from litestar.di import NamedDependency
from litestar.params import JSONBody

from backend.access.guard import requires
from backend.access.rules import CitizenPrincipal, Scope
from backend.kit.clock import Clock
from backend.kit.http import problems
from backend.kit.pace import Pace
from backend.kit.postgres import Database
from backend.score import service
from backend.score.api.score import (
    NO_STORE,
    DimensionView,
    TierView,
    dimension_views,
    tier_view,
)
from backend.score.rules.change import IndicatorChange
from backend.score.rules.scorecard import Scorecard
from backend.score.rules.simulation import CHANGES_MAX, Add, Change, Expire, Picture, Repair
from backend.score.service import SimulatedScore

_RecordId = Annotated[
    UUID,
    msgspec.Meta(
        description="A record of GET /v1/me/records that stands",
        examples=["01a20c5c-4d9c-7030-ad56-ff1f2f7eae45"],
    ),
]


class AddCreate(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="add"
):
    """A record that is not there yet: what a source would report.

    `quantity` is in the unit of the class; for an adverse class `occurred_on` is the day of the
    decision.
    """

    record_class: Annotated[
        str, msgspec.Meta(min_length=1, max_length=64, examples=["volunteer_service"])
    ]
    occurred_on: Annotated[date, msgspec.Meta(examples=["2026-11-20"])]
    ended_on: date | None = None
    quantity: Annotated[int, msgspec.Meta(ge=1, le=1_000_000_000, examples=[10])] = 1


class RepairCreate(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="repair"
):
    """An adverse record that is repaired."""

    record_id: _RecordId


class ExpireCreate(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="expire"
):
    """A record that no longer counts."""

    record_id: _RecordId


class SimulationCreate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What would be different, in order, and on which day: today unless `as_of` says otherwise.

    Without changes, a later day says what time alone does; 60 months ahead at most.
    """

    changes: Annotated[
        list[AddCreate | RepairCreate | ExpireCreate], msgspec.Meta(max_length=CHANGES_MAX)
    ]
    as_of: date | None = None


class PictureView(msgspec.Struct, frozen=True):
    """A score on a day."""

    as_of: date
    points: int
    tier: TierView
    dimensions: list[DimensionView]


class SimulatedChangeView(msgspec.Struct, frozen=True):
    """How one indicator would move the score."""

    indicator: str
    dimension: str
    name_zh: str
    name_en: str
    value_before: int
    value_after: int
    effect_before: int
    effect_after: int
    delta_points: int
    text_zh: str
    text_en: str


class SimulationView(msgspec.Struct, frozen=True):
    """The score as the records stand now, and as it would be.

    `delta_points` is exactly the sum of the items', those that weigh most first.
    """

    scorecard_version: str
    range_points: int
    before: PictureView
    after: PictureView
    delta_points: int
    items: list[SimulatedChangeView]


@post(
    "/v1/me/score/simulations",
    operation_id="score_simulation_create",
    tags=["citizen"],
    guards=[requires(Scope.ME_SCORE)],
    cache_control=NO_STORE,
    status_code=200,
    response_description="What the score would be",
    responses=problems(
        "body_invalid",
        "scope_insufficient",
        "score_missing",
        "simulation_class_not_scored",
        "simulation_class_unknown",
        "simulation_date_invalid",
        "simulation_day_invalid",
        "simulation_quantity_invalid",
        "simulation_record_not_adverse",
        "simulation_record_unknown",
        "token_invalid",
        "too_many_requests",
    ),
)
async def create_simulation(
    data: JSONBody[SimulationCreate],
    citizen: NamedDependency[CitizenPrincipal],
    db: NamedDependency[Database],
    clock: NamedDependency[Clock],
    simulation_pace: NamedDependency[Pace],
) -> SimulationView:
    """Say what the score would be if records came in, were repaired, ended, or time passed.

    Nothing is kept or changed, so no Idempotency-Key is needed: sent again, it is worked out
    again.
    """
    now = clock.now()
    simulation_pace.take(citizen.subject_id, now=now)
    async with db.read() as tx:
        simulated = await service.simulate_score(
            tx,
            subject_id=citizen.subject_id,
            changes=[_change(each) for each in data.changes],
            as_of=data.as_of,
            now=now,
        )
    return _simulation_view(simulated)


def _change(sent: AddCreate | RepairCreate | ExpireCreate) -> Change:
    if isinstance(sent, AddCreate):
        return Add(
            class_code=sent.record_class,
            occurred_on=sent.occurred_on,
            ended_on=sent.ended_on,
            quantity=sent.quantity,
        )
    return Repair(sent.record_id) if isinstance(sent, RepairCreate) else Expire(sent.record_id)


def _simulation_view(simulated: SimulatedScore) -> SimulationView:
    scorecard, found = simulated.scorecard, simulated.simulation
    return SimulationView(
        scorecard_version=scorecard.version,
        range_points=scorecard.range_points,
        before=_picture_view(scorecard, found.before),
        after=_picture_view(scorecard, found.after),
        delta_points=found.after.points - found.before.points,
        items=[_item_view(each) for each in found.comparison.items],
    )


def _picture_view(scorecard: Scorecard, picture: Picture) -> PictureView:
    return PictureView(
        as_of=picture.as_of,
        points=picture.points,
        tier=tier_view(scorecard, picture.points),
        dimensions=dimension_views(scorecard, picture.dimensions),
    )


def _item_view(item: IndicatorChange) -> SimulatedChangeView:
    assert item.value_before is not None, "one scorecard looks at the same things twice"
    assert item.value_after is not None, "one scorecard looks at the same things twice"
    return SimulatedChangeView(
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
    )


ROUTES = [create_simulation]
