"""Many lines at once, by columns: what is the same in them is looked at once.

A file of a hundred thousand lines holds few days, few quantities and each person many times. Lines
in which every cell was found good before, or is good now, and which need no closer look, become
rows together. Every other line is read by `RowReader`, alone: the answer for a line is always the
one it would give (tests/property/test_record_block.py).
"""

from collections.abc import Callable, Hashable, Iterator, Sequence
from datetime import date
from functools import partial
from itertools import compress
from operator import itemgetter, lt
from typing import Any, TypeVar

from backend.citizen.rules import ADULT_YEARS
from backend.record.rules.cell import (
    EXTERNAL_ID,
    action_of,
    day_of,
    external_id_of,
    person_of,
    quantity_of,
    version_of,
)
from backend.record.rules.fault import Fault, FaultCode
from backend.record.rules.life import Action, Days
from backend.record.rules.line import Line, Lines
from backend.record.rules.personal import holds_personal_number
from backend.record.rules.row import PEOPLE_REMEMBERED, Row, RowReader

CELLS_REMEMBERED = PEOPLE_REMEMBERED
_NEVER, _ALWAYS = date.max, date.min
_first, _second = itemgetter(0), itemgetter(1)
K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
Rejected = tuple[Line, list[Fault]]


class Rows:
    """Good lines of a chunk by columns: all lists are parallel, in the order of the file."""

    def __init__(self) -> None:
        self.line_numbers: list[int] = []
        self.line_ends: list[int] = []
        self.line_contents: list[bytes] = []
        self.national_ids: list[str] = []
        self.external_ids: list[str] = []
        self.versions: list[int] = []
        self.quantities: list[int] = []
        self.days: list[Days] = []
        self.actions: list[Action] = []

    def __len__(self) -> int:
        return len(self.line_numbers)

    def __iter__(self) -> Iterator[tuple[Line, Row]]:
        return map(self.at, range(len(self)))

    def at(self, place: int) -> tuple[Line, Row]:
        """Return the line at a place, counted from 0, and what it says."""
        number, days = self.line_numbers[place], self.days[place]
        row = Row(
            line_number=number,
            national_id=self.national_ids[place],
            external_id=self.external_ids[place],
            version=self.versions[place],
            quantity=self.quantities[place],
            occurred_on=days.occurred_on,
            ended_on=days.ended_on,
            ends_on=days.ends_on,
            action=self.actions[place],
        )
        return Line(number, self.line_ends[place], self.line_contents[place], False), row

    def columns(self) -> tuple[list[Any], ...]:
        """Return the lists, in the order in which they are named above."""
        return tuple(vars(self).values())


class BlockReader:
    """Reads the lines of one file many at a time, and remembers the cells that were good."""

    def __init__(self, reader: RowReader) -> None:
        self._reader = reader
        # What follows from a cell alone. A person comes with the first day from which everything
        # about them is taken, days with the first of them.
        self._people: dict[str, tuple[str, date]] = {}
        self._days: dict[tuple[str, str], tuple[Days, date]] = {}
        self._versions: dict[str, int] = {}
        self._actions: dict[str, Action] = {}
        self._quantities: dict[str, int] = {}

    def read(self, lines: Lines, rows: Rows) -> list[Rejected]:
        """Add the good lines to `rows` and return the others, each with its faults.

        Blank lines are neither.
        """
        size = len(lines.ends)
        columns, closer_look = self._glance(lines)
        rejected: list[Rejected] = []
        keeps = [True] * size
        for place in sorted(closer_look):
            line = lines.at(place)
            if not line.content.strip() and not line.is_too_long:
                keeps[place] = False
                continue
            found = self._reader.read(line)
            if isinstance(found, Row):
                _put(columns, place, found, self._reader.days(found.occurred_on, found.ended_on))
            else:
                rejected.append((line, found))
                keeps[place] = False
        first = lines.first_number
        whole: tuple[Sequence[Any], ...] = (
            *(range(first, first + size), lines.ends, lines.contents),
            *columns,
        )
        is_whole = all(keeps)
        for kept, column in zip(rows.columns(), whole, strict=True):
            kept.extend(column if is_whole else compress(column, keeps))
        return rejected

    def _glance(self, lines: Lines) -> tuple[tuple[list[Any], ...], set[int]]:
        """Return the columns of `Rows` from the people on, and which places need a closer look.

        What stands at those places means nothing.
        """
        size = len(lines.ends)
        cells, closer_look = self._cut(lines)
        if len(closer_look) == size:
            return tuple([None] * size for _ in range(6)), closer_look
        texts, numbers, versions, actions, occurred, ended, quantities = cells
        pairs = list(zip(occurred, ended, strict=True))
        closer_look.update(_numbers_to_look_at(numbers))
        look = partial(_resolve, closer_look=closer_look)
        people = look(texts, self._people, self._person, filler=("", _NEVER))
        days = look(pairs, self._days, self._lived, filler=(None, _ALWAYS))
        # Nobody did anything before their birth, or is held to what the child did.
        too_early = list(map(lt, map(_second, days), map(_second, people)))
        if True in too_early:
            closer_look.update(compress(range(size), too_early))
        columns = (
            list(map(_first, people)),
            numbers,
            look(versions, self._versions, version_of, filler=0),
            look(quantities, self._quantities, self._quantity, filler=0),
            list(map(_first, days)),
            look(actions, self._actions, self._action, filler=""),
        )
        return columns, closer_look

    def _cut(self, lines: Lines) -> tuple[list[list[str]], set[int]]:
        """Cut lines into cells: return a list for each of COLUMNS, and places of unclear lines."""
        size, width = len(lines.ends), self._reader.width
        if self._reader.is_json:
            return [], set(range(size))
        # What bytes become that are no character stands in no good cell, nor does a quotation mark:
        # the lines that hold one are looked at for their cells.
        text = b"\n".join(lines.contents).decode(self._reader.encoding, errors="replace")
        closer_look = set(lines.too_long)
        cells = _cells_of(text)
        is_clean = (
            text.replace("\n", "").isprintable()
            and len(cells) == size * (width + 1) - 1
            # A cell between two commas that is a line feed can only be the end of a line.
            and cells[width :: width + 1].count("\n") == size - 1
        )
        if not is_clean:
            texts, commas = text.split("\n"), width - 1
            closer_look.update(
                place
                for place, each in enumerate(texts)
                if each.count(",") != commas or not each.isprintable()
            )
            for place in closer_look:
                texts[place] = "," * commas
            cells = _cells_of("\n".join(texts))
        return [
            cells[place :: width + 1] if place < width else [""] * size
            for place in self._reader.places
        ], closer_look

    def _person(self, text: str) -> tuple[str, date] | FaultCode:
        person = person_of(text, self._reader.today)
        if isinstance(person, FaultCode):
            return person
        born_on = person.born_on
        if not self._reader.record_class.is_adverse:
            return person.number, born_on
        # The first of March for whoever was born on a day that year doesn't have.
        is_leap_day = (born_on.month, born_on.day) == (2, 29)
        month, day = (3, 1) if is_leap_day else (born_on.month, born_on.day)
        return person.number, date(born_on.year + ADULT_YEARS, month, day)

    def _lived(self, pair: tuple[str, str]) -> tuple[Days, date] | FaultCode:
        occurred, ended = pair
        occurred_on = day_of(occurred)
        ended_on = day_of(ended) if ended else None
        if isinstance(occurred_on, FaultCode):
            return occurred_on
        if isinstance(ended_on, FaultCode):
            return ended_on
        days = self._reader.days(occurred_on, ended_on)
        # What days say of each other and of today holds for everybody born before them, and for
        # every version: a higher one may only say more.
        for _, code in self._reader.days_faults(days, _ALWAYS, version=1):
            return code
        return days, min(occurred_on, ended_on or occurred_on)

    def _action(self, text: str) -> Action | FaultCode:
        return action_of(text, is_adverse=self._reader.record_class.is_adverse)

    def _quantity(self, text: str) -> int | FaultCode:
        return quantity_of(text, self._reader.record_class.value.max)


def _resolve(
    cells: Sequence[K],
    known: dict[K, V],
    read: Callable[[K], V | FaultCode],
    *,
    filler: Any,
    closer_look: set[int],
) -> list[V]:
    """Return what cells say; each kind of cell is read once, and what is wrong is looked at."""
    if len(known) >= CELLS_REMEMBERED:
        known.clear()
    bad: set[K] = set()
    for cell in set(cells).difference(known):
        value = read(cell)
        if isinstance(value, FaultCode):
            bad.add(cell)
        else:
            known[cell] = value
    if not bad:
        return list(map(known.__getitem__, cells))
    closer_look.update(place for place, cell in enumerate(cells) if cell in bad)
    return [known.get(cell, filler) for cell in cells]


def _numbers_to_look_at(numbers: Sequence[str]) -> list[int]:
    # No number reaches into the next: a line feed is part of none.
    if all(map(EXTERNAL_ID.fullmatch, numbers)) and not holds_personal_number("\n".join(numbers)):
        return []
    return [
        place for place, each in enumerate(numbers) if isinstance(external_id_of(each), FaultCode)
    ]


def _cells_of(text: str) -> list[str]:
    return text.replace("\n", ",\n,").split(",")


def _put(columns: Sequence[list[Any]], place: int, row: Row, days: Days) -> None:
    values = (row.national_id, row.external_id, row.version, row.quantity, days, row.action)
    for column, value in zip(columns, values, strict=True):
        column[place] = value
