"""The local stack as a process of its own, for tests that need the whole service."""

import itertools
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
FIRST_START_SECONDS = 120
STOP_SECONDS = 10
CITIZENS = 40


# Below the ports that systems give to whoever connects (from 32768): one of those may be taken
# between being found free and being listened on. Each process of the tests begins elsewhere.
_PORTS = itertools.count(20_000 + os.getpid() % 1_000 * 12)


def free_port() -> int:
    """Return a port nobody listens on now, and that no other call of this process returned."""
    for port in _PORTS:
        try:
            with socket.create_server(("127.0.0.1", port)):
                return port
        except OSError:
            continue
    raise AssertionError("ports don't end")


class Stack:
    """A run of `creditplus local`."""

    def __init__(self, directory: Path, **variables: str) -> None:
        self.port = int(variables.get("CREDIT_PORT") or free_port())
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(directory.parent),
            "CREDIT_LOCAL_DIR": str(directory),
            "CREDIT_PORT": str(self.port),
            "CREDIT_METRICS_PORT": str(free_port()),
            "CREDIT_WORKER_METRICS_PORT": str(free_port()),
            **variables,
        }
        self.directory = directory
        self.lines: list[str] = []
        self._started = time.monotonic()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "backend", "local", "--citizens", str(CITIZENS)],
            cwd=ROOT,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip())

    @property
    def output(self) -> str:
        """What it said on stdout so far."""
        return "\n".join(self.lines)

    def wait_until_ready(self, seconds: float) -> float:
        """Wait for the last of the ready lines; gives the seconds since the start."""
        while not any("Ctrl-C" in line for line in self.lines):
            assert self.process.poll() is None, self.errors()
            assert time.monotonic() - self._started < seconds, self.output
            time.sleep(0.02)
        return time.monotonic() - self._started

    def errors(self) -> str:
        """What it said on stderr, once it has ended."""
        assert self.process.stderr is not None
        return self.process.stderr.read()

    def wait(self, seconds: float = STOP_SECONDS) -> int:
        """Wait until it has ended; gives its exit code."""
        return self.process.wait(seconds)

    def end(self) -> None:
        """Whatever happened: nothing of it stays."""
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(STOP_SECONDS)
