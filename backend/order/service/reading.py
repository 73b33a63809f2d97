"""Orders as partners and citizens see them."""

from collections.abc import Sequence
from uuid import UUID

import msgspec

from backend.kit.page import Page, cut_page, decode_id_cursor
from backend.kit.postgres import ReadTx
from backend.kit.problem import Refusal
from backend.order.rules import exposure as exposure_rules
from backend.order.rules.obligation import Obligation
from backend.order.rules.order import Order
from backend.order.service import holding
from backend.order.service.course import Keeper, find_kept
from backend.order.store import obligation as obligation_store
from backend.order.store import order as store
from backend.partner import service as partner


class KeptOrder(msgspec.Struct, frozen=True):
    """An order with what is owed under it."""

    order: Order
    obligation: Obligation | None


class NamedOrder(msgspec.Struct, frozen=True):
    """An order with what is owed under it, and whose it is."""

    order: Order
    obligation: Obligation | None
    partner_name_zh: str
    partner_name_en: str


class NamedPage(msgspec.Struct, frozen=True):
    """A page of a citizen's orders, with how much stands for them and may stand at most."""

    page: Page[NamedOrder]
    open_fen: int
    free_fen: int


async def get_kept(tx: ReadTx, *, keeper: Keeper, order_id: UUID) -> KeptOrder:
    """Return a partner's order; raises Refusal not_found."""
    order = await find_kept(tx, keeper=keeper, order_id=order_id)
    obligation = await obligation_store.find_of_order(tx, order.subject_id, order.order_id)
    return KeptOrder(order, obligation)


async def list_kept(
    tx: ReadTx, *, partner_id: UUID, cursor: str | None, page_size: int
) -> Page[KeptOrder]:
    """Return one page of a partner's orders, newest first; raises Refusal cursor_invalid."""
    before = None if cursor is None else decode_id_cursor(cursor)
    found = await store.list_of_partner(tx, partner_id, before=before, limit=page_size + 1)
    page = cut_page(found, page_size, key=lambda order: (str(order.order_id),))
    owed = await _owed(tx, page.items)
    items = [KeptOrder(order, owed.get(order.order_id)) for order in page.items]
    return Page(items, page.next_cursor)


async def get_of_citizen(tx: ReadTx, *, subject_id: UUID, order_id: UUID) -> NamedOrder:
    """Return a citizen's order; raises Refusal not_found."""
    order = await store.find_of_citizen(tx, subject_id, order_id)
    if order is None:
        raise Refusal("not_found")
    (named,) = await _named(tx, [order])
    return named


async def list_of_citizen(
    tx: ReadTx, *, subject_id: UUID, cursor: str | None, page_size: int
) -> NamedPage:
    """Return one page of a citizen's orders, newest first; raises Refusal cursor_invalid."""
    before = None if cursor is None else decode_id_cursor(cursor)
    found = await store.list_of_citizen(tx, subject_id, before=before, limit=page_size + 1)
    page = cut_page(found, page_size, key=lambda order: (str(order.order_id),))
    exposure = await store.find_exposure(tx, subject_id)
    open_fen = 0 if exposure is None else exposure.open_fen
    limit = await holding.exposure_limit(tx, subject_id=subject_id)
    return NamedPage(
        page=Page(await _named(tx, page.items), page.next_cursor),
        open_fen=open_fen,
        free_fen=exposure_rules.free_fen(open_fen, limit),
    )


async def _owed(tx: ReadTx, orders: Sequence[Order]) -> dict[UUID, Obligation]:
    found = await obligation_store.list_of_orders(
        tx, [each.subject_id for each in orders], [each.order_id for each in orders]
    )
    return {each.order_id: each for each in found}


async def _named(tx: ReadTx, orders: Sequence[Order]) -> list[NamedOrder]:
    owed = await _owed(tx, orders)
    names = await partner.find_names(tx, partner_ids=[order.partner_id for order in orders])
    return [
        NamedOrder(
            order,
            owed.get(order.order_id),
            names[order.partner_id].name_zh,
            names[order.partner_id].name_en,
        )
        for order in orders
    ]
