"""Opening an account: for the owner of a phone who gave a right code and has none yet."""

import msgspec
from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import RawBody

from backend.access.guard import public
from backend.citizen import service as citizen
from backend.citizen.ports import IdentityRegister
from backend.citizen.rules import (
    IdentityNotConfirmed,
    SessionKind,
    SignedIn,
    SignInFailed,
    SignInThrottled,
    mask_phone,
)
from backend.kit.clock import Clock
from backend.kit.postgres import Database
from backend.kit.problem import Refusal
from backend.web.cookie import Pending, read_pending
from backend.web.form import Fault
from backend.web.render import render_page, see_other
from backend.web.session import AnyRequest, Visit
from backend.web.sign_in import end_former, enter
from backend.web.words import Text

OPEN = public("people without an account open one here, with a code sent to their phone")


class RegisterForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who the owner of the phone is."""

    name: str
    national_id: str
    csrf: str = ""


class RegisterView(msgspec.Struct, frozen=True):
    """The page that opens an account."""

    faults: list[Fault]
    phone: str
    name: str
    name_hint: Text
    national_id: str
    national_id_hint: Text


_NOT_CONFIRMED = Text(
    "姓名、身份证号和手机号不是登记在同一个人名下。请核对",
    "Name, national id and phone are not registered to one person. Check them",
)
# What the rules refuse on the registration form: the field, and how to put it right.
_REGISTER_FAULTS = {
    "national_id_invalid": Fault(
        "national_id",
        Text(
            "身份证号不对。请按证件填写全部 18 位，末位可能是 X",
            "That national id is not right. Enter all 18 characters; the last may be an X",
        ),
    ),
    "name_invalid": Fault(
        "name",
        Text(
            "请按身份证填写姓名，2 到 50 个字，只用汉字、间隔号或拉丁字母",
            "Enter your name as on your id, 2 to 50 characters: Han characters, "
            "the interpunct, or Latin letters",
        ),
    ),
    "under_age": Fault(
        "national_id",
        Text(
            "须年满 18 周岁才能建立账户。人人都有的基准服务不受影响",
            "You must be 18 or older to open an account. The service that everybody gets goes on",
        ),
    ),
    "account_exists": Fault(
        "national_id",
        Text(
            "这个身份证号或手机号已经有账户。请用登记的手机号登录",
            "This national id or phone has an account. Sign in with the phone it was opened with",
        ),
    ),
}


def register_view(pending: Pending, form: RegisterForm, faults: list[Fault]) -> RegisterView:
    """Return the page that opens an account, filled in as it was sent."""
    return RegisterView(
        faults=faults,
        phone=mask_phone(pending.phone),
        name=form.name,
        name_hint=Text("与身份证上的完全一样", "Exactly as on your id card"),
        national_id=form.national_id,
        national_id_hint=Text(
            "18 位。居民身份证，或港澳台居民居住证",
            "18 characters. Resident id or residence permit",
        ),
    )


@get("/register", operation_id="web_account_show", guards=[OPEN], include_in_schema=False)
async def show_register(
    request: AnyRequest, visit: NamedDependency[Visit], clock: NamedDependency[Clock]
) -> Response[bytes]:
    """Ask the owner of a phone without an account who they are."""
    pending = read_pending(request, visit.site, visit.vault, now=clock.now())
    if pending is None or not pending.code:
        return see_other(visit, "/sign-in")
    view = register_view(pending, RegisterForm(name="", national_id=""), [])
    return render_page(visit, "register.html", view)


@post("/register", operation_id="web_account_create", guards=[OPEN], include_in_schema=False)
async def open_account(
    request: AnyRequest,
    body: RawBody,
    visit: NamedDependency[Visit],
    db: NamedDependency[Database],
    clock: NamedDependency[Clock],
    identity_register: NamedDependency[IdentityRegister],
) -> Response[bytes]:
    """Open the account and sign in; what is wrong is said at its field."""
    form = visit.read_form(RegisterForm, body)
    visit.check_form(form.csrf, "register")
    now = clock.now()
    pending = read_pending(request, visit.site, visit.vault, now=now)
    if pending is None or not pending.code:
        return see_other(visit, "/sign-in")
    former = await visit.door.find_visitor(request)
    try:
        async with db.write() as tx:
            decision = await citizen.register(
                tx,
                phone=pending.phone,
                code=pending.code,
                national_id=form.national_id,
                name=form.name,
                device=visit.device,
                address=visit.address,
                identity=identity_register,
                vault=visit.vault,
                now=now,
                jkt=None,
                kind=SessionKind.WEB,
            )
            await end_former(tx, former, decision, now=now)
    except Refusal as refusal:
        if refusal.code not in _REGISTER_FAULTS:
            raise
        return _register_again(visit, pending, form, [_REGISTER_FAULTS[refusal.code]])
    match decision:
        case SignedIn():
            return enter(visit, pending, decision)
        case IdentityNotConfirmed():
            return _register_again(visit, pending, form, [Fault("national_id", _NOT_CONFIRMED)])
        case SignInThrottled(retry_after_seconds=wait):
            raise Refusal("sign_in_throttled", retry_after_seconds=wait)
        case SignInFailed():
            raise Refusal("sign_in_failed")


def _register_again(
    visit: Visit, pending: Pending, form: RegisterForm, faults: list[Fault]
) -> Response[bytes]:
    return render_page(visit, "register.html", register_view(pending, form, faults), status=422)


ROUTES = [show_register, open_account]
