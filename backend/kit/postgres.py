"""PostgreSQL: two kinds of transaction, opened only at the edge.

`Database.read()` gives a `ReadTx` (the server refuses writes in it), `Database.write()` a `Tx`.
A body that raises rolls back; a body that returns commits. Nobody commits inside.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from functools import lru_cache
from inspect import signature
from typing import Any, Protocol, TypeAlias, TypeVar, cast

import asyncpg
import msgspec

from backend.kit.problem import Unavailable

T = TypeVar("T", bound=msgspec.Struct)
V = TypeVar("V")
PoolConnection: TypeAlias = "asyncpg.pool.PoolConnectionProxy[asyncpg.Record]"

APPLICATION_ROLE = "creditplus_app"
# The server ends a statement that takes too long. Who waits longer than that, by so much, waits
# for a server that is frozen or out of reach.
_OVERDUE_SECONDS = 5

# What asyncpg raises when the server is away, going away, coming back or full. Each means the
# same to a caller: nothing is known to have happened, try again a little later.
_AWAY = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    # A server that is killed says good-bye on idle connections; one handed out between that
    # message and its end can't begin anything ("another operation is in progress").
    asyncpg.InternalClientError,
    # Two that waited for each other: the server ended one of them, and it may come again.
    asyncpg.exceptions.DeadlockDetectedError,
    asyncpg.exceptions.OperatorInterventionError,
    asyncpg.exceptions.TooManyConnectionsError,
)


class Compiled(Protocol):
    """A statement that is worked out from data, and not written down in a store."""

    @property
    def sql(self) -> str:
        """The text, of which no part comes from outside the proved data it was made of."""
        ...


@lru_cache(maxsize=1024)
def _places_of(kind: type[msgspec.Struct]) -> tuple[str, ...] | None:
    """Return the names of a struct's places, or None when not all of it can be given by place."""
    parameters = signature(kind).parameters.values()
    if any(each.kind is not each.POSITIONAL_OR_KEYWORD for each in parameters):
        return None
    return tuple(each.name for each in parameters)


class ReadTx:
    """A read-only transaction; stores read through it."""

    def __init__(self, connection: PoolConnection) -> None:
        self._connection = connection

    async def fetch_one(self, kind: type[T], sql: str, *args: object) -> T:
        """Return the one row as `kind`; no row, or more than one, is a programmer's error."""
        rows = await self._connection.fetch(sql, *args)
        assert len(rows) == 1, f"expected one {kind.__name__}, found {len(rows)}"
        return kind(**rows[0])

    async def fetch_optional(self, kind: type[T], sql: str, *args: object) -> T | None:
        """Return the row as `kind`, or None when there is none."""
        rows = await self._connection.fetch(sql, *args)
        assert len(rows) <= 1, f"expected at most one {kind.__name__}, found {len(rows)}"
        return kind(**rows[0]) if rows else None

    async def fetch_all(self, kind: type[T], sql: str, *args: object) -> list[T]:
        """Return all rows as `kind`; the statement bounds how many there can be."""
        rows = await self._connection.fetch(sql, *args)
        if rows and tuple(rows[0].keys()) == _places_of(kind):
            # By place, which is three times faster than by name.
            return [kind(*row) for row in rows]
        return [kind(**row) for row in rows]

    async def fetch_value(self, kind: type[V], sql: str, *args: object) -> V:
        """Return one scalar that is never NULL."""
        value = await self._connection.fetchval(sql, *args)
        assert isinstance(value, kind), f"expected {kind.__name__}, found {type(value).__name__}"
        return value

    async def fetch_optional_value(self, kind: type[V], sql: str, *args: object) -> V | None:
        """Return one scalar, or None when there is no row or the value is NULL."""
        value = await self._connection.fetchval(sql, *args)
        assert value is None or isinstance(value, kind), f"expected {kind.__name__}"
        return value

    async def fetch_compiled(self, kind: type[T], statement: Compiled, *args: object) -> list[T]:
        """Run a compiled statement and return its rows as `kind`.

        The one way past the rule that SQL is a literal beside the struct it fills; a contract test
        lets only score/store/bulk.py and programme/store/cohort.py take it (docs/adr/0022).
        """
        return [kind(**row) for row in await self._connection.fetch(statement.sql, *args)]


class Tx(ReadTx):
    """A transaction that may write; stores write through it."""

    async def execute(self, sql: str, *args: object) -> int:
        """Run a statement and return how many rows it touched."""
        status = await self._connection.execute(sql, *args)
        count = status.rpartition(" ")[2]
        return int(count) if count.isdigit() else 0

    async def execute_many(self, sql: str, rows: Iterable[Sequence[object]]) -> None:
        """Run a statement once for each row of arguments, in one round trip."""
        await self._connection.executemany(sql, rows)

    async def copy(
        self, table: str, columns: Sequence[str], rows: Iterable[Sequence[object]]
    ) -> None:
        """Insert rows by COPY: for thousands at a time; all of them go in, or it raises."""
        await self._connection.copy_records_to_table(table, columns=columns, records=rows)

    async def copy_binary(self, table: str, columns: Sequence[str], content: bytes) -> None:
        """Insert rows that are in PostgreSQL's binary COPY format already (kit/copy.py)."""

        async def source() -> AsyncIterator[bytes]:  # asyncpg takes bytes for the name of a file
            yield content

        await self._connection.copy_to_table(
            table, columns=columns, source=source(), format="binary"
        )


class _Once:
    """Lends a connection for one statement."""

    def __init__(self, connection: PoolConnection) -> None:
        self._connection: PoolConnection | None = connection

    def __getattr__(self, name: str) -> Any:
        connection, self._connection = self._connection, None
        assert connection is not None, "one statement: open a transaction for more"
        return getattr(connection, name)


class Database:
    """A pool of connections to one PostgreSQL database."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]", size: int) -> None:
        self._pool = pool
        # asyncpg's pool wakes waiters in no fair order under overload, which ruins the p99;
        # a FIFO semaphore in front of it keeps the queue in the order of arrival.
        self._turn = asyncio.Semaphore(size)

    @classmethod
    async def open(
        cls,
        dsn: str,
        *,
        size: int = 10,
        role: str | None = APPLICATION_ROLE,
        statement_timeout_seconds: int = 15,
    ) -> "Database":
        """Open a pool of at most `size` connections that act as `role`.

        Raises Unavailable when the server can't be reached.
        """
        settings = {
            "application_name": "creditplus",
            "statement_timeout": f"{statement_timeout_seconds}s",
            "idle_in_transaction_session_timeout": "60s",
            "timezone": "UTC",
        }
        if role is not None:
            settings["role"] = role
        try:
            pool = await asyncpg.create_pool(
                dsn,
                min_size=1,
                max_size=size,
                max_inactive_connection_lifetime=300,
                # A compiled scorecard is longer than the client keeps by itself, and is worth it.
                max_cacheable_statement_size=0,
                server_settings=settings,
                init=_teach_types,
                reset=_keep_session,
                timeout=5,
                command_timeout=statement_timeout_seconds + _OVERDUE_SECONDS,
            )
        except _AWAY as fault:
            raise Unavailable("database") from fault
        return cls(pool, size)

    async def close(self) -> None:
        """Close the pool: politely for five seconds, then for good."""
        try:
            await asyncio.wait_for(self._pool.close(), 5)
        except TimeoutError:
            self._pool.terminate()

    @asynccontextmanager
    async def read(self) -> AsyncIterator[ReadTx]:
        """Open a read-only transaction with one consistent picture of the data."""
        async with (
            self._connection() as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            yield ReadTx(connection)

    @asynccontextmanager
    async def write(self) -> AsyncIterator[Tx]:
        """Open a transaction that commits when the body returns, rolls back when it raises."""
        async with self._connection() as connection, connection.transaction():
            yield Tx(connection)

    @asynccontextmanager
    async def single(self) -> AsyncIterator[Tx]:
        """Let one statement be its own transaction, without round trips for BEGIN and COMMIT.

        For the hot path; a second statement is a programmer's error. It is committed when it
        returns, whatever the body does afterwards.
        """
        async with self._connection() as connection:
            yield Tx(cast("PoolConnection", _Once(connection)))

    @asynccontextmanager
    async def _connection(
        self,
    ) -> AsyncIterator[PoolConnection]:
        async with self._turn:
            try:
                async with self._pool.acquire(timeout=5) as connection:
                    yield connection
            except _AWAY as fault:
                raise Unavailable("database") from fault


async def _teach_types(connection: Any) -> None:
    """Let jsonb travel as Python builtins, encoded by msgspec."""
    await connection.set_type_codec(
        "jsonb",
        schema="pg_catalog",
        format="binary",
        # PostgreSQL's binary jsonb is one version byte and the text.
        encoder=lambda value: b"\x01" + msgspec.json.encode(value),
        decoder=lambda wire: msgspec.json.decode(cast("bytes", wire)[1:]),
    )


async def _keep_session(_connection: Any) -> None:
    """Spare the round trip that resets a session: only transactions run here, and they end clean.

    Nothing in this code base sets session state, takes session locks or listens on a pooled
    connection, so there is nothing to reset.
    """
