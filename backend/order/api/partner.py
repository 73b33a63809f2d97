"""A partner's orders over HTTP: open one for a citizen, and carry it to its end."""

from typing import Annotated, Literal
from uuid import UUID

import msgspec
from litestar import get, post
from litestar.datastructures import CacheControlHeader
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, SkipValidation
from litestar.status_codes import HTTP_200_OK

from backend.access.guard import requires
from backend.access.rules import ClientPrincipal, PartnerPrincipal, Scope
from backend.kit.clock import Clock
from backend.kit.crypto import Vault
from backend.kit.http import Cursor, IdempotencyKey, PageSize, problems
from backend.kit.page import PAGE_SIZE_DEFAULT
from backend.kit.postgres import Database
from backend.kit.problem import Refusal
from backend.order import service
from backend.order.api.view import (
    ALWAYS,
    ONCE,
    ONE,
    AmountFen,
    ServiceOrderPageView,
    ServiceOrderView,
    answer_once,
    order_view,
)
from backend.order.rules.order import AMOUNT_FEN_MAX, REFERENCE_PATTERN, Asked
from backend.order.service import Keeper, Opener
from backend.programme.api.terms import ProgrammeCode

NO_STORE = CacheControlHeader(no_store=True)
WRITE = requires(Scope.ORDERS_WRITE)
# Not looked at by the framework, which knows no union of structs: the guard has looked.
OrderKeeper = SkipValidation[PartnerPrincipal | ClientPrincipal]


class ServiceOrderCreate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Open an order for the citizen the token stands for.

    `reference` is your own number of it; `amount_fen` is what is at risk, such as the deposit you
    would ask for. Credit stands for all of it or, with `accepts_partial`, for as much as it can:
    the rest is the citizen's own money.
    """

    programme: ProgrammeCode
    reference: Annotated[
        str,
        msgspec.Meta(
            pattern=REFERENCE_PATTERN, max_length=64, examples=["R-2026-0001"], min_length=1
        ),
    ]
    amount_fen: AmountFen
    accepts_partial: bool = False


class ServiceOrderCompletion(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Credit has stood for so much in the end: 0 when all came back and nothing was owed."""

    settled_fen: Annotated[int, msgspec.Meta(ge=0, le=AMOUNT_FEN_MAX, examples=[0])]
    performance: Literal["performed"] | None = None


class ServiceOrderAmount(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Less is at risk than before."""

    amount_fen: AmountFen


class _Opened(msgspec.Struct, frozen=True):
    order: ServiceOrderView | None


def keeper_of(principal: PartnerPrincipal | ClientPrincipal) -> Keeper:
    """Return whose orders a token is for: a partner's, or one citizen's at that partner."""
    subject_id = principal.subject_id if isinstance(principal, PartnerPrincipal) else None
    return Keeper(principal.partner_id, subject_id)


@post(
    "/v1/service-orders",
    operation_id="service_order_create",
    tags=["partner"],
    guards=[WRITE],
    cache_control=NO_STORE,
    responses=problems(
        *ALWAYS,
        *ONCE,
        "benefit_unavailable",
        "body_invalid",
        "insufficient_authorization_details",
        "order_amount_too_large",
        "order_reference_invalid",
        "order_reference_taken",
        "too_many_requests",
        "unavailable",
    ),
)
async def create_order(
    data: JSONBody[ServiceOrderCreate],
    partner: NamedDependency[PartnerPrincipal],
    db: NamedDependency[Database],
    vault: NamedDependency[Vault],
    clock: NamedDependency[Clock],
    idempotency_key: IdempotencyKey = None,
) -> ServiceOrderView:
    """Open an order; the look at the citizen is in their ledger before the answer leaves.

    Whatever the cause of a no, the answer is `benefit_unavailable`. Your reference with the same
    content gives the order it has already.
    """
    now = clock.now()
    opener = Opener(
        partner.subject_id,
        partner.consent_id,
        partner.partner_id,
        partner.client_id,
        partner.details,
    )
    asked = Asked(data.programme, data.reference, data.amount_fen, data.accepts_partial)
    body = msgspec.json.encode(data).decode()
    async with db.write() as tx:

        async def run() -> _Opened:
            order = await service.open_order(tx, opener=opener, asked=asked, vault=vault, now=now)
            return _Opened(None if order is None else order_view(order))

        opened = await answer_once(
            tx,
            run,
            owner_id=partner.partner_id,
            key=idempotency_key,
            request=f"service_order_create {partner.subject_id} {body}",
            kind=_Opened,
            now=now,
        )
    # After the commit: decision and look stay, whatever the answer is.
    if opened.order is None:
        raise Refusal("benefit_unavailable")
    return opened.order


@get(
    "/v1/service-orders",
    operation_id="service_order_list",
    tags=["partner"],
    guards=[WRITE],
    cache_control=NO_STORE,
    responses=problems(*ALWAYS, "cursor_invalid", "parameter_invalid"),
)
async def list_orders(
    client: NamedDependency[ClientPrincipal],
    db: NamedDependency[Database],
    cursor: Cursor = None,
    page_size: PageSize = PAGE_SIZE_DEFAULT,
) -> ServiceOrderPageView:
    """List your orders, newest first, with a token of your own."""
    async with db.read() as tx:
        page = await service.list_kept(
            tx, partner_id=client.partner_id, cursor=cursor, page_size=page_size
        )
    return ServiceOrderPageView(
        [order_view(each.order, each.obligation) for each in page.items], page.next_cursor
    )


@get(
    "/v1/service-orders/{order_id:uuid}",
    operation_id="service_order_get",
    tags=["partner"],
    guards=[WRITE],
    cache_control=NO_STORE,
    responses=problems(*ONE),
)
async def get_order(
    order_id: FromPath[UUID],
    order_keeper: NamedDependency[OrderKeeper],
    db: NamedDependency[Database],
) -> ServiceOrderView:
    """Show an order of yours, with a token of the citizen's or one of your own."""
    async with db.read() as tx:
        kept = await service.get_kept(tx, keeper=keeper_of(order_keeper), order_id=order_id)
    return order_view(kept.order, kept.obligation)


@post(
    "/v1/service-orders/{order_id:uuid}/complete",
    operation_id="service_order_complete",
    tags=["partner"],
    guards=[WRITE],
    status_code=HTTP_200_OK,
    cache_control=NO_STORE,
    responses=problems(
        *ONE, *ONCE, "body_invalid", "order_settled_too_much", "order_state_conflict"
    ),
)
async def complete_order(
    order_id: FromPath[UUID],
    data: JSONBody[ServiceOrderCompletion],
    order_keeper: NamedDependency[OrderKeeper],
    db: NamedDependency[Database],
    clock: NamedDependency[Clock],
    idempotency_key: IdempotencyKey = None,
) -> ServiceOrderView:
    """Complete an active order; what credit doesn't have to stand for is free again."""
    now, keeper = clock.now(), keeper_of(order_keeper)
    async with db.write() as tx:

        async def run() -> ServiceOrderView:
            order = await service.complete(
                tx,
                keeper=keeper,
                order_id=order_id,
                settled_fen=data.settled_fen,
                performed=data.performance is not None,
                now=now,
            )
            return order_view(order)

        body = msgspec.json.encode(data).decode()
        return await answer_once(
            tx,
            run,
            owner_id=keeper.partner_id,
            key=idempotency_key,
            request=f"service_order_complete {keeper.subject_id} {order_id} {body}",
            kind=ServiceOrderView,
            now=now,
        )


@post(
    "/v1/service-orders/{order_id:uuid}/cancel",
    operation_id="service_order_cancel",
    tags=["partner"],
    guards=[WRITE],
    status_code=HTTP_200_OK,
    cache_control=NO_STORE,
    responses=problems(*ONE, *ONCE, "order_state_conflict"),
)
async def cancel_order(
    order_id: FromPath[UUID],
    order_keeper: NamedDependency[OrderKeeper],
    db: NamedDependency[Database],
    clock: NamedDependency[Clock],
    idempotency_key: IdempotencyKey = None,
) -> ServiceOrderView:
    """Cancel an order that isn't over; all it held is free again."""
    now, keeper = clock.now(), keeper_of(order_keeper)
    async with db.write() as tx:

        async def run() -> ServiceOrderView:
            return order_view(await service.cancel(tx, keeper=keeper, order_id=order_id, now=now))

        return await answer_once(
            tx,
            run,
            owner_id=keeper.partner_id,
            key=idempotency_key,
            request=f"service_order_cancel {keeper.subject_id} {order_id}",
            kind=ServiceOrderView,
            now=now,
        )


@post(
    "/v1/service-orders/{order_id:uuid}/amount",
    operation_id="service_order_lower",
    tags=["partner"],
    guards=[WRITE],
    status_code=HTTP_200_OK,
    cache_control=NO_STORE,
    responses=problems(
        *ONE, *ONCE, "body_invalid", "order_amount_not_lower", "order_state_conflict"
    ),
)
async def lower_order(
    order_id: FromPath[UUID],
    data: JSONBody[ServiceOrderAmount],
    order_keeper: NamedDependency[OrderKeeper],
    db: NamedDependency[Database],
    clock: NamedDependency[Clock],
    idempotency_key: IdempotencyKey = None,
) -> ServiceOrderView:
    """Lower what is at risk; it never rises again."""
    now, keeper = clock.now(), keeper_of(order_keeper)
    async with db.write() as tx:

        async def run() -> ServiceOrderView:
            order = await service.lower_amount(
                tx, keeper=keeper, order_id=order_id, amount_fen=data.amount_fen, now=now
            )
            return order_view(order)

        return await answer_once(
            tx,
            run,
            owner_id=keeper.partner_id,
            key=idempotency_key,
            request=f"service_order_lower {keeper.subject_id} {order_id} {data.amount_fen}",
            kind=ServiceOrderView,
            now=now,
        )


ROUTES = [create_order, list_orders, get_order, complete_order, cancel_order, lower_order]
