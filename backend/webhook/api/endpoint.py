"""A partner's endpoints over HTTP."""

from uuid import UUID

import msgspec
from litestar import delete, get, post
from litestar.datastructures import CacheControlHeader
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from backend.access.guard import requires
from backend.access.rules import ClientPrincipal, Scope
from backend.kit.clock import Clock
from backend.kit.crypto import Vault
from backend.kit.http import IdempotencyKey, problems
from backend.kit.postgres import Database, Tx
from backend.webhook import service
from backend.webhook.api.endpoint_view import (
    WebhookEndpointCreate,
    WebhookEndpointListView,
    WebhookEndpointView,
    WebhookSecretCreate,
    WebhookSecretCreated,
    endpoint_view,
)
from backend.webhook.api.turn import Turn, request_of
from backend.webhook.rules.address import TargetPolicy

_NO_STORE = CacheControlHeader(no_store=True)
_WRITE = requires(Scope.WEBHOOKS_WRITE)
_ALWAYS = ("scope_insufficient", "token_invalid")
_ONCE = ("idempotency_key_in_flight", "idempotency_key_missing", "idempotency_key_reused")
_ONE = (*_ALWAYS, *_ONCE, "not_found", "parameter_invalid")


@post(
    "/v1/webhook-endpoints",
    operation_id="webhook_endpoint_create",
    tags=["partner"],
    guards=[_WRITE],
    cache_control=_NO_STORE,
    responses=problems(
        "body_invalid",
        "webhook_endpoints_too_many",
        "webhook_topics_invalid",
        "webhook_url_refused",
        *_ALWAYS,
        *_ONCE,
    ),
)
async def create_endpoint(
    data: JSONBody[WebhookEndpointCreate],
    client: NamedDependency[ClientPrincipal],
    db: NamedDependency[Database],
    vault: NamedDependency[Vault],
    clock: NamedDependency[Clock],
    webhook_targets: NamedDependency[TargetPolicy],
    idempotency_key: IdempotencyKey = None,
) -> WebhookSecretCreated:
    """Add an endpoint. Nothing is sent there until it has answered a challenge: see verify."""
    turn = Turn(client.partner_id, idempotency_key, clock.now())
    async with db.write() as tx:

        async def run() -> service.Added:
            return await service.add_endpoint(
                tx,
                partner_id=client.partner_id,
                url=data.url,
                topics=data.topics,
                scheme=data.scheme,
                policy=webhook_targets,
                vault=vault,
                now=turn.now,
            )

        request = b"webhook_endpoint_create " + msgspec.json.encode(data)
        added = await turn.once(tx, request, service.Added, run)
        return await _created(tx, client.partner_id, added, vault)


@get(
    "/v1/webhook-endpoints",
    operation_id="webhook_endpoint_list",
    tags=["partner"],
    guards=[_WRITE],
    cache_control=_NO_STORE,
    responses=problems(*_ALWAYS),
)
async def list_endpoints(
    client: NamedDependency[ClientPrincipal],
    db: NamedDependency[Database],
    vault: NamedDependency[Vault],
) -> WebhookEndpointListView:
    """List the partner's endpoints."""
    async with db.read() as tx:
        found = await service.list_endpoints(tx, partner_id=client.partner_id)
    return WebhookEndpointListView([endpoint_view(each, vault) for each in found])


@get(
    "/v1/webhook-endpoints/{endpoint_id:uuid}",
    operation_id="webhook_endpoint_get",
    tags=["partner"],
    guards=[_WRITE],
    cache_control=_NO_STORE,
    responses=problems("not_found", "parameter_invalid", *_ALWAYS),
)
async def get_endpoint(
    endpoint_id: FromPath[UUID],
    client: NamedDependency[ClientPrincipal],
    db: NamedDependency[Database],
    vault: NamedDependency[Vault],
) -> WebhookEndpointView:
    """Say how an endpoint is."""
    async with db.read() as tx:
        found = await service.get_endpoint(
            tx, partner_id=client.partner_id, endpoint_id=endpoint_id
        )
    return endpoint_view(found, vault)


@delete(
    "/v1/webhook-endpoints/{endpoint_id:uuid}",
    operation_id="webhook_endpoint_delete",
    tags=["partner"],
    guards=[_WRITE],
    responses=problems("not_found", "parameter_invalid", *_ALWAYS),
)
async def delete_endpoint(
    endpoint_id: FromPath[UUID],
    client: NamedDependency[ClientPrincipal],
    db: NamedDependency[Database],
) -> None:
    """Delete an endpoint, its secrets and the log of what was sent to it."""
    async with db.write() as tx:
        await service.remove(tx, partner_id=client.partner_id, endpoint_id=endpoint_id)


@post(
    "/v1/webhook-endpoints/{endpoint_id:uuid}/secrets",
    operation_id="webhook_secret_create",
    tags=["partner"],
    guards=[_WRITE],
    cache_control=_NO_STORE,
    responses=problems("body_invalid", "webhook_secrets_too_many", *_ONE),
)
async def create_secret(
    endpoint_id: FromPath[UUID],
    data: JSONBody[WebhookSecretCreate],
    client: NamedDependency[ClientPrincipal],
    db: NamedDependency[Database],
    vault: NamedDependency[Vault],
    clock: NamedDependency[Clock],
    idempotency_key: IdempotencyKey = None,
) -> WebhookSecretCreated:
    """Make a new secret. It signs at once, and the others with it until the overlap is over."""
    turn = Turn(client.partner_id, idempotency_key, clock.now())
    async with db.write() as tx:

        async def run() -> service.Added:
            return await service.rotate_secret(
                tx,
                partner_id=client.partner_id,
                endpoint_id=endpoint_id,
                overlap_hours=data.overlap_hours,
                vault=vault,
                now=turn.now,
            )

        request = request_of("webhook_secret_create", endpoint_id) + msgspec.json.encode(data)
        added = await turn.once(tx, request, service.Added, run)
        return await _created(tx, client.partner_id, added, vault)


async def _created(
    tx: Tx, partner_id: UUID, added: service.Added, vault: Vault
) -> WebhookSecretCreated:
    """Return a secret that was made, read from where it is sealed: it is kept nowhere else."""
    endpoint = await service.get_endpoint(tx, partner_id=partner_id, endpoint_id=added.endpoint_id)
    return WebhookSecretCreated(
        endpoint_id=added.endpoint_id,
        secret_id=added.secret_id,
        verify_with=service.shown_secret_of(endpoint, secret_id=added.secret_id, vault=vault),
    )


ROUTES = [
    create_endpoint,
    list_endpoints,
    get_endpoint,
    delete_endpoint,
    create_secret,
]
