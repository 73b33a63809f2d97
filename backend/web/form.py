"""Forms: read strictly, and accepted only from the page that showed them.

A form carries a keyed digest over the browser's secret cookie, the form's name and what the form
is about (the pushed request, the consent, the programme). Another site can make a browser send a
form, but it can't read the cookie and so can't make the digest; a digest taken from another
browser, another form or another matter does not fit.
"""

import base64
import hmac
from typing import TypeVar
from urllib.parse import parse_qsl

import msgspec

from backend.kit.crypto import Vault
from backend.kit.problem import Refusal
from backend.web.words import Text

_DIGEST_PURPOSE = "web_form"
_MEDIA_TYPE = "application/x-www-form-urlencoded"
_FIELDS_MAX = 16

F = TypeVar("F", bound=msgspec.Struct)


class Fault(msgspec.Struct, frozen=True):
    """What is wrong with one field of a form, in words that say how to put it right."""

    field: str
    text: Text


def read_form(kind: type[F], *, media_type: str, body: bytes) -> F:
    """Return a posted form as `kind`: every field a string, none twice, none unknown.

    The framework's own form parser keeps the last 1,024 bodies in memory, replaces broken UTF-8
    and turns a repeated field into a list; a form here may hold a national id.
    Raises Refusal media_type_unsupported or body_invalid.
    """
    if media_type.partition(";")[0].strip().lower() != _MEDIA_TYPE:
        raise Refusal("media_type_unsupported")
    try:
        pairs = parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=True,
            errors="strict",
            max_num_fields=_FIELDS_MAX,
        )
        fields = dict(pairs)
        if len(fields) != len(pairs) or "\0" in "".join(fields.values()):
            raise Refusal("body_invalid")
        return msgspec.convert(fields, kind)
    except (UnicodeDecodeError, ValueError, msgspec.ValidationError):
        raise Refusal("body_invalid") from None


def form_token(vault: Vault, *, binding: str, form: str, about: str = "") -> str:
    """Return the token of a form for the browser that holds the secret `binding`."""
    assert binding, "a form without a browser to bind to would be anybody's"
    message = msgspec.json.encode([binding, form, about]).decode()
    digest = vault.digest(_DIGEST_PURPOSE, message)
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def is_form_token(vault: Vault, token: str, *, binding: str, form: str, about: str = "") -> bool:
    """Tell whether `token` was made for this browser, this form and this matter."""
    expected = form_token(vault, binding=binding, form=form, about=about)
    return hmac.compare_digest(expected.encode(), token.encode("utf-8", "surrogatepass"))
