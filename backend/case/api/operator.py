"""The queue over HTTP: which case is due, take it, look at it, decide it."""

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

import msgspec
from litestar import get, post
from litestar.datastructures import CacheControlHeader
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, QueryParameter
from litestar.status_codes import HTTP_200_OK

from backend.access.guard import requires
from backend.access.rules import OperatorPrincipal, Scope
from backend.case import service
from backend.case.rules import TEXT_CHARACTERS_MAX, Case, Outcome, days_overdue
from backend.kit.clock import Clock, city_date
from backend.kit.crypto import Vault
from backend.kit.http import Cursor, IdempotencyKey, PageSize, problems
from backend.kit.idempotency import once
from backend.kit.page import PAGE_SIZE_DEFAULT
from backend.kit.postgres import Database
from backend.ledger.rules import Actor

_NO_STORE = CacheControlHeader(no_store=True)
_CASES = requires(Scope.CASES_OPERATE)
_ALWAYS = ("parameter_invalid", "scope_insufficient", "token_invalid")
_ONCE = ("idempotency_key_in_flight", "idempotency_key_missing", "idempotency_key_reused")

_Words = Annotated[str, msgspec.Meta(min_length=1, max_length=TEXT_CHARACTERS_MAX)]


class CaseTake(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Take a case; `taken_from` is the login it is with, to take it over."""

    taken_from: Annotated[str, msgspec.Meta(max_length=64)] | None = None


class CaseDecide(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What was decided, and why: the citizen is shown the answer as it stands here."""

    outcome: Outcome
    answer_zh: _Words
    answer_en: _Words


class CaseQueueItemView(msgspec.Struct, frozen=True):
    """A case in the queue, without a word about whose it is; `days_overdue` is 0 in time."""

    case_id: UUID
    kind: str
    object: str
    state: str
    opened_at: datetime
    due_on: date
    days_overdue: int
    taken_by: str | None


class CaseQueueView(msgspec.Struct, frozen=True):
    """One page of the open cases, first due first; `open` and `overdue` count all there are."""

    open: int
    overdue: int
    items: list[CaseQueueItemView]
    next_cursor: str | None


class CaseLookView(msgspec.Struct, frozen=True):
    """A case with what its citizen wrote and what was answered."""

    case: CaseQueueItemView
    text: str
    outcome: str | None
    answer_zh: str | None
    answer_en: str | None
    decided_by: str | None
    decided_at: datetime | None


@get(
    "/v1/operator/cases",
    operation_id="operator_case_list",
    tags=["operator"],
    guards=[_CASES],
    cache_control=_NO_STORE,
    responses=problems("cursor_invalid", *_ALWAYS),
)
async def list_queue(
    db: NamedDependency[Database],
    clock: NamedDependency[Clock],
    overdue: Annotated[bool, QueryParameter(description="Only what should be decided")] = False,
    cursor: Cursor = None,
    page_size: PageSize = PAGE_SIZE_DEFAULT,
) -> CaseQueueView:
    """List the open cases, the first to be due first. It shows nothing about anybody."""
    today = city_date(clock.now())
    async with db.read() as tx:
        page = await service.list_queue(
            tx, overdue_only=overdue, cursor=cursor, page_size=page_size, today=today
        )
        counts = await service.count_queue(tx, today=today)
    return CaseQueueView(
        open=counts.open,
        overdue=counts.overdue,
        items=[_item_view(case, today) for case in page.items],
        next_cursor=page.next_cursor,
    )


@get(
    "/v1/operator/cases/{case_id:uuid}",
    operation_id="operator_case_show",
    tags=["operator"],
    guards=[_CASES],
    cache_control=_NO_STORE,
    responses=problems("not_found", "reason_missing", *_ALWAYS),
)
async def show_case(
    case_id: FromPath[UUID],
    operator: NamedDependency[OperatorPrincipal],
    reason: NamedDependency[str],
    db: NamedDependency[Database],
    clock: NamedDependency[Clock],
    vault: NamedDependency[Vault],
) -> CaseLookView:
    """Look at a case. The citizen sees that you did, and why, before you see what they wrote."""
    now = clock.now()
    async with db.write() as tx:
        looked = await service.look(tx, case_id=case_id, by=operator, reason=reason, now=now)
    # Opened after the commit: there is no look that isn't in the citizen's ledger.
    text = service.opened_text(looked, vault=vault)
    case = looked.case
    return CaseLookView(
        case=_item_view(case, city_date(now)),
        text=text,
        outcome=case.outcome,
        answer_zh=case.answer_zh,
        answer_en=case.answer_en,
        decided_by=case.decided_by,
        decided_at=case.decided_at,
    )


@post(
    "/v1/operator/cases/{case_id:uuid}/take",
    operation_id="operator_case_take",
    tags=["operator"],
    guards=[_CASES],
    status_code=HTTP_200_OK,
    cache_control=_NO_STORE,
    responses=problems(
        "body_invalid",
        "case_settled",
        "case_taken",
        "not_found",
        "reason_missing",
        *_ALWAYS,
        *_ONCE,
    ),
)
async def take_case(
    case_id: FromPath[UUID],
    data: JSONBody[CaseTake],
    operator: NamedDependency[OperatorPrincipal],
    reason: NamedDependency[str],
    db: NamedDependency[Database],
    clock: NamedDependency[Clock],
    idempotency_key: IdempotencyKey = None,
) -> CaseQueueItemView:
    """Take a case, so that no second person works at it; or take it over from somebody."""
    now = clock.now()
    async with db.write() as tx:

        async def run() -> CaseQueueItemView:
            case = await service.take(
                tx,
                case_id=case_id,
                by=Actor.of(operator),
                reason=reason,
                now=now,
                taken_from=data.taken_from,
            )
            return _item_view(case, city_date(now))

        return await once(
            tx,
            owner_id=operator.operator_id,
            key=idempotency_key,
            request=msgspec.json.encode(["operator_case_take", case_id, data, reason]),
            kind=CaseQueueItemView,
            now=now,
            run=run,
        )


@post(
    "/v1/operator/cases/{case_id:uuid}/decide",
    operation_id="operator_case_decide",
    tags=["operator"],
    guards=[_CASES],
    status_code=HTTP_200_OK,
    cache_control=_NO_STORE,
    responses=problems(
        "body_invalid",
        "case_settled",
        "case_taken",
        "case_text_invalid",
        "not_found",
        "reason_missing",
        *_ALWAYS,
        *_ONCE,
    ),
)
async def decide_case(
    case_id: FromPath[UUID],
    data: JSONBody[CaseDecide],
    operator: NamedDependency[OperatorPrincipal],
    reason: NamedDependency[str],
    db: NamedDependency[Database],
    clock: NamedDependency[Clock],
    idempotency_key: IdempotencyKey = None,
) -> CaseQueueItemView:
    """Decide a case, once: what follows is carried out, and its citizen is told and answered."""
    now = clock.now()
    async with db.write() as tx:

        async def run() -> CaseQueueItemView:
            case = await service.decide(
                tx,
                case_id=case_id,
                outcome=data.outcome,
                answer_zh=data.answer_zh,
                answer_en=data.answer_en,
                by=Actor.of(operator),
                reason=reason,
                now=now,
            )
            return _item_view(case, city_date(now))

        return await once(
            tx,
            owner_id=operator.operator_id,
            key=idempotency_key,
            request=msgspec.json.encode(["operator_case_decide", case_id, data, reason]),
            kind=CaseQueueItemView,
            now=now,
            run=run,
        )


def _item_view(case: Case, today: date) -> CaseQueueItemView:
    return CaseQueueItemView(
        case_id=case.case_id,
        kind=case.kind,
        object=case.object,
        state=case.state,
        opened_at=case.opened_at,
        due_on=case.due_on,
        days_overdue=days_overdue(case, today),
        taken_by=case.taken_by,
    )


ROUTES = [list_queue, show_case, take_case, decide_case]
