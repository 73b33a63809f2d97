"""The way out of the house to a partner's receiver: one request, at a looked-at address only."""

import asyncio
import contextlib
import socket
import ssl
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from ipaddress import ip_address
from typing import Any, cast
from uuid import UUID

import httpcore

from backend.webhook.rules.address import Address, TargetPolicy, is_allowed
from backend.webhook.rules.delivery import (
    ANSWER_BYTES_MAX,
    ANSWER_SECONDS_MAX,
    Answer,
    head_kept,
)

# The library looks at every connection of a pool for every request: 64 of them cost 3.6 ms a
# request, 8 cost 0.4. So each receiver has a small pool of its own.
CONNECTIONS_MAX = 8
POOLS_MAX = 1024
KEPT_SECONDS = 15.0
CONNECT_SECONDS = 5.0
_ADDRESSES_TRIED = 3
# A look-up can't be broken off: a name that nobody answers for keeps its thread until the system's
# resolver gives up. So they are many, and nothing else in the process waits for one of them.
_LOOK_UPS = ThreadPoolExecutor(max_workers=64, thread_name_prefix="look-up")

# Gives the addresses of a name; raises OSError when there are none.
Resolve = Callable[[str, int], Coroutine[Any, Any, list[Address]]]


class AddressDenied(Exception):
    """A name leads to where nothing may be sent."""


async def resolve(host: str, port: int) -> list[Address]:
    """Ask the system's resolver, in a thread; raises OSError when it knows none."""
    loop = asyncio.get_running_loop()
    ask = partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
    found = await loop.run_in_executor(_LOOK_UPS, ask)
    # A link-local address comes with its zone ("fe80::1%eth0"), which is no part of it.
    texts = dict.fromkeys(str(each[4][0]).partition("%")[0] for each in found)
    return [ip_address(text) for text in texts]


class Courier:
    """Posts messages over kept connections.

    No redirect is followed, no proxy of the environment asked, no cookie kept. A name is resolved
    once for the connections that wait for it, all its addresses are looked at, and the connection
    goes to one of those: there is no second look-up that could lead elsewhere. TLS and `Host` go by
    the name.
    """

    def __init__(self, policy: TargetPolicy, *, resolve: Resolve = resolve) -> None:
        self._network = _PinnedNetwork(policy, resolve)
        self._tls = ssl.create_default_context()
        # By receiver, the one used last at the end.
        self._pools: OrderedDict[UUID, httpcore.AsyncConnectionPool] = OrderedDict()

    async def post(
        self, url: str, *, receiver_id: UUID, headers: dict[str, str], body: bytes
    ) -> Answer:
        """Send one message and return what was answered within ten seconds; never raises.

        Of a long answer the beginning is read, and the connection closed. No two receivers share a
        connection.
        """
        try:
            async with asyncio.timeout(ANSWER_SECONDS_MAX):
                pool = await self._pool(receiver_id)
                return await _post(pool, url, headers=headers, body=body)
        except Exception as fault:
            # A receiver can break a client in more ways than anybody lists; none may reach others.
            return Answer(status=None, head={}, content=b"", fault=_fault_code(fault))

    async def close(self) -> None:
        """Close the connections."""
        self._network.close()
        while self._pools:
            await self._pools.popitem()[1].aclose()

    async def _pool(self, receiver_id: UUID) -> httpcore.AsyncConnectionPool:
        """Return the connections to a receiver; those of one that was long not told are closed."""
        pool = self._pools.get(receiver_id)
        if pool is None:
            pool = self._pools[receiver_id] = httpcore.AsyncConnectionPool(
                ssl_context=self._tls,
                max_connections=CONNECTIONS_MAX,
                keepalive_expiry=KEPT_SECONDS,
                network_backend=cast("httpcore.AsyncNetworkBackend", self._network),
            )
        self._pools.move_to_end(receiver_id)
        if len(self._pools) > POOLS_MAX:
            with contextlib.suppress(Exception):  # whatever it is, it is not this receiver's
                await self._pools.popitem(last=False)[1].aclose()
        return pool


async def _post(
    pool: httpcore.AsyncConnectionPool, url: str, *, headers: dict[str, str], body: bytes
) -> Answer:
    sent = [(name.encode(), value.encode()) for name, value in headers.items()]
    async with pool.stream(
        "POST",
        url,
        headers=[*sent, (b"accept-encoding", b"identity")],
        content=body,
        extensions={"timeout": {"connect": CONNECT_SECONDS, "pool": ANSWER_SECONDS_MAX}},
    ) as response:
        content = bytearray()
        async for piece in response.aiter_stream():
            content += piece
            if len(content) >= ANSWER_BYTES_MAX:
                break
        return Answer(
            status=response.status,
            head=head_kept(response.headers),
            content=bytes(content[:ANSWER_BYTES_MAX]),
            fault=None,
        )


class _PinnedNetwork:
    """Connects to addresses that were looked at: an AsyncNetworkBackend, called by name only."""

    def __init__(self, policy: TargetPolicy, resolve: Resolve) -> None:
        self._policy, self._resolve = policy, resolve
        self._network = httpcore.AnyIOBackend()
        self._asked: dict[tuple[str, int], asyncio.Task[list[Address]]] = {}

    def close(self) -> None:
        """Wait for no more look-ups."""
        for task in self._asked.values():
            task.cancel()

    async def _addresses(self, host: str, port: int) -> list[Address]:
        """Return where a name leads; who asks for it while it is looked up gets the same answer."""
        task = self._asked.get((host, port))
        if task is None:
            task = asyncio.create_task(self._resolve(host, port))
            self._asked[host, port] = task
            task.add_done_callback(partial(self._forget, (host, port)))
        return await asyncio.shield(task)

    def _forget(self, name: tuple[str, int], task: asyncio.Task[list[Address]]) -> None:
        del self._asked[name]
        if not task.cancelled():
            task.exception()  # looked at: nobody may be waiting any more

    async def connect_tcp(
        self,
        host: str,
        port: int,
        *,
        timeout: float | None = None,  # noqa: ASYNC109 - the library's signature
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        addresses = await self._addresses(host, port)
        # All of them: a name that also leads inside is refused, and not tried until it does not.
        if not addresses or not all(is_allowed(each, self._policy) for each in addresses):
            raise AddressDenied
        fault: Exception | None = None
        for address in addresses[:_ADDRESSES_TRIED]:
            try:
                return await self._network.connect_tcp(
                    str(address),
                    port,
                    timeout=timeout,
                    local_address=local_address,
                    socket_options=socket_options,
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                fault = error
        assert fault is not None
        raise fault

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ASYNC109 - the library's signature
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        raise AddressDenied

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def _fault_code(fault: BaseException) -> str:
    """Return why there was no answer, as a partner is told it."""
    chain: BaseException | None = fault
    while chain is not None:
        if isinstance(chain, AddressDenied):
            return "address_denied"
        if isinstance(chain, socket.gaierror):
            return "name_unknown"
        if isinstance(chain, ssl.SSLError):
            return "tls_failed"
        chain = chain.__cause__ or chain.__context__
    if isinstance(fault, TimeoutError | httpcore.TimeoutException):
        return "timed_out"
    if isinstance(fault, httpcore.ProtocolError):
        return "answer_unreadable"
    return "connection_failed"
