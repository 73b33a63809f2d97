"""The HTTP connection: how much, and for how long, a sender can make us hold before we know it.

Over httptools uvicorn bounds neither: its limit of an unfinished head is for h11 only, and its one
time limit begins after the first answer. Whoever may connect could fill the memory with headers
that never end, or keep every file descriptor with requests that never arrive.
"""

import asyncio
from typing import Final, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

# The largest head of ours: a DPoP proof has 8 KB at most (RFC 9449 has no limit), cookies have 4.
HEAD_BYTES_MAX: Final = 16_384
# For a whole request, from its first byte or from the connection's first moment; 64 KB on the
# slowest line people have take a few.
ARRIVAL_SECONDS: Final = 30.0
# Where an application finds, among a request's ASGI extensions, the way to give it more time.
MORE_TIME: Final = "creditplus.more_time"


class HeadTooLarge(Exception):
    """The head of a request is larger than HEAD_BYTES_MAX."""


class Joined:
    """Writes together what an answer writes in one turn of the event loop: its head and its body.

    uvicorn writes them one after the other, and uvloop sends each at once: two system calls, two
    packets and two awakenings of the receiver, which is a tenth of a small answer's cost.
    """

    __slots__ = ("_held", "_loop", "_transport")

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._held = b""

    def write(self, data: bytes) -> None:
        """Write, at the end of this turn or with what is written next in it."""
        if self._held:
            self._transport.write(self._held + data)
            self._held = b""
        elif data:
            self._held = data
            self._loop.call_soon(self._flush)

    def close(self) -> None:
        """Close once everything is sent."""
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        if self._held:
            self._transport.write(self._held)
            self._held = b""


class BoundedHttp(HttpToolsProtocol):
    """uvicorn's connection, ended when a head is too large or a request takes too long."""

    arrival_seconds = ARRIVAL_SECONDS
    # Bytes that came in since a head, or a piece of a body, was last handed on.
    _held = 0
    _is_in_head = True
    _is_whole = False
    _deadline: asyncio.TimerHandle | None = None
    _joined: Joined

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Expect the first request."""
        # uvloop's transport can what asyncio's can, but is none by its class.
        super().connection_made(cast("asyncio.Transport", transport))
        self._joined = Joined(self.transport, self.loop)
        self._deadline = self.loop.call_later(self.arrival_seconds, self._give_up)

    def connection_lost(self, exc: Exception | None) -> None:
        """Expect nothing more."""
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on, within the limits."""
        self._held += len(data)
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._held > HEAD_BYTES_MAX:
            self.send_400_response("The head of the request is too large.")
        elif self._is_whole and not self.cycle.response_complete:
            self._stop_waiting()
        elif self._deadline is None:
            # Also when it is only an empty line after an answer: that is no request, but uvicorn
            # has stopped its own clock for it.
            self._deadline = self.loop.call_later(self.arrival_seconds, self._give_up)

    def on_message_begin(self) -> None:
        """Begin a request."""
        self._is_in_head, self._is_whole = True, False
        super().on_message_begin()
        self.scope["extensions"] = {MORE_TIME: {"give": self._give_time}}

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header; a trailer after the body is none (RFC 9110 section 6.5.1)."""
        if self._is_in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Hand the head on, unless it came in one piece that is too large."""
        # What came in with it may be its body, so it is weighed only when it could be too heavy.
        if self._held > HEAD_BYTES_MAX and self._head_bytes() > HEAD_BYTES_MAX:
            raise HeadTooLarge
        self._held, self._is_in_head = 0, False
        before = self.cycle
        super().on_headers_complete()
        if self.cycle is not before:  # its task starts in a later turn
            self.cycle.transport = cast("asyncio.Transport", self._joined)

    def on_body(self, body: bytes) -> None:
        """Hand a piece of the body on; how large it may become is the application's matter."""
        self._held = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Note that the request is whole."""
        self._held, self._is_whole = 0, True
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Let what was answered before it was whole have no more time than any other."""
        if not self._is_whole:
            self._give_time(self.arrival_seconds)
        super().on_response_complete()

    def _give_time(self, seconds: float) -> None:
        """Let the request that is arriving take so long from now on: its sender is known."""
        if self._is_whole or self.transport.is_closing():
            return
        self._stop_waiting()
        self._deadline = self.loop.call_later(seconds, self._give_up)

    def _head_bytes(self) -> int:
        return len(self.url) + sum(len(name) + len(value) for name, value in self.headers)

    def _give_up(self) -> None:
        self._deadline = None
        if not self.transport.is_closing():
            self.transport.close()

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
