"""Eligibility checks below the framework: what is plainly well formed is answered here.

A quarter of a check's work was the framework's (docs/adr/0015-express-checks.md). So this module
answers a check that succeeds: its caller is let in and it is decided in one batch. Everything
else goes on to the twin: any other address or form of a body, and every refusal and fault, which
the twin's guard raises again. So nothing is refused here, and nothing can be refused differently.
"""

from typing import cast

import msgspec
from litestar.enums import ScopeType
from litestar.types import (
    ASGIApp,
    HTTPReceiveMessage,
    HTTPScope,
    Receive,
    Scope,
    Send,
)

from backend.access.guard import header_values, let_guard_raise
from backend.kit.http import BODY_BYTES_MAX
from backend.programme.api.partner import PATH, EligibilityCheckCreate, view_of
from backend.programme.desk import EligibilityDesk

_RAW_PATH = PATH.encode("ascii")
_decode = msgspec.json.Decoder(EligibilityCheckCreate).decode
_encode = msgspec.json.Encoder().encode


class ExpressChecks:
    """An ASGI application around the framework's: takes eligibility checks out of its way."""

    def __init__(self, app: ASGIApp, *, eligibility: EligibilityDesk) -> None:
        self._app = app
        self._eligibility = eligibility

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a check that succeeds, or hand the request on."""
        if scope["type"] == ScopeType.HTTP and _is_check(scope):
            await self._take(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _take(self, scope: HTTPScope, receive: Receive, send: Send) -> None:
        message = await _read(receive)
        data = _body_of(message)
        if data is not None:
            try:
                body = await self._answer(scope, data)
            except Exception as fault:
                let_guard_raise(scope, fault)
            else:
                if body is not None:
                    await _send(scope, send, body)
                    return
        await self._app(scope, _from(message, receive), send)

    async def _answer(self, scope: HTTPScope, data: EligibilityCheckCreate) -> bytes | None:
        arrival = self._eligibility.admission.arrive(
            method="POST",
            path=PATH,
            authorization=header_values(scope, b"authorization"),
            proofs=header_values(scope, b"dpop"),
        )
        if arrival is None:
            return None
        answer = await self._eligibility.check_of(arrival, data.programme)
        return None if answer is None else _encode(view_of(answer))


def _is_check(scope: HTTPScope) -> bool:
    """Whether a request is a check, sent the one way that needs no second look."""
    if scope["method"] != "POST" or scope["raw_path"] != _RAW_PATH or scope["root_path"]:
        return False
    types = [value for name, value in scope["headers"] if name == b"content-type"]
    return types == [b"application/json"]


async def _read(receive: Receive) -> HTTPReceiveMessage:
    """Read a body to its end, or to where it is too large, as one message."""
    body = b""
    while True:
        message = cast("HTTPReceiveMessage", await receive())
        if message["type"] != "http.request":
            return message
        body += message["body"]
        if not message["more_body"] or len(body) > BODY_BYTES_MAX:
            return {"type": "http.request", "body": body, "more_body": message["more_body"]}


def _body_of(message: HTTPReceiveMessage) -> EligibilityCheckCreate | None:
    """Return the body if it is whole and valid."""
    if message["type"] != "http.request" or len(message["body"]) > BODY_BYTES_MAX:
        return None
    try:
        return _decode(message["body"])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def _from(first: HTTPReceiveMessage, receive: Receive) -> Receive:
    """Let the framework receive again what was read already."""
    waiting = [first]

    async def again() -> HTTPReceiveMessage:
        return waiting.pop() if waiting else cast("HTTPReceiveMessage", await receive())

    return again


async def _send(scope: HTTPScope, send: Send, body: bytes) -> None:
    scope["path_template"] = PATH
    await send(
        {
            "type": "http.response.start",
            "status": 200,
            "headers": [
                (b"content-type", b"application/json"),
                (b"cache-control", b"no-store"),
                (b"content-length", str(len(body)).encode("ascii")),
            ],
        }
    )
    await send({"type": "http.response.body", "body": body, "more_body": False})
