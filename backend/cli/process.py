"""The commands that serve until they are told to stop: `serve` and `worker`."""

import click
import uvloop

from backend.asgi import serve as serve_http
from backend.cli.environment import (
    Fault,
    command_settings,
    database_url,
    refuse_busy_port,
    run,
)
from backend.kit.migrate import schema_version, schema_window
from backend.kit.postgres import Database
from backend.settings import Settings
from backend.worker import work


@click.command()
def serve() -> None:
    """Serve the API and the pages until SIGTERM or Ctrl-C."""
    settings = _settings()
    refuse_busy_port(settings.host, settings.port, "CREDIT_PORT")
    refuse_busy_port(settings.metrics_host, settings.metrics_port, "CREDIT_METRICS_PORT")
    run(serve_http(settings), loop_factory=uvloop.new_event_loop)


@click.command()
def worker() -> None:
    """Carry out background jobs until SIGTERM or Ctrl-C."""
    settings = _settings()
    if settings.worker_metrics_port:
        port = settings.worker_metrics_port
        refuse_busy_port(settings.metrics_host, port, "CREDIT_WORKER_METRICS_PORT")
    run(work(settings), loop_factory=uvloop.new_event_loop)


def _settings() -> Settings:
    """Read the settings of a process that serves; Fault unless it can work on the schema."""
    settings = command_settings()
    url = database_url(settings)
    if settings.valkey_url is None:
        raise Fault("no Valkey: set CREDIT_VALKEY_URL")
    fault = run(_schema_fault(url))
    if fault is not None:
        raise Fault(fault)
    return settings


async def _schema_fault(url: str) -> str | None:
    # As the owner: before the first migration there is no role of the application's yet.
    database = await Database.open(url, size=1, role=None)
    try:
        async with database.read() as tx:
            return schema_window().fault(await schema_version(tx))
    finally:
        await database.close()
