"""Goal: the demo city is the same bytes every time, its people are nobody, its files are real.

Method: the generator writes into a directory; its files are read with the same rules that read a
department's. No database.
"""

import csv
import hashlib
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from pathlib import Path
from uuid import UUID

import pytest

from backend.citizen import rules as citizen_rules
from backend.cli.city.department import make_entries
from backend.cli.city.handin import City, FileOfCity, find_city, read_people, write_city
from backend.cli.city.people import make_people
from backend.record.rules.layout import COLUMNS, with_known_columns
from backend.record.rules.life import Record, ends_on_of
from backend.record.rules.row import Row
from backend.record.rules.submission import Chunk, Submission, read_file
from backend.record.service import packaged_catalogue
from backend.score.rules.engine import score_records
from backend.score.rules.state import facts_of
from tests.property.score_worlds import REPORTED_AT, SHIPPED

AS_OF = date(2026, 11, 20)
CITIZENS = 400
CLASSES = packaged_catalogue().classes
SOURCES = packaged_catalogue().sources
COUNTS = (
    *("accepted", "rejected", "duplicates", "corrections", "withdrawals", "repairs"),
    *("incomplete", "timed", "late", "bytes_done", "lines_done"),
)


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a small city."""
    path = tmp_path_factory.mktemp("city")
    write_city(path, citizens=CITIZENS, seed=1, as_of=AS_OF)
    return path


@pytest.fixture(scope="module")
def city(directory: Path) -> City:
    """The small city."""
    found = find_city(directory)
    assert found is not None
    return found


def fingerprint(path: Path) -> dict[str, str]:
    """Return the digest of every file of a city."""
    return {
        str(each.relative_to(path)): hashlib.sha256(each.read_bytes()).hexdigest()
        for each in sorted(path.rglob("*"))
        if each.is_file()
    }


def read_lines(directory: Path, file: FileOfCity) -> Iterator[Chunk]:
    """Read a file as a submission is: with its layout and what is known of its source."""
    layout = with_known_columns(file.layout, SOURCES[file.source].columns_of(file.class_code))
    opened = Submission(
        submission_id=UUID(int=0),
        source_code=file.source,
        class_code=file.class_code,
        batch_id="b",
        content_digest=b"",
        **dict.fromkeys(COUNTS, 0),
        received_at=datetime.combine(AS_OF, time(2), UTC),
        completed_at=None,
    )
    content = (directory / file.path).read_bytes()
    return read_file(
        lambda begin: [content[begin:]],
        opened,
        layout=layout,
        record_class=CLASSES[file.class_code],
    )


@pytest.fixture(scope="module")
def rows(directory: Path, city: City) -> list[tuple[FileOfCity, Row]]:
    """The good lines of all files, in the order they are handed in."""
    return [
        (file, row)
        for file in city.files
        for chunk in read_lines(directory, file)
        for _, row in chunk.rows
    ]


@pytest.fixture(scope="module")
def versions_by_number(rows: list[tuple[FileOfCity, Row]]) -> dict[tuple[str, str], list[Row]]:
    """The good lines by source and number, in the order they are handed in."""
    found: dict[tuple[str, str], list[Row]] = {}
    for file, row in rows:
        found.setdefault((file.source, row.external_id), []).append(row)
    return found


@pytest.fixture(scope="module")
def rows_by_person(
    rows: list[tuple[FileOfCity, Row]], directory: Path
) -> dict[str, list[tuple[str, Row]]]:
    """What stands in the end about each person of the list, each with its class."""
    highest: dict[tuple[str, str], tuple[str, Row]] = {}
    for file, row in rows:
        number = (file.source, row.external_id)
        if number not in highest or row.version > highest[number][1].version:
            highest[number] = (file.class_code, row)
    found: dict[str, list[tuple[str, Row]]] = {id_: [] for _, id_, _ in read_people(directory)}
    for class_code, row in highest.values():
        if row.action == "report":
            found[row.national_id].append((class_code, row))
    return found


def test_the_same_seed_size_and_day_give_the_same_bytes(directory: Path, tmp_path: Path):
    write_city(tmp_path, citizens=CITIZENS, seed=1, as_of=AS_OF)
    assert fingerprint(tmp_path) == fingerprint(directory)


@pytest.mark.parametrize(("seed", "as_of"), [(2, AS_OF), (1, date(2026, 11, 21))])
def test_another_seed_or_day_gives_another_city(directory: Path, tmp_path: Path, seed, as_of):
    write_city(tmp_path, citizens=CITIZENS, seed=seed, as_of=as_of)
    assert fingerprint(tmp_path) != fingerprint(directory)


def test_a_person_is_the_same_in_a_city_of_any_size():
    small = list(make_people(citizens=20, seed=1, as_of=AS_OF))
    large = list(make_people(citizens=60, seed=1, as_of=AS_OF))
    assert large[:20] == small
    few = list(make_entries(small, seed=1, as_of=AS_OF))
    many = list(make_entries(large, seed=1, as_of=AS_OF))
    assert many[: len(few)] == few


def test_people_can_be_let_in_by_the_citizen_room_and_are_nobody(directory: Path):
    people = read_people(directory)
    assert len(people) == len({number for _, number, _ in people}) == CITIZENS
    assert len({phone for _, _, phone in people}) == CITIZENS
    for name, number, phone in people:
        assert citizen_rules.parse_name(name) == name
        assert citizen_rules.parse_phone(phone) == phone
        assert citizen_rules.parse_national_id(number, today=AS_OF).number == number
        assert number.startswith("999"), "an area that was never issued"


def test_three_people_are_named_and_only_they(directory: Path):
    names = [name for name, _, _ in read_people(directory)]
    assert names[:3] == ["林晓", "周平", "陈晨"]
    assert not {"林晓", "周平", "陈晨"} & set(names[3:])


def test_only_the_minor_is_under_age(directory: Path):
    young = [
        name
        for name, number, _ in read_people(directory)
        if citizen_rules.age_on(date.fromisoformat(number[6:14]), AS_OF) < 18
    ]
    assert young == ["陈晨"]


def test_each_source_may_report_what_it_hands_in_a_file_a_period(city: City):
    catalogue = packaged_catalogue()
    assert len({file.path for file in city.files}) == len(city.files)
    assert len({(file.source, city.batch_id(file)) for file in city.files}) == len(city.files)
    for file in city.files:
        source, record_class = SOURCES[file.source], CLASSES[file.class_code]
        assert catalogue.may_report(source, record_class)
    assert [file.period for file in city.files] == sorted(
        (file.period for file in city.files), key=("history", "2026-10", "2026-11").index
    ), "the oldest first"


def test_a_city_of_usual_size_has_records_of_every_class_and_disputes(tmp_path: Path):
    city = write_city(tmp_path, citizens=5000, seed=1, as_of=AS_OF)
    assert {file.class_code for file in city.files} == set(CLASSES)
    assert len(city.disputed) == 3


def test_departments_export_in_their_own_ways(directory: Path, city: City):
    forms = {(file.form, file.encoding) for file in city.files}
    assert forms == {("csv", "utf-8"), ("csv", "gb18030"), ("jsonl", "utf-8")}
    own = next(file for file in city.files if file.encoding == "gb18030")
    content = (directory / own.path).read_bytes()
    header = content.split(b"\r\n")[0].decode("gb18030").split(",")
    assert not {*header} & {*COLUMNS}, "its headers are its own"
    [*chunks] = read_lines(directory, own)
    assert sum(len(chunk.rows) for chunk in chunks) > 0.98 * own.lines


def test_what_goes_wrong_at_a_desk_is_put_right(versions_by_number):
    shapes = {
        (tuple(row.version for row in found), tuple(row.action for row in found))
        for found in versions_by_number.values()
    }
    report, again = ("report",), ("report", "report")
    assert ((1,), report) in shapes
    assert ((1, 2), again) in shapes, "a correction"
    assert ((1, 3, 2), ("report", "report", "report")) in shapes, "a lower version came late"
    assert ((1, 2), ("report", "withdraw")) in shapes
    assert ((1, 2), ("report", "repair")) in shapes
    assert ((1, 1), again) in shapes, "handed in twice"
    moved = [
        found for found in versions_by_number.values() if len({r.national_id for r in found}) > 1
    ]
    assert 1 <= len(moved) < 0.01 * len(versions_by_number)


def test_a_line_handed_in_twice_is_the_same_and_what_is_corrected_is_not(versions_by_number):
    for found in versions_by_number.values():
        contents = {row.version: [] for row in found}
        for row in found:
            contents[row.version].append(row._replace(line_number=0))
        assert all(len({*same}) == 1 for same in contents.values())
        first, last = (contents[version][0] for version in (min(contents), max(contents)))
        assert first is last or first._replace(version=last.version) != last


def test_nothing_goes_wrong_about_the_people_the_demo_plays(versions_by_number, directory: Path):
    played = {number for _, number, _ in read_people(directory)[:3]}
    for found in versions_by_number.values():
        if played & {row.national_id for row in found}:
            assert [row.version for row in found] == [1]


def test_disputed_is_what_stands_against_somebody(city: City, versions_by_number, directory: Path):
    people = read_people(directory)
    assert city.disputed
    for item in city.disputed:
        [row] = versions_by_number[item.source, item.external_id]
        assert row.national_id == people[item.person][1]


def test_about_one_line_in_two_hundred_is_bad_in_several_ways(directory: Path, city: City):
    chunks = [chunk for file in city.files for chunk in read_lines(directory, file)]
    rejected = sum(len(chunk.rejected) for chunk in chunks)
    assert 0.003 < rejected / sum(file.lines for file in city.files) < 0.008
    codes = {fault.code for chunk in chunks for _, faults in chunk.rejected for fault in faults}
    assert len(codes) >= 6


def test_departments_differ_in_how_good_their_lines_are(directory: Path, city: City):
    bad: Counter[str] = Counter()
    late: Counter[str] = Counter()
    lines: Counter[str] = Counter()
    for file in city.files:
        lines[file.source] += file.lines
        for chunk in read_lines(directory, file):
            bad[file.source] += len(chunk.rejected)
            late[file.source] += sum(row.occurred_on < date(2026, 10, 20) for _, row in chunk.rows)
    large = [source for source in lines if lines[source] > 400]
    assert len({1000 * bad[source] // lines[source] for source in large}) >= 4
    assert len({100 * late[source] // lines[source] for source in large}) >= 4


def test_the_manifest_counts_what_the_files_hold(directory: Path, city: City):
    for file in city.files:
        content = (directory / file.path).read_bytes()
        assert len(content) == file.bytes
        assert content.count(b"\n") == file.lines + (file.form == "csv")


def test_the_list_of_people_is_read_by_its_header(directory: Path):
    with (directory / "people.csv").open(newline="") as file:
        assert next(csv.reader(file)) == ["name", "national_id", "phone"]


def test_no_manifest_or_a_torn_one_is_no_city(tmp_path: Path):
    assert find_city(tmp_path) is None
    (tmp_path / "city.json").write_text('{"citizens": 5')
    assert find_city(tmp_path) is None


def scored(rows: list[tuple[str, Row]]) -> dict[str, int]:
    """Return the facts of a person with these lines on record."""
    current: dict[str, Record] = {}
    for class_code, row in rows:
        ends_on = ends_on_of(
            CLASSES[class_code], occurred_on=row.occurred_on, ended_on=row.ended_on
        )
        ids = (None, None, class_code, "source", row.external_id, row.version, row.quantity)
        current[row.external_id] = Record(
            *(*ids, row.occurred_on, row.ended_on, ends_on, REPORTED_AT, None, None, row.version)
        )
    result = score_records(SHIPPED, current.values(), AS_OF)
    return facts_of(
        SHIPPED,
        points=result.points,
        dimensions=result.dimensions.values(),
        indicator_values=result.indicator_values,
    )


def test_the_reader_stands_well_and_the_newcomer_is_thin(directory: Path, rows_by_person):
    people = {name: number for name, number, _ in read_people(directory)}
    reader, thin = (scored(rows_by_person[people[name]]) for name in ("林晓", "周平"))
    assert reader["score"] >= 700
    assert reader["indicator.library_returns"] >= 20
    assert thin["score"] < 560
    assert thin["indicator.library_returns"] == 0


def test_scores_of_the_city_spread_over_the_tiers(rows_by_person):
    scores = sorted(scored(rows)["score"] for rows in rows_by_person.values())
    tiers = {SHIPPED.tier_at(points).code for points in scores}
    assert tiers >= {"start", "steady", "good", "excellent"}
    assert 560 <= scores[len(scores) // 2] <= 740, "the middle of the city stands in the middle"
