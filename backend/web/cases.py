"""The citizen asks for a person to look, sees until when and what came of it, or takes it back."""

from datetime import date, datetime
from uuid import UUID

import msgspec
from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import RawBody

from backend.case import service as case
from backend.case.ports import CaseGrounds
from backend.case.rules import NOT_YET_WORKING_DAYS, TEXT_CHARACTERS_MAX, Kind, State, is_overdue
from backend.case.service import OwnCase
from backend.kit.clock import Clock, city_date
from backend.kit.page import PAGE_SIZE_DEFAULT, Page
from backend.kit.postgres import Database
from backend.kit.problem import Refusal
from backend.web.form import Fault
from backend.web.programme_words import ProgrammeWords, name_of, programme_words
from backend.web.render import render_page, see_other
from backend.web.session import AnyRequest, Visit, Visitor, signed_in
from backend.web.words import Text

_DONE = {
    "asked": Text("已提交，会有人来看", "Sent: a person will look at it"),
    "withdrawn": Text("已撤回，您写的内容已删除", "Withdrawn. What you wrote is deleted"),
}
_STATES = {
    State.OPEN: Text("处理中", "Open"),
    State.DECIDED: Text("已答复", "Answered"),
    State.WITHDRAWN: Text("已撤回", "Withdrawn"),
}
_LATE = Text("已超过期限", "Overdue")
_OUTCOMES = {
    "upheld": Text("维持原结果", "The result stays as it was"),
    "changed": Text("结果已更改", "The result was changed"),
}
_OBLIGATION = Text("订单未付款项", "Open amount of an order")
_TEXT_FAULT = Text(
    f"最多 {TEXT_CHARACTERS_MAX} 字，不含特殊控制字符",
    f"At most {TEXT_CHARACTERS_MAX} characters, none of them invisible",
)


class CaseForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which programme said "not yet", and what the citizen wants to say."""

    programme: str
    text: str = ""
    csrf: str = ""


class WithdrawCaseForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which case is taken back."""

    case_id: UUID
    csrf: str = ""


class CaseItem(msgspec.Struct, frozen=True):
    """One case; `outcome` is None until it is decided."""

    case_id: str
    about: Text
    state: Text
    is_open: bool
    is_late: bool
    text: str
    opened_at: datetime
    due_on: date
    outcome: Text | None
    answer: Text
    decided_at: datetime | None


class CasesView(msgspec.Struct, frozen=True):
    """One page of cases, newest first."""

    done: Text | None
    cases: list[CaseItem]
    next_href: str


class NewCaseView(msgspec.Struct, frozen=True):
    """The form with which a citizen asks for a person."""

    faults: list[Fault]
    programme: str
    name: Text
    text: str
    most: int
    days: int


def cases_view(
    page: Page[OwnCase], programmes: dict[str, ProgrammeWords], *, done: str, today: date
) -> CasesView:
    """Return the page of a citizen's cases; `done` is the code of what was just done."""
    return CasesView(
        done=_DONE.get(done),
        cases=[_item(each, programmes, today) for each in page.items],
        next_href=f"/cases?cursor={page.next_cursor}" if page.next_cursor else "",
    )


def about_of(kind: str, thing: str, programmes: dict[str, ProgrammeWords]) -> Text:
    """Say what a case is about, without whose it is."""
    return name_of(programmes, thing) if kind == Kind.NOT_YET else _OBLIGATION


def _new_case(faults: list[Fault], code: str, name: Text, text: str) -> NewCaseView:
    return NewCaseView(
        faults=faults,
        programme=code,
        name=name,
        text=text,
        most=TEXT_CHARACTERS_MAX,
        days=NOT_YET_WORKING_DAYS,
    )


def _item(own: OwnCase, programmes: dict[str, ProgrammeWords], today: date) -> CaseItem:
    each, is_late = own.case, is_overdue(own.case, today)
    return CaseItem(
        case_id=str(each.case_id),
        about=about_of(each.kind, each.object, programmes),
        state=_LATE if is_late else _STATES[State(each.state)],
        is_open=each.state == State.OPEN,
        is_late=is_late,
        text=own.text,
        opened_at=each.opened_at,
        due_on=each.due_on,
        outcome=None if each.outcome is None else _OUTCOMES[each.outcome],
        answer=Text(each.answer_zh or "", each.answer_en or ""),
        decided_at=each.decided_at,
    )


@get("/cases", operation_id="web_cases_show", guards=[signed_in], include_in_schema=False)
async def show_cases(
    request: AnyRequest,
    visit: NamedDependency[Visit],
    visitor: NamedDependency[Visitor],
    db: NamedDependency[Database],
    clock: NamedDependency[Clock],
) -> Response[bytes]:
    """Show the cases, newest first."""
    async with db.read() as tx:
        page = await case.list_by_citizen(
            tx,
            subject_id=visitor.subject_id,
            cursor=request.query_params.get("cursor"),
            page_size=PAGE_SIZE_DEFAULT,
            vault=visit.vault,
        )
        programmes = await programme_words(tx)
    done = request.query_params.get("done", "")
    view = cases_view(page, programmes, done=done, today=city_date(clock.now()))
    return render_page(visit, "cases.html", view, tab="programmes")


@get("/cases/new", operation_id="web_case_new", guards=[signed_in], include_in_schema=False)
async def new_case(
    request: AnyRequest,
    visit: NamedDependency[Visit],
    visitor: NamedDependency[Visitor],
    db: NamedDependency[Database],
    clock: NamedDependency[Clock],
    case_grounds: NamedDependency[CaseGrounds],
) -> Response[bytes]:
    """Show the form about a programme that says "not yet"; what is none is refused here already."""
    code = request.query_params.get("programme", "")
    if "\0" in code:
        raise Refusal("not_found")
    async with db.read() as tx:
        await case_grounds.check_not_yet(
            tx, subject_id=visitor.subject_id, programme_code=code, now=clock.now()
        )
        name = name_of(await programme_words(tx), code)
    view = _new_case([], code, name, "")
    return render_page(visit, "case_new.html", view, tab="programmes")


@post("/cases", operation_id="web_case_create", guards=[signed_in], include_in_schema=False)
async def ask(
    body: RawBody,
    visit: NamedDependency[Visit],
    visitor: NamedDependency[Visitor],
    db: NamedDependency[Database],
    clock: NamedDependency[Clock],
    case_grounds: NamedDependency[CaseGrounds],
) -> Response[bytes]:
    """Open a case; sent twice, the second finds the first (one open case a thing)."""
    form = visit.read_form(CaseForm, body)
    visit.check_form(form.csrf, "ask-person", form.programme)
    now = clock.now()
    try:
        async with db.write() as tx:
            await case_grounds.check_not_yet(
                tx, subject_id=visitor.subject_id, programme_code=form.programme, now=now
            )
            await case.open_case(
                tx,
                subject_id=visitor.subject_id,
                kind=Kind.NOT_YET,
                object=form.programme,
                text=form.text,
                vault=visit.vault,
                now=now,
            )
    except Refusal as refusal:
        if refusal.code != "case_text_invalid":
            raise
        async with db.read() as tx:
            name = name_of(await programme_words(tx), form.programme)
        view = _new_case([Fault("text", _TEXT_FAULT)], form.programme, name, form.text)
        return render_page(visit, "case_new.html", view, tab="programmes", status=422)
    return see_other(visit, "/cases?done=asked")


@post(
    "/cases/withdraw", operation_id="web_case_withdraw", guards=[signed_in], include_in_schema=False
)
async def withdraw(
    body: RawBody,
    visit: NamedDependency[Visit],
    visitor: NamedDependency[Visitor],
    db: NamedDependency[Database],
    clock: NamedDependency[Clock],
) -> Response[bytes]:
    """Take a case back; one of somebody else's is not found (404)."""
    form = visit.read_form(WithdrawCaseForm, body)
    visit.check_form(form.csrf, "withdraw-case", str(form.case_id))
    async with db.write() as tx:
        await case.withdraw(
            tx, subject_id=visitor.subject_id, case_id=form.case_id, now=clock.now()
        )
    return see_other(visit, "/cases?done=withdrawn")


ROUTES = [show_cases, new_case, ask, withdraw]
