"""The record room's verbs: take a file in chunk by chunk, show what is on record."""

from collections.abc import Sequence
from datetime import date, datetime
from uuid import UUID

import msgspec

from backend.event import service as event
from backend.kit.crypto import Vault
from backend.kit.ids import new_id
from backend.kit.page import decode_cursor, encode_cursor
from backend.kit.postgres import ReadTx, Tx
from backend.kit.problem import Refusal
from backend.record import store
from backend.record.rules.catalogue import RecordClass
from backend.record.rules.fault import LINE_NOT_KEPT, Fault, FaultCode, StoredFault
from backend.record.rules.life import (
    Record,
    RecordVersion,
    counts,
    ends_on_of,
    fingerprint_of,
)
from backend.record.rules.submission import (
    Chunk,
    Line,
    Row,
    Submission,
    check_batch_id,
)
from backend.record.service.catalogue import check_sender

RECORDS_CHANGED = "records.changed"
# An event's handler works in one transaction and locks the participations it touches: short ones.
SUBJECTS_PER_EVENT = 200
FAULTS_SHOWN_MAX = 1_000


class RecordPage(msgspec.Struct, frozen=True):
    """One page of a subject's current records, newest first; no cursor on the last."""

    items: list[Record]
    next_cursor: str | None


async def open_submission(
    tx: Tx,
    *,
    source_code: str,
    class_code: str,
    batch_id: str,
    content_digest: bytes,
    now: datetime,
) -> Submission:
    """Begin a submission, or return the one this very content was handed in with before.

    Raises Refusal submission_batch_id_invalid, submission_conflict (this batch of this source had
    other content or another class), and those of `check_sender`.
    """
    await check_sender(tx, source_code=source_code, class_code=class_code)
    submission = Submission(
        submission_id=new_id(now),
        source_code=source_code,
        class_code=class_code,
        batch_id=check_batch_id(batch_id),
        content_digest=content_digest,
        accepted=0,
        rejected=0,
        bytes_done=0,
        lines_done=0,
        received_at=now,
        completed_at=None,
    )
    if await store.insert_submission(tx, submission):
        return submission
    known = await store.get_submission_by_batch(tx, source_code, batch_id)
    if (known.class_code, known.content_digest) != (class_code, content_digest):
        raise Refusal("submission_conflict")
    return known


async def take_chunk(
    tx: Tx, *, submission_id: UUID, chunk: Chunk, vault: Vault, now: datetime
) -> Submission:
    """Take one chunk of a submission in, whole, and return how far it is now.

    A chunk that does not begin where the submission stands changes nothing: somebody else has
    taken it, and the caller goes on from `bytes_done`.
    """
    submission = await store.lock_submission(tx, submission_id)
    if submission.completed_at is not None or submission.bytes_done != chunk.begin:
        return submission
    record_class = await check_sender(
        tx, source_code=submission.source_code, class_code=submission.class_code
    )
    rows = [row for _, row in chunk.rows]
    records = _records(rows, submission, record_class, vault=vault, now=now)
    new_ids, conflicting_ids = await _insert(tx, records, submission_id)
    conflicts = [
        (line, [Fault(line.number, "version", FaultCode.VERSION_CONFLICT)])
        for (line, _), record in zip(chunk.rows, records, strict=True)
        if record.record_id in conflicting_ids
    ]
    rejected = chunk.rejected + conflicts
    await store.insert_faults(tx, submission_id, _sealed(rejected, submission_id, vault))
    await _announce(tx, [each for each in records if each.record_id in new_ids], now=now)
    advanced = msgspec.structs.replace(
        submission,
        accepted=submission.accepted + len(records) - len(conflicts),
        rejected=submission.rejected + len(rejected),
        bytes_done=chunk.end,
        lines_done=submission.lines_done + chunk.line_count,
        completed_at=now if chunk.is_last else None,
    )
    assert advanced.accepted + advanced.rejected <= advanced.lines_done, "a line is counted once"
    await store.save_progress(tx, advanced)
    return advanced


async def list_faults(
    tx: ReadTx, *, submission_id: UUID, after_line: int = 0, limit: int = FAULTS_SHOWN_MAX
) -> list[StoredFault]:
    """Return what is wrong with the lines kept aside, by line; at most FAULTS_SHOWN_MAX."""
    limit = min(limit, FAULTS_SHOWN_MAX)
    return await store.list_faults(tx, submission_id, after_line=after_line, limit=limit)


def open_line(vault: Vault, fault: StoredFault, *, submission_id: UUID) -> bytes:
    """Return the line a first fault was kept with, as it was handed in; empty if not kept."""
    assert fault.row_sealed is not None, "only the first fault of a line holds it"
    aad = _line_aad(submission_id, fault.line_number)
    return vault.unseal_service(fault.row_sealed, aad=aad)


async def list_current(tx: ReadTx, *, subject_id: UUID, as_of: date) -> list[Record]:
    """Return a subject's records that count on a day: current versions within their life."""
    records = await store.list_current(tx, [subject_id])
    return [record for record in records if counts(record, as_of)]


async def list_current_by_subject(
    tx: ReadTx, *, subject_ids: Sequence[UUID]
) -> dict[UUID, list[Record]]:
    """Return the current versions of each subject's records, ended ones too; one statement."""
    by_subject: dict[UUID, list[Record]] = {subject_id: [] for subject_id in subject_ids}
    for record in await store.list_current(tx, subject_ids):
        by_subject[record.subject_id].append(record)
    return by_subject


async def list_last_reported(tx: ReadTx, *, subject_ids: Sequence[UUID]) -> dict[UUID, datetime]:
    """Return when the newest record of each subject came in; who has none is not there."""
    found = await store.list_last_reported(tx, subject_ids)
    return {each.subject_id: each.reported_at for each in found}


async def list_records(
    tx: ReadTx, *, subject_id: UUID, cursor: str | None, page_size: int
) -> RecordPage:
    """Return one page of what is on record about a subject, newest first.

    Raises Refusal cursor_invalid.
    """
    before = None if cursor is None else _place_of(cursor)
    found = await store.list_page(tx, subject_id, before=before, limit=page_size + 1)
    items = found[:page_size]
    if len(found) == len(items):
        return RecordPage(items, None)
    last = items[-1]
    return RecordPage(items, encode_cursor(last.occurred_on.isoformat(), str(last.record_id)))


def _place_of(cursor: str) -> tuple[date, UUID]:
    day, record_id = decode_cursor(cursor, parts=2)
    try:
        return date.fromisoformat(day), UUID(record_id)
    except ValueError:
        raise Refusal("cursor_invalid") from None


def _records(
    rows: Sequence[Row],
    submission: Submission,
    record_class: RecordClass,
    *,
    vault: Vault,
    now: datetime,
) -> list[RecordVersion]:
    """Give rows their subject, their id and their end."""
    people = {row.national_id for row in rows}
    subject_ids = {national_id: vault.subject_id(national_id) for national_id in people}
    return [
        _record(row, subject_ids[row.national_id], submission, record_class, now=now)
        for row in rows
    ]


def _record(
    row: Row,
    subject_id: UUID,
    submission: Submission,
    record_class: RecordClass,
    *,
    now: datetime,
) -> RecordVersion:
    ends_on = ends_on_of(record_class, occurred_on=row.occurred_on, ended_on=row.ended_on)
    return RecordVersion(
        subject_id=subject_id,
        record_id=new_id(now),
        class_code=record_class.code,
        source_code=submission.source_code,
        external_id=row.external_id,
        version=row.version,
        quantity=row.quantity,
        occurred_on=row.occurred_on,
        ended_on=row.ended_on,
        ends_on=ends_on,
        reported_at=now,
        disputed_at=None,
        repaired_at=None,
        fingerprint=fingerprint_of(
            class_code=record_class.code,
            source_code=submission.source_code,
            external_id=row.external_id,
            version=row.version,
            quantity=row.quantity,
            occurred_on=row.occurred_on,
            ended_on=row.ended_on,
            ends_on=ends_on,
        ),
        action="report",
        superseded_at=None,
    )


async def _insert(
    tx: Tx, records: Sequence[RecordVersion], submission_id: UUID
) -> tuple[set[UUID], set[UUID]]:
    """Insert records; return the ids that went in, and those whose version is there otherwise.

    What is in neither was handed in before with the same content: it is on record already.
    """
    if not records:
        return set(), set()
    # Always in the same order: two files that hold the same records would else wait for each
    # other. Lines of one key keep theirs, so that the first of them goes in.
    in_order = sorted(records, key=_key)
    new_ids = await store.insert_records(tx, in_order, submission_id)
    known = [each for each in records if each.record_id not in new_ids]
    if not known:
        return new_ids, set()
    stored = await store.list_same_versions(tx, known)
    contents = {_key(each): _content(each) for each in stored}
    return new_ids, {each.record_id for each in known if contents[_key(each)] != _content(each)}


def _key(record: Record) -> tuple[UUID, str, str, int]:
    return (record.subject_id, record.source_code, record.external_id, record.version)


def _content(record: Record) -> tuple[object, ...]:
    return (record.class_code, record.quantity, record.occurred_on, record.ended_on)


def _sealed(
    rejected: Sequence[tuple[Line, list[Fault]]], submission_id: UUID, vault: Vault
) -> list[StoredFault]:
    return [
        StoredFault(
            line_number=line.number,
            fault_number=number,
            column_name=fault.column,
            code=fault.code.value,
            message=fault.message,
            row_sealed=None
            if number
            else vault.seal_service(
                b"" if any(each.code in LINE_NOT_KEPT for each in faults) else line.content,
                aad=_line_aad(submission_id, line.number),
            ),
        )
        for line, faults in rejected
        for number, fault in enumerate(faults)
    ]


def _line_aad(submission_id: UUID, line_number: int) -> str:
    return f"submission_error|row_sealed|{submission_id}|{line_number}"


async def _announce(tx: Tx, inserted: Sequence[Record], *, now: datetime) -> None:
    """Say whose records changed, in the same transaction: scores follow."""
    changed = sorted({each.subject_id for each in inserted})
    for first in range(0, len(changed), SUBJECTS_PER_EVENT):
        subject_ids = [str(each) for each in changed[first : first + SUBJECTS_PER_EVENT]]
        payload = {"subject_ids": subject_ids}
        await event.emit(tx, topic=RECORDS_CHANGED, subject_id=None, payload=payload, now=now)
