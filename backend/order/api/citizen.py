"""The citizen's orders over HTTP: see them, confirm or decline one, answer what is said owed."""

from collections.abc import Awaitable, Callable
from typing import Annotated
from uuid import UUID

import msgspec
from litestar import get, post
from litestar.datastructures import CacheControlHeader
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody
from litestar.status_codes import HTTP_200_OK

from backend.access.guard import requires
from backend.access.rules import CitizenPrincipal, Scope
from backend.case.rules import TEXT_CHARACTERS_MAX
from backend.kit.clock import Clock
from backend.kit.crypto import Vault
from backend.kit.http import Cursor, IdempotencyKey, PageSize, problems
from backend.kit.page import PAGE_SIZE_DEFAULT
from backend.kit.postgres import Database, Tx
from backend.order import service
from backend.order.api.view import (
    ALWAYS,
    ONCE,
    ONE,
    OwnOrderPageView,
    OwnOrderView,
    answer_once,
    own_view,
)
from backend.order.rules.obligation import ReplyKind

_NO_STORE = CacheControlHeader(no_store=True)
_GUARD = requires(Scope.ME_ORDERS)


class ObligationReply(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Your answer to what a partner says is owed: you will pay, or you contest it.

    What you contest doesn't stand until a person has looked at it; `text` is for them.
    """

    reply: ReplyKind
    text: Annotated[str, msgspec.Meta(max_length=TEXT_CHARACTERS_MAX)] = ""


@get(
    "/v1/me/orders",
    operation_id="own_order_list",
    tags=["citizen"],
    guards=[_GUARD],
    cache_control=_NO_STORE,
    responses=problems(*ALWAYS, "cursor_invalid", "parameter_invalid"),
)
async def list_own(
    citizen: NamedDependency[CitizenPrincipal],
    db: NamedDependency[Database],
    cursor: Cursor = None,
    page_size: PageSize = PAGE_SIZE_DEFAULT,
) -> OwnOrderPageView:
    """List your orders, newest first, and how much more credit may stand for you."""
    async with db.read() as tx:
        found = await service.list_of_citizen(
            tx, subject_id=citizen.subject_id, cursor=cursor, page_size=page_size
        )
    return OwnOrderPageView(
        [own_view(each) for each in found.page.items],
        found.page.next_cursor,
        found.open_fen,
        found.free_fen,
    )


@get(
    "/v1/me/orders/{order_id:uuid}",
    operation_id="own_order_get",
    tags=["citizen"],
    guards=[_GUARD],
    cache_control=_NO_STORE,
    responses=problems(*ONE),
)
async def get_own(
    order_id: FromPath[UUID],
    citizen: NamedDependency[CitizenPrincipal],
    db: NamedDependency[Database],
) -> OwnOrderView:
    """Show one of your orders."""
    async with db.read() as tx:
        named = await service.get_of_citizen(tx, subject_id=citizen.subject_id, order_id=order_id)
    return own_view(named)


@post(
    "/v1/me/orders/{order_id:uuid}/confirm",
    operation_id="own_order_confirm",
    tags=["citizen"],
    guards=[_GUARD],
    status_code=HTTP_200_OK,
    cache_control=_NO_STORE,
    responses=problems(*ONE, *ONCE, "benefit_unavailable", "order_state_conflict"),
)
async def confirm_own(
    order_id: FromPath[UUID],
    citizen: NamedDependency[CitizenPrincipal],
    db: NamedDependency[Database],
    clock: NamedDependency[Clock],
    idempotency_key: IdempotencyKey = None,
) -> OwnOrderView:
    """Confirm an order: credit stands for you from now on."""
    now, subject_id = clock.now(), citizen.subject_id
    async with db.write() as tx:
        return await answer_once(
            tx,
            _then_show(
                tx,
                subject_id,
                order_id,
                lambda: service.confirm(tx, subject_id=subject_id, order_id=order_id, now=now),
            ),
            owner_id=subject_id,
            key=idempotency_key,
            request=f"own_order_confirm {order_id}",
            kind=OwnOrderView,
            now=now,
        )


@post(
    "/v1/me/orders/{order_id:uuid}/decline",
    operation_id="own_order_decline",
    tags=["citizen"],
    guards=[_GUARD],
    status_code=HTTP_200_OK,
    cache_control=_NO_STORE,
    responses=problems(*ONE, *ONCE, "order_state_conflict"),
)
async def decline_own(
    order_id: FromPath[UUID],
    citizen: NamedDependency[CitizenPrincipal],
    db: NamedDependency[Database],
    clock: NamedDependency[Clock],
    idempotency_key: IdempotencyKey = None,
) -> OwnOrderView:
    """Say no to an order that waits for you; what was kept for it is free again."""
    now, subject_id = clock.now(), citizen.subject_id
    async with db.write() as tx:
        return await answer_once(
            tx,
            _then_show(
                tx,
                subject_id,
                order_id,
                lambda: service.decline(tx, subject_id=subject_id, order_id=order_id, now=now),
            ),
            owner_id=subject_id,
            key=idempotency_key,
            request=f"own_order_decline {order_id}",
            kind=OwnOrderView,
            now=now,
        )


@post(
    "/v1/me/orders/{order_id:uuid}/reply",
    operation_id="own_order_reply",
    tags=["citizen"],
    guards=[_GUARD],
    status_code=HTTP_200_OK,
    cache_control=_NO_STORE,
    responses=problems(
        *ONE,
        *ONCE,
        "body_invalid",
        "case_open",
        "case_text_invalid",
        "obligation_replied",
        "obligation_state_conflict",
        "participation_required",
    ),
)
async def reply_own(
    order_id: FromPath[UUID],
    data: JSONBody[ObligationReply],
    citizen: NamedDependency[CitizenPrincipal],
    db: NamedDependency[Database],
    vault: NamedDependency[Vault],
    clock: NamedDependency[Clock],
    idempotency_key: IdempotencyKey = None,
) -> OwnOrderView:
    """Answer what the partner says is still owed under an order."""
    now, subject_id = clock.now(), citizen.subject_id
    body = msgspec.json.encode(data).decode()
    async with db.write() as tx:
        return await answer_once(
            tx,
            _then_show(
                tx,
                subject_id,
                order_id,
                lambda: service.reply(
                    tx,
                    subject_id=subject_id,
                    order_id=order_id,
                    kind=data.reply,
                    text=data.text,
                    vault=vault,
                    now=now,
                ),
            ),
            owner_id=subject_id,
            key=idempotency_key,
            request=f"own_order_reply {order_id} {body}",
            kind=OwnOrderView,
            now=now,
        )


def _then_show(
    tx: Tx, subject_id: UUID, order_id: UUID, act: Callable[[], Awaitable[object]]
) -> Callable[[], Awaitable[OwnOrderView]]:
    async def run() -> OwnOrderView:
        await act()
        return own_view(await service.get_of_citizen(tx, subject_id=subject_id, order_id=order_id))

    return run


ROUTES = [list_own, get_own, confirm_own, decline_own, reply_own]
