"""Scores from the command line: work them out anew, and prove that they are right."""

import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import click

from backend.cli.environment import Fault, command_settings, database_url, run
from backend.cli.progress import progress_bar
from backend.kit.clock import SystemClock
from backend.kit.postgres import Database
from backend.score import jobs, service
from backend.score.jobs import RecomputeTotal
from backend.settings import Settings

CONNECTIONS = 2
JSON_OPTION = click.option("--json", "as_json", is_flag=True, help="Print the answer as JSON.")


@click.group()
def score() -> None:
    """Scores of those who take part."""


@score.command("recompute")
@click.option("--all", "is_all", is_flag=True, help="Every score, in one pass.")
@click.option("--changed", "is_changed", is_flag=True, help="Scores that missed a change.")
@click.option("--due", "is_due", is_flag=True, help="Scores that this day may have changed.")
@click.option(
    "--connections",
    type=click.IntRange(1, 8),
    default=CONNECTIONS,
    show_default=True,
    help="How many parts of --all are worked on at once.",
)
@JSON_OPTION
def score_recompute(
    *, is_all: bool, is_changed: bool, is_due: bool, connections: int, as_json: bool
) -> None:
    """Work scores out anew. A pass over all that was interrupted goes on where it stood.

    Started twice, both work on the same pass. The worker does all three by itself when a scorecard
    comes into force, when records change, and each day.
    """
    # Under one name the last of several would win, and nobody would be told.
    said = [
        name
        for name, is_said in (("all", is_all), ("changed", is_changed), ("due", is_due))
        if is_said
    ]
    if len(said) != 1:
        raise click.UsageError("say one of --all, --changed and --due")
    settings = command_settings()
    begin = time.monotonic()
    total = run(_recompute(settings, said[0], connections))
    seconds = round(time.monotonic() - begin, 3)
    if as_json:
        facts = {"seen": total.seen, "changed": total.changed, "seconds": seconds}
        click.echo(json.dumps(facts))
        return
    click.echo(f"{total.changed} of {total.seen} scores changed.")


@score.command("verify")
@click.option("--sample", type=click.IntRange(1, 1_000_000), help="So many, chosen by chance.")
@JSON_OPTION
def score_verify(*, sample: int | None, as_json: bool) -> None:
    """Compare scores as they are kept with the other engine; exit code 1 if any differs."""
    verified = run(_verify(command_settings(), sample))
    if as_json:
        click.echo(json.dumps({"seen": verified.seen, "differing": len(verified.differing)}))
    else:
        click.echo(f"{verified.seen} scores looked at, {len(verified.differing)} differ.")
    if verified.differing:
        raise Fault("scores differ from what their records give: score recompute --all")


async def _recompute(settings: Settings, which: str, connections: int) -> RecomputeTotal:
    clock = SystemClock()
    async with _opened(settings, connections + 1) as database:
        async with database.read() as tx:
            count = await service.count(tx)
        with progress_bar() as bar:
            task = bar.add_task("scores", total=count)
            if which == "all":
                return await jobs.recompute_all(
                    database,
                    clock=clock,
                    connections=connections,
                    on_progress=lambda made: bar.update(task, completed=made.seen),
                )
            work = jobs.recompute_all_due if which == "due" else jobs.recompute_all_changed
            return await work(
                database,
                clock=clock,
                on_progress=lambda total: bar.update(task, completed=total.seen),
            )


async def _verify(settings: Settings, sample: int | None) -> service.Verified:
    async with _opened(settings, 1) as database:
        async with database.read() as tx:
            count = await service.count(tx)
        with progress_bar() as bar:
            task = bar.add_task("scores", total=sample or count)
            return await jobs.verify(
                database,
                clock=SystemClock(),
                sample=sample,
                on_progress=lambda seen: bar.update(task, completed=seen),
            )


@asynccontextmanager
async def _opened(settings: Settings, size: int) -> AsyncIterator[Database]:
    database = await Database.open(database_url(settings), size=size)
    try:
        yield database
    finally:
        await database.close()
