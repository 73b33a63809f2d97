"""One line as a row, or everything that is wrong with it."""

import csv
import json
from collections.abc import Sequence
from datetime import date
from operator import itemgetter
from typing import Any, NamedTuple

from backend.citizen.rules import ADULT_YEARS, age_on
from backend.record.rules.catalogue import RecordClass
from backend.record.rules.cell import (
    Person,
    action_of,
    closer,
    day_of,
    external_id_of,
    person_of,
    quantity_of,
    version_of,
)
from backend.record.rules.fault import Fault, FaultCode
from backend.record.rules.layout import BYTE_ORDER_MARK, COLUMNS, PLAIN, Layout
from backend.record.rules.life import Action, ends_on_of
from backend.record.rules.line import Line

PEOPLE_REMEMBERED = 100_000
_DAYS_REMEMBERED = 16_384
_NUMBER_MEMBERS = ("version", "quantity")


class Row(NamedTuple):
    """A line that passed every check that can be made without the database.

    `ends_on` is the first day on which the record no longer counts, None while it goes on.
    """

    line_number: int
    national_id: str
    external_id: str
    version: int
    quantity: int
    occurred_on: date
    ended_on: date | None
    ends_on: date | None
    action: Action


class RowReader:
    """Reads the lines of one file: knows its columns, its class and the day it came in.

    `columns` are our names in the order of the file's; JSON lines name theirs themselves.
    `takes_ended` is for who asks what became of lines: what has ended is then no fault.
    """

    def __init__(
        self,
        columns: Sequence[str],
        *,
        layout: Layout = PLAIN,
        record_class: RecordClass,
        today: date,
        takes_ended: bool = False,
    ) -> None:
        self._width = len(columns)
        # A column that isn't there is read from an empty cell put behind the others.
        self._pick = itemgetter(
            *(columns.index(name) if name in columns else self._width for name in COLUMNS)
        )
        self._is_json = layout.form == "jsonl"
        self._encoding = layout.encoding
        self.record_class = record_class
        self._today = today
        self._takes_ended = takes_ended
        # One person has many lines, one day too; what follows from either is worked out once.
        self._people: dict[str, Person | FaultCode] = {}
        self._ends: dict[tuple[date, date | None], date | None] = {}

    def read(self, line: Line) -> Row | list[Fault]:
        """Return the row of a line, or everything that is wrong with it (never empty)."""
        found = self._members(line) if self._is_json else self._cells(line)
        if not isinstance(found, tuple):
            return [Fault(line.number, *fault) for fault in found]
        (national_id, number, version_text, action_text, occurred, ended, quantity_text) = found
        person = self._people.get(national_id) or self._meet(national_id)
        external_id = external_id_of(number)
        version = version_of(version_text)
        action = action_of(action_text, is_adverse=self.record_class.is_adverse)
        occurred_on = day_of(occurred)
        ended_on = day_of(ended) if ended else None
        quantity = quantity_of(quantity_text, self.record_class.value.max)
        if (
            isinstance(person, Person)
            and not isinstance(external_id, FaultCode)
            and not isinstance(version, FaultCode)
            and not isinstance(action, FaultCode)
            and isinstance(occurred_on, date)
            and not isinstance(ended_on, FaultCode)
            and not isinstance(quantity, FaultCode)
        ):
            row = Row(
                *(line.number, person.number, external_id, version, quantity),
                *(occurred_on, ended_on, self._ends_on(occurred_on, ended_on), action),
            )
            return self._dates_faults(row, person.born_on) or row
        values = (person, external_id, version, action, occurred_on, ended_on, quantity)
        return [
            Fault(line.number, column, closer(value, cell))
            for column, value, cell in zip(COLUMNS, values, found, strict=True)
            if isinstance(value, FaultCode)
        ]

    def _meet(self, text: str) -> Person | FaultCode:
        if len(self._people) >= PEOPLE_REMEMBERED:
            self._people.clear()
        person = self._people[text] = person_of(text, self._today)
        return person

    def _ends_on(self, occurred_on: date, ended_on: date | None) -> date | None:
        days = (occurred_on, ended_on)
        if days not in self._ends:
            if len(self._ends) >= _DAYS_REMEMBERED:
                self._ends.clear()
            self._ends[days] = ends_on_of(
                self.record_class, occurred_on=occurred_on, ended_on=ended_on
            )
        return self._ends[days]

    def _dates_faults(self, row: Row, born_on: date) -> list[Fault]:
        """Compare the days with each other, with the person's birth and with today."""
        faults: list[Fault] = []
        for column, day in (("occurred_on", row.occurred_on), ("ended_on", row.ended_on)):
            if day is not None and day > self._today:
                faults.append(Fault(row.line_number, column, FaultCode.DATE_FUTURE))
            elif day is not None and day < born_on:
                faults.append(Fault(row.line_number, column, FaultCode.DATE_BEFORE_BIRTH))
        # Conduct that is held against somebody has often ended before the decision on it.
        if row.ended_on and row.ended_on < row.occurred_on and not self.record_class.is_adverse:
            faults.append(Fault(row.line_number, "ended_on", FaultCode.ENDED_BEFORE_START))
        if faults:
            return faults
        # Product line 2: nobody begins adult life with what the child did (预防未成年人犯罪法 59).
        done_on = row.ended_on or row.occurred_on
        if self.record_class.is_adverse and age_on(born_on, done_on) < ADULT_YEARS:
            faults.append(Fault(row.line_number, "occurred_on", FaultCode.CONDUCT_UNDER_AGE))
        # What has ended is deleted in time: it must not come back by this door. A higher version
        # may correct what is on file; `settle` sees to that.
        elif (
            row.version == 1
            and row.ends_on
            and row.ends_on <= self._today
            and not self._takes_ended
        ):
            faults.append(Fault(row.line_number, "occurred_on", FaultCode.RECORD_ENDED))
        return faults

    def _cells(self, line: Line) -> tuple[str, ...] | list[tuple[str, FaultCode]]:
        """Return the cells of a CSV line in the order of COLUMNS."""
        if line.is_too_long:
            return [("", FaultCode.LINE_TOO_LONG)]
        try:
            text = line.content.decode(self._encoding)
        except UnicodeDecodeError:
            return [("", FaultCode.ENCODING_BROKEN)]
        if not text.isprintable():
            return [("", FaultCode.CHARACTER_FORBIDDEN)]
        if '"' in text:
            try:
                cells = next(csv.reader([text], strict=True))
            except csv.Error:
                return [("", FaultCode.QUOTE_UNBALANCED)]
        else:
            cells = text.split(",")
        if len(cells) != self._width:
            is_more = len(cells) > self._width
            return [("", FaultCode.COLUMNS_TOO_MANY if is_more else FaultCode.COLUMNS_TOO_FEW)]
        cells.append("")
        picked: tuple[str, ...] = self._pick(cells)
        return picked

    def _members(self, line: Line) -> tuple[str, ...] | list[tuple[str, FaultCode]]:
        """Return the members of a JSON line as cells in the order of COLUMNS."""
        if line.is_too_long:
            return [("", FaultCode.LINE_TOO_LONG)]
        try:
            text = line.content.decode()
        except UnicodeDecodeError:
            return [("", FaultCode.ENCODING_BROKEN)]
        if line.number == 1:
            text = text.removeprefix(BYTE_ORDER_MARK)
        try:
            found = _DECODER.decode(text)
        except (ValueError, RecursionError):
            return [("", FaultCode.JSON_BROKEN)]
        if not isinstance(found, _Members):
            return [("", FaultCode.JSON_BROKEN)]
        return found.cells()


class _Digits(str):
    """A whole number as it was written: how large it may be is not the parser's to decide."""

    __slots__ = ()


class _Members(list[tuple[str, Any]]):
    """The members of a JSON object, each as often as it was written."""

    def cells(self) -> tuple[str, ...] | list[tuple[str, FaultCode]]:
        """Return the values by COLUMNS, "" where left out or null, or what is wrong with them."""
        members = dict(self)
        faults: list[tuple[str, FaultCode]] = []
        if not members.keys() <= set(COLUMNS):
            faults.append(("", FaultCode.MEMBER_UNKNOWN))
        names = [name for name, _ in self]
        for name in COLUMNS:
            value = members.get(name)
            if names.count(name) > 1:
                faults.append((name, FaultCode.MEMBER_REPEATED))
            elif value is not None and not _is_of_type(name, value):
                faults.append((name, FaultCode.VALUE_TYPE))
            elif value and not value.isprintable():
                faults.append((name, FaultCode.CHARACTER_FORBIDDEN))
        if faults:
            return faults
        return tuple(members.get(name) or "" for name in COLUMNS)


def _is_of_type(name: str, value: object) -> bool:
    if name in _NUMBER_MEMBERS:
        return isinstance(value, _Digits)
    return isinstance(value, str) and not isinstance(value, _Digits)


# Numbers with a fraction and what JSON doesn't know (NaN) become values of no type we take.
_DECODER = json.JSONDecoder(
    object_pairs_hook=_Members, parse_int=_Digits, parse_float=float, parse_constant=float
)
