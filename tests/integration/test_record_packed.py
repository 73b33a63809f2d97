"""Goal: what is packed before its transaction is stored as what it says, to the last column.

Method: lines of every kind go in packed, are read back by the ordinary statements, and are compared
with what the lines say, and with the fingerprint that migration 0013 works out in SQL.
"""

import re
from datetime import UTC, date, datetime
from pathlib import Path

import asyncpg
import pytest

from backend.kit import copy
from backend.kit.crypto import Vault
from backend.kit.postgres import Database
from backend.record import service
from backend.record.rules.fault import VERSION_MAX
from backend.record.rules.layout import PLAIN
from backend.record.rules.life import ends_on_of
from tests.support.citizen import national_id

MIGRATION = Path(__file__).parents[2] / "migrations" / "0013_record_versions.sql"
NOW = datetime(2026, 11, 20, 2, 0, 0, 123457, tzinfo=UTC)


async def take(
    database: Database, vault: Vault, lines: list[str], *, class_code: str
) -> service.PackedChunk:
    """Take lines in as a submission of the library, and return them as they were packed."""
    header = "national_id,external_id,version,occurred_on,ended_on,quantity"
    content = "\n".join([header, *lines, ""]).encode()
    said = {"source_code": "city_library", "class_code": class_code}
    async with database.write() as tx:
        record_class = await service.check_sender(tx, **said)
        opened = await service.open_submission(
            tx, batch_id=class_code, content_digest=bytes(32), now=NOW, **said
        )
    (packed,) = service.read_packed(
        lambda begin: [content[begin:]],
        opened,
        layout=PLAIN,
        record_class=record_class,
        vault=vault,
    )
    async with database.write() as tx:
        done = await service.take_chunk(
            tx, submission_id=opened.submission_id, packed=packed, vault=vault, now=NOW
        )
    assert (done.accepted, done.rejected) == (len(lines), 0)
    return packed


async def test_every_column_is_what_the_line_said(
    database: Database, database_url: str, vault: Vault
) -> None:
    most = service.packaged_catalogue().classes["library_return"].value.max
    lines = [
        f"{national_id(1)},a-1,,2026-11-20,,",
        f"{national_id(2)},沪〔2026〕1号,{VERSION_MAX},2026-01-31,2026-02-28,{most}",
        f"{national_id(1)},{'号' * 64},3,2025-12-01,,2",
    ]
    await take(database, vault, lines, class_code="library_return")
    kind = service.packaged_catalogue().classes["library_return"]
    connection = await asyncpg.connect(database_url)
    rows = await connection.fetch("SELECT * FROM record")
    await connection.close()
    found = {each["external_id"]: each for each in rows}
    assert len(found) == len({each["record_id"] for each in rows}) == 3
    for line in lines:
        person, external_id, version, occurred, ended, quantity = line.split(",")
        row = found[external_id]
        occurred_on = date.fromisoformat(occurred)
        ended_on = date.fromisoformat(ended) if ended else None
        assert row["subject_id"] == vault.subject_id(person)
        assert (row["class_code"], row["source_code"]) == ("library_return", "city_library")
        assert (row["version"], row["quantity"]) == (int(version or 1), int(quantity or 1))
        assert (row["occurred_on"], row["ended_on"]) == (occurred_on, ended_on)
        assert row["ends_on"] == ends_on_of(kind, occurred_on=occurred_on, ended_on=ended_on)
        assert (row["action"], row["reported_at"]) == ("report", NOW)
        assert row["record_id"].version == 7
        assert [row[f"{name}_at"] for name in ("superseded", "disputed", "repaired")] == [None] * 3


async def test_the_fingerprint_is_the_one_the_migration_works_out(
    database: Database, database_url: str, vault: Vault
) -> None:
    lines = [
        f"{national_id(1 + number % 3)},f-{number},{number},2026-0{1 + number % 9}-11,,{number}"
        for number in range(1, 21)
    ]
    await take(database, vault, lines, class_code="library_return")
    found = re.search(r"fingerprint = (.+?);", MIGRATION.read_text(), re.DOTALL)
    assert found is not None
    connection = await asyncpg.connect(database_url)
    query = f"SELECT count(*) FROM record WHERE fingerprint = {found.group(1)}"
    count = await connection.fetchval(query)
    await connection.close()
    assert count == len(lines)


async def test_a_field_of_a_wrong_length_is_refused(database: Database) -> None:
    row = copy.row_head(1) + copy.size_of(12) + bytes(12)
    with pytest.raises(asyncpg.PostgresError, match="incorrect binary data format"):
        async with database.write() as tx:
            await tx.copy_binary("record", ["version"], copy.HEAD + row + copy.TAIL)
