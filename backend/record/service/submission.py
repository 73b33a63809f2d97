"""Verbs that take a department's file in, chunk by chunk."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import msgspec

from backend.event import service as event
from backend.kit.clock import city_date
from backend.kit.crypto import Vault
from backend.kit.ids import new_id, new_ids
from backend.kit.postgres import ReadTx, Tx
from backend.kit.problem import Refusal
from backend.record import store
from backend.record.rules.block import Rejected
from backend.record.rules.fault import LINE_NOT_KEPT, Fault, FaultCode, StoredFault
from backend.record.rules.layout import Layout, with_known_columns
from backend.record.rules.life import Days, RecordVersion
from backend.record.rules.purge import EndedNumber
from backend.record.rules.submission import Submission, check_batch_id
from backend.record.rules.version import Held, Outcome, Settled, VersionKey, is_all_new, settle
from backend.record.service.catalogue import check_sender, get_catalogue
from backend.record.service.packing import PackedChunk
from backend.record.service.quality import time_reports
from backend.record.service.reading import line_aad
from backend.record.store import version as version_store
from backend.record.store.packed import insert_pieces

RECORDS_CHANGED = "records.changed"
# An event's handler works in one transaction and locks the participations it touches: some 50 ms.
SUBJECTS_PER_EVENT = 1_000
# The column of a line that doesn't fit what is on file.
_AT_FAULT = {
    FaultCode.CLASS_CHANGED: "external_id",
    FaultCode.RECORD_ENDED: "occurred_on",
    FaultCode.VERSION_CONFLICT: "version",
}


async def layout_for(tx: ReadTx, layout: Layout, *, source_code: str, class_code: str) -> Layout:
    """Return a file's layout with the headers this source's exports are known to have.

    Raises Refusal catalogue_missing, submission_source_unknown.
    """
    source = (await get_catalogue(tx)).sources.get(source_code)
    if source is None:
        raise Refusal("submission_source_unknown")
    return with_known_columns(layout, source.columns_of(class_code))


async def open_submission(
    tx: Tx,
    *,
    source_code: str,
    class_code: str,
    batch_id: str,
    content_digest: bytes,
    now: datetime,
    layout: Layout | None = None,
) -> Submission:
    """Begin a submission, or return the one this very content was handed in with before.

    The layout is kept from the beginning, as `layout_of_file` gives it: whoever goes on with the
    file reads it by `find_layout`.

    Raises Refusal submission_batch_id_invalid, submission_conflict (this batch of this source had
    other content or another class, or was read in another way), and those of `check_sender`.
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
        duplicates=0,
        corrections=0,
        withdrawals=0,
        repairs=0,
        incomplete=0,
        timed=0,
        late=0,
        bytes_done=0,
        lines_done=0,
        received_at=now,
        completed_at=None,
    )
    kept = None if layout is None else msgspec.to_builtins(layout)
    if await store.insert_submission(tx, submission, kept):
        return submission
    known = await store.get_submission_by_batch(tx, source_code, batch_id)
    if (known.class_code, known.content_digest) != (class_code, content_digest):
        raise Refusal("submission_conflict")
    read_by = await store.find_layout(tx, known.submission_id)
    if read_by is not None and None not in (kept, read_by.layout) and kept != read_by.layout:
        raise Refusal("submission_conflict")
    return known


async def take_chunk(
    tx: Tx, *, submission_id: UUID, packed: PackedChunk, vault: Vault, now: datetime
) -> Submission:
    """Take one chunk of a submission in, whole, and return how far it is now.

    A chunk that does not begin where the submission stands changes nothing: somebody else has
    taken it, and the caller goes on from `bytes_done`. Nor does one whose class an edition has
    changed since it was read: the caller reads it again. Chunks of one source take turns.
    """
    chunk = packed.chunk
    submission = await store.lock_submission(tx, submission_id)
    if submission.completed_at is not None or submission.bytes_done != chunk.begin:
        return submission
    record_class = await check_sender(
        tx, source_code=submission.source_code, class_code=submission.class_code
    )
    if chunk.read_as != record_class:
        return submission
    taken = await _take_rows(tx, packed, submission, now=now)
    rejected = chunk.rejected + taken.conflicts
    await store.insert_faults(tx, submission_id, _sealed(rejected, submission_id, vault))
    await _announce(tx, taken.changed, now=now)
    advanced = _counted(submission, taken.outcomes, rejected)
    timing = await time_reports(
        tx,
        record_class=record_class,
        days=taken.days_of_new,
        received_on=city_date(submission.received_at),
    )
    advanced = msgspec.structs.replace(
        advanced,
        timed=submission.timed + timing.timed,
        late=submission.late + timing.late,
        bytes_done=chunk.end,
        lines_done=submission.lines_done + chunk.line_count,
        completed_at=now if chunk.is_last else None,
    )
    assert advanced.accepted + advanced.rejected <= advanced.lines_done, "a line is counted once"
    await store.save_progress(tx, advanced)
    return advanced


class _Taken(NamedTuple):
    """What came of the good lines of a chunk; `changed` are subject ids as text."""

    outcomes: Counter[Outcome]
    conflicts: list[Rejected]
    days_of_new: list[Days]
    changed: Iterable[str]


async def _take_rows(
    tx: Tx, packed: PackedChunk, submission: Submission, *, now: datetime
) -> _Taken:
    """Write the good lines of a chunk, and say what came of them.

    Chunks of one source take turns from here to the end of their transactions: two files never
    settle the same number at once, in whatever order they name it (ADR 0017).
    """
    source_code, rows = submission.source_code, packed.chunk.rows
    await version_store.lock_source(tx, source_code)
    if not rows:
        return _Taken(Counter(), [], [], ())
    held = await version_store.list_held(tx, source_code, rows.external_ids)
    ended = await version_store.list_ended_numbers(tx, source_code, rows.external_ids)
    today = city_date(submission.received_at)
    if not ended and is_all_new(rows.external_ids, rows.actions, rows.days, held, today=today):
        # Nearly every chunk of a usual file: it goes in as it was packed.
        await insert_pieces(
            tx,
            packed.pieces,
            class_code=submission.class_code,
            source_code=source_code,
            submission_id=submission.submission_id,
            now=now,
        )
        return _Taken(Counter({Outcome.NEW: len(rows)}), [], rows.days, packed.everybody)
    records = _records(packed, submission, now=now)
    settled = await _settle(tx, records, held, ended, submission=submission, now=now)
    conflicts = [
        (rows.at(place)[0], [Fault(rows.line_numbers[place], _AT_FAULT[outcome], outcome)])
        for place, outcome in enumerate(settled.outcomes)
        if isinstance(outcome, FaultCode)
    ]
    return _Taken(
        Counter(each for each in settled.outcomes if isinstance(each, Outcome)),
        conflicts,
        [
            days
            for days, outcome in zip(rows.days, settled.outcomes, strict=True)
            if outcome is Outcome.NEW
        ],
        map(str, settled.changed),
    )


def _records(packed: PackedChunk, submission: Submission, *, now: datetime) -> list[RecordVersion]:
    """Make versions of the rows of a chunk."""
    rows = packed.chunk.rows
    whole = zip(rows, packed.subjects, packed.fingerprints, new_ids(now, len(rows)), strict=True)
    return [
        RecordVersion(
            subject_id=subject.subject_id,
            record_id=UUID(bytes=record_id),
            class_code=submission.class_code,
            source_code=submission.source_code,
            external_id=row.external_id,
            version=row.version,
            quantity=row.quantity,
            occurred_on=row.occurred_on,
            ended_on=row.ended_on,
            ends_on=row.ends_on,
            reported_at=now,
            disputed_at=None,
            repaired_at=None,
            fingerprint=int.from_bytes(fingerprint, "big", signed=True),
            action=row.action,
            superseded_at=None,
        )
        for (_, row), subject, fingerprint, record_id in whole
    ]


async def _settle(
    tx: Tx,
    records: Sequence[RecordVersion],
    held: Sequence[Held],
    ended: Sequence[EndedNumber],
    *,
    submission: Submission,
    now: datetime,
) -> Settled:
    """Settle what arrives with what is on file, and write what comes of it."""
    source_code = submission.source_code
    known = {each.external_id for each in held}
    keys = [(each.external_id, each.version) for each in records if each.external_id in known]
    same: Mapping[VersionKey, RecordVersion] = {}
    if keys:
        found = await version_store.list_same_versions(tx, source_code, keys)
        same = {(each.external_id, each.version): each for each in found}
    today = city_date(submission.received_at)
    over = {each.external_id: each.version for each in ended}
    settled = settle(records, held, same, over, today=today, now=now)
    if settled.superseded:
        await version_store.mark_superseded(tx, source_code, settled.superseded, now=now)
    if settled.repaired:
        await version_store.mark_repaired(tx, source_code, settled.repaired, now=now)
    if settled.inserted:
        await version_store.insert_records(tx, settled.inserted, submission.submission_id)
    return settled


def _counted(
    submission: Submission, outcomes: Counter[Outcome], rejected: Sequence[Rejected]
) -> Submission:
    """Add up what came of lines."""
    incomplete = sum(
        any(fault.code is FaultCode.FIELD_MISSING for fault in faults) for _, faults in rejected
    )
    return msgspec.structs.replace(
        submission,
        accepted=submission.accepted + outcomes.total(),
        rejected=submission.rejected + len(rejected),
        duplicates=submission.duplicates + outcomes[Outcome.DUPLICATE],
        corrections=submission.corrections + outcomes[Outcome.CORRECTION],
        withdrawals=submission.withdrawals + outcomes[Outcome.WITHDRAWAL],
        repairs=submission.repairs + outcomes[Outcome.REPAIR],
        incomplete=submission.incomplete + incomplete,
    )


def _sealed(rejected: Sequence[Rejected], submission_id: UUID, vault: Vault) -> list[StoredFault]:
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
                aad=line_aad(submission_id, line.number),
            ),
        )
        for line, faults in rejected
        for number, fault in enumerate(faults)
    ]


async def _announce(tx: Tx, subject_ids: Iterable[str], *, now: datetime) -> None:
    """Say of whom something else counts now, in the same transaction: scores follow."""
    # Always in the same order: handlers lock whom an event names.
    changed = sorted(subject_ids)
    payloads = [
        {"subject_ids": changed[first : first + SUBJECTS_PER_EVENT]}
        for first in range(0, len(changed), SUBJECTS_PER_EVENT)
    ]
    await event.emit_all(tx, topic=RECORDS_CHANGED, payloads=payloads, now=now)
