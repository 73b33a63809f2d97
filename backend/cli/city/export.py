"""Exports lines as the software of each department writes them, with bad ones among them."""

import json
import random
from collections.abc import Callable, Mapping, Sequence

from backend.cli.city.conduct import Entry
from backend.cli.city.department import Desk, desk_of
from backend.record.rules.layout import COLUMNS
from backend.record.service import packaged_catalogue

Cells = dict[str, str | int]
# A slip in one cell: what stands there in place of what should.
_CELL_SLIPS: Sequence[Callable[[Entry], Cells]] = (
    lambda entry: {"national_id": _wrong_check(entry.person.national_id)},
    lambda entry: {"national_id": entry.person.national_id[:-3]},
    lambda entry: {"national_id": ""},
    lambda _: {"occurred_on": "2999-01-01"},
    lambda _: {"occurred_on": "1900-01-01"},
    lambda entry: {"occurred_on": f"{entry.occurred_on:%d.%m.%Y}"},
    lambda entry: {"quantity": -entry.quantity},
    lambda _: {"external_id": "=HYPERLINK(A1)"},
    lambda _: {"action": "delete"},
)
_BYTES_OF_NO_ENCODING = b"\xff\xfe"


def export_file(entries: Sequence[Entry], *, chance: random.Random) -> tuple[int, bytes]:
    """Return how many lines a file of one source and class has, its header apart, and its bytes."""
    first = entries[0]
    desk = desk_of(first.source)
    lines = []
    for entry in entries:
        lines.append(_line(desk, _cells(entry)))
        if chance.randrange(1000) < desk.bad:
            lines.append(_spoilt(desk, entry, chance))
    written = lines if desk.form == "jsonl" else [_header(desk, first), *lines]
    # What exports GB 18030 is a machine that ends its lines as Windows does.
    end = b"\r\n" if desk.encoding == "gb18030" else b"\n"
    return len(lines), end.join(written) + end


def _cells(entry: Entry) -> Cells:
    return {
        "national_id": entry.person.national_id,
        "external_id": entry.external_id,
        "version": entry.version,
        "action": "" if entry.action == "report" else entry.action,
        "occurred_on": entry.occurred_on.isoformat(),
        "ended_on": entry.ended_on.isoformat() if entry.ended_on else "",
        "quantity": entry.quantity,
    }


def _header(desk: Desk, entry: Entry) -> bytes:
    called: Mapping[str, str] = (
        packaged_catalogue().sources[entry.source].columns_of(entry.class_code)
    )
    return ",".join(called.get(name, name) for name in COLUMNS).encode(desk.encoding)


def _line(desk: Desk, cells: Cells) -> bytes:
    if desk.form == "jsonl":
        members = {name: value for name, value in cells.items() if value != ""}
        return json.dumps(members, ensure_ascii=False).encode()
    return ",".join(str(cells[name]) for name in COLUMNS).encode(desk.encoding)


def _spoilt(desk: Desk, entry: Entry, chance: random.Random) -> bytes:
    """Write a line as it comes from a slip of the pen, a wrong export or a wrong machine."""
    cells = _cells(entry) | {"external_id": f"{entry.external_id}x", "version": 1}
    slip = chance.randrange(len(_CELL_SLIPS) + 3)
    if slip < len(_CELL_SLIPS):
        return _line(desk, cells | _CELL_SLIPS[slip](entry))
    whole = _line(desk, cells)
    if slip == len(_CELL_SLIPS):
        return whole[:-1] + _BYTES_OF_NO_ENCODING + whole[-1:]
    if desk.form == "jsonl":
        return whole[:-1] if slip % 2 else _line(desk, cells | {"name": entry.person.name})
    number = entry.person.national_id.encode()
    return whole + b"," * 12 if slip % 2 else whole.replace(number, b'"' + number, 1)


def _wrong_check(number: str) -> str:
    return number[:-1] + ("0" if number[-1] != "0" else "1")
