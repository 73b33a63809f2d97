"""Writes the files departments would hand in, as each exports them, a few bad lines in most.

A file a source, class and period. Also the city's list of people, and a manifest that says what
the files were made from, so that a second run finds them.
"""

import csv
import io
import os
from collections.abc import Iterable
from datetime import date
from pathlib import Path

import msgspec

from backend.cli.city.chance import chance_of
from backend.cli.city.conduct import Entry
from backend.cli.city.department import Periods, choose_disputed, desk_of, make_entries
from backend.cli.city.export import export_file
from backend.cli.city.people import Person, make_people
from backend.record.rules.layout import Encoding, Form, Layout
from backend.record.rules.life import ends_on_of
from backend.record.service import packaged_catalogue

MANIFEST = "city.json"
DISPUTED = 3


class FileOfCity(msgspec.Struct, frozen=True):
    """One file to hand in; `path` is relative to the city's directory."""

    path: str
    source: str
    class_code: str
    period: str
    form: Form
    encoding: Encoding
    lines: int
    bytes: int

    @property
    def layout(self) -> Layout:
        """How it is written; what its columns are called is known of its source."""
        return Layout(form=self.form, encoding=self.encoding, columns={})


class DisputedItem(msgspec.Struct, frozen=True):
    """Something that person `person` of the list disputes."""

    person: int
    source: str
    external_id: str


class City(msgspec.Struct, frozen=True):
    """What a city was made from, its files in the order they are handed in, what is disputed."""

    citizens: int
    seed: int
    as_of: date
    files: list[FileOfCity]
    disputed: list[DisputedItem]

    def batch_id(self, file: FileOfCity) -> str:
        """Return the batch id under which a source hands a file in: of its class and period."""
        made_from = f"{self.seed}-{self.citizens}-{self.as_of:%Y%m%d}"
        return f"city-{made_from}-{file.class_code}-{file.period}"


def find_city(directory: Path) -> City | None:
    """Return the city whose files are in a directory, or None."""
    try:
        return msgspec.json.decode((directory / MANIFEST).read_bytes(), type=City)
    except (OSError, msgspec.DecodeError):
        return None


def write_city(directory: Path, *, citizens: int, seed: int, as_of: date) -> City:
    """Make a city and write its files; the manifest last, so that a kill leaves none."""
    (directory / "submissions").mkdir(parents=True, exist_ok=True)
    people = list(make_people(citizens=citizens, seed=seed, as_of=as_of))
    _write(directory / "people.csv", _people_csv(people))
    entries = [
        entry
        for entry in make_entries(people, seed=seed, as_of=as_of)
        if not _has_ended(entry, as_of)
    ]
    by_file: dict[tuple[int, str, str], list[Entry]] = {}
    for entry in entries:
        by_file.setdefault((entry.period, entry.source, entry.class_code), []).append(entry)
    names = Periods(as_of).names
    files = []
    for (period, source, class_code), lines in sorted(by_file.items()):
        file = _describe(source, class_code, names[period], is_first=period == 0)
        chance = chance_of(seed, file.path)
        count, content = export_file(lines, chance=chance)
        _write(directory / file.path, content)
        files.append(msgspec.structs.replace(file, lines=count, bytes=len(content)))
    disputed = [
        DisputedItem(each.person.number, each.source, each.external_id)
        for each in choose_disputed(entries, DISPUTED)
    ]
    city = City(citizens, seed, as_of, files, disputed)
    _write(directory / MANIFEST, msgspec.json.format(msgspec.json.encode(city)))
    return city


def _describe(source: str, class_code: str, period: str, *, is_first: bool) -> FileOfCity:
    desk = desk_of(source)
    name = f"{source}.{class_code}" if is_first else f"{source}.{class_code}.{period}"
    return FileOfCity(
        path=f"submissions/{name}.{desk.form}",
        source=source,
        class_code=class_code,
        period=period,
        form=desk.form,
        encoding=desk.encoding,
        lines=0,
        bytes=0,
    )


def _has_ended(entry: Entry, as_of: date) -> bool:
    """Say whether a department has deleted a record already: it hands in no such thing."""
    ends_on = ends_on_of(
        packaged_catalogue().classes[entry.class_code],
        occurred_on=entry.occurred_on,
        ended_on=entry.ended_on,
    )
    return ends_on is not None and ends_on <= as_of


def read_people(directory: Path) -> list[tuple[str, str, str]]:
    """Return the (name, national id, phone) of everybody in the city's list."""
    with (directory / "people.csv").open(encoding="utf-8", newline="") as file:
        return [(row["name"], row["national_id"], row["phone"]) for row in csv.DictReader(file)]


def _people_csv(people: Iterable[Person]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("name", "national_id", "phone"))
    writer.writerows((each.name, each.national_id, each.phone) for each in people)
    return text.getvalue().encode()


def _write(path: Path, content: bytes) -> None:
    """Write a whole file or none; readable by its owner: it holds people, if made-up ones."""
    fresh = path.with_suffix(".new")
    fresh.write_bytes(content)
    fresh.chmod(0o600)
    os.replace(fresh, path)  # noqa: PTH105 - said of both names
