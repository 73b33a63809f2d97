"""Deliveries in SQL: written once, claimed by one worker at a time, concluded in batches."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from backend.kit.postgres import ReadTx, Tx
from backend.webhook.rules.delivery import Claimed, Delivery, Try


class NewDelivery(msgspec.Struct, frozen=True):
    """A delivery to be written."""

    delivery_id: UUID
    endpoint_id: UUID
    partner_id: UUID
    message_id: UUID
    topic: str
    object_id: UUID
    sequence: int
    body: bytes
    kind: str


class Concluded(msgspec.Struct, frozen=True):
    """What became of one try, to be written."""

    delivery_id: UUID
    number: int
    state: str
    due_at: datetime
    ended_at: datetime | None
    at: datetime
    duration_ms: int
    request_head: dict[str, Any]
    status: int | None
    response_head: dict[str, Any] | None
    fault: str | None


class Replayed(msgspec.Struct, frozen=True):
    """What a replay takes over from the delivery it repeats."""

    endpoint_id: UUID
    partner_id: UUID
    message_id: UUID
    topic: str
    object_id: UUID
    sequence: int
    body: bytes
    kind: str
    state: str


async def insert_deliveries(tx: Tx, new: Sequence[NewDelivery], now: datetime) -> int:
    """Write deliveries that are due at once; return how many are new.

    A message that an endpoint has already is left as it is: fanned out twice, it is there once.
    """
    return await tx.execute(
        """INSERT INTO webhook_delivery (delivery_id, endpoint_id, partner_id, message_id, topic,
               object_id, sequence, body, kind, state, due_at, created_at)
           SELECT delivery_id, endpoint_id, partner_id, message_id, topic, object_id, sequence,
               body, kind, 'pending', $10, $10
           FROM unnest($1::uuid [], $2::uuid [], $3::uuid [], $4::uuid [], $5::text [],
               $6::uuid [], $7::bigint [], $8::bytea [], $9::text [])
               AS new (delivery_id, endpoint_id, partner_id, message_id, topic, object_id,
               sequence, body, kind)
           ON CONFLICT (endpoint_id, message_id) WHERE kind = 'event' DO NOTHING""",
        [each.delivery_id for each in new],
        [each.endpoint_id for each in new],
        [each.partner_id for each in new],
        [each.message_id for each in new],
        [each.topic for each in new],
        [each.object_id for each in new],
        [each.sequence for each in new],
        [each.body for each in new],
        [each.kind for each in new],
        now,
    )


async def claim(
    tx: Tx, *, busy: dict[UUID, int], now: datetime, leased_until: datetime, limits: tuple[int, int]
) -> list[Claimed]:
    """Take what is due and push it forward, so that nobody else takes it while it is sent.

    Of each object's events only the first that is still open is due. `limits` are how many in all
    and how many of one endpoint; `busy` says how many of an endpoint are on their way already. Of
    one that fails only two at a time are tried.
    """
    return await tx.fetch_all(
        Claimed,
        """WITH taken AS MATERIALIZED (
               SELECT due.delivery_id
               FROM webhook_endpoint AS endpoint
               LEFT JOIN unnest($1::uuid [], $2::bigint []) AS busy (endpoint_id, sending)
                   ON busy.endpoint_id = endpoint.endpoint_id
               CROSS JOIN LATERAL (
                   SELECT delivery.delivery_id, delivery.due_at
                   FROM webhook_delivery AS delivery
                   WHERE delivery.endpoint_id = endpoint.endpoint_id
                       AND delivery.state = 'pending' AND delivery.due_at <= $3
                       AND (endpoint.state = 'active' OR delivery.kind = 'ownership')
                       AND (delivery.kind <> 'event' OR NOT EXISTS (
                           SELECT FROM webhook_delivery AS earlier
                           WHERE earlier.endpoint_id = delivery.endpoint_id
                               AND earlier.object_id = delivery.object_id
                               AND earlier.state = 'pending' AND earlier.kind = 'event'
                               AND (earlier.sequence, earlier.delivery_id)
                                   < (delivery.sequence, delivery.delivery_id)))
                   ORDER BY delivery.due_at
                   LIMIT greatest(0,
                       CASE WHEN endpoint.failing_since IS NULL THEN $4::bigint ELSE 2 END
                       - coalesce(busy.sending, 0))
                   FOR UPDATE OF delivery SKIP LOCKED
               ) AS due
               WHERE endpoint.state <> 'paused'
               ORDER BY due.due_at
               LIMIT $5)
           UPDATE webhook_delivery SET due_at = $6, tries = webhook_delivery.tries + 1
           FROM taken, webhook_endpoint AS endpoint
           WHERE webhook_delivery.delivery_id = taken.delivery_id
               AND endpoint.endpoint_id = webhook_delivery.endpoint_id
           RETURNING webhook_delivery.delivery_id, webhook_delivery.endpoint_id,
               webhook_delivery.partner_id, webhook_delivery.message_id, webhook_delivery.body,
               webhook_delivery.kind, webhook_delivery.tries, endpoint.url, endpoint.scheme,
               endpoint.secrets_sealed, endpoint.failing_since IS NOT NULL AS is_failing""",
        list(busy),
        list(busy.values()),
        now,
        limits[1],
        limits[0],
        leased_until,
    )


async def conclude(tx: Tx, concluded: Sequence[Concluded]) -> int:
    """Write what became of tries; return how many counted.

    A try that others have overtaken, or whose delivery is gone, counts for nothing.
    """
    return await tx.execute(
        """WITH result AS (
               SELECT delivery_id, number, state, due_at, ended_at, at, duration_ms,
                   request_head, status, response_head, fault
               FROM unnest($1::uuid [], $2::bigint [], $3::text [], $4::timestamptz [],
                   $5::timestamptz [], $6::timestamptz [], $7::bigint [], $8::jsonb [],
                   $9::bigint [], $10::jsonb [], $11::text [])
                   AS result (delivery_id, number, state, due_at, ended_at, at, duration_ms,
                   request_head, status, response_head, fault)),
           counted AS (
               UPDATE webhook_delivery
               SET state = result.state, due_at = result.due_at, ended_at = result.ended_at
               FROM result
               WHERE webhook_delivery.delivery_id = result.delivery_id
                   AND webhook_delivery.state = 'pending'
                   AND webhook_delivery.tries = result.number
               RETURNING webhook_delivery.delivery_id)
           INSERT INTO webhook_try
               (delivery_id, number, at, duration_ms, request_head, status, response_head, fault)
           SELECT delivery_id, number, at, duration_ms, request_head, status, response_head, fault
           FROM result INNER JOIN counted USING (delivery_id)""",
        [each.delivery_id for each in concluded],
        [each.number for each in concluded],
        [each.state for each in concluded],
        [each.due_at for each in concluded],
        [each.ended_at for each in concluded],
        [each.at for each in concluded],
        [each.duration_ms for each in concluded],
        [each.request_head for each in concluded],
        [each.status for each in concluded],
        [each.response_head for each in concluded],
        [each.fault for each in concluded],
    )


async def make_due(tx: Tx, endpoint_id: UUID, now: datetime) -> None:
    """Let everything that waits for an endpoint be tried at once."""
    await tx.execute(
        """UPDATE webhook_delivery SET due_at = $2
           WHERE endpoint_id = $1 AND state = 'pending' AND due_at > $2""",
        endpoint_id,
        now,
    )


async def find_delivery(tx: ReadTx, delivery_id: UUID) -> Delivery | None:
    """Return a delivery."""
    return await tx.fetch_optional(
        Delivery,
        """SELECT delivery_id, endpoint_id, partner_id, message_id, topic, object_id, sequence,
               kind, state, tries, due_at, created_at, ended_at
           FROM webhook_delivery WHERE delivery_id = $1""",
        delivery_id,
    )


async def find_open(tx: Tx, endpoint_id: UUID, kind: str) -> UUID | None:
    """Return the delivery of a kind that waits for an endpoint; of an endpoint that is held."""
    return await tx.fetch_optional_value(
        UUID,
        """SELECT delivery_id FROM webhook_delivery
           WHERE endpoint_id = $1 AND kind = $2 AND state = 'pending'
           ORDER BY delivery_id LIMIT 1""",
        endpoint_id,
        kind,
    )


async def find_replayed(tx: Tx, delivery_id: UUID) -> Replayed | None:
    """Return what a replay repeats, and hold it: its endpoint can't go meanwhile."""
    return await tx.fetch_optional(
        Replayed,
        """SELECT endpoint_id, partner_id, message_id, topic, object_id, sequence, body, kind,
               state
           FROM webhook_delivery WHERE delivery_id = $1 FOR KEY SHARE""",
        delivery_id,
    )


async def list_tries(tx: ReadTx, delivery_id: UUID) -> list[Try]:
    """Return the tries of a delivery, first one first; there are few."""
    return await tx.fetch_all(
        Try,
        """SELECT number, at, duration_ms, request_head, status, response_head, fault
           FROM webhook_try WHERE delivery_id = $1 ORDER BY number LIMIT 100""",
        delivery_id,
    )


async def list_deliveries(
    tx: ReadTx,
    *,
    partner_id: UUID,
    endpoint_id: UUID | None,
    state: str | None,
    before: UUID | None,
    limit: int,
) -> list[Delivery]:
    """Return deliveries of a partner, newest first, from one endpoint or in one state."""
    return await tx.fetch_all(
        Delivery,
        """SELECT delivery_id, endpoint_id, partner_id, message_id, topic, object_id, sequence,
               kind, state, tries, due_at, created_at, ended_at
           FROM webhook_delivery
           WHERE partner_id = $1
               AND ($2::uuid IS NULL OR endpoint_id = $2)
               AND ($3::text IS NULL OR state = $3)
               AND ($4::uuid IS NULL OR delivery_id < $4)
           ORDER BY delivery_id DESC LIMIT $5""",
        partner_id,
        endpoint_id,
        state,
        before,
        limit,
    )


async def abandon(tx: Tx, *, created_before: datetime, now: datetime) -> int:
    """Give up what has waited too long for an endpoint that rests; at most 10,000 at a time."""
    return await tx.execute(
        """UPDATE webhook_delivery SET state = 'abandoned', ended_at = $1
           WHERE delivery_id IN (
               SELECT delivery_id FROM webhook_delivery
               WHERE state = 'pending' AND created_at < $2 LIMIT 10000)""",
        now,
        created_before,
    )


async def delete_ended(tx: Tx, *, ended_before: datetime) -> int:
    """Delete what ended long ago, with its tries; at most 10,000 at a time."""
    return await tx.execute(
        """DELETE FROM webhook_delivery WHERE delivery_id IN
           (SELECT delivery_id FROM webhook_delivery WHERE ended_at < $1 LIMIT 10000)""",
        ended_before,
    )
