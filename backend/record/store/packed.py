"""SQL of new records on their way in: COPY, of bytes made before the transaction begins."""

from collections.abc import Sequence
from datetime import datetime
from itertools import chain, repeat
from typing import Final
from uuid import UUID

from backend.kit import copy
from backend.kit.ids import new_ids
from backend.kit.postgres import Tx
from backend.record.rules.block import Rows
from backend.record.rules.life import Days

_REMEMBERED = 16_384
# What differs from row to row, then what is the same in a chunk.
_COLUMNS: Final = (
    *("subject_id", "external_id", "version", "quantity", "occurred_on", "ended_on", "ends_on"),
    *("fingerprint", "record_id"),
    *("class_code", "source_code", "submission_id", "action", "reported_at"),
    *("superseded_at", "disputed_at", "repaired_at"),
)
_ROW_HEAD = copy.row_head(len(_COLUMNS))
_EXTERNAL_ID_BYTES_MAX = 256
_SIZES = [copy.size_of(size) for size in range(_EXTERNAL_ID_BYTES_MAX + 1)]


class _Numbers(dict[int, bytes]):
    def __missing__(self, number: int) -> bytes:
        field = self[number] = copy.of_bigint(number)
        return field


class _Days(dict[Days, bytes]):
    def __missing__(self, days: Days) -> bytes:
        fields = self[days] = b"".join(map(copy.of_date, days))
        return fields


class RecordPieces:
    """Makes the pieces of records: what differs from row to row, but for their ids."""

    def __init__(self) -> None:
        self._numbers = _Numbers()
        self._days = _Days()

    def of_subject(self, subject_id: UUID) -> bytes:
        """Return what the pieces of somebody's records begin with."""
        return _ROW_HEAD + copy.of_uuid(subject_id)

    def of_records(
        self,
        subjects: Sequence[bytes],
        rows: Rows,
        fingerprints: Sequence[bytes],
    ) -> list[bytes]:
        """Return the piece of each row; what its subject's begins with, and its eight bytes."""
        for remembered in (self._numbers, self._days):
            if len(remembered) > _REMEMBERED:
                remembered.clear()
        numbers = [each.encode() for each in rows.external_ids]
        number_of = self._numbers.__getitem__
        parts = zip(
            *(subjects, map(_SIZES.__getitem__, map(len, numbers)), numbers),
            *(map(number_of, rows.versions), map(number_of, rows.quantities)),
            *(map(self._days.__getitem__, rows.days), repeat(_SIZES[8]), fingerprints),
            strict=False,
        )
        return list(map(b"".join, parts))


async def insert_pieces(
    tx: Tx,
    pieces: Sequence[bytes],
    *,
    class_code: str,
    source_code: str,
    submission_id: UUID,
    now: datetime,
) -> None:
    """Insert new reports of one submission; the primary key refuses one that is there."""
    same = b"".join(
        (
            *map(copy.of_text, (class_code, source_code)),
            *(copy.of_uuid(submission_id), copy.of_text("report"), copy.of_timestamptz(now)),
            *(copy.NULL, copy.NULL, copy.NULL),
        )
    )
    rows = zip(
        *(pieces, repeat(_SIZES[16]), new_ids(now, len(pieces)), repeat(same)),
        strict=False,
    )
    content = b"".join(chain([copy.HEAD], chain.from_iterable(rows), [copy.TAIL]))
    await tx.copy_binary("record", _COLUMNS, content)
