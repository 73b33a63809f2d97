"""A small OAuth client that speaks the raw protocol, and can break each part of it on purpose.

It signs with joserfc, not with the code under test. Whatever a request is made of (header and
claims of an assertion or proof, form fields, headers) can be replaced or, with DROP, left out.
"""

import base64
import hashlib
import json
import secrets
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlencode

import httpx
from joserfc import jws
from joserfc.jwk import ECKey, Key, OctKey, OKPKey, RSAKey

from backend.kit.clock import Clock

ISSUER = "http://127.0.0.1:8000"
REDIRECT_URI = "https://library.example.cn/callback"
JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
DROP: Final = object()

ELIGIBILITY = [{"type": "eligibility", "programme": "library", "purpose": "deposit_free_borrowing"}]
# Asked for instead, with ORDER_SCOPE: to open service orders too.
ORDERS = [
    {
        "type": "service_order",
        "programme": "library",
        "purpose": "deposit_free_borrowing",
        "confirm": "citizen",
    }
]
ORDER_SCOPE = "eligibility:verify orders:write"
_DEFAULT_ALGORITHM = {"EC": "ES256", "RSA": "PS256", "OKP": "Ed25519", "oct": "HS256"}


def new_key(algorithm: str = "ES256", *, kid: str | None = None) -> Key:
    """Return a fresh private key for an algorithm; its kid is `kid` or its thumbprint."""
    parameters = None if kid is None else {"kid": kid}
    auto = kid is None
    match algorithm:
        case "ES256":
            return ECKey.generate_key("P-256", parameters, auto_kid=auto)
        case "ES384":
            return ECKey.generate_key("P-384", parameters, auto_kid=auto)
        case "Ed25519" | "EdDSA":
            return OKPKey.generate_key("Ed25519", parameters, auto_kid=auto)
        case "HS256":
            return OctKey.generate_key(256, parameters, auto_kid=auto)
    return RSAKey.generate_key(2048, parameters, auto_kid=auto)


def jwks_of(*keys: Key) -> dict[str, Any]:
    """Return the public key set a client registers."""
    return {"keys": [key.as_dict(private=False) for key in keys]}


def sign(header: Mapping[str, Any], claims: Mapping[str, Any], key: Key | None) -> str:
    """Sign any header and claims with any algorithm at all, `none` included.

    The header goes out as it is given: only the algorithms of joserfc are used, not its checks.
    """
    models = jws.JWSRegistry.algorithms
    parts = [json.dumps(part, separators=(",", ":")).encode() for part in (header, claims)]
    signing_input = ".".join(b64(part) for part in parts)
    if header.get("alg") == "none" or key is None:
        return signing_input + "."
    # A header that lies about its algorithm is signed with one that fits the key.
    name = header.get("alg")
    fits = isinstance(name, str) and name in models and models[name].key_type == key.key_type
    model = models[name if fits else _DEFAULT_ALGORITHM[key.key_type]]
    return f"{signing_input}.{b64(model.sign(signing_input.encode(), key))}"


def b64(value: bytes) -> str:
    """Encode as base64url without padding."""
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def challenge_of(verifier: str) -> str:
    """Return the S256 challenge of a verifier (RFC 7636 section 4.2)."""
    return b64(hashlib.sha256(verifier.encode()).digest())


def change(base: Mapping[str, Any], changes: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return `base` with members replaced, added, or left out where the change is DROP."""
    merged = {**base, **(changes or {})}
    return {name: value for name, value in merged.items() if value is not DROP}


class OauthClient:
    """One partner's software with its two keys: one to authenticate, one for DPoP."""

    def __init__(
        self,
        http: httpx.AsyncClient,
        clock: Clock,
        *,
        client_id: str = "library-demo",
        key: Key | None = None,
        dpop_key: Key | None = None,
        issuer: str = ISSUER,
    ) -> None:
        self.http = http
        self.issuer = issuer
        self.clock = clock
        self.client_id = client_id
        self.key = key or new_key()
        self.dpop_key = dpop_key or new_key()
        self.verifier = secrets.token_urlsafe(32)

    @property
    def jkt(self) -> str:
        """The thumbprint of the DPoP key."""
        return self.dpop_key.thumbprint()

    def assertion(
        self,
        *,
        header: Mapping[str, Any] | None = None,
        claims: Mapping[str, Any] | None = None,
        key: Key | None = None,
    ) -> str:
        """Return a client assertion (RFC 7523), changed as told."""
        key = key or self.key
        now = int(self.clock.now().timestamp())
        base = {
            "iss": self.client_id,
            "sub": self.client_id,
            "aud": self.issuer,
            "jti": secrets.token_urlsafe(16),
            "iat": now,
            "exp": now + 60,
        }
        algorithm = _DEFAULT_ALGORITHM[key.key_type]
        head = change({"typ": "JWT", "alg": algorithm, "kid": key.kid}, header)
        return sign(head, change(base, claims), key)

    def proof(
        self,
        method: str,
        path: str,
        *,
        access_token: str | None = None,
        header: Mapping[str, Any] | None = None,
        claims: Mapping[str, Any] | None = None,
        key: Key | None = None,
    ) -> str:
        """Return a DPoP proof (RFC 9449), changed as told."""
        key = key or self.dpop_key
        base: dict[str, Any] = {
            "jti": secrets.token_urlsafe(16),
            "htm": method,
            "htu": self.issuer + path,
            "iat": int(self.clock.now().timestamp()),
        }
        if access_token is not None:
            base["ath"] = b64(hashlib.sha256(access_token.encode()).digest())
        public = {
            name: value for name, value in key.as_dict(private=False).items() if name != "kid"
        }
        algorithm = _DEFAULT_ALGORITHM[key.key_type]
        head = change({"typ": "dpop+jwt", "alg": algorithm, "jwk": public}, header)
        return sign(head, change(base, claims), key)

    def request_form(self, **changes: Any) -> dict[str, Any]:
        """Return the parameters of an authorization request, changed as told."""
        base = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": REDIRECT_URI,
            "scope": "eligibility:verify",
            "state": "xyz",
            "code_challenge": challenge_of(self.verifier),
            "code_challenge_method": "S256",
            "authorization_details": json.dumps(ELIGIBILITY),
        }
        return change(base, changes)

    async def post(
        self,
        path: str,
        form: Mapping[str, Any],
        *,
        assertion: str | None = None,
        proof: str | None = None,
        extra: str = "",
    ) -> httpx.Response:
        """Post a form with a client assertion; `extra` is appended to the body as it is."""
        fields = change(
            {
                "client_assertion_type": JWT_BEARER,
                "client_assertion": assertion or self.assertion(),
            },
            form,
        )
        headers = {"content-type": "application/x-www-form-urlencoded"}
        if proof is not None:
            headers["dpop"] = proof
        return await self.http.post(path, content=urlencode(fields) + extra, headers=headers)

    async def push(self, *, proof: str | None = None, **changes: Any) -> httpx.Response:
        """Push an authorization request (RFC 9126)."""
        return await self.post("/oauth/par", self.request_form(**changes), proof=proof)

    async def redeem(
        self, code: str, *, proof: str | None = None, **changes: Any
    ) -> httpx.Response:
        """Turn a code into tokens."""
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": REDIRECT_URI,
            "code_verifier": self.verifier,
        }
        proof = proof or self.proof("POST", "/oauth/token")
        return await self.post("/oauth/token", change(form, changes), proof=proof)

    async def refresh(
        self, refresh_token: str, *, proof: str | None = None, **changes: Any
    ) -> httpx.Response:
        """Ask for a new access token."""
        form = {"grant_type": "refresh_token", "refresh_token": refresh_token}
        proof = proof or self.proof("POST", "/oauth/token")
        return await self.post("/oauth/token", change(form, changes), proof=proof)

    async def revoke(self, token: str) -> httpx.Response:
        """Revoke a token."""
        return await self.post("/oauth/revoke", {"token": token})

    async def introspect(self, token: str) -> httpx.Response:
        """Introspect a token."""
        return await self.post("/oauth/introspect", {"token": token})
