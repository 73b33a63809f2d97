"""What was on record, and where in the list of a subject's records one stands."""

from uuid import UUID

from backend.kit.page import encode_cursor
from backend.kit.postgres import ReadTx
from backend.record.rules.life import Record, RecordVersion
from backend.record.store import past as store

_LAST_ID = 2**128 - 1


async def list_versions(tx: ReadTx, *, subject_id: UUID) -> list[RecordVersion]:
    """Return every version of a subject's records that is on file, superseded ones too."""
    return await store.list_versions(tx, subject_id)


def cursor_at(record: Record) -> str:
    """Return the cursor of the page of `list_records` that begins with this record."""
    after = UUID(int=min(record.record_id.int + 1, _LAST_ID))
    return encode_cursor(record.occurred_on.isoformat(), str(after))
