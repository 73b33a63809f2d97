"""How an order was performed, over HTTP: well, or with something still owed."""

from datetime import datetime
from typing import Literal
from uuid import UUID

import msgspec
from litestar import post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody
from litestar.status_codes import HTTP_200_OK

from backend.kit.clock import Clock
from backend.kit.http import IdempotencyKey, problems
from backend.kit.postgres import Database, Tx
from backend.kit.problem import Refusal
from backend.order import service
from backend.order.api.partner import NO_STORE, WRITE, OrderKeeper, keeper_of
from backend.order.api.view import (
    ONCE,
    ONE,
    AmountFen,
    ServiceOrderView,
    answer_once,
    order_view,
)
from backend.order.rules.obligation import EndedBy
from backend.order.service import Keeper


class ServiceOrderPerformance(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a completed order was performed.

    `performed`: the citizen gets a good record of it. `open_obligation`: `amount_fen`, given with
    it and not otherwise, is still owed; the citizen is told first, and can answer.
    """

    performance: Literal["performed", "open_obligation"]
    amount_fen: AmountFen | None = None


@post(
    "/v1/service-orders/{order_id:uuid}/performance",
    operation_id="service_order_report",
    tags=["partner"],
    guards=[WRITE],
    status_code=HTTP_200_OK,
    cache_control=NO_STORE,
    responses=problems(
        *ONE,
        *ONCE,
        "body_invalid",
        "calendar_unknown",
        "obligation_too_large",
        "order_state_conflict",
        "performance_reported",
    ),
)
async def report_performance(
    order_id: FromPath[UUID],
    data: JSONBody[ServiceOrderPerformance],
    order_keeper: NamedDependency[OrderKeeper],
    db: NamedDependency[Database],
    clock: NamedDependency[Clock],
    idempotency_key: IdempotencyKey = None,
) -> ServiceOrderView:
    """Report, once, how a completed order was performed.

    What is owed stands only after the programme's waiting period, and not while the citizen
    contests it; you and they see it, nobody else does.
    """
    now, keeper, amount_fen = clock.now(), keeper_of(order_keeper), data.amount_fen
    if (amount_fen is not None) != (data.performance == "open_obligation"):
        fault = {"name": "amount_fen", "message": "goes with open_obligation, and only with it"}
        raise Refusal("body_invalid", errors=[fault])
    async with db.write() as tx:

        async def run() -> ServiceOrderView:
            if amount_fen is not None:
                order, obligation = await service.announce(
                    tx, keeper=keeper, order_id=order_id, amount_fen=amount_fen, now=now
                )
                return order_view(order, obligation)
            return order_view(
                await service.report_performed(tx, keeper=keeper, order_id=order_id, now=now)
            )

        body = msgspec.json.encode(data).decode()
        return await answer_once(
            tx,
            run,
            owner_id=keeper.partner_id,
            key=idempotency_key,
            request=f"service_order_report {keeper.subject_id} {order_id} {body}",
            kind=ServiceOrderView,
            now=now,
        )


@post(
    "/v1/service-orders/{order_id:uuid}/obligation/paid",
    operation_id="obligation_settle",
    tags=["partner"],
    guards=[WRITE],
    status_code=HTTP_200_OK,
    cache_control=NO_STORE,
    responses=problems(*ONE, *ONCE),
)
async def settle_obligation(
    order_id: FromPath[UUID],
    order_keeper: NamedDependency[OrderKeeper],
    db: NamedDependency[Database],
    clock: NamedDependency[Clock],
    idempotency_key: IdempotencyKey = None,
) -> ServiceOrderView:
    """Say that what was owed is paid: it is gone, for you and for the citizen."""
    async with db.write() as tx:
        return await _end(
            tx,
            keeper_of(order_keeper),
            order_id,
            ended_by="paid",
            key=idempotency_key,
            now=clock.now(),
        )


@post(
    "/v1/service-orders/{order_id:uuid}/obligation/withdraw",
    operation_id="obligation_withdraw",
    tags=["partner"],
    guards=[WRITE],
    status_code=HTTP_200_OK,
    cache_control=NO_STORE,
    responses=problems(*ONE, *ONCE),
)
async def withdraw_obligation(
    order_id: FromPath[UUID],
    order_keeper: NamedDependency[OrderKeeper],
    db: NamedDependency[Database],
    clock: NamedDependency[Clock],
    idempotency_key: IdempotencyKey = None,
) -> ServiceOrderView:
    """Take back that something is owed: it is gone, and not announced again."""
    async with db.write() as tx:
        return await _end(
            tx,
            keeper_of(order_keeper),
            order_id,
            ended_by="withdrawn",
            key=idempotency_key,
            now=clock.now(),
        )


async def _end(
    tx: Tx,
    keeper: Keeper,
    order_id: UUID,
    *,
    ended_by: EndedBy,
    key: str | None,
    now: datetime,
) -> ServiceOrderView:
    async def run() -> ServiceOrderView:
        return order_view(
            await service.end(tx, keeper=keeper, order_id=order_id, ended_by=ended_by, now=now)
        )

    return await answer_once(
        tx,
        run,
        owner_id=keeper.partner_id,
        key=key,
        request=f"obligation_end {ended_by} {keeper.subject_id} {order_id}",
        kind=ServiceOrderView,
        now=now,
    )


ROUTES = [report_performance, settle_obligation, withdraw_obligation]
