"""The citizen's programmes over HTTP: what is on offer, what is missing, enrol and leave."""

from datetime import date, datetime
from typing import cast
from uuid import UUID

import msgspec
from litestar import Response, delete, get, post
from litestar.datastructures import CacheControlHeader
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, JSONBody

from backend.access.guard import requires
from backend.access.rules import CitizenPrincipal, Scope
from backend.kit.clock import Clock
from backend.kit.http import IdempotencyKey, problems
from backend.kit.postgres import Database
from backend.programme import service
from backend.programme.api.terms import (
    BaselineView,
    BenefitView,
    ProgrammeCode,
    baseline_view,
    benefit_view,
)
from backend.programme.desk import EnrolmentDesk, Waits
from backend.programme.rules.offer import Enrolment, Lack, Offer, Waiting
from backend.score.rules.advice import Help

_NO_STORE = CacheControlHeader(no_store=True)


class LackView(msgspec.Struct, frozen=True):
    """One condition that is not met: where it stands, and what is needed.

    `comparison` is at_least or at_most; `current` is null when nothing is known.
    """

    fact: str
    name_zh: str
    name_en: str
    unit: str
    comparison: str
    current: int | None
    needed: int


class LackGroupView(msgspec.Struct, frozen=True):
    """Conditions of which one is enough."""

    one_of: list[LackView]


class RunningEnrolmentView(msgspec.Struct, frozen=True):
    """The citizen's running enrolment, on the terms of the version it was made under.

    `granted_by_case_id` is the case in which a person let the rule count as met, or null.
    """

    enrolment_id: UUID
    version: int
    enrolled_at: datetime
    granted_by_case_id: UUID | None


class WaitingView(msgspec.Struct, frozen=True):
    """The citizen's place in the queue for a seat.

    `people_ahead` is told in whole twenties, the rest left out: 0 is fewer than twenty. With
    `is_granted`, a person has granted it, and a seat or the programme's going on is lacking.
    """

    waiting_id: UUID
    since: datetime
    people_ahead: int
    is_granted: bool


class HelpView(msgspec.Struct, frozen=True):
    """One thing the citizen can do about what is missing, and the points it would give today."""

    indicator: str
    dimension: str
    gain_points: int
    text_zh: str
    text_en: str


class OfferView(msgspec.Struct, frozen=True):
    """A programme as the citizen sees it.

    `offer` is available, enrolled, not_yet, sold_out, join_first or closed; `seats_left` counts
    those enrolled in twenties, and is 0 only when none is free. Every group in
    `missing` must be met; for an enrolled citizen they say why partners get no yes at present.
    `helps` are things to do about it, those that the rule asks about first; with `can_ask_person`,
    POST /v1/me/cases lets a person look at it.
    """

    programme: str
    kind: str
    version: int
    name_zh: str
    name_en: str
    summary_zh: str
    summary_en: str
    purpose: str
    partners: list[str]
    starts_on: date
    ends_on: date | None
    baseline: BaselineView
    baseline_zh: str
    baseline_en: str
    benefit: BenefitView
    benefit_zh: str
    benefit_en: str
    offer: str
    missing: list[LackGroupView]
    helps: list[HelpView]
    can_ask_person: bool
    seats_left: int
    enrolment: RunningEnrolmentView | None
    waiting: WaitingView | None


class OfferListView(msgspec.Struct, frozen=True):
    """Every programme of the city."""

    items: list[OfferView]


class EnrolmentCreate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Enrol in a programme; `wait` for a seat when none is free."""

    programme: ProgrammeCode
    wait: bool = False


class EnrolmentCreated(msgspec.Struct, frozen=True):
    """A new enrolment."""

    enrolment_id: UUID
    programme: str
    version: int
    enrolled_at: datetime


class WaitingCreated(msgspec.Struct, frozen=True):
    """A place in the queue for a seat: whoever came first is enrolled first, and told."""

    waiting_id: UUID
    programme: str
    since: datetime


@get(
    "/v1/me/programmes",
    operation_id="programme_list",
    tags=["citizen"],
    guards=[requires(Scope.ME_ENROL)],
    cache_control=_NO_STORE,
    responses=problems("scope_insufficient", "token_invalid"),
)
async def list_programmes(
    citizen: NamedDependency[CitizenPrincipal],
    db: NamedDependency[Database],
    clock: NamedDependency[Clock],
) -> OfferListView:
    """List every programme: what everybody gets, what it would give, yes or what is missing."""
    async with db.read() as tx:
        offers = await service.list_offers(tx, subject_id=citizen.subject_id, now=clock.now())
    return OfferListView([_offer_view(offer) for offer in offers])


@get(
    "/v1/me/programmes/{code:str}",
    operation_id="programme_get",
    tags=["citizen"],
    guards=[requires(Scope.ME_ENROL)],
    cache_control=_NO_STORE,
    responses=problems("not_found", "parameter_invalid", "scope_insufficient", "token_invalid"),
)
async def get_programme(
    code: FromPath[str],
    citizen: NamedDependency[CitizenPrincipal],
    db: NamedDependency[Database],
    clock: NamedDependency[Clock],
) -> OfferView:
    """Show one programme: what everybody gets, what it would give, yes or what is missing."""
    async with db.read() as tx:
        offer = await service.get_offer(
            tx, subject_id=citizen.subject_id, programme_code=code, now=clock.now()
        )
    return _offer_view(offer)


@post(
    "/v1/me/enrolments",
    operation_id="enrolment_create",
    tags=["citizen"],
    guards=[requires(Scope.ME_ENROL)],
    cache_control=_NO_STORE,
    responses={
        202: ResponseSpec(
            WaitingCreated,
            generate_examples=False,
            description="All seats are taken: the citizen waits for one",
        ),
    }
    | problems(
        "already_enrolled",
        "body_invalid",
        "enrolment_excluded",
        "idempotency_key_in_flight",
        "idempotency_key_missing",
        "idempotency_key_reused",
        "not_eligible_yet",
        "not_found",
        "participation_required",
        "programme_closed",
        "scope_insufficient",
        "seats_sold_out",
        "token_invalid",
        "unavailable",
    ),
)
async def create_enrolment(
    data: JSONBody[EnrolmentCreate],
    citizen: NamedDependency[CitizenPrincipal],
    enrolment_desk: NamedDependency[EnrolmentDesk],
    idempotency_key: IdempotencyKey = None,
) -> Response[EnrolmentCreated]:
    """Enrol in a programme and take one of its seats, or wait for one.

    Who waits is enrolled as soon as a seat is free and it is their turn, if they are still
    eligible then, and gets a notice. Who waits already keeps the place.
    """
    enrol = enrolment_desk.enrol_or_wait if data.wait else enrolment_desk.enrol
    told = await enrol(
        subject_id=citizen.subject_id,
        programme_code=data.programme,
        key=idempotency_key,
        request=b"enrolment_create " + msgspec.json.encode(data),
    )
    if isinstance(told, Waits):
        waiting = WaitingCreated(told.waiting_id, told.programme, told.since)
        return cast("Response[EnrolmentCreated]", Response(waiting, status_code=202))
    created = EnrolmentCreated(
        enrolment_id=told.enrolment_id,
        programme=told.programme,
        version=told.version,
        enrolled_at=told.enrolled_at,
    )
    return Response(created, status_code=201)


@delete(
    "/v1/me/enrolments/{enrolment_id:uuid}",
    operation_id="enrolment_delete",
    tags=["citizen"],
    guards=[requires(Scope.ME_ENROL)],
    responses=problems("not_found", "parameter_invalid", "scope_insufficient", "token_invalid"),
)
async def delete_enrolment(
    enrolment_id: FromPath[UUID],
    citizen: NamedDependency[CitizenPrincipal],
    db: NamedDependency[Database],
    clock: NamedDependency[Clock],
) -> None:
    """Leave a programme and give the seat back; the baseline goes on. Leaving twice is once."""
    async with db.write() as tx:
        await service.leave_enrolment(
            tx, subject_id=citizen.subject_id, enrolment_id=enrolment_id, now=clock.now()
        )


@delete(
    "/v1/me/waiting-places/{waiting_id:uuid}",
    operation_id="waiting_place_delete",
    tags=["citizen"],
    guards=[requires(Scope.ME_ENROL)],
    responses=problems("not_found", "parameter_invalid", "scope_insufficient", "token_invalid"),
)
async def delete_waiting_place(
    waiting_id: FromPath[UUID],
    citizen: NamedDependency[CitizenPrincipal],
    db: NamedDependency[Database],
) -> None:
    """Wait no longer. A place that has become a seat is no place any more: 404."""
    async with db.write() as tx:
        await service.leave_waiting(tx, subject_id=citizen.subject_id, waiting_id=waiting_id)


def _offer_view(offer: Offer) -> OfferView:
    document = offer.programme.document
    return OfferView(
        programme=document.code,
        kind=document.kind,
        version=document.version,
        name_zh=document.name_zh,
        name_en=document.name_en,
        summary_zh=document.summary_zh,
        summary_en=document.summary_en,
        purpose=document.purpose,
        partners=document.partners,
        starts_on=document.starts_on,
        ends_on=document.ends_on,
        baseline=baseline_view(document.baseline),
        baseline_zh=document.baseline_zh,
        baseline_en=document.baseline_en,
        benefit=benefit_view(document.benefit),
        benefit_zh=document.benefit_zh,
        benefit_en=document.benefit_en,
        offer=offer.state.value,
        missing=[LackGroupView([_lack_view(lack) for lack in group]) for group in offer.missing],
        helps=[_help_view(each) for each in offer.helps],
        can_ask_person=offer.can_ask,
        seats_left=offer.seats_left,
        enrolment=_running_view(offer.enrolment),
        waiting=_waiting_view(offer.waiting),
    )


def _running_view(enrolment: Enrolment | None) -> RunningEnrolmentView | None:
    if enrolment is None:
        return None
    return RunningEnrolmentView(
        enrolment_id=enrolment.enrolment_id,
        version=enrolment.programme_version,
        enrolled_at=enrolment.enrolled_at,
        granted_by_case_id=enrolment.granted_by_case_id,
    )


def _waiting_view(waiting: Waiting | None) -> WaitingView | None:
    if waiting is None:
        return None
    return WaitingView(
        waiting_id=waiting.waiting_id,
        since=waiting.since,
        people_ahead=waiting.people_ahead_told or 0,
        is_granted=waiting.granted_by_case_id is not None,
    )


def _help_view(found: Help) -> HelpView:
    return HelpView(
        indicator=found.indicator,
        dimension=found.dimension,
        gain_points=found.gain_points,
        text_zh=found.text_zh,
        text_en=found.text_en,
    )


def _lack_view(lack: Lack) -> LackView:
    return LackView(
        fact=lack.fact,
        name_zh=lack.name_zh,
        name_en=lack.name_en,
        unit=lack.unit.value,
        comparison=lack.comparison.value,
        current=lack.current,
        needed=lack.needed,
    )


ROUTES = [
    list_programmes,
    get_programme,
    create_enrolment,
    delete_enrolment,
    delete_waiting_place,
]
