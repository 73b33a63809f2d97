"""Goal: no bytes whatever break the reader of submissions, hide a line or let a bad one in.

In every form and encoding that is read.

Method: Hypothesis draws raw bytes, broken lines and good lines in any cutting of blocks; what the
reader says is compared with what can be known without it.
"""

import json
from datetime import date
from importlib.resources import files

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from backend.kit.problem import Refusal
from backend.record.rules.catalogue import load_catalogue
from backend.record.rules.fault import LINE_BYTES_MAX, MESSAGES, Fault
from backend.record.rules.layout import COLUMNS, PLAIN, REQUIRED_COLUMNS, Layout, parse_header
from backend.record.rules.line import Line, cut_lines, split_lines
from backend.record.rules.row import Row, RowReader
from backend.record.rules.submission import CHUNK_LINES, read_chunks
from tests.support.citizen import national_id

_DATA = files("backend.record") / "data"
CATALOGUE = load_catalogue(
    (_DATA / "catalogue-2026.toml").read_text(), (_DATA / "sources-2026.toml").read_text()
)
TODAY = date(2026, 11, 20)
HEADER = ("national_id", "external_id", "version", "occurred_on", "ended_on", "quantity")

cells = st.one_of(
    st.text(max_size=12),
    st.sampled_from(["", "1", "-1", "0", "=1+1", "2026-05-01", "2999-01-01", '"', "lib-1", "１"]),
    st.builds(national_id, st.integers(1, 5)),
    st.dates().map(str),
    st.integers(-(10**12), 10**12).map(str),
)
lines = st.one_of(
    st.binary(max_size=80),
    st.lists(cells, max_size=9).map(lambda each: ",".join(each).encode(errors="surrogatepass")),
    st.tuples(cells, cells, cells, cells, cells, cells).map(lambda each: ",".join(each).encode()),
)


def reader(code: str = "library_return") -> RowReader:
    """Return a reader for all columns."""
    return RowReader(HEADER, record_class=CATALOGUE.classes[code], today=TODAY)


def blocks_of(content: bytes, sizes: list[int]) -> list[bytes]:
    """Cut content into blocks of the sizes given, then the rest."""
    blocks, place = [], 0
    for size in sizes:
        blocks.append(content[place : place + size])
        place += size
    return [*blocks, content[place:]]


LAYOUTS = [
    PLAIN,
    Layout(form="csv", encoding="gb18030", columns={}),
    Layout(form="jsonl", encoding="utf-8", columns={}),
]
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | cells,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(cells, inner, max_size=3),
    max_leaves=5,
)
objects = st.dictionaries(st.sampled_from(COLUMNS) | cells, values, max_size=8).map(
    lambda each: json.dumps(each).encode()
)


@given(lines | objects, st.sampled_from(LAYOUTS), st.sampled_from(sorted(CATALOGUE.classes)))
def test_any_bytes_in_any_layout_are_a_row_or_faults(content, layout, code):
    kind = CATALOGUE.classes[code]
    one = RowReader(HEADER, layout=layout, record_class=kind, today=TODAY)
    found = one.read(Line(5, 0, content, is_too_long=False))
    if isinstance(found, Row):
        assert found.external_id.isprintable()
        assert found.occurred_on <= TODAY
        assert found.ends_on is None or found.ends_on > TODAY
        assert found.action != "repair" or kind.is_adverse
    else:
        assert found
        assert all(fault.column in {"", *COLUMNS} for fault in found)
        assert all(fault.message == MESSAGES[fault.code] for fault in found)


@given(st.lists(lines | objects, max_size=12), st.sampled_from(LAYOUTS))
def test_every_line_of_any_file_is_accounted_for(contents, layout):
    kept = [each.replace(b"\n", b"") for each in contents]
    file = b"".join(each + b"\n" for each in kept)
    one = RowReader(
        HEADER, layout=layout, record_class=CATALOGUE.classes["library_return"], today=TODAY
    )
    found = read_chunks(cut_lines([file], first_number=1, offset=0), one, begin=0, lines_max=5)
    chunks = list(found)
    numbers = [
        line.number for chunk in chunks for line, _ in sorted([*chunk.rows, *chunk.rejected])
    ]
    blank = [n for n, each in enumerate(kept, 1) if not each.removesuffix(b"\r").strip()]
    assert sorted(numbers + blank) == list(range(1, len(kept) + 1))


@given(st.binary(max_size=200), st.sampled_from(LAYOUTS))
def test_any_first_line_in_any_layout_is_a_header_or_refused(content, layout):
    named = msgspec.structs.replace(
        layout, columns={"national_id": "证件号", "version": "quantity"}
    )
    try:
        names = parse_header(Line(1, 0, content, is_too_long=False), named)
    except Refusal:
        return
    assert set(REQUIRED_COLUMNS) <= set(names) <= set(COLUMNS)


@given(lines, st.sampled_from(sorted(CATALOGUE.classes)))
def test_any_line_is_a_row_that_keeps_the_rules_or_has_faults(content, code):
    found = reader(code).read(Line(5, 0, content, is_too_long=False))
    if not isinstance(found, Row):
        assert found, "a line that is no row says why"
        for fault in found:
            assert isinstance(fault, Fault)
            assert fault.line_number == 5
            assert fault.column in {"", *COLUMNS}
            assert fault.message == MESSAGES[fault.code]
        return
    record_class = CATALOGUE.classes[code]
    assert len(found.national_id) == 18
    born_on = date.fromisoformat(found.national_id[6:14])
    assert born_on <= found.occurred_on <= TODAY
    assert 1 <= found.quantity <= record_class.value.max
    assert found.version >= 1
    assert 1 <= len(found.external_id) <= 64
    assert found.external_id[0] not in "=+-@"
    assert found.external_id.isprintable()
    if found.ended_on is not None:
        assert born_on <= found.ended_on <= TODAY
        assert record_class.is_adverse or found.occurred_on <= found.ended_on


@given(st.lists(lines, max_size=12), st.lists(st.integers(0, 60), max_size=20))
def test_no_line_is_lost_however_the_blocks_are_cut(contents, sizes):
    file = b"".join(each.replace(b"\n", b"") + b"\n" for each in contents)
    found = list(split_lines(blocks_of(file, sizes), first_number=2, offset=10))
    assert [each.number for each in found] == list(range(2, 2 + len(contents)))
    assert [each.content for each in found] == [
        each.replace(b"\n", b"").removesuffix(b"\r") for each in contents
    ]
    assert (found[-1].end if found else 10) == 10 + len(file)


@given(
    st.lists(st.integers(0, 3 * LINE_BYTES_MAX), max_size=4),
    st.lists(st.integers(0, LINE_BYTES_MAX), max_size=8),
)
def test_long_lines_are_cut_and_marked_and_the_offsets_stay_right(lengths, sizes):
    file = b"".join(b"x" * length + b"\n" for length in lengths)
    found = list(split_lines(blocks_of(file, sizes), first_number=1, offset=0))
    assert [each.is_too_long for each in found] == [each > LINE_BYTES_MAX for each in lengths]
    assert all(len(each.content) <= LINE_BYTES_MAX for each in found)
    end = 0
    for line, length in zip(found, lengths, strict=True):
        end += length + 1
        assert line.end == end


@given(st.binary(max_size=200))
def test_any_first_line_is_a_header_or_refused(content):
    try:
        names = parse_header(Line(1, 0, content, is_too_long=False))
    except Refusal:
        return
    assert set(REQUIRED_COLUMNS) <= set(names) <= set(COLUMNS)
    assert len(set(names)) == len(names)


@given(st.lists(st.sampled_from([b"", b"bad", b"good"]), max_size=30))
def test_chunks_hold_every_line_once_and_join_without_a_gap(kinds):
    good = f"{national_id(1)},lib-1,1,2026-05-01,,1".encode()
    file = b"".join((good if kind == b"good" else kind) + b"\n" for kind in kinds)
    found = cut_lines([file], first_number=2, offset=0)
    chunks = list(read_chunks(found, reader(), begin=0, lines_max=4))
    assert sum(each.line_count for each in chunks) == len(kinds)
    assert sum(len(each.rows) for each in chunks) == kinds.count(b"good")
    assert sum(len(each.rejected) for each in chunks) == kinds.count(b"bad")
    assert [each.is_last for each in chunks] == [False] * (len(chunks) - 1) + [True]
    places = [(each.begin, each.end) for each in chunks]
    assert [begin for begin, _ in places] == [0, *(end for _, end in places[:-1])]
    assert places[-1][1] == len(file)
    assert all(each.line_count <= 4 <= CHUNK_LINES for each in chunks)
