"""The floor of a recompute: the same aggregates for the packaged scorecard, written by hand.

One INSERT … SELECT … GROUP BY into a table with the same columns and key, on one connection; no
curves, no caps, no comparison with what was there, no history.
"""

from datetime import date

import asyncpg

from backend.record.rules.life import add_months

CREATE = """
CREATE TABLE bare (subject_id uuid PRIMARY KEY, {columns}, due_on date, fingerprint numeric,
    records bigint)
"""
INSERT = """
INSERT INTO bare SELECT subject_id, {aggregates},
    min(least(ends_on, (occurred_on + interval '24 months')::date)),
    sum(fingerprint), count(*)
FROM record
WHERE superseded_at IS NULL AND disputed_at IS NULL AND repaired_at IS NULL
    AND occurred_on <= '{today}' AND (ends_on IS NULL OR ends_on > '{today}')
GROUP BY subject_id
"""
_PENALTIES = "'penalty_minor', 'penalty_general', 'penalty_serious'"
# (what is taken of the rows, the classes, the window in months; 0: no window)
_AGGREGATES = (
    ("{months}", "'residence_registration'", 0),
    ("{months}", "'professional_licence'", 0),
    ("count(*)", "'vocational_qualification'", 240),
    ("sum(quantity)", "'utility_paid'", 12),
    ("sum(quantity)", "'utility_late'", 12),
    ("sum(quantity)", "'library_return'", 24),
    ("sum(quantity)", "'library_overdue'", 3),
    ("sum(quantity)", "'transit_ride_paid'", 24),
    ("sum(quantity)", "'transit_fare_unpaid'", 3),
    ("sum(quantity)", "'rental_performed'", 12),
    ("sum(quantity)", "'rental_default'", 12),
    ("sum(quantity)", "'logistics_performed'", 24),
    ("count(*)", "'pledge_kept'", 36),
    ("count(*)", "'pledge_broken'", 12),
    ("count(*)", _PENALTIES, 36),
    ("count(*)", "'penalty_serious'", 36),
    ("count(*)", "'court_enforcement'", 24),
    ("max(occurred_on)", _PENALTIES, 36),
    ("count(*)", "'tax_filing'", 36),
    ("max(quantity)", "'tax_level'", 24),
    ("sum(quantity)", "'social_insurance'", 60),
    ("{months}", "'business_registration'", 0),
    ("count(*)", "'intellectual_property'", 60),
    ("sum(quantity)", "'volunteer_service'", 24),
    ("max(occurred_on)", "'volunteer_service'", 24),
    ("count(*)", "'civic_honour'", 60),
)
_MONTHS = (
    "max((extract(year FROM age('{today}', occurred_on)) * 12"
    " + extract(month FROM age('{today}', occurred_on)))::int)"
)


async def create(connection: "asyncpg.Connection[asyncpg.Record]") -> None:
    """Make the table that the floor writes to."""
    columns = ", ".join(
        f"a{number} {'date' if '(occurred_on)' in taken else 'numeric'}"
        for number, (taken, _, _) in enumerate(_AGGREGATES)
    )
    await connection.execute(CREATE.format(columns=columns))


async def insert(connection: "asyncpg.Connection[asyncpg.Record]", today: date) -> None:
    """Fill the emptied table from all records."""
    aggregates = ", ".join(
        _aggregate(taken, classes, months, today) for taken, classes, months in _AGGREGATES
    )
    await connection.execute(INSERT.format(aggregates=aggregates, today=today))


def _aggregate(taken: str, classes: str, months: int, today: date) -> str:
    value = taken.format(months=_MONTHS.format(today=today))
    matching = f"= {classes}" if classes.count("'") == 2 else f"IN ({classes})"
    window = f" AND occurred_on > '{add_months(today, -months)}'" if months else ""
    return f"{value} FILTER (WHERE class_code {matching}{window})"
