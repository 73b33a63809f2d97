"""What was sent to a partner's endpoints, over HTTP."""

from typing import Annotated
from uuid import UUID

from litestar import get, post
from litestar.datastructures import CacheControlHeader
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter
from litestar.status_codes import HTTP_202_ACCEPTED

from backend.access.guard import requires
from backend.access.rules import ClientPrincipal, Scope
from backend.kit.clock import Clock
from backend.kit.http import Cursor, IdempotencyKey, PageSize, problems
from backend.kit.idempotency import once
from backend.kit.page import PAGE_SIZE_DEFAULT
from backend.kit.postgres import Database
from backend.webhook import service
from backend.webhook.api.view import (
    WebhookDeliveryLogView,
    WebhookDeliveryPageView,
    WebhookReplayAccepted,
    delivery_view,
    try_view,
)
from backend.webhook.rules.delivery import State

_NO_STORE = CacheControlHeader(no_store=True)
_ALWAYS = ("parameter_invalid", "scope_insufficient", "token_invalid")


@get(
    "/v1/webhook-deliveries",
    operation_id="webhook_delivery_list",
    tags=["partner"],
    guards=[requires(Scope.WEBHOOKS_WRITE)],
    cache_control=_NO_STORE,
    responses=problems("cursor_invalid", *_ALWAYS),
)
async def list_deliveries(
    client: NamedDependency[ClientPrincipal],
    db: NamedDependency[Database],
    endpoint_id: Annotated[UUID | None, QueryParameter(name="endpoint")] = None,
    delivery_state: Annotated[State | None, QueryParameter(name="state")] = None,
    cursor: Cursor = None,
    page_size: PageSize = PAGE_SIZE_DEFAULT,
) -> WebhookDeliveryPageView:
    """List what was or will be sent, newest first; of one endpoint, or in one state."""
    async with db.read() as tx:
        page = await service.list_deliveries(
            tx,
            partner_id=client.partner_id,
            endpoint_id=endpoint_id,
            state=delivery_state,
            cursor=cursor,
            page_size=page_size,
        )
    return WebhookDeliveryPageView([delivery_view(each) for each in page.items], page.next_cursor)


@get(
    "/v1/webhook-deliveries/{delivery_id:uuid}",
    operation_id="webhook_delivery_get",
    tags=["partner"],
    guards=[requires(Scope.WEBHOOKS_WRITE)],
    cache_control=_NO_STORE,
    responses=problems("not_found", *_ALWAYS),
)
async def get_delivery(
    delivery_id: FromPath[UUID],
    client: NamedDependency[ClientPrincipal],
    db: NamedDependency[Database],
) -> WebhookDeliveryLogView:
    """Show a delivery and each try, with the heads of request and answer."""
    async with db.read() as tx:
        delivery, tries = await service.get_delivery(
            tx, partner_id=client.partner_id, delivery_id=delivery_id
        )
    return WebhookDeliveryLogView(delivery_view(delivery), [try_view(each) for each in tries])


@post(
    "/v1/webhook-deliveries/{delivery_id:uuid}/replay",
    operation_id="webhook_delivery_replay",
    tags=["partner"],
    guards=[requires(Scope.WEBHOOKS_WRITE)],
    status_code=HTTP_202_ACCEPTED,
    cache_control=_NO_STORE,
    responses=problems(
        "idempotency_key_in_flight",
        "idempotency_key_missing",
        "idempotency_key_reused",
        "not_found",
        "webhook_delivery_open",
        *_ALWAYS,
    ),
)
async def replay_delivery(
    delivery_id: FromPath[UUID],
    client: NamedDependency[ClientPrincipal],
    db: NamedDependency[Database],
    clock: NamedDependency[Clock],
    idempotency_key: IdempotencyKey = None,
) -> WebhookReplayAccepted:
    """Send a message once more, to the same endpoint and under the same `webhook-id`."""
    now = clock.now()
    async with db.write() as tx:

        async def run() -> WebhookReplayAccepted:
            return WebhookReplayAccepted(
                await service.replay(
                    tx, partner_id=client.partner_id, delivery_id=delivery_id, now=now
                )
            )

        return await once(
            tx,
            owner_id=client.partner_id,
            key=idempotency_key,
            request=f"webhook_delivery_replay {delivery_id}".encode(),
            kind=WebhookReplayAccepted,
            now=now,
            run=run,
        )


ROUTES = [list_deliveries, get_delivery, replay_delivery]
