"""The citizen's notices over HTTP: what they have to know of, in words."""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from litestar import get, post
from litestar.datastructures import CacheControlHeader
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.status_codes import HTTP_200_OK

from backend.access.guard import requires
from backend.access.rules import CitizenPrincipal, Scope
from backend.kit.clock import Clock
from backend.kit.http import Cursor, IdempotencyKey, PageSize, problems
from backend.kit.idempotency import once
from backend.kit.page import PAGE_SIZE_DEFAULT
from backend.kit.postgres import Database
from backend.notice import service
from backend.notice.rules import Notice, words_of

_NO_STORE = CacheControlHeader(no_store=True)
_ALWAYS = ("parameter_invalid", "scope_insufficient", "token_invalid")


class NoticeItemView(msgspec.Struct, frozen=True):
    """One notice, in words; `facts` hold the ids, codes, amounts and days they were made from.

    `read_at` is null until the notice is read.
    """

    notice_id: UUID
    topic: str
    title_zh: str
    title_en: str
    text_zh: str
    text_en: str
    facts: dict[str, Any]
    created_at: datetime
    read_at: datetime | None


class NoticePageView(msgspec.Struct, frozen=True):
    """One page of notices, newest first; `unread` counts all, up to a hundred."""

    items: list[NoticeItemView]
    unread: int
    next_cursor: str | None


@get(
    "/v1/me/notices",
    operation_id="notice_list",
    tags=["citizen"],
    guards=[requires(Scope.ME_NOTICES)],
    cache_control=_NO_STORE,
    responses=problems("cursor_invalid", *_ALWAYS),
)
async def list_notices(
    citizen: NamedDependency[CitizenPrincipal],
    db: NamedDependency[Database],
    cursor: Cursor = None,
    page_size: PageSize = PAGE_SIZE_DEFAULT,
) -> NoticePageView:
    """List what the citizen has to know of, newest first; a year of it."""
    async with db.read() as tx:
        page = await service.list_notices(
            tx, subject_id=citizen.subject_id, cursor=cursor, page_size=page_size
        )
        unread = await service.count_unread(tx, subject_id=citizen.subject_id)
    return NoticePageView([_notice_view(each) for each in page.items], unread, page.next_cursor)


@post(
    "/v1/me/notices/{notice_id:uuid}/read",
    operation_id="notice_read",
    tags=["citizen"],
    guards=[requires(Scope.ME_NOTICES)],
    status_code=HTTP_200_OK,
    cache_control=_NO_STORE,
    responses=problems(
        "idempotency_key_in_flight",
        "idempotency_key_missing",
        "idempotency_key_reused",
        "not_found",
        *_ALWAYS,
    ),
)
async def read_notice(
    notice_id: FromPath[UUID],
    citizen: NamedDependency[CitizenPrincipal],
    db: NamedDependency[Database],
    clock: NamedDependency[Clock],
    idempotency_key: IdempotencyKey = None,
) -> NoticeItemView:
    """Note that the citizen has read a notice; reading it again keeps the first time."""
    now = clock.now()
    async with db.write() as tx:

        async def run() -> NoticeItemView:
            return _notice_view(
                await service.mark_read(
                    tx, subject_id=citizen.subject_id, notice_id=notice_id, now=now
                )
            )

        return await once(
            tx,
            owner_id=citizen.subject_id,
            key=idempotency_key,
            request=f"notice_read {notice_id}".encode(),
            kind=NoticeItemView,
            now=now,
            run=run,
        )


def _notice_view(notice: Notice) -> NoticeItemView:
    words = words_of(notice)
    return NoticeItemView(
        notice_id=notice.notice_id,
        topic=notice.topic,
        title_zh=words.title_zh,
        title_en=words.title_en,
        text_zh=words.text_zh,
        text_en=words.text_en,
        facts=notice.facts,
        created_at=notice.created_at,
        read_at=notice.read_at,
    )


ROUTES = [list_notices, read_notice]
