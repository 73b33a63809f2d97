"""What is sent to prove something: that an endpoint is the partner's, and that it verifies."""

import secrets
from datetime import datetime
from uuid import UUID

from backend.kit.ids import new_id
from backend.kit.postgres import Tx
from backend.kit.problem import Refusal
from backend.webhook.rules.delivery import Kind
from backend.webhook.rules.endpoint import PROBED_EVERY
from backend.webhook.rules.payload import body_of
from backend.webhook.store import delivery as delivery_store
from backend.webhook.store import endpoint as store
from backend.webhook.store.delivery import NewDelivery

PROBES_AT_ONCE = 200


async def verify(
    tx: Tx, *, partner_id: UUID, endpoint_id: UUID, origin: str, now: datetime
) -> UUID:
    """Have a signed challenge sent to an endpoint, to be answered with the same challenge.

    Return the delivery's id; the endpoint is active once that is delivered. While one is open there
    is no other: nobody has shown yet whose address that is. Raises Refusal not_found.
    """
    endpoint = await store.lock_endpoint(tx, endpoint_id)
    if endpoint is None or endpoint.partner_id != partner_id:
        raise Refusal("not_found")
    open_one = await delivery_store.find_open(tx, endpoint_id, "ownership")
    if open_one is not None:
        return open_one
    return await _send(
        tx,
        partner_id=partner_id,
        endpoint_id=endpoint_id,
        kind="ownership",
        facts={"challenge": secrets.token_urlsafe(32)},
        origin=origin,
        now=now,
    )


async def probe(tx: Tx, *, partner_id: UUID, endpoint_id: UUID, origin: str, now: datetime) -> UUID:
    """Have a wrongly signed message sent to an endpoint, which must refuse it.

    Return the delivery's id, or that of the one still open. Raises Refusal not_found or
    webhook_endpoint_unverified.
    """
    endpoint = await store.lock_endpoint(tx, endpoint_id)
    if endpoint is None or endpoint.partner_id != partner_id:
        raise Refusal("not_found")
    if endpoint.state == "unverified":
        raise Refusal("webhook_endpoint_unverified")
    open_one = await delivery_store.find_open(tx, endpoint_id, "probe")
    if open_one is not None:
        return open_one
    await store.start_probe(tx, endpoint_id, now)
    return await _send(
        tx,
        partner_id=partner_id,
        endpoint_id=endpoint_id,
        kind="probe",
        facts={},
        origin=origin,
        now=now,
    )


async def probe_due(tx: Tx, *, origin: str, now: datetime) -> int:
    """Probe the endpoints that haven't been for a week; return how many that were."""
    due = await store.take_due_probes(
        tx, probed_before=now - PROBED_EVERY, now=now, limit=PROBES_AT_ONCE
    )
    for each in due:
        await _send(
            tx,
            partner_id=each.partner_id,
            endpoint_id=each.endpoint_id,
            kind="probe",
            facts={},
            origin=origin,
            now=now,
        )
    return len(due)


async def _send(
    tx: Tx,
    *,
    partner_id: UUID,
    endpoint_id: UUID,
    kind: Kind,
    facts: dict[str, str],
    origin: str,
    now: datetime,
) -> UUID:
    topic = "endpoint.challenge" if kind == "ownership" else "endpoint.probe"
    body = body_of(
        topic=topic, object_id=endpoint_id, sequence=1, facts=facts, origin=origin, now=now
    )
    delivery_id = new_id(now)
    new = NewDelivery(
        delivery_id=delivery_id,
        endpoint_id=endpoint_id,
        partner_id=partner_id,
        message_id=new_id(now),
        topic=topic,
        object_id=endpoint_id,
        sequence=1,
        body=body,
        kind=kind,
    )
    await delivery_store.insert_deliveries(tx, [new], now)
    return delivery_id
