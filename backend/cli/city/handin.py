"""Writes the files departments would hand in: one a source and class, a few bad lines in each.

Also the city's list of people, and a manifest that says what the files were made from, so that a
second run finds them.
"""

import csv
import io
import os
import random
from collections.abc import Iterable
from datetime import date
from pathlib import Path

import msgspec

from backend.cli.city.conduct import Entry, make_entries
from backend.cli.city.people import Person, make_people
from backend.record.rules.life import ends_on_of
from backend.record.service import packaged_catalogue

HEADER = "national_id,external_id,version,occurred_on,ended_on,quantity"
MANIFEST = "city.json"
# One line in two hundred is bad, as in the files of a department that does its work.
BAD_LINES_EVERY = 200


class FileOfCity(msgspec.Struct, frozen=True):
    """One file to hand in; `path` is relative to the city's directory."""

    path: str
    source: str
    class_code: str
    lines: int
    bytes: int


class City(msgspec.Struct, frozen=True):
    """What a city was made from, and its files."""

    citizens: int
    seed: int
    as_of: date
    files: list[FileOfCity]

    def batch_id(self, file: FileOfCity) -> str:
        """Return the batch id under which a source hands a file in; the class makes it its own."""
        return f"city-{self.seed}-{self.citizens}-{self.as_of:%Y%m%d}-{file.class_code}"


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
    by_file: dict[tuple[str, str], list[Entry]] = {}
    for entry in make_entries(people, seed=seed, as_of=as_of):
        if _has_ended(entry, as_of):
            continue
        by_file.setdefault((entry.source, entry.class_code), []).append(entry)
    files = []
    for (source, class_code), entries in sorted(by_file.items()):
        path = f"submissions/{source}.{class_code}.csv"
        lines = _lines(entries, chance=random.Random(f"{seed}:{path}"))  # noqa: S311 - a demo
        content = b"\n".join([HEADER.encode(), *lines]) + b"\n"
        _write(directory / path, content)
        files.append(FileOfCity(path, source, class_code, len(lines), len(content)))
    city = City(citizens, seed, as_of, files)
    _write(directory / MANIFEST, msgspec.json.format(msgspec.json.encode(city)))
    return city


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


def _lines(entries: list[Entry], *, chance: random.Random) -> list[bytes]:
    """Write entries as lines, and put a bad line behind one in BAD_LINES_EVERY of them."""
    lines = []
    for entry in entries:
        lines.append(_line(entry))
        if chance.randrange(BAD_LINES_EVERY) == 0:
            lines.append(_spoilt(entry, chance))
    return lines


def _line(entry: Entry) -> bytes:
    cells = (
        *(entry.person.national_id, entry.external_id, entry.version, entry.occurred_on),
        *(entry.ended_on or "", entry.quantity),
    )
    return ",".join(map(str, cells)).encode()


def _spoilt(entry: Entry, chance: random.Random) -> bytes:
    """Write a line as it comes from a slip of the pen, a wrong export or a wrong machine."""
    number, day = entry.person.national_id, entry.occurred_on
    external_id = f"{entry.external_id}x"
    tail = f",1,{day},,{entry.quantity}"
    last = "0" if number[-1] != "0" else "1"
    return chance.choice(
        (
            f"{number[:-1]}{last},{external_id}{tail}".encode(),
            f"{number[:-3]},{external_id}{tail}".encode(),
            f"{number},{external_id},1,2999-01-01,,{entry.quantity}".encode(),
            f"{number},{external_id},1,1900-01-01,,{entry.quantity}".encode(),
            f"{number},{external_id},1,{day:%d.%m.%Y},,{entry.quantity}".encode(),
            f"{number},{external_id},1,{day},,-{entry.quantity}".encode(),
            f"{number},=HYPERLINK(A1),1,{day},,{entry.quantity}".encode(),
            f'{number},"{external_id}{tail}'.encode(),
            f"{number},{external_id}{tail}{',' * 12}".encode(),
            f"{number},{entry.person.name}{tail}".encode("gb18030"),
        )
    )


def _write(path: Path, content: bytes) -> None:
    """Write a whole file or none; readable by its owner: it holds people, if made-up ones."""
    fresh = path.with_suffix(".new")
    fresh.write_bytes(content)
    fresh.chmod(0o600)
    os.replace(fresh, path)  # noqa: PTH105 - said of both names
