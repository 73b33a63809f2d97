"""Verbs that show: what stands on record about subjects, and which lines were kept aside."""

from collections.abc import Sequence
from datetime import date, datetime
from uuid import UUID

import msgspec

from backend.kit.crypto import Vault
from backend.kit.page import Page, cut_page, decode_cursor
from backend.kit.postgres import ReadTx
from backend.kit.problem import Refusal
from backend.record import store
from backend.record.rules.fault import StoredFault
from backend.record.rules.layout import PLAIN, Layout
from backend.record.rules.life import Record, counts
from backend.record.rules.submission import Submission

FAULTS_SHOWN_MAX = 1_000


async def get_submission_of_any(tx: ReadTx, *, submission_id: UUID) -> Submission:
    """Return a submission, whoever handed it in; for operators. Raises Refusal not_found."""
    found = await store.find_submission(tx, submission_id)
    if found is None:
        raise Refusal("not_found")
    return found


async def find_layout(tx: ReadTx, *, submission_id: UUID) -> Layout:
    """Return how the lines of a submission are read; the plain layout where nobody said."""
    found = await store.find_layout(tx, submission_id)
    if found is None or found.layout is None:
        return PLAIN
    return msgspec.convert(found.layout, Layout)


async def list_faults(
    tx: ReadTx, *, submission_id: UUID, after_line: int = 0, limit: int = FAULTS_SHOWN_MAX
) -> list[StoredFault]:
    """Return what is wrong with the lines kept aside, by line; at most FAULTS_SHOWN_MAX."""
    limit = min(limit, FAULTS_SHOWN_MAX)
    return await store.list_faults(tx, submission_id, after_line=after_line, limit=limit)


def open_line(vault: Vault, fault: StoredFault, *, submission_id: UUID) -> bytes:
    """Return the line a first fault was kept with, as it was handed in; empty if not kept."""
    assert fault.row_sealed is not None, "only the first fault of a line holds it"
    aad = line_aad(submission_id, fault.line_number)
    return vault.unseal_service(fault.row_sealed, aad=aad)


def line_aad(submission_id: UUID, line_number: int) -> str:
    """Return the place a line that was kept aside is sealed for."""
    return f"submission_error|row_sealed|{submission_id}|{line_number}"


async def list_current(tx: ReadTx, *, subject_id: UUID, as_of: date) -> list[Record]:
    """Return a subject's records that count on a day."""
    records = await store.list_current(tx, [subject_id])
    return [record for record in records if counts(record, as_of)]


async def list_current_by_subject(
    tx: ReadTx, *, subject_ids: Sequence[UUID]
) -> dict[UUID, list[Record]]:
    """Return the current versions of each subject's records; one statement.

    Those that ended or are held back (disputed, repaired) too: see `counts`.
    """
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
) -> Page[Record]:
    """Return one page of what is on record about a subject, newest first.

    Raises Refusal cursor_invalid.
    """
    before = None if cursor is None else _place_of(cursor)
    found = await store.list_page(tx, subject_id, before=before, limit=page_size + 1)
    return cut_page(
        found, page_size, key=lambda each: (each.occurred_on.isoformat(), str(each.record_id))
    )


def _place_of(cursor: str) -> tuple[date, UUID]:
    day, record_id = decode_cursor(cursor, parts=2)
    try:
        return date.fromisoformat(day), UUID(record_id)
    except ValueError:
        raise Refusal("cursor_invalid") from None
