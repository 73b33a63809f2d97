"""A load generator: keep-alive connections that send prepared requests and keep every answer.

Requests are prepared beforehand, so that signing proofs doesn't slow the sender down. At full
load each connection sends as soon as its answer is there. At a given rate requests fall due by
the clock, whether or not a connection is free, and a latency counts from when its request fell
due: a server that stalls can't hide the requests it kept waiting.
"""

import asyncio
import time
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import cast

DRAIN_SECONDS = 30
TICK_SECONDS = 0.001


@dataclass
class Outcome:
    """What came of one round: its seconds, and of each answer latency, status and body.

    `cpu_seconds` is what the server's process worked meanwhile, when somebody looked.
    """

    seconds: float = 0.0
    cpu_seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    bodies: list[bytes] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Answers per second."""
        return len(self.latencies) / self.seconds

    @property
    def cpu_us(self) -> float:
        """Microseconds of the server's core an answer."""
        return self.cpu_seconds / len(self.latencies) * 1e6

    def percentile_ms(self, share: float) -> float:
        """The latency in milliseconds that `share` of the answers stayed below."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000


class _Connection(asyncio.Protocol):
    """One keep-alive connection with at most one request under way."""

    def __init__(self, load: "_Load") -> None:
        self._load = load
        self._buffer = b""
        self._due = 0.0
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's has other ancestors

    def send(self, request: bytes, *, due: float) -> None:
        """Send one request that fell due at `due` (seconds of perf_counter)."""
        assert self._transport is not None
        self._due = due
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, separator, body = self._buffer.partition(b"\r\n\r\n")
        if not separator or len(body) < _content_length(head):
            return
        self._buffer = b""
        self._load.answered(self, status=int(head[9:12]), body=body, due=self._due)

    def connection_lost(self, exc: Exception | None) -> None:
        self._load.lost(exc)

    def close(self) -> None:
        """Hang up."""
        assert self._transport is not None
        self._transport.close()


class _Load:
    """The connections of one round, those of them that are free, and what came back."""

    def __init__(self, requests: Iterator[bytes]) -> None:
        self.outcome = Outcome()
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._requests = requests
        self._ends_at = 0.0
        self._idle: deque[_Connection] = deque()
        self._waiting: deque[float] = deque()
        self._flying = 0
        self._is_open_loop = False

    async def run(
        self, connections: list[_Connection], *, seconds: float, rate: float | None
    ) -> Outcome:
        """Run one round on open connections."""
        started = time.perf_counter()
        self._ends_at = started + seconds
        if rate is None:
            for connection in connections:
                self._next(connection, due=time.perf_counter())
        else:
            self._is_open_loop = True
            self._idle.extend(connections)
            await self._keep_pace(rate, started=started)
        await asyncio.wait_for(self.ended, seconds + DRAIN_SECONDS)
        self.outcome.seconds = time.perf_counter() - started
        return self.outcome

    async def _keep_pace(self, rate: float, *, started: float) -> None:
        fallen = 0
        while (now := time.perf_counter()) < self._ends_at:
            due = int((now - started) * rate)
            self._fall_due(due - fallen)
            fallen = due
            await asyncio.sleep(TICK_SECONDS)
        self._finish_if_quiet()

    def _next(self, connection: _Connection, *, due: float) -> None:
        """Send the next request, unless the round is over."""
        request = None
        if time.perf_counter() < self._ends_at:
            request = next(self._requests, None)
        if request is None:
            self._ends_at = 0.0
            self._finish_if_quiet()
            return
        self._flying += 1
        connection.send(request, due=due)

    def _fall_due(self, count: int) -> None:
        """Let so many requests fall due now."""
        now = time.perf_counter()
        for _ in range(count):
            if self._idle:
                self._next(self._idle.popleft(), due=now)
            else:
                self._waiting.append(now)

    def answered(self, connection: _Connection, *, status: int, body: bytes, due: float) -> None:
        """Note an answer, and give its connection the next request."""
        now = time.perf_counter()
        self._flying -= 1
        self.outcome.latencies.append(now - due)
        self.outcome.statuses[status] += 1
        self.outcome.bodies.append(body)
        if not self._is_open_loop:
            self._next(connection, due=now)
        elif self._waiting:
            self._next(connection, due=self._waiting.popleft())
        else:
            self._idle.append(connection)
            self._finish_if_quiet()

    def lost(self, fault: Exception | None) -> None:
        """End the round with an error: no server here hangs up by itself."""
        if not self.ended.done():
            self.ended.set_exception(fault or ConnectionError("the server hung up"))

    def _finish_if_quiet(self) -> None:
        if not self._flying and time.perf_counter() >= self._ends_at and not self.ended.done():
            self.ended.set_result(None)


def _content_length(head: bytes) -> int:
    _, _, rest = head.lower().partition(b"content-length:")
    return int(rest.partition(b"\r")[0])


async def drive(
    port: int,
    requests: Iterable[bytes],
    *,
    connections: int,
    seconds: float,
    rate: float | None = None,
) -> Outcome:
    """Send requests to 127.0.0.1:port for so long, or until none is left; at `rate` a second.

    Without a rate each connection sends as soon as its last answer is there.
    """
    loop = asyncio.get_running_loop()
    load = _Load(iter(requests))
    opened = [
        (await loop.create_connection(lambda: _Connection(load), "127.0.0.1", port))[1]
        for _ in range(connections)
    ]
    outcome = await load.run(opened, seconds=seconds, rate=rate)
    for connection in opened:
        connection.close()
    return outcome
