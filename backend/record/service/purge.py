"""Deleting what has ended, with a proof of what went (征信业管理条例 art. 16).

What has ended counts for no score any more, whichever comes first, the purge or the score's own
new day: deleting it changes no score, and nobody is told.
"""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from backend.kit.clock import city_date
from backend.kit.crypto import Vault
from backend.kit.ids import new_id
from backend.kit.postgres import ReadTx, Tx
from backend.record.rules.purge import (
    DIGEST_PURPOSE,
    PurgedContent,
    RecordPurge,
    batch_digest,
    canonical_text,
    content_of,
    quarantine_end,
)
from backend.record.store import purge as store

ITEMS_A_BATCH = 1_000
FAULTS_A_BATCH = 5_000


class PurgeCount(msgspec.Struct):
    """What was deleted, or would be: versions of records, and faults of lines kept aside."""

    versions: int = 0
    faults: int = 0


class PurgeProof(msgspec.Struct, frozen=True):
    """What a purge says of one version; `is_whole` if its batch still gives its own digest."""

    purge: RecordPurge
    ordinal: int
    is_whole: bool


async def purge_ended(tx: Tx, *, vault: Vault, now: datetime) -> int:
    """Delete a batch of what has ended, keep its proof, and return how many versions that was."""
    today = city_date(now)
    gone = await store.delete_ended(tx, today=today, items_max=ITEMS_A_BATCH)
    if not gone:
        return 0
    assert {(each.source_code, each.external_id) for each in gone} == {
        (each.source_code, each.external_id)
        for each in gone
        if each.ends_on is not None and each.ends_on <= today
    }, "every item that goes has a version that has ended"
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
    return len(gone)


async def purge_faults(tx: Tx, *, now: datetime) -> int:
    """Delete a batch of the lines kept aside that are past their time, with their faults."""
    return await store.delete_faults(tx, received_before=quarantine_end(now), limit=FAULTS_A_BATCH)


async def count_purge(tx: ReadTx, *, now: datetime) -> PurgeCount:
    """Return what a purge would delete now."""
    ended = await store.count_ended(tx, today=city_date(now))
    faults = await store.count_faults(tx, received_before=quarantine_end(now))
    return PurgeCount(versions=ended.versions, faults=faults)


async def prove_purged(
    tx: ReadTx, *, contents: Sequence[PurgedContent], vault: Vault
) -> list[PurgeProof | None]:
    """Return for each content in which purge it went, the latest if in several; None if in none."""
    digests = [record_digest(vault, each) for each in contents]
    places = {each.record_digest: each for each in await store.list_places(tx, digests)}
    purges = await store.list_purges(tx, [each.purge_id for each in places.values()])
    checked = {each.purge_id: (each, await _is_whole(tx, each)) for each in purges}
    proofs: list[PurgeProof | None] = []
    for digest in digests:
        place = places.get(digest)
        if place is None:
            proofs.append(None)
        else:
            purge, is_whole = checked[place.purge_id]
            proofs.append(PurgeProof(purge=purge, ordinal=place.ordinal, is_whole=is_whole))
    return proofs


def record_digest(vault: Vault, content: PurgedContent) -> bytes:
    """Return the keyed digest by which a purged version is found again."""
    return vault.digest(DIGEST_PURPOSE, canonical_text(content))


async def _is_whole(tx: ReadTx, purge: RecordPurge) -> bool:
    digests = [each.record_digest for each in await store.list_digests(tx, purge.purge_id)]
    return len(digests) == purge.record_count and batch_digest(digests) == purge.digest


def _first(pair: tuple[bytes, object]) -> bytes:
    return pair[0]
