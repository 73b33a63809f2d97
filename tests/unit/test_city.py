"""Goal: the demo city is the same bytes every time, its people are nobody, its files are real.

Method: the generator writes into a directory; its files are read with the same rules that read a
department's. No database.
"""

import csv
import hashlib
from datetime import date
from pathlib import Path

import pytest

from backend.citizen import rules as citizen_rules
from backend.cli.city.conduct import make_entries
from backend.cli.city.handin import City, find_city, read_people, write_city
from backend.cli.city.people import make_people
from backend.record.rules.layout import parse_header
from backend.record.rules.life import Record, ends_on_of
from backend.record.rules.line import Line, split_lines
from backend.record.rules.row import Row, RowReader
from backend.record.rules.submission import read_chunks
from backend.record.service import packaged_catalogue
from backend.score.rules.engine import score_records
from backend.score.rules.state import facts_of
from tests.property.score_worlds import REPORTED_AT, SHIPPED

AS_OF = date(2026, 11, 20)
CITIZENS = 400


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


def read_file(directory: Path, path: str, class_code: str) -> tuple[list[Row], int]:
    """Return the rows of a file and how many lines are bad, read as a submission is."""
    content = (directory / path).read_bytes()
    header = next(split_lines([content], first_number=1, offset=0))
    lines = split_lines([content[header.end :]], first_number=2, offset=header.end)
    reader = RowReader(
        parse_header(header), record_class=packaged_catalogue().classes[class_code], today=AS_OF
    )
    rows: list[Row] = []
    rejected = 0
    for chunk in read_chunks(lines, reader, begin=0):
        rows += [row for _, row in chunk.rows]
        rejected += len(chunk.rejected)
    return rows, rejected


@pytest.fixture(scope="module")
def rows_by_person(directory: Path, city: City) -> dict[str, list[tuple[str, Row]]]:
    """The good lines of all files by national id, each with its class."""
    found: dict[str, list[tuple[str, Row]]] = {}
    for file in city.files:
        for row in read_file(directory, file.path, file.class_code)[0]:
            found.setdefault(row.national_id, []).append((file.class_code, row))
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


def test_there_is_one_file_a_source_and_class_and_each_may_report_it(city: City):
    catalogue = packaged_catalogue()
    pairs = [(file.source, file.class_code) for file in city.files]
    assert len(set(pairs)) == len(pairs)
    for source, class_code in pairs:
        assert catalogue.may_report(catalogue.sources[source], catalogue.classes[class_code])


def test_a_city_of_usual_size_has_records_of_every_class(tmp_path: Path):
    city = write_city(tmp_path, citizens=5000, seed=1, as_of=AS_OF)
    assert {file.class_code for file in city.files} == set(packaged_catalogue().classes)


def test_about_one_line_in_two_hundred_is_bad_in_several_ways(directory: Path, city: City):
    rejected = sum(read_file(directory, each.path, each.class_code)[1] for each in city.files)
    lines = sum(each.lines for each in city.files)
    assert 0.003 < rejected / lines < 0.008
    codes = set()
    for file in city.files:
        content = (directory / file.path).read_bytes()
        reader = RowReader(
            parse_header(next(split_lines([content], first_number=1, offset=0))),
            record_class=packaged_catalogue().classes[file.class_code],
            today=AS_OF,
        )
        for number, line in enumerate(content.splitlines()[1:], start=2):
            found = reader.read(Line(number, 0, line, is_too_long=False))
            if not isinstance(found, Row):
                codes |= {fault.code for fault in found}
    assert len(codes) >= 6


def test_the_manifest_counts_what_the_files_hold(directory: Path, city: City):
    for file in city.files:
        content = (directory / file.path).read_bytes()
        assert len(content) == file.bytes
        assert content.count(b"\n") == file.lines + 1


def test_the_list_of_people_is_read_by_its_header(directory: Path):
    with (directory / "people.csv").open(newline="") as file:
        assert next(csv.reader(file)) == ["name", "national_id", "phone"]


def test_no_manifest_or_a_torn_one_is_no_city(tmp_path: Path):
    assert find_city(tmp_path) is None
    (tmp_path / "city.json").write_text('{"citizens": 5')
    assert find_city(tmp_path) is None


def scored(rows: list[tuple[str, Row]]) -> dict[str, int]:
    """Return the facts of a person with these lines on record."""
    catalogue = packaged_catalogue()
    current: dict[str, Record] = {}
    for class_code, row in sorted(rows, key=lambda each: each[1].version):
        ends_on = ends_on_of(
            catalogue.classes[class_code], occurred_on=row.occurred_on, ended_on=row.ended_on
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
