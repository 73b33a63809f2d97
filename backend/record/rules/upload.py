"""A file handed in over HTTP: how much it may hold, how its lines are read, what it adds up to.

It is laid down in parts while it arrives, and taken in afterwards.
"""

import hashlib
from collections.abc import Sequence
from datetime import timedelta

import msgspec

from backend.kit.problem import Refusal
from backend.record.rules.layout import Encoding, Form, Layout
from backend.record.rules.source import COLUMN_NAMES, HEADER_CHARACTERS_MAX

PART_BYTES = 1_048_576
UPLOAD_BYTES_MAX = 512 * PART_BYTES
UPLOAD_LINES_MAX = 1_000_000
# A sender has less time than this: what is older and belongs to no submission was cut off.
UPLOAD_KEPT = timedelta(hours=1)
# Files of one source that are arriving, were cut off, or wait to be taken in.
UPLOADS_WAITING_MAX = 20
# What is taken in at a time. Two bounds, because a transaction must be short on a slow machine
# too: another file of the same source waits for it.
CHUNKS_PER_TURN = 5
TURN_MILLISECONDS = 5_000
# A file whose source is busy with another is looked at again after so long.
TURN_WAIT_SECONDS = 2

_FORMS: dict[str, Form] = {
    "text/csv": "csv",
    "application/jsonl": "jsonl",
    "application/x-ndjson": "jsonl",
}
MEDIA_TYPES = tuple(_FORMS)
_ENCODINGS: tuple[Encoding, ...] = ("utf-8", "gb18030")


class Sending(msgspec.Struct, frozen=True):
    """What a source says about the file it hands in."""

    source_code: str
    class_code: str
    batch_id: str
    layout: Layout


def read_layout(
    media_type: str, charset: str | None, *, encoding: Encoding | None, columns: Sequence[str]
) -> Layout:
    """Return the layout a request announces.

    `columns` hold "our name:its header" each. Raises Refusal media_type_unsupported (a type or a
    charset that isn't read) or parameter_invalid (one that contradicts the type).
    """
    form = _FORMS.get(media_type.lower())
    named = None if charset is None else charset.strip('"').lower()
    if form is None or named not in {None, *_ENCODINGS}:
        raise Refusal("media_type_unsupported")
    if form == "jsonl" and named == "gb18030":
        raise Refusal("media_type_unsupported")  # JSON is UTF-8 (RFC 8259 section 8.1)
    said = "utf-8" if form == "jsonl" else named
    if None not in {said, encoding} and said != encoding:
        fault = "is not the encoding that Content-Type names"
        raise Refusal("parameter_invalid", errors=[{"name": "encoding", "message": fault}])
    if form == "jsonl" and columns:
        fault = "is for CSV: the members of JSON lines have our names"
        raise Refusal("parameter_invalid", errors=[{"name": "column", "message": fault}])
    given: Encoding = "gb18030" if "gb18030" in {named, encoding} else "utf-8"
    return Layout(form=form, encoding=given, columns=_columns(columns))


def _columns(pairs: Sequence[str]) -> dict[str, str]:
    columns: dict[str, str] = {}
    for pair in pairs:
        name, _, header = pair.partition(":")
        header = header.strip()
        if (
            name not in COLUMN_NAMES
            or name in columns
            or header in columns.values()
            or not 1 <= len(header) <= HEADER_CHARACTERS_MAX
            or not header.isprintable()
        ):
            fault = "is one of our column names, a colon and the header of yours; each of them once"
            raise Refusal("parameter_invalid", errors=[{"name": "column", "message": fault}])
        columns[name] = header
    return columns


class Tally:
    """Adds a file up while it arrives: its digest, its bytes, its lines."""

    def __init__(self, layout: Layout) -> None:
        # The first line of a CSV file names the columns and counts as none.
        self._lines_max = UPLOAD_LINES_MAX + (layout.form == "csv")
        self._digest = hashlib.sha256()
        self._feeds = 0
        self._last = b"\n"
        self.size = 0

    def add(self, piece: bytes) -> None:
        """Add the next piece; raises Refusal submission_too_long at the first line too many.

        A line feed is the byte 0x0A in both encodings, and no part of another character.
        """
        assert piece, "a piece holds something"
        self._digest.update(piece)
        self._feeds += piece.count(b"\n")
        self._last = piece[-1:]
        self.size += len(piece)
        if self._feeds + (self._last != b"\n") > self._lines_max:
            raise Refusal("submission_too_long", lines_max=UPLOAD_LINES_MAX)

    @property
    def digest(self) -> bytes:
        """The SHA-256 of what was added."""
        return self._digest.digest()
