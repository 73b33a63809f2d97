"""Budgets over HTTP, for operators: what there is, why it changed, and more of it."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

import msgspec
from litestar import get, post
from litestar.datastructures import CacheControlHeader
from litestar.di import NamedDependency
from litestar.params import JSONBody, PathParameter, QueryParameter

from backend.access.guard import requires
from backend.access.rules import OperatorPrincipal, Scope
from backend.kit.clock import Clock
from backend.kit.http import Cursor, IdempotencyKey, PageSize, problems
from backend.kit.idempotency import once
from backend.kit.page import PAGE_SIZE_DEFAULT
from backend.kit.postgres import Database
from backend.ledger.rules import Actor
from backend.programme.rules.budget import Balance, Entry
from backend.programme.rules.document import LIMIT_FEN_MAX, USES_MAX
from backend.programme.service import budget as service

_NO_STORE = CacheControlHeader(no_store=True)
_ALWAYS = ("not_found", "parameter_invalid", "scope_insufficient", "token_invalid")

# What can't be a code (an address can spell U+0000) never reaches the database.
_Code = Annotated[str, PathParameter(pattern="^[a-z][a-z0-9]*([_-][a-z0-9]+)*$", max_length=64)]
_Span = Literal["programme", "partner", "day", "month"]
_BUCKET = "empty for the programme, a partner's id, a day or a month of the city"
_Bucket = Annotated[str, msgspec.Meta(max_length=36, description=_BUCKET, examples=["2026-11-24"])]


class BalanceView(msgspec.Struct, frozen=True):
    """A bucket as it stands; a limit that is null is none.

    `uses` counts reservations that weren't given back. `revision` is that of its newest entry.
    """

    span: str
    bucket: str
    limit_fen: int | None
    limit_uses: int | None
    reserved_fen: int
    settled_fen: int
    uses: int
    revision: int


class BudgetView(msgspec.Struct, frozen=True):
    """A programme's budget: the whole, each partner, the days of a month, the months of a year."""

    programme: str
    balances: list[BalanceView]


class BudgetEntryView(msgspec.Struct, frozen=True):
    """Why a balance changed, by how much, and what it was afterwards.

    `kind` is limit, refill, reserve, lower, settle, release or expire. No citizen is named.
    """

    revision: int
    kind: str
    reserved_change_fen: int
    settled_change_fen: int
    uses_change: int
    limit_fen: int | None
    limit_uses: int | None
    reserved_fen: int
    settled_fen: int
    uses: int
    reservation_id: UUID | None
    by_whom: str
    reason: str
    at: datetime


class BudgetEntryPageView(msgspec.Struct, frozen=True):
    """One page of entries, newest first; `next_cursor` is null on the last."""

    items: list[BudgetEntryView]
    next_cursor: str | None


class BudgetRefillCreate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Raise a limit by so many fen, by so many uses, or both."""

    span: _Span
    bucket: _Bucket
    amount_fen: Annotated[int, msgspec.Meta(ge=0, le=LIMIT_FEN_MAX)]
    uses: Annotated[int, msgspec.Meta(ge=0, le=USES_MAX)]


@get(
    "/v1/operator/budgets/{code:str}",
    operation_id="budget_get",
    tags=["operator"],
    guards=[requires(Scope.PROGRAMMES_OPERATE)],
    cache_control=_NO_STORE,
    responses=problems(*_ALWAYS),
)
async def get_budget(
    code: _Code, db: NamedDependency[Database], clock: NamedDependency[Clock]
) -> BudgetView:
    """Show what a programme may cost, and what is reserved and spent of it."""
    async with db.read() as tx:
        found = await service.get_balances(tx, programme_code=code, now=clock.now())
    return BudgetView(code, [_balance_view(each) for each in found])


@get(
    "/v1/operator/budgets/{code:str}/entries",
    operation_id="budget_entry_list",
    tags=["operator"],
    guards=[requires(Scope.PROGRAMMES_OPERATE)],
    cache_control=_NO_STORE,
    responses=problems("budget_bucket_invalid", "cursor_invalid", *_ALWAYS),
)
async def list_budget_entries(
    code: _Code,
    db: NamedDependency[Database],
    span: Annotated[_Span, QueryParameter(description="what a limit is about")] = "programme",
    bucket: Annotated[str, QueryParameter(max_length=36, description=_BUCKET)] = "",
    cursor: Cursor = None,
    page_size: PageSize = PAGE_SIZE_DEFAULT,
) -> BudgetEntryPageView:
    """List why one balance of a programme changed, newest first."""
    async with db.read() as tx:
        page = await service.list_entries(
            tx,
            programme_code=code,
            span=span,
            bucket=bucket,
            cursor=cursor,
            page_size=page_size,
        )
    return BudgetEntryPageView([_entry_view(each) for each in page.items], page.next_cursor)


@post(
    "/v1/operator/budgets/{code:str}/refills",
    operation_id="budget_refill_create",
    tags=["operator"],
    guards=[requires(Scope.PROGRAMMES_OPERATE)],
    cache_control=_NO_STORE,
    responses=problems(
        "body_invalid",
        "budget_bucket_invalid",
        "budget_refill_impossible",
        "idempotency_key_in_flight",
        "idempotency_key_missing",
        "idempotency_key_reused",
        "reason_missing",
        *_ALWAYS,
    ),
)
async def create_refill(
    code: _Code,
    data: JSONBody[BudgetRefillCreate],
    operator: NamedDependency[OperatorPrincipal],
    reason: NamedDependency[str],
    db: NamedDependency[Database],
    clock: NamedDependency[Clock],
    idempotency_key: IdempotencyKey = None,
) -> BalanceView:
    """Raise one limit until the next version comes into force, which says its own."""
    now = clock.now()
    async with db.write() as tx:

        async def run() -> BalanceView:
            return _balance_view(
                await service.refill_by(
                    tx,
                    programme_code=code,
                    span=data.span,
                    bucket=data.bucket,
                    amount_fen=data.amount_fen,
                    uses=data.uses,
                    by=Actor.of(operator),
                    reason=reason,
                    now=now,
                )
            )

        return await once(
            tx,
            owner_id=operator.operator_id,
            key=idempotency_key,
            request=msgspec.json.encode(["budget_refill_create", code, data, reason]),
            kind=BalanceView,
            now=now,
            run=run,
        )


def _balance_view(balance: Balance) -> BalanceView:
    return BalanceView(
        span=balance.span,
        bucket=balance.bucket,
        limit_fen=balance.limit_fen,
        limit_uses=balance.limit_uses,
        reserved_fen=balance.reserved_fen,
        settled_fen=balance.settled_fen,
        uses=balance.uses,
        revision=balance.revision,
    )


def _entry_view(entry: Entry) -> BudgetEntryView:
    return BudgetEntryView(
        revision=entry.revision,
        kind=entry.kind,
        reserved_change_fen=entry.reserved_change_fen,
        settled_change_fen=entry.settled_change_fen,
        uses_change=entry.uses_change,
        limit_fen=entry.limit_fen,
        limit_uses=entry.limit_uses,
        reserved_fen=entry.reserved_fen,
        settled_fen=entry.settled_fen,
        uses=entry.uses,
        reservation_id=entry.reservation_id,
        by_whom=entry.by_whom,
        reason=entry.reason,
        at=entry.at,
    )


ROUTES = [get_budget, list_budget_entries, create_refill]
