"""HTTP at the edge: request ids, problem details (RFC 9457), one log line and metric a request."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from http import HTTPStatus
from typing import Annotated, Any, cast
from uuid import UUID

import msgspec
from litestar import Request, Response
from litestar.enums import ScopeType
from litestar.exceptions import (
    ClientException,
    HTTPException,
    InternalServerException,
    MethodNotAllowedException,
    NotFoundException,
    ValidationException,
)
from litestar.middleware import ASGIMiddleware
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import HeaderParameter, ParameterKwarg, QueryParameter
from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send

from backend.kit.clock import SystemClock
from backend.kit.ids import new_id
from backend.kit.log import REQUEST_ID, get_log, log_request
from backend.kit.metric import REFUSALS, observe_request
from backend.kit.page import CURSOR_CHARACTERS_MAX, PAGE_SIZE_MAX
from backend.kit.problem import PROBLEMS, Refusal
from backend.kit.wire import MORE_TIME

log = get_log(__name__)

PROBLEM_MEDIA_TYPE = "application/problem+json"
BODY_BYTES_MAX = 65_536
RETRY_AFTER_SECONDS = 2
AnyRequest = Request[Any, Any, Any]

# The two parameters of every list that comes in pages.
Cursor = Annotated[str | None, QueryParameter(max_length=CURSOR_CHARACTERS_MAX)]
PageSize = Annotated[int, QueryParameter(ge=1, le=PAGE_SIZE_MAX)]
# Looked at by `idempotency.once`, which says in its own words what is missing.
IdempotencyKey = Annotated[
    str | None,
    HeaderParameter(
        name="Idempotency-Key",
        description="Needed: fresh and random, of 16 to 64 visible ASCII characters",
        schema_extra={"min_length": 16, "max_length": 64, "pattern": "^[!-~]+$"},
    ),
]


class JsonRequest(AnyRequest):
    """A request whose body is the sender's fault also where litestar takes it for the server's."""

    async def json(self) -> Any:
        """Return the body as JSON; broken UTF-8 and bottomless nesting are refused with 400.

        A body that isn't announced as JSON is refused with 415: any page of another site can make
        a browser send text/plain or a form, but not JSON without asking us first (CORS).
        """
        if self.content_type[0].lower() != "application/json":
            raise HTTPException(status_code=HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
        try:
            return await super().json()
        except (UnicodeDecodeError, RecursionError):
            raise ClientException from None


async def read_pieces(
    request: AnyRequest, *, piece_bytes: int, piece_seconds: float, total_seconds: float
) -> AsyncIterator[bytes]:
    """Read a body piece by piece, of `piece_bytes` each but the last; an empty one has none.

    Memory holds one piece, whatever the body. A sender is waited for `piece_seconds` for each
    piece, and the connection is kept for `total_seconds`: the guard knows the sender by then. How
    long the caller takes over a piece is not the sender's matter. Raises Refusal body_incomplete
    (too slow, or gone); a body over the route's limit is refused as any other.
    """
    extensions = cast("dict[str, Any]", request.scope.get("extensions") or {})
    if MORE_TIME in extensions:
        extensions[MORE_TIME]["give"](total_seconds)
    held, blocks, is_over = bytearray(), request.stream(), False
    while not is_over:
        try:
            async with asyncio.timeout(piece_seconds):
                while len(held) < piece_bytes and not is_over:
                    block = await anext(blocks, None)
                    is_over = block is None
                    held += block or b""
        except (TimeoutError, InternalServerException):
            raise Refusal("body_incomplete") from None
        while len(held) >= piece_bytes or (is_over and held):
            piece = bytes(held[:piece_bytes])
            del held[:piece_bytes]
            yield piece


# What litestar raises by itself, before a room has been asked anything.
_CODES_BY_STATUS = {
    400: "body_invalid",
    404: "not_found",
    405: "method_not_allowed",
    406: "not_acceptable",
    413: "body_too_large",
    415: "media_type_unsupported",
    429: "too_many_requests",
    503: "unavailable",
}


class ProblemView(msgspec.Struct, omit_defaults=True):
    """Problem details as RFC 9457 section 3 describes them; refusals add members of their own."""

    type: str
    title: str
    title_zh: str
    status: int
    detail: str
    code: str
    request_id: str


# Where the first can be answered, the others can too.
_IMPLIED_CODES = {
    "body_invalid": ("body_too_large", "media_type_unsupported", "unavailable"),
    "token_invalid": ("unavailable",),
}


def problems(*codes: str) -> dict[int, ResponseSpec]:
    """Return the OpenAPI responses of the refusal codes an operation may answer with.

    What every body and every token can be answered with besides is added.
    """
    by_status: dict[int, list[str]] = {}
    implied = (also for code in codes for also in _IMPLIED_CODES.get(code, ()))
    for code in sorted({*codes, *implied}):
        by_status.setdefault(PROBLEMS[code].status, []).append(code)
    return {
        status: ResponseSpec(
            data_container=ProblemView,
            generate_examples=False,
            media_type=PROBLEM_MEDIA_TYPE,
            description=f"{HTTPStatus(status).phrase}: {', '.join(f'`{code}`' for code in group)}",
        )
        for status, group in sorted(by_status.items())
    }


def problem_response(
    request: AnyRequest,
    code: str,
    *,
    facts: dict[str, Any] | None = None,
    headers: dict[str, str] | None = None,
) -> Response[bytes]:
    """Return the problem details of a refusal code; `facts` become extension members."""
    problem = PROBLEMS[code]
    origin = request.app.state.get("origin", "")
    body = {
        "type": f"{origin}/problems/{code}",
        "title": problem.title,
        "title_zh": problem.title_zh,
        "status": problem.status,
        "detail": problem.detail,
        "code": code,
        "request_id": request_id_of(request),
        **(facts or {}),
    }
    REFUSALS.labels(code).inc()
    all_headers = {"cache-control": "no-store", **(headers or {})}
    if problem.status == HTTPStatus.SERVICE_UNAVAILABLE:
        all_headers.setdefault("retry-after", str(RETRY_AFTER_SECONDS))
    return Response(
        msgspec.json.encode(body),
        status_code=problem.status,
        media_type=PROBLEM_MEDIA_TYPE,
        headers=all_headers,
    )


def on_refusal(request: AnyRequest, refusal: Refusal) -> Response[bytes]:
    """Answer a refusal of a rule or service."""
    facts = dict(refusal.facts)
    headers = {}
    if "retry_after_seconds" in facts:
        headers["retry-after"] = str(facts["retry_after_seconds"])
    if "www_authenticate" in facts:
        headers["www-authenticate"] = str(facts.pop("www_authenticate"))
    return problem_response(request, refusal.code, facts=facts, headers=headers)


def on_framework_error(request: AnyRequest, error: HTTPException) -> Response[bytes]:
    """Answer what the framework refused by itself: paths, methods, bodies, parameters."""
    if isinstance(error, ValidationException):
        facts = {"errors": _errors_of(error, _sent_names(request))}
        return problem_response(request, _invalid_part(error), facts=facts)
    code = _CODES_BY_STATUS.get(error.status_code, "internal")
    headers = {}
    if isinstance(error, MethodNotAllowedException | NotFoundException) and error.headers:
        headers = dict(error.headers)
    facts = {"errors": [{"message": "the body is not the JSON this operation takes"}]}
    return problem_response(
        request, code, headers=headers, facts=facts if code == "body_invalid" else None
    )


def on_fault(request: AnyRequest, fault: Exception) -> Response[bytes]:
    """Answer a programmer's error: the caller learns nothing, the log learns type and place."""
    log.error("request_failed", exc_info=fault)
    return problem_response(request, "internal")


def _invalid_part(error: ValidationException) -> str:
    extra = error.extra if isinstance(error.extra, list) else []
    sources = {str(item.get("source", "body")) for item in extra if isinstance(item, dict)}
    return "parameter_invalid" if sources and "body" not in sources else "body_invalid"


def _sent_names(request: AnyRequest) -> dict[str, str]:
    """Return what parameters are called on the wire, where Python calls them otherwise."""
    found = {}
    for name, field in request.route_handler.parsed_fn_signature.parameters.items():
        kwarg = field.kwarg_definition
        if isinstance(kwarg, ParameterKwarg):
            found[name] = kwarg.query or kwarg.header or kwarg.cookie or kwarg.name or name
    return found


def _errors_of(error: ValidationException, sent_names: Mapping[str, str]) -> list[dict[str, str]]:
    """List the members that are wrong by name and message; sent values are not echoed."""
    extra = error.extra if isinstance(error.extra, list) else []
    errors = []
    for item in extra[:20]:
        if isinstance(item, dict):
            key = str(item.get("key", ""))
            name = (key if item.get("source") == "body" else sent_names.get(key, key))[:100]
            message = str(item.get("message", "is not valid")).split(" - at ")[0]
            if message.startswith("Invalid enum value"):
                message = "is not one of the allowed values"
            errors.append({"name": name, "message": message[:200]})
    return errors or [{"name": "", "message": "is not the JSON this operation takes"}]


def request_id_of(request: AnyRequest) -> str:
    """Return the id of the request, as it stands in the answer's header and in the log."""
    return str(request.scope.get("state", {}).get("request_id", ""))


class RequestLog(ASGIMiddleware):
    """Gives each request an id, and leaves one log line and one metric of it.

    The line names the route's template, never the path: paths carry ids.
    """

    scopes = (ScopeType.HTTP,)

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        """Time the request and log what became of it."""
        request_id = _request_id(scope)
        scope.setdefault("state", {})["request_id"] = request_id
        context = REQUEST_ID.set(request_id)
        started, status = time.perf_counter(), 500

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [
                    *message["headers"],
                    (b"x-request-id", request_id.encode("ascii")),
                    (b"x-content-type-options", b"nosniff"),
                ]
            await send(message)

        try:
            await next_app(scope, receive, send_with_id)
        finally:
            seconds = time.perf_counter() - started
            route = str(scope.get("path_template") or "unmatched")
            method = cast("HTTPScope", scope)["method"]
            observe_request(method, route, status, seconds)
            log_request(
                component=__name__,
                request_id=request_id,
                method=method,
                route=route,
                status=status,
                seconds=seconds,
            )
            REQUEST_ID.reset(context)


def _request_id(scope: Scope) -> str:
    """Take over the caller's request id when it is a UUID, else make one."""
    for name, value in scope["headers"]:
        if name == b"x-request-id":
            try:
                return str(UUID(value.decode("ascii")))
            except (ValueError, UnicodeDecodeError):
                break
    return str(new_id(SystemClock().now()))
