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
from backend.record.rules.life import Action, Days, ends_on_of
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

    Every rule of a line is here. Many lines are read by `block.BlockReader`, which looks at what is
    the same in them once, and asks here about the rest.
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
        self.width = len(columns)
        # A column that isn't there is read from an empty cell put behind the others.
        self.places = tuple(
            columns.index(name) if name in columns else self.width for name in COLUMNS
        )
        self._pick = itemgetter(*self.places)
        self.is_json = layout.form == "jsonl"
        self.encoding = layout.encoding
        self.record_class = record_class
        self.today = today
        self._takes_ended = takes_ended
        # One person has many lines, one day too; what follows from either is worked out once.
        self._people: dict[str, Person | FaultCode] = {}
        self._days: dict[tuple[date, date | None], Days] = {}

    def read(self, line: Line) -> Row | list[Fault]:
        """Return the row of a line, or everything that is wrong with it (never empty)."""
        found = self._members(line) if self.is_json else self._cells(line)
        if not isinstance(found, tuple):
            return [Fault(line.number, *fault) for fault in found]
        (national_id, number, version_text, action_text, occurred, ended, quantity_text) = found
        person = self.person(national_id)
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
            days = self.days(occurred_on, ended_on)
            faults = self.days_faults(days, person.born_on, version)
            if faults:
                return [Fault(line.number, *fault) for fault in faults]
            return Row(line.number, person.number, external_id, version, quantity, *days, action)
        values = (person, external_id, version, action, occurred_on, ended_on, quantity)
        return [
            Fault(line.number, column, closer(value, cell))
            for column, value, cell in zip(COLUMNS, values, found, strict=True)
            if isinstance(value, FaultCode)
        ]

    def person(self, text: str) -> Person | FaultCode:
        """Return who an identity number belongs to, or what is wrong with it."""
        person = self._people.get(text)
        if person is None:
            if len(self._people) >= PEOPLE_REMEMBERED:
                self._people.clear()
            person = self._people[text] = person_of(text, self.today)
        return person

    def days(self, occurred_on: date, ended_on: date | None) -> Days:
        """Return the days of a record with the one on which it no longer counts."""
        key = (occurred_on, ended_on)
        days = self._days.get(key)
        if days is None:
            if len(self._days) >= _DAYS_REMEMBERED:
                self._days.clear()
            ends_on = ends_on_of(self.record_class, occurred_on=occurred_on, ended_on=ended_on)
            days = self._days[key] = Days(occurred_on, ended_on, ends_on)
        return days

    def days_faults(self, days: Days, born_on: date, version: int) -> list[tuple[str, FaultCode]]:
        """Compare the days with each other, with the person's birth and with today."""
        faults: list[tuple[str, FaultCode]] = []
        for column, day in (("occurred_on", days.occurred_on), ("ended_on", days.ended_on)):
            if day is not None and day > self.today:
                faults.append((column, FaultCode.DATE_FUTURE))
            elif day is not None and day < born_on:
                faults.append((column, FaultCode.DATE_BEFORE_BIRTH))
        is_adverse = self.record_class.is_adverse
        # Conduct that is held against somebody has often ended before the decision on it.
        if days.ended_on and days.ended_on < days.occurred_on and not is_adverse:
            faults.append(("ended_on", FaultCode.ENDED_BEFORE_START))
        if faults:
            return faults
        # Product line 2: nobody begins adult life with what the child did (预防未成年人犯罪法 59).
        done_on = days.ended_on or days.occurred_on
        if is_adverse and age_on(born_on, done_on) < ADULT_YEARS:
            faults.append(("occurred_on", FaultCode.CONDUCT_UNDER_AGE))
        # What has ended is deleted in time: it must not come back by this door. A higher version
        # may correct what is on file; `settle` sees to that.
        elif version == 1 and days.ends_on and days.ends_on <= self.today and not self._takes_ended:
            faults.append(("occurred_on", FaultCode.RECORD_ENDED))
        return faults

    def _cells(self, line: Line) -> tuple[str, ...] | list[tuple[str, FaultCode]]:
        """Return the cells of a CSV line in the order of COLUMNS."""
        if line.is_too_long:
            return [("", FaultCode.LINE_TOO_LONG)]
        try:
            text = line.content.decode(self.encoding)
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
        if len(cells) != self.width:
            is_more = len(cells) > self.width
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
