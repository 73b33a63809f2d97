"""How a department's CSV file becomes rows and faults, line by line.

A record is one physical line: a stray quotation mark can spoil its own line and no other. Each
line is judged by itself: good rows go in, bad lines are kept aside with line, column, code and
message.
"""

import csv
import re
from collections.abc import Iterable, Iterator
from datetime import date, datetime
from functools import lru_cache
from typing import NamedTuple
from uuid import UUID

import msgspec

from backend.citizen.rules import ADULT_YEARS, age_on, parse_national_id
from backend.kit.problem import Refusal
from backend.record.rules.catalogue import RecordClass
from backend.record.rules.fault import (
    FIELD_CHARACTERS_MAX,
    LINE_BYTES_MAX,
    VERSION_MAX,
    Fault,
    FaultCode,
)

CHUNK_LINES = 4_000
PEOPLE_REMEMBERED = 100_000

REQUIRED_COLUMNS = ("national_id", "external_id", "occurred_on")
OPTIONAL_COLUMNS = ("version", "ended_on", "quantity")
COLUMNS = REQUIRED_COLUMNS + OPTIONAL_COLUMNS

_BATCH_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,99}")
# The source's own number, in any script: docket numbers read （2026）沪0101执123号.
_EXTERNAL_ID = re.compile(r"[\w（(〔\[][\w（）()〔〕\[\] ./:#-]{0,63}")
# Identity numbers and mobile phones have no place in a number that is stored in the clear.
_PERSONAL = re.compile(r"[0-9]{17}[0-9Xx]|(?<![0-9])1[3-9][0-9]{9}(?![0-9])")
_PERSONAL_CHARACTERS_MIN = 11
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_NUMBER = re.compile(r"[0-9]{1,10}")
_NEGATIVE = re.compile(r"-[0-9]+(?:\.[0-9]+)?")
_FORMULA_STARTS = ("=", "+", "-", "@")
_BYTE_ORDER_MARK = "\ufeff"


class Line(NamedTuple):
    """A physical line: its number in the file, the offset where it ends, what it holds."""

    number: int
    end: int
    content: bytes
    is_too_long: bool


class Row(NamedTuple):
    """A line that passed every check that can be made without the database."""

    line_number: int
    national_id: str
    external_id: str
    version: int
    quantity: int
    occurred_on: date
    ended_on: date | None


class Submission(msgspec.Struct, frozen=True, kw_only=True):
    """One file of one source and class, and how far it is in.

    `bytes_done` is the offset from which the next chunk begins, `lines_done` how many lines lie
    before it; `accepted` and `rejected` count lines.
    """

    submission_id: UUID
    source_code: str
    class_code: str
    batch_id: str
    content_digest: bytes
    accepted: int
    rejected: int
    bytes_done: int
    lines_done: int
    received_at: datetime
    completed_at: datetime | None


class Chunk(msgspec.Struct, frozen=True):
    """Lines of a file that go in together or not at all: bytes `begin` to `end` of the file.

    `rejected` holds each bad line with its faults. Blank lines are in `line_count` only.
    """

    begin: int
    end: int
    line_count: int
    rows: list[tuple[Line, Row]]
    rejected: list[tuple[Line, list[Fault]]]
    is_last: bool


class _Person(NamedTuple):
    number: str
    born_on: date


def read_chunks(
    lines: Iterable[Line], reader: "RowReader", *, begin: int, lines_max: int = CHUNK_LINES
) -> Iterator[Chunk]:
    """Gather the lines after the header into chunks of at most `lines_max` lines.

    There is always a last chunk, empty for a file without lines.
    """
    rows: list[tuple[Line, Row]] = []
    rejected: list[tuple[Line, list[Fault]]] = []
    end, line_count = begin, 0
    for line in lines:
        if line_count == lines_max:
            yield Chunk(begin, end, line_count, rows, rejected, is_last=False)
            rows, rejected, begin, line_count = [], [], end, 0
        line_count, end = line_count + 1, line.end
        if not line.content.strip() and not line.is_too_long:
            continue
        found = reader.read(line)
        if isinstance(found, Row):
            rows.append((line, found))
        else:
            rejected.append((line, found))
    yield Chunk(begin, end, line_count, rows, rejected, is_last=True)


def check_batch_id(batch_id: str) -> str:
    """Return a batch id as it is, or raise Refusal submission_batch_id_invalid."""
    if not _BATCH_ID.fullmatch(batch_id):
        raise Refusal("submission_batch_id_invalid")
    return batch_id


def split_lines(blocks: Iterable[bytes], *, first_number: int, offset: int) -> Iterator[Line]:
    """Cut a stream of blocks into lines (LF or CRLF), keeping no more of one than it may hold.

    `first_number` and `offset` (bytes) say where in the file the stream begins.
    """
    number, end, kept, size = first_number, offset, b"", 0
    most = LINE_BYTES_MAX + 1  # room for the CR that is not part of the content
    for block in blocks:
        *whole, rest = block.split(b"\n")
        for piece in whole:
            size += len(piece)
            end += size + 1
            yield _line(number, end, kept + piece[:most], is_cut=size > most)
            number, kept, size = number + 1, b"", 0
        size += len(rest)
        kept = (kept + rest[:most])[:most]
    if size:
        yield _line(number, end + size, kept, is_cut=size > most)


def _line(number: int, end: int, kept: bytes, *, is_cut: bool) -> Line:
    content = kept if is_cut else kept.removesuffix(b"\r")
    is_too_long = is_cut or len(content) > LINE_BYTES_MAX
    return Line(number, end, content[:LINE_BYTES_MAX], is_too_long)


def parse_header(line: Line | None) -> tuple[str, ...]:
    """Return the column names of a file's first line, in the order they stand in.

    Raises Refusal submission_header_invalid with the columns `missing`, `unknown` and `repeated`.
    """
    if line is None or line.is_too_long:
        raise Refusal("submission_header_invalid", missing=list(REQUIRED_COLUMNS))
    text = line.content.decode(errors="replace").removeprefix(_BYTE_ORDER_MARK)
    names = [name.strip().strip('"') for name in text.split(",")]
    missing = [name for name in REQUIRED_COLUMNS if name not in names]
    # Only how many are unknown: a file without a header would give a person's data away here.
    unknown = sum(name not in COLUMNS for name in names)
    repeated = sorted({name for name in COLUMNS if names.count(name) > 1})
    if missing or unknown or repeated:
        raise Refusal(
            "submission_header_invalid", missing=missing, unknown=unknown, repeated=repeated
        )
    return tuple(names)


class RowReader:
    """Reads the lines of one file: knows its columns, its class and the day it came in."""

    def __init__(self, columns: tuple[str, ...], *, record_class: RecordClass, today: date) -> None:
        self._places = {name: columns.index(name) for name in columns}
        self._width = len(columns)
        self._class = record_class
        self._today = today
        # One person has many lines; the checks of an identity number are made once.
        self._people: dict[str, _Person | FaultCode] = {}

    def read(self, line: Line) -> Row | list[Fault]:
        """Return the row of a line, or everything that is wrong with it (never empty)."""
        cells = _cells(line, self._width)
        if isinstance(cells, FaultCode):
            return [Fault(line.number, "", cells)]
        cell = {name: cells[place] for name, place in self._places.items()}
        person = self._people.get(cell["national_id"]) or self._meet(cell["national_id"])
        external_id = _external_id(cell["external_id"])
        version = _version(cell.get("version", ""))
        occurred_on = _day(cell["occurred_on"])
        ended_on = _day(cell["ended_on"]) if cell.get("ended_on") else None
        quantity = _quantity(cell.get("quantity", ""), self._class.value.max)
        if (
            isinstance(person, _Person)
            and not isinstance(external_id, FaultCode)
            and not isinstance(version, FaultCode)
            and isinstance(occurred_on, date)
            and not isinstance(ended_on, FaultCode)
            and not isinstance(quantity, FaultCode)
        ):
            row = Row(
                *(line.number, person.number, external_id, version, quantity),
                *(occurred_on, ended_on),
            )
            return self._dates_faults(row, person.born_on) or row
        found = {
            "national_id": person,
            "external_id": external_id,
            "version": version,
            "occurred_on": occurred_on,
            "ended_on": ended_on,
            "quantity": quantity,
        }
        return [
            Fault(line.number, column, _closer(code, cell[column]))
            for column, code in found.items()
            if isinstance(code, FaultCode)
        ]

    def _meet(self, text: str) -> _Person | FaultCode:
        if len(self._people) >= PEOPLE_REMEMBERED:
            self._people.clear()
        person = self._people[text] = _person(text, self._today)
        return person

    def _dates_faults(self, row: Row, born_on: date) -> list[Fault]:
        """Compare the days with each other, with the person's birth and with today."""
        faults: list[Fault] = []
        for column, day in (("occurred_on", row.occurred_on), ("ended_on", row.ended_on)):
            if day is not None and day > self._today:
                faults.append(Fault(row.line_number, column, FaultCode.DATE_FUTURE))
            elif day is not None and day < born_on:
                faults.append(Fault(row.line_number, column, FaultCode.DATE_BEFORE_BIRTH))
        # Conduct that is held against somebody has often ended before the decision on it.
        if row.ended_on and row.ended_on < row.occurred_on and not self._class.is_adverse:
            faults.append(Fault(row.line_number, "ended_on", FaultCode.ENDED_BEFORE_START))
        # Product line 2: nobody begins adult life with what the child did (预防未成年人犯罪法 59).
        done_on = row.ended_on or row.occurred_on
        if self._class.is_adverse and not faults and age_on(born_on, done_on) < ADULT_YEARS:
            faults.append(Fault(row.line_number, "occurred_on", FaultCode.CONDUCT_UNDER_AGE))
        return faults


def _cells(line: Line, width: int) -> list[str] | FaultCode:
    if line.is_too_long:
        return FaultCode.LINE_TOO_LONG
    try:
        text = line.content.decode()
    except UnicodeDecodeError:
        return FaultCode.UTF8_BROKEN
    if not text.isprintable():
        return FaultCode.CHARACTER_FORBIDDEN
    if '"' in text:
        try:
            cells = next(csv.reader([text], strict=True))
        except csv.Error:
            return FaultCode.QUOTE_UNBALANCED
    else:
        cells = text.split(",")
    if len(cells) > width:
        return FaultCode.COLUMNS_TOO_MANY
    if len(cells) < width:
        return FaultCode.COLUMNS_TOO_FEW
    return cells


def _person(text: str, today: date) -> _Person | FaultCode:
    if not text:
        return FaultCode.FIELD_MISSING
    try:
        national_id = parse_national_id(text, today=today)
    except Refusal as refusal:
        return {
            "form": FaultCode.NATIONAL_ID_FORM,
            "check_character": FaultCode.NATIONAL_ID_CHECK,
        }.get(str(refusal.facts["fault"]), FaultCode.NATIONAL_ID_DATE)
    if age_on(national_id.born_on, today) < ADULT_YEARS:
        return FaultCode.PERSON_UNDER_AGE
    return _Person(national_id.number, national_id.born_on)


def _external_id(text: str) -> str | FaultCode:
    if not _EXTERNAL_ID.fullmatch(text):
        return FaultCode.EXTERNAL_ID_FORMAT if text else FaultCode.FIELD_MISSING
    if len(text) >= _PERSONAL_CHARACTERS_MIN and _PERSONAL.search(text):
        return FaultCode.EXTERNAL_ID_PERSONAL
    return text


@lru_cache(maxsize=16_384)  # a file holds few different days
def _day(text: str) -> date | FaultCode:
    if not _DAY.fullmatch(text):
        return FaultCode.DATE_FORMAT if text else FaultCode.FIELD_MISSING
    try:
        return date.fromisoformat(text)
    except ValueError:
        return FaultCode.DATE_FORMAT


def _version(text: str) -> int | FaultCode:
    if text in {"", "1"}:
        return 1
    if not _NUMBER.fullmatch(text):
        return FaultCode.NUMBER_FORMAT
    return int(text) if 1 <= int(text) <= VERSION_MAX else FaultCode.VERSION_RANGE


def _quantity(text: str, most: int) -> int | FaultCode:
    if text in {"", "1"}:
        return 1
    if not _NUMBER.fullmatch(text):
        return FaultCode.QUANTITY_NEGATIVE if _NEGATIVE.fullmatch(text) else FaultCode.NUMBER_FORMAT
    quantity = int(text)
    if quantity == 0:
        return FaultCode.QUANTITY_ZERO
    return quantity if quantity <= most else FaultCode.QUANTITY_TOO_LARGE


def _closer(code: FaultCode, cell: str) -> FaultCode:
    """Name the deeper cause of a cell that fits no format."""
    if len(cell) > FIELD_CHARACTERS_MAX:
        return FaultCode.FIELD_TOO_LONG
    if cell.startswith(_FORMULA_STARTS) and code is not FaultCode.QUANTITY_NEGATIVE:
        return FaultCode.FORMULA_LIKE
    return code
