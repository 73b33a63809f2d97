"""What stands when versions of records arrive, in any order and about anybody.

The highest version under a source's number, over all people, is what the source says; a higher
one about somebody else moves the record. A withdrawal is a version that never stands. A version
that comes late is kept and was superseded on arrival. What was disputed or repaired stays so in
later versions about the same person. What has ended already comes in only to correct a lower
version, and nothing comes in up to the version with which a number was purged, if that is known.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

import msgspec

from backend.record.rules.fault import FaultCode
from backend.record.rules.life import Action, Days, RecordVersion

# A source's number, and a version under it.
VersionKey = tuple[str, int]


class Held(msgspec.Struct, frozen=True):
    """What is on file under one number about one person: its highest version.

    `repaired_at` is the earliest of all its versions.
    """

    external_id: str
    subject_id: UUID
    version: int
    class_code: str
    superseded_at: datetime | None
    disputed_at: datetime | None
    repaired_at: datetime | None


class Outcome(StrEnum):
    """What came of a line that went in or was on file already."""

    NEW = "new"
    CORRECTION = "correction"
    WITHDRAWAL = "withdrawal"
    REPAIR = "repair"
    DUPLICATE = "duplicate"


class Settled(msgspec.Struct):
    """What arriving versions do; `outcomes` is parallel to them.

    `inserted` are ready to be kept; `superseded` and `repaired` are what was on file and stands
    no longer, or no longer unrepaired. `changed` are those of whom something else counts now.
    """

    outcomes: list[Outcome | FaultCode]
    inserted: list[RecordVersion]
    superseded: list[Held]
    repaired: list[Held]
    changed: set[UUID]


def is_all_new(
    external_ids: Sequence[str],
    actions: Sequence[Action],
    days: Iterable[Days],
    held: Sequence[Held],
    *,
    today: date,
) -> bool:
    """Say whether `settle` has nothing to do: numbers not on file, each reported once, none ended.

    Then everything goes in as it came, and something else counts of everybody in it.
    """
    return (
        not held
        and actions.count("report") == len(actions)
        and len(set(external_ids)) == len(external_ids)
        and not any(_has_ended(each, today) for each in set(days))
    )


def settle(
    arriving: Sequence[RecordVersion],
    held: Sequence[Held],
    same: Mapping[VersionKey, RecordVersion],
    over: Mapping[str, int],
    *,
    today: date,
    now: datetime,
) -> Settled:
    """Decide what versions of one source do, in the order they arrive in.

    `held` is everything on file under their numbers, `same` what is there under the same number
    and version, `over` up to which version purged numbers are over. What ends by `today` has ended
    already.
    """
    settled = Settled([Outcome.NEW] * len(arriving), [], [], [], set())
    places: dict[str, list[int]] = {}
    for place, record in enumerate(arriving):
        places.setdefault(record.external_id, []).append(place)
    held_by_number: dict[str, list[Held]] = {}
    for each in held:
        held_by_number.setdefault(each.external_id, []).append(each)
    for external_id, group in places.items():
        on_file = held_by_number.get(external_id, [])
        record = arriving[group[0]]
        is_alone = not on_file and len(group) == 1 and external_id not in over
        if is_alone and record.action == "report" and not _has_ended(record, today):
            settled.inserted.append(record)
            settled.changed.add(record.subject_id)
            continue
        arrived = []
        for place in group:
            if arriving[place].version <= over.get(external_id, 0):
                settled.outcomes[place] = FaultCode.RECORD_ENDED
            else:
                arrived.append((place, arriving[place]))
        fresh = _fresh(arrived, on_file, same, today=today, settled=settled)
        if fresh:
            _place(fresh, on_file, settled, now)
    assert len(settled.inserted) == sum(
        outcome is not Outcome.DUPLICATE and not isinstance(outcome, FaultCode)
        for outcome in settled.outcomes
    ), "a version that is not there yet goes in"
    return settled


def _fresh(
    group: Sequence[tuple[int, RecordVersion]],
    on_file: Sequence[Held],
    same: Mapping[VersionKey, RecordVersion],
    *,
    today: date,
    settled: Settled,
) -> list[RecordVersion]:
    """Return the versions of one number that are not on file, and note what came of each line."""
    fresh: dict[int, RecordVersion] = {}
    lowest = min(
        [each.version for each in on_file]
        + [record.version for _, record in group if not _has_ended(record, today)],
        default=None,
    )
    for place, record in group:
        known = fresh.get(record.version) or same.get((record.external_id, record.version))
        if on_file and on_file[0].class_code != record.class_code:
            settled.outcomes[place] = FaultCode.CLASS_CHANGED
        elif known is not None:
            is_same = _content(known) == _content(record)
            settled.outcomes[place] = Outcome.DUPLICATE if is_same else FaultCode.VERSION_CONFLICT
        elif _has_ended(record, today) and (lowest is None or record.version < lowest):
            settled.outcomes[place] = FaultCode.RECORD_ENDED
        else:
            if record.action == "withdraw":
                settled.outcomes[place] = Outcome.WITHDRAWAL
            elif record.action == "repair":
                settled.outcomes[place] = Outcome.REPAIR
            elif on_file or fresh:
                settled.outcomes[place] = Outcome.CORRECTION
            fresh[record.version] = record
    return list(fresh.values())


def _has_ended(record: RecordVersion | Days, today: date) -> bool:
    return record.ends_on is not None and record.ends_on <= today


def _content(record: RecordVersion) -> tuple[object, ...]:
    """Return what a source said, without when it came and what became of it."""
    return (
        *(record.subject_id, record.class_code, record.action),
        *(record.quantity, record.occurred_on, record.ended_on),
    )


def _place(
    fresh: Sequence[RecordVersion], on_file: Sequence[Held], settled: Settled, now: datetime
) -> None:
    """Find what stands under one number, and what no longer does."""
    highest = max(on_file, key=lambda each: each.version, default=None)
    own = {each.subject_id: each for each in on_file}
    # A dispute goes on in every later version, also in one that comes when another stands.
    fresh = [
        msgspec.structs.replace(each, disputed_at=own[each.subject_id].disputed_at)
        if each.subject_id in own
        else each
        for each in fresh
    ]
    top = max(fresh, key=lambda each: each.version)
    repairs = {each.subject_id for each in fresh if each.action == "repair"}
    settled.inserted += [_superseded(each, now) for each in fresh if each is not top]
    if highest is not None and highest.version > top.version:
        settled.inserted.append(_superseded(top, now))
        # A repair that comes late was decided before what stands was said: it holds for that too.
        stands = highest.superseded_at is None and highest.repaired_at is None
        if stands and highest.subject_id in repairs:
            settled.repaired.append(highest)
            settled.changed.add(highest.subject_id)
        return
    repaired_at = own[top.subject_id].repaired_at if top.subject_id in own else None
    if repaired_at is None and top.subject_id in repairs:
        repaired_at = now
    superseded_at = now if top.action == "withdraw" else None
    settled.inserted.append(
        msgspec.structs.replace(top, repaired_at=repaired_at, superseded_at=superseded_at)
    )
    if top.action != "withdraw":
        settled.changed.add(top.subject_id)
    if highest is not None and highest.superseded_at is None:
        settled.superseded.append(highest)
        settled.changed.add(highest.subject_id)


def _superseded(record: RecordVersion, now: datetime) -> RecordVersion:
    return msgspec.structs.replace(
        record, superseded_at=now, repaired_at=now if record.action == "repair" else None
    )
