"""A load generator: keep-alive connections that send prepared requests as fast as answers come.

Requests are prepared beforehand, so that signing proofs doesn't slow the sender down; answers are
read to their last byte and their status is counted.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field


@dataclass
class Outcome:
    """What came of one round: seconds it took, latency of each request, statuses and bodies."""

    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    bodies: Counter[bytes] = field(default_factory=Counter)

    @property
    def rate(self) -> float:
        """Requests per second."""
        return len(self.latencies) / self.seconds if self.seconds else 0.0

    def percentile(self, share: float) -> float:
        """The latency in milliseconds that `share` of the requests stayed below."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000


class _Connection(asyncio.Protocol):
    def __init__(
        self, requests: Iterator[bytes], outcome: Outcome, gap: float, done: asyncio.Future[None]
    ) -> None:
        self._requests = requests
        self._outcome = outcome
        self._gap = gap
        self._done = done
        self._buffer = b""
        self._sent = 0.0
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._next()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, separator, rest = self._buffer.partition(b"\r\n\r\n")
        if not separator:
            return
        length = _content_length(head)
        if len(rest) < length:
            return
        now = time.perf_counter()
        self._outcome.latencies.append(now - self._sent)
        self._outcome.statuses[int(head[9:12])] += 1
        if len(self._outcome.bodies) < 8:
            self._outcome.bodies[rest[:24]] += 1
        self._buffer = rest[length:]
        if self._gap:
            asyncio.get_running_loop().call_later(self._gap, self._next)
        else:
            self._next()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._done.done():
            self._done.set_exception(exc or ConnectionError("the server hung up"))

    def _next(self) -> None:
        assert self._transport is not None
        request = next(self._requests, None)
        if request is None:
            if not self._done.done():
                self._done.set_result(None)
            self._transport.close()
            return
        self._sent = time.perf_counter()
        self._transport.write(request)


def _content_length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        if line.lower().startswith(b"content-length:"):
            return int(line[15:])
    return 0


async def drive(
    port: int, requests: Sequence[bytes], *, connections: int, rate: float | None = None
) -> Outcome:
    """Send all requests to 127.0.0.1:port; `rate` limits how many a second, None is no limit."""
    outcome, shared = Outcome(), iter(requests)
    loop = asyncio.get_running_loop()
    gap = connections / rate if rate else 0.0
    started = time.perf_counter()
    ends = []
    for number in range(connections):
        done: asyncio.Future[None] = loop.create_future()
        ends.append(done)
        if gap:
            await asyncio.sleep(gap / connections if number else 0)
        await loop.create_connection(
            lambda done=done: _Connection(shared, outcome, gap, done), "127.0.0.1", port
        )
    await asyncio.wait_for(asyncio.gather(*ends), 120)
    outcome.seconds = time.perf_counter() - started
    return outcome
