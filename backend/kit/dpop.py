"""DPoP proofs (RFC 9449): pure verification; that a proof is used once is ReplayGuard's part."""

import re
from datetime import datetime
from functools import lru_cache
from hashlib import sha256
from hmac import compare_digest
from urllib.parse import SplitResult, unquote_to_bytes, urlsplit

import msgspec

from backend.kit.jose import (
    ALGORITHMS,
    KEY_CACHE_SIZE,
    JoseError,
    PublicJwk,
    PublicKey,
    decode_segment,
    encode_base64url,
    import_public_key,
    split_segments,
    verify,
)

# RFC 9449 §11.1: a proof is accepted for a short time around its creation only.
PROOF_AGE_MAX_SECONDS = 60
PROOF_AHEAD_MAX_SECONDS = 10
# How long a used `jti` is remembered: the whole window, and 20 s for processes whose clocks differ.
PROOF_REPLAY_TTL_SECONDS = PROOF_AGE_MAX_SECONDS + PROOF_AHEAD_MAX_SECONDS + 20

# The header of the longest key that is allowed has 900 characters or so; a longer one isn't kept.
_HEADER_KEPT_MAX = 1_024

_DEFAULT_PORTS = {"http": 80, "https": 443}
_PERCENT = re.compile(rb"%[0-9A-Fa-f]{2}")
_UNRESERVED = re.compile(rb"[A-Za-z0-9._~-]")


class DpopError(Exception):
    """A proof that isn't accepted: an error code of RFC 9449 §7.1/§8 and what is wrong with it."""

    def __init__(self, code: str, description: str) -> None:
        super().__init__(f"{code}: {description}")
        self.code = code
        self.description = description


class Proof(msgspec.Struct, frozen=True):
    """A verified proof: the key's RFC 7638 thumbprint, the proof's id, its creation in seconds."""

    jkt: str
    jti: str
    iat: float

    @property
    def replay_key(self) -> str:
        """The one name this proof is remembered by.

        Hashed, because a sender chooses the length of a `jti` (RFC 9449 §11.1); with the key, so
        that nobody can use up an id for somebody else.
        """
        return encode_base64url(sha256(f"{self.jkt}.{self.jti}".encode()).digest())


class _Header(msgspec.Struct, frozen=True):
    typ: str
    alg: str
    jwk: PublicJwk
    crit: object = None


class _Claims(msgspec.Struct, frozen=True):
    jti: str
    htm: str
    htu: str
    iat: int | float
    exp: int | float | None = None
    nbf: int | float | None = None
    ath: str | None = None


_decode_header = msgspec.json.Decoder(_Header).decode
_decode_claims = msgspec.json.Decoder(_Claims).decode


def verify_proof(
    proof: str, *, method: str, url: str, access_token: str | None, now: datetime
) -> Proof:
    """Check a DPoP proof by RFC 9449 §4.3, everything but its single use.

    `url` is the configured origin and the path that was called, never what the Host header says;
    `access_token` is the presented token at the API (then `ath` must be its hash) and None at the
    authorization server. Raises DpopError("invalid_dpop_proof").
    """
    try:
        jws = split_segments(proof)
        key = _key_in(jws.header)
        claims = _decode_claims(jws.payload)
        verify(jws, key)
    except (JoseError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise _invalid(f"the proof is not a DPoP proof JWT: {_reason(error)}") from error
    _check_request(claims, method=method, url=url)
    _check_time(claims, now=now.timestamp())
    _check_access_token(claims, access_token=access_token)
    return Proof(jkt=key.thumbprint, jti=claims.jti, iat=claims.iat)


def token_fingerprint(access_token: str) -> str:
    """The `ath` of an access token (RFC 9449 §4.2): base64url of its SHA-256."""
    return encode_base64url(sha256(access_token.encode()).digest())


def _invalid(description: str) -> DpopError:
    return DpopError("invalid_dpop_proof", description)


def _reason(error: Exception) -> str:
    # A decoder's message quotes the sender's bytes; ours say what is wrong and nothing else.
    return str(error) if isinstance(error, JoseError) else "its JSON has not the required shape"


def _key_in(segment: bytes) -> PublicKey:
    """Return the key in a proof's header, which is the same for each proof of one key."""
    return _known_key_in(segment) if len(segment) <= _HEADER_KEPT_MAX else _read_key(segment)


def _read_key(segment: bytes) -> PublicKey:
    header = _decode_header(decode_segment(segment))
    _check_header(header)
    key = import_public_key(header.jwk)
    if key.algorithm != header.alg:
        raise _invalid("the key doesn't fit the algorithm")
    return key


# Of a header that is refused nothing is kept.
_known_key_in = lru_cache(maxsize=KEY_CACHE_SIZE)(_read_key)


def _check_header(header: _Header) -> None:
    """RFC 9449 §4.3 checks 4 to 7: the type, an allowed asymmetric algorithm, a public key."""
    if header.typ != "dpop+jwt":
        raise _invalid("typ is not dpop+jwt")
    if header.alg not in ALGORITHMS:
        raise _invalid("alg is none of ES256, PS256, Ed25519")
    if header.crit is not None:  # RFC 7515 §4.1.11: no extension is understood here
        raise _invalid("crit names an extension that isn't understood")


def _check_request(claims: _Claims, *, method: str, url: str) -> None:
    """RFC 9449 §4.3 checks 8 and 9: made for this method and this URI."""
    if not claims.jti:
        raise _invalid("jti is empty")
    if claims.htm != method:
        raise _invalid("htm is not the method of this request")
    if claims.htu != url and _normalized(claims.htu) != _normalized(url):
        raise _invalid("htu is not the address of this request")


def _check_time(claims: _Claims, *, now: float) -> None:
    """RFC 9449 §4.3 check 11; `exp` and `nbf` are optional, but mean what they say."""
    if claims.iat < now - PROOF_AGE_MAX_SECONDS:
        raise _invalid("iat is too long ago")
    if claims.iat > now + PROOF_AHEAD_MAX_SECONDS:
        raise _invalid("iat lies in the future")
    if claims.exp is not None and claims.exp <= now:
        raise _invalid("the proof has expired")
    if claims.nbf is not None and claims.nbf > now + PROOF_AHEAD_MAX_SECONDS:
        raise _invalid("the proof is not valid yet")


def _check_access_token(claims: _Claims, *, access_token: str | None) -> None:
    """RFC 9449 §4.3 check 12: made for the token it comes with."""
    if access_token is None:
        return
    expected = token_fingerprint(access_token)
    if claims.ath is None or not compare_digest(claims.ath.encode(), expected.encode()):
        raise _invalid("ath is not the hash of the access token")


def _normalized(url: str) -> tuple[str, str, int | None, bytes]:
    """A URI as RFC 3986 §6.2.2 and §6.2.3 compare it, without query and fragment."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise _invalid("htu is not a URI") from error
    if parts.username is not None or parts.password is not None:
        raise _invalid("htu carries user information")
    return (
        parts.scheme.lower(),
        (parts.hostname or "").lower(),
        port if port is not None else _DEFAULT_PORTS.get(parts.scheme.lower()),
        _normalized_path(parts),
    )


def _normalized_path(parts: SplitResult) -> bytes:
    path = parts.path.encode() or b"/"

    def decode_unreserved(match: re.Match[bytes]) -> bytes:
        octet = unquote_to_bytes(match.group())
        return octet if _UNRESERVED.fullmatch(octet) else match.group().upper()

    return _PERCENT.sub(decode_unreserved, path)
