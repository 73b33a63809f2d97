"""SQL of what a source sees of its own submissions."""

from uuid import UUID

from backend.kit.postgres import ReadTx
from backend.record.rules.fault import StoredFault
from backend.record.rules.submission import Submission


async def find_submission(
    tx: ReadTx, *, source_code: str, submission_id: UUID
) -> Submission | None:
    """Return a submission of a source; None for another's, as for one that never was."""
    return await tx.fetch_optional(
        Submission,
        """SELECT submission_id, source_code, class_code, batch_id, content_digest, accepted,
                  rejected, duplicates, corrections, withdrawals, repairs, incomplete, timed, late,
                  bytes_done, lines_done, received_at, completed_at
           FROM submission WHERE submission_id = $1 AND source_code = $2""",
        submission_id,
        source_code,
    )


async def list_submissions(
    tx: ReadTx, *, source_code: str, before: UUID | None, limit: int
) -> list[Submission]:
    """Return the submissions of a source, newest first; `before` is the id of the last one seen.

    Ids are made when files come in and grow with time (RFC 9562 section 5.7).
    """
    return await tx.fetch_all(
        Submission,
        """SELECT submission_id, source_code, class_code, batch_id, content_digest, accepted,
                  rejected, duplicates, corrections, withdrawals, repairs, incomplete, timed, late,
                  bytes_done, lines_done, received_at, completed_at
           FROM submission
           WHERE source_code = $1 AND ($2::uuid IS NULL OR submission_id < $2)
           ORDER BY submission_id DESC LIMIT $3""",
        source_code,
        before,
        limit,
    )


async def list_fault_page(
    tx: ReadTx, submission_id: UUID, *, after: tuple[int, int], limit: int
) -> list[StoredFault]:
    """Return the faults of a submission after a place (line, number of the fault in its line)."""
    line_number, fault_number = after
    return await tx.fetch_all(
        StoredFault,
        """SELECT line_number, fault_number, column_name, code, message, row_sealed
           FROM submission_error
           WHERE submission_id = $1 AND (line_number, fault_number) > ($2::bigint, $3::bigint)
           ORDER BY line_number, fault_number LIMIT $4""",
        submission_id,
        line_number,
        fault_number,
        limit,
    )
