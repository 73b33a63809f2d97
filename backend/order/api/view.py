"""How an order is shown: to the partner that keeps it, and to its citizen."""

from collections.abc import Awaitable, Callable
from datetime import date, datetime
from typing import Annotated, TypeVar
from uuid import UUID

import msgspec

from backend.kit.idempotency import once
from backend.kit.postgres import Tx
from backend.order.rules.machine import Owed, State
from backend.order.rules.obligation import Obligation, ReplyKind
from backend.order.rules.order import AMOUNT_FEN_MAX, ConfirmedBy, Order, Performance
from backend.order.service import NamedOrder

T = TypeVar("T", bound=msgspec.Struct)

ALWAYS = ("scope_insufficient", "token_invalid")
ONCE = ("idempotency_key_in_flight", "idempotency_key_missing", "idempotency_key_reused")
ONE = (*ALWAYS, "not_found", "parameter_invalid")

AmountFen = Annotated[int, msgspec.Meta(ge=1, le=AMOUNT_FEN_MAX, examples=[20_000])]


class ObligationView(msgspec.Struct, frozen=True):
    """What is said to be owed still.

    `stands_on` is the first day on which it stands if the citizen doesn't contest it; while it is
    contested it doesn't. `reply` is null until they answered.
    """

    obligation_id: UUID
    amount_fen: int
    state: Owed
    announced_at: datetime
    stands_on: date
    reply: ReplyKind | None
    replied_at: datetime | None


class ServiceOrderView(msgspec.Struct, frozen=True):
    """A service order.

    `amount_fen` is what is at risk, `credit_fen` what credit stands for, `own_fen` the rest: the
    citizen's own money. `performance` is null until it was reported. `revision` rises with every
    change.
    """

    order_id: UUID
    programme: str
    reference: str
    state: State
    amount_fen: int
    credit_fen: int
    own_fen: int
    settled_fen: int | None
    performance: Performance | None
    obligation: ObligationView | None
    revision: int
    created_at: datetime
    confirm_by: datetime
    confirmed_by: ConfirmedBy | None
    activated_at: datetime | None
    ended_at: datetime | None


class ServiceOrderPageView(msgspec.Struct, frozen=True):
    """One page of a partner's orders, newest first."""

    items: list[ServiceOrderView]
    next_cursor: str | None


class OwnOrderView(msgspec.Struct, frozen=True):
    """A citizen's order: a `ServiceOrderView` with the partner's names."""

    order_id: UUID
    partner_name_zh: str
    partner_name_en: str
    programme: str
    reference: str
    state: State
    amount_fen: int
    credit_fen: int
    own_fen: int
    settled_fen: int | None
    performance: Performance | None
    obligation: ObligationView | None
    revision: int
    created_at: datetime
    confirm_by: datetime
    confirmed_by: ConfirmedBy | None
    activated_at: datetime | None
    ended_at: datetime | None


class OwnOrderPageView(msgspec.Struct, frozen=True):
    """One page of a citizen's orders, newest first.

    `open_fen` is what credit stands for in all that run, `free_fen` how much more it may.
    """

    items: list[OwnOrderView]
    next_cursor: str | None
    open_fen: int
    free_fen: int


def order_view(order: Order, obligation: Obligation | None = None) -> ServiceOrderView:
    """Show an order to its partner."""
    return ServiceOrderView(
        order_id=order.order_id,
        programme=order.programme_code,
        reference=order.reference,
        state=State(order.state),
        amount_fen=order.amount_fen,
        credit_fen=order.credit_fen,
        own_fen=order.amount_fen - order.credit_fen,
        settled_fen=order.settled_fen,
        performance=order.performance,
        obligation=_obligation_view(obligation),
        revision=order.revision,
        created_at=order.created_at,
        confirm_by=order.confirm_by,
        confirmed_by=order.confirmed_by,
        activated_at=order.activated_at,
        ended_at=order.ended_at,
    )


def own_view(named: NamedOrder) -> OwnOrderView:
    """Show an order to its citizen."""
    shown = order_view(named.order, named.obligation)
    return OwnOrderView(
        partner_name_zh=named.partner_name_zh,
        partner_name_en=named.partner_name_en,
        **{name: getattr(shown, name) for name in shown.__struct_fields__},
    )


def _obligation_view(obligation: Obligation | None) -> ObligationView | None:
    if obligation is None:
        return None
    return ObligationView(
        obligation_id=obligation.obligation_id,
        amount_fen=obligation.amount_fen,
        state=Owed(obligation.state),
        announced_at=obligation.announced_at,
        stands_on=obligation.stands_on,
        reply=obligation.reply_kind,
        replied_at=obligation.replied_at,
    )


async def answer_once(
    tx: Tx,
    run: Callable[[], Awaitable[T]],
    *,
    owner_id: UUID,
    key: str | None,
    request: str,
    kind: type[T],
    now: datetime,
) -> T:
    """Do something to an order once, and answer its repetitions alike."""
    return await once(
        tx, owner_id=owner_id, key=key, request=request.encode(), kind=kind, now=now, run=run
    )
