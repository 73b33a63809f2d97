"""Goal: only partners and clients that can't mislead a citizen or weaken a signature get in.

Method: one registration that is right, changed in one place a time, against the pure rules.
"""

from typing import Any

import pytest

from backend.partner.rules import client_faults, is_code, partner_faults, redirect_uri_faults
from tests.support.oauth_client import jwks_of, new_key

KEY = new_key(kid="one")


def faults(**changes: Any) -> list[str]:
    fields: dict[str, Any] = {
        "kind": "merchant",
        "client_id": "library-demo",
        "name_zh": "图书借还",
        "name_en": "Library desk",
        "jwks": jwks_of(KEY),
        "redirect_uris": ["https://library.example.cn/callback"],
        "scopes": ["eligibility:verify"],
    }
    return client_faults(**{**fields, **changes})


def test_a_proper_client_has_no_faults() -> None:
    assert faults() == []
    assert faults(jwks=jwks_of(KEY, new_key("PS256", kid="b"), new_key("Ed25519", kid="c"))) == []


def test_a_proper_partner_has_no_faults() -> None:
    fine = {"code": "city-library", "name_zh": "市图书馆", "name_en": "City Library"}
    assert partner_faults(**fine, kind="merchant") == []
    assert partner_faults(**fine, kind="lender") == []
    assert partner_faults(**fine, kind="police")
    assert partner_faults(**{**fine, "code": "City"}, kind="merchant")


def test_a_source_is_one_of_the_catalogue() -> None:
    """Nobody reports under a code that the catalogue does not have, and only a source has one."""
    fine = {"code": "source-city-library", "name_zh": "市图书馆", "name_en": "City Library"}
    known = {"source_code": "city_library", "known_sources": ["city_library"]}
    assert partner_faults(**fine, **known, kind="source") == []
    assert partner_faults(**fine, kind="source")
    assert partner_faults(**fine, source_code="moon", known_sources=["city_library"], kind="source")
    assert partner_faults(**fine, **known, kind="merchant")


def test_a_sources_client_acts_for_no_citizen() -> None:
    """No redirect URI, no scope of a merchant's; and a merchant's has none of a source's."""
    fine: dict[str, Any] = {"kind": "source", "redirect_uris": []}
    assert faults(**fine, scopes=["submissions:write", "quality:read"]) == []
    assert faults(**fine, scopes=["quality:read"]) == []
    assert faults(**fine)
    assert faults(**fine, scopes=["submissions:write", "eligibility:verify"])
    assert faults(**fine, scopes=[])
    assert faults(kind="source", scopes=["submissions:write"])
    assert faults(scopes=["submissions:write"])
    assert faults(redirect_uris=[])


@pytest.mark.parametrize("code", ["", "A", "1a", "a--b", "-a", "a-", "a_b", "a b", "a" * 65, "a\n"])
def test_codes_are_plain(code: str) -> None:
    assert not is_code(code)
    assert faults(client_id=code)


@pytest.mark.parametrize(
    "name",
    [
        "",
        " ",
        " a",
        "a ",
        "x" * 61,
        "a\nb",
        "a\0b",
        "a\u202eb",
        "a\u200bb",
        "a\u2028b",
        "a\ufeffb",
        "a\ue000b",
    ],
)
def test_a_name_on_the_consent_screen_is_visible_and_runs_one_way(name: str) -> None:
    assert faults(name_zh=name)
    assert faults(name_en=name)


@pytest.mark.parametrize(
    "uri",
    [
        "https://library.example.cn/callback",
        "https://library.example.cn:8443/callback?a=b",
        "http://127.0.0.1/callback",
        "http://127.0.0.1:8123/callback",
        "http://[::1]:8123/callback",
    ],
)
def test_6749_3_1_2_8252_7_3_redirects_that_are_fine(uri: str) -> None:
    assert redirect_uri_faults(uri) == []


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "/callback",
        "//library.example.cn/callback",
        "https:///callback",
        "http://library.example.cn/callback",
        "http://localhost/callback",
        "http://127.0.0.1.evil.example/callback",
        "https://library.example.cn/callback#",
        "https://library.example.cn/callback#x",
        "https://user@library.example.cn/callback",
        "https://user:pass@library.example.cn/callback",
        "https://*.example.cn/callback",
        "https://library.example.cn:port/callback",
        "https://[::1/callback",
        "https://library.example.cn/call back",
        "https://library.example.cn/call\nback",
        "https://library.example.cn\\@evil.example/",
        "https://图书馆.example.cn/",
        "javascript:alert(1)",
        "data:text/html,x",
        "com.example.app:/callback",
        "urn:ietf:wg:oauth:2.0:oob",
        "https://library.example.cn/" + "x" * 2000,
    ],
)
def test_9700_2_1_redirects_that_are_not(uri: str) -> None:
    assert redirect_uri_faults(uri)
    assert faults(redirect_uris=[uri])


def test_there_is_at_least_one_redirect_and_none_twice() -> None:
    uri = "https://library.example.cn/callback"
    assert faults(redirect_uris=[])
    assert faults(redirect_uris=[uri, uri])
    assert faults(redirect_uris=[f"{uri}/{number}" for number in range(11)])


@pytest.mark.parametrize("scopes", [[], ["me:score"], ["openid"], ["eligibility:verify"] * 2])
def test_scopes_are_those_of_partners(scopes: list[str]) -> None:
    assert faults(scopes=scopes)


def changed(**members: Any) -> dict[str, Any]:
    return {"keys": [{**KEY.as_dict(private=False), **members}]}


@pytest.mark.parametrize(
    "jwks",
    [
        None,
        [],
        {},
        {"keys": {}},
        {"keys": []},
        {"keys": ["x"]},
        {"keys": [KEY.as_dict(private=False)] * 2},
        {"keys": [{**KEY.as_dict(private=False), "kid": str(n)} for n in range(11)]},
        changed(kid=None),
        changed(kid=""),
        changed(kid=1),
        changed(kid="k" * 129),
        changed(use="enc"),
        changed(alg="RS256"),
        changed(alg="PS256"),
        changed(kty="oct", k="x"),
        changed(crv="P-384"),
        changed(x="AAAA"),
        changed(x=KEY.as_dict(private=False)["y"]),
        changed(y=1),
    ],
)
def test_7517_5_a_key_set_holds_usable_public_keys(jwks: object) -> None:
    assert faults(jwks=jwks)


def test_a_private_key_is_sent_back() -> None:
    for algorithm in ("ES256", "PS256", "Ed25519"):
        private = {"keys": [new_key(algorithm, kid="a").as_dict(private=True)]}
        assert any("private" in fault for fault in faults(jwks=private))
