"""How a file is written: its form, its encoding, and what it calls its columns."""

import csv
from collections.abc import Mapping
from typing import Literal

import msgspec

from backend.kit.problem import Refusal
from backend.record.rules.line import Line
from backend.record.rules.source import COLUMN_NAMES

Form = Literal["csv", "jsonl"]
Encoding = Literal["utf-8", "gb18030"]

REQUIRED_COLUMNS = ("national_id", "external_id", "occurred_on")
COLUMNS = COLUMN_NAMES
BYTE_ORDER_MARK = "\ufeff"


class Layout(msgspec.Struct, frozen=True):
    """How the lines of a file are to be read; kept with its submission for whoever goes on.

    `columns` says what this file calls a column (our name → its header); our own names are always
    understood. JSON lines are UTF-8 (RFC 8259) and have our names.
    """

    form: Form
    encoding: Encoding
    columns: dict[str, str]


PLAIN = Layout(form="csv", encoding="utf-8", columns={})


def with_known_columns(layout: Layout, known: Mapping[str, str]) -> Layout:
    """Return a layout with what is known of the source's exports, under what the sender said.

    A header that the sender has named is nothing else, whatever it usually is.
    """
    if layout.form == "jsonl":
        return layout
    said = {*layout.columns.values()}
    usual = {name: header for name, header in known.items() if header not in said}
    return msgspec.structs.replace(layout, columns={**usual, **layout.columns})


def layout_of_file(line: Line | None, layout: Layout) -> Layout:
    """Return a layout with the columns a file has, as its first line names them, and no others.

    Two layouts that read a file in the same way become the same. Raises as `parse_header`.
    """
    if layout.form == "jsonl":
        return msgspec.structs.replace(layout, columns={})
    names = parse_header(line, layout)
    assert line is not None, "a file with columns has a first line"
    headers = _headers_of(line, layout)
    return msgspec.structs.replace(layout, columns=dict(zip(names, headers, strict=True)))


def parse_header(line: Line | None, layout: Layout = PLAIN) -> tuple[str, ...]:
    """Return our names of a file's columns, in the order they stand in its first line.

    Raises Refusal submission_header_invalid with our names of the columns `missing` and
    `repeated`, and how many are `unknown`.
    """
    if line is None or line.is_too_long:
        raise Refusal("submission_header_invalid", missing=list(REQUIRED_COLUMNS))
    headers = _headers_of(line, layout)
    # Our own names are understood too, unless the file means another column by one.
    names_of = {name: name for name in COLUMNS}
    names_of |= {header: name for name, header in layout.columns.items()}
    names = [names_of.get(header, "") for header in headers]
    missing = [name for name in REQUIRED_COLUMNS if name not in names]
    # Only how many are unknown: a file without a header would give a person's data away here.
    unknown = names.count("")
    repeated = sorted({name for name in COLUMNS if names.count(name) > 1})
    if missing or unknown or repeated:
        raise Refusal(
            "submission_header_invalid", missing=missing, unknown=unknown, repeated=repeated
        )
    return tuple(names)


def _headers_of(line: Line, layout: Layout) -> list[str]:
    text = line.content.decode(layout.encoding, errors="replace").removeprefix(BYTE_ORDER_MARK)
    try:
        headers = next(csv.reader([text], strict=True), [])
    except csv.Error:
        headers = text.split(",")
    return [header.strip().strip('"') for header in headers]
