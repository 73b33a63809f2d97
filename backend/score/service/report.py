"""Reports about scorecards: the whole city counted under one scorecard, or under two.

Only participants are counted: nobody else may be scored (product line 2). A report of an earlier
day looks at what is on record now as it was to be seen on that day: records reported since belong
to it, what has ended since and was purged does not.
"""

from collections.abc import Callable
from datetime import date, datetime
from uuid import UUID

import msgspec

from backend.citizen import service as citizen
from backend.kit.clock import city_date
from backend.kit.crypto import Vault
from backend.kit.ids import new_id
from backend.kit.postgres import ReadTx, Tx
from backend.kit.problem import Refusal
from backend.score.rules.publication import parse_person
from backend.score.rules.report import Report
from backend.score.rules.reporting import Heading, make_report
from backend.score.rules.sample import AGE_BANDS, Person, Sample, Standing
from backend.score.rules.scorecard import Scorecard
from backend.score.service.scorecard import get_scorecard, scorecard_in_force
from backend.score.store import bulk
from backend.score.store import report as store
from backend.score.store import scorecard as scorecard_store

BATCH = 500


async def work_out_report(
    tx: ReadTx,
    *,
    version: str | None,
    as_of: date | None,
    made_by: str,
    vault: Vault,
    now: datetime,
    on_progress: Callable[[int], None] = lambda _: None,
) -> Report:
    """Count the city under the scorecard `version`, beside the one in force; None: that one alone.

    `as_of` is an earlier day for a backtest, None for today. `on_progress` gets how many people
    are counted. Raises Refusal person_invalid, scorecard_missing, scorecard_unknown,
    report_day_invalid.
    """
    today = city_date(now)
    day = as_of or today
    if not date(2000, 1, 1) <= day <= today:
        raise Refusal("report_day_invalid")
    person = parse_person(made_by)
    champion, challenger = await _sides(tx, version)
    sample = Sample(champion=champion, challenger=challenger)
    await _count(tx, sample, as_of=day, today=today, vault=vault, on_progress=on_progress)
    versions = [each.version for each in (champion, challenger) if each is not None]
    heading = Heading(
        report_id=new_id(now),
        made_by=person,
        made_at=now,
        as_of=day,
        today=today,
        earlier={
            version: msgspec.convert(earlier.document, Report)
            for version in versions
            if (earlier := await store.find_earlier(tx, version, day)) is not None
        },
    )
    return make_report(sample, heading)


async def keep_report(tx: Tx, *, report: Report) -> None:
    """Keep a report: what its maker has seen, and when; approvals name it."""
    subject = report.champion_version if report.subject == "champion" else report.challenger_version
    assert subject is not None, "the subject of a report is there"
    scorecard = await get_scorecard(tx, subject)
    await store.insert_report(tx, store.stored_report(report, scorecard.digest))


async def find_report(tx: ReadTx, *, report_id: UUID) -> Report | None:
    """Return a report as it was made, or None."""
    stored = await store.find_report(tx, report_id)
    return None if stored is None else msgspec.convert(stored.document, Report)


async def _sides(tx: ReadTx, version: str | None) -> tuple[Scorecard | None, Scorecard | None]:
    """Return champion and challenger; without a scorecard in force there is no champion."""
    if version is None:
        return await scorecard_in_force(tx), None
    challenger = await get_scorecard(tx, version)
    in_force = await scorecard_store.find_in_force(tx)
    if in_force is None:
        return None, challenger
    champion = await scorecard_in_force(tx)
    return champion, None if champion.version == version else challenger


async def _count(
    tx: ReadTx,
    sample: Sample,
    *,
    as_of: date,
    today: date,
    vault: Vault,
    on_progress: Callable[[int], None],
) -> None:
    """Count every participant, a batch at a time."""
    performed, failed = _outcome_classes(sample)
    after: UUID | None = None
    while True:
        batch = await citizen.list_demographics(
            tx, after=after, limit=BATCH, age_bands=AGE_BANDS, vault=vault, today=as_of
        )
        subject_ids = [each.subject_id for each in batch]
        found = await store.list_histories(
            tx, subject_ids, as_of=as_of, today=today, performed=performed, failed=failed
        )
        histories = {each.subject_id: each for each in found}
        standings = [
            await _evaluate(tx, side.scorecard, subject_ids, as_of) if side else {}
            for side in (sample.champion, sample.challenger)
        ]
        for each in batch:
            history = histories.get(each.subject_id)
            person = Person(
                age_band=each.age_band,
                district=each.district,
                record_count=history.record_count if history else 0,
                performed=history.performed if history else 0,
                failed=history.failed if history else 0,
            )
            champion, challenger = (under.get(each.subject_id) for under in standings)
            sample.add(person, champion=champion, challenger=challenger)
        on_progress(sample.participants)
        if len(batch) < BATCH:
            return
        after = batch[-1].subject_id


def _outcome_classes(sample: Sample) -> tuple[list[str], list[str]]:
    """Return the classes that say how it went on: the two sides of the scorecards' ratios."""
    indicators = [
        indicator
        for side in (sample.champion, sample.challenger)
        if side is not None
        for indicator in side.scorecard.indicators
        if indicator.aggregate == "ratio"
    ]
    performed = {code for indicator in indicators for code in indicator.classes}
    failed = {code for indicator in indicators for code in indicator.against}
    return sorted(performed), sorted(failed)


async def _evaluate(
    tx: ReadTx, scorecard: Scorecard, subject_ids: list[UUID], as_of: date
) -> dict[UUID, Standing]:
    """Work out how participants stand under a scorecard; nothing is kept."""
    codes = [dimension.code for dimension in scorecard.dimensions]
    found = await bulk.evaluate_listed(tx, scorecard, subject_ids=subject_ids, as_of=as_of)
    return {
        each.subject_id: Standing(
            each.points,
            [getattr(each, f"{code}_points") for code in codes],
            each.indicator_values,
        )
        for each in found
    }
