"""The queue of cases at the operators' desk: what is due, look at one, take it, decide it.

A look needs a reason, which an address can't carry: a case is opened by a form, and each opening
stands in its citizen's ledger.
"""

from datetime import date, datetime
from uuid import UUID

import msgspec
from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, RawBody

from backend.access.reason import REASON_CHARACTERS_MAX, parse_reason
from backend.access.rules import Scope
from backend.case import service as case
from backend.case.rules import TEXT_CHARACTERS_MAX, Case, Outcome, State, days_overdue
from backend.kit.clock import Clock, city_date
from backend.kit.page import PAGE_SIZE_DEFAULT
from backend.kit.postgres import Database
from backend.kit.problem import Refusal
from backend.web.cases import about_of
from backend.web.form import Fault
from backend.web.operator_page import operator_page, render_desk
from backend.web.operator_session import PageOperator
from backend.web.programme_words import ProgrammeWords, programme_words
from backend.web.render import see_other
from backend.web.session import AnyRequest, Visit
from backend.web.words import Text

QUEUE_HREF = "/operator/cases"
_CASES = operator_page(Scope.CASES_OPERATE)
_DONE = {
    "decided": Text("已答复，并已通知本人", "Answered, and its citizen is told"),
    "taken": Text("已由您处理", "It is with you now"),
}
_REASON_FAULT = Text(
    f"请写一行理由，最多 {REASON_CHARACTERS_MAX} 字",
    f"Say why on one line, in up to {REASON_CHARACTERS_MAX} characters",
)
_ANSWER_FAULT = Text(
    f"请写明理由，最多 {TEXT_CHARACTERS_MAX} 字",
    f"Give the reasons, in up to {TEXT_CHARACTERS_MAX} characters",
)


class LookForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why the case is opened."""

    reason: str = ""
    csrf: str = ""


class TakeForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why, and whom it was with when the page was shown; "" for nobody."""

    taken_from: str = ""
    reason: str = ""
    csrf: str = ""


class DecideForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What was decided, what the citizen is answered, and why it is done."""

    outcome: str = ""
    answer_zh: str = ""
    answer_en: str = ""
    reason: str = ""
    csrf: str = ""


class QueueItem(msgspec.Struct, frozen=True):
    """A case in the queue; `days_late` is 0 in time, `taken_by` "" when nobody has it."""

    href: str
    about: Text
    opened_at: datetime
    due_on: date
    days_late: int
    taken_by: str


class QueueView(msgspec.Struct, frozen=True):
    """One page of the queue, first due first."""

    done: Text | None
    open: int
    overdue: int
    cases: list[QueueItem]
    next_href: str


class CaseDoorView(msgspec.Struct, frozen=True):
    """What stands before a case: the question why it is opened."""

    faults: list[Fault]
    href: str
    form: LookForm
    case_id: str


class CaseLookView(msgspec.Struct, frozen=True):
    """An opened case; `text` is None where it isn't shown, as after a form with a fault."""

    faults: list[Fault]
    href: str
    case_id: str
    item: QueueItem | None
    text: str | None
    is_open: bool
    may_decide: bool
    form: DecideForm


@get(QUEUE_HREF, operation_id="web_operator_cases_show", guards=[_CASES], include_in_schema=False)
async def show_queue(
    request: AnyRequest,
    visit: NamedDependency[Visit],
    db: NamedDependency[Database],
    clock: NamedDependency[Clock],
) -> Response[bytes]:
    """Show the open cases, without a word about whose they are."""
    today = city_date(clock.now())
    async with db.read() as tx:
        page = await case.list_queue(
            tx,
            overdue_only=False,
            cursor=request.query_params.get("cursor"),
            page_size=PAGE_SIZE_DEFAULT,
            today=today,
        )
        counts = await case.count_queue(tx, today=today)
        programmes = await programme_words(tx)
    view = QueueView(
        done=_DONE.get(request.query_params.get("done", "")),
        open=counts.open,
        overdue=counts.overdue,
        cases=[_item(each, programmes, today) for each in page.items],
        next_href=f"{QUEUE_HREF}?cursor={page.next_cursor}" if page.next_cursor else "",
    )
    return render_desk(visit, "operator_cases.html", view)


@get(
    "/operator/cases/{case_id:uuid}",
    operation_id="web_operator_case_door_show",
    guards=[_CASES],
    include_in_schema=False,
)
async def show_door(case_id: FromPath[UUID], visit: NamedDependency[Visit]) -> Response[bytes]:
    """Ask why the case is opened; whether there is one is told after that."""
    return render_desk(visit, "operator_case_door.html", _door(case_id, LookForm(), []))


@post(
    "/operator/cases/{case_id:uuid}/look",
    operation_id="web_operator_case_look",
    guards=[_CASES],
    include_in_schema=False,
)
async def look(
    case_id: FromPath[UUID],
    body: RawBody,
    visit: NamedDependency[Visit],
    desk: NamedDependency[PageOperator],
    db: NamedDependency[Database],
    clock: NamedDependency[Clock],
) -> Response[bytes]:
    """Write the look down, then show what the citizen wrote."""
    form = visit.read_form(LookForm, body)
    visit.check_form(form.csrf, "case-look", str(case_id))
    try:
        reason = parse_reason(form.reason)
    except Refusal:
        view = _door(case_id, form, [Fault("reason", _REASON_FAULT)])
        return render_desk(visit, "operator_case_door.html", view, status=422)
    now = clock.now()
    async with db.write() as tx:
        looked = await case.look(tx, case_id=case_id, by=desk.principal, reason=reason, now=now)
        programmes = await programme_words(tx)
    # Opened after the commit, as over HTTP.
    text = case.opened_text(looked, vault=visit.vault)
    found = looked.case
    shown = CaseLookView(
        faults=[],
        href=_href(case_id),
        case_id=str(case_id),
        item=_item(found, programmes, city_date(now)),
        text=text,
        is_open=found.state == State.OPEN,
        may_decide=found.taken_by in (None, desk.principal.login),
        form=DecideForm(reason=reason),
    )
    return render_desk(visit, "operator_case.html", shown)


@post(
    "/operator/cases/{case_id:uuid}/take",
    operation_id="web_operator_case_take",
    guards=[_CASES],
    include_in_schema=False,
)
async def take(
    case_id: FromPath[UUID],
    body: RawBody,
    visit: NamedDependency[Visit],
    desk: NamedDependency[PageOperator],
    db: NamedDependency[Database],
    clock: NamedDependency[Clock],
) -> Response[bytes]:
    """Take a case, or take it over from whom the page showed."""
    form = visit.read_form(TakeForm, body)
    visit.check_form(form.csrf, "case-take", str(case_id))
    async with db.write() as tx:
        await case.take(
            tx,
            case_id=case_id,
            by=desk.actor,
            reason=parse_reason(form.reason),
            now=clock.now(),
            taken_from=form.taken_from or None,
        )
    return see_other(visit, f"{QUEUE_HREF}?done=taken")


@post(
    "/operator/cases/{case_id:uuid}/decide",
    operation_id="web_operator_case_decide",
    guards=[_CASES],
    include_in_schema=False,
)
async def decide(
    case_id: FromPath[UUID],
    body: RawBody,
    visit: NamedDependency[Visit],
    desk: NamedDependency[PageOperator],
    db: NamedDependency[Database],
    clock: NamedDependency[Clock],
) -> Response[bytes]:
    """Decide; what is missing is asked for again, without showing the citizen's words again."""
    form = visit.read_form(DecideForm, body)
    visit.check_form(form.csrf, "case-decide", str(case_id))
    try:
        outcome = Outcome(form.outcome)
    except ValueError:
        raise Refusal("body_invalid") from None
    try:
        reason = parse_reason(form.reason)
        async with db.write() as tx:
            await case.decide(
                tx,
                case_id=case_id,
                outcome=outcome,
                answer_zh=form.answer_zh,
                answer_en=form.answer_en,
                by=desk.actor,
                reason=reason,
                now=clock.now(),
            )
    except Refusal as refusal:
        fault = _fault_of(refusal)
        if fault is None:
            raise
        again = CaseLookView(
            faults=[fault],
            href=_href(case_id),
            case_id=str(case_id),
            item=None,
            text=None,
            is_open=True,
            may_decide=True,
            form=form,
        )
        return render_desk(visit, "operator_case.html", again, status=422)
    return see_other(visit, f"{QUEUE_HREF}?done=decided")


def _fault_of(refusal: Refusal) -> Fault | None:
    if refusal.code == "reason_missing":
        return Fault("reason", _REASON_FAULT)
    if refusal.code == "case_text_invalid":
        return Fault(str(refusal.facts["member"]), _ANSWER_FAULT)
    return None


def _door(case_id: UUID, form: LookForm, faults: list[Fault]) -> CaseDoorView:
    return CaseDoorView(faults=faults, href=_href(case_id), form=form, case_id=str(case_id))


def _href(case_id: UUID) -> str:
    return f"{QUEUE_HREF}/{case_id}"


def _item(each: Case, programmes: dict[str, ProgrammeWords], today: date) -> QueueItem:
    return QueueItem(
        href=_href(each.case_id),
        about=about_of(each.kind, each.object, programmes),
        opened_at=each.opened_at,
        due_on=each.due_on,
        days_late=days_overdue(each, today),
        taken_by=each.taken_by or "",
    )


ROUTES = [show_queue, show_door, look, take, decide]
