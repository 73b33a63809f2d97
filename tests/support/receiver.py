"""A partner's receiver of webhooks: a small server that verifies with `standardwebhooks`.

It imports nothing of the service. As a program it prints one JSON line for each message:

    python -m tests.support.receiver --port 8099 --secret whsec_…

`--behaviour` makes it a bad one: `slow:2` answers after two seconds, `status:500`,
`redirect:URL`, `large` (200 KB), `endless` falls silent after 20 KB of 200, `silent` never answers,
`drip` never ends, `garbage` is no HTTP, `careless` takes what is wrongly signed. In tests
`Receiver` runs in the test's own loop.
"""

import argparse
import asyncio
import base64
import contextlib
import json
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from standardwebhooks import Webhook, WebhookVerificationError

LARGE: Final = b"x" * 200_000
_REASONS = {200: "OK", 204: "No Content", 302: "Found", 400: "Bad Request", 410: "Gone"}


@dataclass(frozen=True)
class Message:
    """What arrived, and whether its signature was right."""

    id: str
    type: str
    object_id: str
    revision: int
    verified: bool
    headers: dict[str, str]
    body: bytes


def verify(
    secrets: list[str], headers: dict[str, str], body: bytes, *, ignore_time: bool = False
) -> bool:
    """Say whether one of the secrets (whsec_…) or public keys (whpk_…) proves a message.

    `ignore_time` is for tests that move the service's clock.
    """
    return any(_proves(each, headers, body, ignore_time=ignore_time) for each in secrets)


def _proves(secret: str, headers: dict[str, str], body: bytes, *, ignore_time: bool) -> bool:
    signatures = headers.get("webhook-signature", "").split(" ")
    if secret.startswith("whpk_"):
        key = Ed25519PublicKey.from_public_bytes(base64.b64decode(secret.removeprefix("whpk_")))
        signed = f"{headers.get('webhook-id')}.{headers.get('webhook-timestamp')}.".encode() + body
        for each in signatures:
            with contextlib.suppress(InvalidSignature, ValueError):
                key.verify(base64.b64decode(each.removeprefix("v1a,")), signed)
                return True
        return False
    hook = Webhook(secret)
    if ignore_time:
        at = datetime.fromtimestamp(int(headers["webhook-timestamp"]), UTC)
        return hook.sign(headers["webhook-id"], at, body.decode()) in signatures
    try:
        hook.verify(body, headers)
    except WebhookVerificationError:
        return False
    return True


@dataclass
class Receiver:
    """A receiver on a loopback port; what it does can be changed while it runs."""

    secrets: list[str] = field(default_factory=list)
    behaviour: str = "ok"
    ignore_time: bool = False
    print_messages: bool = False
    messages: list[Message] = field(default_factory=list)
    requests: int = 0
    connections: int = 0
    _server: asyncio.Server | None = None
    _open: set[asyncio.StreamWriter] = field(default_factory=set)

    async def start(self, port: int = 0) -> "Receiver":
        """Listen; a port of 0 is any free one."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", port)
        return self

    @property
    def port(self) -> int:
        """Where it listens."""
        assert self._server is not None
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    @property
    def url(self) -> str:
        """What a partner registers."""
        return f"http://127.0.0.1:{self.port}/hooks"

    @property
    def taken(self) -> list[Message]:
        """The messages that were rightly signed, challenges left out."""
        return [m for m in self.messages if m.verified and m.type != "endpoint.challenge"]

    async def stop(self) -> None:
        """Stop listening and hang up."""
        assert self._server is not None
        self._server.close()
        for writer in self._open:
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._open.add(writer)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while await self._answer(reader, writer):
                pass
        self._open.discard(writer)
        writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {
            name.lower(): value.strip()
            for name, _, value in (line.partition(":") for line in head[1:] if line)
        }
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        self.requests += 1
        verb, _, told = self.behaviour.partition(":")
        if verb == "silent":
            await asyncio.sleep(3600)
        if verb == "slow":
            await asyncio.sleep(float(told))
        if verb == "garbage":
            writer.write(b"\x00\xff not HTTP at all\r\n\r\n")
            return False
        status, content, extra = self._decide(verb, told, headers, body)
        writer.write(
            f"HTTP/1.1 {status} {_REASONS.get(status, 'Status')}\r\n"
            f"content-type: application/json\r\ncontent-length: {len(content)}\r\n"
            f"set-cookie: kept=no\r\n{extra}\r\n".encode()
        )
        if verb == "drip":
            while True:
                writer.write(b"x")
                await writer.drain()
                await asyncio.sleep(0.2)
        if verb == "endless":
            writer.write(content[:20_000])
            await asyncio.sleep(3600)
        writer.write(content)
        await writer.drain()
        return True

    def _decide(
        self, verb: str, told: str, headers: dict[str, str], body: bytes
    ) -> tuple[int, bytes, str]:
        """Return status, body and further head of the answer."""
        if verb == "status":
            return int(told), b"{}", ""
        if verb == "redirect":
            return 302, b"", f"location: {told}\r\n"
        verified = verify(self.secrets, headers, body, ignore_time=self.ignore_time)
        told_of = self._note(headers, body, verified=verified)
        if not verified and verb != "careless":
            return 400, b'{"error":"the signature is not right"}', ""
        if verb in ("large", "endless", "drip"):
            return 200, LARGE, ""
        if told_of["type"] == "endpoint.challenge":
            challenge = told_of["data"]["facts"]["challenge"]
            return 200, json.dumps({"challenge": challenge}).encode(), ""
        return 200, b"{}", ""

    def _note(self, headers: dict[str, str], body: bytes, *, verified: bool) -> dict[str, Any]:
        told: dict[str, Any] = json.loads(body)
        message = Message(
            id=headers["webhook-id"],
            type=told["type"],
            object_id=told["data"]["id"],
            revision=told["data"]["revision"],
            verified=verified,
            headers=headers,
            body=body,
        )
        self.messages.append(message)
        if self.print_messages:
            line = {"id": message.id, "verified": verified, **told}
            sys.stdout.write(json.dumps(line) + "\n")
            sys.stdout.flush()
        return told


async def _run(port: int, secrets: list[str], behaviour: str) -> None:
    receiver = Receiver(secrets=secrets, behaviour=behaviour, print_messages=True)
    await receiver.start(port)
    sys.stderr.write(f"receiving at {receiver.url}\n")
    await asyncio.Event().wait()


def main() -> None:
    """Receive until interrupted."""
    parser = argparse.ArgumentParser(prog="python -m tests.support.receiver")
    parser.add_argument("--port", type=int, default=8099)
    parser.add_argument("--secret", action="append", default=[], help="whsec_… or whpk_…")
    parser.add_argument("--behaviour", default="ok")
    given = parser.parse_args()
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_run(given.port, given.secret, given.behaviour))


if __name__ == "__main__":
    main()
