"""A partner's receiver of webhooks for the demo: a small server on a loopback port.

It verifies with the `standardwebhooks` package, which isn't ours, and knows nothing of the service.
"""

import json
import threading
import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Final, Self

import msgspec
from standardwebhooks import Webhook, WebhookVerificationError

PATH: Final = "/demo-hooks"
_BODY_BYTES_MAX: Final = 65_536
_POLL_SECONDS: Final = 0.05


class Message(msgspec.Struct, frozen=True):
    """A message that was rightly signed; `id` is its webhook-id."""

    id: str
    topic: str
    data: dict[str, Any]


class Receiver:
    """Takes messages while it is up, and answers 410 while it is gone."""

    def __init__(self) -> None:
        self._hook: Webhook | None = None
        self._messages: list[Message] = []
        self.is_gone = False
        self.refused = 0
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            """Hands each message to the receiver."""

            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                """Answer one message."""
                length = min(int(self.headers.get("content-length", "0")), _BODY_BYTES_MAX)
                status, body = receiver.take(dict(self.headers.items()), self.rfile.read(length))
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Say nothing: the story tells what came."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True

    @property
    def url(self) -> str:
        """What a partner registers."""
        return f"http://127.0.0.1:{self._server.server_port}{PATH}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def verify_with(self, secret: str) -> None:
        """Verify with this secret (whsec_…) from now on."""
        self._hook = Webhook(secret)

    def take(self, headers: dict[str, str], body: bytes) -> tuple[HTTPStatus, bytes]:
        """Verify first, on the raw bytes; then answer, and remember what was rightly signed."""
        if self.is_gone or self._hook is None:
            return HTTPStatus.GONE, b"{}"
        lowered = {name.lower(): value for name, value in headers.items()}
        try:
            self._hook.verify(body, lowered)
        except WebhookVerificationError:
            self.refused += 1
            return HTTPStatus.BAD_REQUEST, b'{"error":"the signature is not right"}'
        told = json.loads(body)
        if told["type"] == "endpoint.challenge":
            challenge = told["data"]["facts"]["challenge"]
            return HTTPStatus.OK, json.dumps({"challenge": challenge}).encode()
        self._messages.append(Message(lowered["webhook-id"], told["type"], told["data"]))
        return HTTPStatus.OK, b"{}"

    def wait_for(self, topic: str, object_id: str, *, seconds: float) -> Message | None:
        """Return the newest message of a topic about an object, once there is one."""
        deadline = time.monotonic() + seconds
        while True:
            for each in reversed(self._messages):
                about = {each.data["id"], each.data.get("facts", {}).get("order_id")}
                if each.topic == topic and object_id in about:
                    return each
            if time.monotonic() > deadline:
                return None
            time.sleep(_POLL_SECONDS)
