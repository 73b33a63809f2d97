"""Programmes come into force: proved, numbered, and never changed afterwards."""

from collections.abc import Collection
from datetime import datetime
from enum import StrEnum
from functools import cache
from importlib.resources import files
from uuid import UUID

import msgspec

from backend.consent.service import PURPOSES
from backend.kit.postgres import ReadTx, Tx
from backend.kit.problem import Refusal
from backend.programme.rules.document import Programme, restore_programme
from backend.programme.rules.fact import Vocabulary, vocabulary_of
from backend.programme.rules.offer import Seats
from backend.programme.rules.proof import load_programme
from backend.programme.service.limit import set_limits
from backend.programme.service.seats import offer_free
from backend.programme.store import life as life_store
from backend.programme.store import programme as store
from backend.record.service import get_catalogue, packaged_catalogue
from backend.score.service import keep_in_force, packaged_scorecard, scorecard_in_force
from backend.score.service.scorecard import RELEASE_AUTHOR, RELEASE_REVIEWER

_KNOWN_MAX = 1_000
# What was published is never changed, so a digest means the same document for ever.
_known: dict[bytes, Programme] = {}


class Publication(StrEnum):
    """What publishing a document did."""

    PUBLISHED = "published"
    UNCHANGED = "unchanged"


class PublishedProgramme(msgspec.Struct, frozen=True):
    """A programme in its version in force."""

    programme: Programme
    published_at: datetime
    is_ended: bool
    is_paused: bool
    seats: Seats

    @property
    def is_closed(self) -> bool:
        """Whether nobody enrols and partners get no yes, for good or for now."""
        return self.is_ended or self.is_paused


async def get_vocabulary(tx: ReadTx) -> Vocabulary:
    """Return the facts that rules may ask about, by the scorecard in force.

    Raises Refusal scorecard_missing.
    """
    return vocabulary_of(await scorecard_in_force(tx))


@cache
def packaged_vocabulary() -> Vocabulary:
    """Return the facts of the scorecard that comes with the service."""
    return vocabulary_of(packaged_scorecard())


async def load(tx: Tx, *, text: str) -> Programme:
    """Read and prove a programme file (TOML) by the catalogue and the scorecard in force.

    No other scorecard comes into force until the transaction ends: it would be proved without what
    this programme asks. Raises DataFault with every fault found; Refusal catalogue_missing,
    scorecard_missing.
    """
    vocabulary, catalogue = vocabulary_of(await keep_in_force(tx)), await get_catalogue(tx)
    return load_programme(text, vocabulary=vocabulary, purposes=PURPOSES, catalogue=catalogue)


def load_by_packaged(text: str) -> Programme:
    """Read and prove a programme file by the catalogue and the scorecard of the release.

    Raises DataFault with every fault found.
    """
    return load_programme(
        text,
        vocabulary=packaged_vocabulary(),
        purposes=PURPOSES,
        catalogue=packaged_catalogue(),
    )


def packaged_documents() -> list[Programme]:
    """Return the programmes that come with the service, proved; raises DataFault."""
    data = files("backend.programme") / "data"
    texts = sorted(
        (each.name, each.read_text("utf-8"))
        for each in data.iterdir()
        if each.name.endswith(".toml")
    )
    return [load_by_packaged(text) for _, text in texts]


async def publish(tx: Tx, *, programme: Programme, now: datetime) -> Publication:
    """Put a proved document in force. A document that was published before changes nothing.

    For what comes with the service, and tests: its author and reviewer stand where a city's own
    two people would. A city drafts, submits and approves (service/life.py).

    Raises Refusal programme_version_taken (another document has this number, or a higher one is
    in force), programme_seats_taken (fewer seats than citizens enrolled), budget_below_reserved.
    """
    document = programme.document
    if not await store.save_programme(tx, programme, now):
        kept = await store.find_version_digest(tx, document.code, document.version)
        if kept == programme.digest:
            return Publication.UNCHANGED
        raise Refusal("programme_version_taken", programme=document.code, version=document.version)
    await life_store.retire_live(tx, document.code)
    inserted = await store.insert_version(
        tx, programme, now, author=RELEASE_AUTHOR, reviewer=RELEASE_REVIEWER
    )
    if not inserted:  # a draft of somebody's, on its way
        raise Refusal("programme_version_taken", programme=document.code, version=document.version)
    if not await store.save_seats_total(tx, document.code, document.seats):
        raise Refusal("programme_seats_taken", programme=document.code)
    await offer_free(tx, programme_code=document.code, now=now)
    reason = f"version {document.version}"
    await set_limits(tx, programme=programme, by_whom="release", reason=reason, now=now)
    return Publication.PUBLISHED


async def publish_packaged(tx: Tx, *, now: datetime) -> list[str]:
    """Publish what comes with the service and return the codes of what is new; safe to repeat.

    A city that has published a higher version of its own keeps it.
    """
    new = []
    for programme in packaged_documents():
        try:
            if await publish(tx, programme=programme, now=now) is Publication.PUBLISHED:
                new.append(programme.document.code)
        except Refusal as refusal:
            in_force = await store.find_programme(tx, programme.document.code)
            is_newer = in_force is not None and in_force.version > programme.document.version
            if refusal.code != "programme_version_taken" or not is_newer:
                raise
    return new


async def list_programmes(tx: ReadTx) -> list[PublishedProgramme]:
    """Return every programme in its version in force, by code."""
    rows = await store.list_programmes(tx)
    programmes = await programmes_by_digest(tx, {row.digest for row in rows})
    return [_published(row, programmes[row.digest]) for row in rows]


async def find_programme(tx: ReadTx, *, programme_code: str) -> PublishedProgramme | None:
    """Return a programme in its version in force, or None."""
    row = await store.find_programme(tx, programme_code)
    if row is None:
        return None
    programmes = await programmes_by_digest(tx, {row.digest})
    return _published(row, programmes[row.digest])


async def list_for_partner(tx: ReadTx, *, partner_id: UUID) -> list[PublishedProgramme]:
    """Return the programmes that list a partner, in their versions in force, by code."""
    partner_code = await store.find_partner_code(tx, partner_id)
    found = await list_programmes(tx)
    return [each for each in found if partner_code in each.programme.document.partners]


async def may_verify(tx: ReadTx, *, partner_id: UUID, programme_code: str, purpose: str) -> bool:
    """Say whether a partner may ask a citizen's consent for a programme and purpose."""
    found = await find_programme(tx, programme_code=programme_code)
    if found is None or found.is_closed:
        return False
    partner_code = await store.find_partner_code(tx, partner_id)
    document = found.programme.document
    return partner_code in document.partners and purpose in document.purposes


async def order_amount_max(tx: ReadTx, *, programme_code: str, confirm: str) -> int | None:
    """Return what one order of a programme may be for at most; None: no such orders are opened.

    Where the programme leaves it to the consent, a partner may still have each order confirmed;
    where the citizen confirms, no consent does instead.
    """
    found = await find_programme(tx, programme_code=programme_code)
    terms = None if found is None else found.programme.document.order
    if terms is None or confirm not in {"citizen", terms.confirm}:
        return None
    return terms.amount_max_fen


async def programmes_by_digest(tx: ReadTx, digests: Collection[bytes]) -> dict[bytes, Programme]:
    """Return programmes by the digests of their documents; what was read once is kept."""
    missing = [digest for digest in digests if digest not in _known]
    if missing:
        if len(_known) + len(missing) > _KNOWN_MAX:
            _known.clear()
            missing = list(digests)
        for row in await store.list_documents(tx, missing):
            _known[row.digest] = restore_programme(row.document, row.digest)
    return {digest: _known[digest] for digest in digests}


def _published(row: store.ProgrammeRow, programme: Programme) -> PublishedProgramme:
    assert row.version == programme.document.version, "a digest names its version"
    return PublishedProgramme(
        programme=programme,
        published_at=row.published_at,
        is_ended=row.is_ended,
        is_paused=row.is_paused,
        seats=Seats(row.seats_total, row.seats_taken),
    )
