"""A score with its reasons and what would help, its history, what changed, what it would be.

Nothing of this is kept: it is worked out when somebody asks, from the values a score was kept
with and from the records on file.
"""

from collections.abc import Sequence
from datetime import date, datetime
from uuid import UUID

import msgspec

from backend.kit.clock import city_date
from backend.kit.page import Page, cut_page, decode_cursor
from backend.kit.postgres import ReadTx
from backend.kit.problem import Refusal
from backend.record import service as record
from backend.score.rules.advice import Help, advise
from backend.score.rules.change import BaseChange, Standing, compare, units_of
from backend.score.rules.contribution import base_points
from backend.score.rules.engine import NEVER
from backend.score.rules.explanation import Reason, explain
from backend.score.rules.passage import ItemRecords, name_records
from backend.score.rules.scorecard import Scorecard
from backend.score.rules.simulation import Change, Ground, Simulation, simulate
from backend.score.rules.state import Score, ScoreRevision
from backend.score.service.reading import find, get
from backend.score.service.scorecard import get_scorecard
from backend.score.store import history as store

REVISION_MAX = 2**63 - 1


class ExplainedScore(msgspec.Struct, frozen=True):
    """A score, why it is what it is, what would help, and the scorecard behind it.

    `next_change_on` is the first day on which it may differ without a new record; None if never.
    """

    score: Score
    scorecard: Scorecard
    base_points: int
    reasons: list[Reason]
    helps: list[Help]
    next_change_on: date | None


class PastScore(msgspec.Struct, frozen=True):
    """A score as it stood once, and the scorecard it was worked out with."""

    score: ScoreRevision
    scorecard: Scorecard


class RevisionChanges(msgspec.Struct, frozen=True):
    """What changed between two revisions, with the records that came and left."""

    before: PastScore
    after: PastScore
    base: BaseChange | None
    items: list[ItemRecords]


class SimulatedScore(msgspec.Struct, frozen=True):
    """What a score would be, and the scorecard that says so."""

    scorecard: Scorecard
    simulation: Simulation


async def get_explained(tx: ReadTx, *, subject_id: UUID, now: datetime) -> ExplainedScore:
    """Return the score of a citizen, why it is that, and what would help today.

    Raises Refusal score_missing.
    """
    score = await get(tx, subject_id=subject_id)
    ground = await _ground(tx, score)
    return ExplainedScore(
        score=score,
        scorecard=ground.scorecard,
        base_points=base_points(ground.scorecard),
        reasons=explain(ground.scorecard, score.indicator_values, ground.records, score.as_of),
        helps=advise(ground, today=city_date(now)),
        next_change_on=None if score.due_on == NEVER else score.due_on,
    )


async def list_helps(tx: ReadTx, *, subject_id: UUID, now: datetime) -> list[Help]:
    """Return everything that would help today, the most points first; nothing without a score."""
    score = await find(tx, subject_id=subject_id)
    if score is None:
        return []
    ground = await _ground(tx, score)
    return advise(ground, today=city_date(now), most=len(ground.scorecard.indicators))


async def list_history(
    tx: ReadTx, *, subject_id: UUID, cursor: str | None, page_size: int
) -> Page[PastScore]:
    """Return one page of what a citizen's score was, newest first.

    Raises Refusal score_missing and cursor_invalid.
    """
    before = None if cursor is None else _revision_of(cursor)
    found = await store.list_revisions(tx, subject_id, before=before, limit=page_size + 1)
    if not found:
        await get(tx, subject_id=subject_id)
    page = cut_page(found, page_size, key=lambda each: (str(each.revision),))
    versions = {each.scorecard_version for each in page.items}
    scorecards = {version: await get_scorecard(tx, version) for version in sorted(versions)}
    past = [PastScore(each, scorecards[each.scorecard_version]) for each in page.items]
    return Page(past, page.next_cursor)


async def get_changes(
    tx: ReadTx, *, subject_id: UUID, from_revision: int | None, to_revision: int | None
) -> RevisionChanges:
    """Return what changed between two revisions of a citizen's score, item by item.

    Without `to_revision` up to the newest, without `from_revision` since the one before; a first
    score is compared with itself. Raises Refusal score_missing and score_revision_missing.
    """
    before, after = await _two_revisions(tx, subject_id, from_revision, to_revision)
    past_before = await _past(tx, before)
    past_after = past_before
    if after.scorecard_version != before.scorecard_version:
        past_after = await _past(tx, after)
    past_after = msgspec.structs.replace(past_after, score=after)
    catalogue = await record.get_catalogue(tx)
    found = compare(
        Standing(past_before.scorecard, before.indicator_values),
        Standing(past_after.scorecard, after.indicator_values),
        units=units_of(past_after.scorecard, catalogue),
        units_before=units_of(past_before.scorecard, catalogue),
    )
    versions = await record.list_versions(tx, subject_id=subject_id)
    return RevisionChanges(
        before=past_before,
        after=past_after,
        base=found.base,
        items=name_records(
            found.items,
            (past_before.scorecard, before.as_of, before.computed_at),
            (past_after.scorecard, after.as_of, after.computed_at),
            versions,
        ),
    )


async def simulate_score(
    tx: ReadTx,
    *,
    subject_id: UUID,
    changes: Sequence[Change],
    as_of: date | None,
    now: datetime,
) -> SimulatedScore:
    """Return what a citizen's score would be after changes, on a day (None: today).

    On the scorecard of the score as it stands. Raises Refusal score_missing and those of
    `rules.simulation.simulate`.
    """
    score = await get(tx, subject_id=subject_id)
    ground, today = await _ground(tx, score), city_date(now)
    found = simulate(ground, changes, today=today, as_of=today if as_of is None else as_of)
    return SimulatedScore(ground.scorecard, found)


async def _ground(tx: ReadTx, score: Score) -> Ground:
    records = await record.list_current_by_subject(tx, subject_ids=[score.subject_id])
    return Ground(
        scorecard=await get_scorecard(tx, score.scorecard_version),
        catalogue=await record.get_catalogue(tx),
        records=records[score.subject_id],
    )


async def _two_revisions(
    tx: ReadTx, subject_id: UUID, from_revision: int | None, to_revision: int | None
) -> tuple[ScoreRevision, ScoreRevision]:
    """Return the two that are named, else the newest and the one before `to_revision`."""
    before: ScoreRevision | None = None
    if to_revision is None:
        newest = await store.list_revisions(tx, subject_id, before=None, limit=2)
        after = newest[0] if newest else None
        before = newest[-1] if newest else None
    else:
        after = await store.find_revision(tx, subject_id, to_revision)
        if after is not None and from_revision is None:
            earlier = await store.list_revisions(tx, subject_id, before=to_revision, limit=1)
            before = earlier[0] if earlier else after
    if from_revision is not None:
        before = await store.find_revision(tx, subject_id, from_revision)
    if before is None or after is None:
        await get(tx, subject_id=subject_id)  # who has no score has no revisions either
        raise Refusal("score_revision_missing")
    return before, after


async def _past(tx: ReadTx, score: ScoreRevision) -> PastScore:
    return PastScore(score, await get_scorecard(tx, score.scorecard_version))


def _revision_of(cursor: str) -> int:
    (text,) = decode_cursor(cursor, parts=1)
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= REVISION_MAX):
        raise Refusal("cursor_invalid")
    return int(text)
