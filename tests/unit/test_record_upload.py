"""Goal: a file is read the way it says it is written, and its size is counted right.

Method: announcements of every kind against the pure rules; any content in any pieces against what
is known of the whole.
"""

import hashlib
from contextlib import ExitStack
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.kit.problem import Refusal
from backend.record.rules import upload
from backend.record.rules.upload import Layout, Tally, read_layout

CSV = Layout("csv", "utf-8", {})
JSONL = Layout("jsonl", "utf-8", {})


def layout_of(media_type: str, charset: str | None = None, **announced: Any) -> Layout:
    encoding, columns = announced.get("encoding"), announced.get("columns", ())
    return read_layout(media_type, charset, encoding=encoding, columns=columns)


def test_what_is_announced_is_how_the_file_is_read() -> None:
    assert layout_of("text/csv") == CSV
    assert layout_of("Text/CSV", "UTF-8") == CSV
    assert layout_of("text/csv", "GB18030").encoding == "gb18030"
    assert layout_of("text/csv", '"gb18030"').encoding == "gb18030"
    assert layout_of("text/csv", encoding="gb18030").encoding == "gb18030"
    assert layout_of("text/csv", "gb18030", encoding="gb18030").encoding == "gb18030"
    assert layout_of("application/jsonl") == JSONL
    assert layout_of("application/x-ndjson", "utf-8") == JSONL
    named = layout_of("text/csv", columns=["national_id:身份证号码", "external_id: 编号 "])
    assert named.columns == {"national_id": "身份证号码", "external_id": "编号"}


@pytest.mark.parametrize(
    ("media_type", "charset", "encoding"),
    [
        ("application/json", None, None),
        ("", None, None),
        ("text/plain", "utf-8", None),
        ("text/csv", "latin-1", None),
        ("text/csv", "", None),
        ("application/jsonl", "gb18030", None),
    ],
)
def test_what_is_not_read_is_refused(
    media_type: str, charset: str | None, encoding: str | None
) -> None:
    with pytest.raises(Refusal, match="media_type_unsupported"):
        layout_of(media_type, charset, encoding=encoding)


@pytest.mark.parametrize(
    ("media_type", "charset", "encoding"),
    [
        ("text/csv", "utf-8", "gb18030"),
        ("text/csv", "gb18030", "utf-8"),
        ("application/jsonl", None, "gb18030"),
    ],
)
def test_an_encoding_that_contradicts_the_type_is_refused(
    media_type: str, charset: str | None, encoding: str
) -> None:
    with pytest.raises(Refusal, match="parameter_invalid"):
        layout_of(media_type, charset, encoding=encoding)


@pytest.mark.parametrize(
    "columns",
    [
        ["national_id"],
        ["national_id:"],
        ["national_id: "],
        [":x"],
        ["shoe_size:x"],
        ["national_id:a", "national_id:b"],
        ["occurred_on:a", "ended_on:a"],
        ["national_id:" + "x" * 65],
        ["national_id:a\nb"],
    ],
)
def test_a_column_has_one_of_our_names_and_one_header(columns: list[str]) -> None:
    with pytest.raises(Refusal, match="parameter_invalid"):
        layout_of("text/csv", columns=columns)


def test_json_lines_have_our_names() -> None:
    """What would be ignored is refused: the sender thinks it was heard."""
    with pytest.raises(Refusal, match="parameter_invalid"):
        layout_of("application/jsonl", columns=["quantity:amount"])


@given(st.lists(st.binary(min_size=1, max_size=40), max_size=20))
def test_pieces_add_up_to_the_file(pieces: list[bytes]) -> None:
    tally = Tally(CSV)
    for piece in pieces:
        tally.add(piece)
    whole = b"".join(pieces)
    assert (tally.size, tally.digest) == (len(whole), hashlib.sha256(whole).digest())


@given(
    st.lists(st.sampled_from([b"a", b"", b"\x81\x30", b"bc\r"]), max_size=12),
    st.booleans(),
    st.integers(1, 7),
    st.sampled_from([CSV, JSONL]),
)
def test_the_first_line_too_many_is_refused_however_the_pieces_are_cut(
    lines: list[bytes], is_ended: bool, size: int, layout: Layout
) -> None:
    """A line that is not ended is one, unless nothing stands in it; a header is none."""
    content = b"\n".join(lines) + (b"\n" if is_ended and lines else b"")
    counted = len(content.split(b"\n")) - (not content.rpartition(b"\n")[2])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(upload, "UPLOAD_LINES_MAX", 5)
        tally, most = Tally(layout), 5 + (layout.form == "csv")
        with ExitStack() as stack:
            if counted > most:
                stack.enter_context(pytest.raises(Refusal, match="submission_too_long"))
            for place in range(0, len(content), size):
                tally.add(content[place : place + size])
