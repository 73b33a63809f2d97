"""Schema migrations: `migrations/NNNN_name.sql`, applied in order, forward only.

Each file runs in one transaction together with the row that says it ran. A file whose first line
is `-- no-transaction` runs alone, outside one (`CREATE INDEX CONCURRENTLY`): one statement, written
so that it may run again, since a kill can fall between the statement and its row.
"""

import asyncio
import hashlib
import re
from pathlib import Path
from typing import Final

import asyncpg
import msgspec

from backend.kit.postgres import ReadTx

DIRECTORY: Final = Path(__file__).parents[2] / "migrations"

# The oldest schema this code still works on. Code goes out before its migrations, so for the
# length of a deployment it must bear the schema before; raise this when it no longer does.
OLDEST_SCHEMA: Final = 30

ADVISORY_LOCK: Final = 0x6372656469742B  # "credit+": one runner at a time in a database
QUEUE_SECONDS: Final = 60.0
LOCK_TIMEOUT: Final = "5s"  # a migration waiting for a table makes everybody else wait behind it
_FILE: Final = re.compile(r"(\d{4})_([a-z0-9_]+)\.sql")


class MigrationError(Exception):
    """A migration that cannot be made; the message is one line for the person at the terminal."""


class Migration(msgspec.Struct, frozen=True):
    """One file: its number, name, text and the SHA-256 of the text."""

    version: int
    name: str
    sql: str
    checksum: bytes

    @property
    def in_transaction(self) -> bool:
        """Say whether the file runs in a transaction, as all but `-- no-transaction` ones do."""
        return self.sql.splitlines()[0].strip() != "-- no-transaction"


class SchemaWindow(msgspec.Struct, frozen=True):
    """The schema versions that this code works on, both ends included."""

    oldest: int
    newest: int

    def fault(self, version: int) -> str | None:
        """Give the line that says why a database of this version cannot be used, or None."""
        if version > self.newest:
            return (
                f"the database has schema {version:04}, newer than this code ({self.newest:04}):"
                " run the newer release"
            )
        if version < self.oldest:
            return (
                f"the database has schema {version:04}, this code needs {self.oldest:04}:"
                " run `creditplus migrate`"
            )
        return None


def load(directory: Path = DIRECTORY) -> list[Migration]:
    """Read the migrations in order; MigrationError for a gap, a double or a stray name."""
    found = []
    for path in sorted(directory.glob("*.sql")):
        if path.name == "schema.sql":  # the dump of the result, beside its causes
            continue
        match = _FILE.fullmatch(path.name)
        if match is None:
            raise MigrationError(f"{path.name} is not named NNNN_name.sql")
        text = path.read_bytes()
        checksum = hashlib.sha256(text).digest()
        found.append(Migration(int(match[1]), match[2], text.decode(), checksum))
    for expected, migration in enumerate(found, start=1):
        if migration.version != expected:
            raise MigrationError(f"migration {expected:04} is missing before {migration.name}")
    return found


def schema_window(directory: Path = DIRECTORY) -> SchemaWindow:
    """Give the window of this code: from OLDEST_SCHEMA to the last migration it brings."""
    migrations = load(directory)
    return SchemaWindow(OLDEST_SCHEMA, migrations[-1].version if migrations else 0)


async def schema_version(tx: ReadTx) -> int:
    """Give the number of the last migration applied; 0 for a database without any."""
    table = await tx.fetch_optional_value(str, "SELECT to_regclass('schema_migration')::text")
    if table is None:
        return 0
    return await tx.fetch_value(int, "SELECT coalesce(max(version), 0) FROM schema_migration")


async def migrate(dsn: str, directory: Path = DIRECTORY) -> list[str]:
    """Bring the database up to the last migration; gives the names applied now, oldest first.

    Two runners at once are safe: the second waits for the first and finds nothing to do. Raises
    MigrationError when the files have a gap, when an applied file was edited, when the database
    is newer than the files, or when a migration fails (and then it left nothing behind).
    """
    migrations = load(directory)
    try:
        connection = await asyncpg.connect(dsn, timeout=10)
    except (OSError, asyncpg.PostgresError) as error:
        raise MigrationError(f"the database does not answer: {error}") from error
    try:
        await _take_turn(connection)
        await _prepare(connection)
        done = await _check(connection, migrations)
        for migration in migrations[done:]:
            await _apply(connection, migration)
        return [f"{each.version:04}_{each.name}" for each in migrations[done:]]
    finally:
        await connection.close()  # ends the session, and with it the advisory lock


async def _take_turn(connection: asyncpg.Connection) -> None:
    # Asking again and again instead of waiting inside Postgres: a waiting statement holds a
    # snapshot, and CREATE INDEX CONCURRENTLY in the first runner would wait for that for ever.
    deadline = asyncio.get_running_loop().time() + QUEUE_SECONDS
    while not await connection.fetchval("SELECT pg_try_advisory_lock($1)", ADVISORY_LOCK):
        if asyncio.get_running_loop().time() > deadline:
            raise MigrationError("another migration is running and does not finish")
        await asyncio.sleep(0.1)


async def _prepare(connection: asyncpg.Connection) -> None:
    await connection.execute(
        """
        CREATE TABLE IF NOT EXISTS public.schema_migration (
            version integer PRIMARY KEY,
            name text NOT NULL,
            checksum bytea NOT NULL,
            applied_at timestamptz NOT NULL DEFAULT now()
        );
        GRANT SELECT ON public.schema_migration TO PUBLIC;
        """
    )


async def _check(connection: asyncpg.Connection, migrations: list[Migration]) -> int:
    """Compare what was applied with the files; gives how many were."""
    rows = await connection.fetch(
        "SELECT version, name, checksum FROM schema_migration ORDER BY version"
    )
    if len(rows) > len(migrations):
        newest = len(migrations)
        raise MigrationError(str(SchemaWindow(0, newest).fault(rows[-1]["version"])))
    for row, migration in zip(rows, migrations, strict=False):
        if row["version"] != migration.version:
            raise MigrationError(f"migration {migration.version:04} was left out in the database")
        if row["checksum"] != migration.checksum:
            raise MigrationError(
                f"{migration.version:04}_{migration.name} was edited after it was applied"
                f" (as {row['name']}): put it back and write a new migration"
            )
    return len(rows)


async def _apply(connection: asyncpg.Connection, migration: Migration) -> None:
    note = "INSERT INTO schema_migration (version, name, checksum) VALUES ($1, $2, $3)"
    row = (migration.version, migration.name, migration.checksum)
    try:
        if migration.in_transaction:
            async with connection.transaction():
                await connection.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")
                await connection.execute(migration.sql)
                await connection.execute(note, *row)
        else:
            await connection.execute(migration.sql)
            await _refuse_half_made_indexes(connection)
            await connection.execute(note, *row)
    except asyncpg.PostgresError as error:
        raise MigrationError(f"{migration.version:04}_{migration.name}: {error}") from error


async def _refuse_half_made_indexes(connection: asyncpg.Connection) -> None:
    # A CONCURRENTLY that failed leaves an index that is never used but always kept up, and
    # IF NOT EXISTS takes it for a good one.
    broken = await connection.fetchval(
        "SELECT string_agg(indexrelid::regclass::text, ', ') FROM pg_index WHERE NOT indisvalid"
    )
    if broken:
        raise MigrationError(f"half-made index {broken}: drop it and migrate again")
