"""The lines that were kept aside as a file, so that a department can put them right."""

import csv
import io
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from uuid import UUID

from backend.kit.crypto import Vault
from backend.kit.postgres import Database
from backend.record import service
from backend.record.rules.fault import StoredFault

COLUMNS = ("line", "column", "code", "message", "content")
# A spreadsheet would take a cell that begins like this for a formula (OWASP, CSV injection); in
# Chinese and Japanese it takes full width for half.
_FORMULA_STARTS = tuple("=+-@＝＋－＠−\t\r\n")


Look = Callable[[list[bytes]], Awaitable[None]]


async def _by_its_source(_lines: list[bytes]) -> None:
    """A source is given its own lines: that is no look."""


async def csv_of_faults(
    database: Database,
    vault: Vault,
    *,
    submission_id: UUID,
    encoding: str,
    look: Look = _by_its_source,
) -> AsyncIterator[bytes]:
    """Return every fault of a submission as CSV in UTF-8, a few hundred at a time.

    The line as it was handed in stands with its first fault; what may not be kept is empty. No
    connection is held while the reader takes its time. `look` is told of lines before the reader.
    """
    yield "\ufeff".encode() + _written([COLUMNS])
    place = service.FIRST_PLACE
    while True:
        async with database.read() as tx:
            faults = await service.list_faults_after(tx, submission_id=submission_id, place=place)
        if not faults:
            return
        lines = [_line(each, vault, submission_id) for each in faults]
        await look([line for line in lines if line])
        pairs = zip(faults, lines, strict=True)
        yield _written([_row(each, line.decode(encoding, "replace")) for each, line in pairs])
        place = (faults[-1].line_number, faults[-1].fault_number)


def _line(fault: StoredFault, vault: Vault, submission_id: UUID) -> bytes:
    if fault.row_sealed is None:
        return b""
    return service.open_line(vault, fault, submission_id=submission_id)


def _row(fault: StoredFault, content: str) -> Sequence[object]:
    where = (fault.line_number, fault.column_name, fault.code, fault.message)
    return (*where, harmless(content))


def harmless(content: str) -> str:
    """Return a line as a spreadsheet shows it and nothing more: an apostrophe makes it a text."""
    # What is not seen is not what a cell begins with.
    seen = next((place for place, char in enumerate(content) if not _is_unseen(char)), 0)
    if content.startswith(_FORMULA_STARTS) or content[seen:].startswith(_FORMULA_STARTS):
        return f"'{content}"
    return content


def _is_unseen(char: str) -> bool:
    return char.isspace() or not char.isprintable()


def _written(rows: Sequence[Sequence[object]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue().encode()
