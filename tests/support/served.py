"""The application behind the server that `creditplus serve` runs, on a free loopback port."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
import uvloop

from backend.asgi import http_server
from tests.support.world import World


@asynccontextmanager
async def served(
    world: World, *, trusted_proxies: tuple[str, ...] = (), port: int = 0
) -> AsyncIterator[int]:
    """Serve the world on a port, a free one unless it is named, and give the port."""
    assert isinstance(asyncio.get_running_loop(), uvloop.Loop)
    settings = msgspec.structs.replace(world.house.settings, trusted_proxies=trusted_proxies)
    server = http_server(world.app, settings)
    with socket.create_server(("127.0.0.1", port)) as listening:
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        while not server.started:
            await asyncio.sleep(0.01)
        yield listening.getsockname()[1]
        server.should_exit = True
        await serving
