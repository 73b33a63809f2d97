"""Goal: what is kept as it came can't be rewritten by the application, whoever makes it try.

Method: as the application's role on the migrated database, statements that would change what a
source said, what was submitted, approved, proved or handed over; each must be refused for want of
a grant.
"""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from backend.kit.postgres import APPLICATION_ROLE

REWRITES = [
    *("UPDATE record SET quantity = 1", "UPDATE record SET subject_id = gen_random_uuid()"),
    *("UPDATE record SET ends_on = NULL", "UPDATE record SET fingerprint = 0"),
    *("UPDATE score_history SET points = 0", "UPDATE record_step SET actor = ''"),
    *("UPDATE scorecard SET document = ''", "UPDATE scorecard SET submitted_by = ''"),
    *("DELETE FROM scorecard", "DELETE FROM catalogue_edition", "DELETE FROM work_calendar"),
    *("UPDATE catalogue_edition SET document = ''", "UPDATE scorecard_report SET as_of = now()"),
    *("UPDATE scorecard_approval SET approver = ''", "DELETE FROM scorecard_approval"),
    *("UPDATE purged_record SET ordinal = 0", "DELETE FROM purged_record"),
    *("UPDATE record_purge SET record_count = 1", "DELETE FROM record_purge"),
    "UPDATE ended_number SET external_id = ''",
    *("UPDATE upload SET source_code = ''", "UPDATE upload_part SET content_sealed = ''"),
    "DELETE FROM upload_part",
    "UPDATE oauth_client_token SET expires_at = expires_at + interval '1 second'",
    *(
        "UPDATE oauth_client_token SET scopes = '{}'",
        "UPDATE oauth_client_token SET client_id = ''",
    ),
]


@pytest.fixture
async def connection(shared_url: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection to a migrated database, acting as the application."""
    connection = await asyncpg.connect(shared_url, server_settings={"role": APPLICATION_ROLE})
    yield connection
    await connection.close()


@pytest.mark.parametrize("sql", REWRITES)
async def test_the_application_may_not(connection: asyncpg.Connection, sql: str) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await connection.execute(f"EXPLAIN {sql}")
