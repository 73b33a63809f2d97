"""A file as lines: a record is one physical line, so a stray quotation mark spoils no other.

A line feed is the byte 0x0A in UTF-8 and in GB 18030, and no part of another character in either:
lines are cut before anything is decoded.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from backend.record.rules.fault import LINE_BYTES_MAX

_KEPT_MAX = LINE_BYTES_MAX + 1  # room for the CR that is not part of the content


class Line(NamedTuple):
    """A physical line: its number in the file, the offset where it ends, what it holds."""

    number: int
    end: int
    content: bytes
    is_too_long: bool


def split_lines(blocks: Iterable[bytes], *, first_number: int, offset: int) -> Iterator[Line]:
    """Cut a stream of blocks into lines (LF or CRLF), keeping no more of one than it may hold.

    `first_number` and `offset` (bytes) say where in the file the stream begins.
    """
    number, end, kept, size = first_number, offset, b"", 0
    for block in blocks:
        *whole, rest = block.split(b"\n")
        for piece in whole:
            size += len(piece)
            end += size + 1
            if size < LINE_BYTES_MAX:
                content = kept + piece if kept else piece
                yield Line(number, end, content.removesuffix(b"\r"), False)
            else:
                yield _line(number, end, kept + piece[:_KEPT_MAX], is_cut=size > _KEPT_MAX)
            number, kept, size = number + 1, b"", 0
        size += len(rest)
        kept = (kept + rest[:_KEPT_MAX])[:_KEPT_MAX]
    if size:
        yield _line(number, end + size, kept, is_cut=size > _KEPT_MAX)


def _line(number: int, end: int, kept: bytes, *, is_cut: bool) -> Line:
    content = kept if is_cut else kept.removesuffix(b"\r")
    is_too_long = is_cut or len(content) > LINE_BYTES_MAX
    return Line(number, end, content[:LINE_BYTES_MAX], is_too_long)
