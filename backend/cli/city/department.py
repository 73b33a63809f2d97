"""What becomes of conduct at a department's desk: slips and their corrections, and when it comes.

Departments differ: one exports GB 18030 under headers of its own, another JSON lines; one slips
now and then, another hands in the same line every month. What stands in the end is what happened.
"""

import random
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, timedelta

import msgspec

from backend.cli.city.chance import chance_of
from backend.cli.city.conduct import Entry, draw_conduct
from backend.cli.city.people import PLAYED_LIVES, Person
from backend.record.rules.layout import Encoding, Form
from backend.record.service import packaged_catalogue

_ADULT_DAYS = 18 * 366
_REPAIRED_PERMILLE = 150


class Desk(msgspec.Struct, frozen=True, kw_only=True):
    """How a department exports, and of how many in a thousand lines what goes wrong there.

    `initials` begin its numbers. `bad`: can't be read at all. `corrected`: another figure at
    first. `overtaken`: a correction of a correction came before it. `double`: reported under two
    numbers, and one withdrawn. `misplaced`: on file about somebody else at first. `again`: handed
    in twice.
    """

    form: Form = "csv"
    encoding: Encoding = "utf-8"
    initials: str = ""
    bad: int = 4
    corrected: int = 15
    overtaken: int = 3
    double: int = 4
    misplaced: int = 2
    again: int = 6


DESKS: Mapping[str, Desk] = {
    "public_security_bureau": Desk(encoding="gb18030", initials="公居", corrected=8),
    "market_regulation_bureau": Desk(encoding="gb18030", initials="市监", corrected=30),
    "transit_group": Desk(form="jsonl", bad=2, again=2),
    "volunteer_federation": Desk(form="jsonl", bad=9, corrected=40, misplaced=6),
    "water_company": Desk(again=90),
    "gas_company": Desk(bad=12, corrected=25),
    "city_library": Desk(bad=3, corrected=10),
    "logistics_association": Desk(bad=10, double=40, again=30),
}
_USUAL = Desk()


class Periods(msgspec.Struct, frozen=True):
    """The files of a department: all there was before last month, last month's, this month's."""

    as_of: date

    @property
    def names(self) -> tuple[str, str, str]:
        """What they are called, in the order in which they are handed in."""
        this = self.as_of.replace(day=1)
        last = (this - timedelta(days=1)).replace(day=1)
        return "history", f"{last:%Y-%m}", f"{this:%Y-%m}"

    def period_of(self, day: date) -> int:
        """Return in which of them something of a day is reported."""
        this = self.as_of.replace(day=1)
        if day >= this:
            return 2
        return 1 if day >= (this - timedelta(days=1)).replace(day=1) else 0


def desk_of(source_code: str) -> Desk:
    """Return how a department works."""
    return DESKS.get(source_code, _USUAL)


def make_entries(people: Iterable[Person], *, seed: int, as_of: date) -> Iterator[Entry]:
    """Make what departments hand in about each person, person by person."""
    before: Person | None = None
    periods = Periods(as_of)
    for person in people:
        chance = chance_of(seed, f"desk:{person.number}")
        for entry in draw_conduct(person, seed=seed, as_of=as_of):
            initials = desk_of(entry.source).initials
            happened = msgspec.structs.replace(
                entry,
                external_id=f"{initials}{entry.external_id}",
                period=periods.period_of(entry.occurred_on),
            )
            if person.life in PLAYED_LIVES:
                yield happened
            else:
                yield from _at_the_desk(happened, before, chance)
        if person.life not in PLAYED_LIVES:
            before = person


def _at_the_desk(entry: Entry, before: Person | None, chance: random.Random) -> Iterator[Entry]:
    """Hand one thing in as it goes there: as it is, or with what goes wrong and is put right."""
    desk = desk_of(entry.source)
    later = max(entry.period, chance.randint(1, 2))
    put_right = msgspec.structs.replace(entry, version=2, period=later)
    lot = chance.randrange(1000)
    if _is_adverse(entry) and chance.randrange(1000) < _REPAIRED_PERMILLE:
        yield entry
        yield msgspec.structs.replace(put_right, action="repair")
    elif (lot := lot - desk.corrected) < 0:
        yield _slipped(entry, chance)
        yield put_right
    elif (lot := lot - desk.overtaken) < 0:
        yield _slipped(entry, chance)
        yield msgspec.structs.replace(put_right, version=3)
        yield _slipped(msgspec.structs.replace(put_right, period=2), chance)
    elif (lot := lot - desk.double) < 0:
        second = {"external_id": f"{entry.external_id}b"}
        yield entry
        yield msgspec.structs.replace(entry, **second)
        yield msgspec.structs.replace(put_right, action="withdraw", **second)
    elif (lot := lot - desk.misplaced) < 0 and _was_of_age(before, entry):
        assert before is not None, "somebody is of age"
        yield msgspec.structs.replace(entry, person=before)
        yield put_right
    elif 0 <= lot < desk.again:
        yield entry
        yield msgspec.structs.replace(entry, period=later)
    else:
        yield entry


def _slipped(entry: Entry, chance: random.Random) -> Entry:
    """Return a line with a slip in it: one too few, or some days too early."""
    if entry.quantity > 1:
        return msgspec.structs.replace(entry, quantity=entry.quantity - 1)
    day = entry.occurred_on - timedelta(days=chance.randint(1, 9))
    return msgspec.structs.replace(entry, occurred_on=day)


def _was_of_age(person: Person | None, entry: Entry) -> bool:
    if person is None:
        return False
    day = min(entry.occurred_on, entry.ended_on or entry.occurred_on)
    return (day - person.born_on).days > _ADULT_DAYS


def _is_adverse(entry: Entry) -> bool:
    return packaged_catalogue().classes[entry.class_code].is_adverse


def choose_disputed(entries: Iterable[Entry], most: int) -> list[Entry]:
    """Choose what is disputed in the city: adverse items that stand as they were handed in.

    The first of each class, of somebody who disputes nothing else; at most `most`.
    """
    found = list(entries)
    times: dict[tuple[str, str], int] = {}
    for entry in found:
        number = (entry.source, entry.external_id)
        times[number] = times.get(number, 0) + 1
    chosen: dict[str, Entry] = {}
    for entry in found:
        is_plain = times[entry.source, entry.external_id] == 1 and _is_adverse(entry)
        is_new = entry.person not in {each.person for each in chosen.values()}
        if is_plain and is_new and _was_of_age(entry.person, entry):
            chosen.setdefault(entry.class_code, entry)
    return list(chosen.values())[:most]
