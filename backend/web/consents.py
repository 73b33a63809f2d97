"""The citizen's consents: each can be withdrawn with one press, at once."""

from datetime import datetime
from uuid import UUID

import msgspec
from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import RawBody

from backend.consent import service as consent
from backend.consent.rules import ConsentListed, State, Terms, state_of
from backend.kit.clock import Clock
from backend.kit.page import PAGE_SIZE_DEFAULT
from backend.kit.postgres import Database
from backend.web.consent import OrderAsk, order_ask
from backend.web.programme_words import ProgrammeWords, name_of, programme_words
from backend.web.render import render_page, see_other
from backend.web.session import AnyRequest, Visit, Visitor, signed_in
from backend.web.words import Text

_DONE = {"withdrawn": Text("授权已撤回，立即生效", "Consent withdrawn. It is off as of now")}
_STATES = {
    State.GIVEN: Text("有效", "Live"),
    State.WITHDRAWN: Text("已撤回", "Withdrawn"),
    State.EXPIRED: Text("已到期", "Expired"),
    State.ENDED: Text("已结束", "Ended"),
}


class WithdrawForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which consent is withdrawn."""

    consent_id: UUID
    csrf: str = ""


class ConsentItem(msgspec.Struct, frozen=True):
    """One consent on the page; `ended_at` is None while it is in force.

    `order` says what may be opened on credit; it is None where only eligibility is checked.
    """

    consent_id: str
    partner: Text
    purpose: Text
    programme: Text
    order: OrderAsk | None
    state: Text
    is_live: bool
    given_at: datetime
    expires_at: datetime
    ended_at: datetime | None


class ConsentsView(msgspec.Struct, frozen=True):
    """One page of consents, those in force first."""

    done: Text | None
    consents: list[ConsentItem]
    next_href: str


def consents_view(
    items: list[ConsentListed],
    *,
    programmes: dict[str, ProgrammeWords],
    done: str,
    next_cursor: str | None,
    now: datetime,
) -> ConsentsView:
    """Return the page of a citizen's consents; `done` is the code of what was just done."""
    shown = [_item(item, programmes, now) for item in items]
    return ConsentsView(
        done=_DONE.get(done),
        consents=sorted(shown, key=lambda item: not item.is_live),
        next_href=f"/consents?cursor={next_cursor}" if next_cursor else "",
    )


def _item(item: ConsentListed, programmes: dict[str, ProgrammeWords], now: datetime) -> ConsentItem:
    state = state_of(
        expires_at=item.expires_at, ended_at=item.ended_at, end_reason=item.end_reason, now=now
    )
    purpose = consent.get_purpose(item.purpose)
    terms = msgspec.convert(item.detail, Terms)
    return ConsentItem(
        consent_id=str(item.consent_id),
        partner=Text(item.partner_name_zh, item.partner_name_en),
        purpose=Text(purpose.name_zh, purpose.name_en),
        programme=name_of(programmes, item.programme_code),
        order=order_ask(terms) if terms.is_for_orders else None,
        state=_STATES[state],
        is_live=state is State.GIVEN,
        given_at=item.given_at,
        expires_at=item.expires_at,
        ended_at=item.expires_at if state is State.EXPIRED else item.ended_at,
    )


@get("/consents", operation_id="web_consents_show", guards=[signed_in], include_in_schema=False)
async def show_consents(
    request: AnyRequest,
    visit: NamedDependency[Visit],
    visitor: NamedDependency[Visitor],
    db: NamedDependency[Database],
    clock: NamedDependency[Clock],
) -> Response[bytes]:
    """Show the consents, newest first."""
    async with db.read() as tx:
        page = await consent.list_consents(
            tx,
            subject_id=visitor.subject_id,
            cursor=request.query_params.get("cursor"),
            page_size=PAGE_SIZE_DEFAULT,
        )
        programmes = await programme_words(tx)
    view = consents_view(
        page.items,
        programmes=programmes,
        done=request.query_params.get("done", ""),
        next_cursor=page.next_cursor,
        now=clock.now(),
    )
    return render_page(visit, "consents.html", view, tab="consents")


@post(
    "/consents/withdraw",
    operation_id="web_consent_withdraw",
    guards=[signed_in],
    include_in_schema=False,
)
async def withdraw(
    body: RawBody,
    visit: NamedDependency[Visit],
    visitor: NamedDependency[Visitor],
    db: NamedDependency[Database],
    clock: NamedDependency[Clock],
) -> Response[bytes]:
    """Withdraw a consent; a consent of somebody else's is not found (404)."""
    form = visit.read_form(WithdrawForm, body)
    visit.check_form(form.csrf, "withdraw", str(form.consent_id))
    async with db.write() as tx:
        await consent.withdraw(
            tx, subject_id=visitor.subject_id, consent_id=form.consent_id, now=clock.now()
        )
    return see_other(visit, "/consents?done=withdrawn")


ROUTES = [show_consents, withdraw]
