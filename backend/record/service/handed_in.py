"""What a source sees of its own submissions, and of the lines that were kept aside."""

from uuid import UUID

from backend.kit.page import Page, cut_page, decode_cursor, decode_id_cursor
from backend.kit.postgres import ReadTx
from backend.kit.problem import Refusal
from backend.record.rules.fault import StoredFault
from backend.record.rules.submission import Submission
from backend.record.store import handed_in as store

FIRST_PLACE = (0, -1)
_FAULTS_MAX = 500


async def get_submission(tx: ReadTx, *, source_code: str, submission_id: UUID) -> Submission:
    """Return a submission of a source; another's is Refusal("not_found"), as an unknown one."""
    found = await store.find_submission(tx, source_code=source_code, submission_id=submission_id)
    if found is None:
        raise Refusal("not_found")
    return found


async def list_submissions(
    tx: ReadTx, *, source_code: str, cursor: str | None, page_size: int
) -> Page[Submission]:
    """Return one page of a source's submissions, newest first; raises Refusal("cursor_invalid")."""
    before = None if cursor is None else decode_id_cursor(cursor)
    found = await store.list_submissions(
        tx, source_code=source_code, before=before, limit=page_size + 1
    )
    return cut_page(found, page_size, key=lambda each: (str(each.submission_id),))


async def list_fault_page(
    tx: ReadTx, *, submission_id: UUID, cursor: str | None, page_size: int
) -> Page[StoredFault]:
    """Return one page of a submission's faults, by line; raises Refusal("cursor_invalid")."""
    after = FIRST_PLACE if cursor is None else _place_of(cursor)
    found = await store.list_fault_page(tx, submission_id, after=after, limit=page_size + 1)
    return cut_page(
        found, page_size, key=lambda each: (str(each.line_number), str(each.fault_number))
    )


async def list_faults_after(
    tx: ReadTx, *, submission_id: UUID, place: tuple[int, int]
) -> list[StoredFault]:
    """Return the next faults of a submission after a place, at most 500; none when it has no more.

    A place is (line number, number of the fault in its line); FIRST_PLACE is before all of them.
    """
    return await store.list_fault_page(tx, submission_id, after=place, limit=_FAULTS_MAX)


def _place_of(cursor: str) -> tuple[int, int]:
    line, fault = decode_cursor(cursor, parts=2)
    if not all(part.isascii() and part.isdigit() and len(part) <= 15 for part in (line, fault)):
        raise Refusal("cursor_invalid")
    return int(line), int(fault)
