"""The programmes that list a partner, as they are live: for its own software."""

from datetime import date
from typing import Literal

import msgspec
from litestar import get
from litestar.datastructures import CacheControlHeader
from litestar.di import NamedDependency

from backend.access.guard import requires
from backend.access.rules import ClientPrincipal, Scope
from backend.kit.http import problems
from backend.kit.postgres import Database
from backend.programme import service
from backend.programme.api.terms import BaselineView, BenefitView, baseline_view, benefit_view
from backend.programme.service import PublishedProgramme


class OrderTermsView(msgspec.Struct, frozen=True):
    """How you open orders: who confirms each, and what one may be for at most."""

    confirm: Literal["citizen", "consent"]
    amount_max_fen: int


class PartnerProgrammeView(msgspec.Struct, frozen=True):
    """A programme that lists you; `order` is null where no orders are opened.

    `purposes` are what you may ask consents for. Whoever enrolled before keeps the terms of their
    version: a check's answer says which benefit it is. While it is paused or ended no check says
    yes, and orders that run go on.
    """

    programme: str
    kind: str
    version: int
    state: Literal["live", "paused", "ended"]
    name_zh: str
    name_en: str
    purposes: list[str]
    starts_on: date
    ends_on: date | None
    answer_valid_seconds: int
    baseline: BaselineView
    benefit: BenefitView
    order: OrderTermsView | None
    waiting_working_days: int


class PartnerProgrammeListView(msgspec.Struct, frozen=True):
    """All programmes that list you, by code."""

    items: list[PartnerProgrammeView]


@get(
    "/v1/programmes",
    operation_id="partner_programme_list",
    tags=["partner"],
    guards=[requires(Scope.PROGRAMMES_READ)],
    cache_control=CacheControlHeader(no_store=True),
    responses=problems("scope_insufficient", "token_invalid"),
)
async def list_partner_programmes(
    client: NamedDependency[ClientPrincipal], db: NamedDependency[Database]
) -> PartnerProgrammeListView:
    """List the programmes you may verify, with what each grants and whether it takes orders."""
    async with db.read() as tx:
        found = await service.list_for_partner(tx, partner_id=client.partner_id)
    return PartnerProgrammeListView([_view(each) for each in found])


def _view(published: PublishedProgramme) -> PartnerProgrammeView:
    document = published.programme.document
    order = document.order
    return PartnerProgrammeView(
        programme=document.code,
        kind=document.kind,
        version=document.version,
        state="ended" if published.is_ended else "paused" if published.is_paused else "live",
        name_zh=document.name_zh,
        name_en=document.name_en,
        purposes=document.purposes,
        starts_on=document.starts_on,
        ends_on=document.ends_on,
        answer_valid_seconds=document.answer_valid_seconds,
        baseline=baseline_view(document.baseline),
        benefit=benefit_view(document.benefit),
        order=None if order is None else OrderTermsView(order.confirm, order.amount_max_fen),
        waiting_working_days=document.waiting_working_days,
    )


ROUTES = [list_partner_programmes]
