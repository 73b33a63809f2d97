"""The floor: a Litestar GET handler that does nothing, on the same server as the API.

Run as `python -m tests.bench.bare PORT`.
"""

import asyncio
import gc
import sys

import uvicorn
import uvloop
from litestar import Litestar, get


@get("/")
async def answer() -> dict[str, bool]:
    """Answer."""
    return {"eligible": True}


async def serve(port: int) -> None:
    """Serve until SIGTERM, the way backend/asgi.py does."""
    app = Litestar([answer], openapi_config=None, logging_config=None)
    gc.collect()
    gc.freeze()
    await uvicorn.Server(
        uvicorn.Config(
            app,
            port=port,
            loop="none",
            http="httptools",
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=False,
        )
    ).serve()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(int(sys.argv[1])))
