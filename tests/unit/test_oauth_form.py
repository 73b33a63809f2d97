"""Goal: the OAuth endpoints read forms as RFC 6749 §3.1, §3.2 and appendix B say.

Method: bodies, whole and broken, against the pure parser.
"""

import pytest

from backend.oauth.rules.fault import OauthError
from backend.oauth.rules.form import parse_form, required

FORM = "application/x-www-form-urlencoded"


def refused(body: bytes, media_type: str = FORM) -> None:
    with pytest.raises(OauthError) as refusal:
        parse_form(body, media_type=media_type)
    assert (refusal.value.code, refusal.value.status) == ("invalid_request", 400)


def test_a_form_is_decoded_as_utf_8() -> None:
    expected = {"a": "b c", "d": "信用", "e": "1+1"}
    assert parse_form(b"a=b+c&d=%E4%BF%A1%E7%94%A8&e=1%2B1", media_type=FORM) == expected
    assert parse_form(b"a=b", media_type=FORM.upper() + "; charset=UTF-8") == {"a": "b"}
    assert parse_form(b"", media_type=FORM) == {}


def test_3_1_a_parameter_without_a_value_is_as_if_left_out() -> None:
    assert parse_form(b"a=&b=c", media_type=FORM) == {"b": "c"}


@pytest.mark.parametrize("body", [b"a=1&a=2", b"a=1&b=2&a=1", b"a=&a=1", b"%61=1&a=1"])
def test_3_1_no_parameter_comes_twice(body: bytes) -> None:
    refused(body)


@pytest.mark.parametrize(
    "body", [b"a", b"a=%FF", b"a=\xff", b"a=%00", b"%00=a", b"&&", b"\xef\xbb\xbf", b"{}"]
)
def test_appendix_b_what_is_no_form_in_utf_8_is_refused(body: bytes) -> None:
    refused(body)


def test_a_form_is_limited_in_size_and_number() -> None:
    refused(b"a=" + b"x" * 65_536)
    refused(b"&".join(b"p%d=1" % number for number in range(41)))
    assert len(parse_form(b"&".join(b"p%d=1" % n for n in range(40)), media_type=FORM)) == 40


@pytest.mark.parametrize("media_type", ["", "application/json", "multipart/form-data", "text/html"])
def test_other_media_types_are_refused(media_type: str) -> None:
    refused(b"a=b", media_type)


def test_a_required_parameter_is_named_when_it_is_missing() -> None:
    assert required({"a": "b"}, "a") == "b"
    with pytest.raises(OauthError, match="code is missing"):
        required({}, "code")
