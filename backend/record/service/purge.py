"""Deleting what has ended, with a proof of what went (征信业管理条例 art. 16).

What has ended counts for no score any more, whichever comes first, the purge or the score's own
new day: deleting it changes no score, and nobody is told.
"""

from datetime import date, datetime

import msgspec

from backend.kit.clock import city_date
from backend.kit.crypto import Vault
from backend.kit.ids import first_id_at, new_id
from backend.kit.postgres import ReadTx, Tx
from backend.record.rules.fault import Fault
from backend.record.rules.layout import COLUMNS, Layout, parse_header, with_known_columns
from backend.record.rules.line import split_lines
from backend.record.rules.purge import (
    DIGEST_PURPOSE,
    PurgedContent,
    RecordPurge,
    batch_digest,
    canonical_text,
    content_of,
    ended_numbers,
    quarantine_end,
)
from backend.record.rules.row import Row, RowReader
from backend.record.service.catalogue import get_catalogue_with
from backend.record.store import purge as store
from backend.record.store.version import lock_source

ITEMS_A_BATCH = 1_000
FAULTS_A_BATCH = 5_000
MARKS_A_BATCH = 5_000


class PurgeCount(msgspec.Struct):
    """What was deleted, or would be: versions of records, and faults of lines kept aside."""

    versions: int = 0
    faults: int = 0


class PurgeProof(msgspec.Struct, frozen=True):
    """What a purge says of one version; `is_whole` if its batch still gives its own digest."""

    purge: RecordPurge
    ordinal: int
    is_whole: bool


class LineProof(msgspec.Struct, frozen=True):
    """What became of one line: what is wrong with it, or the purge it went in, or neither."""

    line_number: int
    faults: list[Fault]
    proof: PurgeProof | None


async def purge_ended(tx: Tx, *, vault: Vault, now: datetime) -> int:
    """Delete a batch of what has ended, keep its proof, and return how many versions that was.

    Marks of numbers that hold off nothing any more go too, a batch of them.
    """
    today = city_date(now)
    count = await _purge_items(tx, vault=vault, today=today, now=now)
    # Last, and none that another purge is at: nobody waits for a source's turn with a mark in hand.
    await store.delete_ended_numbers(tx, today=today, limit=MARKS_A_BATCH)
    return count


async def _purge_items(tx: Tx, *, vault: Vault, today: date, now: datetime) -> int:
    source_code = await store.find_ended_source(tx, today=today)
    if source_code is None:
        return 0
    # A number gets a higher version before this, or begins anew after it.
    await lock_source(tx, source_code)
    gone = await store.delete_ended(tx, source_code, today=today, items_max=ITEMS_A_BATCH)
    if not gone:
        return 0
    assert {each.external_id for each in gone} == {
        each.external_id for each in gone if each.ends_on is not None and each.ends_on <= today
    }, "every number that goes has a version that has ended"
    # In the order of the digests: the order of the proof says nothing about people either.
    purged = sorted(((record_digest(vault, content_of(each)), each) for each in gone), key=_first)
    purge = RecordPurge(
        purge_id=new_id(now),
        ended_before=today,
        record_count=len(purged),
        digest=batch_digest([digest for digest, _ in purged]),
        purged_at=now,
    )
    await store.insert_purge(tx, purge, purged)
    await store.delete_steps(tx, gone)
    # What ended by a correction only must not come back by the version that it corrected.
    if ended := ended_numbers(gone, today=today):
        await store.save_ended_numbers(tx, source_code, ended)
    return len(gone)


async def purge_faults(tx: Tx, *, now: datetime) -> int:
    """Delete a batch of the lines kept aside that are past their time, with their faults."""
    first_kept = first_id_at(quarantine_end(now))
    return await store.delete_faults(tx, first_kept=first_kept, limit=FAULTS_A_BATCH)


async def count_purge(tx: ReadTx, *, now: datetime) -> PurgeCount:
    """Return what a purge would delete now."""
    versions = await store.count_ended(tx, today=city_date(now))
    faults = await store.count_faults(tx, first_kept=first_id_at(quarantine_end(now)))
    return PurgeCount(versions=versions, faults=faults)


async def prove_lines(
    tx: ReadTx,
    *,
    content: bytes,
    source_code: str,
    class_code: str,
    layout: Layout,
    vault: Vault,
    now: datetime,
) -> list[LineProof]:
    """Return for each line of a file, as its source handed it in, in which purge it went.

    Raises Refusal submission_source_unknown, submission_class_unknown, submission_header_invalid.
    """
    catalogue = await get_catalogue_with(tx, source_code=source_code, class_code=class_code)
    known_columns = catalogue.sources[source_code].columns_of(class_code)
    layout = with_known_columns(layout, known_columns)
    lines = split_lines([content], first_number=1, offset=0)
    columns = parse_header(next(lines, None), layout) if layout.form == "csv" else COLUMNS
    reader = RowReader(
        columns,
        layout=layout,
        record_class=catalogue.classes[class_code],
        today=city_date(now),
        takes_ended=True,
    )
    found: list[LineProof] = []
    for line in lines:
        if not line.content.strip() and not line.is_too_long:
            continue
        read = reader.read(line)
        if isinstance(read, Row):
            purged = _content_of_row(read, source_code, class_code, vault)
            found.append(LineProof(line.number, [], await prove_purged(tx, purged, vault=vault)))
        else:
            found.append(LineProof(line.number, read, None))
    return found


async def prove_purged(tx: ReadTx, content: PurgedContent, *, vault: Vault) -> PurgeProof | None:
    """Return in which purge a version went, the latest if in several; None if in none."""
    place = await store.find_place(tx, record_digest(vault, content))
    if place is None:
        return None
    purge = await store.get_purge(tx, place.purge_id)
    digests = [each.record_digest for each in await store.list_digests(tx, purge.purge_id)]
    is_whole = len(digests) == purge.record_count and batch_digest(digests) == purge.digest
    return PurgeProof(purge=purge, ordinal=place.ordinal, is_whole=is_whole)


def record_digest(vault: Vault, content: PurgedContent) -> bytes:
    """Return the keyed digest by which a purged version is found again."""
    return vault.digest(DIGEST_PURPOSE, canonical_text(content))


def _content_of_row(row: Row, source_code: str, class_code: str, vault: Vault) -> PurgedContent:
    return PurgedContent(
        subject_id=vault.subject_id(row.national_id),
        class_code=class_code,
        source_code=source_code,
        external_id=row.external_id,
        version=row.version,
        action=row.action,
        quantity=row.quantity,
        occurred_on=row.occurred_on,
        ended_on=row.ended_on,
    )


def _first(pair: tuple[bytes, object]) -> bytes:
    return pair[0]
