"""Debian's Chromium in front of the live application, and a merchant's site beside it.

The application runs under uvicorn on a port of its own in the test's loop. The merchant is a real
loopback server that keeps what browsers bring it, as a partner's callback does.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import uvicorn
from playwright.async_api import Browser, async_playwright

from backend.kit.clock import Clock
from tests.support.oauth_client import OauthClient

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
]


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """Start the browser and close it."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        try:
            yield browser
        finally:
            await browser.close()


def free_socket() -> socket.socket:
    """Return a listening socket on a free loopback port."""
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    return listening


@asynccontextmanager
async def serve(app: Any, listening: socket.socket) -> AsyncIterator[None]:
    """Serve an application on a socket until the block ends."""
    config = uvicorn.Config(app, log_config=None, lifespan="off", timeout_graceful_shutdown=2)
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        while not server.started:
            await asyncio.sleep(0.01)
        yield
    finally:
        server.should_exit = True
        await task


class Merchant:
    """A merchant's site: answers every address with `page`, keeps the queries of its callback."""

    def __init__(self, origin: str) -> None:
        self.origin = origin
        self.page = "<!doctype html><title>Library</title><h1>Library</h1>"
        self.answers: list[dict[str, list[str]]] = []

    @property
    def redirect_uri(self) -> str:
        """Where the citizen comes back to."""
        return f"{self.origin}/callback"

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request."""
        head = await reader.readuntil(b"\r\n\r\n")
        target = urlsplit(head.split(b" ", 2)[1].decode())
        if target.path == "/callback":
            self.answers.append(parse_qs(target.query))
        body = self.page.encode()
        writer.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nConnection: close\r\n"
            b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
        )
        await writer.drain()
        writer.close()


@asynccontextmanager
async def merchant_site() -> AsyncIterator[Merchant]:
    """Open a merchant's site on a free loopback port."""
    listening = free_socket()
    merchant = Merchant(f"http://127.0.0.1:{listening.getsockname()[1]}")
    server = await asyncio.start_server(merchant.take, sock=listening)
    try:
        yield merchant
    finally:
        server.close()
        await server.wait_closed()


class LiveClient(OauthClient):
    """The raw OAuth client, for a server that lives at another origin."""

    def __init__(self, http: httpx.AsyncClient, clock: Clock, *, origin: str) -> None:
        super().__init__(http, clock)
        self.origin = origin

    def assertion(self, *, claims: Mapping[str, Any] | None = None, **changes: Any) -> str:
        """Return a client assertion for this server."""
        return super().assertion(claims={"aud": self.origin, **(claims or {})}, **changes)

    def proof(
        self, method: str, path: str, *, claims: Mapping[str, Any] | None = None, **changes: Any
    ) -> str:
        """Return a DPoP proof for this server."""
        there = {"htu": self.origin + path, **(claims or {})}
        return super().proof(method, path, claims=there, **changes)
