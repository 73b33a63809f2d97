"""Goal: a schema moves forward by whole files or not at all, and nobody runs on a wrong one.

Method: small migration directories written by the test, run on empty databases of the session's
PostgreSQL; faults are planted in the files, in the database and between two runners.
"""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest

from backend.kit import migrate as migrate_module
from backend.kit.health import schema_check
from backend.kit.migrate import (
    ADVISORY_LOCK,
    MigrationError,
    SchemaWindow,
    load,
    migrate,
    schema_version,
)
from backend.kit.postgres import Database


@pytest.fixture
async def empty_url(postgres_url: str) -> AsyncIterator[str]:
    """A database with nothing in it."""
    name = f"empty_{uuid4().hex[:12]}"
    owner = await asyncpg.connect(postgres_url)
    await owner.execute(f"CREATE DATABASE {name}")
    head, _, query = postgres_url.partition("?")
    yield f"{head.rpartition('/')[0]}/{name}?{query}"
    await owner.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await owner.close()


def _write(directory: Path, **files: str) -> Path:
    for name, sql in files.items():
        (directory / f"{name.removeprefix('m')}.sql").write_text(sql)
    return directory


async def _value(url: str, sql: str) -> object:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(sql)
    finally:
        await connection.close()


async def test_files_are_applied_in_order_and_once(empty_url: str, tmp_path: Path) -> None:
    _write(
        tmp_path,
        m0001_book="CREATE TABLE book (n int);",
        m0002_line="INSERT INTO book VALUES (1);",
    )
    assert await migrate(empty_url, tmp_path) == ["0001_book", "0002_line"]
    assert await migrate(empty_url, tmp_path) == []
    _write(tmp_path, m0003_line="INSERT INTO book VALUES (2);")
    assert await migrate(empty_url, tmp_path) == ["0003_line"]
    assert await _value(empty_url, "SELECT count(*) FROM book") == 2


async def test_a_failing_file_leaves_nothing_and_is_named(empty_url: str, tmp_path: Path) -> None:
    _write(
        tmp_path,
        m0001_book="CREATE TABLE book (n int);",
        m0002_bad="CREATE TABLE half (n int); SELECT 1/0;",
    )
    with pytest.raises(MigrationError, match="0002_bad: division by zero"):
        await migrate(empty_url, tmp_path)
    assert await _value(empty_url, "SELECT to_regclass('half')") is None
    assert await _value(empty_url, "SELECT max(version) FROM schema_migration") == 1


async def test_an_edited_file_is_refused(empty_url: str, tmp_path: Path) -> None:
    _write(tmp_path, m0001_book="CREATE TABLE book (n int);")
    await migrate(empty_url, tmp_path)
    _write(tmp_path, m0001_book="CREATE TABLE book (n bigint);")
    with pytest.raises(MigrationError, match="0001_book was edited after it was applied"):
        await migrate(empty_url, tmp_path)


async def test_a_database_newer_than_the_code_is_refused(empty_url: str, tmp_path: Path) -> None:
    _write(tmp_path, m0001_book="CREATE TABLE book (n int);", m0002_more="SELECT 1;")
    await migrate(empty_url, tmp_path)
    (tmp_path / "0002_more.sql").unlink()
    with pytest.raises(MigrationError, match=r"schema 0002, newer than this code \(0001\)"):
        await migrate(empty_url, tmp_path)


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"m0001_a": "", "m0003_c": ""}, "migration 0002 is missing"),
        ({"m0002_b": ""}, "migration 0001 is missing"),
        ({"m0001_a": "", "m0001_b": ""}, "migration 0002 is missing before b"),
        ({"mfirst": ""}, r"first\.sql is not named NNNN_name\.sql"),
    ],
)
def test_gaps_doubles_and_stray_names_are_refused(
    tmp_path: Path, files: dict[str, str], said: str
) -> None:
    with pytest.raises(MigrationError, match=said):
        load(_write(tmp_path, **files))


async def test_a_migration_left_out_in_the_database_is_refused(
    empty_url: str, tmp_path: Path
) -> None:
    _write(tmp_path, m0001_a="SELECT 1;", m0002_b="SELECT 1;")
    await migrate(empty_url, tmp_path)
    await _value(empty_url, "DELETE FROM schema_migration WHERE version = 1")
    with pytest.raises(MigrationError, match="0001 was left out"):
        await migrate(empty_url, tmp_path)


async def test_two_runners_at_once_apply_each_file_once(empty_url: str, tmp_path: Path) -> None:
    _write(
        tmp_path,
        m0001_book="CREATE TABLE book (n int); SELECT pg_sleep(0.2);",
        m0002_line="INSERT INTO book VALUES (1);",
        # Would wait for ever if a runner queued inside a statement: that holds a snapshot.
        m0003_index="-- no-transaction\nCREATE INDEX CONCURRENTLY IF NOT EXISTS n ON book (n);",
    )
    async with asyncio.timeout(20):
        done = await asyncio.gather(*(migrate(empty_url, tmp_path) for _ in range(3)))
    assert sorted(map(len, done)) == [0, 0, 3]
    assert await _value(empty_url, "SELECT count(*) FROM book") == 1


async def test_waiting_for_another_runner_has_an_end(
    empty_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrate_module, "QUEUE_SECONDS", 0.3)
    other = await asyncpg.connect(empty_url)
    await other.fetchval("SELECT pg_advisory_lock($1)", ADVISORY_LOCK)
    with pytest.raises(MigrationError, match="another migration is running"):
        await migrate(empty_url, tmp_path)
    await other.close()


async def test_a_table_in_use_makes_a_migration_give_up_not_queue(
    empty_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrate_module, "LOCK_TIMEOUT", "200ms")
    _write(tmp_path, m0001_book="CREATE TABLE book (n int);")
    await migrate(empty_url, tmp_path)
    _write(tmp_path, m0002_alter="ALTER TABLE book ADD COLUMN m int;")
    reader = await asyncpg.connect(empty_url)
    async with reader.transaction():
        await reader.fetch("SELECT * FROM book")
        with pytest.raises(MigrationError, match="0002_alter: canceling statement due to lock"):
            await migrate(empty_url, tmp_path)
    await reader.close()
    assert await migrate(empty_url, tmp_path) == ["0002_alter"]


async def test_a_half_made_index_is_refused_until_it_is_dropped(
    empty_url: str, tmp_path: Path
) -> None:
    _write(tmp_path, m0001_book="CREATE TABLE book (n int); INSERT INTO book VALUES (1), (1);")
    await migrate(empty_url, tmp_path)
    concurrently = "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS book_n ON book (n);"
    _write(tmp_path, m0002_index=f"-- no-transaction\n{concurrently}")
    with pytest.raises(MigrationError, match="0002_index: could not create unique index"):
        await migrate(empty_url, tmp_path)
    with pytest.raises(MigrationError, match="half-made index book_n"):
        await migrate(empty_url, tmp_path)
    await _value(empty_url, "DROP INDEX book_n")
    await _value(empty_url, "DELETE FROM book")
    assert await migrate(empty_url, tmp_path) == ["0002_index"]


async def test_a_database_that_does_not_answer_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(MigrationError, match="the database does not answer"):
        await migrate(f"postgresql://nobody@/none?host={tmp_path}", tmp_path)


def test_the_window_refuses_both_sides_and_says_what_to_do() -> None:
    window = SchemaWindow(oldest=3, newest=5)
    assert [window.fault(version) is None for version in range(2, 7)] == [
        False,
        True,
        True,
        True,
        False,
    ]
    assert "run `creditplus migrate`" in str(window.fault(2))
    assert "run the newer release" in str(window.fault(6))


async def test_the_application_can_read_the_version_it_runs_on(database: Database) -> None:
    async with database.read() as tx:
        version = await schema_version(tx)
    assert version == load()[-1].version
    await schema_check(database, SchemaWindow(version, version)).probe()


async def test_an_empty_database_has_version_zero(empty_url: str) -> None:
    database = await Database.open(empty_url, role=None)
    async with database.read() as tx:
        assert await schema_version(tx) == 0
    await database.close()
