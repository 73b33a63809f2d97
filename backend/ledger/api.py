"""The citizen's view of the ledger: who looked, when, why, and under which consent.

And the auditor's: what operators did, and why.
"""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import get
from litestar.datastructures import CacheControlHeader
from litestar.di import NamedDependency
from litestar.params import QueryParameter

from backend.access.guard import requires
from backend.access.rules import CitizenPrincipal, Scope
from backend.kit.http import Cursor, PageSize, problems
from backend.kit.page import PAGE_SIZE_DEFAULT
from backend.kit.postgres import Database
from backend.ledger import service
from backend.ledger.rules import AccessEntry, OperatorEntry


class ActorView(msgspec.Struct, frozen=True):
    """Who looked, by the names of that moment."""

    kind: str
    id: str
    name_zh: str
    name_en: str


class AccessPurposeView(msgspec.Struct, frozen=True):
    """Why, in the words of that moment."""

    code: str
    text_zh: str
    text_en: str


class AccessView(msgspec.Struct, frozen=True):
    """One look; `disclosed` is what the actor was told."""

    access_id: UUID
    at: datetime
    actor: ActorView
    action: str
    purpose: AccessPurposeView
    data_kinds: list[str]
    consent_id: UUID | None
    programme: str | None
    decision_id: UUID | None
    disclosed: str


class AccessPageView(msgspec.Struct, frozen=True):
    """One page of looks, newest first; `next_cursor` is null on the last."""

    items: list[AccessView]
    next_cursor: str | None


class OperatorEntryView(msgspec.Struct, frozen=True):
    """One action; `operator_id` is null for somebody at the server's shell, whose login says so."""

    entry_id: UUID
    at: datetime
    operator_id: UUID | None
    login: str
    action: str
    object: str
    reason: str
    facts: dict[str, Any]


class OperatorEntryPageView(msgspec.Struct, frozen=True):
    """One page of actions, newest first; `next_cursor` is null on the last."""

    items: list[OperatorEntryView]
    next_cursor: str | None


_Thing = Annotated[
    str | None, QueryParameter(name="object", max_length=200, description="As kind:id")
]
_Login = Annotated[str | None, QueryParameter(max_length=200)]


@get(
    "/v1/me/accesses",
    operation_id="access_list",
    tags=["citizen"],
    guards=[requires(Scope.ME_ACCESSES)],
    cache_control=CacheControlHeader(no_store=True),
    responses=problems(
        "cursor_invalid", "parameter_invalid", "scope_insufficient", "token_invalid"
    ),
)
async def list_accesses(
    citizen: NamedDependency[CitizenPrincipal],
    db: NamedDependency[Database],
    cursor: Cursor = None,
    page_size: PageSize = PAGE_SIZE_DEFAULT,
) -> AccessPageView:
    """List every look at the citizen: who, when, why, what kind of data, under which consent."""
    async with db.read() as tx:
        page = await service.list_accesses(
            tx, subject_id=citizen.subject_id, cursor=cursor, page_size=page_size
        )
    return AccessPageView([_access_view(entry) for entry in page.items], page.next_cursor)


def _access_view(entry: AccessEntry) -> AccessView:
    return AccessView(
        access_id=entry.entry_id,
        at=entry.at,
        actor=ActorView(entry.actor_kind, entry.actor_id, entry.actor_name_zh, entry.actor_name_en),
        action=entry.action,
        purpose=AccessPurposeView(entry.purpose, entry.purpose_zh, entry.purpose_en),
        data_kinds=entry.data_kinds,
        consent_id=entry.consent_id,
        programme=entry.programme_code,
        decision_id=entry.decision_id,
        disclosed=entry.disclosed,
    )


@get(
    "/v1/operator/entries",
    operation_id="operator_entry_list",
    tags=["operator"],
    guards=[requires(Scope.AUDIT_READ)],
    cache_control=CacheControlHeader(no_store=True),
    responses=problems(
        "cursor_invalid", "parameter_invalid", "scope_insufficient", "token_invalid"
    ),
)
async def list_operator_entries(
    db: NamedDependency[Database],
    thing: _Thing = None,
    login: _Login = None,
    cursor: Cursor = None,
    page_size: PageSize = PAGE_SIZE_DEFAULT,
) -> OperatorEntryPageView:
    """List what operators did and why, all of it, or to one object, or by one login."""
    if "\0" in f"{thing}{login}":
        return OperatorEntryPageView([], None)  # no text of the database holds it
    async with db.read() as tx:
        page = await service.list_actions(
            tx, thing=thing, login=login, cursor=cursor, page_size=page_size
        )
    return OperatorEntryPageView([_entry_view(entry) for entry in page.items], page.next_cursor)


def _entry_view(entry: OperatorEntry) -> OperatorEntryView:
    return OperatorEntryView(
        entry_id=entry.entry_id,
        at=entry.at,
        operator_id=entry.operator_id,
        login=entry.login,
        action=entry.action,
        object=entry.object,
        reason=entry.reason,
        facts=entry.facts,
    )


ROUTES = [list_accesses, list_operator_entries]
