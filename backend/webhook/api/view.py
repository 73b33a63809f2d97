"""How a delivery is shown, to its partner and to operators."""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from backend.webhook.rules.delivery import Delivery, Kind, State, Try


class WebhookDeliveryView(msgspec.Struct, frozen=True):
    """One message to one endpoint.

    `message_id` is its `webhook-id`, the same in every try and replay; `next_try_at` is null once
    it has ended. A probe is `delivered` when it was refused, and `failed` when it was taken.
    """

    delivery_id: UUID
    endpoint_id: UUID
    message_id: UUID
    topic: str
    object_id: UUID
    revision: int
    kind: Kind
    state: State
    tries: int
    next_try_at: datetime | None
    created_at: datetime
    ended_at: datetime | None


class WebhookTryView(msgspec.Struct, frozen=True):
    """One try: the heads of request and answer without signatures; `fault` is null if taken."""

    number: int
    at: datetime
    duration_ms: int
    request_head: dict[str, Any]
    status: int | None
    response_head: dict[str, Any] | None
    fault: str | None


class WebhookDeliveryLogView(msgspec.Struct, frozen=True):
    """A delivery and its tries, first one first."""

    delivery: WebhookDeliveryView
    log: list[WebhookTryView]


class WebhookDeliveryPageView(msgspec.Struct, frozen=True):
    """One page of deliveries, newest first; `next_cursor` is null on the last."""

    items: list[WebhookDeliveryView]
    next_cursor: str | None


class WebhookReplayAccepted(msgspec.Struct, frozen=True):
    """The new delivery of the same message."""

    delivery_id: UUID


def delivery_view(delivery: Delivery) -> WebhookDeliveryView:
    """Return what is shown of a delivery."""
    return WebhookDeliveryView(
        delivery_id=delivery.delivery_id,
        endpoint_id=delivery.endpoint_id,
        message_id=delivery.message_id,
        topic=delivery.topic,
        object_id=delivery.object_id,
        revision=delivery.sequence,
        kind=delivery.kind,
        state=delivery.state,
        tries=delivery.tries,
        next_try_at=delivery.due_at if delivery.state == "pending" else None,
        created_at=delivery.created_at,
        ended_at=delivery.ended_at,
    )


def try_view(one: Try) -> WebhookTryView:
    """Return what is shown of a try."""
    return WebhookTryView(
        number=one.number,
        at=one.at,
        duration_ms=one.duration_ms,
        request_head=one.request_head,
        status=one.status,
        response_head=one.response_head,
        fault=one.fault,
    )
