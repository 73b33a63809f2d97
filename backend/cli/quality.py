"""Data quality from the command line: counts of lines and marks, by source, class and month."""

import json
from datetime import date, datetime

import click
from rich.console import Console
from rich.table import Table

from backend.cli.environment import command_settings, run
from backend.cli.partner import JSON_OPTION, in_transaction
from backend.kit.clock import SystemClock, city_date
from backend.kit.postgres import Tx
from backend.record import service
from backend.record.rules.quality import FORMULA, WEIGHTS, MonthQuality

COUNTS = (
    *("lines", "accepted", "rejected", "incomplete", "duplicates", "corrections"),
    *("withdrawals", "repairs", "timed", "late"),
)


@click.command()
@click.option("--source", help="Code of one source; all, if left out.")
@click.option(
    "--month", type=click.DateTime(["%Y-%m"]), help="Such as 2026-11; the last 24, if left out."
)
@JSON_OPTION
def quality(*, source: str | None, month: datetime | None, as_json: bool) -> None:
    """Show what came of the lines sources handed in, and their monthly marks (docs/quality.md)."""
    today = city_date(SystemClock().now())

    async def find(tx: Tx) -> list[MonthQuality]:
        return await service.list_quality(
            tx, source_code=source, month=month.date() if month else None, today=today
        )

    found = run(in_transaction(command_settings(), find))
    if as_json:
        facts = {
            "formula": FORMULA,
            "weights": dict(WEIGHTS),
            "items": [_facts_of(each, today) for each in found],
        }
        click.echo(json.dumps(facts))
    elif not found:
        click.echo("Nothing was handed in.")
    else:
        _show(found, today)


def _facts_of(each: MonthQuality, today: date) -> dict[str, object]:
    counts = each.counts
    return {
        "source": counts.source_code,
        "class": counts.class_code,
        "month": f"{counts.month:%Y-%m}",
        "is_running": counts.month == today.replace(day=1),
        "counts": {name: getattr(counts, name) for name in COUNTS},
        "shares_permille": {name: getattr(each.shares, name) for name in WEIGHTS},
        "mark": each.mark,
    }


def _show(found: list[MonthQuality], today: date) -> None:
    table = Table(box=None, pad_edge=False)
    for name in ("month", "source", "class"):
        table.add_column(name, no_wrap=True)
    for name in ("lines", "kept aside", "duplicates", "corrections", "late", "mark"):
        table.add_column(name, justify="right")
    for each in found:
        counts = each.counts
        running = " (running)" if counts.month == today.replace(day=1) else ""
        table.add_row(
            f"{counts.month:%Y-%m}{running}",
            counts.source_code,
            counts.class_code,
            *(str(counts.lines), str(counts.rejected), str(counts.duplicates)),
            str(counts.corrections),
            f"{counts.late} of {counts.timed}" if counts.timed else "unknown",
            "" if each.mark is None else str(each.mark),
        )
    # In a file or a pipe a line stays whole, whatever width is guessed for a terminal.
    console = Console()
    if not console.is_terminal:
        console.width = 200
    console.print(table)
    click.echo("late: of the new reports whose timing is known. More with --json.")
