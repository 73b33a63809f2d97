"""What a score would be if records came in, were repaired or ended, or if time simply passed.

The same engine that works scores out, on records as they would stand; nothing is kept.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from uuid import UUID

import msgspec

from backend.kit.problem import Refusal
from backend.record.rules.catalogue import Catalogue, RecordClass
from backend.record.rules.life import Record, add_months, ends_on_of, stands
from backend.score.rules.change import Comparison, Standing, compare, units_of
from backend.score.rules.engine import score_records
from backend.score.rules.scorecard import Scorecard

CHANGES_MAX = 20
MONTHS_AHEAD_MAX = 60

_NOBODY = UUID(int=0)


class Add(msgspec.Struct, frozen=True):
    """A record that is not there: what a source would report. `quantity` in the class's unit."""

    class_code: str
    occurred_on: date
    ended_on: date | None = None
    quantity: int = 1


class Repair(msgspec.Struct, frozen=True):
    """An adverse record that is repaired (NDRC Order 36)."""

    record_id: UUID


class Expire(msgspec.Struct, frozen=True):
    """A record that no longer counts."""

    record_id: UUID


Change = Add | Repair | Expire


class Picture(msgspec.Struct, frozen=True):
    """A score on a day: points, tier and dimensions, by code."""

    as_of: date
    points: int
    tier_code: str
    dimensions: dict[str, int]


class Simulation(msgspec.Struct, frozen=True):
    """A score as it is and as it would be; the items of `comparison` add up to the difference."""

    before: Picture
    after: Picture
    comparison: Comparison


class Ground(msgspec.Struct, frozen=True):
    """What a simulation stands on: the scorecard, the catalogue, and a subject's records."""

    scorecard: Scorecard
    catalogue: Catalogue
    records: Sequence[Record]


def simulate(ground: Ground, changes: Sequence[Change], *, today: date, as_of: date) -> Simulation:
    """Compare the score of `today` with that of `as_of`, had the changes been made.

    `as_of` is today up to MONTHS_AHEAD_MAX months ahead. Raises Refusal simulation_day_invalid,
    and with the `position` of the change (from 0) simulation_class_unknown,
    simulation_class_not_scored, simulation_quantity_invalid, simulation_date_invalid,
    simulation_record_unknown and simulation_record_not_adverse.
    """
    assert len(changes) <= CHANGES_MAX, "the edge bounds the list"
    if not today <= as_of <= add_months(today, MONTHS_AHEAD_MAX):
        raise Refusal("simulation_day_invalid", months_ahead_max=MONTHS_AHEAD_MAX)
    changed = apply_changes(ground, changes, as_of=as_of)
    before = score_records(ground.scorecard, ground.records, today)
    after = score_records(ground.scorecard, changed, as_of)
    found = Simulation(
        before=_picture(ground.scorecard, today, before.points, before.dimensions),
        after=_picture(ground.scorecard, as_of, after.points, after.dimensions),
        comparison=compare(
            Standing(ground.scorecard, before.indicator_values),
            Standing(ground.scorecard, after.indicator_values),
            units=units_of(ground.scorecard, ground.catalogue),
        ),
    )
    assert found.comparison.points_before == found.before.points, "one arithmetic"
    assert found.comparison.points_after == found.after.points, "one arithmetic"
    return found


def apply_changes(ground: Ground, changes: Sequence[Change], *, as_of: date) -> list[Record]:
    """Return the records as they would stand; raises Refusal as `simulate` does."""
    standing = {each.record_id: each for each in ground.records if stands(each)}
    looked_at = {
        code
        for indicator in ground.scorecard.indicators
        for code in (*indicator.classes, *indicator.against)
    }
    added: list[Record] = []
    for position, change in enumerate(changes):
        if isinstance(change, Add):
            record_class = _class_of(ground.catalogue, change, looked_at, position)
            _check_content(record_class, change, as_of, position)
            added.append(_record_of(record_class, change, position))
            continue
        found = standing.get(change.record_id)
        if found is None:
            raise Refusal("simulation_record_unknown", position=position)
        if isinstance(change, Repair) and not _is_adverse(ground.catalogue, found):
            raise Refusal("simulation_record_not_adverse", position=position)
        del standing[change.record_id]
    return [*standing.values(), *added]


def _class_of(catalogue: Catalogue, change: Add, looked_at: set[str], position: int) -> RecordClass:
    record_class = catalogue.classes.get(change.class_code)
    if record_class is None:
        raise Refusal("simulation_class_unknown", position=position)
    if record_class.code not in looked_at or record_class.sensitivity != "plain":
        raise Refusal("simulation_class_not_scored", position=position)
    return record_class


def _check_content(record_class: RecordClass, change: Add, as_of: date, position: int) -> None:
    """Hold a simulated record against what a source's line would be held against."""
    most = record_class.value.max
    if not 1 <= change.quantity <= most:
        raise Refusal("simulation_quantity_invalid", position=position, quantity_max=most)
    if change.occurred_on > as_of:
        raise Refusal("simulation_date_invalid", position=position, member="occurred_on")
    if change.ended_on is None:
        return
    # Conduct that is held against somebody has often ended before the decision on it.
    is_backwards = change.ended_on < change.occurred_on and not record_class.is_adverse
    if change.ended_on > as_of or is_backwards:
        raise Refusal("simulation_date_invalid", position=position, member="ended_on")


def _record_of(record_class: RecordClass, change: Add, position: int) -> Record:
    """Return the record a change would add, as the record room would hold it."""
    ends_on = ends_on_of(record_class, occurred_on=change.occurred_on, ended_on=change.ended_on)
    return Record(
        subject_id=_NOBODY,
        record_id=_NOBODY,
        class_code=record_class.code,
        source_code="simulation",
        external_id=str(position),
        version=1,
        quantity=change.quantity,
        occurred_on=change.occurred_on,
        ended_on=change.ended_on,
        ends_on=ends_on,
        reported_at=datetime.combine(change.occurred_on, time(), UTC),
        disputed_at=None,
        repaired_at=None,
        fingerprint=0,
    )


def _is_adverse(catalogue: Catalogue, record: Record) -> bool:
    record_class = catalogue.classes.get(record.class_code)
    return record_class is not None and record_class.is_adverse


def _picture(scorecard: Scorecard, as_of: date, points: int, dimensions: dict[str, int]) -> Picture:
    return Picture(as_of, points, scorecard.tier_at(points).code, dimensions)
