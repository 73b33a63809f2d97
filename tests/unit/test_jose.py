"""Goal: only sound public keys in their one canonical form are read, and base64url is strict.

Method: keys made by joserfc, changed in one place a time, against the hand-written import.
"""

from typing import Any

import msgspec
import pytest
from joserfc.errors import SecurityWarning
from joserfc.jwk import RSAKey

from backend.kit.jose import (
    JoseError,
    PublicJwk,
    decode_base64url,
    encode_base64url,
    import_public_key,
)
from tests.support.oauth_client import new_key


def load(members: dict[str, Any]) -> str:
    return import_public_key(msgspec.convert(members, PublicJwk)).thumbprint


@pytest.mark.parametrize("algorithm", ["ES256", "PS256", "Ed25519"])
def test_7638_thumbprints_are_those_of_another_library(algorithm: str) -> None:
    key = new_key(algorithm)
    jwk = key.as_dict(private=False)
    assert load(jwk) == key.thumbprint()
    assert load({**jwk, "alg": algorithm, "use": "sig", "kid": "x"}) == key.thumbprint()


def test_7638_3_1_the_example_of_the_rfc() -> None:
    modulus = (
        "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJE"
        "CPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2Q"
        "vzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6"
        "WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"
    )
    jwk = {"kty": "RSA", "n": modulus, "e": "AQAB", "alg": "RS256", "kid": "2011-04-29"}
    assert load(jwk) == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"


@pytest.mark.parametrize("algorithm", ["ES256", "PS256", "Ed25519"])
def test_private_members_are_refused_by_name(algorithm: str) -> None:
    private = new_key(algorithm).as_dict(private=True)
    public = new_key(algorithm).as_dict(private=False)
    for member in set(private) - set(public):
        with pytest.raises(JoseError, match="not a public key"):
            load({**public, member: private[member]})
    with pytest.raises(JoseError, match="not a public key"):
        load({**public, "oth": [{"r": "x"}]})


@pytest.mark.parametrize(
    "changes",
    [
        {"kty": "ec"},
        {"crv": "P-384"},
        {"crv": "secp256k1"},
        {"x": ""},
        {"x": "AA"},
        {"x": "x" * 43},
    ],
)
def test_7518_6_2_a_point_lies_on_the_one_curve(changes: dict[str, str]) -> None:
    with pytest.raises(JoseError):
        load({**new_key().as_dict(private=False), **changes})


def test_7518_6_2_1_2_a_coordinate_has_32_octets_and_the_point_is_on_the_curve() -> None:
    public = new_key().as_dict(private=False)
    x = decode_base64url(str(public["x"]))
    assert load(public)
    with pytest.raises(JoseError, match="32 octets"):
        load({**public, "x": encode_base64url(b"\0" + x)})
    with pytest.raises(JoseError, match="curve"):
        load({**public, "x": encode_base64url(bytes([x[0] ^ 1]) + x[1:])})
    with pytest.raises(JoseError, match="curve"):
        load({**public, "x": encode_base64url(b"\xff" * 32)})


def test_8037_2_an_ed25519_key_has_32_octets() -> None:
    public = new_key("Ed25519").as_dict(private=False)
    for changes in ({"x": "AA"}, {"x": ""}, {"crv": "Ed448"}, {"crv": "X25519"}):
        with pytest.raises(JoseError):
            load({**public, **changes})


def test_7518_6_3_an_rsa_key_is_long_enough_and_not_too_long() -> None:
    with pytest.warns(SecurityWarning):
        short = RSAKey.generate_key(1024).as_dict(private=False)
    fine = new_key("PS256").as_dict(private=False)
    long = {**fine, "n": encode_base64url(b"\xff" * 513)}
    for jwk in (short, long, {**fine, "e": "Aw"}, {**fine, "e": ""}, {**fine, "n": ""}):
        with pytest.raises(JoseError):
            load(jwk)
    for even in ({**fine, "e": "AQAC"}, {**fine, "e": encode_base64url(b"\x01" + b"\0" * 4)}):
        with pytest.raises(JoseError):
            load(even)


def test_7638_7_one_key_has_one_encoding() -> None:
    rsa = new_key("PS256").as_dict(private=False)
    padded = encode_base64url(b"\0" + decode_base64url(str(rsa["n"])))
    edwards = new_key("Ed25519").as_dict(private=False)
    last = str(edwards["x"])[-1]
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    twin = str(edwards["x"])[:-1] + alphabet[alphabet.index(last) + 1]
    assert decode_base64url(twin) == decode_base64url(str(edwards["x"]))
    for jwk in ({**rsa, "n": padded}, {**edwards, "x": twin}):
        with pytest.raises(JoseError, match="canonical"):
            load(jwk)


@pytest.mark.parametrize("text", ["A", "AA=", "AA==", "A+", "A/", "A A", "AAA\n", "é", "AAAAA"])
def test_7515_2_base64url_is_read_strictly(text: str) -> None:
    with pytest.raises(JoseError):
        decode_base64url(text)


def test_7515_2_base64url_goes_both_ways() -> None:
    for octets in (b"", b"a", b"ab", b"abc", bytes(range(256))):
        assert decode_base64url(encode_base64url(octets)) == octets
        assert "=" not in encode_base64url(octets)
