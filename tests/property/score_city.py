"""Random cities to score in PostgreSQL: what stands of each subject, and what stands no more.

Days lie where calendars are hard: at the ends of months, on leap days, at both ends of windows.
Quantities go beyond what a value may be, fingerprints to both ends of their range.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from typing import TypeVar
from uuid import UUID

import msgspec
from hypothesis import strategies as st

from backend.kit.postgres import Database, Tx
from backend.record.rules.life import Record, add_months
from backend.score.rules.scorecard import Scorecard
from tests.property.score_worlds import CATALOGUE, REPORTED_AT, SHIPPED, make_record, scorecards

T = TypeVar("T")

SUBJECTS_MAX = 12
_EDGES = [
    *(date(2024, 2, 28), date(2024, 2, 29), date(2024, 3, 1), date(2025, 2, 28)),
    *(date(2026, 11, 30), date(2026, 12, 31), date(2027, 1, 31), date(2028, 2, 29)),
]
days = st.sampled_from(_EDGES) | st.dates(date(2024, 1, 1), date(2028, 12, 31))


class Standing(msgspec.Struct, frozen=True):
    """One row of `record`; it stands unless it is superseded."""

    record: Record
    is_superseded: bool


class RandomCity(msgspec.Struct, frozen=True):
    """A scorecard, a day, and what is on record about each subject."""

    scorecard: Scorecard
    as_of: date
    rows: dict[UUID, list[Standing]]

    def records(self, subject_id: UUID) -> list[Record]:
        """Return what stands of a subject's records, as the record room would give it."""
        return [each.record for each in self.rows[subject_id] if not each.is_superseded]


@st.composite
def _rows(draw: st.DrawFn, subject_id: UUID, number: int, as_of: date, windows: list[int]):
    record_class = draw(st.sampled_from([*CATALOGUE.classes.values()]))
    back = draw(st.sampled_from([0, 1, *windows]) | st.integers(0, 80))
    occurred_on = add_months(as_of, -back) + timedelta(days=draw(st.integers(-3, 3)))
    lasted = draw(st.none() | st.sampled_from([0, 1, *windows]) | st.integers(0, 80))
    ended_on = None
    if lasted is not None:
        ended_on = max(
            occurred_on, add_months(occurred_on, lasted) + timedelta(days=draw(st.integers(-2, 2)))
        )
    made = make_record(
        record_class,
        number,
        occurred_on=occurred_on,
        ended_on=ended_on,
        quantity=draw(st.integers(1, 40) | st.sampled_from([10**9 - 1, 10**9 + 1, 10**15])),
    )
    held = draw(st.sampled_from(["", "", "", "disputed_at", "repaired_at"]))
    made = msgspec.structs.replace(
        made,
        subject_id=subject_id,
        fingerprint=draw(st.integers(-(2**63), 2**63 - 1)),
        **({held: REPORTED_AT} if held else {}),
    )
    return Standing(made, draw(st.sampled_from([False, False, False, True])))


@st.composite
def cities(draw: st.DrawFn) -> RandomCity:
    """A few subjects under one scorecard, some without any record."""
    scorecard = draw(scorecards)
    as_of = draw(days)
    windows = sorted({each.window_months for each in scorecard.indicators})
    rows = {}
    for place in range(draw(st.integers(1, SUBJECTS_MAX))):
        subject_id = UUID(int=place << 64 | draw(st.integers(0, 2**64 - 1)))
        count = draw(st.integers(0, 8))
        rows[subject_id] = [
            draw(_rows(subject_id, number, as_of, windows)) for number in range(count)
        ]
    return RandomCity(scorecard, as_of, rows)


class Ground:
    """A database and a loop to reach it from a test that Hypothesis calls again and again."""

    def __init__(self, runner: asyncio.Runner, database: Database) -> None:
        self._runner, self._database = runner, database

    def run(self, work: Callable[[Tx], Awaitable[T]]) -> T:
        """Carry something out in a transaction that is rolled back."""
        return self._runner.run(self._rolled_back(work))

    async def _rolled_back(self, work: Callable[[Tx], Awaitable[T]]) -> T:
        found: list[T] = []
        try:
            async with self._database.write() as tx:
                found.append(await work(tx))
                raise _Done
        except _Done:
            return found[0]


class _Done(Exception):
    pass


@contextmanager
def open_ground(url: str) -> Iterator[Ground]:
    """Open a database for as many examples as there are."""
    with asyncio.Runner() as runner:
        database = runner.run(Database.open(url, size=1))
        try:
            yield Ground(runner, database)
        finally:
            runner.run(database.close())


async def lay_down(tx: Tx, city: RandomCity) -> None:
    """Put a city's records and a first, empty score of each subject into the database."""
    rows = [each for held in city.rows.values() for each in held]
    made = [each.record for each in rows]
    await tx.execute(
        """INSERT INTO record (subject_id, record_id, class_code, source_code, external_id, version,
             quantity, occurred_on, ended_on, ends_on, submission_id, reported_at, disputed_at,
             repaired_at, superseded_at, fingerprint)
           SELECT subject_id, gen_random_uuid(), class_code, 'source', external_id, 1, quantity,
                  occurred_on, ended_on, ends_on, gen_random_uuid(), $12, disputed_at, repaired_at,
                  superseded_at, fingerprint
           FROM unnest($1::uuid[], $2::text[], $3::text[], $4::bigint[], $5::date[], $6::date[],
                $7::date[], $8::timestamptz[], $9::timestamptz[], $10::timestamptz[], $11::bigint[])
             AS row (subject_id, class_code, external_id, quantity, occurred_on, ended_on, ends_on,
                     disputed_at, repaired_at, superseded_at, fingerprint)""",
        [each.subject_id for each in made],
        [each.class_code for each in made],
        [each.external_id for each in made],
        [each.quantity for each in made],
        [each.occurred_on for each in made],
        [each.ended_on for each in made],
        [each.ends_on for each in made],
        [each.disputed_at for each in made],
        [each.repaired_at for each in made],
        [REPORTED_AT if each.is_superseded else None for each in rows],
        [each.fingerprint for each in made],
        REPORTED_AT,
    )
    await tx.execute(
        """INSERT INTO score (subject_id, revision, points, identity_points, performance_points,
             law_points, economic_points, civic_points, indicator_values, scorecard_version,
             input_digest, as_of, computed_at, due_on)
           SELECT subject_id, 1, 0, 0, 0, 0, 0, 0, '{}', 'none', sha256(''), $2, $3, $2
           FROM unnest($1::uuid[]) AS subject (subject_id)""",
        list(city.rows),
        city.as_of,
        REPORTED_AT,
    )


__all__ = ["SHIPPED", "Ground", "RandomCity", "cities", "days", "lay_down", "open_ground"]
