"""What a page says when something can't be done: the problem's code in words for people."""

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException
from msgspec.structs import replace

from backend.kit.http import RETRY_AFTER_SECONDS, request_id_of
from backend.kit.log import get_log
from backend.kit.metric import REFUSALS
from backend.kit.problem import PROBLEMS, Refusal
from backend.web.error_words import DESK, ErrorWords, words_of
from backend.web.render import render_page, see_other
from backend.web.session import SignInNeeded, visit_of

log = get_log(__name__)
AnyRequest = Request[Any, Any, Any]
EMPTY: Mapping[str, object] = MappingProxyType({})


class ErrorView(msgspec.Struct, frozen=True):
    """The page of a refusal; `code` and `request_id` are for whoever helps."""

    words: ErrorWords
    until: datetime | None
    code: str
    request_id: str


_CODES_BY_STATUS = {
    400: "body_invalid",
    404: "not_found",
    405: "method_not_allowed",
    413: "body_too_large",
    415: "media_type_unsupported",
}


def error_view(code: str, facts: Mapping[str, object], *, request_id: str) -> ErrorView:
    """Return the page of a refusal code; of its facts, the one a citizen can use is `until`."""
    problem = PROBLEMS[code]
    until = facts.get("until")
    return ErrorView(
        words=words_of(code, title=problem.title, title_zh=problem.title_zh),
        until=until if isinstance(until, datetime) else None,
        code=code,
        request_id=request_id,
    )


def error_page(
    request: AnyRequest, code: str, facts: Mapping[str, object] = EMPTY
) -> Response[bytes]:
    """Answer a request of a browser with the page of a refusal code and its status."""
    status = PROBLEMS[code].status
    REFUSALS.labels(code).inc()
    view = error_view(code, facts, request_id=request_id_of(request))
    if request.url.path.startswith("/operator"):
        view = replace(view, words=replace(view.words, way_on=DESK))
    response = render_page(visit_of(request), "error.html", view, status=status)
    wait = facts.get("retry_after_seconds", RETRY_AFTER_SECONDS if status == 503 else None)
    if wait is not None:
        response.headers["Retry-After"] = str(wait)
    return response


def wants_page(request: AnyRequest) -> bool:
    """Tell whether an address without a route was asked for by a person's browser."""
    path = request.url.path
    if path.startswith(("/v1/", "/oauth/", "/.well-known/", "/health/", "/metrics")):
        return False
    return "text/html" in request.headers.get("accept", "")


def on_page_refusal(request: AnyRequest, refusal: Refusal) -> Response[bytes]:
    """Answer a refusal of a rule or service with a page."""
    return error_page(request, refusal.code, refusal.facts)


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
