"""What departments would have on record about a person, drawn by the kind of life they lead.

Figures are the rough shape of a city: most people pay on time and borrow now and then, few have
anything against them.
"""

from collections.abc import Callable, Mapping
from datetime import date, timedelta

import msgspec

from backend.cli.city.chance import chance_of
from backend.cli.city.people import Person
from backend.record.rules.life import Action

_CHILDHOOD_DAYS = 14 * 366
_YEAR = 365
_QUARTER = 91


class Entry(msgspec.Struct, frozen=True):
    """One line of a department's file, before it is written.

    `period` is the place of its file among those the department hands in, the oldest first.
    """

    source: str
    class_code: str
    person: Person
    external_id: str
    occurred_on: date
    ended_on: date | None
    quantity: int
    version: int = 1
    action: Action = "report"
    period: int = 0


class _Drawing:
    """Draws the entries of one person, with a generator of their own: nobody changes another's."""

    def __init__(self, person: Person, *, seed: int, as_of: date) -> None:
        self.chance = chance_of(seed, f"conduct:{person.number}")
        self.person = person
        self.entries: list[Entry] = []
        self._seed = seed
        self._as_of = as_of
        self._oldest = max(1, (as_of - person.born_on).days - _CHILDHOOD_DAYS)

    def happens(self, percent: float) -> bool:
        """Draw something that happens to so many of a hundred people."""
        return self.chance.random() * 100 < percent

    def add(
        self,
        source: str,
        class_code: str,
        days_ago: int,
        *,
        ended_days_ago: int | None = None,
        quantity: int = 1,
    ) -> None:
        """Put something on record, under a number of the source's own."""
        initials = "".join(part[0] for part in class_code.split("_"))
        number = f"{initials}{self._seed}-{self.person.number:06d}-{len(self.entries):03d}"
        self.entries.append(
            Entry(
                source=source,
                class_code=class_code,
                person=self.person,
                external_id=number,
                occurred_on=self._day(days_ago),
                ended_on=None if ended_days_ago is None else self._day(ended_days_ago),
                quantity=quantity,
            )
        )

    def lately(self, oldest: int) -> int:
        """Draw how many days ago something was that is reported week by week: often just now."""
        return self.chance.randint(3, 25 if self.happens(30) else oldest)

    def _day(self, days_ago: int) -> date:
        return self._as_of - timedelta(days=min(days_ago, self._oldest))


Habit = Callable[[_Drawing], None]


def _resides(draw: _Drawing) -> None:
    draw.add("public_security_bureau", "residence_registration", draw.chance.randint(200, 6000))


def _has_just_come(draw: _Drawing) -> None:
    draw.add("public_security_bureau", "residence_registration", draw.chance.randint(20, 300))


def _pays_bills(draw: _Drawing) -> None:
    """Bills by half-year and utility; now and then one is late."""
    for source in ("power_company", "water_company", "gas_company")[: draw.chance.randint(1, 3)]:
        for half_year in range(4):
            days_ago = 20 + half_year * 2 * _QUARTER + draw.chance.randint(0, 60)
            late = 1 if draw.happens(4) else 0
            draw.add(source, "utility_paid", days_ago, quantity=draw.chance.randint(4, 6) - late)
            if late:
                draw.add(source, "utility_late", days_ago, quantity=late)


def _borrows(draw: _Drawing) -> None:
    for _ in range(draw.chance.choice((0, 0, 1, 2, 3, 5, 8))):
        quantity = draw.chance.randint(1, 4)
        draw.add("city_library", "library_return", draw.lately(900), quantity=quantity)
    if draw.happens(4):
        draw.add("city_library", "library_overdue", draw.chance.randint(5, 150))


def _borrows_much(draw: _Drawing) -> None:
    for _ in range(draw.chance.randint(4, 14)):
        quantity = draw.chance.randint(1, 6)
        draw.add("city_library", "library_return", draw.lately(900), quantity=quantity)
    if draw.happens(12):
        draw.add("city_library", "library_overdue", draw.chance.randint(5, 150))


def _rides(draw: _Drawing) -> None:
    """Rides by quarter, as the transit group reports them."""
    usual = draw.chance.choice((0, 4, 15, 40, 90))
    for quarter in range(8 if usual else 0):
        quantity = max(1, usual + draw.chance.randint(-usual // 3, usual // 3))
        draw.add("transit_group", "transit_ride_paid", 10 + quarter * _QUARTER, quantity=quantity)
    if usual and draw.happens(5):
        draw.add("transit_group", "transit_fare_unpaid", draw.chance.randint(5, 180))


def _works(draw: _Drawing) -> None:
    for year in range(draw.chance.randint(1, 5)):
        months = 12 if draw.happens(80) else draw.chance.randint(3, 11)
        source = "human_resources_bureau"
        draw.add(source, "social_insurance", 25 + year * _YEAR, quantity=months)
        if draw.happens(85):
            draw.add("tax_bureau", "tax_filing", 150 + year * _YEAR)


def _trades(draw: _Drawing) -> None:
    begun = draw.chance.randint(100, 4000)
    draw.add("market_regulation_bureau", "business_registration", begun)
    if begun % 3 == 0:
        draw.add("city_management_bureau", "licence_decision", begun - 30)
    for year in range(2):
        level = draw.chance.choices((1, 2, 3, 4, 5), weights=(1, 3, 30, 45, 21))[0]
        draw.add("tax_bureau", "tax_level", 210 + year * _YEAR, quantity=level)
    for _ in range(draw.chance.randint(0, 3)):
        draw.add("credit_office", "pledge_kept", draw.chance.randint(30, 1000))
    for order in range(draw.chance.choice((0, 0, 0, 4, 8))):
        quantity = draw.chance.randint(1, 60)
        days_ago = draw.chance.randint(10, 900)
        class_code = "warehousing_performed" if order % 4 == 3 else "logistics_performed"
        draw.add("logistics_association", class_code, days_ago, quantity=quantity)
    if draw.happens(3):
        draw.add("credit_office", "pledge_broken", draw.chance.randint(10, 700))
    if draw.happens(6):
        draw.add("market_regulation_bureau", "penalty_general", draw.chance.randint(20, 900))


def _practises(draw: _Drawing) -> None:
    if draw.happens(60):
        draw.add("human_resources_bureau", "professional_licence", draw.chance.randint(200, 5000))
    for _ in range(draw.chance.choice((0, 1, 1, 2))):
        draw.add(
            "human_resources_bureau", "vocational_qualification", draw.chance.randint(60, 5000)
        )
    for _ in range(draw.chance.choice((0, 0, 0, 1, 2))):
        days_ago = draw.chance.randint(30, 1700)
        draw.add("intellectual_property_office", "intellectual_property", days_ago)


def _rents(draw: _Drawing) -> None:
    for quarter in range(draw.chance.choice((0, 0, 2, 4))):
        draw.add("housing_rental_centre", "rental_performed", 15 + quarter * _QUARTER)
    if draw.happens(1):
        draw.add("housing_rental_centre", "rental_default", draw.chance.randint(10, 500))


def _volunteers(draw: _Drawing) -> None:
    for _ in range(draw.chance.choice((0, 0, 0, 1, 3, 6))):
        hours = draw.chance.randint(1, 8)
        days_ago = draw.lately(800)
        draw.add("volunteer_federation", "volunteer_service", days_ago, quantity=hours)
    if draw.happens(1.5):
        draw.add("civic_office", "civic_honour", draw.chance.randint(30, 1500))


def _errs(draw: _Drawing) -> None:
    """What few people have against them; the conduct ended before it was decided upon."""
    for source, class_code, percent, oldest in (
        ("city_management_bureau", "penalty_minor", 4.0, 200),
        ("city_management_bureau", "penalty_general", 1.0, 600),
        ("city_management_bureau", "penalty_serious", 0.2, 1500),
        ("intermediate_court", "court_enforcement", 0.4, 1500),
    ):
        if draw.happens(percent):
            days_ago = draw.chance.randint(3, oldest)
            ended = days_ago + draw.chance.randint(10, 60)
            draw.add(source, class_code, days_ago, ended_days_ago=ended)


def _reads(draw: _Drawing) -> None:
    """林晓, whom the library lends to without a deposit."""
    draw.add("public_security_bureau", "residence_registration", 2200)
    for month in range(10):
        draw.add("city_library", "library_return", 12 + month * 40, quantity=2 + month % 3)
    for half_year in range(2):
        draw.add("power_company", "utility_paid", 30 + half_year * 180, quantity=6)
        draw.add("water_company", "utility_paid", 35 + half_year * 180, quantity=6)
    for quarter in range(8):
        draw.add("transit_group", "transit_ride_paid", 10 + quarter * _QUARTER, quantity=45)
    for year in range(4):
        draw.add("human_resources_bureau", "social_insurance", 25 + year * _YEAR, quantity=12)
    for year in range(3):
        draw.add("tax_bureau", "tax_filing", 150 + year * _YEAR)
    for month in range(6):
        draw.add("volunteer_federation", "volunteer_service", 20 + month * 60, quantity=5)


def _begins(draw: _Drawing) -> None:
    """周平, who has just come: hardly anything on record, and nothing bad."""
    draw.add("public_security_bureau", "residence_registration", 130)
    draw.add("transit_group", "transit_ride_paid", 15, quantity=6)


def _is_young(draw: _Drawing) -> None:
    """陈晨, who is fifteen: a reader, but too young to take part."""
    for month in range(3):
        draw.add("city_library", "library_return", 14 + month * 30, quantity=2)


HABITS: Mapping[str, tuple[Habit, ...]] = {
    "office": (_resides, _pays_bills, _works, _rides, _borrows, _rents, _volunteers, _errs),
    "business": (_resides, _pays_bills, _trades, _works, _rides, _errs),
    "professional": (_resides, _pays_bills, _works, _practises, _rides, _borrows, _errs),
    "student": (_has_just_come, _borrows_much, _rides, _volunteers, _errs),
    "retired": (_resides, _pays_bills, _borrows, _rides, _volunteers, _errs),
    "newcomer": (_has_just_come, _rides, _rents),
    "reader": (_reads,),
    "thin": (_begins,),
    "minor": (_is_young,),
}


def draw_conduct(person: Person, *, seed: int, as_of: date) -> list[Entry]:
    """Draw what has happened in a person's life that departments would have on record."""
    drawing = _Drawing(person, seed=seed, as_of=as_of)
    for habit in HABITS[person.life]:
        habit(drawing)
    return drawing.entries
