"""What a page says when something can't be done: the problem's code in words for people."""

from typing import Any

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException

from backend.kit.http import RETRY_AFTER_SECONDS, request_id_of
from backend.kit.log import get_log
from backend.kit.metric import REFUSALS
from backend.kit.problem import PROBLEMS, Refusal
from backend.web.render import render_page, see_other
from backend.web.session import SignInNeeded, visit_of
from backend.web.words import NOTHING, Text

log = get_log(__name__)
AnyRequest = Request[Any, Any, Any]


class WayOn(msgspec.Struct, frozen=True):
    """Where a page leads on to."""

    href: str
    text: Text


class ErrorView(msgspec.Struct, frozen=True):
    """The page of a refusal; `code` and `request_id` are for whoever helps."""

    title: Text
    detail: Text
    way_on: WayOn | None
    code: str
    request_id: str


_HOME = WayOn("/", Text("回到首页", "Go to the home page"))
_SIGN_IN = WayOn("/sign-in", Text("重新登录", "Sign in again"))
_PROGRAMMES = WayOn("/programmes", Text("回到项目", "Back to benefits"))

# What PROBLEMS says to programs, said to people. A code without an entry shows its title alone.
_WORDS: dict[str, tuple[Text, WayOn | None]] = {
    "authorization_request_gone": (
        Text(
            "这次请求已经过期，或者您已经答复过。什么都没有改变。请回到商户那里重新开始。",
            "It has expired, or you have answered it already. Nothing has changed. "
            "Go back to the merchant and start again.",
        ),
        _HOME,
    ),
    "body_invalid": (
        Text(
            "表单没有完整到达。请返回上一页再试一次。",
            "The form did not arrive whole. Go back one page and try again.",
        ),
        _HOME,
    ),
    "consent_cooldown": (
        Text(
            "您最近拒绝过这家商户的同一请求，一段时间内它不能再问您。什么都没有改变，您可以关闭此页。",
            "You refused this merchant the same request not long ago, so it may not ask again "
            "for a while. Nothing has changed; you can close this page.",
        ),
        _HOME,
    ),
    "cookie_missing": (
        Text(
            "您的浏览器没有保存 Cookie，所以我们不知道是谁填写了表单。"
            "请允许本网站使用 Cookie，然后重新开始。",
            "Your browser keeps no cookies, so we can't tell who filled in the form. "
            "Allow cookies for this site, then start again.",
        ),
        _SIGN_IN,
    ),
    "form_foreign": (
        Text(
            "这张表单不是从我们的页面发出的，或者打开得太久了。什么都没有改变。请重新打开页面再试。",
            "The form did not come from our page, or was open for too long. Nothing has changed. "
            "Open the page again and try once more.",
        ),
        _HOME,
    ),
    "internal": (
        Text(
            "什么都没有改变。请稍后再试。",
            "Nothing has changed. Please try again in a while.",
        ),
        _HOME,
    ),
    "not_found": (
        Text(
            "地址可能打错了，或者它不属于您。",
            "The address may be mistyped, or what it names is not yours.",
        ),
        _HOME,
    ),
    "seat_sold_out": (
        Text(
            "名额刚刚用完。有人退出时名额会空出来，您可以过些时候再来。",
            "The last place has just gone. Places come free when people leave; try again later.",
        ),
        _PROGRAMMES,
    ),
    "too_many_requests": (
        Text(
            "试的次数太多了。为了保护您的账户，请过几分钟再试。",
            "There were too many tries. To protect your account, wait a few minutes.",
        ),
        _SIGN_IN,
    ),
    "unavailable": (
        Text(
            "我们的系统暂时不在。什么都没有丢失，请过一会儿再试。",
            "Our system is away for a moment. Nothing is lost; try again in a little while.",
        ),
        _HOME,
    ),
}

_CODES_BY_STATUS = {
    400: "body_invalid",
    404: "not_found",
    405: "method_not_allowed",
    413: "body_too_large",
    415: "media_type_unsupported",
}


def error_view(code: str, *, request_id: str) -> ErrorView:
    """Return the page of a refusal code."""
    problem = PROBLEMS[code]
    detail, way_on = _WORDS.get(code, (NOTHING, _HOME))
    return ErrorView(Text(problem.title_zh, problem.title), detail, way_on, code, request_id)


def error_page(
    request: AnyRequest, code: str, *, retry_after_seconds: int | None = None
) -> Response[bytes]:
    """Answer a request of a browser with the page of a refusal code and its status."""
    status = PROBLEMS[code].status
    REFUSALS.labels(code).inc()
    response = render_page(
        visit_of(request),
        "error.html",
        error_view(code, request_id=request_id_of(request)),
        status=status,
    )
    if retry_after_seconds is None and status == 503:
        retry_after_seconds = RETRY_AFTER_SECONDS
    if retry_after_seconds is not None:
        response.headers["Retry-After"] = str(retry_after_seconds)
    return response


def wants_page(request: AnyRequest) -> bool:
    """Tell whether an address without a route was asked for by a person's browser."""
    path = request.url.path
    if path.startswith(("/v1/", "/oauth/", "/.well-known/", "/health/", "/metrics")):
        return False
    return "text/html" in request.headers.get("accept", "")


def on_page_refusal(request: AnyRequest, refusal: Refusal) -> Response[bytes]:
    """Answer a refusal of a rule or service with a page."""
    wait = refusal.facts.get("retry_after_seconds")
    return error_page(
        request, refusal.code, retry_after_seconds=wait if isinstance(wait, int) else None
    )


def on_page_framework_error(request: AnyRequest, error: HTTPException) -> Response[bytes]:
    """Answer what the framework refused by itself with a page."""
    return error_page(request, _CODES_BY_STATUS.get(error.status_code, "internal"))


def on_page_fault(request: AnyRequest, fault: Exception) -> Response[bytes]:
    """Answer a programmer's error with a page: the citizen learns nothing but the request id."""
    log.error("request_failed", exc_info=fault)
    return error_page(request, "internal")


def on_sign_in_needed(request: AnyRequest, needed: SignInNeeded) -> Response[bytes]:
    """Lead somebody who is not signed in to the sign-in page."""
    return see_other(visit_of(request), needed.href)
