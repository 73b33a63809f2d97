"""Working days from the command line: take a year in, see what is known."""

import json
from datetime import date
from itertools import groupby
from pathlib import Path

import click

from backend.calendar import service
from backend.calendar.rules import (
    FILE_BYTES_MAX,
    YEAR_MAX,
    YEAR_MIN,
    CalendarImport,
    WorkDay,
    read_days,
)
from backend.cli.environment import Fault, command_settings, run
from backend.cli.partner import JSON_OPTION, in_transaction
from backend.kit.clock import SystemClock, city_date
from backend.kit.postgres import Tx

_WEEKEND = 5


@click.group()
def calendar() -> None:
    """Working days, in which the law's time limits run."""


@calendar.command("import")
@click.argument(
    "file", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@JSON_OPTION
def calendar_import(*, file: Path | None, as_json: bool) -> None:
    """Take in the years of FILE, a CSV of whole years: day,is_working (1 or 0), every day once.

    Without FILE: the years this release brings. Days that are known otherwise are corrected, and
    named.
    """
    done = run(_import(file))
    if as_json:
        corrected = [
            {"day": each.day.isoformat(), "is_working": each.is_working} for each in done.corrected
        ]
        click.echo(json.dumps({"added": done.added, "corrected": corrected}))
        return
    click.echo(f"{done.added} days are new, {len(done.corrected)} were corrected.")
    for each in done.corrected:
        click.echo(f"  {each.day} {'is' if each.is_working else 'is not'} a working day")


async def _import(file: Path | None) -> CalendarImport:
    days = service.packaged_days() if file is None else read_days(_content(file))

    async def take_in(tx: Tx) -> CalendarImport:
        return await service.import_days(tx, days=days, now=SystemClock().now())

    return await in_transaction(command_settings(), take_in)


def _content(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            return opened.read(FILE_BYTES_MAX + 1)
    except OSError:
        raise Fault(f"{file} can't be read") from None


@calendar.command("show")
@click.option("--year", type=click.IntRange(YEAR_MIN, YEAR_MAX), help="This year, if left out.")
@JSON_OPTION
def calendar_show(*, year: int | None, as_json: bool) -> None:
    """Show where a year differs from plain weeks: holidays, and weekends that are worked."""
    chosen = year or city_date(SystemClock().now()).year

    async def find(tx: Tx) -> list[WorkDay]:
        return await service.list_year(tx, year=chosen)

    days = run(in_transaction(command_settings(), find))
    working = sum(each.is_working for each in days)
    if as_json:
        facts = {
            "year": chosen,
            "working_days": working,
            "days": [{"day": each.day.isoformat(), "is_working": each.is_working} for each in days],
        }
        click.echo(json.dumps(facts))
        return
    click.echo(f"{chosen}: {len(days)} days are known, {working} of them working days.")
    for is_working, first, last in _unusual(days):
        span = f"{first:%a %d %b}" + ("" if first == last else f" to {last:%a %d %b}")
        click.echo(f"  {'worked ' if is_working else 'holiday'}  {span}")


def _unusual(days: list[WorkDay]) -> list[tuple[bool, date, date]]:
    """Give the runs of days off that hold a weekday, and the weekend days that are worked."""
    found: list[tuple[bool, date, date]] = []
    for is_working, group in groupby(days, key=lambda each: each.is_working):
        run_of_days = [each.day for each in group]
        if is_working:
            weekend = [day for day in run_of_days if day.weekday() >= _WEEKEND]
            found += [(True, day, day) for day in weekend]
        elif any(day.weekday() < _WEEKEND for day in run_of_days):
            found.append((False, run_of_days[0], run_of_days[-1]))
    return found
