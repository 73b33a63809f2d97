"""Client authentication with private_key_jwt: RFC 7523 §2.2 and §3, as FAPI 2.0 §5.3.2.1 has it.

joserfc takes the token apart and checks its signature; what FAPI asks beyond RFC 7523 is ours.
"""

from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from hashlib import sha256
from typing import Any

import msgspec
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from joserfc.jwt import JWTClaimsRegistry

from backend.kit.jose import ALGORITHMS, JWS_LENGTH_MAX, encode_base64url
from backend.oauth.rules.fault import invalid_client, invalid_request
from backend.oauth.rules.form import Form
from backend.partner.rules import Client

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ASSERTION_LIFE_MAX_SECONDS = 300
# FAPI 2.0 §5.3.2.1: up to 10 s ahead must be accepted, more than 60 s must be refused.
ASSERTION_AHEAD_MAX_SECONDS = 30
# The library's own look at exp, iat and nbf; check_expiry and check_not_ahead look closer.
_LEEWAY_SECONDS = 60
# Processes whose clocks differ still remember an assertion until each of them calls it expired.
_REPLAY_MARGIN_SECONDS = 20
_JTI_LENGTH_MAX = 512
_TYPES = (None, "jwt", "client-authentication+jwt")
_KEY_TYPES = {"ES256": "EC", "PS256": "RSA", "Ed25519": "OKP"}


# Unknown header parameters are ignored (RFC 7515 §4); `crit` is refused by check_type.
_REGISTRY = jws.JWSRegistry(algorithms=ALGORITHMS, strict_check_header=False)


class Assertion(msgspec.Struct, frozen=True):
    """A client assertion as it came: read, not verified."""

    jws: jws.CompactSignature
    claims: dict[str, Any]

    @property
    def header(self) -> dict[str, Any]:
        """The JOSE header, not verified either."""
        return self.jws.headers()


class AssertionUse(msgspec.Struct, frozen=True):
    """A verified assertion: what to remember so that it is used once, and for how long."""

    replay_key: str
    ttl_seconds: int


def read_assertion(form: Form) -> Assertion:
    """Take the client assertion out of a form (RFC 7521 §4.2).

    Any other way to authenticate, or none, is OauthError("invalid_client").
    """
    if "client_secret" in form:
        raise invalid_client("clients authenticate with private_key_jwt only")
    if form.get("client_assertion_type") != ASSERTION_TYPE:
        raise invalid_client("client_assertion_type is not jwt-bearer")
    token = form.get("client_assertion", "")
    if not token or len(token) > JWS_LENGTH_MAX:
        raise invalid_client("client_assertion is missing or too long")
    try:
        signature = jws.extract_compact(token.encode(), registry=_REGISTRY)
        claims = msgspec.json.decode(signature.payload or b"", type=dict[str, Any])
    except (JoseError, ValueError, RecursionError) as error:
        raise invalid_client("client_assertion is not a signed JWT") from error
    return Assertion(jws=signature, claims=claims)


def claimed_client_id(form: Form, assertion: Assertion) -> str:
    """Return who the caller says to be (RFC 7521 §4.2: client_id, when sent, is the subject)."""
    subject = assertion.claims.get("sub")
    if not isinstance(subject, str):
        raise invalid_client("sub is not a string")
    if form.get("client_id", subject) != subject:
        raise invalid_request("client_id is not the subject of the client assertion")
    return subject


def authenticate_client(
    assertion: Assertion, *, client: Client | None, issuer: str, now: datetime
) -> AssertionUse:
    """Check every line of RFC 7523 §3 and FAPI 2.0 §5.3.2.1; OauthError("invalid_client").

    What is left to the caller is to let the returned `replay_key` through once.
    """
    if client is None or client.is_suspended:
        raise invalid_client("the client is unknown or suspended")
    attempt = _Attempt(assertion, client, issuer, now.timestamp())
    for check in ASSERTION_CHECKS:
        check(attempt)
    claims = assertion.claims
    seconds_left = int(claims["exp"] - attempt.now) + 1
    identity = f"{client.client_id}|{claims['jti']}".encode()
    return AssertionUse(
        replay_key=encode_base64url(sha256(identity).digest()),
        ttl_seconds=seconds_left + _REPLAY_MARGIN_SECONDS,
    )


class _Attempt(msgspec.Struct, frozen=True):
    assertion: Assertion
    client: Client
    issuer: str
    now: float


def check_type(attempt: _Attempt) -> None:
    """RFC 8725 §3.11: a JWT made for another purpose (a DPoP proof) is not an assertion.

    RFC 7515 §4.1.11: what `crit` names must be understood, and no extension is.
    """
    if "crit" in attempt.assertion.header:
        raise invalid_client("crit names an extension that isn't understood")
    given = attempt.assertion.header.get("typ")
    if (given.lower() if isinstance(given, str) else given) not in _TYPES:
        raise invalid_client("typ of the client assertion is that of something else")


def check_algorithm(attempt: _Attempt) -> None:
    """FAPI 2.0 §5.4.1: PS256, ES256 or Ed25519; never RS256, HS256, none."""
    if attempt.assertion.header.get("alg") not in ALGORITHMS:
        raise invalid_client("alg of the client assertion is none of ES256, PS256, Ed25519")


def check_signature(attempt: _Attempt) -> None:
    """RFC 7523 §3 (9): signed with a registered key of this client.

    The key comes from the registration, picked by `kid` or, without one, by the algorithm; a
    `jwk` or `jku` in the header is never looked at (RFC 8725 §3.10).
    """
    header = attempt.assertion.header
    key_set = _key_set(msgspec.json.encode(attempt.client.jwks))
    keys = [
        key
        for key in key_set.keys
        if key.key_type == _KEY_TYPES[header["alg"]] and header.get("kid") in (None, key.kid)
    ]
    for key in keys:
        try:
            if jws.validate_compact(attempt.assertion.jws, key, registry=_REGISTRY):
                return
        except (JoseError, ValueError):
            continue
    raise invalid_client("the client assertion is not signed with a registered key")


def check_claims(attempt: _Attempt) -> None:
    """RFC 7523 §3 (1), (2), (4), (5), (6): present, of the right type, issuer and subject."""
    registry = JWTClaimsRegistry(
        now=int(attempt.now),
        leeway=_LEEWAY_SECONDS,
        iss={"essential": True, "value": attempt.client.client_id},
        sub={"essential": True, "value": attempt.client.client_id},
        aud={"essential": True},
        exp={"essential": True},
        jti={"essential": True},
    )
    try:
        registry.validate(attempt.assertion.claims)
    except JoseError as error:
        raise invalid_client("iss, sub, aud, exp or jti is missing or not valid") from error


def check_audience(attempt: _Attempt) -> None:
    """FAPI 2.0 §5.3.2.1: `aud` is the issuer as a string: no endpoint, no array."""
    if attempt.assertion.claims["aud"] != attempt.issuer:
        raise invalid_client("aud is not the issuer identifier as a single string")


def check_expiry(attempt: _Attempt) -> None:
    """RFC 7523 §3 (4): not expired, and not good for longer than five minutes."""
    expires = _moment(attempt, "exp")
    assert expires is not None, "check_claims comes first"
    if expires <= attempt.now:
        raise invalid_client("the client assertion has expired")
    if expires > attempt.now + ASSERTION_LIFE_MAX_SECONDS + ASSERTION_AHEAD_MAX_SECONDS:
        raise invalid_client("exp is more than five minutes ahead")


def check_not_ahead(attempt: _Attempt) -> None:
    """FAPI 2.0 §5.3.2.1: `iat` and `nbf` lie at most a little ahead of our clock."""
    for name in ("iat", "nbf"):
        moment = _moment(attempt, name)
        if moment is not None and moment > attempt.now + ASSERTION_AHEAD_MAX_SECONDS:
            raise invalid_client(f"{name} lies in the future")


def check_id(attempt: _Attempt) -> None:
    """RFC 7523 §3 (7): a `jti`, so that the assertion can be used once."""
    jti = attempt.assertion.claims["jti"]
    if not isinstance(jti, str) or not 1 <= len(jti) <= _JTI_LENGTH_MAX:
        raise invalid_client("jti is not a string of 1 to 512 characters")


ASSERTION_CHECKS: tuple[Callable[[_Attempt], None], ...] = (
    check_type,
    check_algorithm,
    check_signature,
    check_claims,
    check_audience,
    check_expiry,
    check_not_ahead,
    check_id,
)


def _moment(attempt: _Attempt, name: str) -> float | None:
    value = attempt.assertion.claims.get(name)
    if value is None:
        return None
    assert isinstance(value, int | float), "check_claims comes first"
    return value


@lru_cache(maxsize=1024)
def _key_set(jwks: bytes) -> KeySet:
    """Parse a registered key set once: parsing costs more than checking a signature."""
    return KeySet.import_key_set(msgspec.json.decode(jwks))
