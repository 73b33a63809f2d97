"""Joining and leaving: two answers of equal weight on each page."""

import msgspec
from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import RawBody

from backend.citizen import service as citizen
from backend.citizen.ports import ParticipationHooks
from backend.citizen.rules import Notice
from backend.kit.clock import Clock
from backend.kit.postgres import Database
from backend.web.render import render_page, see_other
from backend.web.session import (
    AnyRequest,
    Visit,
    Visitor,
    known_request_uri,
    request_uri_of,
    signed_in,
)
from backend.web.words import Text


class JoinForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The version of the notice that was on the page, and a pushed request to come back to."""

    notice_version: str
    request_uri: str = ""
    csrf: str = ""


class LeaveForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Nothing but the proof that our own page sent it."""

    csrf: str = ""


class JoinView(msgspec.Struct, frozen=True):
    """The notice (个人信息保护法 17) and the two answers to it."""

    notice_version: str
    title: Text
    paragraphs_zh: list[str]
    paragraphs_en: list[str]
    request_uri: str
    not_now_href: str


class LeaveView(msgspec.Struct, frozen=True):
    """The page that says what leaving erases; `takes_part` is False for one who has left."""

    takes_part: bool


def join_view(notice: Notice, *, request_uri: str) -> JoinView:
    """Return the page of a notice."""
    back = f"/consent?request_uri={request_uri}" if request_uri else "/"
    return JoinView(
        notice_version=notice.version,
        title=Text(notice.title_zh, notice.title_en),
        paragraphs_zh=_paragraphs(notice.text_zh),
        paragraphs_en=_paragraphs(notice.text_en),
        request_uri=request_uri,
        not_now_href=back,
    )


def _paragraphs(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


@get("/join", operation_id="web_join_show", guards=[signed_in], include_in_schema=False)
async def show_join(request: AnyRequest, visit: NamedDependency[Visit]) -> Response[bytes]:
    """Show the notice in force."""
    view = join_view(citizen.CURRENT_NOTICE, request_uri=request_uri_of(request))
    return render_page(visit, "join.html", view, tab="home")


@post("/join", operation_id="web_join", guards=[signed_in], include_in_schema=False)
async def join(
    body: RawBody,
    visit: NamedDependency[Visit],
    visitor: NamedDependency[Visitor],
    db: NamedDependency[Database],
    clock: NamedDependency[Clock],
    participation_hooks: NamedDependency[ParticipationHooks],
) -> Response[bytes]:
    """Take part, on the notice that was shown; a notice that changed meanwhile is shown anew."""
    form = visit.read_form(JoinForm, body)
    visit.check_form(form.csrf, "join", form.notice_version)
    request_uri = known_request_uri(form.request_uri)
    if form.notice_version != citizen.CURRENT_NOTICE.version:
        return see_other(visit, f"/join?request_uri={request_uri}" if request_uri else "/join")
    async with db.write() as tx:
        await citizen.join(
            tx,
            subject_id=visitor.subject_id,
            notice_version=form.notice_version,
            vault=visit.vault,
            now=clock.now(),
            hooks=participation_hooks,
        )
    return see_other(visit, f"/consent?request_uri={request_uri}" if request_uri else "/")


@get("/leave", operation_id="web_leave_show", guards=[signed_in], include_in_schema=False)
async def show_leave(
    visit: NamedDependency[Visit],
    visitor: NamedDependency[Visitor],
    db: NamedDependency[Database],
) -> Response[bytes]:
    """Say what leaving erases and what goes on."""
    async with db.read() as tx:
        participation = await citizen.get_participation(tx, subject_id=visitor.subject_id)
    view = LeaveView(takes_part=participation is not None)
    return render_page(visit, "leave.html", view, tab="home")


@post("/leave", operation_id="web_leave", guards=[signed_in], include_in_schema=False)
async def leave(
    body: RawBody,
    visit: NamedDependency[Visit],
    visitor: NamedDependency[Visitor],
    db: NamedDependency[Database],
    clock: NamedDependency[Clock],
    participation_hooks: NamedDependency[ParticipationHooks],
) -> Response[bytes]:
    """Leave: everything that hangs on taking part is erased."""
    form = visit.read_form(LeaveForm, body)
    visit.check_form(form.csrf, "leave")
    async with db.write() as tx:
        await citizen.leave(
            tx, subject_id=visitor.subject_id, now=clock.now(), hooks=participation_hooks
        )
    return see_other(visit, "/leave")


ROUTES = [show_join, join, show_leave, leave]
