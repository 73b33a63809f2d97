"""Goal: forms of the pages are read strictly, and accepted only from the page that showed them.

Method: the pure functions alone, with bodies as a browser sends them and as nobody should.
"""

import msgspec
import pytest

from backend.kit.crypto import Vault
from backend.kit.problem import Refusal
from backend.web.form import form_token, is_form_token, read_form

FORM = "application/x-www-form-urlencoded"
VAULT = Vault(kek=bytes(32), digest_key=bytes(range(32)))
OTHER_VAULT = Vault(kek=bytes(32), digest_key=bytes(range(1, 33)))


class Form(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A form of two fields, one of them optional."""

    phone: str
    csrf: str = ""


def test_a_form_is_read_as_it_was_typed() -> None:
    form = read_form(Form, media_type=f"{FORM}; charset=utf-8", body=b"phone=%E6%9E%97+1&csrf=x")
    assert form == Form(phone="林 1", csrf="x")


@pytest.mark.parametrize(
    ("body", "what"),
    [
        (b"", "nothing"),
        (b"phone", "a field without a value sign"),
        (b"phone=1&phone=2", "a field given twice"),
        (b"phone=1&more=2", "an unknown field"),
        (b"csrf=x", "a field missing"),
        (b"phone=%FF%FE", "broken UTF-8"),
        (b"phone=%00", "a NUL, which PostgreSQL can't store"),
        ("phone=林".encode(), "bytes that no browser sends unescaped"),
        (b"&".join(b"f%d=1" % n for n in range(17)), "more fields than any form has"),
    ],
)
def test_a_form_that_no_page_of_ours_sends_is_refused(body: bytes, what: str) -> None:
    with pytest.raises(Refusal) as refused:
        read_form(Form, media_type=FORM, body=body)
    assert refused.value.code == "body_invalid", what


@pytest.mark.parametrize(
    "media_type", ["", "application/json", "multipart/form-data", "text/plain"]
)
def test_only_the_type_of_a_plain_form_is_read(media_type: str) -> None:
    with pytest.raises(Refusal) as refused:
        read_form(Form, media_type=media_type, body=b"phone=1")
    assert refused.value.code == "media_type_unsupported"


def test_a_form_token_fits_its_own_browser_form_and_matter_only() -> None:
    token = form_token(VAULT, binding="browser", form="consent", about="request-1")
    assert is_form_token(VAULT, token, binding="browser", form="consent", about="request-1")
    assert not is_form_token(VAULT, token, binding="other", form="consent", about="request-1")
    assert not is_form_token(VAULT, token, binding="browser", form="leave", about="request-1")
    assert not is_form_token(VAULT, token, binding="browser", form="consent", about="request-2")
    assert not is_form_token(
        OTHER_VAULT, token, binding="browser", form="consent", about="request-1"
    )


def test_the_parts_of_a_token_cannot_be_shifted_into_one_another() -> None:
    token = form_token(VAULT, binding="b", form="f", about='","x')
    assert not is_form_token(VAULT, token, binding="b", form='f","', about="x")


@pytest.mark.parametrize("forged", ["", "x", "A" * 43, "林" * 43, "\ud800"])
def test_a_forged_token_of_any_shape_is_told_from_a_real_one(forged: str) -> None:
    assert not is_form_token(VAULT, forged, binding="browser", form="leave")
