"""A source department's side of the demo: software that hands files in for itself, over HTTP.

It is the program of docs/source-api.md, in steps that can be told one by one.
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

SUBMISSIONS = "/v1/submissions"
_ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_ASSERTION_LIFE_SECONDS = 60
# Who killed a worker in the middle of a file waits until another one may take its job over.
_WAIT_SECONDS = 120
_POLL_SECONDS = 0.2


class DepartmentApp:
    """One department's client: a token for itself (client credentials), bound to a key (DPoP)."""

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

    def hand_in(self, class_code: str, batch_id: str, content: bytes) -> httpx.Response:
        """Hand a CSV file in."""
        return self._http.post(
            self._origin + SUBMISSIONS,
            params={"class": class_code, "batch_id": batch_id},
            content=content,
            headers={"content-type": "text/csv", **self._signed("POST", SUBMISSIONS)},
        )

    def look(self, path: str) -> httpx.Response:
        """Look at a submission of the department's, or at its errors."""
        return self._http.get(self._origin + path, headers=self._signed("GET", path))

    def wait_until_taken_in(self, submission_id: str) -> httpx.Response:
        """Ask until a file is in whole; the last answer, however it is, after two minutes."""
        deadline = time.monotonic() + _WAIT_SECONDS
        while True:
            answer = self.look(f"{SUBMISSIONS}/{submission_id}")
            if not answer.is_success or answer.json()["status"] == "complete":
                return answer
            if time.monotonic() > deadline:
                return answer
            time.sleep(_POLL_SECONDS)

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
