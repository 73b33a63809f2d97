"""A PostgreSQL and a Valkey of a test's own, to be stopped, frozen, killed and started again."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from backend.kit.embedded import EmbeddedServer, start_postgres, start_valkey


class Servers:
    """Both on one directory. Start them in the thread that ends them: the kernel looks at that."""

    def __init__(self, directory: Path, *, durable: bool = False) -> None:
        self._directory, self._durable = directory, durable
        self.postgres: EmbeddedServer
        self.valkey: EmbeddedServer
        self.start_postgres()
        self.start_valkey()

    def start_postgres(self) -> None:
        """Start it, on the data it had."""
        self.postgres = start_postgres(self._directory / "pg", durable=self._durable)

    def start_valkey(self) -> None:
        """Start it, empty."""
        self.valkey = start_valkey(self._directory / "vk")

    def revive(self) -> None:
        """Start what does not run."""
        if self.postgres.poll() is not None:
            self.start_postgres()
        if self.valkey.poll() is not None:
            self.start_valkey()

    def kill(self, server: EmbeddedServer) -> None:
        """Kill a server with a signal that nothing can catch."""
        os.kill(server.pid, signal.SIGKILL)
        server.stop()  # lets go of what it held: it is dead

    @contextmanager
    def frozen(self, server: EmbeddedServer) -> Iterator[None]:
        """Stop a server from answering without closing its connections."""
        pids = [server.pid, *_children(server.pid)]
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in pids:
                os.kill(pid, signal.SIGCONT)


def _children(parent: int) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text()
            except OSError:
                continue
            if int(stat.rpartition(")")[2].split()[1]) == parent:
                found.append(int(entry.name))
    return found
