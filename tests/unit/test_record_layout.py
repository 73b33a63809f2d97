"""Goal: a file is read the way it is written: encodings, own headers, JSON lines, actions.

Method: single lines and headers through the pure reader, by the classes of the shipped catalogue.
"""

import json
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import msgspec
import pytest

from backend.kit.problem import Refusal
from backend.record.rules.catalogue import load_catalogue
from backend.record.rules.layout import COLUMNS, PLAIN, Layout, parse_header, with_known_columns
from backend.record.rules.line import Line
from backend.record.rules.row import Row, RowReader
from backend.record.rules.submission import Submission, read_file
from backend.record.service import packaged_texts
from tests.support.citizen import national_id

CATALOGUE = load_catalogue(*packaged_texts())
TODAY = date(2026, 11, 20)
PERSON = national_id(1)
JSONL = Layout(form="jsonl", encoding="utf-8", columns={})
CHINESE = Layout(
    form="csv",
    encoding="gb18030",
    columns={"national_id": "身份证号码", "external_id": "流水号", "occurred_on": "归还日期"},
)


def read(content: bytes, layout: Layout = JSONL, code: str = "library_return", number: int = 7):
    """Read one line; return the row or (column, code) of every fault."""
    reader = RowReader(COLUMNS, layout=layout, record_class=CATALOGUE.classes[code], today=TODAY)
    found = reader.read(Line(number, 0, content, is_too_long=False))
    return found if isinstance(found, Row) else [(each.column, each.code) for each in found]


def member(**changes: Any) -> bytes:
    """Return a good JSON line with some members changed."""
    good = {"national_id": PERSON, "external_id": "lib-1", "occurred_on": "2026-05-01"}
    return json.dumps({**good, **changes}).encode()


class TestHeader:
    def test_a_source_s_own_headers_are_understood_in_its_encoding(self):
        header = "归还日期,流水号,身份证号码,version".encode("gb18030")
        assert parse_header(Line(1, 0, header, is_too_long=False), CHINESE) == (
            *("occurred_on", "external_id", "national_id", "version"),
        )

    def test_our_own_names_are_always_understood(self):
        header = b"national_id,external_id,occurred_on,action"
        assert parse_header(Line(1, 0, header, is_too_long=False), CHINESE)[3] == "action"

    def test_a_header_may_hold_a_comma_in_quotation_marks(self):
        layout = msgspec.structs.replace(PLAIN, columns={"quantity": "amount, items"})
        header = b'national_id,external_id,occurred_on,"amount, items"'
        assert parse_header(Line(1, 0, header, is_too_long=False), layout)[3] == "quantity"

    def test_a_column_named_twice_by_two_names_is_refused(self):
        header = "身份证号码,national_id,流水号,归还日期".encode("gb18030")
        with pytest.raises(Refusal) as caught:
            parse_header(Line(1, 0, header, is_too_long=False), CHINESE)
        assert caught.value.facts["repeated"] == ["national_id"]

    def test_a_name_of_ours_means_what_the_file_says_it_means(self):
        layout = msgspec.structs.replace(PLAIN, columns={"version": "quantity"})
        header = b"national_id,external_id,occurred_on,quantity"
        assert parse_header(Line(1, 0, header, is_too_long=False), layout)[3] == "version"

    def test_what_the_sender_says_goes_before_what_is_known_of_the_source(self):
        known = {"national_id": "证件号", "quantity": "册数"}
        merged = with_known_columns(CHINESE, known)
        assert merged.columns == {**CHINESE.columns, "quantity": "册数"}
        assert with_known_columns(JSONL, known) == JSONL

    def test_a_header_the_sender_has_named_is_nothing_else_that_is_known(self):
        said = msgspec.structs.replace(PLAIN, columns={"ended_on": "日期"})
        known = {"ended_on": "归还日期", "occurred_on": "日期"}
        merged = with_known_columns(said, known)
        assert merged.columns == {"ended_on": "日期"}
        header = "national_id,external_id,occurred_on,日期".encode()
        assert parse_header(Line(1, 0, header, is_too_long=False), merged)[3] == "ended_on"

    def test_a_layout_survives_the_database(self):
        assert msgspec.convert(msgspec.to_builtins(CHINESE), Layout) == CHINESE


class TestGb18030:
    def test_docket_numbers_of_rare_characters_are_read(self):
        number = "（2026）沪㐂𠮷-1"
        line = f"{PERSON},{number},1,,2026-05-01,,1".encode("gb18030")
        row = read(line, CHINESE)
        assert isinstance(row, Row)
        assert row.external_id == number

    @pytest.mark.parametrize("broken", [b"\xff", b"\x81", b"\x81\x20", b"\x84\x31\xa4"])
    def test_broken_bytes_spoil_their_own_line(self, broken):
        line = f"{PERSON},lib-".encode() + broken + b",1,,2026-05-01,,1"
        assert read(line, CHINESE) == [("", "encoding_broken")]

    def test_utf8_is_not_taken_for_gb18030(self):
        line = f"{PERSON},借-1,1,,2026-05-01,,1".encode()
        assert not isinstance(read(line, CHINESE), Row)


class TestJson:
    def test_a_good_object_becomes_a_row(self):
        line = member(version=2, quantity=3, ended_on="2026-05-20", action="withdraw")
        assert read(line) == Row(
            *(7, PERSON, "lib-1", 2, 3, date(2026, 5, 1), date(2026, 5, 20)),
            *(date(2029, 5, 20), "withdraw"),
        )

    def test_what_is_optional_may_be_left_out_or_null(self):
        plain, null = read(member()), read(member(version=None, quantity=None, ended_on=None))
        assert isinstance(plain, Row)
        assert plain == null
        assert isinstance(read(b"\xef\xbb\xbf" + member(), number=1), Row), "a byte order mark"

    @pytest.mark.parametrize(
        ("line", "faults"),
        [
            (b"[]", [("", "json_broken")]),
            (b"1", [("", "json_broken")]),
            (b"null", [("", "json_broken")]),
            (b"{", [("", "json_broken")]),
            (b"[" * 8_000, [("", "json_broken")]),
            (b'{"a":' * 1_600, [("", "json_broken")]),
            (member()[:-1] + b"} {}", [("", "json_broken")]),
            (b"\xff", [("", "encoding_broken")]),
            (member(name="x"), [("", "member_unknown")]),
            (member()[:-1] + b', "external_id": "b"}', [("external_id", "member_repeated")]),
            (member(external_id=42), [("external_id", "value_type")]),
            (member(external_id=True), [("external_id", "value_type")]),
            (member(external_id={"a": 1}), [("external_id", "value_type")]),
            (member(external_id=["a"]), [("external_id", "value_type")]),
            (member(version="2"), [("version", "value_type")]),
            (member(quantity=2.0), [("quantity", "value_type")]),
            (member(quantity=True), [("quantity", "value_type")]),
            (member(quantity=float("nan")), [("quantity", "value_type")]),
            (member()[:-1] + b', "quantity": 1e400}', [("quantity", "value_type")]),
            (
                member()[:-1] + b', "quantity": ' + b"9" * 5_000 + b"}",
                [("quantity", "field_too_long")],
            ),
            (member(quantity=10**12), [("quantity", "quantity_too_large")]),
            (member(quantity=-1), [("quantity", "quantity_negative")]),
            (member(quantity=0), [("quantity", "quantity_zero")]),
            (member(external_id="a\u0000b"), [("external_id", "character_forbidden")]),
            (member(external_id="\ud800"), [("external_id", "character_forbidden")]),
            (member(external_id="=1+1"), [("external_id", "formula_like")]),
            (member(national_id=None), [("national_id", "field_missing")]),
            (
                b"{}",
                [
                    (name, "field_missing")
                    for name in (*("national_id", "external_id", "occurred_on"),)
                ],
            ),
        ],
    )
    def test_a_bad_object_is_told_by_member_and_code(self, line, faults):
        assert read(line) == faults


class TestAction:
    @pytest.mark.parametrize("action", ["", "report", "withdraw"])
    def test_every_class_may_be_reported_and_withdrawn(self, action):
        row = read(f"{PERSON},lib-1,1,{action},2026-05-01,,1".encode(), PLAIN)
        assert isinstance(row, Row)
        assert row.action == (action or "report")

    def test_only_what_is_adverse_can_be_repaired(self):
        line = f"{PERSON},d-1,2,repair,2026-10-01,,1".encode()
        assert read(line, PLAIN) == [("action", "repair_not_adverse")]
        row = read(line, PLAIN, "penalty_general")
        assert isinstance(row, Row)
        assert row.action == "repair"

    @pytest.mark.parametrize("action", ["delete", "Report", "撤回"])
    def test_there_is_no_other_action(self, action):
        line = f"{PERSON},lib-1,1,{action},2026-05-01,,1".encode()
        assert read(line, PLAIN) == [("action", "action_unknown")]


class TestEnded:
    @pytest.mark.parametrize(
        ("code", "occurred_on", "is_taken"),
        [
            ("library_overdue", "2026-08-21", True),
            ("library_overdue", "2026-08-20", False),  # published for three months, to yesterday
            ("library_return", "2023-11-21", True),
            ("library_return", "2023-11-20", False),
            ("professional_licence", "2009-03-07", True),  # goes on until its end is reported
        ],
    )
    def test_what_has_ended_does_not_come_back(self, code, occurred_on, is_taken):
        found = read(f"{PERSON},x-1,1,,{occurred_on},,1".encode(), PLAIN, code)
        assert isinstance(found, Row) if is_taken else found == [("occurred_on", "record_ended")]


def submission(**changes: Any) -> Submission:
    """Return a submission that has just begun."""
    zero = dict.fromkeys(
        (
            *("accepted", "rejected", "duplicates", "corrections", "withdrawals", "repairs"),
            *("incomplete", "timed", "late", "bytes_done", "lines_done"),
        ),
        0,
    )
    facts = {
        "submission_id": UUID(int=1),
        "source_code": "city_library",
        "class_code": "library_return",
        "batch_id": "b",
        "content_digest": b"",
        "received_at": datetime(2026, 11, 20, 2, tzinfo=UTC),
        "completed_at": None,
    }
    return Submission(**{**facts, **zero, **changes})


@pytest.mark.parametrize("layout", [PLAIN, JSONL])
def test_a_file_is_read_on_from_where_its_submission_stands(layout: Layout):
    good = [
        member(external_id=f"n-{n}")
        if layout.form == "jsonl"
        else f"{PERSON},n-{n},1,,2026-05-01,,1".encode()
        for n in range(5)
    ]
    header = [] if layout.form == "jsonl" else [",".join(COLUMNS).encode()]
    content = b"\n".join([*header, *good]) + b"\n"

    def read_on(stands: Submission) -> list[tuple[int, int, list[int]]]:
        chunks = read_file(
            lambda begin: [content[begin:]],
            stands,
            layout=layout,
            record_class=CATALOGUE.classes["library_return"],
            lines_max=2,
        )
        return [
            (each.begin, each.end, [row.line_number for _, row in each.rows]) for each in chunks
        ]

    whole = read_on(submission())
    first = len(header) + 1
    assert [numbers for *_, numbers in whole] == [
        *([first, first + 1], [first + 2, first + 3], [first + 4]),
    ]
    assert whole[-1][1] == len(content)
    assert read_on(submission(bytes_done=whole[0][1], lines_done=2)) == whole[1:]
