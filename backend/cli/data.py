"""Records from the command line: hand in a file, make a demo city."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date, datetime
from io import SEEK_END, BufferedReader
from pathlib import Path
from typing import Any

import click

from backend.app import Participation, open_vault
from backend.cli.city import handin
from backend.cli.city import seed as city_seed
from backend.cli.city.people import CITIZENS_MAX, CITIZENS_MIN, NAMED
from backend.cli.environment import Fault, command_settings, database_url, run
from backend.cli.progress import progress_bar
from backend.kit.clock import SystemClock, city_date
from backend.kit.crypto import Vault
from backend.kit.postgres import Database
from backend.record import service as record
from backend.record.jobs import send_submission
from backend.record.rules.fault import StoredFault
from backend.record.rules.submission import Submission
from backend.settings import Settings

FAULTS_SHOWN = 20

JSON_OPTION = click.option("--json", "as_json", is_flag=True, help="Print the answer as JSON.")


@click.group()
def submission() -> None:
    """Files of records that source departments hand in."""


@submission.command("send")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--source", required=True, help="Code of the source that hands in.")
@click.option("--class", "class_code", required=True, help="Class of the records.")
@click.option("--batch-id", help="The source's name for this file; else its content names it.")
@JSON_OPTION
def submission_send(
    *, file: Path, source: str, class_code: str, batch_id: str | None, as_json: bool
) -> None:
    """Hand in the CSV FILE; what is wrong with a line keeps that line out, and no other.

    Sent again after an interruption it goes on where it stood; nothing is counted twice.
    """
    settings = command_settings()
    with file.open("rb") as content:
        taken, faults = run(
            _send(settings, content, source=source, class_code=class_code, batch_id=batch_id)
        )
    if as_json:
        click.echo(json.dumps(_submission_facts(taken, faults), ensure_ascii=False))
        return
    click.echo(f"Batch {taken.batch_id}: {taken.accepted} lines in, {taken.rejected} kept aside.")
    for fault in faults[:FAULTS_SHOWN]:
        column = f" {fault.column_name}" if fault.column_name else ""
        click.echo(f"  line {fault.line_number}{column}: {fault.message} ({fault.code})")
    if len(faults) > FAULTS_SHOWN:
        click.echo("  … more with --json")


async def _send(
    settings: Settings,
    content: BufferedReader,
    *,
    source: str,
    class_code: str,
    batch_id: str | None,
) -> tuple[Submission, list[StoredFault]]:
    size = content.seek(0, SEEK_END)
    async with _opened(settings) as (database, vault):
        with progress_bar() as bar:
            task = bar.add_task(class_code, total=size)
            taken = await send_submission(
                database,
                content,
                source_code=source,
                class_code=class_code,
                batch_id=batch_id,
                vault=vault,
                clock=SystemClock(),
                on_progress=lambda done: bar.update(task, completed=done),
            )
            bar.update(task, completed=size)
        async with database.read() as tx:
            return taken, await record.list_faults(tx, submission_id=taken.submission_id)


def _submission_facts(taken: Submission, faults: list[StoredFault]) -> dict[str, Any]:
    return {
        "submission_id": str(taken.submission_id),
        "source": taken.source_code,
        "class": taken.class_code,
        "batch_id": taken.batch_id,
        "accepted": taken.accepted,
        "rejected": taken.rejected,
        "errors": [
            {
                "line": fault.line_number,
                "column": fault.column_name or None,
                "code": fault.code,
                "message": fault.message,
            }
            for fault in faults
        ],
    }


@click.command()
@click.option(
    "--citizens", type=click.IntRange(CITIZENS_MIN, CITIZENS_MAX), default=5000, show_default=True
)
@click.option("--seed", "number", type=click.IntRange(0), default=1, show_default=True)
@click.option(
    "--joined",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="How many people register and join by themselves, besides those the demo names.",
)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where the files go; .local/demo unless said otherwise.",
)
@click.option(
    "--as-of",
    type=click.DateTime(["%Y-%m-%d"]),
    help="The day of the city; that of an earlier run, else today.",
)
@JSON_OPTION
def seed(
    *,
    citizens: int,
    number: int,
    joined: int,
    out: Path | None,
    as_of: datetime | None,
    as_json: bool,
) -> None:
    """Make a demo city and hand its records in; a second run changes nothing."""
    settings = command_settings()
    if settings.is_production:
        raise Fault("production takes no demo city: its people do not exist")
    if joined > citizens - NAMED:
        raise Fault(f"only {citizens - NAMED} people can join in a city of {citizens}")
    directory = out or settings.local_dir / "demo"
    city = _make_city(
        directory, citizens=citizens, number=number, as_of=as_of.date() if as_of else None
    )
    handed, joiners = run(_bring_in(settings, city, directory, joined=joined))
    facts = {
        "citizens": city.citizens,
        "seed": city.seed,
        "as_of": city.as_of.isoformat(),
        "directory": str(directory),
        "files": handed.files,
        "accepted": handed.accepted,
        "rejected": handed.rejected,
        "joined": joiners,
    }
    if as_json:
        click.echo(json.dumps(facts))
        return
    click.echo(
        f"Demo city of {city.citizens} citizens (seed {city.seed}, {city.as_of}) in {directory}:"
        f" {handed.files} files, {handed.accepted} records in, {handed.rejected} lines kept"
        f" aside, {joiners} joined."
    )


def _make_city(directory: Path, *, citizens: int, number: int, as_of: date | None) -> handin.City:
    """Find the city in a directory, or write it; its day stays what it was at first."""
    found = handin.find_city(directory)
    day = as_of or (found.as_of if found else city_date(SystemClock().now()))
    if found and (found.citizens, found.seed, found.as_of) == (citizens, number, day):
        return found
    return handin.write_city(directory, citizens=citizens, seed=number, as_of=day)


async def _bring_in(
    settings: Settings, city: handin.City, directory: Path, *, joined: int
) -> tuple[city_seed.HandedIn, int]:
    register = settings.identity_register_file or directory / "identity-register"
    people = handin.read_people(directory)
    async with _opened(settings) as (database, vault):
        city_seed.write_register(register, people, vault)
        with progress_bar() as bar:
            files = bar.add_task("records", total=sum(file.bytes for file in city.files))
            handed = await city_seed.hand_in(
                database,
                city,
                directory,
                vault=vault,
                clock=SystemClock(),
                on_bytes=lambda done: bar.update(files, completed=done),
            )
            if joined:
                task = bar.add_task("people", total=joined)
            joiners = await city_seed.join(
                database,
                city_seed.who_joins(people[NAMED:], joined),
                register=register,
                hooks=Participation(),
                vault=vault,
                clock=SystemClock(),
                on_person=lambda: bar.advance(task),
            )
    return handed, joiners


@asynccontextmanager
async def _opened(settings: Settings) -> AsyncIterator[tuple[Database, Vault]]:
    vault = open_vault(settings)
    database = await Database.open(database_url(settings), size=2)
    try:
        yield database, vault
    finally:
        await database.close()
