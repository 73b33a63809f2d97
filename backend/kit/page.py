"""Cursor paging: an opaque cursor says where the next page starts."""

import base64
import binascii
from collections.abc import Callable
from typing import Generic, TypeVar
from uuid import UUID

import msgspec

from backend.kit.problem import Refusal

PAGE_SIZE_DEFAULT = 20
PAGE_SIZE_MAX = 100
CURSOR_CHARACTERS_MAX = 512

T = TypeVar("T")


class Page(msgspec.Struct, Generic[T], frozen=True):
    """One page of what was found; `next_cursor` is None on the last."""

    items: list[T]
    next_cursor: str | None


def cut_page(found: list[T], page_size: int, *, key: Callable[[T], tuple[str, ...]]) -> Page[T]:
    """Return the page of what was read with a limit of `page_size + 1`.

    The one more is not shown: it says that another page follows. `key` is the sort key of an item,
    as `decode_cursor` gives it back.
    """
    assert page_size >= 1, "a page shows something"
    assert len(found) <= page_size + 1, "one more than the page is read"
    items = found[:page_size]
    is_last = len(found) == len(items)
    return Page(items, None if is_last else encode_cursor(*key(items[-1])))


def encode_cursor(*parts: str) -> str:
    """Return an opaque, URL-safe cursor that holds the sort key of the last row of a page."""
    return base64.urlsafe_b64encode(msgspec.json.encode(parts)).rstrip(b"=").decode()


def decode_cursor(cursor: str, *, parts: int) -> tuple[str, ...]:
    """Return the sort key in a cursor.

    Raises Refusal("cursor_invalid") unless it is a cursor of `parts` strings.
    """
    if len(cursor) > CURSOR_CHARACTERS_MAX:
        raise Refusal("cursor_invalid")
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        decoded = base64.b64decode(padded, altchars=b"-_", validate=True)
        key = msgspec.json.decode(decoded, type=tuple[str, ...])
    except (UnicodeEncodeError, binascii.Error, msgspec.DecodeError, ValueError):
        raise Refusal("cursor_invalid") from None
    # No text of ours holds a NUL, and PostgreSQL takes none.
    if len(key) != parts or any("\0" in part for part in key):
        raise Refusal("cursor_invalid")
    return key


def decode_id_cursor(cursor: str) -> UUID:
    """Return the id that `encode_cursor` put into a cursor by itself.

    Raises Refusal("cursor_invalid") unless it is a cursor of one UUID.
    """
    (text,) = decode_cursor(cursor, parts=1)
    try:
        return UUID(text)
    except ValueError:
        raise Refusal("cursor_invalid") from None
