"""JOSE on the hot path: compact JWS, public JWKs and three signature algorithms.

Every API call carries a DPoP proof, so its signature is checked by hand on `cryptography`, at half
of a general library's cost. What isn't hot (client assertions, key sets) goes through joserfc,
which is also the oracle this module is tested against.
"""

from binascii import Error as Base64Error
from binascii import a2b_base64, b2a_base64
from functools import lru_cache
from hashlib import sha256
from typing import cast

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

# FAPI 2.0 §5.4.1. RS256, HS* and none are refused by not being here; "EdDSA" is refused because
# it doesn't say which curve (RFC 9864).
ALGORITHMS = ("ES256", "PS256", "Ed25519")

# Members that only a private or a symmetric key has (RFC 7518 §6.2.2, §6.3.2, §6.4.1).
PRIVATE_MEMBERS = ("d", "p", "q", "dp", "dq", "qi", "oth", "k")

JWS_LENGTH_MAX = 8192
RSA_BITS_MIN = 2048
RSA_BITS_MAX = 4096
KEY_CACHE_SIZE = 4096

# "+", "/" and "=" are not of this alphabet: they become something that is of none.
_TO_STANDARD = bytes.maketrans(b"-_+/=", b"+/!!!")
_PADDING = (b"", b"===", b"==", b"=")
_TO_URL_SAFE = bytes.maketrans(b"+/", b"-_")
_SHA256 = hashes.SHA256()
_ECDSA = ec.ECDSA(_SHA256)
# RFC 7518 §3.5: the salt is as long as the hash.
_PSS = padding.PSS(mgf=padding.MGF1(_SHA256), salt_length=32)


class JoseError(ValueError):
    """A JWS or JWK that isn't well formed, isn't allowed here, or doesn't verify."""


class PublicJwk(msgspec.Struct, frozen=True):
    """The members of a JWK that a signature check reads; private ones are kept to be refused."""

    kty: str
    crv: str = ""
    x: str = ""
    y: str = ""
    n: str = ""
    e: str = ""
    d: object = None
    p: object = None
    q: object = None
    dp: object = None
    dq: object = None
    qi: object = None
    oth: object = None
    k: object = None


class PublicKey(msgspec.Struct, frozen=True):
    """A parsed public key, the one algorithm it serves here, and its RFC 7638 thumbprint."""

    algorithm: str
    thumbprint: str
    key: ec.EllipticCurvePublicKey | rsa.RSAPublicKey | Ed25519PublicKey


class Jws(msgspec.Struct, frozen=True):
    """A compact JWS taken apart, not verified yet."""

    header: bytes
    payload: bytes
    signature: bytes
    signing_input: bytes


class Segments(msgspec.Struct, frozen=True):
    """A compact JWS of which the header is still encoded: few keys send many proofs, and each key
    the same header every time.
    """

    header: bytes
    payload: bytes
    signature: bytes
    signing_input: bytes


def encode_base64url(value: bytes) -> str:
    """Encode without padding (RFC 7515 §2)."""
    return b2a_base64(value, newline=False).translate(_TO_URL_SAFE).rstrip(b"=").decode("ascii")


def decode_base64url(text: str) -> bytes:
    """Decode unpadded base64url.

    JoseError on any other character, and on a length that no octet sequence encodes to.
    """
    try:
        return decode_segment(text.encode("ascii"))
    except UnicodeEncodeError as error:
        raise JoseError("not base64url") from error


def decode_segment(segment: bytes) -> bytes:
    """Decode unpadded base64url as `decode_base64url` does."""
    padded = segment.translate(_TO_STANDARD) + _PADDING[len(segment) & 3]
    try:
        return a2b_base64(padded, strict_mode=True)
    except (Base64Error, ValueError) as error:
        raise JoseError("not base64url") from error


def split_jws(token: str) -> Jws:
    """Take a compact JWS (RFC 7515 §7.1) apart.

    JoseError when it is longer than 8192 characters or isn't three parts of base64url.
    """
    parts = split_segments(token)
    return Jws(
        header=decode_segment(parts.header),
        payload=parts.payload,
        signature=parts.signature,
        signing_input=parts.signing_input,
    )


def split_segments(token: str) -> Segments:
    """Take a compact JWS apart as `split_jws` does, and leave its header encoded."""
    if len(token) > JWS_LENGTH_MAX:
        raise JoseError("longer than 8192 characters")
    try:
        octets = token.encode("ascii")
    except UnicodeEncodeError as error:
        raise JoseError("not a compact JWS") from error
    parts = octets.split(b".")
    if len(parts) != 3 or not all(parts):
        raise JoseError("not a compact JWS")
    return Segments(
        header=parts[0],
        payload=decode_segment(parts[1]),
        signature=decode_segment(parts[2]),
        signing_input=octets[: len(parts[0]) + len(parts[1]) + 1],
    )


def import_public_key(jwk: PublicJwk) -> PublicKey:
    """Parse a public JWK of one of the kinds that serve ALGORITHMS.

    JoseError for a private or symmetric key, another kind or curve, a member that isn't in its
    one canonical encoding (RFC 7638 §7: one key must not have two thumbprints), a point off the
    curve, or an RSA modulus outside 2048…4096 bits.
    """
    if any(getattr(jwk, member) is not None for member in PRIVATE_MEMBERS):
        raise JoseError("not a public key")
    return _import(jwk)


@lru_cache(maxsize=KEY_CACHE_SIZE)
def _import(jwk: PublicJwk) -> PublicKey:
    match (jwk.kty, jwk.crv):
        case ("EC", "P-256"):
            return _import_p256(jwk)
        case ("OKP", "Ed25519"):
            return _import_ed25519(jwk)
        case ("RSA", _):
            return _import_rsa(jwk)
    raise JoseError("a key of this kind isn't used here")


def verify(jws: Jws | Segments, key: PublicKey) -> None:
    """Check the signature of a JWS whose header names `key.algorithm`; JoseError when it's wrong.

    The algorithm comes from the key, never from the token (RFC 8725 §3.1).
    """
    try:
        match key.algorithm:
            case "ES256":
                # RFC 7518 §3.4: R and S as 32 octets each; the library wants DER.
                if len(jws.signature) != 64:
                    raise JoseError("wrong signature")
                r = int.from_bytes(jws.signature[:32])
                s = int.from_bytes(jws.signature[32:])
                on_curve = cast("ec.EllipticCurvePublicKey", key.key)
                on_curve.verify(encode_dss_signature(r, s), jws.signing_input, _ECDSA)
            case "Ed25519":
                cast("Ed25519PublicKey", key.key).verify(jws.signature, jws.signing_input)
            case _:
                of_rsa = cast("rsa.RSAPublicKey", key.key)
                of_rsa.verify(jws.signature, jws.signing_input, _PSS, _SHA256)
    except InvalidSignature as error:
        raise JoseError("wrong signature") from error


def _thumbprint(canonical: str) -> str:
    """RFC 7638 §3: SHA-256 over the required members, sorted, without white space."""
    return encode_base64url(sha256(canonical.encode("ascii")).digest())


def _canonical_octets(text: str) -> bytes:
    octets = decode_base64url(text)
    if encode_base64url(octets) != text:
        raise JoseError("a key member isn't in its canonical encoding")
    return octets


def _import_p256(jwk: PublicJwk) -> PublicKey:
    x, y = _canonical_octets(jwk.x), _canonical_octets(jwk.y)
    if len(x) != 32 or len(y) != 32:  # RFC 7518 §6.2.1.2
        raise JoseError("a P-256 coordinate has 32 octets")
    numbers = ec.EllipticCurvePublicNumbers(int.from_bytes(x), int.from_bytes(y), ec.SECP256R1())
    try:
        key = numbers.public_key()
    except ValueError as error:
        raise JoseError("the point isn't on the curve") from error
    canonical = f'{{"crv":"P-256","kty":"EC","x":"{jwk.x}","y":"{jwk.y}"}}'
    return PublicKey(algorithm="ES256", thumbprint=_thumbprint(canonical), key=key)


def _import_ed25519(jwk: PublicJwk) -> PublicKey:
    octets = _canonical_octets(jwk.x)
    try:
        key = Ed25519PublicKey.from_public_bytes(octets)
    except ValueError as error:
        raise JoseError("an Ed25519 key has 32 octets") from error
    canonical = f'{{"crv":"Ed25519","kty":"OKP","x":"{jwk.x}"}}'
    return PublicKey(algorithm="Ed25519", thumbprint=_thumbprint(canonical), key=key)


def _import_rsa(jwk: PublicJwk) -> PublicKey:
    modulus, exponent = _canonical_octets(jwk.n), _canonical_octets(jwk.e)
    if modulus[:1] == b"\0" or exponent[:1] == b"\0":  # RFC 7518 §2, Base64urlUInt
        raise JoseError("a key member isn't in its canonical encoding")
    n, e = int.from_bytes(modulus), int.from_bytes(exponent)
    if not RSA_BITS_MIN <= n.bit_length() <= RSA_BITS_MAX:
        raise JoseError("an RSA modulus has 2048 to 4096 bits")
    # An exponent of four octets at most: a huge one would make every check expensive.
    if e < 65537 or e.bit_length() > 32:
        raise JoseError("an RSA exponent lies between 65537 and 2^32")
    try:
        key = rsa.RSAPublicNumbers(e, n).public_key()
    except ValueError as error:
        raise JoseError("not an RSA key") from error
    canonical = f'{{"e":"{jwk.e}","kty":"RSA","n":"{jwk.n}"}}'
    return PublicKey(algorithm="PS256", thumbprint=_thumbprint(canonical), key=key)
