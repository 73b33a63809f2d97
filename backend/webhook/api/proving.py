"""What a partner has done with an endpoint: prove it, probe it, let it rest and go on."""

from uuid import UUID

import msgspec
from litestar import post
from litestar.datastructures import CacheControlHeader
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.status_codes import HTTP_200_OK, HTTP_202_ACCEPTED

from backend.access.guard import requires
from backend.access.rules import ClientPrincipal, Scope
from backend.kit.clock import Clock
from backend.kit.crypto import Vault
from backend.kit.http import IdempotencyKey, problems
from backend.kit.postgres import Database
from backend.webhook import service
from backend.webhook.api.endpoint_view import (
    WebhookEndpointView,
    WebhookSendingAccepted,
    endpoint_view,
)
from backend.webhook.api.turn import Turn, request_of

_NO_STORE = CacheControlHeader(no_store=True)
_WRITE = requires(Scope.WEBHOOKS_WRITE)
_ONE = (
    *("idempotency_key_in_flight", "idempotency_key_missing", "idempotency_key_reused"),
    *("not_found", "parameter_invalid", "scope_insufficient", "token_invalid"),
)


class _Done(msgspec.Struct, frozen=True):
    pass


@post(
    "/v1/webhook-endpoints/{endpoint_id:uuid}/verify",
    operation_id="webhook_endpoint_verify",
    tags=["partner"],
    guards=[_WRITE],
    status_code=HTTP_202_ACCEPTED,
    cache_control=_NO_STORE,
    responses=problems(*_ONE),
)
async def verify_endpoint(
    endpoint_id: FromPath[UUID],
    client: NamedDependency[ClientPrincipal],
    db: NamedDependency[Database],
    clock: NamedDependency[Clock],
    origin: NamedDependency[str],
    idempotency_key: IdempotencyKey = None,
) -> WebhookSendingAccepted:
    """Have a signed `endpoint.challenge` sent, to be answered with `{"challenge": …}`.

    The endpoint is active once the delivery is delivered.
    """
    turn = Turn(client.partner_id, idempotency_key, clock.now())
    async with db.write() as tx:

        async def run() -> WebhookSendingAccepted:
            return WebhookSendingAccepted(
                await service.verify(
                    tx,
                    partner_id=client.partner_id,
                    endpoint_id=endpoint_id,
                    origin=origin,
                    now=turn.now,
                )
            )

        request = request_of("webhook_endpoint_verify", endpoint_id)
        return await turn.once(tx, request, WebhookSendingAccepted, run)


@post(
    "/v1/webhook-endpoints/{endpoint_id:uuid}/probe",
    operation_id="webhook_endpoint_probe",
    tags=["partner"],
    guards=[_WRITE],
    status_code=HTTP_202_ACCEPTED,
    cache_control=_NO_STORE,
    responses=problems("webhook_endpoint_unverified", *_ONE),
)
async def probe_endpoint(
    endpoint_id: FromPath[UUID],
    client: NamedDependency[ClientPrincipal],
    db: NamedDependency[Database],
    clock: NamedDependency[Clock],
    origin: NamedDependency[str],
    idempotency_key: IdempotencyKey = None,
) -> WebhookSendingAccepted:
    """Have a wrongly signed message sent, which the receiver must refuse with 400 to 499.

    The same happens by itself every week.
    """
    turn = Turn(client.partner_id, idempotency_key, clock.now())
    async with db.write() as tx:

        async def run() -> WebhookSendingAccepted:
            return WebhookSendingAccepted(
                await service.probe(
                    tx,
                    partner_id=client.partner_id,
                    endpoint_id=endpoint_id,
                    origin=origin,
                    now=turn.now,
                )
            )

        request = request_of("webhook_endpoint_probe", endpoint_id)
        return await turn.once(tx, request, WebhookSendingAccepted, run)


@post(
    "/v1/webhook-endpoints/{endpoint_id:uuid}/pause",
    operation_id="webhook_endpoint_pause",
    tags=["partner"],
    guards=[_WRITE],
    status_code=HTTP_200_OK,
    cache_control=_NO_STORE,
    responses=problems("webhook_endpoint_unverified", *_ONE),
)
async def pause_endpoint(
    endpoint_id: FromPath[UUID],
    client: NamedDependency[ClientPrincipal],
    db: NamedDependency[Database],
    vault: NamedDependency[Vault],
    clock: NamedDependency[Clock],
    idempotency_key: IdempotencyKey = None,
) -> WebhookEndpointView:
    """Send nothing until it is resumed; what happens meanwhile is kept for a month."""
    turn = Turn(client.partner_id, idempotency_key, clock.now())
    async with db.write() as tx:

        async def run() -> _Done:
            await service.pause(
                tx, partner_id=client.partner_id, endpoint_id=endpoint_id, by="partner"
            )
            return _Done()

        await turn.once(tx, request_of("webhook_endpoint_pause", endpoint_id), _Done, run)
        found = await service.get_endpoint(
            tx, partner_id=client.partner_id, endpoint_id=endpoint_id
        )
    return endpoint_view(found, vault)


@post(
    "/v1/webhook-endpoints/{endpoint_id:uuid}/resume",
    operation_id="webhook_endpoint_resume",
    tags=["partner"],
    guards=[_WRITE],
    status_code=HTTP_200_OK,
    cache_control=_NO_STORE,
    responses=problems("webhook_endpoint_unverified", "webhook_paused_by_operator", *_ONE),
)
async def resume_endpoint(
    endpoint_id: FromPath[UUID],
    client: NamedDependency[ClientPrincipal],
    db: NamedDependency[Database],
    vault: NamedDependency[Vault],
    clock: NamedDependency[Clock],
    idempotency_key: IdempotencyKey = None,
) -> WebhookEndpointView:
    """Send what was kept, oldest first, and go on."""
    turn = Turn(client.partner_id, idempotency_key, clock.now())
    async with db.write() as tx:

        async def run() -> _Done:
            await service.resume(
                tx,
                partner_id=client.partner_id,
                endpoint_id=endpoint_id,
                by="partner",
                now=turn.now,
            )
            return _Done()

        await turn.once(tx, request_of("webhook_endpoint_resume", endpoint_id), _Done, run)
        found = await service.get_endpoint(
            tx, partner_id=client.partner_id, endpoint_id=endpoint_id
        )
    return endpoint_view(found, vault)


ROUTES = [verify_endpoint, probe_endpoint, pause_endpoint, resume_endpoint]
