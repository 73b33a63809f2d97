"""Scorecards: the one in force, those that were, and how one comes into force."""

from collections.abc import Collection
from datetime import datetime
from enum import StrEnum
from functools import cache
from importlib.resources import files
from uuid import UUID

import msgspec

from backend.event import service as event
from backend.kit.clock import city_date
from backend.kit.ids import new_id
from backend.kit.postgres import ReadTx, Tx
from backend.kit.problem import Refusal
from backend.record import service as record
from backend.record.rules.catalogue import Catalogue, DataFault
from backend.score.ports import ScorecardDependants
from backend.score.rules.proof import load_scorecard, restore_scorecard
from backend.score.rules.publication import (
    Approval,
    ReportFacts,
    StoredScorecard,
    decide_approval,
    parse_person,
)
from backend.score.rules.reporting import Heading, make_report
from backend.score.rules.sample import Sample
from backend.score.rules.scorecard import Scorecard
from backend.score.store import report as report_store
from backend.score.store import scorecard as store

SCORECARD_IN_FORCE = "scorecard.in_force"
PACKAGED = "scorecard-2026-2.toml"
# A release is made by one person and reviewed by another. Where a scorecard is in force by the
# release alone (the local stack, tests), these stand where a city's own two people would.
RELEASE_AUTHOR, RELEASE_REVIEWER = "release: author", "release: reviewer"
_KNOWN_MAX = 100
# What was submitted is never changed, so a digest means the same scorecard for ever.
_known: dict[bytes, Scorecard] = {}


class Submitted(StrEnum):
    """What submitting a scorecard did."""

    NEW = "submitted"
    UNCHANGED = "unchanged"


class ScorecardState(StrEnum):
    """Where a scorecard is on its way."""

    SUBMITTED = "submitted"
    IN_FORCE = "in_force"
    RETIRED = "retired"


class ListedScorecard(msgspec.Struct, frozen=True, kw_only=True):
    """A scorecard on its way: what it is, who approved it, which reports there are about it."""

    stored: StoredScorecard
    state: ScorecardState
    approvals: list[Approval]
    reports: list[ReportFacts]


@cache
def _packaged_document() -> str:
    return (files("backend.score") / "data" / PACKAGED).read_text("utf-8")


@cache
def packaged_scorecard() -> Scorecard:
    """Return the scorecard that comes with the service, proved; raises DataFault."""
    return load_scorecard(_packaged_document(), record.packaged_catalogue())


async def find_version_in_force(tx: ReadTx) -> str | None:
    """Return the version of the scorecard in force, or None before the first one."""
    key = await store.find_in_force(tx)
    return None if key is None else key.version


async def scorecard_in_force(tx: ReadTx) -> Scorecard:
    """Return the scorecard that scores are worked out with; raises Refusal scorecard_missing."""
    key = await store.find_in_force(tx)
    if key is None:
        raise Refusal("scorecard_missing")
    return _known.get(key.digest) or await get_scorecard(tx, key.version)


async def keep_in_force(tx: Tx) -> Scorecard:
    """Return the scorecard in force, and let no other come into force until the transaction ends.

    Raises Refusal scorecard_missing.
    """
    await store.share_scorecards(tx)
    return await scorecard_in_force(tx)


async def get_scorecard(tx: ReadTx, version: str) -> Scorecard:
    """Return a scorecard by its version, in force or not; raises Refusal scorecard_unknown."""
    stored = await store.find_scorecard(tx, version)
    if stored is None:
        raise Refusal("scorecard_unknown", version=version)
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


async def prove_document(tx: Tx, *, text: str) -> Scorecard:
    """Prove a scorecard against the catalogue in force; raises DataFault with every fault.

    No other catalogue comes into force until the transaction ends.
    """
    return load_scorecard(text, await record.hold_catalogue(tx))


async def faults_under(tx: ReadTx, *, catalogue: Catalogue) -> list[str]:
    """Return why the scorecard in force could not be proved by another catalogue, a line each."""
    key = await store.find_in_force(tx)
    stored = None if key is None else await store.find_scorecard(tx, key.version)
    if stored is None:
        return []
    try:
        load_scorecard(stored.document, catalogue)
    except DataFault as fault:
        return [f"scorecard {stored.version}, {each}" for each in fault.faults]
    return []


async def submit(tx: Tx, *, text: str, submitted_by: str, now: datetime) -> tuple[str, Submitted]:
    """Keep a scorecard that proves right, for reports and approvals; return its version.

    Handed in again, it changes nothing. Raises DataFault, Refusal person_invalid,
    scorecard_version_taken (another document has this version).
    """
    person = parse_person(submitted_by)
    proved = await prove_document(tx, text=text)
    stored = StoredScorecard(
        version=proved.version,
        document=text,
        digest=proved.digest,
        submitted_by=person,
        submitted_at=now,
        in_force_at=None,
    )
    if await store.insert_scorecard(tx, stored):
        return proved.version, Submitted.NEW
    kept = await store.find_scorecard(tx, proved.version)
    if kept is None or kept.digest != proved.digest:
        raise Refusal("scorecard_version_taken", version=proved.version)
    return proved.version, Submitted.UNCHANGED


async def approve(
    tx: Tx,
    *,
    version: str,
    report_id: UUID,
    approver: str,
    dependants: ScorecardDependants,
    now: datetime,
) -> bool:
    """Approve a scorecard after having seen a report; return whether it comes into force by that.

    The second person's approval brings it into force in every process at once, and an event lets
    the worker work every score out anew. Raises Refusal person_invalid, scorecard_unknown,
    scorecard_report_unknown, scorecard_report_unfit, scorecard_approver_repeated,
    scorecard_settled, scorecard_dependants, DataFault (the catalogue has changed meanwhile).
    """
    person = parse_person(approver)
    # From here on nobody else approves anything: two at the same moment come one after the other.
    await store.lock_scorecards(tx)
    stored = await store.find_scorecard(tx, version)
    if stored is None:
        raise Refusal("scorecard_unknown", version=version)
    report = await report_store.find_facts(tx, report_id)
    if report is None:
        raise Refusal("scorecard_report_unknown", report_id=str(report_id))
    enough = decide_approval(
        stored,
        [(each.approval, each.report) for each in await store.list_approvals(tx, version)],
        report,
        approver=person,
        champion_version=await find_version_in_force(tx),
        today=city_date(now),
    )
    # What was proved when it was handed in must still hold, of records and of programmes.
    proved = await prove_document(tx, text=stored.document)
    faults = await dependants.faults(tx, scorecard=proved)
    if faults:
        raise Refusal("scorecard_dependants", faults=faults)
    approval = Approval(version=version, approver=person, report_id=report_id, approved_at=now)
    inserted = await store.insert_approval(tx, approval)
    assert inserted, "who has approved after a report that still stands was refused"
    if not enough:
        return False
    is_first = await store.save_in_force(tx, version, now)
    assert is_first, "the lock lets one transaction through"
    await emit_in_force(tx, now=now)
    return True


async def emit_in_force(tx: Tx, *, now: datetime, run_id: UUID | None = None) -> None:
    """Let the worker work out all scores anew, or go on with the pass `run_id`, part by part."""
    payload = {} if run_id is None else {"run_id": str(run_id)}
    await event.emit(tx, topic=SCORECARD_IN_FORCE, subject_id=None, payload=payload, now=now)


async def list_scorecards(tx: ReadTx) -> list[ListedScorecard]:
    """Return every scorecard that was submitted, the last one first."""
    in_force = await find_version_in_force(tx)
    return [await _listed(tx, each, in_force) for each in await store.list_scorecards(tx)]


async def find_listed(tx: ReadTx, *, version: str) -> ListedScorecard:
    """Return one scorecard on its way; raises Refusal scorecard_unknown."""
    stored = await store.find_scorecard(tx, version)
    if stored is None:
        raise Refusal("scorecard_unknown", version=version)
    return await _listed(tx, stored, await find_version_in_force(tx))


async def _listed(tx: ReadTx, stored: StoredScorecard, in_force: str | None) -> ListedScorecard:
    state = ScorecardState.SUBMITTED
    if stored.in_force_at is not None:
        is_current = stored.version == in_force
        state = ScorecardState.IN_FORCE if is_current else ScorecardState.RETIRED
    return ListedScorecard(
        stored=stored,
        state=state,
        approvals=[each.approval for each in await store.list_approvals(tx, stored.version)],
        reports=await report_store.list_facts(tx, stored.version),
    )


async def publish_packaged(tx: Tx, now: datetime) -> str | None:
    """Put the scorecard that comes with the service in force where none is; return its version.

    None, and nothing happens, where a city has one. For the local stack and tests: in production
    two people of the city bring a scorecard into force. The release's author and reviewer stand
    for them here, with the report of a city in which nobody takes part yet.
    """
    if await store.find_in_force(tx) is not None:
        return None
    packaged = packaged_scorecard()
    stored = StoredScorecard(
        version=packaged.version,
        document=_packaged_document(),
        digest=packaged.digest,
        submitted_by=RELEASE_AUTHOR,
        submitted_at=now,
        in_force_at=None,
    )
    if not await store.insert_scorecard(tx, stored):
        return None  # a city has a document of its own under this version, on its way
    today = city_date(now)
    heading = Heading(
        report_id=new_id(now),
        made_by=RELEASE_AUTHOR,
        made_at=now,
        as_of=today,
        today=today,
        earlier={},
    )
    report = make_report(Sample(champion=None, challenger=packaged), heading)
    await report_store.insert_report(tx, report_store.stored_report(report, packaged.digest))
    for person in (RELEASE_AUTHOR, RELEASE_REVIEWER):
        approval = Approval(
            version=packaged.version,
            approver=person,
            report_id=report.report_id,
            approved_at=now,
        )
        await store.insert_approval(tx, approval)
    await store.save_in_force(tx, packaged.version, now)
    return packaged.version
