"""A performed order becomes a record of its citizen: a good one, there is no other kind."""

from datetime import datetime

from backend.kit.clock import city_date
from backend.kit.log import get_log
from backend.kit.postgres import Tx
from backend.kit.problem import Refusal
from backend.order.rules.order import Order
from backend.programme.service import promise
from backend.record import service as record

log = get_log(__name__)

SOURCE_CODE = "service_orders"


async def learn(tx: Tx, order: Order, *, now: datetime) -> None:
    """Put it on record that an order was performed, once, if its programme says as what.

    The caller holds order and participation. A catalogue that has no place for it any more is
    nothing the partner could mend: then nothing is learnt.
    """
    assert order.ended_at is not None, "what was performed has ended"
    promised = await promise.get_version(
        tx, programme_code=order.programme_code, version=order.programme_version
    )
    class_code = promised.document.performed_class
    if class_code is None:
        return
    try:
        await record.report_one(
            tx,
            subject_id=order.subject_id,
            source_code=SOURCE_CODE,
            class_code=class_code,
            external_id=str(order.order_id),
            quantity=1,
            occurred_on=city_date(order.ended_at),
            now=now,
        )
    except Refusal as refusal:
        log.warning("performance_not_recorded", code=refusal.code)
