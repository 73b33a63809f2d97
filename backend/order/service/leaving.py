"""What becomes of the orders of a citizen who leaves: the partner's side goes on, no more."""

from datetime import datetime
from uuid import UUID

from backend.kit.postgres import Tx
from backend.order.rules import order as rules
from backend.order.rules.machine import State, is_over
from backend.order.service import holding
from backend.order.service.telling import tell_of_order
from backend.order.store import obligation as obligation_store
from backend.order.store import order as store
from backend.programme.service import budget


async def erase(tx: Tx, *, subject_id: UUID, now: datetime) -> None:
    """Cancel what waits to be confirmed, delete what is over and what is owed.

    An order that runs stays as a bare row until the partner ends it, for the bicycle has still to
    come back; nothing is learnt from it, and then it is deleted. Erasing again changes nothing.
    The caller has ended the participation, so nobody opens another meanwhile.
    """
    await obligation_store.delete_all(tx, subject_id)
    orders = await store.lock_all(tx, subject_id)
    await budget.hold_reserved(tx, subject_id=subject_id)
    # In one order over programmes, so that two who leave at once can't wait for each other.
    for order in sorted(orders, key=lambda each: each.programme_code):
        if order.state == State.CREATED:
            cancelled = rules.ended(order, "leave", now=now)
            await holding.write(tx, order, cancelled)
            await holding.release(tx, cancelled, reason="the order is cancelled", now=now)
            await tell_of_order(tx, cancelled, "leave", now=now)
        if order.state == State.CREATED or is_over(order.state):
            await store.delete_order(tx, subject_id, order.order_id)
    await store.delete_exposure(tx, subject_id)
    await budget.forget(tx, subject_id=subject_id)
