"""What was sent, to be looked at and sent once more; somebody else's delivery is not found."""

from datetime import datetime
from uuid import UUID

from backend.kit.ids import new_id
from backend.kit.page import Page, cut_page, decode_id_cursor
from backend.kit.postgres import ReadTx, Tx
from backend.kit.problem import Refusal
from backend.webhook.rules.delivery import KEPT_FOR, Delivery, State, Try
from backend.webhook.store import delivery as store
from backend.webhook.store.delivery import NewDelivery


async def list_deliveries(
    tx: ReadTx,
    *,
    partner_id: UUID,
    endpoint_id: UUID | None = None,
    state: State | None = None,
    cursor: str | None,
    page_size: int,
) -> Page[Delivery]:
    """Return a page of the deliveries of a partner, newest first; raises Refusal cursor_invalid."""
    found = await store.list_deliveries(
        tx,
        partner_id=partner_id,
        endpoint_id=endpoint_id,
        state=state,
        before=decode_id_cursor(cursor) if cursor is not None else None,
        limit=page_size + 1,
    )
    return cut_page(found, page_size, key=lambda each: (str(each.delivery_id),))


async def get_delivery(
    tx: ReadTx, *, partner_id: UUID, delivery_id: UUID
) -> tuple[Delivery, list[Try]]:
    """Return a delivery of a partner and its tries; raises Refusal not_found."""
    found = await store.find_delivery(tx, delivery_id)
    if found is None or found.partner_id != partner_id:
        raise Refusal("not_found")
    return found, await store.list_tries(tx, delivery_id)


async def replay(tx: Tx, *, partner_id: UUID | None, delivery_id: UUID, now: datetime) -> UUID:
    """Send a message once more, to the same endpoint and under the same `webhook-id`.

    `partner_id` is None for an operator. It holds up nothing else, and is tried like any other.
    Return the new delivery's id. Raises Refusal not_found (also for probes and challenges, which
    are made anew) or webhook_delivery_open.
    """
    old = await store.find_replayed(tx, delivery_id)
    if old is None or (partner_id is not None and old.partner_id != partner_id):
        raise Refusal("not_found")
    if old.kind not in ("event", "replay"):
        raise Refusal("not_found")
    if old.state == "pending":
        raise Refusal("webhook_delivery_open")
    new = NewDelivery(
        delivery_id=new_id(now),
        endpoint_id=old.endpoint_id,
        partner_id=old.partner_id,
        message_id=old.message_id,
        topic=old.topic,
        object_id=old.object_id,
        sequence=old.sequence,
        body=old.body,
        kind="replay",
    )
    await store.insert_deliveries(tx, [new], now)
    return new.delivery_id


async def purge(tx: Tx, *, now: datetime) -> int:
    """Give up what has waited for a month, delete what ended a month ago; return how much."""
    before = now - KEPT_FOR
    abandoned = await store.abandon(tx, created_before=before, now=now)
    return abandoned + await store.delete_ended(tx, ended_before=before)
