"""How a department's CSV file becomes rows and faults, line by line.

A record is one physical line: a stray quotation mark can spoil its own line and no other. Each
line is judged by itself: good rows go in, bad lines are kept aside with line, column, code and
message. Messages never repeat what stood in a cell, since faults are shown to more people than
the data.
"""

import csv
import re
from collections.abc import Iterable, Iterator
from datetime import date
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple

import msgspec

from backend.citizen.rules import parse_national_id
from backend.kit.problem import Refusal
from backend.record.rules.catalogue import RecordClass

LINE_BYTES_MAX = 8_192
FIELD_CHARACTERS_MAX = 256
VERSION_MAX = 1_000_000
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


class FaultCode(StrEnum):
    """What can be wrong with a line; stable, documented, for people and machines."""

    CHARACTER_FORBIDDEN = "character_forbidden"
    COLUMNS_TOO_FEW = "columns_too_few"
    COLUMNS_TOO_MANY = "columns_too_many"
    DATE_BEFORE_BIRTH = "date_before_birth"
    DATE_FORMAT = "date_format"
    DATE_FUTURE = "date_future"
    ENDED_BEFORE_START = "ended_before_start"
    EXTERNAL_ID_FORMAT = "external_id_format"
    EXTERNAL_ID_PERSONAL = "external_id_personal"
    FIELD_MISSING = "field_missing"
    FIELD_TOO_LONG = "field_too_long"
    FORMULA_LIKE = "formula_like"
    LINE_TOO_LONG = "line_too_long"
    NATIONAL_ID_CHECK = "national_id_check"
    NATIONAL_ID_DATE = "national_id_date"
    NATIONAL_ID_FORM = "national_id_form"
    NUMBER_FORMAT = "number_format"
    QUANTITY_NEGATIVE = "quantity_negative"
    QUANTITY_TOO_LARGE = "quantity_too_large"
    QUANTITY_ZERO = "quantity_zero"
    QUOTE_UNBALANCED = "quote_unbalanced"
    UTF8_BROKEN = "utf8_broken"
    VERSION_CONFLICT = "version_conflict"
    VERSION_RANGE = "version_range"


MESSAGES: dict[FaultCode, str] = {
    FaultCode.CHARACTER_FORBIDDEN: "the line holds a control or invisible character",
    FaultCode.COLUMNS_TOO_FEW: "the line has fewer columns than the header",
    FaultCode.COLUMNS_TOO_MANY: "the line has more columns than the header",
    FaultCode.DATE_BEFORE_BIRTH: "the day lies before the person was born",
    FaultCode.DATE_FORMAT: "not a day of the calendar written as YYYY-MM-DD",
    FaultCode.DATE_FUTURE: "the day lies in the future",
    FaultCode.ENDED_BEFORE_START: "the end lies before the beginning",
    FaultCode.EXTERNAL_ID_FORMAT: "the source's number is 1 to 64 letters, digits and ()[]./:#-_",
    FaultCode.EXTERNAL_ID_PERSONAL: "the source's number holds an identity or phone number",
    FaultCode.FIELD_MISSING: "the cell is empty",
    FaultCode.FIELD_TOO_LONG: f"the cell holds more than {FIELD_CHARACTERS_MAX} characters",
    FaultCode.FORMULA_LIKE: "the cell begins like a spreadsheet formula",
    FaultCode.LINE_TOO_LONG: f"the line holds more than {LINE_BYTES_MAX} bytes",
    FaultCode.NATIONAL_ID_CHECK: "the identity number's check character does not fit (GB 11643)",
    FaultCode.NATIONAL_ID_DATE: "the identity number holds no possible date of birth",
    FaultCode.NATIONAL_ID_FORM: "not an identity number of 18 characters",
    FaultCode.NUMBER_FORMAT: "not a whole number",
    FaultCode.QUANTITY_NEGATIVE: "the quantity is negative",
    FaultCode.QUANTITY_TOO_LARGE: "the quantity is larger than the catalogue allows for the class",
    FaultCode.QUANTITY_ZERO: "the quantity is zero: nothing happened, so there is no record",
    FaultCode.QUOTE_UNBALANCED: "a quotation mark is missing or stands in the wrong place",
    FaultCode.UTF8_BROKEN: "the line is not UTF-8",
    FaultCode.VERSION_CONFLICT: "this version came before with other content: raise the version",
    FaultCode.VERSION_RANGE: f"the version must be 1 to {VERSION_MAX}",
}


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


class Fault(msgspec.Struct, frozen=True):
    """One thing wrong with one line; `column` is empty when it is the whole line."""

    line_number: int
    column: str
    code: FaultCode

    @property
    def message(self) -> str:
        """What is wrong, in words that repeat nothing of the data."""
        return MESSAGES[self.code]


class _Person(NamedTuple):
    number: str
    born_on: date


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
        quantity = _quantity(cell.get("quantity", ""), self._class.quantity_max)
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
