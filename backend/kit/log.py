"""Structured logs that can't leak: only keys on the list below are ever written.

A log line names what happened and where, by ids that mean nothing outside the service. Bodies,
headers, tokens, names, phones, national ids and subject ids have no key, so they have no way in.
"""

import asyncio
import logging
import sys
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, TextIO

import msgspec
import structlog

ALLOWED_KEYS = frozenset(
    {
        "application_version",
        "at",
        "attempt",
        "batch_size",
        "class_code",
        "client_id",
        "code",
        "component",
        "count",
        "duration_ms",
        "error_place",
        "error_type",
        "event",
        "event_id",
        "host",
        "job",
        "level",
        "logger",
        "method",
        "migration",
        "operation",
        "partner_id",
        "port",
        "programme",
        "request_id",
        "route",
        "schema_version",
        "source_code",
        "status",
        "submission_id",
        "topic",
    }
)

# The id of the request that is being answered: it stands in each line that is written meanwhile.
REQUEST_ID: ContextVar[str | None] = ContextVar("request_id", default=None)

_strict = False
_out: TextIO = sys.stderr
_waiting: list[bytes] = []


class ForbiddenLogKey(AssertionError):
    """A log call used a key that is not on the list."""


def _with_request_id(
    _logger: Any, _method: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    request_id = REQUEST_ID.get()
    if request_id is not None:
        event.setdefault("request_id", request_id)
    return event


def _only_allowed(
    _logger: Any, _method: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    forbidden = event.keys() - ALLOWED_KEYS
    if not forbidden:
        return event
    if _strict:
        raise ForbiddenLogKey(sorted(forbidden))
    return {key: value for key, value in event.items() if key not in forbidden}


def _plain_error(
    _logger: Any, _method: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    """Reduce an exception to its type and place: messages and frames may hold personal data."""
    fault = event.pop("exc_info", None)
    if fault is True:
        fault = sys.exc_info()[1]
    if isinstance(fault, BaseException):
        event["error_type"] = type(fault).__name__
        trace = fault.__traceback__
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        if trace is not None:
            code = trace.tb_frame.f_code
            event["error_place"] = f"{code.co_filename.rpartition('/')[2]}:{trace.tb_lineno}"
    return event


def configure_logs(*, strict: bool) -> None:
    """Write JSON lines to stderr; `strict` turns a forbidden key into an error (tests, demo)."""
    global _strict, _out
    _strict, _out = strict, sys.stderr
    # Libraries may put addresses, arguments or tokens into their messages: only warnings of
    # theirs are kept, and of those only the logger's name.
    logging.basicConfig(level=logging.WARNING, handlers=[_LibraryHandler()], force=True)
    structlog.configure(
        processors=[
            _with_request_id,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
            _plain_error,
            _only_allowed,
            structlog.processors.JSONRenderer(serializer=_encode),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=False,
    )


def _encode(event: structlog.typing.EventDict, **_: Any) -> str:
    return msgspec.json.encode(event, enc_hook=repr, order="sorted").decode()


class RequestLine(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag="request"):
    """The line of one request: the same line as any other, and made at a tenth of the cost."""

    at: datetime
    component: str
    duration_ms: float
    level: str = "info"
    method: str
    request_id: str
    route: str
    status: int


assert {*RequestLine.__struct_fields__, "event"} <= ALLOWED_KEYS, "a request has no keys of its own"
_encode_line = msgspec.json.Encoder(order="sorted").encode


def log_request(
    *, component: str, request_id: str, method: str, route: str, status: int, seconds: float
) -> None:
    """Log one request; those that end in one turn of the event loop are written together."""
    line = RequestLine(
        at=datetime.now(UTC),
        component=component,
        duration_ms=round(seconds * 1000, 2),
        method=method,
        request_id=request_id,
        route=route,
        status=status,
    )
    if not _waiting:
        asyncio.get_running_loop().call_soon(_write_lines)
    _waiting.append(_encode_line(line))


def _write_lines() -> None:
    lines = b"\n".join((*_waiting, b"")).decode()
    _waiting.clear()
    _out.write(lines)
    _out.flush()


class _LibraryHandler(logging.Handler):
    """Keeps of a library's warning that there was one, and drops what it says."""

    def emit(self, record: logging.LogRecord) -> None:
        fault = record.exc_info[1] if record.exc_info else None
        get_log(record.name).warning("library_warning", level=record.levelname, exc_info=fault)


def get_log(name: str) -> Any:
    """Return the logger of a module; call it with an event name and allowed keys."""
    return structlog.get_logger(component=name)
