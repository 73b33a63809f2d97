"""Partner and citizen are told of a step in its transaction: by webhook, and by a notice."""

from datetime import datetime
from uuid import UUID

from backend.kit.postgres import Tx
from backend.notice import service as notice
from backend.order.rules.machine import order_step, owed_step
from backend.order.rules.obligation import Obligation
from backend.order.rules.order import Order
from backend.webhook import service as webhook


async def tell_of_order(
    tx: Tx, order: Order, event: str, *, now: datetime, to_citizen: bool = True
) -> None:
    """Tell of a step of an order that has been written."""
    step = order_step(event)
    if step.topic is not None:
        await webhook.emit_message(
            tx,
            partner_id=order.partner_id,
            topic=step.topic,
            object_id=order.order_id,
            sequence=order.revision,
            facts={"programme": order.programme_code},
            now=now,
        )
    if step.notice is not None and to_citizen:
        facts: dict[str, object] = {"order_id": order.order_id, "programme": order.programme_code}
        if step.notice in ("order.to_confirm", "order.activated"):
            # What credit stands for: that is what the citizen answers for.
            facts["amount_fen"] = order.credit_fen
        if step.notice == "order.completed":
            facts["settled_fen"] = order.settled_fen
        await notice.notify(
            tx, subject_id=order.subject_id, topic=step.notice, facts=facts, now=now
        )


async def tell_of_obligation(
    tx: Tx,
    obligation: Obligation,
    event: str,
    *,
    programme_code: str,
    now: datetime,
) -> None:
    """Tell of a step of an obligation that has been written."""
    step = owed_step(event)
    ids: dict[str, UUID] = {
        "obligation_id": obligation.obligation_id,
        "order_id": obligation.order_id,
    }
    if step.topic is not None:
        await webhook.emit_message(
            tx,
            partner_id=obligation.partner_id,
            topic=step.topic,
            object_id=obligation.obligation_id,
            sequence=obligation.revision,
            facts={"order_id": obligation.order_id},
            now=now,
        )
    if step.notice is not None:
        facts: dict[str, object] = {**ids, "programme": programme_code}
        if step.notice != "obligation.ended":
            facts["amount_fen"] = obligation.amount_fen
        if step.notice == "obligation.announced":
            facts["stands_on"] = obligation.stands_on
        await notice.notify(
            tx, subject_id=obligation.subject_id, topic=step.notice, facts=facts, now=now
        )
