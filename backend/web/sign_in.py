"""Signing in with a one-time code, and signing out.

What is half done between two pages (the phone, the right code of somebody without an account, the
page to come back to) travels in one sealed cookie: nothing personal is ever part of an address.
"""

import unicodedata
from datetime import datetime, timedelta

import msgspec
from litestar import Response, get, post
from litestar.datastructures import Cookie
from litestar.di import NamedDependency
from litestar.params import RawBody

from backend.access.guard import public
from backend.citizen import service as citizen
from backend.citizen.ports import Sender, SendFailed
from backend.citizen.rules import (
    CODE_DIGITS,
    CODE_LIFE,
    WEB_SESSION_LIFE,
    AccountMissing,
    CodeToSend,
    SessionKind,
    SignedIn,
    SignInFailed,
    SignInThrottled,
    mask_phone,
    parse_phone,
)
from backend.kit.clock import Clock
from backend.kit.ids import token_hash
from backend.kit.log import get_log
from backend.kit.postgres import Database, Tx
from backend.kit.problem import Refusal
from backend.web.cookie import (
    PENDING_SECONDS,
    Pending,
    device_cookie,
    ended_cookie,
    known_cookie,
    knows_phone,
    pending_cookie,
    read_pending,
    session_cookie,
)
from backend.web.form import Fault
from backend.web.render import render_page, see_other
from backend.web.session import (
    PAGES,
    AnyRequest,
    Visit,
    Visitor,
    known_request_uri,
    request_uri_of,
    signed_in,
)
from backend.web.words import Text

log = get_log(__name__)

OPEN = public("people who are not signed in sign in here")


class SignInForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The phone, and where to come back to."""

    phone: str
    to: str = ""
    request_uri: str = ""
    csrf: str = ""


class CodeForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The one-time code."""

    code: str
    csrf: str = ""


class SignOutForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Nothing but the proof that our own page sent it."""

    csrf: str = ""


class SignInView(msgspec.Struct, frozen=True):
    """The page that asks for a phone number."""

    faults: list[Fault]
    is_for_consent: bool
    to: str
    request_uri: str
    phone: str
    hint: Text


class CodeView(msgspec.Struct, frozen=True):
    """The page that asks for the code."""

    faults: list[Fault]
    phone: str
    hint: Text
    again_href: str


_CODE_MINUTES = CODE_LIFE // timedelta(minutes=1)
_PHONE_WRONG = Text(
    "请填写 11 位中国大陆手机号，例如 138 0013 8000",
    "Enter a mainland mobile number of 11 digits, such as 138 0013 8000",
)
_CODE_SHAPE = Text("请填写短信里的六位数字", "Enter the six digits from the message")
_CODE_WRONG = Text(
    "验证码不对，或者已经过期。请核对短信，或重新发送",
    "That code is wrong or too old. Check the message, or send another one",
)


def sign_in_view(
    *, faults: list[Fault], to: str = "", request_uri: str = "", phone: str = ""
) -> SignInView:
    """Return the page that asks for a phone number."""
    return SignInView(
        faults=faults,
        is_for_consent=bool(request_uri),
        to=to,
        request_uri=request_uri,
        phone=phone,
        hint=Text("中国大陆手机号", "A mainland mobile number"),
    )


def code_view(pending: Pending, faults: list[Fault]) -> CodeView:
    """Return the page that asks for the code."""
    return CodeView(
        faults=faults,
        phone=mask_phone(pending.phone),
        hint=Text(
            f"六位数字，{_CODE_MINUTES} 分钟内有效", f"Six digits, good for {_CODE_MINUTES} minutes"
        ),
        again_href=_again_href(pending),
    )


def way_back(*, to: str, request_uri: str) -> str:
    """Return where a sign-in leads: a pushed request's page, a page of the table, or home."""
    if request_uri:
        return f"/consent?request_uri={request_uri}"
    return PAGES.get(to, PAGES["home"])


def _again_href(pending: Pending) -> str:
    if pending.request_uri:
        return f"/sign-in?request_uri={pending.request_uri}"
    return f"/sign-in?to={pending.to}" if pending.to else "/sign-in"


@get("/sign-in", operation_id="web_sign_in_show", guards=[OPEN], include_in_schema=False)
async def show_sign_in(request: AnyRequest, visit: NamedDependency[Visit]) -> Response[bytes]:
    """Ask for a phone number; whoever is signed in already goes straight on."""
    to = request.query_params.get("to", "")
    to = to if to in PAGES else ""
    request_uri = request_uri_of(request)
    if await visit.door.find_visitor(request) is not None:
        return see_other(visit, way_back(to=to, request_uri=request_uri))
    view = sign_in_view(faults=[], to=to, request_uri=request_uri)
    cookies = [device_cookie(visit.site, visit.device)] if visit.is_new_device else []
    return render_page(visit, "sign_in.html", view, cookies=cookies)


@post("/sign-in", operation_id="web_code_send", guards=[OPEN], include_in_schema=False)
async def send_code(
    request: AnyRequest,
    body: RawBody,
    visit: NamedDependency[Visit],
    db: NamedDependency[Database],
    clock: NamedDependency[Clock],
    sender: NamedDependency[Sender],
) -> Response[bytes]:
    """Send a code; the answer is the same whether or not the phone has an account."""
    form = visit.read_form(SignInForm, body)
    visit.check_form(form.csrf, "sign-in")
    to, request_uri = form.to if form.to in PAGES else "", known_request_uri(form.request_uri)
    now = clock.now()
    try:
        phone = parse_phone(form.phone)
    except Refusal:
        faults = [Fault("phone", _PHONE_WRONG)]
        view = sign_in_view(faults=faults, to=to, request_uri=request_uri, phone=form.phone)
        return render_page(visit, "sign_in.html", view, status=422)
    async with db.write() as tx:
        decision = await citizen.request_code(
            tx,
            phone=phone,
            device=visit.device,
            address=visit.address,
            vault=visit.vault,
            now=now,
            is_known=knows_phone(request, visit.site, visit.vault, phone),
        )
    if isinstance(decision, CodeToSend):
        try:
            await sender.send(phone=decision.phone, text=decision.text)
        except SendFailed as failure:
            # The page stays the same: the citizen can ask for another code from there.
            log.error("code_not_sent", exc_info=failure)
    pending = Pending(
        phone=phone,
        code="",
        to=to,
        request_uri=request_uri,
        expires_at=now + timedelta(seconds=PENDING_SECONDS),
    )
    return see_other(visit, "/sign-in/code", seal_pending(visit, pending))


@get("/sign-in/code", operation_id="web_code_show", guards=[OPEN], include_in_schema=False)
async def show_code(
    request: AnyRequest, visit: NamedDependency[Visit], clock: NamedDependency[Clock]
) -> Response[bytes]:
    """Ask for the code that was sent."""
    pending = read_pending(request, visit.site, visit.vault, now=clock.now())
    if pending is None:
        return see_other(visit, "/sign-in")
    return render_page(visit, "code.html", code_view(pending, []))


@post("/sign-in/code", operation_id="web_session_create", guards=[OPEN], include_in_schema=False)
async def open_session(
    request: AnyRequest,
    body: RawBody,
    visit: NamedDependency[Visit],
    db: NamedDependency[Database],
    clock: NamedDependency[Clock],
) -> Response[bytes]:
    """Sign in with the code, or go on to open an account when the phone has none."""
    form = visit.read_form(CodeForm, body)
    visit.check_form(form.csrf, "code")
    now = clock.now()
    pending = read_pending(request, visit.site, visit.vault, now=now)
    if pending is None:
        return see_other(visit, "/sign-in")
    # Chinese keyboards offer full-width digits, and messages are copied with their spaces.
    code = "".join(unicodedata.normalize("NFKC", form.code).split())
    if not (code.isascii() and code.isdigit() and len(code) == CODE_DIGITS):
        view = code_view(pending, [Fault("code", _CODE_SHAPE)])
        return render_page(visit, "code.html", view, status=422)
    former = await visit.door.find_visitor(request)
    async with db.write() as tx:
        decision = await citizen.sign_in(
            tx,
            phone=pending.phone,
            code=code,
            device=visit.device,
            address=visit.address,
            vault=visit.vault,
            now=now,
            jkt=None,
            kind=SessionKind.WEB,
            is_known=knows_phone(request, visit.site, visit.vault, pending.phone),
        )
        await end_former(tx, former, decision, now=now)
    match decision:
        case SignedIn():
            return enter(visit, pending, decision)
        case AccountMissing():
            known = msgspec.structs.replace(pending, code=code)
            return see_other(visit, "/register", seal_pending(visit, known))
        case SignInThrottled(retry_after_seconds=wait):
            raise Refusal("sign_in_throttled", retry_after_seconds=wait)
        case SignInFailed():
            view = code_view(pending, [Fault("code", _CODE_WRONG)])
            return render_page(visit, "code.html", view, status=422)


@post("/sign-out", operation_id="web_session_end", guards=[signed_in], include_in_schema=False)
async def end_session(
    request: AnyRequest,
    body: RawBody,
    visit: NamedDependency[Visit],
    visitor: NamedDependency[Visitor],
    db: NamedDependency[Database],
    clock: NamedDependency[Clock],
) -> Response[bytes]:
    """End the session here and on the server."""
    form = visit.read_form(SignOutForm, body)
    visit.check_form(form.csrf, "sign-out")
    async with db.write() as tx:
        await citizen.end_session(tx, token_hash=token_hash(visitor.token), now=clock.now())
    return see_other(visit, "/sign-in", ended_cookie(visit.site, ""))


async def end_former(tx: Tx, former: Visitor | None, decision: object, *, now: datetime) -> None:
    """End the session a browser had before it got another: its cookie is about to be lost."""
    if former is not None and isinstance(decision, SignedIn):
        await citizen.end_session(tx, token_hash=token_hash(former.token), now=now)


def enter(visit: Visit, pending: Pending, signed: SignedIn) -> Response[bytes]:
    """Lead a citizen who has just signed in to where they were going."""
    seconds = WEB_SESSION_LIFE // timedelta(seconds=1)
    href = way_back(to=pending.to, request_uri=pending.request_uri)
    return see_other(
        visit,
        href,
        session_cookie(visit.site, signed.token, seconds=seconds),
        known_cookie(visit.site, visit.vault, pending.phone, device=visit.device),
        ended_cookie(visit.site, "pending"),
    )


def seal_pending(visit: Visit, pending: Pending) -> Cookie:
    """Return the cookie that carries a half-done sign-in to the next page."""
    return pending_cookie(visit.site, visit.vault, pending, device=visit.device)


ROUTES = [
    show_sign_in,
    send_code,
    show_code,
    open_session,
    end_session,
]
