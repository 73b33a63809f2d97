"""A file as lines: a record is one physical line, so a stray quotation mark spoils no other.

A line feed is the byte 0x0A in UTF-8 and in GB 18030, and no part of another character in either:
lines are cut before anything is decoded.
"""

from collections.abc import Iterable, Iterator
from itertools import accumulate
from typing import NamedTuple

from backend.record.rules.fault import LINE_BYTES_MAX

_KEPT_MAX = LINE_BYTES_MAX + 1  # room for the CR that is not part of the content


class Line(NamedTuple):
    """A physical line: its number in the file, the offset where it ends, what it holds."""

    number: int
    end: int
    content: bytes
    is_too_long: bool


class Lines(NamedTuple):
    """Lines that follow each other; `ends` and `contents` are parallel, `too_long` are places."""

    first_number: int
    ends: list[int]
    contents: list[bytes]
    too_long: frozenset[int]

    def at(self, place: int) -> Line:
        """Return the line at a place, counted from 0."""
        return Line(
            self.first_number + place,
            self.ends[place],
            self.contents[place],
            place in self.too_long,
        )

    def part(self, first: int, stop: int) -> "Lines":
        """Return the lines from a place to before another."""
        return Lines(
            self.first_number + first,
            self.ends[first:stop],
            self.contents[first:stop],
            frozenset(place - first for place in self.too_long if first <= place < stop),
        )


def split_lines(blocks: Iterable[bytes], *, first_number: int, offset: int) -> Iterator[Line]:
    """Cut a stream of blocks into lines one by one; see `cut_lines`."""
    for lines in cut_lines(blocks, first_number=first_number, offset=offset):
        for place in range(len(lines.ends)):
            yield lines.at(place)


def cut_lines(blocks: Iterable[bytes], *, first_number: int, offset: int) -> Iterator[Lines]:
    """Cut a stream of blocks into lines (LF or CRLF), those that end in one block at a time.

    No more is kept of a line than it may hold. `first_number` and `offset` (bytes) say where in
    the file the stream begins.
    """
    number, end, kept, size = first_number, offset, b"", 0
    for block in blocks:
        *whole, rest = block.split(b"\n")
        if whole:
            sizes = list(map(len, whole))
            sizes[0] += size
            whole[0] = kept + whole[0]
            ends = list(accumulate([each + 1 for each in sizes], initial=end))[1:]
            yield _lines(number, ends, whole, sizes)
            number, end, kept, size = number + len(whole), ends[-1], b"", 0
        size += len(rest)
        kept = (kept + rest[:_KEPT_MAX])[:_KEPT_MAX]
    if size:
        yield _lines(number, [end + size], [kept], [size])


def _lines(number: int, ends: list[int], pieces: list[bytes], sizes: list[int]) -> Lines:
    """Take the CR off the pieces of lines, and what is too long of them."""
    contents = [piece.removesuffix(b"\r") for piece in pieces]
    if max(sizes) <= LINE_BYTES_MAX:
        return Lines(number, ends, contents, frozenset())
    # A line may be as long as it likes if the CR is all that is too much.
    too_long = frozenset(
        place
        for place, size in enumerate(sizes)
        if size > _KEPT_MAX or len(contents[place]) > LINE_BYTES_MAX
    )
    return Lines(number, ends, [each[:LINE_BYTES_MAX] for each in contents], too_long)
