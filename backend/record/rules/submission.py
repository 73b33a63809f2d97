"""A department's file as a submission: lines gathered into chunks, each taken in whole or not.

Each line is judged by itself: good rows go in, bad lines are kept aside with line, column, code
and message.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from uuid import UUID

import msgspec

from backend.kit.clock import city_date
from backend.kit.problem import Refusal
from backend.record.rules.block import BlockReader, Rejected, Rows
from backend.record.rules.catalogue import RecordClass
from backend.record.rules.layout import COLUMNS, Layout, layout_of_file, parse_header
from backend.record.rules.line import Lines, cut_lines, split_lines
from backend.record.rules.row import RowReader

CHUNK_LINES = 10_000

_BATCH_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,99}")


class Submission(msgspec.Struct, frozen=True, kw_only=True):
    """One file of one source and class, and how far it is in.

    `bytes_done` is the offset from which the next chunk begins, `lines_done` how many lines lie
    before it, without a CSV file's header; the counts are of lines, see `MonthCounts`.
    """

    submission_id: UUID
    source_code: str
    class_code: str
    batch_id: str
    content_digest: bytes
    accepted: int
    rejected: int
    duplicates: int
    corrections: int
    withdrawals: int
    repairs: int
    incomplete: int
    timed: int
    late: int
    bytes_done: int
    lines_done: int
    received_at: datetime
    completed_at: datetime | None


class Chunk(msgspec.Struct, frozen=True):
    """Lines of a file that go in together or not at all: bytes `begin` to `end` of the file.

    `rejected` holds each bad line with its faults. Blank lines are in `line_count` only.
    `read_as`: the class the lines were held against; when it has changed since, they are read
    again.
    """

    begin: int
    end: int
    line_count: int
    rows: Rows
    rejected: list[Rejected]
    is_last: bool
    read_as: RecordClass


def check_batch_id(batch_id: str) -> str:
    """Return a batch id as it is, or raise Refusal submission_batch_id_invalid."""
    if not _BATCH_ID.fullmatch(batch_id):
        raise Refusal("submission_batch_id_invalid")
    return batch_id


def look_at_beginning(layout: Layout, blocks: Iterable[bytes]) -> Layout:
    """Look at a file's first line, before the rest is taken; see `layout_of_file`."""
    return layout_of_file(next(split_lines(blocks, first_number=1, offset=0), None), layout)


def read_file(
    blocks_from: Callable[[int], Iterable[bytes]],
    submission: Submission,
    *,
    layout: Layout,
    record_class: RecordClass,
    lines_max: int = CHUNK_LINES,
) -> Iterator[Chunk]:
    """Read a file on from where its submission stands, chunk by chunk; see `read_chunks`.

    `blocks_from` gives the file from a byte on, in blocks of any size; nothing is kept of them
    beyond a chunk. The days of all lines are held against the day the file first came in, also
    when the rest of it is read later: the same file has the same answer. Raises Refusal
    submission_header_invalid.
    """
    begin, first_number = submission.bytes_done, submission.lines_done + 1
    columns: tuple[str, ...] = COLUMNS
    if layout.form == "csv":
        header = next(split_lines(blocks_from(0), first_number=1, offset=0), None)
        columns = parse_header(header, layout)
        assert header is not None, "a file with columns has a first line"
        begin, first_number = begin or header.end, first_number + 1
    reader = RowReader(
        columns,
        layout=layout,
        record_class=record_class,
        today=city_date(submission.received_at),
    )
    lines = cut_lines(blocks_from(begin), first_number=first_number, offset=begin)
    yield from read_chunks(lines, reader, begin=submission.bytes_done, lines_max=lines_max)


def read_chunks(
    lines: Iterable[Lines], reader: RowReader, *, begin: int, lines_max: int = CHUNK_LINES
) -> Iterator[Chunk]:
    """Gather the lines after the header into chunks of at most `lines_max` lines.

    There is always a last chunk, empty for a file without lines.
    """
    block_reader = BlockReader(reader)
    rows, rejected, end, line_count = Rows(), list[Rejected](), begin, 0
    for block in lines:
        place, size = 0, len(block.ends)
        while place < size:
            if line_count == lines_max:
                yield Chunk(begin, end, line_count, rows, rejected, False, reader.record_class)
                rows, rejected, begin, line_count = Rows(), [], end, 0
            stop = min(size, place + lines_max - line_count)
            rejected += block_reader.read(block.part(place, stop), rows)
            line_count, end, place = line_count + stop - place, block.ends[stop - 1], stop
    yield Chunk(begin, end, line_count, rows, rejected, True, reader.record_class)
