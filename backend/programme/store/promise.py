"""SQL that finds the version of a programme that something was decided or opened by."""

from uuid import UUID

from backend.kit.postgres import ReadTx


async def find_decided_digest(tx: ReadTx, subject_id: UUID, decision_id: UUID) -> bytes | None:
    """Return the digest of the version a decision was made by, or None."""
    return await tx.fetch_optional_value(
        bytes,
        """SELECT programme_version.digest
           FROM decision JOIN programme_version
             ON programme_version.programme_code = decision.programme_code
             AND programme_version.version = decision.programme_version
           WHERE decision.subject_id = $1 AND decision.decision_id = $2""",
        subject_id,
        decision_id,
    )
