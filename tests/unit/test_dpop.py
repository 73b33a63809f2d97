"""Goal: a DPoP proof is accepted exactly when RFC 9449 §4.3 says so.

Method: proofs signed by joserfc, each broken in one place, against the pure verification. That
hand-written and library verification agree on arbitrary proofs is tests/property's part.
"""

import hashlib
import json
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest

from backend.kit.clock import FixedClock
from backend.kit.dpop import DpopError, Proof, verify_proof
from backend.kit.jose import decode_base64url
from tests.conftest import NOW
from tests.support.oauth_client import DROP, ISSUER, OauthClient, b64, new_key

URL = ISSUER + "/v1/eligibility-checks"
TOKEN = "cp_at_" + "x" * 43
SECONDS = int(NOW.timestamp())


@pytest.fixture
def sender() -> OauthClient:
    return OauthClient(httpx.AsyncClient(), FixedClock(NOW))


def verify(
    proof: str,
    *,
    method: str = "POST",
    url: str = URL,
    access_token: str | None = TOKEN,
    now: datetime = NOW,
) -> Proof:
    return verify_proof(proof, method=method, url=url, access_token=access_token, now=now)


def proof_of(sender: OauthClient, **changes: Any) -> str:
    return sender.proof("POST", "/v1/eligibility-checks", access_token=TOKEN, **changes)


def refused(proof: str, **request: Any) -> str:
    with pytest.raises(DpopError) as refusal:
        verify(proof, **request)
    assert refusal.value.code == "invalid_dpop_proof"
    return refusal.value.description


@pytest.mark.parametrize("algorithm", ["ES256", "PS256", "Ed25519"])
def test_a_proper_proof_yields_the_thumbprint_of_its_key(algorithm: str) -> None:
    key = new_key(algorithm)
    sender = OauthClient(httpx.AsyncClient(), FixedClock(NOW), dpop_key=key)
    proof = verify(proof_of(sender, claims={"jti": "one"}))
    assert proof == Proof(jkt=key.thumbprint(), jti="one", iat=SECONDS)


def test_4_3_2_a_proof_is_a_compact_jws(sender: OauthClient) -> None:
    whole = proof_of(sender)
    head, body, signature = whole.split(".")
    broken = [
        "",
        "x",
        f"{head}.{body}",
        f"{whole}.x",
        f"{head}.{body}.",
        f"{head}.{body}.{signature}=",
        f" {whole}",
        f"{whole}\n",
        f"{head}.{body}.é",
        f"{head}.{body}.{signature}" + "A" * 8192,
        f"{b64(b'[]')}.{body}.{signature}",
        f"{b64(bytes([0xFF, 0xFE]))}.{body}.{signature}",
        f"{b64(b'{' * 4000)}.{body}.{signature}",
        f"{head}.{b64(b'[' * 4000)}.{signature}",
        ".".join([b64(b'{"a":' * 1000), body, signature]),
    ]
    for proof in broken:
        refused(proof)


@pytest.mark.parametrize("claim", ["jti", "htm", "htu", "iat"])
def test_4_3_3_every_required_claim_is_there(sender: OauthClient, claim: str) -> None:
    refused(proof_of(sender, claims={claim: DROP}))
    refused(proof_of(sender, claims={claim: None}))
    refused(proof_of(sender, claims={claim: ["x"]}))
    refused(proof_of(sender, claims={claim: True}))


def test_4_2_an_empty_jti_is_none(sender: OauthClient) -> None:
    assert "jti" in refused(proof_of(sender, claims={"jti": ""}))


@pytest.mark.parametrize("typ", ["JWT", "DPOP+JWT", "application/dpop+jwt", "", DROP, 1])
def test_4_3_4_typ_is_dpop_jwt(sender: OauthClient, typ: object) -> None:
    refused(proof_of(sender, header={"typ": typ}))


@pytest.mark.parametrize("algorithm", ["RS256", "HS256", "EdDSA", "ES384"])
def test_4_3_5_other_algorithms_are_refused(algorithm: str) -> None:
    key = new_key(algorithm)
    sender = OauthClient(httpx.AsyncClient(), FixedClock(NOW), dpop_key=key)
    assert "alg is none of" in refused(proof_of(sender, header={"alg": algorithm}))


def test_4_3_5_none_is_refused_with_and_without_a_signature(sender: OauthClient) -> None:
    unsigned = proof_of(sender, header={"alg": "none"})
    refused(unsigned)
    refused(unsigned + "AAAA")


def test_8725_3_1_the_key_decides_the_algorithm(sender: OauthClient) -> None:
    rsa = new_key("PS256")
    jwk = rsa.as_dict(private=False)
    for algorithm in ("ES256", "Ed25519"):
        header = {"alg": algorithm, "jwk": jwk}
        assert "doesn't fit" in refused(proof_of(sender, header=header))
        assert "doesn't fit" in refused(proof_of(sender, header=header, key=rsa))


def test_4_3_6_a_signature_of_another_key_is_refused(sender: OauthClient) -> None:
    other = new_key().as_dict(private=False)
    assert "wrong signature" in refused(proof_of(sender, header={"jwk": other}))


def test_7518_3_4_an_es256_signature_has_64_octets(sender: OauthClient) -> None:
    head, body, signature = proof_of(sender).split(".")
    octets = decode_base64url(signature)
    assert verify(f"{head}.{body}.{signature}")
    for other in (octets[:32] + b"\0" + octets[32:], octets[:63], octets + b"\0", b"\0" * 64):
        assert "wrong signature" in refused(f"{head}.{body}.{b64(other)}")


def test_a_proof_has_at_most_8192_characters(sender: OauthClient) -> None:
    assert verify(proof_of(sender, claims={"x": "y" * 4000}))
    assert "8192" in refused(proof_of(sender, claims={"x": "y" * 8000}))


@pytest.mark.parametrize("place", [0, 1])
def test_4_3_6_whatever_was_signed_can_not_be_changed(sender: OauthClient, place: int) -> None:
    parts = proof_of(sender, claims={"jti": "one"}).split(".")
    other = proof_of(sender, claims={"jti": "two"}, header={"x": 1}).split(".")
    parts[place] = other[place]
    assert "wrong signature" in refused(".".join(parts))


def test_4_3_7_a_private_or_symmetric_key_is_refused(sender: OauthClient) -> None:
    for key in (new_key(), new_key("PS256"), new_key("Ed25519")):
        leaky = OauthClient(httpx.AsyncClient(), FixedClock(NOW), dpop_key=key)
        private = key.as_dict(private=True)
        assert "not a public key" in refused(proof_of(leaky, header={"jwk": private}))
    symmetric = new_key("HS256")
    refused(proof_of(sender, header={"alg": "HS256", "jwk": symmetric.as_dict()}, key=symmetric))


@pytest.mark.parametrize("jwk", [DROP, None, {}, [], "x", {"kty": "EC"}, {"kty": "oct"}])
def test_4_2_a_proof_carries_its_key(sender: OauthClient, jwk: object) -> None:
    refused(proof_of(sender, header={"jwk": jwk}))


def test_7515_4_1_11_an_extension_that_must_be_understood_is_not(sender: OauthClient) -> None:
    assert "crit" in refused(proof_of(sender, header={"b64": True, "crit": ["b64"]}))


@pytest.mark.parametrize("htm", ["GET", "post", "", "POST "])
def test_4_3_8_htm_is_the_method(sender: OauthClient, htm: str) -> None:
    assert "htm" in refused(proof_of(sender, claims={"htm": htm}))


@pytest.mark.parametrize(
    "htu",
    [
        "https://127.0.0.1:8000/v1/eligibility-checks",
        "http://127.0.0.1/v1/eligibility-checks",
        "http://127.0.0.1:8001/v1/eligibility-checks",
        "http://localhost:8000/v1/eligibility-checks",
        "http://127.0.0.1:8000/v1/eligibility-checks/",
        "http://127.0.0.1:8000/v1/Eligibility-checks",
        "http://127.0.0.1:8000/v1/eligibility%2Fchecks",
        "http://u@127.0.0.1:8000/v1/eligibility-checks",
        "http://127.0.0.1:port/v1/eligibility-checks",
        "http://[::1/v1/eligibility-checks",
        "/v1/eligibility-checks",
        "",
    ],
)
def test_4_3_9_htu_is_the_address_under_the_configured_origin(
    sender: OauthClient, htu: str
) -> None:
    refused(proof_of(sender, claims={"htu": htu}))


@pytest.mark.parametrize(
    "htu",
    [
        "HTTP://127.0.0.1:8000/v1/eligibility-checks",
        "http://127.0.0.1:8000/v1/eligibility-checks?a=b",
        "http://127.0.0.1:8000/v1/eligibility-checks#x",
        "http://127.0.0.1:8000/%761/eligibility%2dchecks",
    ],
)
def test_4_3_9_htu_is_compared_as_a_uri_without_query_and_fragment(
    sender: OauthClient, htu: str
) -> None:
    assert verify(proof_of(sender, claims={"htu": htu}))


def test_4_3_9_the_default_port_may_be_written_or_left_out(sender: OauthClient) -> None:
    for htu, url in [
        ("https://credit.example.cn:443/a", "https://credit.example.cn/a"),
        ("https://CREDIT.example.cn/a", "https://credit.example.cn:443/a"),
        ("https://credit.example.cn", "https://credit.example.cn/"),
    ]:
        assert verify(proof_of(sender, claims={"htu": htu}), url=url)


@pytest.mark.parametrize("age", [-10, -1, 0, 30, 60])
def test_4_3_11_a_proof_is_good_from_60_s_old_to_10_s_ahead(sender: OauthClient, age: int) -> None:
    assert verify(proof_of(sender, claims={"iat": SECONDS - age}))


@pytest.mark.parametrize("age", [-11, -3600, 61, 3600, 10**18, -(10**300)])
def test_4_3_11_a_proof_is_refused_outside_that_window(sender: OauthClient, age: int) -> None:
    assert "iat" in refused(proof_of(sender, claims={"iat": SECONDS - age}))


def test_4_3_11_the_window_moves_with_the_clock(sender: OauthClient) -> None:
    proof = proof_of(sender)
    assert verify(proof, now=NOW + timedelta(seconds=60))
    refused(proof, now=NOW + timedelta(seconds=61))


def test_exp_and_nbf_mean_what_they_say(sender: OauthClient) -> None:
    assert verify(proof_of(sender, claims={"exp": SECONDS + 1, "nbf": SECONDS + 10}))
    assert "expired" in refused(proof_of(sender, claims={"exp": SECONDS}))
    assert "not valid yet" in refused(proof_of(sender, claims={"nbf": SECONDS + 11}))


def test_4_3_12_at_the_api_ath_is_the_hash_of_the_token(sender: OauthClient) -> None:
    other = b64(hashlib.sha256(b"another token").digest())
    for ath in (DROP, "", other, TOKEN, hashlib.sha256(TOKEN.encode()).hexdigest()):
        assert "ath" in refused(proof_of(sender, claims={"ath": ath}))


def test_at_the_authorization_server_there_is_no_token_to_hash(sender: OauthClient) -> None:
    assert verify(sender.proof("POST", "/v1/eligibility-checks"), access_token=None)


def test_11_1_the_replay_key_is_of_both_the_key_and_the_jti(sender: OauthClient) -> None:
    first = verify(proof_of(sender, claims={"jti": "one"}))
    again = verify(proof_of(sender, claims={"jti": "one"}))
    second = verify(proof_of(sender, claims={"jti": "two"}))
    other = OauthClient(httpx.AsyncClient(), FixedClock(NOW))
    foreign = verify(proof_of(other, claims={"jti": "one"}))
    assert first.replay_key == again.replay_key
    assert len({first.replay_key, second.replay_key, foreign.replay_key}) == 3
    assert len(verify(proof_of(sender, claims={"jti": "j" * 4000})).replay_key) == 43


def test_a_description_never_repeats_what_was_sent(sender: OauthClient) -> None:
    poison = 'x"\r\nset-cookie: a=b'
    for changes in (
        {"claims": {"htu": poison}},
        {"claims": {"htm": poison}},
        {"claims": {"iat": poison}},
        {"claims": {"ath": poison}},
        {"header": {"typ": poison}},
        {"header": {"jwk": {"kty": poison}}},
    ):
        description = refused(proof_of(sender, **changes))
        assert "set-cookie" not in description
        assert json.dumps(description) == f'"{description}"'
