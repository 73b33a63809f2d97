"""Goal: an operator takes years of working days in and corrects them, and readiness says when the
known days run out.

Method: verbs on a transaction, the commands on a database of the test's own, readiness on the real
application with its clock set.
"""

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from backend.__main__ import main
from backend.app import House, health_checks
from backend.calendar import service as calendar
from backend.calendar.rules import DayChange, WorkDay
from backend.kit.clock import FixedClock
from backend.kit.health import examine
from backend.kit.postgres import Database, Tx
from backend.kit.problem import Refusal
from tests.conftest import DIGEST_KEY, KEK, NOW, encoded_key

Run = Callable[..., Result]


def year_of(year: int) -> list[WorkDay]:
    """Make a year of plain weeks, as one that no library knows."""
    count = (date(year + 1, 1, 1) - date(year, 1, 1)).days
    days = [date(year, 1, 1) + timedelta(days=place) for place in range(count)]
    return [WorkDay(day, day.weekday() < 5) for day in days]


def write_year(path: Path, days: list[WorkDay]) -> None:
    """Write the file an operator imports."""
    lines = [f"{each.day},{int(each.is_working)}\n" for each in days]
    path.write_text("day,is_working\n" + "".join(lines))


@pytest.fixture
def run(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command in an environment that names this test's database."""
    monkeypatch.chdir(tmp_path)
    environment = {
        "CREDIT_DATABASE_URL": database_url,
        "CREDIT_KEK": encoded_key(KEK),
        "CREDIT_DIGEST_KEY": encoded_key(DIGEST_KEY),
    }

    def call(*words: str) -> Result:
        return CliRunner().invoke(main, ("calendar", *words), env=environment)

    return call


async def test_what_was_imported_is_looked_up_and_what_was_not_is_unknown(tx: Tx) -> None:
    await calendar.import_packaged(tx, now=NOW)
    found = await calendar.get_calendar(tx, first=date(2026, 2, 1), last=date(2026, 3, 31))
    assert found.add_working_days(date(2026, 2, 13), 7) == date(2026, 3, 2)
    with pytest.raises(Refusal, match="calendar_unknown"):
        found.add_working_days(date(2026, 3, 31), 1)
    with pytest.raises(Refusal, match="calendar_unknown"):
        await calendar.list_year(tx, year=2027)


async def test_a_correction_names_the_days_and_is_seen_at_once(tx: Tx) -> None:
    await calendar.import_packaged(tx, now=NOW)
    bridge = date(2026, 9, 28)  # a Monday
    corrected = [
        WorkDay(each.day, False) if each.day == bridge else each
        for each in await calendar.list_year(tx, year=2026)
    ]
    # At the same moment, as a test's clock would have it: nobody may go by the time alone.
    done = await calendar.import_days(tx, days=corrected, now=NOW)
    assert (done.added, done.corrected) == (0, [DayChange(bridge, True, False)])
    found = await calendar.get_calendar(tx, first=bridge, last=bridge)
    assert found.count(bridge, bridge).working == 0


async def test_a_new_release_brings_new_years_and_keeps_what_a_city_corrected(tx: Tx) -> None:
    await calendar.import_packaged(tx, now=NOW)
    days = await calendar.list_year(tx, year=2026)
    changed = [WorkDay(each.day, each.is_working and each.day.month != 9) for each in days]
    await calendar.import_days(tx, days=changed, now=NOW)
    again = await calendar.import_packaged(tx, now=NOW)
    assert (again.added, again.corrected) == (0, [])
    assert await calendar.list_year(tx, year=2026) == changed


async def test_days_are_known_until_the_first_gap(tx: Tx) -> None:
    await calendar.import_packaged(tx, now=NOW)
    today = date(2026, 11, 20)
    assert await calendar.find_known_until(tx, today=today) == date(2026, 12, 31)
    await calendar.import_days(tx, days=year_of(2028), now=NOW)
    assert await calendar.find_known_until(tx, today=today) == date(2026, 12, 31)
    await calendar.import_days(tx, days=year_of(2027), now=NOW)
    assert await calendar.find_known_until(tx, today=today) == date(2028, 12, 31)
    assert await calendar.find_known_until(tx, today=date(2029, 1, 1)) is None


async def _said(house: House) -> str:
    view = await examine([each for each in health_checks(house) if each.name == "work_calendar"])
    assert view.status in {"ok", "degraded"}, "the service goes on without"
    return view.checks[0].status


async def test_readiness_warns_sixty_days_before_known_days_end(
    house: House, clock: FixedClock, database: Database
) -> None:
    async with database.write() as tx:
        await calendar.import_packaged(tx, now=NOW)
    clock.advance(datetime(2026, 11, 1, 16, 0, tzinfo=UTC) - NOW)  # 2 November in the city
    assert "known until 2026-12-31 only" in await _said(house)
    clock.advance(timedelta(seconds=-1))
    assert await _said(house) == "ok"
    clock.advance(timedelta(days=61))
    assert "today is not in the working-day calendar" in await _said(house)


def test_the_library_is_imported_and_a_year_is_shown(run: Run) -> None:
    first = run("import", "--json")
    assert first.exit_code == 0, first.output
    # A clone of the template has them already; what matters is that nothing is left to add.
    assert json.loads(run("import", "--json").stdout) == {"added": 0, "corrected": []}
    shown = run("show", "--year", "2026").stdout
    assert "worked   Sat 14 Feb\n  holiday  Sun 15 Feb to Mon 23 Feb" in shown
    facts = json.loads(run("show", "--year", "2026", "--json").stdout)
    assert (facts["year"], len(facts["days"]), facts["working_days"]) == (2026, 365, 248)
    assert {"day": "2026-02-14", "is_working": True} in facts["days"]


def test_a_year_comes_from_a_file_and_a_second_one_corrects_it(run: Run, tmp_path: Path) -> None:
    days = year_of(2027)
    write_year(tmp_path / "2027.csv", days)
    assert run("import", "2027.csv").stdout == "365 days are new, 0 were corrected.\n"
    days[0] = WorkDay(days[0].day, False)
    write_year(tmp_path / "2027.csv", days)
    assert run("import", "2027.csv").stdout == (
        "0 days are new, 1 were corrected.\n  2027-01-01 is not a working day\n"
    )


def test_a_partial_year_changes_nothing(run: Run, tmp_path: Path) -> None:
    write_year(tmp_path / "2027.csv", year_of(2027)[:200])
    refused = run("import", "2027.csv")
    assert refused.exit_code == 1
    assert "2027: 165 days are missing" in refused.stderr
    unknown = run("show", "--year", "2027")
    assert unknown.exit_code == 1
    assert "calendar_unknown" in unknown.stderr
