"""The two ends of sending: take what is due, write down what came of it."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from backend.kit.postgres import Tx
from backend.webhook.rules.delivery import LEASE, Answer, Claimed, Verdict
from backend.webhook.rules.endpoint import PAUSED_AFTER
from backend.webhook.service.message import emit_message
from backend.webhook.store import delivery as delivery_store
from backend.webhook.store import endpoint as store
from backend.webhook.store.delivery import Concluded
from backend.webhook.store.endpoint import EndpointId


class Sent(msgspec.Struct, frozen=True):
    """A try that is over: what was taken, what came of it and what that means."""

    claimed: Claimed
    answer: Answer
    verdict: Verdict
    at: datetime
    duration_ms: int
    request_head: dict[str, str]


async def claim(
    tx: Tx, *, busy: dict[UUID, int], limit: int, limit_endpoint: int, now: datetime
) -> list[Claimed]:
    """Take what is due; whoever takes it has it for the time of a lease."""
    return await delivery_store.claim(
        tx, busy=busy, now=now, leased_until=now + LEASE, limits=(limit, limit_endpoint)
    )


async def conclude(tx: Tx, *, sent: Sequence[Sent], now: datetime) -> list[EndpointId]:
    """Write down what came of tries, and what it says of the endpoints.

    Return the endpoints that are paused by it: their partners are told at their other endpoints.
    """
    paused = await _note_endpoints(tx, sent, now)
    await delivery_store.conclude(tx, [_concluded(each, now) for each in sent])
    for endpoint, reason in paused:
        await emit_message(
            tx,
            partner_id=endpoint.partner_id,
            topic="endpoint.paused",
            object_id=endpoint.endpoint_id,
            # Rises with every pause, which are a day apart.
            sequence=int(now.timestamp()),
            facts={"reason": reason},
            now=now,
        )
    return [endpoint for endpoint, _ in paused]


def _concluded(sent: Sent, now: datetime) -> Concluded:
    verdict = sent.verdict
    return Concluded(
        delivery_id=sent.claimed.delivery_id,
        number=sent.claimed.tries,
        state=verdict.state,
        due_at=now if verdict.wait is None else now + verdict.wait,
        ended_at=None if verdict.state == "pending" else now,
        at=sent.at,
        duration_ms=sent.duration_ms,
        request_head=sent.request_head,
        status=sent.answer.status,
        response_head=None if sent.answer.status is None else sent.answer.head,
        fault=verdict.fault,
    )


async def _note_endpoints(
    tx: Tx, sent: Sequence[Sent], now: datetime
) -> list[tuple[EndpointId, str]]:
    """Write what the tries say of their endpoints; most say nothing new and touch no row."""
    up = {each.claimed.endpoint_id for each in sent if each.verdict.is_up is True}
    recovered = {each.claimed.endpoint_id for each in sent if each.claimed.is_failing} & up
    down = {each.claimed.endpoint_id for each in sent if each.verdict.is_up is False} - up
    gone = {each.claimed.endpoint_id for each in sent if each.verdict.pause == "gone"}
    verified = {each.claimed.endpoint_id for each in sent if each.verdict.is_verified}
    probed = {
        each.claimed.endpoint_id: each.verdict.probe_accepted
        for each in sent
        if each.verdict.probe_accepted is not None
    }
    concerned = recovered | down | gone | verified | probed.keys()
    if not concerned:
        return []
    await store.lock_all(tx, sorted(concerned))
    await store.mark_verified(tx, sorted(verified), now)
    await store.mark_up(tx, sorted(recovered))
    await store.mark_down(tx, sorted(down), now)
    if probed:
        await store.mark_probed(tx, list(probed), list(probed.values()))
    paused = [(each, "gone") for each in await store.pause_gone(tx, sorted(gone))]
    failing = await store.pause_failing(tx, sorted(down), failing_before=now - PAUSED_AFTER)
    return paused + [(each, "failing") for each in failing]
