"""`creditplus local`: the whole service on one machine, as `scripts/serve` starts it.

A supervisor: it starts servers, API and worker, says when they are ready, and stops all of them
in order when it is told to (Ctrl-C, SIGTERM) or when one of them ends by itself. Nothing is
restarted behind anybody's back. If the supervisor itself is killed, the kernel tells its children
(`bound_to_us`), and the next start waits until the last of them is gone.
"""

import contextlib
import fcntl
import http.client
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Final, Protocol

import click

from backend.cli.environment import Fault, refuse_busy_port, write_local_variables
from backend.cli.local_city import ensure_city, ensure_keys, ready_lines
from backend.cli.stopping import Stop, Stopped
from backend.kit.child import ChildError, bound_to_us, claim, end, open_log
from backend.kit.embedded import start_postgres, start_valkey
from backend.kit.migrate import migrate
from backend.settings import Settings, SettingsFault, load_settings

READY_SECONDS: Final = 30.0
STOP_SECONDS: Final = 6.0  # for API and worker together; the servers take a fraction of a second
LEFTOVER_SECONDS: Final = 10.0
POLL_SECONDS: Final = 0.1


class Running(Protocol):
    """A child of the stack: an embedded server or a process of our own."""

    def poll(self) -> int | None:
        """Give the exit code once it has ended."""


@click.command()
@click.option(
    "--citizens",
    type=click.IntRange(10, 1_000_000),
    default=5000,
    show_default=True,
    help="Size of the demo city made on the first start.",
)
def local(*, citizens: int) -> None:
    """Run the whole service here: servers, schema, demo city, API and worker."""
    try:
        settings = load_settings(os.environ)
    except SettingsFault as fault:
        raise Fault("; ".join(fault.faults)) from None
    if settings.is_production:
        raise Fault("the local stack is a demo: in production run `serve`, `worker` and `migrate`")
    stop = Stop()
    stop.listen()
    try:
        with contextlib.ExitStack() as stack:
            _supervise(settings, stack, stop, citizens=citizens)
    except Stopped:
        click.echo("Stopped.")
    except ChildError as fault:
        raise Fault(str(fault)) from None


def _supervise(
    settings: Settings, stack: contextlib.ExitStack, stop: Stop, *, citizens: int
) -> None:
    directory = _claim(settings.local_dir, stack)
    family = _wait_for_leftovers(directory, stack, stop)
    _refuse_busy_ports(settings)
    variables = ensure_keys(settings, directory)
    children: dict[str, Running] = {}
    if settings.database_url is None:
        postgres = stack.enter_context(start_postgres(directory / "postgres", look=stop.look))
        variables["CREDIT_DATABASE_URL"] = postgres.url
        children["PostgreSQL"] = postgres
    if settings.valkey_url is None:
        valkey = stack.enter_context(start_valkey(directory / "valkey", look=stop.look))
        variables["CREDIT_VALKEY_URL"] = valkey.url
        children["Valkey"] = valkey
    environment = {**os.environ, **variables}
    settings = load_settings(environment)
    assert settings.database_url is not None
    applied = stop.run(migrate(settings.database_url))
    if applied:
        click.echo(f"migrated the schema: {applied[0]} to {applied[-1]}")
    ensure_city(settings, environment, stop, citizens=citizens)
    for name, command in (("API", "serve"), ("worker", "worker")):
        log = stack.enter_context(open_log(directory / f"{command}.log"))
        process = _start(command, environment, log, family)
        # All are asked at once (_ask_to_stop), so waiting for one after the other adds nothing.
        stack.callback(end, process, STOP_SECONDS)
        children[name] = process
    stack.callback(_ask_to_stop, list(children.values()))
    file = write_local_variables(directory, environment)
    stack.callback(file.unlink, missing_ok=True)
    _wait_until_ready(settings, children, directory, stop)
    click.echo("\n".join(ready_lines(settings)))
    while True:
        _refuse_the_dead(children, directory)
        stop.pause(POLL_SECONDS)


def _claim(directory: Path, stack: contextlib.ExitStack) -> Path:
    """Make the directory and claim it for this supervisor; the kernel ends the claim with us."""
    directory = directory.resolve()
    try:
        directory.mkdir(parents=True, exist_ok=True)
        stack.enter_context(claim(directory))
    except OSError as error:
        raise Fault(f"cannot write {directory}: {error.strerror}") from None
    return directory


def _wait_for_leftovers(directory: Path, stack: contextlib.ExitStack, stop: Stop) -> IO[str]:
    """Wait for the children of a killed predecessor; gives the lock that our children inherit.

    A lock of its own, held through an inherited descriptor by each child for as long as it lives:
    no pids to trust, and the kernel does the counting.
    """
    family = stack.enter_context((directory / "children.lock").open("a+"))
    deadline = time.monotonic() + LEFTOVER_SECONDS
    while True:
        try:
            fcntl.flock(family, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise Fault("the API or worker of a killed stack does not end") from None
            stop.pause(POLL_SECONDS)
        else:
            return family


def _refuse_busy_ports(settings: Settings) -> None:
    # Before anything is started: nothing has to be stopped again for it.
    refuse_busy_port(settings.host, settings.port, "CREDIT_PORT")
    refuse_busy_port(settings.metrics_host, settings.metrics_port, "CREDIT_METRICS_PORT")
    if settings.worker_metrics_port:
        port = settings.worker_metrics_port
        refuse_busy_port(settings.metrics_host, port, "CREDIT_WORKER_METRICS_PORT")


def _start(
    command: str, environment: Mapping[str, str], log: IO[bytes], family: IO[str]
) -> subprocess.Popen[bytes]:
    """Start `creditplus COMMAND`; what it says to people goes to our terminal, its log to `log`."""
    return subprocess.Popen(  # noqa: S603 - our own program
        bound_to_us([sys.executable, "-m", "backend", command]),
        stdin=subprocess.DEVNULL,
        stderr=log,
        env=environment,
        pass_fds=(family.fileno(),),
        start_new_session=True,  # Ctrl-C in the terminal reaches us, and we stop it in order
    )


def _ask_to_stop(children: Sequence[Running]) -> None:
    for child in children:
        if isinstance(child, subprocess.Popen):
            child.terminate()


def _wait_until_ready(
    settings: Settings, children: Mapping[str, Running], directory: Path, stop: Stop
) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while not _is_ready(settings):
        _refuse_the_dead(children, directory)
        if time.monotonic() > deadline:
            raise Fault(f"the API is not ready after {READY_SECONDS:.0f} s: see {directory}")
        stop.pause(POLL_SECONDS)


def _is_ready(settings: Settings) -> bool:
    everywhere = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - it is asked, not opened
    host = everywhere.get(settings.host, settings.host)
    connection = http.client.HTTPConnection(host, settings.port, timeout=2)
    try:
        connection.request("GET", "/health/ready")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _refuse_the_dead(children: Mapping[str, Running], directory: Path) -> None:
    for name, child in children.items():
        code = child.poll()
        if code is not None:
            how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
            raise Fault(f"{name} {how}, so everything is stopped: the logs are in {directory}")
