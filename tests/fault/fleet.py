"""PostgreSQL, Valkey, API and worker as processes of their own, to be killed and started again.

`creditplus local` stops everything when one of them ends; here each comes back alone, as a
service manager would bring it back. The servers keep what a crash leaves them.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx

from backend.kit.child import bound_to_us
from backend.kit.embedded import EmbeddedServer, start_postgres, start_valkey
from backend.settings import Settings, load_settings
from tests.support.stack import FIRST_START_SECONDS, Stack

ROOT = Path(__file__).parents[2]
SERVERS = ("postgres", "valkey")
PROGRAMS = {"api": "serve", "worker": "worker"}
NAMES = (*SERVERS, *PROGRAMS)
READY_SECONDS = 30


class Fleet:
    """The four processes on the directory of a local stack that was started and stopped.

    Make and revive it in the thread that ends it.
    """

    def __init__(self, directory: Path) -> None:
        first = Stack(directory)
        try:
            first.wait_until_ready(FIRST_START_SECONDS)
        finally:
            first.end()
        self.directory = directory
        self.origin = f"http://127.0.0.1:{first.port}"
        self._programs: dict[str, subprocess.Popen[bytes]] = {}
        self._servers: dict[str, EmbeddedServer] = {}
        self._revive_servers()
        demo, keys = directory / "demo", directory / "keys"
        self.environment = {
            **first.environment,
            "CREDIT_CODE_FILE": str(demo / "codes.log"),
            "CREDIT_DATABASE_URL": self._servers["postgres"].url,
            "CREDIT_DIGEST_KEY_FILE": str(keys / "digest_key"),
            "CREDIT_IDENTITY_REGISTER_FILE": str(demo / "identity-register"),
            "CREDIT_KEK_FILE": str(keys / "kek"),
            "CREDIT_VALKEY_URL": self._servers["valkey"].url,
        }

    @property
    def settings(self) -> Settings:
        """The settings every process here has."""
        return load_settings(self.environment)

    @property
    def database_url(self) -> str:
        """The database, as its owner."""
        return self.environment["CREDIT_DATABASE_URL"]

    def command(self, *words: str) -> subprocess.Popen[str]:
        """Start a command beside the service."""
        return subprocess.Popen(
            bound_to_us([sys.executable, "-m", "backend", *words]),
            cwd=ROOT,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def kill(self, name: str, *children: int) -> None:
        """Kill one process with a signal that nothing can catch, and children that would stay."""
        if name in SERVERS:
            server = self._servers[name]
            for pid in (server.pid, *children):
                os.kill(pid, signal.SIGKILL)
            server.stop()  # lets go of what it held: it is dead
        else:
            self._programs[name].kill()
            self._programs[name].wait()

    def revive(self) -> None:
        """Start whatever does not run, and wait until requests succeed again."""
        self._revive_servers()
        deadline = time.monotonic() + READY_SECONDS
        while True:
            self._revive_programs()
            if self._is_ready():
                return
            assert time.monotonic() < deadline, self.last_words()
            time.sleep(0.05)

    def stop(self) -> None:
        """Stop everything, politely."""
        for program in self._programs.values():
            program.terminate()
        for program in self._programs.values():
            program.wait(10)
        for server in self._servers.values():
            server.stop()

    def faults(self) -> list[str]:
        """Return the lines in which API or worker speak of a programmer's error."""
        return [
            line
            for name in PROGRAMS
            for line in self._log(name).read_text(errors="replace").splitlines()
            if _is_fault(line)
        ]

    def last_words(self) -> str:
        """Return the end of every log."""
        return "\n".join(self._log(name).read_text(errors="replace")[-2000:] for name in PROGRAMS)

    def _log(self, name: str) -> Path:
        return self.directory / f"{name}.log"

    def _revive_servers(self) -> None:
        for name, start in (("postgres", start_postgres), ("valkey", start_valkey)):
            if name not in self._servers or self._servers[name].poll() is not None:
                self._servers[name] = start(self.directory / name)

    def _revive_programs(self) -> None:
        for name, command in PROGRAMS.items():
            if name in self._programs and self._programs[name].poll() is None:
                continue
            with self._log(name).open("ab") as log:
                self._programs[name] = subprocess.Popen(
                    bound_to_us([sys.executable, "-m", "backend", command]),
                    cwd=ROOT,
                    env=self.environment,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                )

    def _is_ready(self) -> bool:
        try:
            return httpx.get(f"{self.origin}/health/ready", trust_env=False).status_code == 200
        except httpx.HTTPError:
            return False


def _is_fault(line: str) -> bool:
    if not line.startswith("{"):
        return "Traceback" in line
    said = json.loads(line)
    # An event that can't be carried out because PostgreSQL is away is carried out later.
    failed = said["event"] == "event_failed" and said["code"] != "unavailable"
    return failed or said["event"] == "request_failed"
