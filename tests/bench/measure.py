"""What the servers themselves say about a run: versions, fsyncs, statements, rows."""

import asyncio
import platform
import re
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
from redis.asyncio import Redis

# PostgreSQL's processes report what they did when they end, or after idling for so long.
_STATISTICS_SECONDS = 10.5
_STATEMENT = re.compile(rb"LOG:  (?:statement|execute [^:]+):\s*(\w+)")


class PostgresProbe:
    """A superuser's look at the server."""

    def __init__(self, connection: "asyncpg.Connection[asyncpg.Record]", log: Path) -> None:
        self._connection = connection
        self._log = log

    @classmethod
    async def open(cls, url: str, log: Path) -> "PostgresProbe":
        """Connect to a server that writes its log to `log`."""
        return cls(await asyncpg.connect(url), log)

    async def close(self) -> None:
        """Disconnect."""
        await self._connection.close()

    async def version(self) -> str:
        """The server's version."""
        return str(await self._connection.fetchval("SHOW server_version")).split()[0]

    async def settle(self) -> None:
        """Bring statistics and files to rest after a load of new rows.

        Tables without rows are left alone: of one that was vacuumed empty the planner believes
        that it stays so, and would read the ledger from end to end when it no longer is.
        """
        filled = await self._connection.fetch(
            "SELECT relname FROM pg_stat_user_tables WHERE n_live_tup > 0"
        )
        await self._connection.execute(f"VACUUM (ANALYZE) {', '.join(row[0] for row in filled)}")
        await self._connection.execute("CHECKPOINT")

    async def wal_fsyncs(self) -> int:
        """How often the WAL was flushed to disk since the server started."""
        await asyncio.sleep(_STATISTICS_SECONDS)
        return int(
            await self._connection.fetchval(
                "SELECT sum(fsyncs)::bigint FROM pg_stat_io WHERE object = 'wal'"
            )
        )

    async def decision_ids(self) -> tuple[int, set[str]]:
        """How many rows the ledger has, and the decisions that both it and `decision` hold."""
        rows = await self._connection.fetchval("SELECT count(*) FROM access_entry")
        found = await self._connection.fetch(
            "SELECT decision_id FROM decision JOIN access_entry USING (subject_id, decision_id)"
        )
        return int(rows), {str(row[0]) for row in found}

    async def log_statements(self, *, on: bool) -> int:
        """Let the server log each statement, or stop it; return where its log ends now."""
        await self._connection.execute(
            f"ALTER SYSTEM SET log_statement = '{'all' if on else 'none'}'"
        )
        await self._connection.execute("SELECT pg_reload_conf()")
        await asyncio.sleep(0.5)
        return self._log.stat().st_size

    def statements(self, begin: int) -> dict[str, int]:
        """Count the statements in the log since `begin` by their first word, ours left out."""
        with self._log.open("rb") as log:
            log.seek(begin)
            words = [match[1].decode().upper() for match in _STATEMENT.finditer(log.read())]
        return {word: words.count(word) for word in sorted(set(words)) if word != "ALTER"}


async def valkey_version(url: str) -> str:
    """Return the version of a Valkey server."""
    client = Redis.from_url(url)
    try:
        return str((await client.info("server"))["valkey_version"])
    finally:
        await client.aclose()


def machine(postgres: str, valkey: str, directory: Path) -> list[tuple[str, str]]:
    """Describe where and on what a run was made."""
    names = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    kind = subprocess.run(
        ["stat", "-f", "-c", "%T", str(directory)], capture_output=True, text=True, check=True
    ).stdout.strip()
    return [
        ("date", f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"),
        ("machine", f"{names[0] if names else platform.machine()}, {len(names)} cores"),
        ("versions", f"Python {platform.python_version()}, PostgreSQL {postgres}, Valkey {valkey}"),
        ("revision", revision()),
        ("durability", f"fsync on, synchronous_commit on, data on {kind}"),
    ]


def revision() -> str:
    """Return the git revision, and whether the code differs from it."""
    root = Path(__file__).parents[2]
    words = ["git", "-C", str(root), "describe", "--always", "--abbrev=10"]
    head = subprocess.run(words, capture_output=True, text=True, check=False).stdout.strip()
    status = ["git", "-C", str(root), "status", "--porcelain", "--", "backend"]
    changed = subprocess.run(status, capture_output=True, text=True, check=False).stdout.strip()
    return (head or "unknown") + (" with changes in backend/" if changed else "")
