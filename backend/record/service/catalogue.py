"""The catalogue's editions: how one comes into force, and what is in force now."""

from datetime import datetime, timedelta
from enum import StrEnum
from functools import cache
from importlib.resources import files

from backend.kit.postgres import ReadTx, Tx
from backend.kit.problem import Refusal
from backend.record.rules.catalogue import (
    Catalogue,
    RecordClass,
    load_catalogue,
    restore_catalogue,
)
from backend.record.rules.edition import Edition, ListedEdition, classes_given_up
from backend.record.store import catalogue as store

PACKAGED = ("catalogue-2026.toml", "sources-2026.toml")
PACKAGED_BY = "release"
_KNOWN_MAX = 100
# What was published is never changed, so a digest means the same catalogue for ever.
_known: dict[bytes, Catalogue] = {}


class CatalogueOutcome(StrEnum):
    """What publishing an edition did."""

    PUBLISHED = "published"
    UNCHANGED = "unchanged"


def packaged_texts() -> tuple[str, str]:
    """Return the texts of the catalogue and the sources that come with the service."""
    data = files("backend.record") / "data"
    document, sources = (data.joinpath(name).read_text("utf-8") for name in PACKAGED)
    return document, sources


@cache
def packaged_catalogue() -> Catalogue:
    """Return the catalogue that comes with the service, proved; raises DataFault."""
    return load_catalogue(*packaged_texts())


async def get_catalogue(tx: ReadTx) -> Catalogue:
    """Return the catalogue in force with this city's sources; raises Refusal catalogue_missing."""
    key = await store.find_in_force(tx)
    if key is None:
        raise Refusal("catalogue_missing")
    known = _known.get(key.digest)
    if known is None:
        row = await store.find_edition(tx, key.edition)
        assert row is not None, "an edition is never taken back"
        known = _restored(row)
    return known


async def find_edition(tx: ReadTx, *, edition: str) -> Edition | None:
    """Return an edition as it was published, or None."""
    return await store.find_edition(tx, edition)


async def list_editions(tx: ReadTx) -> list[ListedEdition]:
    """Return every edition that was published, the one in force first."""
    return await store.list_editions(tx)


async def get_catalogue_with(tx: ReadTx, *, source_code: str, class_code: str) -> Catalogue:
    """Return the newest edition that knows a source and a class: what is purged outlives editions.

    Raises Refusal submission_source_unknown, submission_class_unknown (no edition knows both).
    """
    catalogue = await get_catalogue(tx)
    if source_code in catalogue.sources and class_code in catalogue.classes:
        return catalogue
    for listed in await store.list_editions(tx):
        row = await store.find_edition(tx, listed.edition)
        assert row is not None, "an edition is never taken back"
        earlier = _known.get(row.digest) or _restored(row)
        if source_code in earlier.sources and class_code in earlier.classes:
            return earlier
    is_known = source_code in catalogue.sources
    raise Refusal("submission_class_unknown" if is_known else "submission_source_unknown")


async def check_sender(tx: Tx, *, source_code: str, class_code: str) -> RecordClass:
    """Return the class a source wants to report; it stays what it is until the transaction ends.

    Raises Refusal submission_source_unknown, submission_class_unknown,
    submission_source_not_allowed, submission_consent_missing, catalogue_missing.
    """
    await store.share_editions(tx)
    return _class_of(await get_catalogue(tx), source_code, class_code)


def _class_of(catalogue: Catalogue, source_code: str, class_code: str) -> RecordClass:
    """Return a class, if a source may report it by file; raises as `check_sender`."""
    source = catalogue.sources.get(source_code)
    record_class = catalogue.classes.get(class_code)
    if source is None:
        raise Refusal("submission_source_unknown")
    if record_class is None:
        raise Refusal("submission_class_unknown")
    if not catalogue.may_report(source, record_class):
        raise Refusal("submission_source_not_allowed")
    if record_class.sensitivity != "plain":
        raise Refusal("submission_consent_missing")
    return record_class


async def hold_catalogue(tx: Tx) -> Catalogue:
    """Return the catalogue in force, and let no other come into force until the transaction ends.

    Raises Refusal catalogue_missing.
    """
    await store.share_editions(tx)
    return await get_catalogue(tx)


async def publish_catalogue(
    tx: Tx, *, document: str, sources: str, published_by: str, now: datetime
) -> CatalogueOutcome:
    """Prove an edition and put it in force; what was published before changes nothing.

    Raises DataFault with everything that is wrong with the two texts; Refusal
    catalogue_edition_conflict (the edition was published with other texts),
    catalogue_records_kept (it drops a class or a source there are records of, turns a class
    against the people in it, wants their consent after the fact, or has no place for a file that
    lies there to be taken in).
    """
    catalogue = load_catalogue(document, sources)
    await store.lock_editions(tx)
    known = await store.find_edition(tx, catalogue.edition)
    if known is not None:
        if known.digest != catalogue.digest:
            raise Refusal("catalogue_edition_conflict", edition=catalogue.edition)
        return CatalogueOutcome.UNCHANGED
    published_at = now
    listed = await store.list_editions(tx)
    if listed:
        await _check_records(tx, before=await get_catalogue(tx), after=catalogue)
        # The newest is in force, also when the clock of this machine is behind another's.
        published_at = max(now, listed[0].published_at + timedelta(microseconds=1))
    row = Edition(
        edition=catalogue.edition,
        document=document,
        sources=sources,
        digest=catalogue.digest,
        published_by=published_by,
        published_at=published_at,
    )
    await store.insert_edition(tx, row)
    return CatalogueOutcome.PUBLISHED


async def publish_packaged_catalogue(tx: Tx, *, now: datetime) -> str | None:
    """Put the packaged catalogue in force where a release's is, or none; return its edition.

    None, and nothing happens, where it is in force or a city has published one of its own. For
    the local stack and tests. Raises Refusal as `publish_catalogue`.
    """
    editions = await store.list_editions(tx)
    if editions and editions[0].published_by != PACKAGED_BY:
        return None
    document, sources = packaged_texts()
    done = await publish_catalogue(
        tx, document=document, sources=sources, published_by=PACKAGED_BY, now=now
    )
    return packaged_catalogue().edition if done is CatalogueOutcome.PUBLISHED else None


def _restored(row: Edition) -> Catalogue:
    if len(_known) >= _KNOWN_MAX:
        _known.clear()
    _known[row.digest] = restore_catalogue(row.document, row.sources)
    return _known[row.digest]


async def _check_records(tx: ReadTx, *, before: Catalogue, after: Catalogue) -> None:
    """Refuse an edition that can't stand beside what is on record."""
    counted = await store.count_by_class(tx, classes_given_up(before, after))
    missing = sorted(before.sources.keys() - after.sources.keys())
    classes = {each.class_code for each in counted}
    sources = {each.source_code for each in await store.list_sources_on_record(tx, missing)}
    for waiting in await store.list_waiting(tx):
        try:
            _class_of(after, waiting.source_code, waiting.class_code)
        except Refusal as refusal:
            if refusal.code == "submission_source_unknown":
                sources.add(waiting.source_code)
            else:
                classes.add(waiting.class_code)
    if classes or sources:
        raise Refusal(
            "catalogue_records_kept",
            classes=sorted(classes),
            sources=sorted(sources),
            records=sum(each.records for each in counted),
        )
