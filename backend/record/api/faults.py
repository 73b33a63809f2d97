"""The lines that were kept aside as a file, so that a department can put them right."""

import csv
import io
from collections.abc import AsyncIterator, Sequence
from uuid import UUID

from backend.kit.crypto import Vault
from backend.kit.postgres import Database
from backend.record import service
from backend.record.rules.fault import StoredFault

COLUMNS = ("line", "column", "code", "message", "content")
# A spreadsheet would take a cell that begins like this for a formula (OWASP, CSV injection).
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


async def csv_of_faults(
    database: Database, vault: Vault, *, submission_id: UUID, encoding: str
) -> AsyncIterator[bytes]:
    """Return every fault of a submission as CSV in UTF-8, a few hundred at a time.

    The line as it was handed in stands with its first fault; what may not be kept is empty. No
    connection is held while the reader takes its time.
    """
    yield "\ufeff".encode() + _written([COLUMNS])
    place = service.FIRST_PLACE
    while True:
        async with database.read() as tx:
            faults = await service.list_faults_after(tx, submission_id=submission_id, place=place)
        if not faults:
            return
        yield _written([_row(each, vault, submission_id, encoding) for each in faults])
        place = (faults[-1].line_number, faults[-1].fault_number)


def _row(fault: StoredFault, vault: Vault, submission_id: UUID, encoding: str) -> Sequence[object]:
    content = ""
    if fault.row_sealed is not None:
        line = service.open_line(vault, fault, submission_id=submission_id)
        content = line.decode(encoding, "replace")
    if content.startswith(_FORMULA_STARTS):
        content = f"'{content}"
    return (fault.line_number, fault.column_name, fault.code, fault.message, content)


def _written(rows: Sequence[Sequence[object]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue().encode()
