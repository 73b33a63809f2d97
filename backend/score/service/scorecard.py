"""Scorecards: the one in force, those that were, and how one comes into force."""

from collections.abc import Collection
from datetime import datetime
from functools import cache
from importlib.resources import files

from backend.kit.postgres import ReadTx, Tx
from backend.kit.problem import Refusal
from backend.record import service as record
from backend.score.rules.publication import StoredScorecard
from backend.score.rules.scorecard import Scorecard, load_scorecard, restore_scorecard
from backend.score.store import scorecard as store

PACKAGED = "scorecard-2026-1.toml"
PACKAGED_BY = "release"
_KNOWN_MAX = 100
# What was submitted is never changed, so a digest means the same scorecard for ever.
_known: dict[bytes, Scorecard] = {}


@cache
def _packaged_document() -> str:
    return (files("backend.score") / "data" / PACKAGED).read_text("utf-8")


@cache
def packaged_scorecard() -> Scorecard:
    """Return the scorecard that comes with the service, proved; raises DataFault."""
    return load_scorecard(_packaged_document(), record.packaged_catalogue())


async def scorecard_in_force(tx: ReadTx) -> Scorecard:
    """Return the scorecard that scores are worked out with; raises Refusal scorecard_missing."""
    key = await store.find_in_force(tx)
    if key is None:
        raise Refusal("scorecard_missing")
    return _known.get(key.digest) or await get_scorecard(tx, key.version)


async def get_scorecard(tx: ReadTx, version: str) -> Scorecard:
    """Return a scorecard by its version, in force or not; raises Refusal not_found."""
    stored = await store.find_scorecard(tx, version)
    if stored is None:
        raise Refusal("not_found")
    if stored.digest not in _known:
        if len(_known) >= _KNOWN_MAX:
            _known.clear()
        _known[stored.digest] = restore_scorecard(stored.document)
    return _known[stored.digest]


async def scorecards_by_digest(tx: ReadTx, digests: Collection[bytes]) -> dict[bytes, Scorecard]:
    """Return scorecards by the digests of their documents; what was read once is kept."""
    missing = [digest for digest in digests if digest not in _known]
    if missing:
        if len(_known) + len(missing) > _KNOWN_MAX:
            _known.clear()
            missing = list(digests)
        for stored in await store.list_by_digest(tx, missing):
            _known[stored.digest] = restore_scorecard(stored.document)
    return {digest: _known[digest] for digest in digests}


async def publish_packaged(tx: Tx, now: datetime) -> str | None:
    """Put the scorecard that comes with the service in force where none is; return its version.

    None, and nothing happens, where a city has one. For the local stack and tests: in production
    two people bring a scorecard into force.
    """
    if await store.find_in_force(tx) is not None:
        return None
    packaged = packaged_scorecard()
    stored = StoredScorecard(
        version=packaged.version,
        document=_packaged_document(),
        digest=packaged.digest,
        submitted_by=PACKAGED_BY,
        submitted_at=now,
        in_force_at=now,
    )
    await store.insert_scorecard(tx, stored)
    return packaged.version
