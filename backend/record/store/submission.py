"""SQL of submissions and records."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from uuid import UUID

import msgspec

from backend.kit.postgres import ReadTx, Tx
from backend.record.rules.fault import StoredFault
from backend.record.rules.life import Record, RecordVersion
from backend.record.rules.submission import Submission


class InsertedRecord(msgspec.Struct, frozen=True):
    """A record that went in."""

    record_id: UUID


class LastReported(msgspec.Struct, frozen=True):
    """When the newest record of a subject came in."""

    subject_id: UUID
    reported_at: datetime


async def insert_submission(tx: Tx, submission: Submission) -> bool:
    """Begin a submission; False when the source has one with this batch id."""
    inserted = await tx.execute(
        """INSERT INTO submission (submission_id, source_code, class_code, batch_id,
               content_digest, accepted, rejected, bytes_done, lines_done, received_at)
           VALUES ($1, $2, $3, $4, $5, 0, 0, 0, 0, $6)
           ON CONFLICT (source_code, batch_id) DO NOTHING""",
        submission.submission_id,
        submission.source_code,
        submission.class_code,
        submission.batch_id,
        submission.content_digest,
        submission.received_at,
    )
    return inserted == 1


async def get_submission_by_batch(tx: ReadTx, source_code: str, batch_id: str) -> Submission:
    """Return a submission that exists, by the source's own batch id."""
    return await tx.fetch_one(
        Submission,
        """SELECT submission_id, source_code, class_code, batch_id, content_digest, accepted,
                  rejected, bytes_done, lines_done, received_at, completed_at
           FROM submission WHERE source_code = $1 AND batch_id = $2""",
        source_code,
        batch_id,
    )


async def lock_submission(tx: Tx, submission_id: UUID) -> Submission:
    """Return a submission and keep others from advancing it until the transaction ends."""
    return await tx.fetch_one(
        Submission,
        """SELECT submission_id, source_code, class_code, batch_id, content_digest, accepted,
                  rejected, bytes_done, lines_done, received_at, completed_at
           FROM submission WHERE submission_id = $1 FOR UPDATE""",
        submission_id,
    )


async def save_progress(tx: Tx, submission: Submission) -> None:
    """Write how far a submission is in and what came of its lines."""
    await tx.execute(
        """UPDATE submission SET accepted = $2, rejected = $3, bytes_done = $4, lines_done = $5,
               completed_at = $6
           WHERE submission_id = $1""",
        submission.submission_id,
        submission.accepted,
        submission.rejected,
        submission.bytes_done,
        submission.lines_done,
        submission.completed_at,
    )


async def insert_records(
    tx: Tx, records: Sequence[RecordVersion], submission_id: UUID
) -> set[UUID]:
    """Insert the versions that are not there yet, and return the ids of those that went in."""
    inserted = await tx.fetch_all(
        InsertedRecord,
        """INSERT INTO record (subject_id, record_id, class_code, source_code, external_id,
               version, quantity, occurred_on, ended_on, ends_on, reported_at, disputed_at,
               repaired_at, fingerprint, action, superseded_at, submission_id)
           SELECT *, $17::uuid
           FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::bigint[],
                $7::bigint[], $8::date[], $9::date[], $10::date[], $11::timestamptz[],
                $12::timestamptz[], $13::timestamptz[], $14::bigint[], $15::text[],
                $16::timestamptz[])
           ON CONFLICT (subject_id, source_code, external_id, version) DO NOTHING
           RETURNING record_id""",
        [each.subject_id for each in records],
        [each.record_id for each in records],
        [each.class_code for each in records],
        [each.source_code for each in records],
        [each.external_id for each in records],
        [each.version for each in records],
        [each.quantity for each in records],
        [each.occurred_on for each in records],
        [each.ended_on for each in records],
        [each.ends_on for each in records],
        [each.reported_at for each in records],
        [each.disputed_at for each in records],
        [each.repaired_at for each in records],
        [each.fingerprint for each in records],
        [each.action for each in records],
        [each.superseded_at for each in records],
        submission_id,
    )
    return {each.record_id for each in inserted}


async def list_same_versions(tx: ReadTx, records: Sequence[RecordVersion]) -> list[RecordVersion]:
    """Return what is stored under the keys (subject, source, external id, version) of records."""
    return await tx.fetch_all(
        RecordVersion,
        """SELECT stored.subject_id, stored.record_id, stored.class_code, stored.source_code,
                  stored.external_id, stored.version, stored.quantity, stored.occurred_on,
                  stored.ended_on, stored.ends_on, stored.reported_at,
                  stored.disputed_at, stored.repaired_at, stored.fingerprint, stored.action,
                  stored.superseded_at
           FROM unnest($1::uuid[], $2::text[], $3::text[], $4::bigint[])
                AS given (subject_id, source_code, external_id, version)
           JOIN record AS stored USING (subject_id, source_code, external_id, version)""",
        [each.subject_id for each in records],
        [each.source_code for each in records],
        [each.external_id for each in records],
        [each.version for each in records],
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
