"""A source department's software: gets a token, hands files in, looks what came of them."""

import csv
import io
from collections.abc import AsyncIterator, Mapping
from typing import Any, Self

import httpx

from backend.cli.partner import add_source_client
from backend.kit.clock import Clock
from tests.support.citizen import national_id
from tests.support.oauth_client import OauthClient, jwks_of
from tests.support.world import World

SUBMISSIONS = "/v1/submissions"
HEADER = "national_id,external_id,version,occurred_on,ended_on,quantity"
Body = bytes | AsyncIterator[bytes]


def lines_of(first: int, count: int, *, prefix: str = "r") -> str:
    """Return good lines about fifty people, each with a number of its own."""
    return "".join(
        f"{national_id(1 + n % 50)},{prefix}-{n},1,2026-05-{1 + n % 28:02d},,2\n"
        for n in range(first, first + count)
    )


def file_of(count: int, *, prefix: str = "r") -> bytes:
    """Return a file of good lines."""
    return f"{HEADER}\n{lines_of(0, count, prefix=prefix)}".encode()


class SourceSoftware:
    """One department's client; `http` may be that of another process than registered it."""

    def __init__(self, client: OauthClient, source_code: str) -> None:
        self.client, self.source_code = client, source_code
        self.token = ""

    @classmethod
    async def register(
        cls, world: World, source_code: str = "city_library", *, client_id: str | None = None
    ) -> Self:
        """Register a client of a source of the catalogue, as the command line does."""
        client = OauthClient(
            world.http,
            world.clock,
            client_id=client_id or f"source-{source_code}".replace("_", "-"),
        )
        async with world.database.write() as tx:
            await add_source_client(
                tx,
                source_code=source_code,
                client_id=client.client_id,
                jwks=jwks_of(client.key),
                now=world.clock.now(),
            )
        software = cls(client, source_code)
        await software.sign_in()
        return software

    def over(self, http: httpx.AsyncClient, clock: Clock | None = None) -> "SourceSoftware":
        """Return the same software, speaking with another process."""
        client = OauthClient(
            http,
            clock or self.client.clock,
            client_id=self.client.client_id,
            key=self.client.key,
            dpop_key=self.client.dpop_key,
            issuer=self.client.issuer,
        )
        other = SourceSoftware(client, self.source_code)
        other.token = self.token
        return other

    async def sign_in(self, **changes: Any) -> None:
        """Get a token."""
        form = {"grant_type": "client_credentials", **changes}
        proof = self.client.proof("POST", "/oauth/token")
        answer = await self.client.post("/oauth/token", form, proof=proof)
        assert answer.status_code == 200, answer.text
        self.token = answer.json()["access_token"]

    async def call(
        self,
        method: str,
        path: str,
        *,
        content: Body | None = None,
        params: Mapping[str, Any] | list[tuple[str, str]] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """Send a request with the token and a fresh proof."""
        return await self.client.http.request(
            method,
            path,
            content=content,
            params=params,
            headers={**self.signed(method, path), **(headers or {})},
        )

    def signed(self, method: str, path: str) -> dict[str, str]:
        """Return the headers of an authenticated call."""
        proof = self.client.proof(method, path, access_token=self.token)
        return {"authorization": f"DPoP {self.token}", "dpop": proof}

    async def send(
        self,
        content: Body,
        *,
        batch_id: str = "b-1",
        class_code: str = "library_return",
        content_type: str = "text/csv",
        **params: Any,
    ) -> httpx.Response:
        """Hand a file in."""
        return await self.call(
            "POST",
            SUBMISSIONS,
            content=content,
            params={"class": class_code, "batch_id": batch_id, **params},
            headers={"content-type": content_type},
        )

    async def look(self, submission_id: str) -> dict[str, Any]:
        """Return what the service says of a submission."""
        answer = await self.call("GET", f"{SUBMISSIONS}/{submission_id}")
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return body

    async def errors(self, submission_id: str) -> list[dict[str, str]]:
        """Return the downloaded lines that were kept aside."""
        path = f"{SUBMISSIONS}/{submission_id}/errors"
        answer = await self.call("GET", path, headers={"accept": "text/csv"})
        assert answer.status_code == 200, answer.text
        return list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
