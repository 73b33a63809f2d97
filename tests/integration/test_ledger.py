"""Goal: the access ledger keeps what was written, for the citizen to see.

Method: real PostgreSQL; change, delete and truncate as the application and as the tables' owner.
"""

from datetime import timedelta
from uuid import UUID, uuid4

import asyncpg
import pytest

from backend.kit.clock import FixedClock
from backend.kit.ids import new_id
from backend.kit.postgres import Database, Tx
from backend.kit.problem import Refusal
from backend.ledger import service
from backend.ledger.rules import AccessEntry


def _entry(subject_id: UUID, clock: FixedClock, disclosed: str = "eligible") -> AccessEntry:
    return AccessEntry(
        subject_id=subject_id,
        entry_id=new_id(clock.now()),
        actor_kind="partner",
        actor_id="city-library",
        actor_name_zh="市图书馆",
        actor_name_en="City Library",
        action="eligibility_check",
        data_kinds=["eligibility", "benefit"],
        purpose="deposit_free_borrowing",
        purpose_zh="免押借阅",
        purpose_en="Deposit-free borrowing",
        consent_id=uuid4(),
        programme_code="library",
        decision_id=uuid4(),
        disclosed=disclosed,
        at=clock.now(),
    )


async def test_looks_are_listed_newest_first_and_page_by_page(tx: Tx, clock: FixedClock) -> None:
    subject, stranger = uuid4(), uuid4()
    entries = []
    for _ in range(5):
        clock.advance(timedelta(seconds=1))
        entries.append(_entry(subject, clock))
    await service.record_access(tx, entries=[*entries, _entry(stranger, clock)])
    seen, cursor = [], None
    for _ in range(3):
        page = await service.list_accesses(tx, subject_id=subject, cursor=cursor, page_size=2)
        seen += page.items
        cursor = page.next_cursor
    assert seen == entries[::-1]
    assert cursor is None


async def test_a_foreign_cursor_is_refused(tx: Tx) -> None:
    for cursor in ("x", "WyJ4Il0"):
        with pytest.raises(Refusal, match="cursor_invalid"):
            await service.list_accesses(tx, subject_id=uuid4(), cursor=cursor, page_size=2)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE access_entry SET disclosed = 'nothing'",
        "DELETE FROM access_entry",
        "TRUNCATE access_entry",
    ],
)
async def test_nobody_changes_or_removes_a_look(
    statement: str, database: Database, database_url: str, clock: FixedClock
) -> None:
    async with database.write() as tx:
        await service.record_access(tx, entries=[_entry(uuid4(), clock)])
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with database.write() as tx:
            await tx.execute(statement)
    owner = await asyncpg.connect(database_url)
    with pytest.raises(asyncpg.RestrictViolationError):
        await owner.execute(statement)
    assert await owner.fetchval("SELECT count(*) FROM access_entry") == 1
    await owner.close()
