"""The citizen's consents over HTTP: see each of them, withdraw any of them.

A consent is given on the consent page only, where the partner's request can be read.
"""

from datetime import datetime
from typing import Literal
from uuid import UUID

import msgspec
from litestar import delete, get
from litestar.datastructures import CacheControlHeader
from litestar.di import NamedDependency
from litestar.params import FromPath

from backend.access.guard import requires
from backend.access.rules import CitizenPrincipal, Scope
from backend.consent import rules, service
from backend.kit.clock import Clock
from backend.kit.http import Cursor, PageSize, problems
from backend.kit.page import PAGE_SIZE_DEFAULT
from backend.kit.postgres import Database

_NO_STORE = CacheControlHeader(no_store=True)


class RecipientView(msgspec.Struct, frozen=True):
    """Who may look: the partner, and the software it asked with."""

    partner: str
    name_zh: str
    name_en: str
    client_name_zh: str
    client_name_en: str


class PurposeView(msgspec.Struct, frozen=True):
    """What for."""

    code: str
    name_zh: str
    name_en: str
    text_zh: str
    text_en: str


class DataKindView(msgspec.Struct, frozen=True):
    """One kind of data that may be disclosed."""

    code: str
    name_zh: str
    name_en: str


class OrderConsentView(msgspec.Struct, frozen=True):
    """That service orders may be opened, and by what each becomes active: `citizen` or `consent`.

    `amount_max_fen` bounds what credit stands for in one; null, the programme's bound is the only
    one.
    """

    confirm: Literal["citizen", "consent"]
    amount_max_fen: int | None


class ConsentView(msgspec.Struct, frozen=True):
    """One consent: one recipient, one purpose, one programme.

    `state` is given, withdrawn, expired or ended (replaced by a newer one, or the citizen left);
    `per_day` is how often the recipient may look on one day; `order` is null unless it lets the
    recipient open service orders.
    """

    consent_id: UUID
    state: str
    recipient: RecipientView
    purpose: PurposeView
    programme: str
    order: OrderConsentView | None
    data_kinds: list[DataKindView]
    per_day: int
    given_at: datetime
    expires_at: datetime
    ended_at: datetime | None


class ConsentPageView(msgspec.Struct, frozen=True):
    """One page of consents, newest first; `next_cursor` is null on the last."""

    items: list[ConsentView]
    next_cursor: str | None


@get(
    "/v1/me/consents",
    operation_id="consent_list",
    tags=["citizen"],
    guards=[requires(Scope.ME_CONSENTS)],
    cache_control=_NO_STORE,
    responses=problems(
        "cursor_invalid", "parameter_invalid", "scope_insufficient", "token_invalid"
    ),
)
async def list_consents(
    citizen: NamedDependency[CitizenPrincipal],
    db: NamedDependency[Database],
    clock: NamedDependency[Clock],
    cursor: Cursor = None,
    page_size: PageSize = PAGE_SIZE_DEFAULT,
) -> ConsentPageView:
    """List every consent the citizen ever gave, with its recipient, purpose and end."""
    async with db.read() as tx:
        page = await service.list_consents(
            tx, subject_id=citizen.subject_id, cursor=cursor, page_size=page_size
        )
    now = clock.now()
    return ConsentPageView([_consent_view(item, now) for item in page.items], page.next_cursor)


@delete(
    "/v1/me/consents/{consent_id:uuid}",
    operation_id="consent_withdraw",
    tags=["citizen"],
    guards=[requires(Scope.ME_CONSENTS)],
    responses=problems("not_found", "parameter_invalid", "scope_insufficient", "token_invalid"),
)
async def withdraw_consent(
    consent_id: FromPath[UUID],
    citizen: NamedDependency[CitizenPrincipal],
    db: NamedDependency[Database],
    clock: NamedDependency[Clock],
) -> None:
    """Withdraw a consent: it ends at once, and with it every token that stands on it."""
    async with db.write() as tx:
        await service.withdraw(
            tx, subject_id=citizen.subject_id, consent_id=consent_id, now=clock.now()
        )


def _consent_view(item: rules.ConsentListed, now: datetime) -> ConsentView:
    terms = msgspec.convert(item.detail, rules.Terms)
    purpose = service.PURPOSES[item.purpose]
    state = rules.state_of(
        expires_at=item.expires_at, ended_at=item.ended_at, end_reason=item.end_reason, now=now
    )
    return ConsentView(
        consent_id=item.consent_id,
        state=state.value,
        recipient=RecipientView(
            partner=item.partner_code,
            name_zh=item.partner_name_zh,
            name_en=item.partner_name_en,
            client_name_zh=item.client_name_zh,
            client_name_en=item.client_name_en,
        ),
        purpose=PurposeView(
            purpose.code, purpose.name_zh, purpose.name_en, purpose.text_zh, purpose.text_en
        ),
        programme=item.programme_code,
        order=_order_view(terms),
        data_kinds=[_data_kind_view(code) for code in terms.data_kinds],
        per_day=terms.per_day,
        given_at=item.given_at,
        expires_at=item.expires_at,
        ended_at=item.ended_at,
    )


def _order_view(terms: rules.Terms) -> OrderConsentView | None:
    if not terms.is_for_orders:
        return None
    assert terms.confirm is not None, "the terms of orders say by what one becomes active"
    return OrderConsentView(terms.confirm, terms.amount_max_fen)


def _data_kind_view(code: str) -> DataKindView:
    kind = service.DATA_KINDS[code]
    return DataKindView(kind.code, kind.name_zh, kind.name_en)


ROUTES = [list_consents, withdraw_consent]
