"""SQL of all versions of records, those that no longer stand too."""

from uuid import UUID

from backend.kit.postgres import ReadTx
from backend.record.rules.life import RecordVersion


async def list_versions(tx: ReadTx, subject_id: UUID) -> list[RecordVersion]:
    """Return every version of a subject's records that is on file."""
    return await tx.fetch_all(
        RecordVersion,
        """SELECT subject_id, record_id, class_code, source_code, external_id, version, quantity,
                  occurred_on, ended_on, ends_on, reported_at, disputed_at, repaired_at,
                  fingerprint, action, superseded_at
           FROM record WHERE subject_id = $1
           ORDER BY source_code, external_id, version""",
        subject_id,
    )
