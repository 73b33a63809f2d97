"""The citizen's view of the ledger: who looked, when, why, and under which consent."""

from datetime import datetime
from uuid import UUID

import msgspec
from litestar import get
from litestar.datastructures import CacheControlHeader
from litestar.di import NamedDependency

from backend.access.guard import requires
from backend.access.rules import CitizenPrincipal, Scope
from backend.kit.http import Cursor, PageSize, problems
from backend.kit.page import PAGE_SIZE_DEFAULT
from backend.kit.postgres import Database
from backend.ledger import service
from backend.ledger.rules import AccessEntry


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


ROUTES = [list_accesses]
