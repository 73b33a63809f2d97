"""Goal: the hand-written proof check and a library's agree on which signatures and claims are good.

Method: Hypothesis makes proofs with any mixture of keys, algorithms, headers, claims and damaged
bytes. The oracle is joserfc for the signature and RFC 9449 §4.3 spelled out again, in its order,
on Python builtins. Both must accept or both refuse; what is accepted must have the same thumbprint.
"""

import json
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import Key, import_key

from backend.kit.dpop import DpopError, verify_proof
from tests.conftest import NOW
from tests.support.examples import examples
from tests.support.oauth_client import b64, new_key, sign

URL = "https://credit.example.cn/oauth/token"
SECONDS = int(NOW.timestamp())
ALGORITHMS = ["ES256", "PS256", "Ed25519"]
OTHERS = ["RS256", "HS256", "EdDSA", "none", ""]
KEYS = [new_key(name) for name in ("ES256", "ES256", "PS256", "Ed25519", "ES384", "HS256")]
REGISTRY = jws.JWSRegistry(algorithms=ALGORITHMS, strict_check_header=False)
REGISTRY.max_header_length = 4096

DROP = object()
junk = st.sampled_from([None, "", "x", 0, 1, True, [], {}, "POST", URL, SECONDS, 1.5])
good_claims = st.fixed_dictionaries(
    {
        "jti": st.text(min_size=1, max_size=40),
        "htm": st.just("POST"),
        "htu": st.sampled_from([URL, "HTTPS://CREDIT.example.cn:443/oauth/token"]),
        "iat": st.integers(SECONDS - 60, SECONDS + 10),
    }
)

# A good proof with one or two members spoilt, to something near or to something odd.
spoilt = {
    "jti": junk,
    "htm": st.one_of(st.sampled_from(["GET", "post", "POST "]), junk),
    "htu": st.one_of(st.sampled_from([URL + "/", URL + "?a=b", URL + "#x", URL[:-1]]), junk),
    "iat": st.one_of(st.integers(SECONDS - 63, SECONDS + 13), junk),
    "exp": st.one_of(st.integers(SECONDS - 3, SECONDS + 3), st.just(SECONDS + 60)),
    "other": junk,
}
spoils = st.sampled_from(sorted(spoilt)).flatmap(
    lambda name: st.tuples(st.just(name), st.one_of(spoilt[name], spoilt[name], st.just(DROP)))
)
claims = st.builds(
    lambda good, changes: {
        name: value for name, value in {**good, **dict(changes)}.items() if value is not DROP
    },
    good_claims,
    st.lists(spoils, max_size=2),
)


def public(key: Key) -> dict[str, Any]:
    if key.key_type == "oct":
        return {"kty": "oct", "k": "A" * 43}
    return {name: value for name, value in key.as_dict(private=False).items() if name != "kid"}


def oracle(proof: str) -> str | None:
    """Return the thumbprint of a proof that RFC 9449 accepts, by another library."""
    try:
        signature = jws.extract_compact(proof.encode(), registry=REGISTRY)
        header, payload = signature.headers(), json.loads(signature.payload or b"")
        if header.get("typ") != "dpop+jwt" or "crit" in header:
            return None
        if header.get("alg") not in ALGORITHMS:
            return None
        key = import_key(header["jwk"])
        if key.is_private or not jws.validate_compact(signature, key, registry=REGISTRY):
            return None
    except (JoseError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return key.thumbprint() if oracle_claims(payload) else None


def oracle_claims(payload: Any) -> bool:
    if not isinstance(payload, dict):
        return False
    jti, htm, htu, iat, exp = (payload.get(name) for name in ("jti", "htm", "htu", "iat", "exp"))
    if not (isinstance(jti, str) and jti and htm == "POST" and isinstance(htu, str)):
        return False
    if htu.partition("?")[0].partition("#")[0] not in (
        URL,
        "HTTPS://CREDIT.example.cn:443/oauth/token",
    ):
        return False
    if isinstance(iat, bool) or not isinstance(iat, int | float):
        return False
    if exp is not None and exp <= SECONDS:
        return False
    return SECONDS - 60 <= iat <= SECONDS + 10


def ours(proof: str) -> str | None:
    try:
        return verify_proof(proof, method="POST", url=URL, access_token=None, now=NOW).jkt
    except DpopError:
        return None


@examples(1500)
@given(
    key=st.sampled_from(KEYS[:4] * 4 + KEYS[4:]),
    shown=st.sampled_from([None] * 24 + KEYS),
    leak=st.sampled_from([False] * 24 + [True]),
    algorithm=st.sampled_from([None] * 24 + ALGORITHMS + OTHERS),
    typ=st.sampled_from(["dpop+jwt"] * 24 + ["JWT", "", None]),
    payload=claims,
    crit=st.sampled_from([False] * 24 + [True]),
)
def test_whatever_is_signed_both_agree(
    key: Key,
    shown: Key | None,
    algorithm: str | None,
    typ: Any,
    payload: Any,
    crit: bool,
    leak: bool,
) -> None:
    name = algorithm if algorithm is not None else getattr(key, "curve_name", "")
    name = {"P-256": "ES256", "P-384": "ES384", "": "PS256"}.get(name, name)
    header = {"typ": typ, "alg": name, "jwk": public(shown or key)}
    if leak and key.key_type != "oct":
        header["jwk"] = key.as_dict(private=True)
    if crit:
        header["crit"] = ["x"]
    proof = sign(header, payload, key)
    assert ours(proof) == oracle(proof)


@examples(1000)
@given(
    key=st.sampled_from(KEYS[:4]),
    payload=good_claims,
    place=st.integers(0, 3000),
    char=st.sampled_from("Aa0-_.+/= \n\x00é"),
    length=st.integers(0, 3000),
)
@example(KEYS[0], {"jti": "a", "htm": "POST", "htu": URL, "iat": SECONDS}, 0, "A", 0)
def test_a_damaged_proof_is_refused_by_both_or_is_the_same_signature(
    key: Key, payload: Any, place: int, char: str, length: int
) -> None:
    name = {"EC": "ES256", "RSA": "PS256", "OKP": "Ed25519"}[key.key_type]
    whole = sign({"typ": "dpop+jwt", "alg": name, "jwk": public(key)}, payload, key)
    assert ours(whole) == oracle(whole) == key.thumbprint()
    cut = whole[: length % len(whole)]
    assert ours(cut) is None
    at = place % len(whole)
    damaged = whole[:at] + char + whole[at + 1 :]
    accepted = ours(damaged)
    if accepted is not None:
        # Only the unused bits of the signature's last character may differ.
        assert damaged[:-1] == whole[:-1]
        assert oracle(damaged) == accepted


@examples(1000)
@given(st.one_of(st.text(max_size=300), st.binary(max_size=300).map(lambda b: f"{b64(b)}.AA.AA")))
def test_anything_at_all_is_refused_without_an_accident(text: str) -> None:
    assert ours(text) is None
