"""What an order holds while it runs: a part of the citizen's exposure, and of the budget.

Everybody locks in one order: the participation, the order, the exposure, the reservation with the
budget's balances. So nobody waits in a circle.
"""

from datetime import datetime, timedelta
from functools import cache
from importlib.resources import files
from typing import NamedTuple
from uuid import UUID

from backend.citizen import service as citizen
from backend.kit.postgres import ReadTx, Tx
from backend.kit.problem import Refusal
from backend.order.rules import exposure as exposure_rules
from backend.order.rules import order as rules
from backend.order.rules.exposure import ExposureTable
from backend.order.rules.machine import is_over
from backend.order.rules.order import Order
from backend.order.store import obligation as obligation_store
from backend.order.store import order as store
from backend.programme.rules.document import Programme
from backend.programme.service import budget, promise
from backend.score import service as score

_CLOSED = "budget_reservation_closed"


class Held(NamedTuple):
    """An order that is held, and whether its citizen takes part: of who left nothing is learnt."""

    order: Order
    takes_part: bool


@cache
def exposure_table() -> ExposureTable:
    """Return the limits that come with the service, proved by its scorecard."""
    text = (files("backend.order") / "data" / "exposure.toml").read_text("utf-8")
    return exposure_rules.load_exposure(text, tiers=score.packaged_scorecard().tiers)


async def exposure_limit(tx: ReadTx, *, subject_id: UUID) -> int:
    """Return the most that may be open for a citizen; 0 without a score."""
    found = await score.find(tx, subject_id=subject_id)
    if found is None:
        return 0
    scorecard = await score.get_scorecard(tx, found.scorecard_version)
    return exposure_rules.limit_fen(exposure_table(), tiers=scorecard.tiers, points=found.points)


async def find_held(tx: Tx, *, subject_id: UUID, order_id: UUID) -> Held | None:
    """Hold an order as it stands now; None when there is none (any more).

    The participation first: leaving takes it before it takes the orders.
    """
    participation = await citizen.hold_participation(tx, subject_id=subject_id)
    order = await store.lock_order(tx, subject_id, order_id)
    return None if order is None else Held(order, participation is not None)


async def hold(tx: Tx, found: Order) -> Held:
    """Hold an order that was found; raises Refusal not_found: it went away meanwhile."""
    held = await find_held(tx, subject_id=found.subject_id, order_id=found.order_id)
    if held is None:
        raise Refusal("not_found")
    return held


async def write(tx: Tx, before: Order, after: Order) -> None:
    """Write the next revision of an order that is held, and give back exposure it needs no more."""
    written = await store.save_order(tx, after)
    assert written, "the order is held, and amounts only go down"
    freed = rules.open_fen(before) - rules.open_fen(after)
    if freed:
        lowered = await store.lower_exposure(tx, after.subject_id, freed)
        assert lowered, "what an order held is part of what is open"


def reserved_until(minutes: int | None, *, confirm_by: datetime, now: datetime) -> datetime:
    """Return until when an amount is kept for an order that nobody has confirmed."""
    if minutes is None:
        return confirm_by
    return min(confirm_by, now + timedelta(minutes=minutes))


async def reserve(
    tx: Tx,
    *,
    subject_id: UUID,
    promised: Programme,
    partner_id: UUID,
    credit_fen: int,
    expires_at: datetime | None,
    now: datetime,
) -> UUID | None:
    """Reserve from the budget; None when it is spent, and then nothing has changed."""
    try:
        reservation = await budget.reserve(
            tx,
            subject_id=subject_id,
            programme=promised,
            partner_id=partner_id,
            amount_fen=credit_fen,
            expires_at=expires_at,
            by_whom="service order",
            reason="an order was opened",
            now=now,
        )
    except Refusal as refusal:
        if refusal.code != "budget_spent":
            raise
        return None
    return reservation.reservation_id


async def keep(tx: Tx, order: Order, *, now: datetime) -> UUID | None:
    """Let a reservation last as long as its order; return it, or the one that takes its place.

    None when it has run out and the budget has no room for another.
    """
    try:
        kept = await budget.keep(
            tx, subject_id=order.subject_id, reservation_id=order.reservation_id, now=now
        )
    except Refusal as refusal:
        if refusal.code != _CLOSED:
            raise
    else:
        return kept.reservation_id
    # Closed if its time is over and nobody has noted it yet; otherwise this changes nothing.
    await release(tx, order, reason="its time was over", now=now)
    promised = await promise.get_version(
        tx, programme_code=order.programme_code, version=order.programme_version
    )
    return await reserve(
        tx,
        subject_id=order.subject_id,
        promised=promised,
        partner_id=order.partner_id,
        credit_fen=order.credit_fen,
        expires_at=None,
        now=now,
    )


async def lower(tx: Tx, order: Order, *, now: datetime) -> None:
    """Reserve no more than an order stands for; one that has run out holds nothing anyway."""
    try:
        await budget.lower(
            tx,
            subject_id=order.subject_id,
            reservation_id=order.reservation_id,
            amount_fen=order.credit_fen,
            by_whom="service order",
            reason="its amount was lowered",
            now=now,
        )
    except Refusal as refusal:
        # Another one takes its place when the citizen confirms: an active order's never runs out.
        if refusal.code != _CLOSED or order.confirmed_by is not None:
            raise


async def settle(tx: Tx, order: Order, *, now: datetime) -> None:
    """Spend what credit stood for in the end; the rest goes back."""
    assert order.settled_fen is not None, "a completed order is settled"
    await budget.settle(
        tx,
        subject_id=order.subject_id,
        reservation_id=order.reservation_id,
        settled_fen=order.settled_fen,
        by_whom="service order",
        reason="the order was completed",
        now=now,
    )


async def release(tx: Tx, order: Order, *, reason: str, now: datetime) -> None:
    """Give back all that is reserved."""
    await budget.release(
        tx,
        subject_id=order.subject_id,
        reservation_id=order.reservation_id,
        by_whom="service order",
        reason=reason,
        now=now,
    )


async def forget_if_left(tx: Tx, held: Held) -> None:
    """Delete an order that is over of somebody who has left: it was kept for the partner alone."""
    if held.takes_part or not is_over(held.order.state):
        return
    subject_id = held.order.subject_id
    await obligation_store.delete_all(tx, subject_id)
    await store.delete_order(tx, subject_id, held.order.order_id)
    await store.delete_exposure(tx, subject_id)
    await budget.forget(tx, subject_id=subject_id)
