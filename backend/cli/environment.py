"""How a command comes by its settings, and how it says that it can't go on.

A command typed beside a running local stack means that stack: `creditplus local` leaves the
variables it gave its own processes in `.local/environment`, and a command that was told nothing
else reads them from there.
"""

import asyncio
import errno
import os
import socket
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from backend.kit.child import ChildError
from backend.kit.log import configure_logs
from backend.kit.migrate import MigrationError
from backend.kit.problem import PROBLEMS, Refusal, Unavailable
from backend.settings import PREFIX, Settings, SettingsFault, load_settings

T = TypeVar("T")

ENVIRONMENT_FILE: Final = "environment"


class Fault(click.ClickException):
    """One clear line on stderr, exit code 1."""

    def show(self, file: Any = None) -> None:
        """Print the line as it is, without click's "Error:" before it."""
        click.echo(f"creditplus: {self.message}", file=file, err=True)


def command_settings() -> Settings:
    """Read the settings of a command: the environment, else the running local stack's.

    Raises Fault that names everything wrong with them.
    """
    try:
        settings = load_settings(os.environ)
        if settings.database_url is None and not settings.is_production:
            settings = load_settings({**_local_variables(settings.local_dir), **os.environ})
    except SettingsFault as fault:
        raise Fault("; ".join(fault.faults)) from None
    configure_logs(strict=not settings.is_production)
    return settings


def database_url(settings: Settings) -> str:
    """Give the database to work on; Fault when there is none to be found."""
    if settings.database_url is None:
        raise Fault("no database: set CREDIT_DATABASE_URL, or start the stack with scripts/serve")
    return settings.database_url


def write_local_variables(directory: Path, environment: Mapping[str, str]) -> Path:
    """Leave the variables of the running local stack where command_settings finds them."""
    path = directory / ENVIRONMENT_FILE
    path.touch(mode=0o600)
    path.write_text(
        "".join(
            f"{name}={value}\n"
            for name, value in sorted(environment.items())
            if name.startswith(PREFIX) and name != f"{PREFIX}LOCAL_DIR"
        )
    )
    return path


def _local_variables(directory: Path) -> dict[str, str]:
    """Read what a running local stack left, without what the environment says otherwise."""
    try:
        lines = (directory / ENVIRONMENT_FILE).read_text().splitlines()
    except OSError:
        return {}
    said = {name.removesuffix("_FILE") for name in os.environ}
    variables = dict(line.split("=", 1) for line in lines if "=" in line)
    return {
        name: value for name, value in variables.items() if name.removesuffix("_FILE") not in said
    }


def refuse_busy_port(host: str, port: int, name: str) -> None:
    """Raise Fault if nobody could listen there; `name` is the variable that changes it."""
    try:
        with socket.create_server((host, port)):
            pass
    except OSError as error:
        reason = "is in use" if error.errno == errno.EADDRINUSE else f"can't be had ({error})"
        raise Fault(f"{host}:{port} {reason}: set {name} to another port") from None


def run(
    work: Coroutine[Any, Any, T],
    *,
    loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None,
) -> T:
    """Run the asynchronous part of a command; known faults become one clear line."""
    try:
        with asyncio.Runner(loop_factory=loop_factory) as runner:
            return runner.run(work)
    except Unavailable as refusal:
        raise Fault(f"the {refusal.facts['what']} does not answer") from None
    except Refusal as refusal:
        facts = "".join(f", {name}: {value}" for name, value in refusal.facts.items())
        title = PROBLEMS[refusal.code].title
        raise Fault(f"{title} ({refusal.code}{facts})") from None
    except SettingsFault as fault:
        raise Fault("; ".join(fault.faults)) from None
    except (MigrationError, ChildError) as fault:
        raise Fault(str(fault)) from None
