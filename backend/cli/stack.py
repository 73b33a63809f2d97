"""The commands that run the service and look after it: serve, worker, migrate, doctor."""

import json
import sys

import click
import msgspec

from backend.cli.environment import command_settings, database_url, run
from backend.kit.health import (
    Check,
    CheckView,
    HealthView,
    database_check,
    examine,
    schema_check,
    valkey_check,
)
from backend.kit.migrate import migrate as apply_migrations
from backend.kit.migrate import schema_window
from backend.kit.postgres import Database
from backend.kit.problem import Unavailable
from backend.kit.valkey import Valkey
from backend.settings import Settings
from backend.settings import env_example as env_example_text


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the names as JSON.")
def migrate(*, as_json: bool) -> None:
    """Bring the database schema up to this release's."""
    settings = command_settings()
    applied = run(apply_migrations(database_url(settings)))
    if as_json:
        click.echo(json.dumps({"applied": applied}))
        return
    for name in applied:
        click.echo(f"migrated {name}")
    click.echo(f"The schema is at {schema_window().newest:04}.")


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the checks as JSON.")
def doctor(*, as_json: bool) -> None:
    """Check what the service stands on: database, schema, Valkey; exit code 1 if one is away."""
    view = run(_examine(command_settings()))
    if as_json:
        click.echo(msgspec.json.encode(view))
    else:
        for check in view.checks:
            click.echo(f"{'ok ' if check.status == 'ok' else 'NO '} {check.name}: {check.status}")
        click.echo(f"The service would be {view.status}.")
    if view.status == "unavailable":
        sys.exit(1)


async def _examine(settings: Settings) -> HealthView:
    checks: list[Check] = []
    database, valkey = None, None
    try:
        database = await Database.open(database_url(settings), size=2, role=None)
        checks += [database_check(database), schema_check(database, schema_window())]
    except Unavailable:
        missing = [CheckView("database", "does not answer")]
    else:
        missing = []
    if settings.valkey_url is not None:
        valkey = Valkey.open(settings.valkey_url)
        checks.append(valkey_check(valkey))
    view = await examine(checks)
    if database is not None:
        await database.close()
    if valkey is not None:
        await valkey.close()
    status = "unavailable" if missing else view.status
    return HealthView(status, missing + view.checks)


@click.command("env-example")
def env_example() -> None:
    """Print every environment variable with its meaning, as in .env.example."""
    click.echo(env_example_text(), nl=False)
