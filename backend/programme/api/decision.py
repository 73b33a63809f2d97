"""What a partner was told, shown to it again by the id that it keeps as its proof."""

from datetime import datetime
from typing import Literal
from uuid import UUID

import msgspec
from litestar import get
from litestar.datastructures import CacheControlHeader
from litestar.di import NamedDependency
from litestar.params import FromPath

from backend.access.guard import requires
from backend.access.rules import ClientPrincipal, Scope
from backend.kit.clock import Clock
from backend.kit.http import problems
from backend.kit.postgres import Database
from backend.programme import service
from backend.programme.api.terms import BenefitView, benefit_view


class DecisionView(msgspec.Struct, frozen=True):
    """A yes that you were told, and until when it may be relied on; `is_valid` says whether now.

    Of whom it was is not said, nor why.
    """

    decision_id: UUID
    eligible: Literal[True]
    programme: str
    benefit: BenefitView
    decided_at: datetime
    valid_until: datetime
    is_valid: bool


@get(
    "/v1/decisions/{decision_id:uuid}",
    operation_id="decision_get",
    tags=["partner"],
    guards=[requires(Scope.DECISIONS_READ)],
    cache_control=CacheControlHeader(no_store=True),
    responses=problems("not_found", "parameter_invalid", "scope_insufficient", "token_invalid"),
)
async def get_decision(
    decision_id: FromPath[UUID],
    client: NamedDependency[ClientPrincipal],
    db: NamedDependency[Database],
    clock: NamedDependency[Clock],
) -> DecisionView:
    """Look up what you were told. An id that you were not told is not found, whosever it is."""
    async with db.read() as tx:
        told = await service.get_told(tx, partner_id=client.partner_id, decision_id=decision_id)
    return DecisionView(
        decision_id=told.decision_id,
        eligible=True,
        programme=told.programme_code,
        benefit=benefit_view(told.benefit),
        decided_at=told.decided_at,
        valid_until=told.valid_until,
        is_valid=clock.now() < told.valid_until,
    )


ROUTES = [get_decision]
