"""Goal: a stranger's connection makes the API hold little, not for long, and believe nothing.

Method: the real application behind the server that `creditplus serve` runs, on its event loop
(uvloop) and the loopback address; requests are written to a socket piece by piece.
"""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
import uvloop

from backend.app import House
from backend.kit.wire import HEAD_BYTES_MAX, BoundedHttp, Joined
from tests.support.citizen import phone
from tests.support.oauth_client import OauthClient
from tests.support.served import served
from tests.support.world import World, problem_of

FILLER = b"x-filler: " + b"a" * 1000 + b"\r\n"
# Just over the limit: a server that closes on more than it has read takes its answer back.
TOO_MANY = HEAD_BYTES_MAX // 1000 + 1
TOO_LARGE = b"The head of the request is too large."


@pytest.fixture(scope="module")
def event_loop_policy() -> asyncio.AbstractEventLoopPolicy:
    return uvloop.EventLoopPolicy()


@pytest.fixture
async def world(house: House) -> AsyncIterator[World]:
    world = World(house)
    yield world
    await world.close()


async def answer_to(port: int, *parts: bytes) -> bytes:
    """Write parts one after another and return all that is answered until the connection ends."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for part in parts:
        writer.write(part)
        await writer.drain()
        await asyncio.sleep(0.002)  # so that each is read by itself
    try:
        async with asyncio.timeout(5):
            return await reader.read()
    finally:
        writer.close()


async def test_a_usual_request_is_answered(world: World) -> None:
    """Also a large one: its body is no part of its head."""
    async with served(world) as port, httpx.AsyncClient() as http:
        for _ in range(3):
            answer = await http.get(f"http://127.0.0.1:{port}/health/live")
            assert answer.status_code == 200
        body = b'{"phone":"' + b"1" * 60_000 + b'"}'
        answer = await http.post(
            f"http://127.0.0.1:{port}/v1/sign-in-codes",
            content=body,
            headers={"content-type": "application/json"},
        )
        problem_of(answer, 400, "body_invalid")
        many = b"".join(
            b"POST /v1/sign-in-codes HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n"
            b"content-length: 30000\r\n\r\n" + b" " * 30_000
            for _ in range(4)
        )
        last = b"GET /health/live HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"
        answered = await answer_to(port, many + last)
        assert answered.count(b"HTTP/1.1 400") == 4
        assert answered.count(b"HTTP/1.1 200") == 1


@pytest.mark.parametrize(
    "parts",
    [
        pytest.param([FILLER] * TOO_MANY, id="many headers"),
        pytest.param([b"x-one: ", *[b"a" * 1000] * TOO_MANY], id="one header without an end"),
        pytest.param([FILLER * 30 + b"\r\n"], id="all in one piece"),
    ],
)
async def test_a_head_is_bounded(world: World, parts: list[bytes]) -> None:
    """Whoever sends more is refused, and the connection ends."""
    async with served(world) as port:
        answer = await answer_to(port, b"GET /health/live HTTP/1.1\r\nhost: a\r\n", *parts)
        assert answer.startswith(b"HTTP/1.1 400 "), answer
        assert b"connection: close" in answer


async def test_an_address_is_bounded(world: World) -> None:
    """It is part of the head."""
    async with served(world) as port:
        answer = await answer_to(port, b"GET /", *[b"a" * 1000] * TOO_MANY)
        assert answer.endswith(TOO_LARGE)


async def test_a_head_of_the_largest_size_is_read(world: World) -> None:
    """A proof of 8 KB and cookies have room."""
    filling = FILLER * ((HEAD_BYTES_MAX - 200) // len(FILLER))
    head = b"GET /health/live HTTP/1.1\r\nhost: a\r\nconnection: close\r\n" + filling
    async with served(world) as port:
        for parts in ([head + b"\r\n"], [head, b"\r\n"]):
            assert (await answer_to(port, *parts)).startswith(b"HTTP/1.1 200 ")


async def test_what_follows_a_body_is_bounded_and_no_header(world: World) -> None:
    """Trailers and the words behind a chunk's length are held by nobody."""
    head = b"POST /v1/sign-in-codes HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n"
    async with served(world) as port:
        answer = await answer_to(port, head + b"\r\n0\r\n", *[FILLER] * TOO_MANY)
        assert answer.endswith(TOO_LARGE)
        answer = await answer_to(port, head + b"\r\n1;", *[b"a" * 1000] * TOO_MANY)
        assert answer.endswith(TOO_LARGE)
        answer = await answer_to(
            port,
            head + b"connection: close\r\n\r\n2\r\n{}\r\n",
            b"0\r\ncontent-type: application/json\r\n\r\n",
        )
        assert answer.startswith(b"HTTP/1.1 415 "), answer


@pytest.mark.parametrize(
    "begun",
    [
        b"",
        b"GET /health/live HTTP/1.1\r\nhost: a\r\n",
        b"POST /sign-in HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\na=",
    ],
    ids=["nothing", "half a head", "half a body"],
)
async def test_a_request_has_to_arrive(
    world: World, begun: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever holds a connection without asking for anything loses it."""
    monkeypatch.setattr(BoundedHttp, "arrival_seconds", 0.2)
    async with served(world) as port:
        await answer_to(port, begun)  # returns when the connection is closed, or fails after 5 s


async def test_an_empty_line_is_no_request(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """It stops the server's clock for quiet connections, and so starts ours."""
    monkeypatch.setattr(BoundedHttp, "arrival_seconds", 0.2)
    async with served(world) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /health/live HTTP/1.1\r\nhost: a\r\n\r\n")
        answer = await reader.readuntil(b'"}')
        assert answer.startswith(b"HTTP/1.1 200 ")
        writer.write(b"\r\n")
        async with asyncio.timeout(5):
            assert await reader.read() == b""
        writer.close()


async def test_a_slow_answer_and_a_quiet_connection_are_no_fault(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What arrived whole may be thought about, and the next request may be long in coming."""
    monkeypatch.setattr(BoundedHttp, "arrival_seconds", 0.2)
    async with served(world) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(3):
            writer.write(b"GET /health/live HTTP/1.1\r\nhost: a\r\n\r\n")
            assert b" 200 " in await reader.readuntil(b"\r\n\r\n")
            await asyncio.sleep(0.4)
        writer.close()


async def try_code(world: World, port: int, *, serial: int, forwarded_for: str) -> httpx.Response:
    """Try a wrong code for a phone of its own, from a device of its own."""
    signer = OauthClient(world.http, world.clock)
    async with httpx.AsyncClient() as http:
        return await http.post(
            f"http://127.0.0.1:{port}/v1/sessions",
            json={"phone": phone(serial), "code": "000000"},
            headers={
                "dpop": signer.proof("POST", "/v1/sessions"),
                "x-forwarded-for": forwarded_for,
            },
        )


@pytest.mark.parametrize("trusted", [(), ("10.9.9.9", "10.8.0.0/16")])
async def test_a_strangers_word_for_its_address_is_not_believed(
    world: World, trusted: tuple[str, ...]
) -> None:
    """Another X-Forwarded-For for each try opens no sixth one."""
    async with served(world, trusted_proxies=trusted) as port:
        for serial in range(1, 6):
            answer = await try_code(world, port, serial=serial, forwarded_for=f"203.0.113.{serial}")
            problem_of(answer, 401, "sign_in_failed")
        answer = await try_code(world, port, serial=6, forwarded_for="203.0.113.6")
        problem_of(answer, 429, "sign_in_throttled")


async def test_a_named_proxys_word_is_believed(world: World) -> None:
    """Its readers are counted apart, and what a reader claims to be is not listened to."""
    async with served(world, trusted_proxies=("127.0.0.1",)) as port:
        for serial in range(1, 8):
            answer = await try_code(world, port, serial=serial, forwarded_for=f"203.0.113.{serial}")
            problem_of(answer, 401, "sign_in_failed")
        # One reader behind the proxy who puts another address in front each time.
        for serial in range(11, 16):
            claimed = f"198.51.100.{serial}, 203.0.113.99"
            answer = await try_code(world, port, serial=serial, forwarded_for=claimed)
            problem_of(answer, 401, "sign_in_failed")
        answer = await try_code(world, port, serial=16, forwarded_for="127.0.0.1, 203.0.113.99")
        problem_of(answer, 429, "sign_in_throttled")


class Written:
    """A transport that notes what is written to it."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []

    def write(self, data: bytes) -> None:
        self.pieces.append(data)

    def close(self) -> None:
        self.pieces.append(b"closed")


async def test_what_an_answer_writes_in_one_turn_leaves_together_and_nothing_waits() -> None:
    """Head and body are one packet; a head without a body, and a last word, leave all the same."""
    written, loop = Written(), asyncio.get_running_loop()
    joined = Joined(written, loop)  # type: ignore[arg-type] - it writes, and that is all
    joined.write(b"head")
    joined.write(b"body")
    assert written.pieces == [b"headbody"]
    joined.write(b"head of a long answer")
    await asyncio.sleep(0)
    assert written.pieces[1:] == [b"head of a long answer"]
    joined.write(b"last")
    joined.close()
    await asyncio.sleep(0)
    assert written.pieces[2:] == [b"last", b"closed"]
