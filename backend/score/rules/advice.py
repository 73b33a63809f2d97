"""What would help most: things a person can do, each tried out by the simulator.

A thing is one step of an indicator the scorecard says a person can act on. Conduct that counts
for somebody is simulated as records that come in today, adverse records as repaired ones; what it
gives is the real effect on the whole score: one repaired penalty moves every indicator that looks
at it, and nothing helps where a cap is reached.
"""

from collections.abc import Sequence
from datetime import date

import msgspec

from backend.record.rules.catalogue import RecordClass
from backend.record.rules.life import Record, add_months
from backend.score.rules.engine import score_records
from backend.score.rules.explanation import records_behind, worded
from backend.score.rules.scorecard import Indicator
from backend.score.rules.simulation import (
    CHANGES_MAX,
    Add,
    Change,
    Ground,
    Repair,
    apply_changes,
)

HELPS_MAX = 3
# Of an indicator's adverse records, as many are tried as a page would show.
REPAIRS_TRIED_MAX = 20


class Help(msgspec.Struct, frozen=True):
    """One thing the person can do, and the points it would give if it stood there today.

    `changes` are what the simulator takes for it; `records` are those to be repaired.
    """

    indicator: str
    dimension: str
    gain_points: int
    text_zh: str
    text_en: str
    changes: list[Change]
    records: list[Record]


def advise(ground: Ground, *, today: date, most: int = HELPS_MAX) -> list[Help]:
    """Return at most so many things that help, the most points first; a thing only once."""
    now_points = score_records(ground.scorecard, ground.records, today).points
    found: list[Help] = []
    for indicator in ground.scorecard.indicators:
        if not indicator.can_act:
            continue
        changes = _step_of(ground, indicator, today)
        if not changes or any(each.changes == changes for each in found):
            continue
        gain_points = _points_after(ground, changes, today) - now_points
        assert gain_points >= 0, "good conduct never lowers a score"
        if gain_points > 0:
            found.append(_help(ground, indicator, changes, gain_points))
    found.sort(key=lambda each: (-each.gain_points, each.indicator))
    return found[:most]


def _help(ground: Ground, indicator: Indicator, changes: list[Change], gain_points: int) -> Help:
    repaired = {each.record_id for each in changes if isinstance(each, Repair)}
    records = [each for each in ground.records if each.record_id in repaired]
    step = _size(indicator, changes, records)
    return Help(
        indicator=indicator.code,
        dimension=indicator.dimension,
        gain_points=gain_points,
        text_zh=worded(indicator.help_zh, indicator, 0, step),
        text_en=worded(indicator.help_en, indicator, 0, step),
        changes=changes,
        records=records,
    )


def _size(indicator: Indicator, changes: Sequence[Change], records: Sequence[Record]) -> int:
    """Return how much is done: what was tried out, which may be less than a step or more."""
    if indicator.aggregate in {"sum", "ratio"}:
        added = sum(each.quantity for each in changes if isinstance(each, Add))
        return added + sum(each.quantity for each in records)
    return indicator.help_step if indicator.aggregate == "max" and not records else len(changes)


def _step_of(ground: Ground, indicator: Indicator, today: date) -> list[Change]:
    """Return one step in the direction that can only help; empty when there is none to take."""
    record_class = ground.catalogue.classes.get(indicator.classes[0])
    if record_class is None:
        return []  # a later edition no longer collects what an older scorecard looked at
    if record_class.is_adverse:
        return _repairs(ground, indicator, today)
    return _conduct(ground, indicator, record_class, today)


def _conduct(
    ground: Ground, indicator: Indicator, record_class: RecordClass, today: date
) -> list[Change]:
    """Return what a source would report of one step: `help_step` records, or that quantity."""
    code, most, step = record_class.code, record_class.value.max, indicator.help_step
    if indicator.aggregate == "count":
        return [Add(code, today) for _ in range(min(step, CHANGES_MAX))]
    if indicator.aggregate == "max":
        found = records_behind(indicator, ground.records, today)
        best = max((each.quantity for each in found), default=0)
        return [Add(code, today, quantity=min(best + step, most))]
    full, rest = divmod(step, most)
    quantities = [most] * full + [rest] * (rest > 0)
    return [Add(code, today, quantity=each) for each in quantities[:CHANGES_MAX]]


def _repairs(ground: Ground, indicator: Indicator, today: date) -> list[Change]:
    """Return the repairs that give most, one after another; none of an item too young for it."""
    chosen: list[Change] = []
    left = [
        each
        for each in records_behind(indicator, ground.records, today)
        if _may_be_repaired(ground, each, today)
    ][:REPAIRS_TRIED_MAX]
    for _ in range(min(indicator.help_step, len(left))):
        best = max(left, key=lambda each: _gain_key(ground, chosen, each, today))
        chosen.append(Repair(best.record_id))
        left.remove(best)
    return chosen


def _gain_key(
    ground: Ground, chosen: Sequence[Change], record: Record, today: date
) -> tuple[int, date, str]:
    points = _points_after(ground, [*chosen, Repair(record.record_id)], today)
    return (points, record.occurred_on, record.external_id)


def _may_be_repaired(ground: Ground, record: Record, today: date) -> bool:
    """Say whether the least publication is over (NDRC Order 36): before, nobody can ask for it."""
    record_class = ground.catalogue.classes.get(record.class_code)
    least = 0 if record_class is None else record_class.publication_min_months or 0
    return add_months(record.occurred_on, least) <= today


def _points_after(ground: Ground, changes: Sequence[Change], today: date) -> int:
    changed = apply_changes(ground, changes, as_of=today)
    return score_records(ground.scorecard, changed, today).points
