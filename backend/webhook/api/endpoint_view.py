"""How endpoints are asked for and shown."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec

from backend.kit.crypto import Vault
from backend.webhook import service
from backend.webhook.rules.address import URL_LENGTH_MAX
from backend.webhook.rules.endpoint import (
    OVERLAP_HOURS,
    OVERLAP_HOURS_MAX,
    Endpoint,
    PauseReason,
    Scheme,
    State,
)
from backend.webhook.rules.payload import FOLLOWED_TOPICS


class WebhookEndpointCreate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where to send what; `hmac` signs with a shared secret, `ed25519` with a key of ours."""

    url: Annotated[
        str,
        msgspec.Meta(
            min_length=1, max_length=URL_LENGTH_MAX, examples=["https://bikes.example.cn/hooks"]
        ),
    ]
    topics: Annotated[
        list[Annotated[str, msgspec.Meta(max_length=64)]],
        msgspec.Meta(
            min_length=1,
            max_length=len(FOLLOWED_TOPICS),
            examples=[["order.activated", "order.completed"]],
        ),
    ]
    scheme: Scheme = "hmac"


class WebhookSecretCreate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How long the secrets there are go on signing beside the new one."""

    overlap_hours: Annotated[int, msgspec.Meta(ge=0, le=OVERLAP_HOURS_MAX)] = OVERLAP_HOURS


class WebhookSecretView(msgspec.Struct, frozen=True):
    """A secret that signs, without what it is; `ends_at` is null for the newest."""

    secret_id: UUID
    created_at: datetime
    ends_at: datetime | None


class WebhookEndpointView(msgspec.Struct, frozen=True):
    """An endpoint.

    `failing_since` is when it began to take nothing, `probe_accepted` whether it took the last
    message that was wrongly signed: then it verifies nothing.
    """

    endpoint_id: UUID
    url: str
    topics: list[str]
    scheme: Scheme
    state: State
    pause_reason: PauseReason | None
    failing_since: datetime | None
    probed_at: datetime | None
    probe_accepted: bool | None
    secrets: list[WebhookSecretView]
    created_at: datetime
    verified_at: datetime | None


class WebhookEndpointListView(msgspec.Struct, frozen=True):
    """A partner's endpoints, oldest first; there are ten at most."""

    items: list[WebhookEndpointView]


class WebhookSecretCreated(msgspec.Struct, frozen=True):
    """What the receiver verifies with: `whsec_…` is a secret, `whpk_…` a public key.

    Shown here and nowhere else; null when the request is repeated after that secret has ended.
    """

    endpoint_id: UUID
    secret_id: UUID
    verify_with: str | None


class WebhookSendingAccepted(msgspec.Struct, frozen=True):
    """Something will be sent; see the delivery for what comes of it."""

    delivery_id: UUID


def endpoint_view(endpoint: Endpoint, vault: Vault) -> WebhookEndpointView:
    """Return what is shown of an endpoint."""
    return WebhookEndpointView(
        endpoint_id=endpoint.endpoint_id,
        url=endpoint.url,
        topics=endpoint.topics,
        scheme=endpoint.scheme,
        state=endpoint.state,
        pause_reason=endpoint.pause_reason,
        failing_since=endpoint.failing_since,
        probed_at=endpoint.probed_at,
        probe_accepted=endpoint.probe_accepted,
        secrets=[
            WebhookSecretView(each.secret_id, each.created_at, each.ends_at)
            for each in service.list_secrets(endpoint, vault=vault)
        ],
        created_at=endpoint.created_at,
        verified_at=endpoint.verified_at,
    )
