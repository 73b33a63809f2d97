"""The commands that prepare a place to run in: migrate, env-example."""

import json

import click

from backend.cli.environment import command_settings, database_url, run
from backend.kit.migrate import migrate as apply_migrations
from backend.kit.migrate import schema_window
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


@click.command("env-example")
def env_example() -> None:
    """Print every environment variable with its meaning, as in .env.example."""
    click.echo(env_example_text(), nl=False)
