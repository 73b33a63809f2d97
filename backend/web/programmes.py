"""What is on offer: what everybody gets, what it becomes, what is missing, and two buttons."""

from datetime import datetime
from uuid import UUID

import msgspec
from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import RawBody

from backend.kit.clock import Clock
from backend.kit.postgres import Database
from backend.programme import service as programme
from backend.programme.rules.fact import Unit
from backend.programme.rules.offer import PEOPLE_TOLD_IN, Lack, Offer, OfferState, Waiting
from backend.programme.rules.rule import Comparison
from backend.score.rules.advice import Help
from backend.web.programme_words import words_of_document
from backend.web.render import render_page, see_other
from backend.web.session import AnyRequest, Visit, Visitor, signed_in
from backend.web.words import Text

_DONE = {
    "on": Text("已开通", "It is on"),
    "off": Text(
        "已关闭。人人都有的基准服务照旧", "It is off. The service that everybody gets goes on"
    ),
    "waiting": Text(
        "已候补。轮到您时会自动开通并通知您", "You are waiting. When it is your turn you are told"
    ),
    "not-waiting": Text("已退出候补", "You no longer wait"),
}
_WAITING = Text("候补中", "Waiting")
_STATES = {
    OfferState.AVAILABLE: Text("可以开通", "Available"),
    OfferState.ENROLLED: Text("已开通", "On"),
    OfferState.NOT_YET: Text("还差一点", "Not yet"),
    OfferState.SOLD_OUT: Text("名额已满", "No places left"),
    OfferState.JOIN_FIRST: Text("参加后可开通", "Join first"),
    OfferState.CLOSED: Text("未开放", "Not open"),
}
# What is on comes first, then what can be turned on.
_ORDER = (
    OfferState.ENROLLED,
    OfferState.AVAILABLE,
    OfferState.JOIN_FIRST,
    OfferState.SOLD_OUT,
    OfferState.NOT_YET,
    OfferState.CLOSED,
)
_UNITS = {
    Unit.POINTS: Text(" 分", " points"),
    Unit.COUNT: Text("", ""),
    Unit.MONTHS: Text(" 个月", " months"),
    Unit.PERMILLE: Text("%", "%"),
}


class EnrolForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which programme is turned on."""

    programme: str
    csrf: str = ""


class LeaveEnrolmentForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which enrolment is ended."""

    enrolment_id: UUID
    csrf: str = ""


class LeaveWaitingForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which place in a queue is given up."""

    waiting_id: UUID
    csrf: str = ""


class WaitingItem(msgspec.Struct, frozen=True):
    """A place in the queue; `ahead` says before how many, in whole twenties."""

    waiting_id: str
    since: datetime
    ahead: Text
    is_granted: bool


class EnrolmentItem(msgspec.Struct, frozen=True):
    """An enrolment that is on."""

    enrolment_id: str
    enrolled_at: datetime
    is_granted: bool


class OfferItem(msgspec.Struct, frozen=True):
    """One programme; of each group of `missing`, one condition met would be enough.

    `helps` are what to do about it. `can_ask`: for a person to look at what is missing.
    """

    code: str
    name: Text
    baseline: Text
    benefit: Text
    state: Text
    missing: list[list[Text]]
    helps: list[Text]
    can_enrol: bool
    can_wait: bool
    can_ask: bool
    waiting: WaitingItem | None
    enrolment: EnrolmentItem | None


class ProgrammesView(msgspec.Struct, frozen=True):
    """The page of all programmes."""

    done: Text | None
    takes_part: bool
    offers: list[OfferItem]


def programmes_view(offers: list[Offer], *, done: str) -> ProgrammesView:
    """Return the page of what is on offer; `done` is the code of what was just done."""
    return ProgrammesView(
        done=_DONE.get(done),
        takes_part=all(offer.state is not OfferState.JOIN_FIRST for offer in offers),
        offers=[_item(offer) for offer in sorted(offers, key=_place)],
    )


def lack_text(lack: Lack) -> Text:
    """Say what is needed and where the citizen stands: 信用分至少 600 分（您现在 540 分）."""
    at_least = lack.comparison is Comparison.AT_LEAST
    needed, unit = _shown(lack.needed, lack.unit), _UNITS[lack.unit]
    zh = f"{lack.name_zh}{'至少' if at_least else '至多'} {needed}{unit.zh}"
    en = f"{lack.name_en}: {'at least' if at_least else 'at most'} {needed}{unit.en}"
    if lack.current is None:
        return Text(f"{zh}（还没有数据）", f"{en} (no data yet)")
    current = _shown(lack.current, lack.unit)
    return Text(f"{zh}（您现在 {current}{unit.zh}）", f"{en} (yours: {current}{unit.en})")


def help_text(found: Help) -> Text:
    """Say one thing that helps, and what it would give."""
    points = found.gain_points
    return Text(f"{found.text_zh}（约 +{points} 分）", f"{found.text_en} (about +{points} points)")


def _place(offer: Offer) -> int:
    return _ORDER.index(offer.state)


def _shown(value: int, unit: Unit) -> str:
    return f"{value / 10:g}" if unit is Unit.PERMILLE else str(value)


def _item(offer: Offer) -> OfferItem:
    document = offer.programme.document
    words = words_of_document(document)
    enrolment, waiting = offer.enrolment, offer.waiting
    return OfferItem(
        code=document.code,
        name=words.name,
        baseline=words.baseline,
        benefit=words.benefit,
        state=_STATES[offer.state] if waiting is None else _WAITING,
        missing=[[lack_text(lack) for lack in group] for group in offer.missing],
        helps=[help_text(each) for each in offer.helps],
        can_enrol=offer.state is OfferState.AVAILABLE,
        can_wait=offer.state is OfferState.SOLD_OUT and waiting is None,
        can_ask=offer.can_ask,
        waiting=None if waiting is None else _waiting_item(waiting),
        enrolment=None
        if enrolment is None
        else EnrolmentItem(
            str(enrolment.enrolment_id),
            enrolment.enrolled_at,
            is_granted=enrolment.granted_by_case_id is not None,
        ),
    )


def _waiting_item(waiting: Waiting) -> WaitingItem:
    ahead = waiting.people_ahead_told
    return WaitingItem(
        waiting_id=str(waiting.waiting_id),
        since=waiting.since,
        ahead=Text(f"前面至少 {ahead} 人", f"at least {ahead} people before you")
        if ahead
        else Text(
            f"前面不到 {PEOPLE_TOLD_IN} 人", f"fewer than {PEOPLE_TOLD_IN} people before you"
        ),
        is_granted=waiting.granted_by_case_id is not None,
    )


@get("/programmes", operation_id="web_programmes_show", guards=[signed_in], include_in_schema=False)
async def show_programmes(
    request: AnyRequest,
    visit: NamedDependency[Visit],
    visitor: NamedDependency[Visitor],
    db: NamedDependency[Database],
    clock: NamedDependency[Clock],
) -> Response[bytes]:
    """Show every programme as this citizen sees it."""
    async with db.read() as tx:
        offers = await programme.list_offers(tx, subject_id=visitor.subject_id, now=clock.now())
    view = programmes_view(offers, done=request.query_params.get("done", ""))
    return render_page(visit, "programmes.html", view, tab="programmes")


@post(
    "/programmes/enrol",
    operation_id="web_enrolment_create",
    guards=[signed_in],
    include_in_schema=False,
)
async def enrol(
    body: RawBody,
    visit: NamedDependency[Visit],
    visitor: NamedDependency[Visitor],
    db: NamedDependency[Database],
    clock: NamedDependency[Clock],
) -> Response[bytes]:
    """Turn a programme on."""
    form = visit.read_form(EnrolForm, body)
    visit.check_form(form.csrf, "enrol", form.programme)
    async with db.write() as tx:
        await programme.enrol(
            tx,
            subject_id=visitor.subject_id,
            programme_code=form.programme,
            vault=visit.vault,
            now=clock.now(),
        )
    return see_other(visit, "/programmes?done=on")


@post(
    "/programmes/wait",
    operation_id="web_waiting_place_create",
    guards=[signed_in],
    include_in_schema=False,
)
async def wait(
    body: RawBody,
    visit: NamedDependency[Visit],
    visitor: NamedDependency[Visitor],
    db: NamedDependency[Database],
    clock: NamedDependency[Clock],
) -> Response[bytes]:
    """Wait for a seat; one that has become free meanwhile is taken."""
    form = visit.read_form(EnrolForm, body)
    visit.check_form(form.csrf, "wait", form.programme)
    async with db.write() as tx:
        placed = await programme.enrol_or_wait(
            tx,
            subject_id=visitor.subject_id,
            programme_code=form.programme,
            vault=visit.vault,
            now=clock.now(),
        )
    done = "waiting" if isinstance(placed, Waiting) else "on"
    return see_other(visit, f"/programmes?done={done}")


@post(
    "/programmes/waiting/leave",
    operation_id="web_waiting_place_delete",
    guards=[signed_in],
    include_in_schema=False,
)
async def leave_waiting(
    body: RawBody,
    visit: NamedDependency[Visit],
    visitor: NamedDependency[Visitor],
    db: NamedDependency[Database],
) -> Response[bytes]:
    """Wait no longer."""
    form = visit.read_form(LeaveWaitingForm, body)
    visit.check_form(form.csrf, "leave-waiting", str(form.waiting_id))
    async with db.write() as tx:
        await programme.leave_waiting(tx, subject_id=visitor.subject_id, waiting_id=form.waiting_id)
    return see_other(visit, "/programmes?done=not-waiting")


@post(
    "/programmes/leave",
    operation_id="web_enrolment_delete",
    guards=[signed_in],
    include_in_schema=False,
)
async def leave_enrolment(
    body: RawBody,
    visit: NamedDependency[Visit],
    visitor: NamedDependency[Visitor],
    db: NamedDependency[Database],
    clock: NamedDependency[Clock],
) -> Response[bytes]:
    """Turn a programme off; its seat goes to somebody else."""
    form = visit.read_form(LeaveEnrolmentForm, body)
    visit.check_form(form.csrf, "leave-enrolment", str(form.enrolment_id))
    async with db.write() as tx:
        await programme.leave_enrolment(
            tx, subject_id=visitor.subject_id, enrolment_id=form.enrolment_id, now=clock.now()
        )
    return see_other(visit, "/programmes?done=off")


ROUTES = [show_programmes, enrol, wait, leave_waiting, leave_enrolment]
