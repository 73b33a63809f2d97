"""Endpoints in SQL."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from backend.kit.postgres import ReadTx, Tx
from backend.webhook.rules.endpoint import Endpoint, PauseReason


class EndpointId(msgspec.Struct, frozen=True):
    """An endpoint by its id, and whose it is."""

    endpoint_id: UUID
    partner_id: UUID


async def lock_partner(tx: Tx, partner_id: UUID) -> None:
    """Let one transaction at a time add to a partner's endpoints."""
    await tx.execute(
        """SELECT pg_advisory_xact_lock(hashtextextended($1, 7250))""", str(partner_id)
    )


async def count_endpoints(tx: ReadTx, partner_id: UUID) -> int:
    """Return how many endpoints a partner has."""
    return await tx.fetch_value(
        int, """SELECT count(*) FROM webhook_endpoint WHERE partner_id = $1""", partner_id
    )


async def insert_endpoint(tx: Tx, endpoint: Endpoint) -> None:
    """Insert an endpoint that has still to show whose it is."""
    await tx.execute(
        """INSERT INTO webhook_endpoint
               (endpoint_id, partner_id, url, topics, scheme, secrets_sealed, state, created_at)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8)""",
        endpoint.endpoint_id,
        endpoint.partner_id,
        endpoint.url,
        endpoint.topics,
        endpoint.scheme,
        endpoint.secrets_sealed,
        endpoint.state,
        endpoint.created_at,
    )


async def find_endpoint(tx: ReadTx, endpoint_id: UUID) -> Endpoint | None:
    """Return an endpoint."""
    return await tx.fetch_optional(
        Endpoint,
        """SELECT endpoint_id, partner_id, url, topics, scheme, secrets_sealed, state,
               pause_reason, failing_since, probed_at, probe_accepted, created_at, verified_at
           FROM webhook_endpoint WHERE endpoint_id = $1""",
        endpoint_id,
    )


async def lock_endpoint(tx: Tx, endpoint_id: UUID) -> Endpoint | None:
    """Return an endpoint, and hold it until the transaction ends."""
    return await tx.fetch_optional(
        Endpoint,
        """SELECT endpoint_id, partner_id, url, topics, scheme, secrets_sealed, state,
               pause_reason, failing_since, probed_at, probe_accepted, created_at, verified_at
           FROM webhook_endpoint WHERE endpoint_id = $1 FOR NO KEY UPDATE""",
        endpoint_id,
    )


async def list_by_partner(tx: ReadTx, partner_id: UUID) -> list[Endpoint]:
    """Return the endpoints of a partner, oldest first; a partner has ten at most."""
    return await tx.fetch_all(
        Endpoint,
        """SELECT endpoint_id, partner_id, url, topics, scheme, secrets_sealed, state,
               pause_reason, failing_since, probed_at, probe_accepted, created_at, verified_at
           FROM webhook_endpoint WHERE partner_id = $1 ORDER BY endpoint_id LIMIT 100""",
        partner_id,
    )


async def list_followers(tx: Tx, *, partner_id: UUID, topic: str) -> list[EndpointId]:
    """Return the endpoints of a partner that follow a topic, those that rest included.

    They are held, so that none is removed before the message is written for it.
    """
    return await tx.fetch_all(
        EndpointId,
        """SELECT endpoint_id, partner_id FROM webhook_endpoint
           WHERE partner_id = $1 AND $2 = ANY(topics) AND state <> 'unverified'
           ORDER BY endpoint_id FOR KEY SHARE""",
        partner_id,
        topic,
    )


async def save_secrets(tx: Tx, endpoint_id: UUID, secrets_sealed: bytes) -> None:
    """Replace the secrets of an endpoint that is held."""
    await tx.execute(
        """UPDATE webhook_endpoint SET secrets_sealed = $2 WHERE endpoint_id = $1""",
        endpoint_id,
        secrets_sealed,
    )


async def pause(tx: Tx, endpoint_id: UUID, reason: PauseReason) -> bool:
    """Pause an endpoint; False unless it was active, or an operator takes the pause over."""
    touched = await tx.execute(
        """UPDATE webhook_endpoint SET state = 'paused', pause_reason = $2
           WHERE endpoint_id = $1
               AND (state = 'active' OR (state = 'paused' AND $2 = 'operator'))""",
        endpoint_id,
        reason,
    )
    return touched == 1


async def resume(tx: Tx, endpoint_id: UUID) -> bool:
    """Let an endpoint go on; False unless it was paused. What failed before is forgotten."""
    touched = await tx.execute(
        """UPDATE webhook_endpoint
           SET state = 'active', pause_reason = NULL, failing_since = NULL
           WHERE endpoint_id = $1 AND state = 'paused'""",
        endpoint_id,
    )
    return touched == 1


async def delete_endpoint(tx: Tx, endpoint_id: UUID) -> None:
    """Delete an endpoint with all its deliveries."""
    await tx.execute("""DELETE FROM webhook_endpoint WHERE endpoint_id = $1""", endpoint_id)


async def lock_all(tx: Tx, endpoint_ids: Sequence[UUID]) -> list[EndpointId]:
    """Hold endpoints, in one order, so that two workers never wait for each other."""
    return await tx.fetch_all(
        EndpointId,
        """SELECT endpoint_id, partner_id FROM webhook_endpoint
           WHERE endpoint_id = ANY($1) ORDER BY endpoint_id FOR NO KEY UPDATE""",
        list(endpoint_ids),
    )


async def mark_up(tx: Tx, endpoint_ids: Sequence[UUID]) -> None:
    """Note that endpoints take what they are sent."""
    await tx.execute(
        """UPDATE webhook_endpoint SET failing_since = NULL
           WHERE endpoint_id = ANY($1) AND failing_since IS NOT NULL""",
        list(endpoint_ids),
    )


async def mark_down(tx: Tx, endpoint_ids: Sequence[UUID], now: datetime) -> None:
    """Note since when endpoints take nothing."""
    await tx.execute(
        """UPDATE webhook_endpoint SET failing_since = $2
           WHERE endpoint_id = ANY($1) AND failing_since IS NULL""",
        list(endpoint_ids),
        now,
    )


async def pause_failing(
    tx: Tx, endpoint_ids: Sequence[UUID], *, failing_before: datetime
) -> list[EndpointId]:
    """Pause those endpoints that have taken nothing for too long; return which."""
    return await tx.fetch_all(
        EndpointId,
        """UPDATE webhook_endpoint SET state = 'paused', pause_reason = 'failing'
           WHERE endpoint_id = ANY($1) AND state = 'active' AND failing_since <= $2
           RETURNING endpoint_id, partner_id""",
        list(endpoint_ids),
        failing_before,
    )


async def pause_gone(tx: Tx, endpoint_ids: Sequence[UUID]) -> list[EndpointId]:
    """Pause endpoints that say of themselves that they are gone; return which."""
    return await tx.fetch_all(
        EndpointId,
        """UPDATE webhook_endpoint SET state = 'paused', pause_reason = 'gone'
           WHERE endpoint_id = ANY($1) AND state = 'active' RETURNING endpoint_id, partner_id""",
        list(endpoint_ids),
    )


async def mark_verified(tx: Tx, endpoint_ids: Sequence[UUID], now: datetime) -> None:
    """Let endpoints that have shown whose they are begin."""
    await tx.execute(
        """UPDATE webhook_endpoint SET state = 'active', verified_at = $2
           WHERE endpoint_id = ANY($1) AND state = 'unverified'""",
        list(endpoint_ids),
        now,
    )


async def mark_probed(tx: Tx, endpoint_ids: Sequence[UUID], accepted: Sequence[bool]) -> None:
    """Note what endpoints did with a wrong signature."""
    await tx.execute(
        """UPDATE webhook_endpoint SET probe_accepted = probed.accepted
           FROM unnest($1::uuid [], $2::boolean []) AS probed (endpoint_id, accepted)
           WHERE webhook_endpoint.endpoint_id = probed.endpoint_id""",
        list(endpoint_ids),
        list(accepted),
    )


async def start_probe(tx: Tx, endpoint_id: UUID, now: datetime) -> None:
    """Note when an endpoint was probed last."""
    await tx.execute(
        """UPDATE webhook_endpoint SET probed_at = $2 WHERE endpoint_id = $1""",
        endpoint_id,
        now,
    )


async def take_due_probes(
    tx: Tx, *, probed_before: datetime, now: datetime, limit: int
) -> list[EndpointId]:
    """Return active endpoints not probed for long, and note that they are probed now."""
    return await tx.fetch_all(
        EndpointId,
        """UPDATE webhook_endpoint SET probed_at = $1
           WHERE endpoint_id IN (
               SELECT endpoint_id FROM webhook_endpoint
               WHERE state = 'active' AND coalesce(probed_at, verified_at) <= $2
               ORDER BY endpoint_id LIMIT $3 FOR NO KEY UPDATE SKIP LOCKED)
           RETURNING endpoint_id, partner_id""",
        now,
        probed_before,
        limit,
    )
