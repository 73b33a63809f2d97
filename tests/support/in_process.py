"""The application in a thread of its own, for tools that are not asynchronous.

The house belongs to the event loop it was opened in, so that loop runs in the thread, and every
request is carried over to it. `InProcess` lets `requests` speak with it without a socket.
"""

import asyncio
import threading
from collections.abc import Coroutine
from io import BytesIO
from typing import Any, TypeVar

import httpx
from requests import PreparedRequest, Response
from requests.adapters import HTTPAdapter
from urllib3 import HTTPHeaderDict, HTTPResponse

T = TypeVar("T")
_SECONDS = 30


class LoopThread:
    """An event loop in a thread; `run` waits for what it carries over."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine in the thread's loop and return what it returns."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(_SECONDS)

    def close(self) -> None:
        """End the loop and the thread."""
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(_SECONDS)
        self.loop.close()


class InProcess(HTTPAdapter):
    """Carries requests to an application by ASGI; `before` may send another in place of each."""

    def __init__(self, thread: LoopThread, http: httpx.AsyncClient) -> None:
        super().__init__()
        self._thread, self._http = thread, http

    def before(self, request: httpx.Request) -> httpx.Request:
        """Return what is sent for a request."""
        return request

    def send(self, request: PreparedRequest, *_args: Any, **_settings: Any) -> Response:
        """Send one request and return its answer."""
        assert request.method is not None
        assert request.url is not None
        sent = httpx.Request(
            request.method,
            request.url,
            headers=[(_bytes(name), _bytes(value)) for name, value in request.headers.items()],
            content=request.body or b"",
        )
        answer = self._thread.run(self._http.send(self.before(sent)))
        headers = HTTPHeaderDict(answer.headers.multi_items())
        body = BytesIO(answer.content)
        return self.build_response(
            request,
            HTTPResponse(body, headers, status=answer.status_code, preload_content=False),
        )


def _bytes(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode("latin-1")
