"""The schema as text: what the migrations make of an empty database."""

import asyncio
import tempfile
from pathlib import Path

from backend.kit.embedded import pg_dump, start_postgres
from backend.kit.migrate import migrate


def schema_text(url: str) -> str:
    """Dump the schema of a migrated database; the same text for the same schema."""
    # A fixed key: pg_dump otherwise makes a random one for each dump.
    return pg_dump(url, "--schema-only", "--no-owner", "--restrict-key=creditplus")


def fresh_schema_text() -> str:
    """Migrate an empty database of its own and dump it."""
    with (
        tempfile.TemporaryDirectory(prefix="cp-") as name,
        start_postgres(Path(name) / "pg", durable=False) as server,
    ):
        asyncio.run(migrate(server.url))
        return schema_text(server.url)
