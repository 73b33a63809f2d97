"""`creditplus seed`: make a demo city and hand its records in."""

import json
from datetime import date, datetime
from pathlib import Path

import click

from backend.app import Participation
from backend.cli.city import handin
from backend.cli.city import seed as city_seed
from backend.cli.city.people import CITIZENS_MAX, CITIZENS_MIN, NAMED
from backend.cli.environment import Fault, command_settings, run
from backend.cli.progress import progress_bar
from backend.cli.submission import JSON_OPTION, opened
from backend.kit.clock import SystemClock, city_date
from backend.settings import Settings


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
    handed, disputed, joiners = run(_bring_in(settings, city, directory, joined=joined))
    facts = {
        "citizens": city.citizens,
        "seed": city.seed,
        "as_of": city.as_of.isoformat(),
        "directory": str(directory),
        "files": handed.files,
        "accepted": handed.accepted,
        "rejected": handed.rejected,
        "disputed": disputed,
        "joined": joiners,
    }
    if as_json:
        click.echo(json.dumps(facts))
        return
    click.echo(
        f"Demo city of {city.citizens} citizens (seed {city.seed}, {city.as_of}) in {directory}:"
        f" {handed.files} files, {handed.accepted} lines in, {handed.rejected} kept aside,"
        f" {disputed} items disputed, {joiners} people joined."
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
) -> tuple[city_seed.HandedIn, int, int]:
    register = settings.identity_register_file or directory / "identity-register"
    people = handin.read_people(directory)
    async with opened(settings) as (database, vault):
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
            disputed = await city_seed.dispute(
                database, city, people, vault=vault, clock=SystemClock()
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
    return handed, disputed, joiners
