"""Goal: a line read among many says what it says alone, so no check can be lost to speed.

Method: Hypothesis draws blocks of good lines, lines with one cell changed, and anything at all, for
random classes, columns and encodings; each block is read by columns and line by line, and rows,
faults and their order are compared. The same reader reads several blocks: what it remembers of one
must not change another.
"""

from datetime import date, timedelta
from itertools import product
from typing import get_args

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from backend.record.rules.block import BlockReader, Rows
from backend.record.rules.catalogue import RecordClass
from backend.record.rules.fault import LINE_BYTES_MAX, Fault
from backend.record.rules.layout import COLUMNS, REQUIRED_COLUMNS, Encoding, Layout
from backend.record.rules.line import Line, cut_lines, split_lines
from backend.record.rules.row import Row, RowReader
from backend.record.service import packaged_catalogue
from tests.support.citizen import national_id

CLASSES = packaged_catalogue().classes
TODAY = date(2026, 11, 20)
# Of age today, on some days of the last years, never; born on a day most years don't have.
BIRTHS = [
    *(date(1960, 1, 1), date(2000, 2, 29), date(2004, 2, 29), date(2006, 3, 1), date(2008, 11, 20)),
    *(date(2008, 11, 21), date(2010, 5, 5)),
]

PADS = [" ", "\t", "\u3000", "\x1c", "\xa0", " " * LINE_BYTES_MAX]

SHORT = ["national_id", "external_id", "occurred_on"]
GOOD = f"{national_id()},a,2026-05-01"

people = st.builds(national_id, st.integers(1, 4), st.sampled_from(BIRTHS))
days = st.one_of(
    st.integers(0, 4_000).map(lambda back: str(TODAY - timedelta(days=back))),
    st.integers(0, 40).map(lambda back: str(TODAY - timedelta(days=back))),
    st.sampled_from(["2018-02-28", "2018-03-01", "2022-02-28", "2022-03-01", "2026-11-21"]),
)
anything = st.one_of(
    st.text(max_size=12),
    st.sampled_from(["", "1", "0", "-1", "=1+1", '"', '"1"', " 1", "１", "\ufffd", "\r", "\x00"]),
    st.sampled_from(["2026-02-30", "13900000000", "99900119900307203x", "x" * 300, "report"]),
    people,
    days,
)
good: dict[str, st.SearchStrategy[str]] = {
    "national_id": people,
    "external_id": st.sampled_from(["a-1", "a-2", "沪〔2026〕1号", "LB000000001"]),
    "version": st.sampled_from(["", "1", "2", "07", "1000000"]),
    "action": st.sampled_from(["", "report", "withdraw", "repair"]),
    "occurred_on": days,
    "ended_on": st.just("") | days,
    "quantity": st.sampled_from(["", "1", "3", "99", "1000"]),
}


@st.composite
def blocks(draw: st.DrawFn) -> tuple[list[str], list[list[bytes]], str]:
    """Draw columns, some blocks of lines for them, and their encoding."""
    encoding = draw(st.sampled_from(["utf-8", "gb18030"]))
    more = draw(st.sets(st.sampled_from([name for name in COLUMNS if name in good])))
    columns = draw(st.permutations(sorted(more | set(REQUIRED_COLUMNS))))

    def line(cells: list[str]) -> bytes:
        return ",".join(cells).encode(encoding, errors="ignore").replace(b"\n", b"")

    right = st.tuples(*(good[name] for name in columns)).map(list)
    changed = st.tuples(right, st.integers(0, len(columns) - 1), anything).map(
        lambda each: [*each[0][: each[1]], each[2], *each[0][each[1] + 1 :]]
    )
    # Around an identity number nothing is seen, but for what no line may hold.
    person = columns.index("national_id")
    padded = st.tuples(right, st.booleans(), st.sampled_from(PADS)).map(
        lambda each: [
            *each[0][:person],
            each[0][person] + each[2] if each[1] else each[2] + each[0][person],
            *each[0][person + 1 :],
        ]
    )
    raw = st.binary(max_size=30).map(lambda each: each.replace(b"\n", b""))
    lines = st.one_of(
        *(right.map(line), right.map(line), changed.map(line), padded.map(line), raw),
        right.map(lambda cells: line(cells) + b"\r"),
        right.map(lambda cells: line([f'"{cell}"' for cell in cells])),
        st.lists(anything, max_size=9).map(line),
        st.just(b"," * (len(columns) - 1)),
        st.just(b"x" * (LINE_BYTES_MAX + 1)),
        st.tuples(right.map(line), raw).map(lambda each: each[1].join([each[0], each[0]])),
    )
    return columns, draw(st.lists(st.lists(lines, max_size=12), max_size=4)), encoding


def alone(reader: RowReader, line: Line) -> Row | list[Fault] | None:
    """Read a line by itself; None for a blank one."""
    if not line.content.strip() and not line.is_too_long:
        return None
    return reader.read(line)


@given(blocks(), st.sampled_from(sorted(CLASSES)))
@example(
    (SHORT, [[b"\xe4", b"\xb8\xad,,"]], "utf-8"),
    "library_return",
)
@example(
    (
        ["occurred_on", "external_id", "national_id"],
        [[f"2026-05-01,a,{national_id()}".encode() + b" " * LINE_BYTES_MAX]],
        "utf-8",
    ),
    "library_return",
)
# Two lines that have the right number of cells together, but not each.
@example(
    (SHORT, [[f"{GOOD},{national_id()}".encode(), b"a,2026-05-01"]], "utf-8"), "library_return"
)
# A line so long that its last cells are where those of the next should be.
@example((SHORT, [[f"{GOOD},x,{GOOD}".encode(), GOOD.encode()]], "utf-8"), "library_return")
@example((SHORT, [[b" " * (LINE_BYTES_MAX + 1), GOOD.encode()]], "utf-8"), "library_return")
def test_lines_say_among_many_what_they_say_alone(drawn, code):
    columns, contents, encoding = drawn
    layout = Layout(form="csv", encoding=encoding, columns={})
    kind: RecordClass = CLASSES[code]
    many = BlockReader(RowReader(columns, layout=layout, record_class=kind, today=TODAY))
    one = RowReader(columns, layout=layout, record_class=kind, today=TODAY)
    for block in contents:
        file = b"".join(each + b"\n" for each in block)
        rows, rejected = Rows(), []
        for lines in cut_lines([file], first_number=7, offset=3):
            rejected += many.read(lines, rows)
        expected = [
            (line, found)
            for line in split_lines([file], first_number=7, offset=3)
            if (found := alone(one, line)) is not None
        ]
        assert list(rows) == [each for each in expected if isinstance(each[1], Row)]
        assert rejected == [each for each in expected if not isinstance(each[1], Row)]
        assert len({len(column) for column in rows.columns()}) == 1


@pytest.mark.parametrize("encoding", get_args(Encoding))
def test_a_line_feed_is_part_of_no_character_whatever_stands_before_it(encoding: Encoding) -> None:
    """Lines are decoded together, so each must be found again: after any bytes up to a character
    of four that is cut off, in every encoding that is read."""
    every, leads = range(256), range(0x81, 0xFF)
    ends = [
        *map(bytes, product(every, every)),
        *map(bytes, product(leads, range(0x30, 0x3A), leads)),
    ]
    ends += map(bytes, product(range(0xF0, 0xF5), range(0x80, 0xC0), range(0x80, 0xC0)))
    for end in ends:
        if b"\n" not in end:
            assert (end + b"\n,").decode(encoding, errors="replace").endswith("\n,")
            assert (end + b"\n,").decode(encoding, errors="replace").count("\n") == 1


def test_only_a_line_that_needs_it_is_read_alone():
    """Rows must be found by columns too, or the agreement would be about nothing."""
    reader = RowReader(COLUMNS, record_class=CLASSES["library_return"], today=TODAY)
    read_alone: list[Line] = []

    class Counting(RowReader):
        def read(self, line: Line) -> Row | list[Fault]:
            read_alone.append(line)
            return reader.read(line)

    many = BlockReader(Counting(COLUMNS, record_class=CLASSES["library_return"], today=TODAY))
    cells = {"national_id": national_id(1), "external_id": "a", "occurred_on": "2026-05-01"}
    line = ",".join(cells.get(name, "") for name in COLUMNS).encode()
    bad = line.replace(b"2026-05-01", b"2026-15-01")
    rows = Rows()
    (lines,) = cut_lines([b"\n".join([line, bad, line, b""])], first_number=1, offset=0)
    rejected = many.read(lines, rows)
    assert [each.content for each in read_alone] == [bad], "good lines are read by columns"
    assert [number for number, *_ in (line for line, _ in rows)] == [1, 3]
    assert [each.column for _, faults in rejected for each in faults] == ["occurred_on"]
