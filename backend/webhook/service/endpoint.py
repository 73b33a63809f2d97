"""What a partner does with its endpoints; somebody else's endpoint is not found."""

import os
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

import msgspec

from backend.kit.crypto import Vault
from backend.kit.ids import new_id
from backend.kit.postgres import ReadTx, Tx
from backend.kit.problem import Refusal
from backend.webhook.rules.address import TargetPolicy
from backend.webhook.rules.endpoint import (
    ENDPOINTS_MAX,
    Endpoint,
    Scheme,
    Secret,
    check_endpoint,
    rotated,
)
from backend.webhook.rules.signature import KEY_BYTES, shown_secret
from backend.webhook.service.secret import sealed, unsealed
from backend.webhook.store import delivery as delivery_store
from backend.webhook.store import endpoint as store


class Added(msgspec.Struct, frozen=True):
    """A secret that was made, by its ids alone: an answer that is kept must not hold the secret."""

    endpoint_id: UUID
    secret_id: UUID


async def add_endpoint(
    tx: Tx,
    *,
    partner_id: UUID,
    url: str,
    topics: list[str],
    scheme: Scheme,
    policy: TargetPolicy,
    vault: Vault,
    now: datetime,
) -> Added:
    """Add an endpoint of a partner; nothing but a challenge is sent there until it is verified.

    Raises Refusal webhook_url_refused, webhook_topics_invalid or webhook_endpoints_too_many.
    """
    check_endpoint(url=url, topics=topics, policy=policy)
    await store.lock_partner(tx, partner_id)
    if await store.count_endpoints(tx, partner_id) >= ENDPOINTS_MAX:
        raise Refusal("webhook_endpoints_too_many", limit=ENDPOINTS_MAX)
    endpoint_id, secret = new_id(now), _new_secret(now)
    await store.insert_endpoint(
        tx,
        Endpoint(
            endpoint_id=endpoint_id,
            partner_id=partner_id,
            url=url,
            topics=topics,
            scheme=scheme,
            secrets_sealed=sealed(vault, endpoint_id, [secret]),
            state="unverified",
            pause_reason=None,
            failing_since=None,
            probed_at=None,
            probe_accepted=None,
            created_at=now,
            verified_at=None,
        ),
    )
    return Added(endpoint_id, secret.secret_id)


async def rotate_secret(
    tx: Tx,
    *,
    partner_id: UUID,
    endpoint_id: UUID,
    overlap_hours: int,
    vault: Vault,
    now: datetime,
) -> Added:
    """Make a new secret that signs at once; the others go on signing for the overlap.

    Raises Refusal not_found or webhook_secrets_too_many.
    """
    endpoint = await _lock(tx, partner_id=partner_id, endpoint_id=endpoint_id)
    secret = _new_secret(now)
    secrets = rotated(
        unsealed(vault, endpoint_id, endpoint.secrets_sealed),
        secret,
        overlap=timedelta(hours=overlap_hours),
        now=now,
    )
    await store.save_secrets(tx, endpoint_id, sealed(vault, endpoint_id, secrets))
    return Added(endpoint_id, secret.secret_id)


def list_secrets(endpoint: Endpoint, *, vault: Vault) -> list[Secret]:
    """Return the secrets of an endpoint, newest first; who shows them leaves their keys out."""
    return unsealed(vault, endpoint.endpoint_id, endpoint.secrets_sealed)


def shown_secret_of(endpoint: Endpoint, *, secret_id: UUID, vault: Vault) -> str | None:
    """Return what a receiver verifies with by one secret; None when it signs no more."""
    for each in unsealed(vault, endpoint.endpoint_id, endpoint.secrets_sealed):
        if each.secret_id == secret_id:
            return shown_secret(endpoint.scheme, each.key)
    return None


async def get_endpoint(tx: ReadTx, *, partner_id: UUID, endpoint_id: UUID) -> Endpoint:
    """Return an endpoint of a partner; raises Refusal not_found."""
    found = await store.find_endpoint(tx, endpoint_id)
    if found is None or found.partner_id != partner_id:
        raise Refusal("not_found")
    return found


async def list_endpoints(tx: ReadTx, *, partner_id: UUID) -> list[Endpoint]:
    """Return the endpoints of a partner, oldest first."""
    return await store.list_by_partner(tx, partner_id)


async def pause(
    tx: Tx, *, partner_id: UUID, endpoint_id: UUID, by: Literal["partner", "operator"]
) -> None:
    """Let an endpoint rest: what happens meanwhile is kept for it. Twice is once.

    Raises Refusal not_found or webhook_endpoint_unverified.
    """
    endpoint = await _lock(tx, partner_id=partner_id, endpoint_id=endpoint_id)
    if endpoint.state == "unverified":
        raise Refusal("webhook_endpoint_unverified")
    await store.pause(tx, endpoint_id, by)


async def resume(
    tx: Tx,
    *,
    partner_id: UUID,
    endpoint_id: UUID,
    by: Literal["partner", "operator"],
    now: datetime,
) -> None:
    """Send an endpoint what was kept for it, oldest first, and go on. Twice is once.

    Raises Refusal not_found, webhook_endpoint_unverified or webhook_paused_by_operator.
    """
    endpoint = await _lock(tx, partner_id=partner_id, endpoint_id=endpoint_id)
    if endpoint.state == "unverified":
        raise Refusal("webhook_endpoint_unverified")
    if endpoint.pause_reason == "operator" and by == "partner":
        raise Refusal("webhook_paused_by_operator")
    if await store.resume(tx, endpoint_id):
        await delivery_store.make_due(tx, endpoint_id, now)


async def remove(tx: Tx, *, partner_id: UUID, endpoint_id: UUID) -> None:
    """Delete an endpoint with its secrets and its deliveries; raises Refusal not_found."""
    await _lock(tx, partner_id=partner_id, endpoint_id=endpoint_id)
    await store.delete_endpoint(tx, endpoint_id)


async def _lock(tx: Tx, *, partner_id: UUID, endpoint_id: UUID) -> Endpoint:
    found = await store.lock_endpoint(tx, endpoint_id)
    if found is None or found.partner_id != partner_id:
        raise Refusal("not_found")
    return found


def _new_secret(now: datetime) -> Secret:
    return Secret(secret_id=new_id(now), key=os.urandom(KEY_BYTES), created_at=now, ends_at=None)
