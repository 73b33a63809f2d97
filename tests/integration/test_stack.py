"""Goal: one command starts the whole service on a machine, another key press ends it, and whatever
goes wrong says so in one line and leaves nothing running.

Method: `creditplus local` as a process of its own, with servers, API and worker, on free ports and
in a directory of the test's; it is interrupted, killed and misled as a person or a machine would.
The bounds on time are those promised, and several times what is measured.
"""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import httpx
import pytest

from backend.kit.embedded import start_postgres
from backend.kit.migrate import OLDEST_SCHEMA, load
from tests.support.stack import (
    FIRST_START_SECONDS,
    ROOT,
    STOP_SECONDS,
    Stack,
    free_port,
)


def _processes_on(directory: Path) -> list[str]:
    """Command lines or environments of living processes that name the directory."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                command = (entry / "cmdline").read_bytes()
                words = command + (entry / "environ").read_bytes()
            except OSError:
                continue
            if os.fsencode(directory) in words and command:
                found.append(command.replace(b"\0", b" ").decode(errors="replace"))
    return found


def _wait_until_nothing_runs_on(directory: Path, seconds: float = STOP_SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while left := _processes_on(directory):
        assert time.monotonic() < deadline, left
        time.sleep(0.05)


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The first start in a new directory, run until ready and then stopped by Ctrl-C."""
    stack = Stack(tmp_path_factory.mktemp("stack") / "local")
    try:
        stack.wait_until_ready(FIRST_START_SECONDS)
        answer = httpx.get(f"http://127.0.0.1:{stack.port}/health/ready")
        checks = {each["name"]: each["status"] for each in answer.json()["checks"]}
        # It warns in the weeks before the known working days end, whenever the tests run.
        assert "is not in" not in checks.pop("work_calendar")
        assert set(checks.values()) == {"ok"}, answer.text
        os.killpg(stack.process.pid, signal.SIGINT)  # Ctrl-C reaches the whole group
        assert stack.wait() == 0, stack.errors()
        yield stack
    finally:
        stack.end()


@pytest.fixture
def directory(first: Stack) -> Iterator[Path]:
    """The directory of a stack that was started before and stopped."""
    yield first.directory
    _wait_until_nothing_runs_on(first.directory)


def test_the_first_start_says_where_who_and_what_next(first: Stack) -> None:
    said = first.output
    assert f"http://127.0.0.1:{first.port}" in said
    for audience in ("citizen", "partner", "department", "operator"):
        assert audience in said.lower(), said
    assert "林晓" in said
    assert "library-demo" in said
    assert "library-records-demo" in said
    assert "creditplus demo" in said
    assert "Ctrl-C" in first.lines[-1] or "Stopped." in first.lines[-1]


def test_ctrl_c_leaves_nothing_running(first: Stack) -> None:
    assert first.lines[-1] == "Stopped."
    assert _processes_on(first.directory) == []
    assert not (first.directory / "environment").exists()


def test_the_demo_city_is_seeded_once_and_a_second_start_is_quick(
    first: Stack, directory: Path
) -> None:
    again = Stack(directory)
    try:
        seconds = again.wait_until_ready(30)
        assert "migrated" not in again.output
        assert seconds < 5 * 3  # promised: 5 s; this machine may be busy with other tests
        again.process.send_signal(signal.SIGTERM)
        assert again.wait() == 0
    finally:
        again.end()
    assert (directory / "demo" / "people.csv").exists()
    assert first.port != again.port


def test_a_second_stack_in_the_same_directory_is_refused(directory: Path) -> None:
    one = Stack(directory)
    try:
        one.wait_until_ready(30)
        other = Stack(directory)
        assert other.wait() == 1
        assert other.errors() == (
            f"creditplus: {directory} is in use by process {one.process.pid}\n"
        )
        command = [sys.executable, "-m", "backend", "doctor", "--worker"]
        plain = {name: one.environment[name] for name in ("PATH", "HOME", "CREDIT_LOCAL_DIR")}
        doctor = subprocess.run(
            command, cwd=ROOT, env=plain, capture_output=True, text=True, check=False
        )
        assert doctor.returncode == 0, doctor.stdout + doctor.stderr
        assert "ok  worker: ok" in doctor.stdout
    finally:
        one.end()


def test_a_busy_port_is_one_clear_line(directory: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        stack = Stack(directory, CREDIT_PORT=str(port))
        assert stack.wait() == 1
    expected = f"creditplus: 127.0.0.1:{port} is in use: set CREDIT_PORT to another port\n"
    assert stack.errors() == expected
    assert stack.output == ""


def test_a_directory_that_cannot_be_written_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    stack = Stack(tmp_path / "file" / "local")
    assert stack.wait() == 1
    assert stack.errors() == f"creditplus: cannot write {tmp_path}/file/local: Not a directory\n"


async def _change(directory: Path, sql: str) -> None:
    """Change the database of a stack that does not run."""
    with start_postgres(directory / "postgres") as server:
        connection = await asyncpg.connect(server.url)
        await connection.execute(sql)
        await connection.close()


async def test_a_city_of_an_older_release_gets_the_client_that_it_lacks(directory: Path) -> None:
    key_file = directory / "demo" / "library-records-demo.json"
    before = key_file.read_text()
    await _change(directory, "DELETE FROM client WHERE client_id = 'library-records-demo'")
    key_file.unlink()
    stack = Stack(directory)
    try:
        stack.wait_until_ready(30)
    finally:
        stack.end()
    assert "Demo city" not in stack.output, "its people are there already"
    assert key_file.read_text() != before


def test_a_client_whose_key_is_gone_is_one_clear_line(directory: Path) -> None:
    key_file = directory / "demo" / "library-records-demo.json"
    kept = key_file.rename(key_file.with_suffix(".kept"))
    stack = Stack(directory)
    assert stack.wait(20) == 1
    assert re.fullmatch(
        r"creditplus: the database knows the client library-records-demo, .*\n", stack.errors()
    )
    kept.rename(key_file)


async def test_a_database_of_a_newer_schema_is_one_clear_line(directory: Path) -> None:
    await _change(
        directory,
        "INSERT INTO schema_migration (version, name, checksum) VALUES (9999, 'future', '')",
    )
    stack = Stack(directory)
    assert stack.wait(20) == 1
    assert stack.errors() == (
        "creditplus: the database has schema 9999, newer than this code"
        f" ({load()[-1].version:04}): run the newer release\n"
    )
    _wait_until_nothing_runs_on(directory, 0)
    await _change(directory, "DELETE FROM schema_migration WHERE version = 9999")


def test_missing_keys_are_not_made_anew_over_sealed_data(directory: Path) -> None:
    keys = directory / "keys"
    keys.rename(directory / "kept")
    stack = Stack(directory)
    assert stack.wait() == 1
    assert re.fullmatch(r"creditplus: the keys in \S+ are missing, .*\n", stack.errors())
    assert not keys.exists()
    (directory / "kept").rename(keys)


def test_all_faults_of_the_environment_are_named_at_once(tmp_path: Path) -> None:
    stack = Stack(tmp_path / "local", CREDIT_METRICS_PORT="ninety", CREDIT_COLOUR="red")
    assert stack.wait() == 1
    said = stack.errors()
    assert said.count("\n") == 1
    assert "CREDIT_COLOUR is not a variable of this service" in said
    assert "CREDIT_METRICS_PORT must be a number" in said


def test_kill_9_of_the_supervisor_ends_its_children_and_the_next_start_works(
    directory: Path,
) -> None:
    stack = Stack(directory)
    try:
        stack.wait_until_ready(30)
        stack.process.kill()
        stack.process.wait()
        again = Stack(directory, CREDIT_PORT=str(stack.port))
        again.wait_until_ready(30)
        again.end()
        assert again.process.returncode == 0
    finally:
        stack.end()


def _child(stack: Stack, pattern: str) -> int:
    """The pid of the supervisor's child whose command line has the pattern."""
    [pid] = [
        int(entry.name)
        for entry in Path("/proc").iterdir()
        if entry.name.isdigit() and _parent(entry) == stack.process.pid
        if pattern in (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
    ]
    return pid


def test_a_start_waits_for_the_slow_end_of_a_killed_stack(directory: Path) -> None:
    stack = Stack(directory)
    try:
        stack.wait_until_ready(30)
        api = _child(stack, " serve")
        # Ctrl-C in a terminal goes to the whole group; API and worker are not in it.
        assert os.getpgid(api) != os.getpgid(stack.process.pid)
        os.kill(api, signal.SIGSTOP)  # it will not see that its supervisor has gone
        stack.process.kill()
        stack.process.wait()
        again = Stack(directory, CREDIT_PORT=str(stack.port))
        time.sleep(1.5)
        assert again.process.poll() is None, again.errors()
        assert again.lines == []
        os.kill(api, signal.SIGCONT)
        again.wait_until_ready(30)
        again.end()
    finally:
        stack.end()


@pytest.mark.parametrize(
    ("pattern", "name"), [(" serve", "API"), (" worker", "worker"), ("/postgres ", "PostgreSQL")]
)
def test_kill_9_of_a_child_ends_everything_and_the_next_start_works(
    directory: Path, pattern: str, name: str
) -> None:
    stack = Stack(directory)
    try:
        stack.wait_until_ready(30)
        os.kill(_child(stack, pattern), signal.SIGKILL)
        assert stack.wait() == 1
        assert re.fullmatch(
            f"creditplus: {name} was killed by signal 9, so everything is stopped: .*\n",
            stack.errors(),
        )
        _wait_until_nothing_runs_on(directory, 1)
        again = Stack(directory)
        again.wait_until_ready(30)
        again.end()
    finally:
        stack.end()


def _parent(entry: Path) -> int:
    try:
        return int((entry / "stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


@pytest.mark.parametrize(("sign", "code"), [(signal.SIGTERM, 0), (signal.SIGKILL, -9)])
@pytest.mark.parametrize("pause", [0.0, 0.05, 0.6])  # before the seed, and in it
def test_a_first_start_cut_short_is_finished_by_the_next(
    tmp_path: Path, sign: signal.Signals, code: int, pause: float
) -> None:
    stack = Stack(tmp_path / "local")
    try:
        while not any(line.startswith("migrated") for line in stack.lines):
            assert stack.process.poll() is None, stack.errors()
            time.sleep(0.01)
        time.sleep(pause)
        stack.process.send_signal(sign)
        assert stack.wait() == code, stack.errors()
        _wait_until_nothing_runs_on(tmp_path / "local")
        again = Stack(tmp_path / "local")
        again.wait_until_ready(FIRST_START_SECONDS)
        assert "library-demo" in again.output
        again.end()
        assert again.process.returncode == 0
    finally:
        stack.end()


def test_production_is_not_a_demo(tmp_path: Path) -> None:
    variables = {
        "CREDIT_ENV": "production",
        "CREDIT_DATABASE_URL": "postgresql://db/credit",
        "CREDIT_VALKEY_URL": "redis://valkey",
        "CREDIT_KEK": "A" * 43 + "=",
        "CREDIT_DIGEST_KEY": "A" * 42 + "E=",
        "CREDIT_IDENTITY_REGISTER_FILE": str(tmp_path / "register"),
        "CREDIT_SMS_GATEWAY_URL": "https://sms.example.cn",
        "CREDIT_TRUSTED_PROXIES": "10.0.0.1",
        "CREDIT_PUBLIC_ORIGIN": "https://credit.example.cn",
    }
    stack = Stack(tmp_path / "local", **variables)
    assert stack.wait() == 1
    assert "the local stack is a demo" in stack.errors()
    assert not (tmp_path / "local").exists()


@pytest.mark.parametrize("command", ["serve", "worker"])
def test_a_process_refuses_a_schema_it_cannot_work_on(
    command: str, postgres_url: str, valkey_url: str, tmp_path: Path
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "backend", command],
        cwd=ROOT,
        env={
            "PATH": os.environ["PATH"],
            "CREDIT_DATABASE_URL": postgres_url,  # the cluster's own database: no schema at all
            "CREDIT_VALKEY_URL": valkey_url,
            "CREDIT_PORT": str(free_port()),
            "CREDIT_LOCAL_DIR": str(tmp_path),
        },
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr == (
        f"creditplus: the database has schema 0000, this code needs {OLDEST_SCHEMA:04}:"
        " run `creditplus migrate`\n"
    )
