"""Rows in PostgreSQL's binary COPY format, put together of pieces that are made once.

A row is the number of its columns (`row_head`) and the field of each; rows stand between `HEAD` and
`TAIL` (PostgreSQL's documentation of COPY, "Binary Format"). The server checks the form of every
field: a wrong length is refused, never stored.
"""

from datetime import UTC, date, datetime, timedelta
from typing import Final
from uuid import UUID

HEAD: Final = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
TAIL: Final = b"\xff\xff"
NULL: Final = b"\xff\xff\xff\xff"
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def row_head(columns: int) -> bytes:
    """Return what a row of so many columns begins with."""
    return columns.to_bytes(2)


def size_of(size: int) -> bytes:
    """Return what a field of so many bytes begins with."""
    return size.to_bytes(4)


def of_text(value: str) -> bytes:
    """Return a field of text."""
    content = value.encode()
    return size_of(len(content)) + content


def of_uuid(value: UUID) -> bytes:
    """Return a field of uuid."""
    return size_of(16) + value.bytes


def of_bigint(value: int) -> bytes:
    """Return a field of bigint."""
    return size_of(8) + value.to_bytes(8, signed=True)


def of_date(value: date | None) -> bytes:
    """Return a field of date; NULL for None."""
    if value is None:
        return NULL
    return size_of(4) + (value.toordinal() - _EPOCH.toordinal()).to_bytes(4, signed=True)


def of_timestamptz(value: datetime) -> bytes:
    """Return a field of timestamptz."""
    return size_of(8) + ((value - _EPOCH) // _MICROSECOND).to_bytes(8, signed=True)
