"""Servers under measurement, each in a process of its own on a core of its own."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from backend.kit.child import bound_to_us

START_SECONDS = 30
STOP_SECONDS = 20
# The machine has at least two: the server has one for itself; load, PostgreSQL and Valkey share
# the other one, so that the ratio says what the server's own work costs.
SERVER_CORE, LOAD_CORE = 0, 1


def free_port() -> int:
    """Return a port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def stay_on(core: int) -> None:
    """Pin this process, and what it starts from now on, to one core."""
    os.sched_setaffinity(0, {core})


@dataclass(frozen=True)
class Served:
    """A server that runs."""

    process: subprocess.Popen[bytes]
    port: int

    def cpu_seconds(self) -> float:
        """How long it has worked, in user and system mode, all its threads together."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def server(
    words: list[str],
    *,
    port: int,
    environ: Mapping[str, str],
    log: Path,
    core: int = SERVER_CORE,
) -> Iterator[Served]:
    """Run `python WORDS` on a core, from its first answer on until the block ends."""
    with log.open("ab") as errors:
        process = subprocess.Popen(
            ["taskset", "-c", str(core), *bound_to_us([sys.executable, *words])],
            stdout=errors,
            stderr=errors,
            env=dict(environ),
        )
    try:
        _wait_for(port, process, log)
        yield Served(process, port)
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(STOP_SECONDS)
        if process.poll() is None:
            process.kill()
            process.wait()


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    raise RuntimeError(f"no server on port {port}: {log.read_text()[-2000:]}")
