"""Child processes that live no longer than we do.

The kernel stops a child when the process that started it dies, even by kill -9; a child has a
session of its own, so that Ctrl-C in a terminal reaches only the one who stops things in order.
"""

import contextlib
import fcntl
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Final

START_SECONDS: Final = 60.0  # a crash recovery may come first
STOP_SECONDS: Final = 6.0
MAX_LOG_BYTES: Final = 10_000_000
POLL_SECONDS: Final = 0.02


class ChildError(Exception):
    """A process that cannot run; the message is one line for a terminal."""


def bound_to_us(command: Sequence[str], *, sign: str = "TERM") -> list[str]:
    """Give the command that starts `command` so that the kernel ends it when this thread does."""
    return ["setpriv", f"--pdeathsig={sign}", *command]


def claim(directory: Path) -> IO[str]:
    """Claim the directory for this process; the kernel lets go of it when the process dies.

    Keep what it gives for as long as the claim is meant to last. Raises ChildError, OSError.
    """
    lock = (directory / "lock").open("a+")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.seek(0)
        holder = lock.read().strip() or "unknown"
        lock.close()
        raise ChildError(f"{directory} is in use by process {holder}") from None
    lock.truncate(0)
    lock.write(str(os.getpid()))
    lock.flush()
    return lock


def end_leftover(binary: str, home: Path, sign: signal.Signals) -> None:
    """Stop what a killed predecessor left behind, and wait until it is gone.

    Found by what it is and the directory on its command line. Not by the pid in a file, which
    proves nothing (numbers come round again, after a container's restart within seconds), nor by
    its links under /proc, which a root without the ptrace capability may not read.
    """
    for how in (sign, signal.SIGKILL):
        for pid in _running(binary, home):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, how)
        deadline = time.monotonic() + STOP_SECONDS
        while left := _running(binary, home):
            if time.monotonic() > deadline:
                break
            time.sleep(POLL_SECONDS)
        else:
            return
    raise ChildError(f"{binary} {left} on {home} does not end")


def _running(binary: str, home: Path) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):  # it ended while we looked
                words = (entry / "cmdline").read_bytes().split(b"\0")
                if Path(os.fsdecode(words[0])).name == binary and os.fsencode(home) in words:
                    found.append(int(entry.name))
    return found


def look_at_nothing() -> None:
    """Stand in for a `look` that nobody gave: whoever waits has no reason to give up."""


def spawn(
    command: Sequence[str],
    *,
    home: Path,
    log_path: Path,
    ready: Callable[[], bool],
    look: Callable[[], None] = look_at_nothing,
) -> subprocess.Popen[bytes]:
    """Run the server in a session of its own and wait until it is ready.

    `look` is called while waiting, and may raise to give up. Raises ChildError, and then or when
    `look` raises, nothing is left running.
    """
    deadline = time.monotonic() + START_SECONDS
    with open_log(log_path) as log:
        begin = log.tell()
        process = subprocess.Popen(  # noqa: S603 - our own binaries
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=home,
            env=plain_environment(),
            start_new_session=True,
        )
        try:
            while not ready():
                if process.poll() is not None or time.monotonic() > deadline:
                    said = _last_words(log_path, begin)
                    raise ChildError(f"a server did not start: {said}")
                look()
                time.sleep(POLL_SECONDS)
        except BaseException:
            end(process)
            raise
    return process


def end(process: subprocess.Popen[bytes], seconds: float = STOP_SECONDS) -> None:
    """Ask a child to end, and kill it if it hasn't within `seconds`."""
    process.terminate()
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@contextlib.contextmanager
def open_log(path: Path) -> Iterator[IO[bytes]]:
    """Open a log to add to it; one that has grown past MAX_LOG_BYTES starts anew."""
    if path.exists() and path.stat().st_size > MAX_LOG_BYTES:
        path.unlink()
    with path.open("ab") as log:
        yield log


def _last_words(path: Path, begin: int) -> str:
    """Give the line of the log that says why a server did not start."""
    with path.open("rb") as log:
        log.seek(begin)
        lines = log.read(100_000).decode(errors="replace").splitlines()
    telling = [line for line in lines if "FATAL" in line or "rror" in line] or lines
    return f"{telling[-1].strip()} (see {path})" if telling else f"it said nothing (see {path})"


def plain_environment() -> Mapping[str, str]:
    """Give an environment without anything of ours: a server needs none of our secrets."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8", "TZ": "UTC"}
