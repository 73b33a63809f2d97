"""Scores from the command line: work them out anew."""

import json

import click

from backend.cli.environment import command_settings, database_url, run
from backend.cli.progress import progress_bar
from backend.kit.clock import SystemClock
from backend.kit.postgres import Database
from backend.score import service
from backend.score.jobs import RecomputeTotal, recompute_all
from backend.settings import Settings

JSON_OPTION = click.option("--json", "as_json", is_flag=True, help="Print the answer as JSON.")


@click.group()
def score() -> None:
    """Scores of those who take part."""


@score.command("recompute")
@JSON_OPTION
def score_recompute(*, as_json: bool) -> None:
    """Work every score out anew."""
    total = run(_recompute(command_settings()))
    if as_json:
        click.echo(json.dumps({"seen": total.seen, "changed": total.changed}))
        return
    click.echo(f"{total.changed} of {total.seen} scores changed.")


async def _recompute(settings: Settings) -> RecomputeTotal:
    database = await Database.open(database_url(settings), size=2)
    try:
        async with database.read() as tx:
            count = await service.count(tx)
        with progress_bar() as bar:
            task = bar.add_task("scores", total=count)
            return await recompute_all(
                database,
                clock=SystemClock(),
                on_progress=lambda total: bar.update(task, completed=total.seen),
            )
    finally:
        await database.close()
