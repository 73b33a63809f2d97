"""A partner's software for the demo, on an OAuth client library that isn't ours: idpyoidc.

Discovery, PKCE, state, the code exchange, refresh, revocation and DPoP at the authorization
server are idpyoidc's. Three of its parts don't follow the RFCs or FAPI 2.0 and can't be
configured to, so they are replaced at the places it has for that (docs/adr/0007): its pushed
request (`add_ons`), its client assertion (`client_authn_methods`), its DPoP proof at an API.
"""

import contextlib
import hashlib
import json
import logging
from typing import Any, ClassVar
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx
import msgspec
from cryptojwt.jwk.ec import new_ec_key
from cryptojwt.jwk.jwk import key_from_jwk_dict
from cryptojwt.key_bundle import KeyBundle
from cryptojwt.key_jar import KeyJar
from idpyoidc.client.client_auth import PrivateKeyJWT
from idpyoidc.client.exception import ResponseError
from idpyoidc.client.oauth2.add_on.dpop import DPoPProof, dpop_header
from idpyoidc.client.oauth2.stand_alone_client import StandAloneClient
from idpyoidc.message import SINGLE_REQUIRED_STRING
from idpyoidc.message.oauth2 import JWTSecuredAuthorizationRequest
from idpyoidc.message.oidc import AuthnToken
from idpyoidc.time_util import utc_time_sans_frac
from idpyoidc.util import rndstr

from backend.kit.jose import encode_base64url

# It logs answers that are not as it likes them; what the server said is in RelyingParty.answer.
logging.getLogger("idpyoidc").setLevel(logging.CRITICAL)

_TIMEOUT_SECONDS = 20
_ASSERTION_LIFE_SECONDS = 60
_ALGORITHM = "ES256"


class Answer(msgspec.Struct, frozen=True):
    """What came back over HTTP; `body` is decoded JSON, None for an empty body."""

    status: int
    headers: dict[str, str]
    body: Any


class RelyingPartyError(Exception):
    """The server, or the browser's redirect, did not answer as the flow needs."""


class RelyingParty:
    """One client of a partner, with the state of one citizen's authorization."""

    def __init__(
        self, *, origin: str, client_id: str, redirect_uri: str, keys: dict[str, Any]
    ) -> None:
        """Read the server's metadata; `keys` is a JWKS with the client's private ES256 key."""
        self._origin = origin
        self._redirect_uri = redirect_uri
        self._http = httpx.Client(timeout=_TIMEOUT_SECONDS, trust_env=False)
        self._state = ""
        self._access_token = ""
        self._refresh_token = ""
        self.authorization_url = ""
        self.answer = Answer(status=0, headers={}, body=None)
        self._client = StandAloneClient(
            keyjar=_key_jar(keys),
            config=_configuration(origin, client_id, redirect_uri),
            services=_SERVICES,
            httpc=self._send,
        )
        self._context = self._client.get_context()
        # The library asks where keys are published even of a client that registers them by hand.
        self._context.issuer = origin
        self._context.add_on["dpop"].update(alg=_ALGORITHM, key=new_ec_key("P-256"))
        self._client.do_provider_info()
        self._client.do_client_registration()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def push(self, *, programme: str, purpose: str, **order: str | int) -> Answer:
        """Push an authorization request; `authorization_url` is then where the citizen goes.

        With `confirm`, and `amount_max_fen` if wanted, it is for service orders.
        """
        kind, scope = "eligibility", "eligibility:verify"
        if order:
            kind, scope = "service_order", "eligibility:verify orders:write"
        detail = {"type": kind, "programme": programme, "purpose": purpose, **order}
        self.authorization_url = self._client.init_authorization(
            {"scope": scope, "authorization_details": json.dumps([detail])}
        )
        return self.answer

    def exchange(self, redirect: str) -> Answer:
        """Take the code out of the redirect, checking `state` and `iss`, and turn it into tokens.

        Raises RelyingPartyError when the redirect carries an error or isn't the server's.
        """
        answer = dict(parse_qsl(urlsplit(redirect).query))
        if answer.get("iss") != self._origin:  # RFC 9207 §2.4
            raise RelyingPartyError("the redirect does not come from the server")
        response = self._client.finalize_auth(answer)
        if "error" in response:
            raise RelyingPartyError(response["error"])
        self._state = response["state"]
        tokens = self._client.get_tokens(self._state)
        self._access_token = tokens["access_token"]
        self._refresh_token = tokens["refresh_token"]
        return self.answer

    def refresh(self) -> Answer:
        """Ask for a new access token."""
        request = {"grant_type": "refresh_token", "refresh_token": self._refresh_token}
        response = self._client.do_request(
            "refresh_token",
            request_args=request,
            authn_method="private_key_jwt",
            state=self._state,
        )
        if "access_token" in response:
            self._access_token = response["access_token"]
        return self.answer

    def revoke(self) -> Answer:
        """Revoke the refresh token, and with it everything that came of it.

        idpyoidc takes an answer without content for a fault; RFC 7009 §2.2 says to ignore the
        content, so what counts is the status.
        """
        with contextlib.suppress(ResponseError):
            self._client.do_request(
                "token_revocation",
                request_args={"token": self._refresh_token},
                authn_method="private_key_jwt",
            )
        return self.answer

    def introspect(self) -> Answer:
        """Ask the server what the access token is good for."""
        self._client.do_request(
            "introspection",
            request_args={"token": self._access_token},
            authn_method="private_key_jwt",
        )
        return self.answer

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """Call the API with the access token and a DPoP proof of its own (RFC 9449 §7)."""
        url = self._origin + path
        sent = {
            "authorization": f"DPoP {self._access_token}",
            "dpop": self._proof(method, url.partition("?")[0]),
            **(headers or {}),
        }
        self.answer = _answer_of(self._http.request(method, url, json=body, headers=sent))
        return self.answer

    def _proof(self, method: str, url: str) -> str:
        """Make the proof from idpyoidc's message.

        Its own dpop_header writes `ath` in hexadecimal; RFC 9449 §4.2 says base64url.
        """
        key = self._context.add_on["dpop"]["key"]
        proof = DPoPProof(
            typ="dpop+jwt",
            alg=_ALGORITHM,
            jwk=key.serialize(),
            jti=rndstr(32),
            htm=method,
            htu=url,
            iat=utc_time_sans_frac(),
            ath=encode_base64url(hashlib.sha256(self._access_token.encode()).digest()),
        )
        proof.key = key
        header: str = proof.create_header()
        return header

    def _send(
        self,
        method: str,
        url: str,
        data: str | None = None,
        headers: dict[str, str] | None = None,
        **_settings: Any,
    ) -> httpx.Response:
        """Send a request of the library's, and keep the real answer."""
        response = self._http.request(method, url, content=data, headers=headers)
        self.answer = _answer_of(response)
        return response


class IssuerAssertion(PrivateKeyJWT):
    """private_key_jwt as FAPI 2.0 §5.3.2.1 wants it: for the issuer, as one string, short."""

    def _construct_client_assertion(self, service: Any, **_settings: Any) -> str:
        context = service.upstream_get("context")
        key_jar = service.upstream_get("attribute", "keyjar")
        client_id = service.upstream_get("unit").client_id
        now = utc_time_sans_frac()
        token = _IssuerToken(
            iss=client_id,
            sub=client_id,
            aud=context.provider_info["issuer"],
            jti=rndstr(32),
            iat=now,
            exp=now + _ASSERTION_LIFE_SECONDS,
        )
        keys = key_jar.get_signing_key("EC", "", alg=_ALGORITHM)
        assertion: str = token.to_jwt(key=keys, algorithm=_ALGORITHM)
        return assertion


class _IssuerToken(AuthnToken):
    """The library's AuthnToken makes a list of any audience."""

    c_param: ClassVar = {**AuthnToken.c_param, "aud": SINGLE_REQUIRED_STRING}


def push_plainly(request_args: Any, service: Any, **_settings: Any) -> Any:
    """Push the request as RFC 9126 §2.1 has it: as a form, with the client assertion beside it.

    In place of idpyoidc's push_authorization, which signs the request always, puts the client
    assertion inside it, and takes any status but 200 for an outage (RFC 9126 §2.2: 201).
    """
    context = service.upstream_get("context")
    unit = service.upstream_get("unit")
    endpoint = context.provider_info["pushed_authorization_request_endpoint"]
    pushed = request_args.copy()
    IssuerAssertion().construct(pushed, service)
    pushed["client_id"] = unit.client_id
    headers = dpop_header(
        context,
        service_endpoint="pushed_authorization_request_endpoint",
        http_method="POST",
        headers={"Content-Type": "application/x-www-form-urlencoded"},
        endpoint_url=endpoint,
    )
    fields = {name: _flat(value) for name, value in pushed.items()}
    response = unit.httpc("POST", endpoint, data=urlencode(fields), headers=headers)
    if response.status_code != httpx.codes.CREATED:
        raise RelyingPartyError(f"the request was not accepted: {response.text}")
    return JWTSecuredAuthorizationRequest(
        client_id=unit.client_id,
        request_uri=response.json()["request_uri"],
        response_type=request_args["response_type"],
    )


def add_plain_push(services: Any) -> None:
    """Add push_plainly to the library's authorization service, as its `add_ons` are."""
    services["authorization"].post_construct.append(push_plainly)


def _flat(value: Any) -> str:
    return " ".join(value) if isinstance(value, list) else str(value)


def _key_jar(keys: dict[str, Any]) -> KeyJar:
    bundle = KeyBundle()
    for members in keys["keys"]:
        key = key_from_jwk_dict(members)
        key.use, key.alg = "sig", _ALGORITHM
        bundle.append(key)
    jar = KeyJar()
    jar.add_kb("", bundle)
    return jar


def _answer_of(response: httpx.Response) -> Answer:
    is_json = "json" in response.headers.get("content-type", "")
    body = response.json() if is_json else response.text or None
    return Answer(status=response.status_code, headers=dict(response.headers), body=body)


_CLIENT = "idpyoidc.client.oauth2."
_SERVICES = {
    name: {"class": _CLIENT + path}
    for name, path in {
        "discovery": "server_metadata.ServerMetadata",
        "authorization": "authorization.Authorization",
        "access_token": "access_token.AccessToken",
        "refresh_access_token": "refresh_access_token.RefreshAccessToken",
        "token_revocation": "token_revocation.TokenRevocation",
        "introspection": "introspection.Introspection",
    }.items()
}


def _configuration(origin: str, client_id: str, redirect_uri: str) -> dict[str, Any]:
    return {
        "issuer": origin,
        "client_id": client_id,
        "redirect_uris": [redirect_uri],
        "response_types_supported": ["code"],
        "token_endpoint_auth_methods_supported": ["private_key_jwt"],
        "client_authn_methods": {
            "private_key_jwt": {"class": IssuerAssertion, "kwargs": {}},
        },
        "add_ons": {
            "pkce": {
                "function": _CLIENT + "add_on.pkce.add_support",
                "kwargs": {"code_challenge_length": 64, "code_challenge_method": "S256"},
            },
            "dpop": {
                "function": _CLIENT + "add_on.dpop.add_support",
                "kwargs": {
                    "dpop_signing_alg_values_supported": [_ALGORITHM],
                    "with_dpop_header": ["accesstoken", "refresh_token"],
                },
            },
            "push": {"function": f"{__name__}.add_plain_push", "kwargs": {}},
        },
    }
