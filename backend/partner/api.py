"""Partners and their clients over HTTP, for operators: list them, suspend them, let them go on."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from litestar import get, post
from litestar.datastructures import CacheControlHeader
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter
from litestar.status_codes import HTTP_200_OK

from backend.access.guard import requires
from backend.access.rules import OperatorPrincipal, Scope
from backend.kit.clock import Clock
from backend.kit.http import Cursor, IdempotencyKey, PageSize, problems
from backend.kit.idempotency import once
from backend.kit.page import PAGE_SIZE_DEFAULT
from backend.kit.postgres import Database
from backend.ledger.rules import Actor
from backend.partner import service
from backend.partner.rules import Client, Partner

_NO_STORE = CacheControlHeader(no_store=True)
_SECURITY = requires(Scope.SECURITY_OPERATE)
_LISTED = problems("cursor_invalid", "parameter_invalid", "scope_insufficient", "token_invalid")
_CHANGED = (
    *("idempotency_key_in_flight", "idempotency_key_missing", "idempotency_key_reused"),
    *("parameter_invalid", "reason_missing", "scope_insufficient", "token_invalid"),
)


class PartnerView(msgspec.Struct, frozen=True):
    """A partner; `source_code` is null unless it is a source department."""

    partner_id: UUID
    code: str
    name_zh: str
    name_en: str
    kind: str
    source_code: str | None
    created_at: datetime
    suspended_at: datetime | None


class PartnerPageView(msgspec.Struct, frozen=True):
    """One page of partners by code; `next_cursor` is null on the last."""

    items: list[PartnerView]
    next_cursor: str | None


class ClientView(msgspec.Struct, frozen=True):
    """A partner's software; `is_suspended` by itself or with its partner."""

    client_id: str
    partner: str
    name_zh: str
    name_en: str
    redirect_uris: list[str]
    scopes: list[str]
    created_at: datetime
    suspended_at: datetime | None
    is_suspended: bool


class ClientPageView(msgspec.Struct, frozen=True):
    """One page of clients by id; `next_cursor` is null on the last."""

    items: list[ClientView]
    next_cursor: str | None


@get(
    "/v1/operator/partners",
    operation_id="partner_list",
    tags=["operator"],
    guards=[_SECURITY],
    cache_control=_NO_STORE,
    responses=_LISTED,
)
async def list_partners(
    db: NamedDependency[Database], cursor: Cursor = None, page_size: PageSize = PAGE_SIZE_DEFAULT
) -> PartnerPageView:
    """List partners and source departments."""
    async with db.read() as tx:
        page = await service.list_partners(tx, cursor=cursor, page_size=page_size)
    return PartnerPageView([_partner_view(each) for each in page.items], page.next_cursor)


@get(
    "/v1/operator/clients",
    operation_id="client_list",
    tags=["operator"],
    guards=[_SECURITY],
    cache_control=_NO_STORE,
    responses=_LISTED,
)
async def list_clients(
    db: NamedDependency[Database],
    partner_code: Annotated[str | None, QueryParameter(name="partner", max_length=64)] = None,
    cursor: Cursor = None,
    page_size: PageSize = PAGE_SIZE_DEFAULT,
) -> ClientPageView:
    """List the software of all partners, or of one."""
    async with db.read() as tx:
        page = await service.list_clients(
            tx, partner_code=partner_code, cursor=cursor, page_size=page_size
        )
    return ClientPageView([_client_view(each) for each in page.items], page.next_cursor)


@post(
    "/v1/operator/partners/{code:str}/suspend",
    operation_id="partner_suspend",
    tags=["operator"],
    guards=[_SECURITY],
    status_code=HTTP_200_OK,
    cache_control=_NO_STORE,
    responses=problems("partner_unknown", *_CHANGED),
)
async def suspend_partner(
    code: FromPath[str],
    operator: NamedDependency[OperatorPrincipal],
    reason: NamedDependency[str],
    db: NamedDependency[Database],
    clock: NamedDependency[Clock],
    idempotency_key: IdempotencyKey = None,
) -> PartnerView:
    """Suspend a partner: the tokens of all its clients open nothing within a second."""
    turn = _Turn(db, operator, reason, idempotency_key, clock.now())
    return await _set_partner_suspended(turn, code, suspended=True)


@post(
    "/v1/operator/partners/{code:str}/resume",
    operation_id="partner_resume",
    tags=["operator"],
    guards=[_SECURITY],
    status_code=HTTP_200_OK,
    cache_control=_NO_STORE,
    responses=problems("partner_unknown", *_CHANGED),
)
async def resume_partner(
    code: FromPath[str],
    operator: NamedDependency[OperatorPrincipal],
    reason: NamedDependency[str],
    db: NamedDependency[Database],
    clock: NamedDependency[Clock],
    idempotency_key: IdempotencyKey = None,
) -> PartnerView:
    """Let a suspended partner go on; what its citizens consented to stands as it did."""
    turn = _Turn(db, operator, reason, idempotency_key, clock.now())
    return await _set_partner_suspended(turn, code, suspended=False)


@post(
    "/v1/operator/clients/{client_id:str}/suspend",
    operation_id="client_suspend",
    tags=["operator"],
    guards=[_SECURITY],
    status_code=HTTP_200_OK,
    cache_control=_NO_STORE,
    responses=problems("client_unknown", *_CHANGED),
)
async def suspend_client(
    client_id: FromPath[str],
    operator: NamedDependency[OperatorPrincipal],
    reason: NamedDependency[str],
    db: NamedDependency[Database],
    clock: NamedDependency[Clock],
    idempotency_key: IdempotencyKey = None,
) -> ClientView:
    """Suspend one client, whose key may be in wrong hands; its partner's others go on."""
    turn = _Turn(db, operator, reason, idempotency_key, clock.now())
    return await _set_client_suspended(turn, client_id, suspended=True)


@post(
    "/v1/operator/clients/{client_id:str}/resume",
    operation_id="client_resume",
    tags=["operator"],
    guards=[_SECURITY],
    status_code=HTTP_200_OK,
    cache_control=_NO_STORE,
    responses=problems("client_unknown", *_CHANGED),
)
async def resume_client(
    client_id: FromPath[str],
    operator: NamedDependency[OperatorPrincipal],
    reason: NamedDependency[str],
    db: NamedDependency[Database],
    clock: NamedDependency[Clock],
    idempotency_key: IdempotencyKey = None,
) -> ClientView:
    """Let a suspended client go on."""
    turn = _Turn(db, operator, reason, idempotency_key, clock.now())
    return await _set_client_suspended(turn, client_id, suspended=False)


class _Turn(msgspec.Struct, frozen=True):
    """One request to be carried out once."""

    db: Database
    operator: OperatorPrincipal
    reason: str
    key: str | None
    now: datetime


async def _set_partner_suspended(turn: _Turn, code: str, *, suspended: bool) -> PartnerView:
    async with turn.db.write() as tx:

        async def run() -> PartnerView:
            return _partner_view(
                await service.set_partner_suspended(
                    tx,
                    code=code,
                    suspended=suspended,
                    by=Actor.of(turn.operator),
                    reason=turn.reason,
                    now=turn.now,
                )
            )

        return await once(
            tx,
            owner_id=turn.operator.operator_id,
            key=turn.key,
            request=msgspec.json.encode(["partner_suspended", code, suspended, turn.reason]),
            kind=PartnerView,
            now=turn.now,
            run=run,
        )


async def _set_client_suspended(turn: _Turn, client_id: str, *, suspended: bool) -> ClientView:
    async with turn.db.write() as tx:

        async def run() -> ClientView:
            return _client_view(
                await service.set_client_suspended(
                    tx,
                    client_id=client_id,
                    suspended=suspended,
                    by=Actor.of(turn.operator),
                    reason=turn.reason,
                    now=turn.now,
                )
            )

        return await once(
            tx,
            owner_id=turn.operator.operator_id,
            key=turn.key,
            request=msgspec.json.encode(["client_suspended", client_id, suspended, turn.reason]),
            kind=ClientView,
            now=turn.now,
            run=run,
        )


def _partner_view(partner: Partner) -> PartnerView:
    return PartnerView(
        partner_id=partner.partner_id,
        code=partner.code,
        name_zh=partner.name_zh,
        name_en=partner.name_en,
        kind=partner.kind,
        source_code=partner.source_code,
        created_at=partner.created_at,
        suspended_at=partner.suspended_at,
    )


def _client_view(client: Client) -> ClientView:
    return ClientView(
        client_id=client.client_id,
        partner=client.partner_code,
        name_zh=client.name_zh,
        name_en=client.name_en,
        redirect_uris=client.redirect_uris,
        scopes=client.scopes,
        created_at=client.created_at,
        suspended_at=client.suspended_at,
        is_suspended=client.is_suspended,
    )


ROUTES = [
    list_partners,
    list_clients,
    suspend_partner,
    resume_partner,
    suspend_client,
    resume_client,
]
