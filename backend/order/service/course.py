"""The course of an order: confirmed, lowered, completed, cancelled, or left until it expires."""

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from backend.kit.postgres import ReadTx, Tx
from backend.kit.problem import Refusal
from backend.order.rules import order as rules
from backend.order.rules.machine import State
from backend.order.rules.order import Order
from backend.order.service import holding
from backend.order.service.holding import Held
from backend.order.service.learning import learn
from backend.order.service.telling import tell_of_order
from backend.order.store import order as store

EXPIRED_AT_ONCE = 100


class Keeper(NamedTuple):
    """The partner an order is kept by; `subject_id` is None for a token of its own."""

    partner_id: UUID
    subject_id: UUID | None


async def find_kept(tx: ReadTx, *, keeper: Keeper, order_id: UUID) -> Order:
    """Return a partner's order; raises Refusal not_found, for another's and another citizen's."""
    found = await store.find_of_partner(tx, keeper.partner_id, order_id)
    if found is None or keeper.subject_id not in (None, found.subject_id):
        raise Refusal("not_found")
    return found


async def confirm(tx: Tx, *, subject_id: UUID, order_id: UUID, now: datetime) -> Order:
    """Let a citizen confirm an order.

    Raises Refusal not_found, order_state_conflict (also when its time is over),
    benefit_unavailable: what was kept for it ran out, and the budget has no room any more.
    """
    order = (await _held_of(tx, subject_id, order_id)).order
    # Looked at before anything is reserved for it again.
    active = rules.activated(order, by="citizen", reservation_id=order.reservation_id, now=now)
    reservation_id = await holding.keep(tx, order, now=now)
    if reservation_id is None:
        raise Refusal("benefit_unavailable")
    active = rules.activated(order, by="citizen", reservation_id=reservation_id, now=now)
    await holding.write(tx, order, active)
    await tell_of_order(tx, active, "confirm", now=now)
    return active


async def decline(tx: Tx, *, subject_id: UUID, order_id: UUID, now: datetime) -> Order:
    """Let a citizen say no to an order; raises Refusal not_found, order_state_conflict."""
    held = await _held_of(tx, subject_id, order_id)
    return await _end(tx, held, rules.ended(held.order, "decline", now=now), "decline", now=now)


async def complete(
    tx: Tx,
    *,
    keeper: Keeper,
    order_id: UUID,
    settled_fen: int,
    performed: bool,
    now: datetime,
) -> Order:
    """Complete an order: credit stood for so much in the end, and perhaps all was performed.

    Raises Refusal not_found, order_state_conflict, order_settled_too_much.
    """
    held = await holding.hold(tx, await find_kept(tx, keeper=keeper, order_id=order_id))
    done = rules.completed(held.order, settled_fen, now=now)
    await holding.write(tx, held.order, done)
    await holding.settle(tx, done, now=now)
    await tell_of_order(tx, done, "complete", now=now)
    if performed and held.takes_part:
        told = rules.performed(done)
        await holding.write(tx, done, told)
        await learn(tx, told, now=now)
        done = told
    await holding.forget_if_left(tx, Held(done, held.takes_part))
    return done


async def cancel(tx: Tx, *, keeper: Keeper, order_id: UUID, now: datetime) -> Order:
    """Cancel an order; raises Refusal not_found, order_state_conflict."""
    held = await holding.hold(tx, await find_kept(tx, keeper=keeper, order_id=order_id))
    return await _end(tx, held, rules.ended(held.order, "cancel", now=now), "cancel", now=now)


async def lower_amount(
    tx: Tx, *, keeper: Keeper, order_id: UUID, amount_fen: int, now: datetime
) -> Order:
    """Lower what is at risk in an order.

    Raises Refusal not_found, order_state_conflict, order_amount_not_lower.
    """
    held = await holding.hold(tx, await find_kept(tx, keeper=keeper, order_id=order_id))
    lowered = rules.lowered(held.order, amount_fen)
    await holding.write(tx, held.order, lowered)
    if lowered.credit_fen < held.order.credit_fen:
        await holding.lower(tx, lowered, now=now)
    await tell_of_order(tx, lowered, "lower", now=now)
    return lowered


async def report_performed(tx: Tx, *, keeper: Keeper, order_id: UUID, now: datetime) -> Order:
    """Say that a completed order was performed: the citizen gets a record of it.

    Raises Refusal not_found, order_state_conflict, performance_reported.
    """
    held = await holding.hold(tx, await find_kept(tx, keeper=keeper, order_id=order_id))
    told = rules.performed(held.order)
    await holding.write(tx, held.order, told)
    if held.takes_part:
        await learn(tx, told, now=now)
    return told


async def list_overdue(tx: ReadTx, *, now: datetime) -> list[Order]:
    """Return orders that nobody confirmed in time, some at a time."""
    return await store.list_overdue(tx, now, limit=EXPIRED_AT_ONCE)


async def expire(tx: Tx, *, found: Order, now: datetime) -> bool:
    """End an order that nobody confirmed in time; False when somebody else was first."""
    held = await holding.find_held(tx, subject_id=found.subject_id, order_id=found.order_id)
    if held is None or held.order.state != State.CREATED:
        return False
    await _end(tx, held, rules.expired(held.order, now=now), "expire", now=now)
    return True


async def _held_of(tx: Tx, subject_id: UUID, order_id: UUID) -> Held:
    found = await store.find_of_citizen(tx, subject_id, order_id)
    if found is None:
        raise Refusal("not_found")
    return await holding.hold(tx, found)


async def _end(tx: Tx, held: Held, over: Order, event: str, *, now: datetime) -> Order:
    """Write that an order has ended without being used, and give back all it held."""
    await holding.write(tx, held.order, over)
    await holding.release(tx, over, reason=f"the order is {over.state}", now=now)
    await tell_of_order(tx, over, event, now=now)
    await holding.forget_if_left(tx, Held(over, held.takes_part))
    return over
