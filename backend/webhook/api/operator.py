"""What was sent to partners, for operators over HTTP."""

from typing import Annotated
from uuid import UUID

from litestar import get, post
from litestar.datastructures import CacheControlHeader
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter
from litestar.status_codes import HTTP_202_ACCEPTED

from backend.access.guard import requires
from backend.access.rules import OperatorPrincipal, Scope
from backend.kit.clock import Clock
from backend.kit.http import Cursor, IdempotencyKey, PageSize, problems
from backend.kit.idempotency import once
from backend.kit.page import PAGE_SIZE_DEFAULT
from backend.kit.postgres import Database
from backend.ledger.rules import Actor
from backend.webhook import service
from backend.webhook.api.view import (
    WebhookDeliveryPageView,
    WebhookReplayAccepted,
    delivery_view,
)
from backend.webhook.rules.delivery import State

_NO_STORE = CacheControlHeader(no_store=True)
_ALWAYS = ("parameter_invalid", "scope_insufficient", "token_invalid")


@get(
    "/v1/operator/webhook-deliveries",
    operation_id="operator_webhook_delivery_list",
    tags=["operator"],
    guards=[requires(Scope.SECURITY_OPERATE)],
    cache_control=_NO_STORE,
    responses=problems("cursor_invalid", "partner_unknown", *_ALWAYS),
)
async def list_partner_deliveries(
    operator: NamedDependency[OperatorPrincipal],
    db: NamedDependency[Database],
    partner_code: Annotated[str, QueryParameter(name="partner", max_length=64)],
    delivery_state: Annotated[State | None, QueryParameter(name="state")] = None,
    cursor: Cursor = None,
    page_size: PageSize = PAGE_SIZE_DEFAULT,
) -> WebhookDeliveryPageView:
    """List what was or will be sent to a partner, newest first. It holds nothing about citizens."""
    assert operator.operator_id
    async with db.read() as tx:
        partner_id = await service.partner_id_of(tx, code=partner_code)
        page = await service.list_deliveries(
            tx, partner_id=partner_id, state=delivery_state, cursor=cursor, page_size=page_size
        )
    return WebhookDeliveryPageView([delivery_view(each) for each in page.items], page.next_cursor)


@post(
    "/v1/operator/webhook-deliveries/{delivery_id:uuid}/replay",
    operation_id="operator_webhook_delivery_replay",
    tags=["operator"],
    guards=[requires(Scope.SECURITY_OPERATE)],
    status_code=HTTP_202_ACCEPTED,
    cache_control=_NO_STORE,
    responses=problems(
        "idempotency_key_in_flight",
        "idempotency_key_missing",
        "idempotency_key_reused",
        "not_found",
        "reason_missing",
        "webhook_delivery_open",
        *_ALWAYS,
    ),
)
async def replay_partner_delivery(
    delivery_id: FromPath[UUID],
    operator: NamedDependency[OperatorPrincipal],
    reason: NamedDependency[str],
    db: NamedDependency[Database],
    clock: NamedDependency[Clock],
    idempotency_key: IdempotencyKey = None,
) -> WebhookReplayAccepted:
    """Send a partner a message once more, under the same `webhook-id`."""
    now = clock.now()
    async with db.write() as tx:

        async def run() -> WebhookReplayAccepted:
            return WebhookReplayAccepted(
                await service.replay_as_operator(
                    tx,
                    delivery_id=delivery_id,
                    by=Actor.of(operator),
                    reason=reason,
                    now=now,
                )
            )

        return await once(
            tx,
            owner_id=operator.operator_id,
            key=idempotency_key,
            request=f"operator_webhook_delivery_replay {delivery_id} {reason}".encode(),
            kind=WebhookReplayAccepted,
            now=now,
            run=run,
        )


ROUTES = [list_partner_deliveries, replay_partner_delivery]
