"""The citizen's orders: what credit stands for, what waits to be confirmed, what is said owed."""

from datetime import date, datetime
from uuid import UUID

import msgspec
from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import RawBody

from backend.case.rules import TEXT_CHARACTERS_MAX
from backend.kit.clock import Clock
from backend.kit.money import format_yuan
from backend.kit.page import PAGE_SIZE_DEFAULT
from backend.kit.postgres import Database
from backend.order import service as order
from backend.order.rules.machine import Owed, State
from backend.order.rules.obligation import Obligation, ReplyKind
from backend.order.service import NamedOrder, NamedPage
from backend.web.programme_words import ProgrammeWords, name_of, programme_words
from backend.web.render import render_page, see_other
from backend.web.session import AnyRequest, Visit, Visitor, signed_in
from backend.web.words import Text

_DONE = {
    "confirmed": Text("已确认，订单生效", "Confirmed: the order is active"),
    "declined": Text("已取消，什么都不会发生", "Cancelled: nothing will happen"),
    "replied": Text("已答复，商户会知道", "Answered: the partner is told"),
}
_STATES = {
    State.CREATED: Text("待确认", "Waits for you"),
    State.ACTIVE: Text("进行中", "Active"),
    State.COMPLETED: Text("已完成", "Completed"),
    State.CANCELLED: Text("已取消", "Cancelled"),
    State.EXPIRED: Text("已过期", "Expired"),
}
_OWED = {
    Owed.ANNOUNCED: Text("商户告知尚有未付款", "The partner says that something is owed"),
    Owed.CONTESTED: Text("您有异议，正在人工复核", "You contest it: a person looks at it"),
    Owed.STANDING: Text("有一笔未付款", "Something is owed"),
}


class OrderForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which order is confirmed or declined."""

    order_id: UUID
    csrf: str = ""


class ReplyForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the citizen answers to what is said owed under an order."""

    order_id: UUID
    reply: ReplyKind
    text: str = ""
    csrf: str = ""


class OwedItem(msgspec.Struct, frozen=True):
    """What is said to be owed, and what can be answered still."""

    yuan: str
    state: Text
    announced_at: datetime
    stands_on: date
    is_announced: bool
    may_promise: bool
    may_contest: bool


class OrderItem(msgspec.Struct, frozen=True):
    """One order; amounts in yuan."""

    order_id: str
    programme: Text
    partner: Text
    reference: str
    state: Text
    waits: bool
    is_running: bool
    amount: str
    credit: str
    own: str
    settled: str
    created_at: datetime
    confirm_by: datetime
    owed: OwedItem | None


class OrdersView(msgspec.Struct, frozen=True):
    """One page of orders, newest first."""

    done: Text | None
    open_yuan: str
    free_yuan: str
    most: int
    orders: list[OrderItem]
    next_href: str


def orders_view(
    found: NamedPage, programmes: dict[str, ProgrammeWords], *, done: str
) -> OrdersView:
    """Return the page of a citizen's orders; `done` is the code of what was just done."""
    cursor = found.page.next_cursor
    return OrdersView(
        done=_DONE.get(done),
        open_yuan=format_yuan(found.open_fen),
        free_yuan=format_yuan(found.free_fen),
        most=TEXT_CHARACTERS_MAX,
        orders=[_item(each, programmes) for each in found.page.items],
        next_href=f"/orders?cursor={cursor}" if cursor else "",
    )


def _item(named: NamedOrder, programmes: dict[str, ProgrammeWords]) -> OrderItem:
    each = named.order
    own_fen = each.amount_fen - each.credit_fen
    return OrderItem(
        order_id=str(each.order_id),
        programme=name_of(programmes, each.programme_code),
        partner=Text(named.partner_name_zh, named.partner_name_en),
        reference=each.reference,
        state=_STATES[State(each.state)],
        waits=each.state == State.CREATED,
        is_running=each.state in (State.CREATED, State.ACTIVE),
        amount=format_yuan(each.amount_fen),
        credit=format_yuan(each.credit_fen),
        own=format_yuan(own_fen) if own_fen else "",
        settled="" if each.settled_fen is None else format_yuan(each.settled_fen),
        created_at=each.created_at,
        confirm_by=each.confirm_by,
        owed=None if named.obligation is None else _owed(named.obligation),
    )


def _owed(owed: Obligation) -> OwedItem:
    return OwedItem(
        yuan=format_yuan(owed.amount_fen),
        state=_OWED[Owed(owed.state)],
        announced_at=owed.announced_at,
        stands_on=owed.stands_on,
        is_announced=owed.state == Owed.ANNOUNCED,
        may_promise=owed.state == Owed.ANNOUNCED and owed.reply_kind is None,
        may_contest=owed.state != Owed.CONTESTED and owed.reply_kind != "contested",
    )


@get("/orders", operation_id="web_orders_show", guards=[signed_in], include_in_schema=False)
async def show_orders(
    request: AnyRequest,
    visit: NamedDependency[Visit],
    visitor: NamedDependency[Visitor],
    db: NamedDependency[Database],
) -> Response[bytes]:
    """Show the orders, newest first, and what is open and free in all."""
    async with db.read() as tx:
        found = await order.list_of_citizen(
            tx,
            subject_id=visitor.subject_id,
            cursor=request.query_params.get("cursor"),
            page_size=PAGE_SIZE_DEFAULT,
        )
        programmes = await programme_words(tx)
    view = orders_view(found, programmes, done=request.query_params.get("done", ""))
    return render_page(visit, "orders.html", view, tab="programmes")


@post(
    "/orders/confirm", operation_id="web_order_confirm", guards=[signed_in], include_in_schema=False
)
async def confirm(
    body: RawBody,
    visit: NamedDependency[Visit],
    visitor: NamedDependency[Visitor],
    db: NamedDependency[Database],
    clock: NamedDependency[Clock],
) -> Response[bytes]:
    """Confirm an order; one of somebody else's is not found (404)."""
    form = visit.read_form(OrderForm, body)
    visit.check_form(form.csrf, "confirm-order", str(form.order_id))
    async with db.write() as tx:
        await order.confirm(
            tx, subject_id=visitor.subject_id, order_id=form.order_id, now=clock.now()
        )
    return see_other(visit, "/orders?done=confirmed")


@post(
    "/orders/decline", operation_id="web_order_decline", guards=[signed_in], include_in_schema=False
)
async def decline(
    body: RawBody,
    visit: NamedDependency[Visit],
    visitor: NamedDependency[Visitor],
    db: NamedDependency[Database],
    clock: NamedDependency[Clock],
) -> Response[bytes]:
    """Say no to an order; one of somebody else's is not found (404)."""
    form = visit.read_form(OrderForm, body)
    visit.check_form(form.csrf, "decline-order", str(form.order_id))
    async with db.write() as tx:
        await order.decline(
            tx, subject_id=visitor.subject_id, order_id=form.order_id, now=clock.now()
        )
    return see_other(visit, "/orders?done=declined")


@post("/orders/reply", operation_id="web_order_reply", guards=[signed_in], include_in_schema=False)
async def reply(
    body: RawBody,
    visit: NamedDependency[Visit],
    visitor: NamedDependency[Visitor],
    db: NamedDependency[Database],
    clock: NamedDependency[Clock],
) -> Response[bytes]:
    """Answer what is said owed; what is contested waits for a person."""
    form = visit.read_form(ReplyForm, body)
    visit.check_form(form.csrf, "reply-order", str(form.order_id))
    async with db.write() as tx:
        await order.reply(
            tx,
            subject_id=visitor.subject_id,
            order_id=form.order_id,
            kind=form.reply,
            text=form.text,
            vault=visit.vault,
            now=clock.now(),
        )
    return see_other(visit, "/orders?done=replied")


ROUTES = [show_orders, confirm, decline, reply]
