"""Why an operator does something: the header every action of theirs has to carry.

HTTP headers hold ASCII (RFC 9110 section 5.5) and reasons are written in Chinese too, so the words
are percent-encoded UTF-8, as in an address.
"""

import unicodedata
from typing import Annotated
from urllib.parse import unquote_to_bytes

from litestar.params import HeaderParameter

from backend.kit.problem import Refusal

REASON_CHARACTERS_MAX = 200
_ENCODED_MAX = 2_400  # 200 characters of four bytes, three characters each

# Looked at below, which says in its own words what is missing; here it is only described.
_Header = Annotated[
    str | None,
    HeaderParameter(
        name="Operator-Reason",
        description="Needed: why, in 1 to 200 characters on one line, as percent-encoded UTF-8",
        schema_extra={"min_length": 1, "max_length": _ENCODED_MAX, "pattern": "^[!-~]+$"},
    ),
]


def parse_reason(text: str) -> str:
    """Return a reason as it is kept: one line of 1 to 200 visible characters.

    Raises Refusal reason_missing. Composed (NFC), so that the same words are the same text.
    """
    reason = unicodedata.normalize("NFC", text).strip()
    if not 1 <= len(reason) <= REASON_CHARACTERS_MAX:
        raise Refusal("reason_missing")
    if any(unicodedata.category(char).startswith(("C", "Zl", "Zp")) for char in reason):
        raise Refusal("reason_missing")
    return reason


def decode_reason(header: str | None) -> str:
    """Return the reason in a header's value; raises Refusal reason_missing."""
    if header is None or len(header) > _ENCODED_MAX or not header.isascii():
        raise Refusal("reason_missing")
    try:
        return parse_reason(unquote_to_bytes(header).decode("utf-8"))
    except UnicodeDecodeError:
        raise Refusal("reason_missing") from None


async def provide_reason(operator_reason: _Header = None) -> str:
    """Return why the operator does it, to handlers that take a `reason: NamedDependency[str]`."""
    return decode_reason(operator_reason)
