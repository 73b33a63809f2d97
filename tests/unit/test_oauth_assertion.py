"""Goal: private_key_jwt is accepted exactly when RFC 7523 §3 and FAPI 2.0 §5.3.2.1 say so.

Method: assertions signed by joserfc in the test client, each broken in one place, against the
pure decision. Single use across processes is in tests/integration/test_oauth_token.py.
"""

import json
from datetime import timedelta
from typing import Any

import httpx
import pytest
from joserfc.jwk import Key, OctKey

from backend.kit.clock import FixedClock
from backend.oauth.rules.assertion import (
    AssertionUse,
    authenticate_client,
    claimed_client_id,
    read_assertion,
)
from backend.oauth.rules.fault import OauthError
from backend.partner.rules import Client
from tests.conftest import NOW
from tests.support.oauth_client import DROP, ISSUER, JWT_BEARER, OauthClient, b64, jwks_of, new_key
from tests.support.oauth_world import make_client

SECONDS = int(NOW.timestamp())


@pytest.fixture(scope="module")
def key() -> Key:
    return new_key(kid="first")


@pytest.fixture
def sender(key: Key) -> OauthClient:
    return OauthClient(httpx.AsyncClient(), FixedClock(NOW), key=key)


@pytest.fixture
def client(key: Key) -> Client:
    return make_client(jwks=jwks_of(key))


def authenticate(
    assertion: str, client: Client | None, *, issuer: str = ISSUER, **form: str
) -> AssertionUse:
    fields = {"client_assertion_type": JWT_BEARER, "client_assertion": assertion, **form}
    read = read_assertion(fields)
    claimed_client_id(fields, read)
    return authenticate_client(read, client=client, issuer=issuer, now=NOW)


def refused(assertion: str, client: Client | None, **changes: Any) -> str:
    with pytest.raises(OauthError) as refusal:
        authenticate(assertion, client, **changes)
    assert (refusal.value.code, refusal.value.status) == ("invalid_client", 401)
    return refusal.value.description


@pytest.mark.parametrize("algorithm", ["ES256", "PS256", "Ed25519"])
def test_a_proper_assertion_is_accepted(algorithm: str) -> None:
    key = new_key(algorithm)
    sender = OauthClient(httpx.AsyncClient(), FixedClock(NOW), key=key)
    client = make_client(jwks=jwks_of(key))
    assert authenticate(sender.assertion(), client).ttl_seconds >= 60
    assert authenticate(sender.assertion(), client, client_id="library-demo")


def test_7521_4_2_client_id_must_be_the_subject(sender: OauthClient, client: Client) -> None:
    with pytest.raises(OauthError) as refusal:
        authenticate(sender.assertion(), client, client_id="somebody-else")
    assert refusal.value.code == "invalid_request"


def test_7521_4_2_no_other_way_to_authenticate(sender: OauthClient) -> None:
    good = {"client_assertion_type": JWT_BEARER, "client_assertion": sender.assertion()}
    for form in (
        {},
        {"client_id": "library-demo"},
        {**good, "client_secret": "x"},
        {**good, "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:saml2"},
        {"client_assertion": good["client_assertion"]},
        {"client_assertion_type": JWT_BEARER},
    ):
        with pytest.raises(OauthError) as refusal:
            read_assertion(form)
        assert refusal.value.code == "invalid_client"


def test_7515_7_1_an_assertion_is_a_compact_jws(sender: OauthClient, client: Client) -> None:
    head, body, signature = sender.assertion().split(".")
    for broken in (
        "x",
        "..",
        f"{head}.{body}",
        f"{head}.{body}.{signature}.",
        f"{head}.{body}.{signature}" + "A" * 9000,
        f"{head}.{body}.é",
        f"{b64(b'[]')}.{body}.{signature}",
        f"{head}.{b64(b'[]')}.{signature}",
        f"{head}.{b64(b'[' * 5000)}.{signature}",
        f"{b64(b'[' * 300)}.{body}.{signature}",
        f"{head}.{b64(bytes([255]))}.{signature}",
    ):
        refused(broken, client)


def test_an_assertion_has_at_most_8192_characters(sender: OauthClient, client: Client) -> None:
    assert authenticate(sender.assertion(claims={"x": "y" * 4000}), client)
    assert "too long" in refused(sender.assertion(claims={"x": "y" * 8000}), client)


def test_the_client_is_known_and_not_suspended(sender: OauthClient, key: Key) -> None:
    refused(sender.assertion(), None)
    refused(sender.assertion(), make_client(jwks=jwks_of(key), suspended_at=NOW))
    refused(sender.assertion(), make_client(jwks=jwks_of(key), partner_suspended_at=NOW))


@pytest.mark.parametrize("algorithm", ["RS256", "HS256", "EdDSA", "ES384", "none", "", 1, None])
def test_fapi_5_4_1_other_algorithms_are_refused(
    sender: OauthClient, client: Client, algorithm: object
) -> None:
    assert "alg" in refused(sender.assertion(header={"alg": algorithm}), client)


def test_8725_3_1_a_public_key_is_no_shared_secret(client: Client, key: Key) -> None:
    known = json.dumps(key.as_dict(private=False)).encode()
    secret = OctKey.import_key({"kty": "oct", "k": b64(known)})
    sender = OauthClient(httpx.AsyncClient(), FixedClock(NOW), key=secret)
    refused(sender.assertion(header={"alg": "HS256", "kid": "first"}), client)
    refused(sender.assertion(header={"alg": "ES256", "kid": "first"}), client)


def test_7523_3_9_only_a_registered_key_counts(sender: OauthClient, client: Client) -> None:
    stranger = new_key(kid="first")
    refused(sender.assertion(key=stranger), client)
    public = stranger.as_dict(private=False)
    refused(sender.assertion(key=stranger, header={"jwk": public}), client)
    refused(sender.assertion(header={"kid": "second"}), client)
    assert authenticate(sender.assertion(header={"kid": DROP}), client)


def test_7517_4_5_each_of_several_keys_serves(sender: OauthClient, key: Key) -> None:
    second, third = new_key(kid="second"), new_key("Ed25519", kid="third")
    client = make_client(jwks=jwks_of(key, second, third))
    for one in (key, second, third):
        assert authenticate(sender.assertion(key=one), client)
        assert authenticate(sender.assertion(key=one, header={"kid": DROP}), client)
    refused(sender.assertion(key=second, header={"kid": "first"}), client)
    refused(sender.assertion(key=second, header={"kid": "third"}), client)


def test_7523_3_9_what_was_signed_can_not_be_changed(sender: OauthClient, client: Client) -> None:
    parts = sender.assertion().split(".")
    other = sender.assertion(claims={"exp": SECONDS + 61}).split(".")
    refused(".".join([parts[0], other[1], parts[2]]), client)
    refused(".".join([parts[0], parts[1], "AAAA"]), client)
    refused(".".join([parts[0], parts[1], ""]), client)


@pytest.mark.parametrize("typ", ["JWT", "jwt", "client-authentication+jwt", DROP])
def test_8725_3_11_types_of_an_assertion(sender: OauthClient, client: Client, typ: object) -> None:
    assert authenticate(sender.assertion(header={"typ": typ}), client)


@pytest.mark.parametrize("typ", ["dpop+jwt", "at+jwt", "", 1])
def test_8725_3_11_a_jwt_for_another_purpose_is_refused(
    sender: OauthClient, client: Client, typ: object
) -> None:
    refused(sender.assertion(header={"typ": typ}), client)


def test_7515_4_1_11_an_extension_that_must_be_understood_is_not(
    sender: OauthClient, client: Client
) -> None:
    refused(sender.assertion(header={"crit": ["b64"], "b64": True}), client)
    refused(sender.assertion(header={"crit": ["b64"], "b64": False}), client)
    refused(sender.assertion(header={"crit": []}), client)
    assert authenticate(sender.assertion(header={"unknown": "ignored"}), client)


@pytest.mark.parametrize("claim", ["iss", "sub", "aud", "exp", "jti"])
def test_7523_3_every_claim_is_there(sender: OauthClient, client: Client, claim: str) -> None:
    for value in (DROP, None, "", [], {}, True):
        refused(sender.assertion(claims={claim: value}), client)


def test_7523_3_1_and_2_issuer_and_subject_are_the_client(
    sender: OauthClient, client: Client
) -> None:
    refused(sender.assertion(claims={"iss": "somebody-else"}), client)
    refused(sender.assertion(claims={"sub": "somebody-else"}), client)
    refused(sender.assertion(claims={"iss": ["library-demo"]}), client)
    refused(sender.assertion(claims={"sub": ["library-demo"]}), client)


@pytest.mark.parametrize(
    "audience",
    [
        [ISSUER],
        [ISSUER, "https://other.example"],
        ISSUER + "/",
        ISSUER + "/oauth/token",
        ISSUER + "/oauth/par",
        ISSUER.upper(),
        "https://other.example",
        {"x": ISSUER},
        1,
    ],
)
def test_fapi_5_3_2_1_aud_is_the_issuer_as_one_string(
    sender: OauthClient, client: Client, audience: object
) -> None:
    refused(sender.assertion(claims={"aud": audience}), client)


@pytest.mark.parametrize("life", [1, 60, 300])
def test_7523_3_4_it_lives_at_most_five_minutes(
    sender: OauthClient, client: Client, life: int
) -> None:
    use = authenticate(sender.assertion(claims={"exp": SECONDS + life}), client)
    assert life < use.ttl_seconds < life + 60


@pytest.mark.parametrize("life", [0, -1, -3600, 361, 3600, 10 * 365 * 86400, 1e300])
def test_7523_3_4_expired_or_long_lived_ones_are_refused(
    sender: OauthClient, client: Client, life: float
) -> None:
    refused(sender.assertion(claims={"exp": SECONDS + life}), client)


@pytest.mark.parametrize("claim", ["iat", "nbf"])
def test_fapi_5_3_2_1_a_little_ahead_is_accepted_and_a_minute_is_not(
    sender: OauthClient, client: Client, claim: str
) -> None:
    for ahead in (-3600, 0, 10):
        assert authenticate(sender.assertion(claims={claim: SECONDS + ahead}), client)
    for ahead in (31, 60, 61, 3600):
        refused(sender.assertion(claims={claim: SECONDS + ahead}), client)
    for value in ("now", [], True):
        refused(sender.assertion(claims={claim: value}), client)
    assert authenticate(sender.assertion(claims={claim: DROP}), client)


def test_7523_3_7_jti_has_a_reasonable_length(sender: OauthClient, client: Client) -> None:
    assert authenticate(sender.assertion(claims={"jti": "j" * 512}), client)
    refused(sender.assertion(claims={"jti": "j" * 513}), client)
    refused(sender.assertion(claims={"jti": 1}), client)


def test_the_replay_key_is_of_the_client_and_the_jti(sender: OauthClient, key: Key) -> None:
    client = make_client(jwks=jwks_of(key))
    other = make_client(jwks=jwks_of(key), client_id="other")
    other_sender = OauthClient(sender.http, sender.clock, client_id="other", key=key)
    one = authenticate(sender.assertion(claims={"jti": "a"}), client)
    again = authenticate(sender.assertion(claims={"jti": "a"}), client)
    two = authenticate(sender.assertion(claims={"jti": "b"}), client)
    foreign = authenticate(other_sender.assertion(claims={"jti": "a"}), other)
    assert one.replay_key == again.replay_key
    assert len({one.replay_key, two.replay_key, foreign.replay_key}) == 3


def test_it_is_remembered_until_it_has_expired_on_a_slower_clock_too(
    sender: OauthClient, client: Client
) -> None:
    use = authenticate(sender.assertion(claims={"exp": SECONDS + 300}), client)
    assert timedelta(seconds=use.ttl_seconds) >= timedelta(seconds=315)
