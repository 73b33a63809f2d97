"""`creditplus doctor`: what the service stands on, looked at from where the command runs."""

import sys

import click
import msgspec

from backend.app import health_checks, open_house
from backend.cli.environment import command_settings, database_url, run
from backend.kit.health import Check, CheckView, HealthView, NotReady, examine
from backend.kit.problem import Unavailable
from backend.settings import Settings
from backend.worker import is_working


@click.command()
@click.option("--worker", "ask_worker", is_flag=True, help="Ask for a sign of a worker, too.")
@click.option("--json", "as_json", is_flag=True, help="Print the checks as JSON.")
def doctor(*, ask_worker: bool, as_json: bool) -> None:
    """Check database, schema, Valkey, signing key and outbox; exit code 1 if one is missing."""
    settings = command_settings()
    database_url(settings)
    view = run(_examine(settings, ask_worker=ask_worker))
    if as_json:
        click.echo(msgspec.json.encode(view))
    else:
        for check in view.checks:
            click.echo(f"{'ok ' if check.status == 'ok' else 'NO '} {check.name}: {check.status}")
        click.echo(f"The service is {view.status}.")
    if view.status == "unavailable":
        sys.exit(1)


async def _examine(settings: Settings, *, ask_worker: bool) -> HealthView:
    async def worker() -> None:
        if not await is_working(settings):
            raise NotReady("no worker has said anything for ten seconds")

    try:
        house = await open_house(settings)
    except Unavailable:
        return HealthView("unavailable", [CheckView("database", "does not answer")])
    try:
        checks = health_checks(house) + ([Check("worker", worker)] if ask_worker else [])
        return await examine(checks)
    finally:
        await house.close()
