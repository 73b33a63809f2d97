"""SQL of submissions and records."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

import msgspec

from backend.kit.postgres import ReadTx, Tx
from backend.record.rules.fault import StoredFault
from backend.record.rules.life import Record
from backend.record.rules.submission import Submission


class LastReported(msgspec.Struct, frozen=True):
    """When the newest record of a subject came in."""

    subject_id: UUID
    reported_at: datetime


class KeptLayout(msgspec.Struct, frozen=True):
    """How the lines of a submission are read, as builtins; None where nobody said."""

    layout: dict[str, Any] | None


async def insert_submission(tx: Tx, submission: Submission, layout: dict[str, Any] | None) -> bool:
    """Begin a submission; False when the source has one with this batch id."""
    inserted = await tx.execute(
        """INSERT INTO submission (submission_id, source_code, class_code, batch_id,
               content_digest, accepted, rejected, bytes_done, lines_done, received_at, layout)
           VALUES ($1, $2, $3, $4, $5, 0, 0, 0, 0, $6, $7)
           ON CONFLICT (source_code, batch_id) DO NOTHING""",
        submission.submission_id,
        submission.source_code,
        submission.class_code,
        submission.batch_id,
        submission.content_digest,
        submission.received_at,
        layout,
    )
    return inserted == 1


async def find_layout(tx: ReadTx, submission_id: UUID) -> KeptLayout | None:
    """Return how the lines of a submission are read."""
    return await tx.fetch_optional(
        KeptLayout, """SELECT layout FROM submission WHERE submission_id = $1""", submission_id
    )


async def find_submission(tx: ReadTx, submission_id: UUID) -> Submission | None:
    """Return a submission of any source."""
    return await tx.fetch_optional(
        Submission,
        """SELECT submission_id, source_code, class_code, batch_id, content_digest, accepted,
                  rejected, duplicates, corrections, withdrawals, repairs, incomplete, timed, late,
                  bytes_done, lines_done, received_at, completed_at
           FROM submission WHERE submission_id = $1""",
        submission_id,
    )


async def get_submission_by_batch(tx: ReadTx, source_code: str, batch_id: str) -> Submission:
    """Return a submission that exists, by the source's own batch id."""
    return await tx.fetch_one(
        Submission,
        """SELECT submission_id, source_code, class_code, batch_id, content_digest, accepted,
                  rejected, duplicates, corrections, withdrawals, repairs, incomplete, timed, late,
                  bytes_done, lines_done, received_at, completed_at
           FROM submission WHERE source_code = $1 AND batch_id = $2""",
        source_code,
        batch_id,
    )


async def lock_submission(tx: Tx, submission_id: UUID) -> Submission:
    """Return a submission and keep others from advancing it until the transaction ends."""
    return await tx.fetch_one(
        Submission,
        """SELECT submission_id, source_code, class_code, batch_id, content_digest, accepted,
                  rejected, duplicates, corrections, withdrawals, repairs, incomplete, timed, late,
                  bytes_done, lines_done, received_at, completed_at
           FROM submission WHERE submission_id = $1 FOR UPDATE""",
        submission_id,
    )


async def save_progress(tx: Tx, submission: Submission) -> None:
    """Write how far a submission is in and what came of its lines."""
    await tx.execute(
        """UPDATE submission SET accepted = $2, rejected = $3, duplicates = $4, corrections = $5,
               withdrawals = $6, repairs = $7, incomplete = $8, timed = $9, late = $10,
               bytes_done = $11, lines_done = $12, completed_at = $13
           WHERE submission_id = $1""",
        submission.submission_id,
        submission.accepted,
        submission.rejected,
        submission.duplicates,
        submission.corrections,
        submission.withdrawals,
        submission.repairs,
        submission.incomplete,
        submission.timed,
        submission.late,
        submission.bytes_done,
        submission.lines_done,
        submission.completed_at,
    )


async def insert_faults(tx: Tx, submission_id: UUID, faults: Iterable[StoredFault]) -> None:
    """Keep bad lines aside."""
    rows = [
        (
            *(submission_id, each.line_number, each.fault_number, each.column_name),
            *(each.code, each.message, each.row_sealed),
        )
        for each in faults
    ]
    await tx.execute_many(
        """INSERT INTO submission_error (submission_id, line_number, fault_number, column_name,
               code, message, row_sealed)
           VALUES ($1, $2, $3, $4, $5, $6, $7)""",
        rows,
    )


async def list_faults(
    tx: ReadTx, submission_id: UUID, *, after_line: int, limit: int
) -> list[StoredFault]:
    """Return the faults of a submission by line, those of whole lines, from a line on."""
    return await tx.fetch_all(
        StoredFault,
        """SELECT line_number, fault_number, column_name, code, message, row_sealed
           FROM submission_error WHERE submission_id = $1 AND line_number > $2
           ORDER BY line_number, fault_number LIMIT $3""",
        submission_id,
        after_line,
        limit,
    )


async def list_current(tx: ReadTx, subject_ids: Sequence[UUID]) -> list[Record]:
    """Return the current records of some subjects: the versions that nothing superseded."""
    return await tx.fetch_all(
        Record,
        """SELECT subject_id, record_id, class_code, source_code, external_id, version, quantity,
                  occurred_on, ended_on, ends_on, reported_at, disputed_at, repaired_at,
                  fingerprint
           FROM record WHERE subject_id = ANY($1) AND superseded_at IS NULL
           ORDER BY subject_id, source_code, external_id""",
        subject_ids,
    )


async def list_last_reported(tx: ReadTx, subject_ids: Sequence[UUID]) -> list[LastReported]:
    """Return when the newest record of each subject came in."""
    return await tx.fetch_all(
        LastReported,
        """SELECT subject_id, max(reported_at) AS reported_at
           FROM record WHERE subject_id = ANY($1) GROUP BY subject_id""",
        subject_ids,
    )


async def list_page(
    tx: ReadTx, subject_id: UUID, *, before: tuple[date, UUID] | None, limit: int
) -> list[Record]:
    """Return current records by (day, id), newest first, after a place in that order."""
    day, record_id = before or (None, None)
    return await tx.fetch_all(
        Record,
        """SELECT subject_id, record_id, class_code, source_code, external_id, version, quantity,
                  occurred_on, ended_on, ends_on, reported_at, disputed_at, repaired_at,
                  fingerprint
           FROM record WHERE subject_id = $1 AND superseded_at IS NULL
               AND ($2::date IS NULL OR (occurred_on, record_id) < ($2, $3::uuid))
           ORDER BY occurred_on DESC, record_id DESC LIMIT $4""",
        subject_id,
        day,
        record_id,
        limit,
    )
