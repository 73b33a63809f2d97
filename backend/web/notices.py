"""What the citizen has to know of, newest first; reading is noted when they press the button."""

from datetime import datetime
from uuid import UUID

import msgspec
from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import RawBody

from backend.kit.clock import Clock
from backend.kit.page import PAGE_SIZE_DEFAULT, Page
from backend.kit.postgres import Database
from backend.notice import service as notice
from backend.notice.rules import Notice, words_of
from backend.web.programme_words import ProgrammeWords, name_of, programme_words
from backend.web.render import render_page, see_other
from backend.web.session import AnyRequest, Visit, Visitor, signed_in
from backend.web.words import NOTHING, Text

_DONE = {"read": Text("已标为已读", "Marked as read")}


class Way(msgspec.Struct, frozen=True):
    """Where a notice leads on."""

    href: str
    text: Text


# By the first word of a topic.
_WAYS = {
    "case": Way("/cases", Text("查看复核", "See your cases")),
    "enrolment": Way("/programmes", Text("查看项目", "See benefits")),
    "obligation": Way("/orders", Text("查看订单", "See your orders")),
    "order": Way("/orders", Text("查看订单", "See your orders")),
    "programme": Way("/programmes", Text("查看项目", "See benefits")),
}


class ReadForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The newest notice that was on the page: it and what is older was read."""

    newest: UUID
    csrf: str = ""


class NoticeItem(msgspec.Struct, frozen=True):
    """One notice; `programme` and `way` are nothing where it is about none and leads nowhere."""

    notice_id: str
    title: Text
    text: Text
    programme: Text
    made_at: datetime
    is_unread: bool
    way: Way | None


class NoticesView(msgspec.Struct, frozen=True):
    """One page of notices; `newest` is "" when none on it is unread."""

    done: Text | None
    notices: list[NoticeItem]
    newest: str
    next_href: str


def notices_view(
    page: Page[Notice], programmes: dict[str, ProgrammeWords], *, done: str
) -> NoticesView:
    """Return the page of a citizen's notices; `done` is the code of what was just done."""
    unread = [each for each in page.items if each.read_at is None]
    return NoticesView(
        done=_DONE.get(done),
        notices=[_item(each, programmes) for each in page.items],
        newest=str(unread[0].notice_id) if unread else "",
        next_href=f"/notices?cursor={page.next_cursor}" if page.next_cursor else "",
    )


def _item(each: Notice, programmes: dict[str, ProgrammeWords]) -> NoticeItem:
    words = words_of(each)
    code = each.facts.get("programme")
    return NoticeItem(
        notice_id=str(each.notice_id),
        title=Text(words.title_zh, words.title_en),
        text=Text(words.text_zh, words.text_en),
        programme=name_of(programmes, code) if isinstance(code, str) else NOTHING,
        made_at=each.created_at,
        is_unread=each.read_at is None,
        way=_WAYS.get(each.topic.partition(".")[0]),
    )


@get("/notices", operation_id="web_notices_show", guards=[signed_in], include_in_schema=False)
async def show_notices(
    request: AnyRequest,
    visit: NamedDependency[Visit],
    visitor: NamedDependency[Visitor],
    db: NamedDependency[Database],
) -> Response[bytes]:
    """Show the notices, newest first."""
    async with db.read() as tx:
        page = await notice.list_notices(
            tx,
            subject_id=visitor.subject_id,
            cursor=request.query_params.get("cursor"),
            page_size=PAGE_SIZE_DEFAULT,
        )
        programmes = await programme_words(tx)
    view = notices_view(page, programmes, done=request.query_params.get("done", ""))
    return render_page(visit, "notices.html", view, tab="home")


@post("/notices/read", operation_id="web_notices_read", guards=[signed_in], include_in_schema=False)
async def read_notices(
    body: RawBody,
    visit: NamedDependency[Visit],
    visitor: NamedDependency[Visitor],
    db: NamedDependency[Database],
    clock: NamedDependency[Clock],
) -> Response[bytes]:
    """Note that what was on the page, and what is older, was read; what came since was not."""
    form = visit.read_form(ReadForm, body)
    visit.check_form(form.csrf, "read-notices", str(form.newest))
    async with db.write() as tx:
        await notice.mark_read_up_to(
            tx, subject_id=visitor.subject_id, newest=form.newest, now=clock.now()
        )
    return see_other(visit, "/notices?done=read")


ROUTES = [show_notices, read_notices]
