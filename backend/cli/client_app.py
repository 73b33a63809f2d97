"""A partner's software acting for itself in the demo: a token of its own, over HTTP, no citizen.

It is the program of docs/source-api.md and docs/partner-guide.md, in steps that can be told.
"""

import json
import secrets
import time
from pathlib import Path
from typing import Any

import httpx
from joserfc import jwt
from joserfc.jwk import ECKey

from backend.kit.dpop import token_fingerprint

_ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_ASSERTION_LIFE_SECONDS = 60


class ClientApp:
    """One client: a token for itself (client credentials), bound to a key (DPoP)."""

    def __init__(self, origin: str, key_file: Path, http: httpx.Client) -> None:
        """Read the client's id and key; raises OSError when the file is not there."""
        known = json.loads(key_file.read_text())
        self._origin = origin
        self._http = http
        self._client_id: str = known["client_id"]
        self._key = ECKey.import_key(known["jwk"])
        self._dpop_key = ECKey.generate_key("P-256")
        self._token = ""

    def get_token(self) -> httpx.Response:
        """Ask for a token (RFC 6749 §4.4), as private_key_jwt (RFC 7523) says who asks."""
        now = int(time.time())
        claims: dict[str, Any] = {
            "iss": self._client_id,
            "sub": self._client_id,
            "aud": self._origin,
            "jti": secrets.token_urlsafe(16),
            "iat": now,
            "exp": now + _ASSERTION_LIFE_SECONDS,
        }
        header = {"typ": "JWT", "alg": "ES256", "kid": self._key.kid}
        form = {
            "grant_type": "client_credentials",
            "client_assertion_type": _ASSERTION_TYPE,
            "client_assertion": jwt.encode(header, claims, self._key),
        }
        headers = {"DPoP": self._proof("POST", "/oauth/token")}
        answer = self._http.post(f"{self._origin}/oauth/token", data=form, headers=headers)
        if answer.is_success:
            self._token = answer.json()["access_token"]
        return answer

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> httpx.Response:
        """Send one request; a POST gets an Idempotency-Key, as every client should send one."""
        headers = self._signed(method, path.partition("?")[0])
        if method == "POST":
            headers["idempotency-key"] = secrets.token_urlsafe(24)
        return self._http.request(method, self._origin + path, json=body, headers=headers)

    def _signed(self, method: str, path: str) -> dict[str, str]:
        proof = self._proof(method, path, ath=token_fingerprint(self._token))
        return {"authorization": f"DPoP {self._token}", "dpop": proof}

    def _proof(self, method: str, path: str, **more: str) -> str:
        claims: dict[str, Any] = {
            "jti": secrets.token_urlsafe(16),
            "htm": method,
            "htu": self._origin + path,
            "iat": int(time.time()),
            **more,
        }
        header = {"typ": "dpop+jwt", "alg": "ES256", "jwk": self._dpop_key.as_dict(private=False)}
        return jwt.encode(header, claims, self._dpop_key)
