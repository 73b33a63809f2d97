"""The consent page: rendered from the pushed request, answered in one transaction.

The page says what RFC 9396 section 13 asks a consent screen to say, from the request itself and
from the cap table of its purpose; nothing on it can be worded by the partner but the names the
city registered. The two answers are the same size and colour (个人信息保护法 14 to 16).
"""

from datetime import datetime, timedelta
from typing import Any, Literal

import msgspec
from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import RawBody

from backend.citizen import service as citizen
from backend.citizen.rules import Profile
from backend.consent import service as consent
from backend.consent.rules import Terms
from backend.kit.clock import Clock
from backend.kit.money import format_yuan
from backend.kit.postgres import Database, ReadTx, Tx
from backend.kit.problem import Refusal
from backend.oauth import service as oauth
from backend.oauth.rules.request import AuthorizationRequest
from backend.partner import service as partner
from backend.web.programme_words import ProgrammeWords, programme_words
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


class AnswerForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The citizen's answer to one pushed request."""

    request_uri: str
    answer: Literal["accept", "refuse"]
    csrf: str = ""


class OrderAsk(msgspec.Struct, frozen=True):
    """What a partner asks to open on credit: up to how much, and by what each is confirmed."""

    amount: Text
    confirm: Text


class ConsentView(msgspec.Struct, frozen=True):
    """Who asks what, why, for how long, how often, and what happens without it.

    `order` is None where nothing but eligibility is checked.
    """

    partner: Text
    client: Text
    programme: Text
    benefit: Text
    order: OrderAsk | None
    data_kinds: list[Text]
    purpose: Text
    until: datetime
    days: int
    frequency: Text
    baseline: Text
    takes_part: bool
    phone: str
    request_uri: str


def order_ask(terms: Terms) -> OrderAsk:
    """Return what a consent on these terms lets a partner open."""
    amount = Text("不超过该项目规定的上限", "up to what the programme allows")
    if terms.amount_max_fen is not None:
        yuan = format_yuan(terms.amount_max_fen)
        amount = Text(
            f"每笔最多 {yuan} 元，且不超过该项目规定的上限",
            f"at most {yuan} yuan each, and never more than the programme allows",
        )
    if terms.confirm == "citizen":
        confirm = Text(
            "每一笔都要您在信用+确认后才生效；30 天内不确认即作废",
            "Each takes effect only once you confirm it in Credit+, or lapses after 30 days",
        )
    else:
        confirm = Text(
            "您现在同意后，每一笔直接生效，不再逐笔确认；每一笔您都会收到通知",
            "After you agree here, each takes effect without asking again; you hear of each",
        )
    return OrderAsk(amount, confirm)


def consent_view(
    request: AuthorizationRequest,
    *,
    request_uri: str,
    terms: Terms,
    programme: ProgrammeWords,
    profile: Profile,
    now: datetime,
) -> ConsentView:
    """Return the page of a pushed request; `terms` are what a consent given now would hold."""
    purpose = consent.get_purpose(terms.purpose)
    kinds = [consent.DATA_KINDS[code] for code in terms.data_kinds]
    return ConsentView(
        partner=Text(request.partner_name_zh, request.partner_name_en),
        client=Text(request.client_name_zh, request.client_name_en),
        programme=programme.name,
        benefit=programme.benefit,
        order=order_ask(terms) if terms.is_for_orders else None,
        data_kinds=[Text(kind.name_zh, kind.name_en) for kind in kinds],
        purpose=Text(purpose.text_zh, purpose.text_en),
        until=now + timedelta(days=terms.days),
        days=terms.days,
        frequency=Text(f"每天最多 {terms.per_day} 次", f"At most {terms.per_day} times a day"),
        baseline=programme.baseline,
        takes_part=profile.participation is not None,
        phone=profile.phone_masked,
        request_uri=request_uri,
    )


@get("/consent", operation_id="web_consent_show", guards=[signed_in], include_in_schema=False)
async def show_consent(
    request: AnyRequest,
    visit: NamedDependency[Visit],
    visitor: NamedDependency[Visitor],
    db: NamedDependency[Database],
    clock: NamedDependency[Clock],
) -> Response[bytes]:
    """Show a pushed request to the citizen; nothing changes by looking.

    Answers authorization_request_gone (410), consent_cooling_down (409), consent_beyond_cap (422).
    """
    request_uri, now = request_uri_of(request), clock.now()
    async with db.read() as tx:
        asked = await oauth.get_request(tx, request_uri=request_uri, now=now)
        terms = await _terms_of(tx, asked, visitor, now=now)
        programmes = await programme_words(tx)
        profile = await citizen.get_profile(tx, subject_id=visitor.subject_id, vault=visit.vault)
    view = consent_view(
        asked,
        request_uri=request_uri,
        terms=terms,
        programme=programmes[terms.programme],
        profile=profile,
        now=now,
    )
    return render_page(visit, "consent.html", view, form_target=asked.parameters.redirect_uri)


@post("/consent", operation_id="web_consent_answer", guards=[signed_in], include_in_schema=False)
async def answer_consent(
    body: RawBody,
    visit: NamedDependency[Visit],
    visitor: NamedDependency[Visitor],
    db: NamedDependency[Database],
    clock: NamedDependency[Clock],
) -> Response[bytes]:
    """Take the citizen's answer, and lead back to the client with a code or access_denied.

    The first answer uses the request up; a second one is authorization_request_gone (410).
    """
    form = visit.read_form(AnswerForm, body)
    visit.check_form(form.csrf, "consent", form.request_uri)
    request_uri, now = known_request_uri(form.request_uri), clock.now()
    async with db.write() as tx:
        if form.answer == "accept":
            href = await _accept(tx, visit, visitor, request_uri=request_uri, now=now)
        else:
            href = await _refuse(tx, visitor, request_uri=request_uri, now=now)
    return see_other(visit, href)


async def _terms_of(
    tx: ReadTx, asked: AuthorizationRequest, visitor: Visitor, *, now: datetime
) -> Terms:
    """Return what a consent would hold, unless the citizen may not be asked."""
    client = await partner.find_client(tx, client_id=asked.client_id)
    assert client is not None, "an open request has a client"
    terms = consent.decide_terms(_detail(asked), client=client)
    until = await consent.check_cooldown(
        tx,
        subject_id=visitor.subject_id,
        partner_id=asked.partner_id,
        purpose=terms.purpose,
        now=now,
    )
    if until is not None:
        raise Refusal("consent_cooling_down", until=until)
    return terms


async def _accept(
    tx: Tx, visit: Visit, visitor: Visitor, *, request_uri: str, now: datetime
) -> str:
    """Give the consent and the grant that stands on it; returns where the browser goes."""
    asked = await oauth.get_request(tx, request_uri=request_uri, now=now)
    given = await consent.give(
        tx,
        subject_id=visitor.subject_id,
        client_id=asked.client_id,
        detail=_detail(asked),
        now=now,
    )
    return await oauth.approve(
        tx,
        request_uri=request_uri,
        subject_id=visitor.subject_id,
        consent_id=given.consent_id,
        details=asked.parameters.details,
        expires_at=given.expires_at,
        vault=visit.vault,
        now=now,
    )


async def _refuse(tx: Tx, visitor: Visitor, *, request_uri: str, now: datetime) -> str:
    """Note the no, with its cool-down; returns where the browser goes."""
    asked = await oauth.get_request(tx, request_uri=request_uri, now=now)
    await consent.refuse(
        tx,
        subject_id=visitor.subject_id,
        partner_id=asked.partner_id,
        purpose=asked.detail.purpose,
        now=now,
    )
    return await oauth.deny(tx, request_uri=request_uri, now=now)


def _detail(asked: AuthorizationRequest) -> dict[str, Any]:
    detail: dict[str, Any] = msgspec.to_builtins(asked.detail)
    return detail


ROUTES = [show_consent, answer_consent]
