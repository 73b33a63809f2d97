"""The operators' own door and home: signing in with a second factor, setting up, signing out."""

import unicodedata
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import msgspec
from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import RawBody

from backend.access.guard import public
from backend.access.rules import OPERATOR_SCOPES, Scope
from backend.kit.clock import Clock
from backend.kit.ids import token_hash
from backend.kit.postgres import Database
from backend.kit.problem import Refusal
from backend.operator import service as operator
from backend.operator.desk import OperatorDesk
from backend.operator.rules import (
    LOGIN_LONGEST,
    PASSWORD_LONGEST,
    PASSWORD_SHORTEST,
    SESSION_LIFE,
    SessionKind,
    SignedIn,
    SignInThrottled,
)
from backend.operator.service import Knock, SetUp
from backend.web.cookie import (
    device_cookie,
    ended_cookie,
    known_login_cookie,
    knows_login,
    operator_cookie,
)
from backend.web.form import Fault
from backend.web.operator_page import HOME_HREF, SIGN_IN_HREF, operator_page, render_desk
from backend.web.operator_session import PageOperator
from backend.web.render import render_page, see_other
from backend.web.session import AnyRequest, Visit
from backend.web.words import Text

_OPEN = public("operators who are not signed in sign in here")

ROLE_WORDS = {
    "programmes": Text("项目", "Programmes"),
    "data": Text("数据", "Data"),
    "cases": Text("工单", "Cases"),
    "security": Text("安全", "Security"),
    "audit": Text("审计", "Audit"),
}
_WRONG = Text(
    "账号、密码或六位数字不对，或者这组数字已经用过。请等下一组数字再试",
    "The login, password or digits are wrong, or those digits were used. Wait for the next ones",
)
_CODE_WRONG = Text("账号或设置码不对，或者已经过期", "The login or the code is wrong, or too old")
_DIFFERENT = Text("两次输入的密码不一样", "The two passwords differ")
_PASSWORD_HINT = Text(
    f"至少 {PASSWORD_SHORTEST} 个字符，不要用账号本身",
    f"At least {PASSWORD_SHORTEST} characters, and not the login",
)


class OperatorSignInForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Login, password and the digits of the second factor."""

    login: str
    password: str
    totp: str
    csrf: str = ""


class OperatorSetUpForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The code of whoever added the operator, and a password of their own, twice."""

    login: str
    set_up_code: str
    password: str
    again: str
    csrf: str = ""


class OperatorSignOutForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Nothing but the proof that our own page sent it."""

    csrf: str = ""


class OperatorSignInView(msgspec.Struct, frozen=True):
    """The page that signs an operator in."""

    faults: list[Fault]
    login: str


class OperatorSetUpView(msgspec.Struct, frozen=True):
    """The page that sets an operator up."""

    faults: list[Fault]
    login: str
    hint: Text


class OperatorFactorView(msgspec.Struct, frozen=True):
    """The second factor, shown this once; `key` in fours, as people type it."""

    totp_uri: str
    key: str


class OperatorHomeView(msgspec.Struct, frozen=True):
    """Who is signed in, and with which roles."""

    login: str
    roles: list[Text]


@get(
    SIGN_IN_HREF, operation_id="web_operator_sign_in_show", guards=[_OPEN], include_in_schema=False
)
async def show_sign_in(request: AnyRequest, visit: NamedDependency[Visit]) -> Response[bytes]:
    """Ask for login, password and digits; whoever is signed in already goes straight on."""
    if await visit.door.find_operator(request) is not None:
        return see_other(visit, HOME_HREF)
    return _open_page(visit, "operator_sign_in.html", OperatorSignInView([], ""))


@post(
    SIGN_IN_HREF,
    operation_id="web_operator_session_create",
    guards=[_OPEN],
    include_in_schema=False,
)
async def open_session(
    request: AnyRequest,
    body: RawBody,
    visit: NamedDependency[Visit],
    db: NamedDependency[Database],
    clock: NamedDependency[Clock],
    operator_desk: NamedDependency[OperatorDesk],
) -> Response[bytes]:
    """Sign in; what is wrong isn't told."""
    form = visit.read_form(OperatorSignInForm, body)
    visit.check_form(form.csrf, "operator-sign-in")
    login = form.login.strip()[: LOGIN_LONGEST + 1]
    former = await visit.door.find_operator(request)
    decision = await operator_desk.sign_in(
        _knock(request, visit, login),
        password=form.password[: PASSWORD_LONGEST + 1],
        # Chinese keyboards offer full-width digits, and apps show the six in two groups.
        code="".join(unicodedata.normalize("NFKC", form.totp).split()),
        kind=SessionKind.WEB,
    )
    if isinstance(decision, SignInThrottled):
        raise Refusal("sign_in_throttled", retry_after_seconds=decision.retry_after_seconds)
    if not isinstance(decision, SignedIn):
        view = OperatorSignInView([Fault("login", _WRONG)], login)
        return render_page(visit, "operator_sign_in.html", view, status=422)
    if former is not None:
        async with db.write() as tx:
            await operator.end_session(tx, token_hash=token_hash(former.token), now=clock.now())
    seconds = SESSION_LIFE // timedelta(seconds=1)
    return see_other(
        visit,
        HOME_HREF,
        operator_cookie(visit.site, decision.token, seconds=seconds),
        known_login_cookie(visit.site, visit.vault, login, device=visit.device),
    )


@get(
    "/operator/set-up",
    operation_id="web_operator_set_up_show",
    guards=[_OPEN],
    include_in_schema=False,
)
async def show_set_up(visit: NamedDependency[Visit]) -> Response[bytes]:
    """Ask a new or reset operator for their code and a password."""
    return _open_page(visit, "operator_set_up.html", OperatorSetUpView([], "", _PASSWORD_HINT))


@post(
    "/operator/set-up", operation_id="web_operator_set_up", guards=[_OPEN], include_in_schema=False
)
async def set_up(
    request: AnyRequest,
    body: RawBody,
    visit: NamedDependency[Visit],
    operator_desk: NamedDependency[OperatorDesk],
) -> Response[bytes]:
    """Set an operator up and show the second factor, this once."""
    form = visit.read_form(OperatorSetUpForm, body)
    visit.check_form(form.csrf, "operator-set-up")
    login = form.login.strip()[: LOGIN_LONGEST + 1]

    def again(field: str, text: Text) -> Response[bytes]:
        view = OperatorSetUpView([Fault(field, text)], login, _PASSWORD_HINT)
        return render_page(visit, "operator_set_up.html", view, status=422)

    if form.password != form.again:
        return again("again", _DIFFERENT)
    try:
        decision = await operator_desk.set_up(
            _knock(request, visit, login),
            set_up_code=form.set_up_code.strip(),
            password=form.password,
        )
    except Refusal as refusal:
        if refusal.code != "operator_password_weak":
            raise
        return again("password", _PASSWORD_HINT)
    if isinstance(decision, SignInThrottled):
        raise Refusal("sign_in_throttled", retry_after_seconds=decision.retry_after_seconds)
    if not isinstance(decision, SetUp):
        return again("set_up_code", _CODE_WRONG)
    return render_page(visit, "operator_factor.html", _factor_view(decision))


@get(
    HOME_HREF,
    operation_id="web_operator_home_show",
    guards=[operator_page(Scope.OPERATOR)],
    include_in_schema=False,
)
async def show_home(
    visit: NamedDependency[Visit], desk: NamedDependency[PageOperator]
) -> Response[bytes]:
    """Show who is signed in and where their roles lead."""
    principal = desk.principal
    roles = [role for role, scope in OPERATOR_SCOPES.items() if scope in principal.scopes]
    view = OperatorHomeView(principal.login, [ROLE_WORDS[role] for role in roles])
    return render_desk(visit, "operator_home.html", view)


@post(
    "/operator/sign-out",
    operation_id="web_operator_session_end",
    guards=[operator_page(Scope.OPERATOR)],
    include_in_schema=False,
)
async def end_session(
    body: RawBody,
    visit: NamedDependency[Visit],
    desk: NamedDependency[PageOperator],
    db: NamedDependency[Database],
    clock: NamedDependency[Clock],
) -> Response[bytes]:
    """End the session here and on the server."""
    form = visit.read_form(OperatorSignOutForm, body)
    visit.check_form(form.csrf, "operator-sign-out")
    async with db.write() as tx:
        await operator.end_session(tx, token_hash=token_hash(desk.token), now=clock.now())
    return see_other(visit, SIGN_IN_HREF, ended_cookie(visit.site, "operator"))


def _knock(request: AnyRequest, visit: Visit, login: str) -> Knock:
    is_known = knows_login(request, visit.site, visit.vault, login)
    return Knock(login, visit.device, visit.address, is_known)


def _open_page(visit: Visit, template: str, view: msgspec.Struct) -> Response[bytes]:
    cookies = [device_cookie(visit.site, visit.device)] if visit.is_new_device else []
    return render_page(visit, template, view, cookies=cookies)


def _factor_view(done: SetUp) -> OperatorFactorView:
    (secret,) = parse_qs(urlsplit(done.totp_uri).query)["secret"]
    fours = [secret[place : place + 4] for place in range(0, len(secret), 4)]
    return OperatorFactorView(done.totp_uri, " ".join(fours))


ROUTES = [show_sign_in, open_session, show_set_up, set_up, show_home, end_session]
