"""What operators do with webhooks; each action is written down with its reason."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from backend.kit.postgres import ReadTx, Tx
from backend.kit.problem import Refusal
from backend.ledger import service as ledger
from backend.ledger.rules import Actor
from backend.partner import service as partner
from backend.webhook.service import delivery, endpoint
from backend.webhook.store import endpoint as store


async def partner_id_of(tx: ReadTx, *, code: str) -> UUID:
    """Return the id of the partner with a code; raises Refusal partner_unknown."""
    found = await partner.find_partner(tx, code=code)
    if found is None:
        raise Refusal("partner_unknown", partner=code)
    return found.partner_id


async def replay_as_operator(
    tx: Tx, *, delivery_id: UUID, by: Actor, reason: str, now: datetime
) -> UUID:
    """Send any partner's message once more; see `replay`."""
    new = await delivery.replay(tx, partner_id=None, delivery_id=delivery_id, now=now)
    await ledger.note_action(
        tx,
        by=by,
        action="webhook_delivery.replayed",
        thing=f"webhook_delivery:{delivery_id}",
        reason=reason,
        now=now,
    )
    return new


async def set_resting(
    tx: Tx,
    *,
    endpoint_id: UUID,
    action: Literal["pause", "resume"],
    by: Actor,
    reason: str,
    now: datetime,
) -> None:
    """Let any partner's endpoint rest, or go on; a partner can't resume what an operator paused.

    Raises Refusal not_found or webhook_endpoint_unverified.
    """
    found = await store.find_endpoint(tx, endpoint_id)
    if found is None:
        raise Refusal("not_found")
    if action == "pause":
        await endpoint.pause(
            tx, partner_id=found.partner_id, endpoint_id=endpoint_id, by="operator"
        )
    else:
        await endpoint.resume(
            tx, partner_id=found.partner_id, endpoint_id=endpoint_id, by="operator", now=now
        )
    await ledger.note_action(
        tx,
        by=by,
        action=f"webhook_endpoint.{action}d",
        thing=f"webhook_endpoint:{endpoint_id}",
        reason=reason,
        now=now,
    )
