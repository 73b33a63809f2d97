"""Who runs the service, over HTTP: operators with the role security let others in and out."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from litestar import get, post, put
from litestar.datastructures import CacheControlHeader
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody
from litestar.status_codes import HTTP_200_OK

from backend.access.guard import requires
from backend.access.rules import OperatorPrincipal, Scope
from backend.kit.clock import Clock
from backend.kit.crypto import Vault
from backend.kit.http import Cursor, IdempotencyKey, PageSize, problems
from backend.kit.idempotency import once
from backend.kit.page import PAGE_SIZE_DEFAULT
from backend.kit.postgres import Database
from backend.ledger.rules import Actor
from backend.operator import service
from backend.operator.api.sign_in import Login
from backend.operator.rules import NAME_LONGEST, Operator
from backend.operator.service import Added

_NO_STORE = CacheControlHeader(no_store=True)
_SECURITY = requires(Scope.SECURITY_OPERATE)
_ALWAYS = ("reason_missing", "scope_insufficient", "token_invalid")
_ONCE = ("idempotency_key_in_flight", "idempotency_key_missing", "idempotency_key_reused")

_Name = Annotated[str, msgspec.Meta(min_length=1, max_length=NAME_LONGEST)]
_Roles = Annotated[
    list[Annotated[str, msgspec.Meta(max_length=32)]],
    msgspec.Meta(min_length=1, max_length=8, examples=[["programmes"]]),
]


class OperatorCreate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Let somebody in; `security` and `audit` stand alone."""

    login: Login
    name_zh: _Name
    name_en: _Name
    roles: _Roles


class OperatorRoles(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """These roles and no others."""

    roles: _Roles


class OperatorView(msgspec.Struct, frozen=True):
    """An operator; `is_set_up` once there are a password and a second factor."""

    operator_id: UUID
    login: str
    name_zh: str
    name_en: str
    roles: list[str]
    created_by: str
    created_at: datetime
    is_set_up: bool
    suspended_at: datetime | None


class OperatorPageView(msgspec.Struct, frozen=True):
    """One page of operators by login; `next_cursor` is null on the last."""

    items: list[OperatorView]
    next_cursor: str | None


class OperatorCreated(msgspec.Struct, frozen=True):
    """A new or reset operator, and the code to set up with: hand it to them and to nobody else."""

    operator: OperatorView
    set_up_code: str
    set_up_until: datetime


@get(
    "/v1/operator/operators",
    operation_id="operator_list",
    tags=["operator"],
    guards=[_SECURITY],
    cache_control=_NO_STORE,
    responses=problems(
        "cursor_invalid", "parameter_invalid", "scope_insufficient", "token_invalid"
    ),
)
async def list_operators(
    db: NamedDependency[Database], cursor: Cursor = None, page_size: PageSize = PAGE_SIZE_DEFAULT
) -> OperatorPageView:
    """List who runs the service."""
    async with db.read() as tx:
        page = await service.list_all(tx, cursor=cursor, page_size=page_size)
    return OperatorPageView([_operator_view(each) for each in page.items], page.next_cursor)


@post(
    "/v1/operator/operators",
    operation_id="operator_create",
    tags=["operator"],
    guards=[_SECURITY],
    cache_control=_NO_STORE,
    responses=problems("body_invalid", "operator_exists", "operator_invalid", *_ALWAYS),
)
async def create_operator(
    data: JSONBody[OperatorCreate],
    operator: NamedDependency[OperatorPrincipal],
    reason: NamedDependency[str],
    db: NamedDependency[Database],
    clock: NamedDependency[Clock],
) -> OperatorCreated:
    """Add an operator; they set themselves up with the code, which is shown this once.

    Without an Idempotency-Key, for the answer is kept nowhere: sent again, the login is taken.
    """
    async with db.write() as tx:
        added = await service.add(
            tx,
            login=data.login,
            name_zh=data.name_zh,
            name_en=data.name_en,
            roles=data.roles,
            by=Actor.of(operator),
            reason=reason,
            now=clock.now(),
        )
    return _created(added)


@put(
    "/v1/operator/operators/{login:str}/roles",
    operation_id="operator_roles_put",
    tags=["operator"],
    guards=[_SECURITY],
    cache_control=_NO_STORE,
    responses=problems(
        "body_invalid",
        "operator_invalid",
        "operator_self",
        "operator_unknown",
        "parameter_invalid",
        *_ALWAYS,
    ),
)
async def put_roles(
    login: FromPath[str],
    data: JSONBody[OperatorRoles],
    operator: NamedDependency[OperatorPrincipal],
    reason: NamedDependency[str],
    db: NamedDependency[Database],
    clock: NamedDependency[Clock],
) -> OperatorView:
    """Give an operator these roles and no others, from their next request on."""
    async with db.write() as tx:
        changed = await service.set_roles(
            tx,
            login=login,
            roles=data.roles,
            by=Actor.of(operator),
            reason=reason,
            now=clock.now(),
        )
    return _operator_view(changed)


@post(
    "/v1/operator/operators/{login:str}/suspend",
    operation_id="operator_suspend",
    tags=["operator"],
    guards=[_SECURITY],
    status_code=HTTP_200_OK,
    cache_control=_NO_STORE,
    responses=problems("operator_self", "operator_unknown", "parameter_invalid", *_ALWAYS, *_ONCE),
)
async def suspend_operator(
    login: FromPath[str],
    operator: NamedDependency[OperatorPrincipal],
    reason: NamedDependency[str],
    db: NamedDependency[Database],
    clock: NamedDependency[Clock],
    idempotency_key: IdempotencyKey = None,
) -> OperatorView:
    """Suspend an operator: every session is dead at once, and no new one opens."""
    return await _set_suspended(
        _Turn(db, operator, idempotency_key, clock.now()), login, reason, suspended=True
    )


@post(
    "/v1/operator/operators/{login:str}/resume",
    operation_id="operator_resume",
    tags=["operator"],
    guards=[_SECURITY],
    status_code=HTTP_200_OK,
    cache_control=_NO_STORE,
    responses=problems("operator_self", "operator_unknown", "parameter_invalid", *_ALWAYS, *_ONCE),
)
async def resume_operator(
    login: FromPath[str],
    operator: NamedDependency[OperatorPrincipal],
    reason: NamedDependency[str],
    db: NamedDependency[Database],
    clock: NamedDependency[Clock],
    idempotency_key: IdempotencyKey = None,
) -> OperatorView:
    """Let a suspended operator in again, with the password and second factor they had."""
    return await _set_suspended(
        _Turn(db, operator, idempotency_key, clock.now()), login, reason, suspended=False
    )


@post(
    "/v1/operator/operators/{login:str}/reset",
    operation_id="operator_reset",
    tags=["operator"],
    guards=[_SECURITY],
    status_code=HTTP_200_OK,
    cache_control=_NO_STORE,
    responses=problems("operator_self", "operator_unknown", "parameter_invalid", *_ALWAYS),
)
async def reset_operator(
    login: FromPath[str],
    operator: NamedDependency[OperatorPrincipal],
    reason: NamedDependency[str],
    db: NamedDependency[Database],
    clock: NamedDependency[Clock],
    vault: NamedDependency[Vault],
) -> OperatorCreated:
    """Take password and second factor away, and give a code to set up anew.

    Without an Idempotency-Key, for the answer is kept nowhere: sent again, it is another code.
    """
    async with db.write() as tx:
        added = await service.reset(
            tx,
            login=login,
            by=Actor.of(operator),
            reason=reason,
            vault=vault,
            now=clock.now(),
        )
    return _created(added)


class _Turn(msgspec.Struct, frozen=True):
    """One request to be carried out once."""

    db: Database
    operator: OperatorPrincipal
    key: str | None
    now: datetime


async def _set_suspended(turn: _Turn, login: str, reason: str, *, suspended: bool) -> OperatorView:
    async with turn.db.write() as tx:

        async def run() -> OperatorView:
            return _operator_view(
                await service.set_suspended(
                    tx,
                    login=login,
                    suspended=suspended,
                    by=Actor.of(turn.operator),
                    reason=reason,
                    now=turn.now,
                )
            )

        return await once(
            tx,
            owner_id=turn.operator.operator_id,
            key=turn.key,
            request=msgspec.json.encode(["operator_suspended", login, suspended, reason]),
            kind=OperatorView,
            now=turn.now,
            run=run,
        )


def _operator_view(operator: Operator) -> OperatorView:
    return OperatorView(
        operator_id=operator.operator_id,
        login=operator.login,
        name_zh=operator.name_zh,
        name_en=operator.name_en,
        roles=operator.roles,
        created_by=operator.created_by,
        created_at=operator.created_at,
        is_set_up=operator.is_set_up,
        suspended_at=operator.suspended_at,
    )


def _created(added: Added) -> OperatorCreated:
    return OperatorCreated(_operator_view(added.operator), added.set_up_code, added.set_up_until)


ROUTES = [
    list_operators,
    create_operator,
    put_roles,
    suspend_operator,
    resume_operator,
    reset_operator,
]
