"""Goal: only catalogued records exist, end when they must, and bad lines are told apart from good.

Method: dates through the arithmetic of life; single lines through the reader of submissions, by
the classes of the shipped catalogue. No IO but the data files.
"""

import hashlib
import struct
from datetime import UTC, date, datetime, timedelta
from importlib.resources import files
from pathlib import Path
from uuid import UUID

import msgspec
import pytest

from backend.kit.problem import Refusal
from backend.record.rules.catalogue import RecordClass, load_catalogue
from backend.record.rules.fault import LINE_BYTES_MAX, MESSAGES, Fault, FaultCode
from backend.record.rules.layout import COLUMNS, parse_header
from backend.record.rules.life import (
    Record,
    RecordVersion,
    add_months,
    counts,
    ends_on_of,
    fingerprint_of,
    months_between,
    stands,
    stood_at,
)
from backend.record.rules.line import Line, split_lines
from backend.record.rules.row import Row, RowReader
from backend.record.rules.submission import check_batch_id
from tests.support.citizen import national_id

DATA = files("backend.record") / "data"
CATALOGUE_TEXT = (DATA / "catalogue-2026.toml").read_text()
SOURCES_TEXT = (DATA / "sources-2026.toml").read_text()
CATALOGUE = load_catalogue(CATALOGUE_TEXT, SOURCES_TEXT)
TODAY = date(2026, 11, 20)
REPORTED_AT = datetime(2026, 1, 1, tzinfo=UTC)
ADULT = "99900119900307203X"  # born 1990-03-07; no area has the code 999001


def record_of(code: str, occurred_on: date, ended_on: date | None = None) -> Record:
    """Return a record with the end that its class gives it."""
    ends_on = ends_on_of(CATALOGUE.classes[code], occurred_on=occurred_on, ended_on=ended_on)
    return Record(
        *(UUID(int=9), UUID(int=1), code, "s", "x", 1, 1, occurred_on, ended_on, ends_on),
        *(REPORTED_AT, None, None, 0),
    )


class TestLife:
    @pytest.mark.parametrize(
        ("day", "months", "expected"),
        [
            (date(2026, 1, 31), 1, date(2026, 2, 28)),
            (date(2024, 1, 31), 1, date(2024, 2, 29)),
            (date(2026, 11, 20), 2, date(2027, 1, 20)),
            (date(2026, 1, 15), -1, date(2025, 12, 15)),
            (date(2026, 3, 31), -1, date(2026, 2, 28)),
            (date(9999, 12, 1), 1, date.max),
        ],
    )
    def test_months_are_added_on_the_calendar(self, day, months, expected):
        assert add_months(day, months) == expected

    def test_only_whole_months_are_counted(self):
        assert months_between(date(2026, 1, 31), date(2026, 2, 28)) == 1
        assert months_between(date(2026, 1, 15), date(2026, 2, 14)) == 0
        assert months_between(date(2026, 2, 14), date(2026, 1, 15)) == 0
        assert months_between(date(2025, 11, 20), date(2026, 11, 20)) == 12

    def test_an_adverse_item_ends_with_its_longest_publication(self):
        serious = CATALOGUE.classes["penalty_serious"]
        until = ends_on_of(serious, occurred_on=date(2026, 5, 31), ended_on=None)
        assert until == date(2029, 5, 31)

    def test_five_years_after_the_conduct_end_first_when_the_decision_came_late(self):
        serious = CATALOGUE.classes["penalty_serious"]
        until = ends_on_of(serious, occurred_on=date(2026, 5, 31), ended_on=date(2022, 6, 1))
        assert until == date(2027, 6, 1)

    def test_an_adverse_item_counts_until_the_day_it_ends_and_not_on_it(self):
        late = record_of("library_overdue", date(2026, 8, 20))
        assert late.ends_on == date(2026, 11, 20)
        assert counts(late, date(2026, 11, 19))
        assert not counts(late, date(2026, 11, 20))

    def test_what_has_not_happened_yet_does_not_count(self):
        assert not counts(record_of("library_return", date(2026, 11, 21)), TODAY)

    def test_a_registration_that_goes_on_has_no_end_and_an_ended_one_has(self):
        assert record_of("professional_licence", date(2010, 1, 1)).ends_on is None
        ended = record_of("professional_licence", date(2010, 1, 1), date(2020, 1, 1))
        assert ended.ends_on == date(2030, 1, 1)

    def test_what_is_done_is_kept_from_the_day_it_happened_and_counts_that_long(self):
        book = record_of("library_return", date(2026, 1, 1))
        assert book.ends_on == date(2029, 1, 1)
        assert counts(book, date(2028, 12, 31))
        assert not counts(book, date(2029, 1, 1))

    @pytest.mark.parametrize("held_back", ["disputed_at", "repaired_at"])
    def test_what_is_disputed_or_repaired_does_not_count(self, held_back):
        record = record_of("library_return", date(2026, 1, 1))
        assert stands(record)
        assert counts(record, TODAY)
        other = msgspec.structs.replace(record, **{held_back: REPORTED_AT})
        assert not stands(other)
        assert not counts(other, TODAY)

    def test_what_stood_at_a_moment_can_be_told_afterwards(self):
        record = record_of("library_return", date(2025, 1, 1))
        days = [REPORTED_AT + timedelta(days=day) for day in range(3)]
        version = RecordVersion(
            **msgspec.structs.asdict(record), action="report", superseded_at=days[2]
        )
        assert [stood_at(version, each) for each in days] == [True, True, False]
        assert not stood_at(version, REPORTED_AT - timedelta(microseconds=1))
        disputed = msgspec.structs.replace(version, disputed_at=days[1])
        assert [stood_at(disputed, each) for each in days] == [True, False, False]

    def test_a_fingerprint_is_worked_out_from_the_content_alone(self):
        content = {
            "class_code": "library_return",
            "source_code": "city_library",
            "external_id": "借-1",
            "version": 2,
            "quantity": 3,
            "occurred_on": date(1970, 1, 3),
            "ended_on": None,
            "ends_on": date(1969, 12, 31),
        }
        digest = hashlib.sha256("library_return|city_library|借-1|2|3|2||-1".encode()).digest()
        assert fingerprint_of(**content) == struct.unpack(">q", digest[:8])[0]
        assert fingerprint_of(**content) != fingerprint_of(**{**content, "quantity": 4})


HEADER = ("national_id", "external_id", "version", "occurred_on", "ended_on", "quantity")


def reader(code: str = "library_return") -> RowReader:
    """Return a reader for lines with all columns."""
    return RowReader(HEADER, record_class=CATALOGUE.classes[code], today=TODAY)


def read(text: str | bytes, code: str = "library_return") -> Row | list[tuple[str, str]]:
    """Read one line; return the row or (column, code) of every fault."""
    content = text.encode() if isinstance(text, str) else text
    found = reader(code).read(Line(7, 0, content, is_too_long=False))
    return found if isinstance(found, Row) else [(each.column, each.code) for each in found]


class TestLine:
    def test_a_good_line_becomes_a_row(self):
        assert read(f"{ADULT},lib-1,2,2026-05-01,2026-05-20,3") == Row(
            *(7, ADULT, "lib-1", 2, 3, date(2026, 5, 1), date(2026, 5, 20)),
            *(date(2029, 5, 20), "report"),
        )

    def test_what_may_be_left_out_has_a_plain_meaning(self):
        row = read(f"{ADULT},lib-1,,2026-05-01,,")
        assert isinstance(row, Row)
        assert (row.version, row.quantity, row.ended_on) == (1, 1, None)

    def test_quoted_cells_are_read(self):
        row = read(f'{ADULT},"lib-1","1","2026-05-01",,"3"')
        assert isinstance(row, Row)
        assert row.external_id == "lib-1"

    def test_docket_numbers_in_chinese_are_numbers_of_the_source(self):
        row = read(f"{ADULT},（2026）沪0101执123号,1,2026-05-01,,1", "court_enforcement")
        assert isinstance(row, Row)

    @pytest.mark.parametrize(
        ("line", "faults"),
        [
            ("", [("", "columns_too_few")]),
            (f"{ADULT},lib-1,1,2026-05-01,", [("", "columns_too_few")]),
            (f"{ADULT},lib-1,1,2026-05-01,,1" + "," * 50, [("", "columns_too_many")]),
            (f'{ADULT},"lib-1,1,2026-05-01,,1', [("", "quote_unbalanced")]),
            (f'{ADULT},"lib"-1,1,2026-05-01,,1', [("", "quote_unbalanced")]),
            (f"{ADULT},lib\x00,1,2026-05-01,,1", [("", "character_forbidden")]),
            (f"{ADULT},lib\u202e1,1,2026-05-01,,1", [("", "character_forbidden")]),
            (f"{ADULT},lib-1,1,2026-05-01,\t,1", [("", "character_forbidden")]),
            (",lib-1,1,2026-05-01,,1", [("national_id", "field_missing")]),
            ("12345,lib-1,1,2026-05-01,,1", [("national_id", "national_id_form")]),
            (ADULT[:17] + "1,lib-1,1,2026-05-01,,1", [("national_id", "national_id_check")]),
            ("999001199002302032,lib-1,1,2026-05-01,,1", [("national_id", "national_id_date")]),
            (f"{ADULT},,1,2026-05-01,,1", [("external_id", "field_missing")]),
            (f"{ADULT},{'x' * 65},1,2026-05-01,,1", [("external_id", "external_id_format")]),
            (f"{ADULT},lib-1 ,1,2026-05-01,,1", [("external_id", "external_id_format")]),
            (f"{ADULT},{'x' * 257},1,2026-05-01,,1", [("external_id", "field_too_long")]),
            (f"{ADULT},=1+1,1,2026-05-01,,1", [("external_id", "formula_like")]),
            (f"{ADULT},@SUM(A1),1,2026-05-01,,1", [("external_id", "formula_like")]),
            (f"{ADULT},x-{ADULT},1,2026-05-01,,1", [("external_id", "external_id_personal")]),
            (f"{ADULT},tel 13912345678,1,2026-05-01,,1", [("external_id", "external_id_personal")]),
            (f"{ADULT},lib-1,0,2026-05-01,,1", [("version", "version_range")]),
            (f"{ADULT},lib-1,20260501001,2026-05-01,,1", [("version", "version_range")]),
            (f"{ADULT},lib-1,v2,2026-05-01,,1", [("version", "number_format")]),
            (f"{ADULT},lib-1,１,2026-05-01,,1", [("version", "number_format")]),
            (f"{ADULT},lib-1,1,,,1", [("occurred_on", "field_missing")]),
            (f"{ADULT},lib-1,1,2026-02-30,,1", [("occurred_on", "date_format")]),
            (f"{ADULT},lib-1,1,20260501,,1", [("occurred_on", "date_format")]),
            (f"{ADULT},lib-1,1,2999-01-01,,1", [("occurred_on", "date_future")]),
            (f"{ADULT},lib-1,1,2026-11-21,,1", [("occurred_on", "date_future")]),
            (f"{ADULT},lib-1,1,1990-03-06,,1", [("occurred_on", "date_before_birth")]),
            (f"{ADULT},lib-1,1,2026-05-01,2026-04-30,1", [("ended_on", "ended_before_start")]),
            (f"{ADULT},lib-1,1,2026-05-01,2027-01-01,1", [("ended_on", "date_future")]),
            (f"{ADULT},lib-1,1,2026-05-01,,-3", [("quantity", "quantity_negative")]),
            (f"{ADULT},lib-1,1,2026-05-01,,0", [("quantity", "quantity_zero")]),
            (f"{ADULT},lib-1,1,2026-05-01,,201", [("quantity", "quantity_too_large")]),
            (f"{ADULT},lib-1,1,2026-05-01,,{'9' * 256}", [("quantity", "quantity_too_large")]),
            (f"{ADULT},lib-1,1,2026-05-01,,2.5", [("quantity", "number_format")]),
            (f"{ADULT},lib-1,1,2026-05-01,,-x", [("quantity", "formula_like")]),
        ],
    )
    def test_a_bad_line_is_told_by_column_and_code(self, line, faults):
        assert read(line) == faults

    def test_broken_utf8_spoils_its_own_line_only(self):
        broken = f"{ADULT},lib-".encode() + b"\xff\xfe,1,2026-05-01,,1"
        assert read(broken) == [("", "encoding_broken")]

    def test_every_fault_of_a_line_is_told(self):
        found = read("12345,=x,v,soon,,-1")
        assert isinstance(found, list)
        assert [column for column, _ in found] == [
            *("national_id", "external_id", "version", "occurred_on", "quantity"),
        ]

    def test_conduct_held_against_somebody_may_have_ended_before_the_decision(self):
        assert isinstance(read(f"{ADULT},d-1,1,2026-05-01,2024-01-01,1", "penalty_serious"), Row)

    def test_nothing_is_taken_about_who_is_not_yet_of_age(self):
        """Product line 2: eighteen or older only; the birthday itself counts."""
        young, just_of_age = (national_id(1, date(2008, 11, day)) for day in (21, 20))
        assert read(f"{young},lib-1,1,2026-05-01,,1") == [("national_id", "person_under_age")]
        assert isinstance(read(f"{just_of_age},lib-1,1,2026-05-01,,1"), Row)

    @pytest.mark.parametrize(
        ("decided_on", "ended_on", "is_taken"),
        [
            ("2025-03-07", "", True),  # decided on the eighteenth birthday
            ("2025-03-06", "", False),
            ("2026-05-01", "2025-03-07", True),
            ("2026-05-01", "2025-03-06", False),  # decided later, done as a minor
        ],
    )
    def test_what_a_minor_did_is_held_against_nobody(self, decided_on, ended_on, is_taken):
        person = national_id(1, date(2007, 3, 7))
        found = read(f"{person},d-1,1,{decided_on},{ended_on},1", "penalty_serious")
        if is_taken:
            assert isinstance(found, Row)
        else:
            assert found == [("occurred_on", "conduct_under_age")]

    def test_the_good_that_a_minor_did_counts_once_of_age(self):
        person = national_id(1, date(2006, 3, 7))
        assert isinstance(read(f"{person},lib-1,1,2023-12-01,,1"), Row)

    def test_a_person_remembered_is_judged_like_a_person_met(self):
        one = reader()
        first = one.read(Line(2, 0, f"{ADULT},a,1,2026-05-01,,1".encode(), is_too_long=False))
        second = one.read(Line(3, 0, f"{ADULT},b,1,1980-05-01,,1".encode(), is_too_long=False))
        assert isinstance(first, Row)
        assert second == [Fault(3, "occurred_on", FaultCode.DATE_BEFORE_BIRTH)]

    def test_every_fault_code_has_words_that_repeat_nothing(self):
        assert set(MESSAGES) == set(FaultCode)


class TestStream:
    def test_lines_end_with_lf_or_crlf_and_the_last_one_may_not(self):
        lines = list(split_lines([b"a\r\nbb\n", b"cc"], first_number=1, offset=0))
        assert lines == [
            Line(1, 3, b"a", is_too_long=False),
            Line(2, 6, b"bb", is_too_long=False),
            Line(3, 8, b"cc", is_too_long=False),
        ]

    def test_a_line_may_come_in_many_blocks(self):
        blocks = [b"a", b"b", b"\r", b"\n", b"c\n"]
        contents = [line.content for line in split_lines(blocks, first_number=1, offset=0)]
        assert contents == [b"ab", b"c"]

    def test_an_endless_line_is_never_held_and_the_next_one_is_read(self):
        def blocks():
            for _ in range(2_000):
                yield b"x" * 65_536  # 131 MB in one line
            yield b"\ngood\n"

        long, good = split_lines(blocks(), first_number=5, offset=100)
        assert (long.number, long.is_too_long, len(long.content)) == (5, True, LINE_BYTES_MAX)
        assert long.end == 100 + 2_000 * 65_536 + 1
        assert good == Line(6, long.end + 5, b"good", is_too_long=False)

    @pytest.mark.parametrize("extra", [-1, 0, 1])
    def test_the_longest_line_is_measured_without_its_end(self, extra):
        content = b"x" * (LINE_BYTES_MAX + extra)
        (line,) = split_lines([content + b"\r\n"], first_number=1, offset=0)
        assert line.is_too_long == (extra > 0)

    def test_a_header_is_read_with_a_byte_order_mark_and_in_any_order(self):
        line = Line(1, 0, b"\xef\xbb\xbfoccurred_on,national_id,external_id", is_too_long=False)
        assert parse_header(line) == ("occurred_on", "national_id", "external_id")

    @pytest.mark.parametrize(
        ("header", "facts"),
        [
            (b"national_id,occurred_on", {"missing": ["external_id"]}),
            (b"national_id,external_id,occurred_on,name", {"unknown": 1}),
            (b"national_id,external_id,occurred_on,occurred_on", {"repeated": ["occurred_on"]}),
            (ADULT.encode() + b",lib-1,2026-05-01", {"unknown": 3}),
        ],
    )
    def test_a_wrong_header_is_refused_without_repeating_it(self, header, facts):
        with pytest.raises(Refusal) as caught:
            parse_header(Line(1, 0, header, is_too_long=False))
        assert caught.value.code == "submission_header_invalid"
        assert facts.items() <= caught.value.facts.items()
        assert ADULT not in repr(caught.value.facts)

    def test_an_empty_file_has_no_header(self):
        with pytest.raises(Refusal, match="submission_header_invalid"):
            parse_header(None)

    @pytest.mark.parametrize("batch_id", ["", "-x", "a b", "x" * 101, "批次"])
    def test_a_batch_id_is_short_and_plain(self, batch_id):
        with pytest.raises(Refusal, match="submission_batch_id_invalid"):
            check_batch_id(batch_id)


def test_a_class_is_judged_by_its_own_limit_of_quantity():
    most = CATALOGUE.classes["transit_ride_paid"].value.max
    assert isinstance(read(f"{ADULT},t-1,1,2026-05-01,,{most}", "transit_ride_paid"), Row)
    assert isinstance(CATALOGUE.classes["transit_ride_paid"], RecordClass)


def test_the_guide_for_departments_names_every_column_and_every_code():
    guide = (Path(__file__).parents[2] / "docs" / "submissions.md").read_text()
    rows = {line.split("`")[1]: line for line in guide.splitlines() if line.startswith("| `")}
    assert rows.keys() == set(COLUMNS) | {code.value for code in FaultCode}
    for code, message in MESSAGES.items():
        assert message in rows[code], code
    assert ",".join(HEADER) in guide
