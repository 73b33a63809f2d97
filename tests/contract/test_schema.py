"""Goal: the schema is what the migrations say, can be spread by citizen, and gives the application
no right it has no use for.

Method: pg_dump of a freshly migrated database against the committed one; keys, unique indexes and
foreign keys are read from the catalogue of the same database.
"""

import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from backend.kit.migrate import load, schema_window
from backend.kit.postgres import APPLICATION_ROLE
from tests.support.schema_dump import schema_text

ROOT = Path(__file__).parents[2]

# Found by the hash of what a person brings along, before anybody knows whose it is: keyed by that
# hash, with the subject beside it. On Citus these would be reference tables or keyed by the hash.
DIRECTORY_TABLES = {
    "oauth_access_token": "found by the hash of the token",
    "oauth_code": "found by the hash of the code",
    "oauth_grant": "found through the token or code that names it",
    "oauth_refresh_token": "found by the hash of the token",
    "outbox": "worked off in the order of arrival, whoever it is about",
    "phone_directory": "found by the hash of the phone number",
    "session": "found by the hash of the session token",
}


@pytest.fixture
async def connection(shared_url: str) -> AsyncIterator[asyncpg.Connection]:
    """The owner's connection to a migrated database."""
    connection = await asyncpg.connect(shared_url)
    yield connection
    await connection.close()


async def _keys(connection: asyncpg.Connection) -> list[asyncpg.Record]:
    """Unique indexes of tables that carry subject_id: table, index, is_primary, columns."""
    return await connection.fetch(
        """
        SELECT c.relname AS table_name, i.relname AS index_name, x.indisprimary AS is_primary,
            array(
                SELECT a.attname::text FROM unnest(x.indkey) WITH ORDINALITY AS k(number, place)
                JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.number
                ORDER BY k.place
            ) AS columns
        FROM pg_index x
        JOIN pg_class i ON i.oid = x.indexrelid
        JOIN pg_class c ON c.oid = x.indrelid
        WHERE x.indisunique AND c.relnamespace = 'public'::regnamespace
            AND EXISTS (
                SELECT FROM pg_attribute s WHERE s.attrelid = c.oid AND s.attname = 'subject_id'
            )
        """
    )


async def test_every_citizen_bound_table_is_keyed_by_its_citizen_first(
    connection: asyncpg.Connection,
) -> None:
    tables = await connection.fetch(
        """
        SELECT c.relname::text AS name FROM pg_class c
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'subject_id'
        WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace
        """
    )
    bound = {row["name"] for row in tables}
    assert bound >= DIRECTORY_TABLES.keys(), "an exemption names a table that is not there"
    keyed = {
        row["table_name"]
        for row in await _keys(connection)
        if row["is_primary"] and row["columns"][0] == "subject_id"
    }
    assert bound - keyed == DIRECTORY_TABLES.keys()


async def test_no_unique_index_crosses_citizens(connection: asyncpg.Connection) -> None:
    crossing = {
        row["index_name"]
        for row in await _keys(connection)
        if "subject_id" not in row["columns"] and row["table_name"] not in DIRECTORY_TABLES
    }
    assert crossing == set()


async def test_no_foreign_key_crosses_citizens(connection: asyncpg.Connection) -> None:
    rows = await connection.fetch(
        """
        SELECT k.conname::text AS name, k.conrelid::regclass::text AS source,
            k.confrelid::regclass::text AS target,
            ARRAY(SELECT attname::text FROM pg_attribute
                WHERE attrelid = k.conrelid AND attnum = ANY(k.conkey)) AS columns,
            EXISTS (SELECT FROM pg_attribute
                WHERE attrelid = k.confrelid AND attname = 'subject_id') AS is_bound
        FROM pg_constraint k WHERE k.contype = 'f' AND k.connamespace = 'public'::regnamespace
        """
    )
    crossing = {
        f"{row['source']}: {row['name']}"
        for row in rows
        if row["is_bound"]
        and "subject_id" not in row["columns"]
        and row["target"] not in DIRECTORY_TABLES
    }
    assert crossing == set()


async def test_the_application_may_not_change_or_delete_the_access_ledger(
    connection: asyncpg.Connection,
) -> None:
    rights = {
        right: await connection.fetchval(
            "SELECT has_table_privilege($1, 'access_entry', $2)", APPLICATION_ROLE, right
        )
        for right in ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE")
    }
    assert {right for right, granted in rights.items() if granted} == {"SELECT", "INSERT"}


async def test_the_application_may_not_change_the_schema(connection: asyncpg.Connection) -> None:
    for check in (
        "SELECT has_database_privilege($1, current_database(), 'CREATE')",
        "SELECT has_schema_privilege($1, 'public', 'CREATE')",
        "SELECT rolsuper OR rolcreaterole OR rolcreatedb FROM pg_roles WHERE rolname = $1",
    ):
        assert await connection.fetchval(check, APPLICATION_ROLE) is False, check
    owned = await connection.fetch(
        "SELECT tablename FROM pg_tables WHERE tableowner = $1", APPLICATION_ROLE
    )
    assert owned == []


def test_the_committed_schema_is_what_the_migrations_make(shared_url: str) -> None:
    committed = (ROOT / "migrations/schema.sql").read_text()
    assert schema_text(shared_url) == committed, "run scripts/openapi and read the diff"


def test_the_code_works_on_its_own_schema_and_not_on_an_empty_one() -> None:
    window = schema_window()
    assert 1 <= window.oldest <= window.newest


def test_every_migration_opens_with_why() -> None:
    for migration in load():
        lines = migration.sql.splitlines()
        why = lines[0] if migration.in_transaction else lines[1]
        assert why.startswith("-- "), migration.name
        assert len(why) > 40, migration.name


def test_migrations_lock_nothing_for_long() -> None:
    squawk = Path(sys.executable).parent / "squawk"
    options = "--pg-version=18.0 --assume-in-transaction"
    # The runner sets the lock timeout. Counts of points and versions stay small for ever.
    options += " --exclude=require-lock-timeout,require-statement-timeout,prefer-bigint-over-int"
    files = sorted(map(str, (ROOT / "migrations").glob("[0-9]*.sql")))
    done = subprocess.run(
        [str(squawk), *options.split(), *files], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


def test_squawk_finds_a_lock_on_a_table_in_use(tmp_path: Path) -> None:
    bad = tmp_path / "0001_bad.sql"
    bad.write_text("ALTER TABLE account ADD COLUMN phone text NOT NULL UNIQUE;\n")
    done = subprocess.run(
        [str(Path(sys.executable).parent / "squawk"), str(bad)], capture_output=True, check=False
    )
    assert done.returncode != 0
