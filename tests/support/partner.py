"""A merchant's or lender's software acting for itself: a token of its own, and signed calls.

In a test:

    library = await world.found()                       # its client, with all scopes of its kind
    own = await PartnerSoftware.of(library)             # signs in: client_credentials
    answer = await own.call("POST", "/v1/webhook-endpoints", {"url": …})

`of(client, scope="webhooks:write")` asks for less; `call` sends the token, a fresh proof and, with
a POST, a fresh Idempotency-Key; `signed(method, path)` returns those headers.
"""

from typing import Any, Self

import httpx

from backend.kit.ids import new_token
from tests.support.oauth_client import OauthClient


class PartnerSoftware:
    """One client of a partner with a token of its own; `client` holds its keys."""

    def __init__(self, client: OauthClient) -> None:
        self.client = client
        self.token = ""

    @classmethod
    async def of(cls, client: OauthClient, **changes: Any) -> Self:
        """Return a registered client's software, signed in for itself."""
        software = cls(client)
        await software.sign_in(**changes)
        return software

    async def sign_in(self, **changes: Any) -> None:
        """Get a token of the client's own; `scope` asks for less than all."""
        form = {"grant_type": "client_credentials", **changes}
        proof = self.client.proof("POST", "/oauth/token")
        answer = await self.client.post("/oauth/token", form, proof=proof)
        assert answer.status_code == 200, answer.text
        self.token = answer.json()["access_token"]

    async def call(
        self, method: str, path: str, body: Any = None, *, headers: dict[str, str] | None = None
    ) -> httpx.Response:
        """Send a request with the token, a fresh proof and a fresh key."""
        sent = {**self.signed(method, path), **(headers or {})}
        return await self.client.http.request(method, path, json=body, headers=sent)

    def signed(self, method: str, path: str) -> dict[str, str]:
        """Return the headers of a call that is as it should be."""
        bare = path.partition("?")[0]
        proof = self.client.proof(method, bare, access_token=self.token)
        sent = {"authorization": f"DPoP {self.token}", "dpop": proof}
        if method == "POST":
            sent["idempotency-key"] = new_token("key_")
        return sent
