"""Goal: what stands under a source's number is the same in whatever order its versions arrive.

Method: Hypothesis draws versions about several people (reports, withdrawals, repairs), lets them
arrive in any order and any cutting into chunks through the pure rule, and compares what stands with
what the highest version says, worked out the plain way.
"""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from backend.record.rules.fault import FaultCode
from backend.record.rules.life import Action, RecordVersion
from backend.record.rules.version import Held, Outcome, Settled, VersionKey, settle

NOW = datetime(2026, 11, 20, 2, tzinfo=UTC)
NUMBERS = ("a", "b")
PEOPLE = [UUID(int=number) for number in (1, 2, 3)]


def arrived(
    number: str,
    version: int,
    person: UUID = PEOPLE[0],
    action: Action = "report",
    *,
    quantity: int = 1,
    class_code: str = "penalty_minor",
) -> RecordVersion:
    """Return a version as it arrives."""
    return RecordVersion(
        subject_id=person,
        record_id=UUID(int=NUMBERS.index(number) * 1000 + version),
        class_code=class_code,
        source_code="source",
        external_id=number,
        version=version,
        quantity=quantity,
        occurred_on=date(2026, 11, 1),
        ended_on=None,
        ends_on=date(2027, 2, 1),
        reported_at=NOW,
        disputed_at=None,
        repaired_at=None,
        fingerprint=version,
        action=action,
        superseded_at=None,
    )


class Room:
    """A record room in memory: keeps what the rule says, as the store's SQL does."""

    def __init__(self) -> None:
        self.rows: dict[VersionKey, RecordVersion] = {}
        self.now = NOW
        self.counted: dict[Outcome | FaultCode, int] = {}

    def held(self) -> list[Held]:
        """Return the highest version of each number and person."""
        highest: dict[tuple[str, UUID], RecordVersion] = {}
        repaired: dict[tuple[str, UUID], datetime] = {}
        for row in sorted(self.rows.values(), key=lambda each: each.version):
            highest[row.external_id, row.subject_id] = row
            if row.repaired_at is not None:
                key = (row.external_id, row.subject_id)
                repaired[key] = min(row.repaired_at, repaired.get(key, row.repaired_at))
        return [
            Held(
                *(number, person, row.version, row.class_code, row.superseded_at),
                *(row.disputed_at, repaired.get((number, person))),
            )
            for (number, person), row in highest.items()
        ]

    def take(self, chunk: list[RecordVersion]) -> Settled:
        """Let a chunk arrive."""
        self.now += timedelta(hours=1)
        before = self.standing()
        settled = settle(chunk, self.held(), self.rows, {}, today=self.now.date(), now=self.now)
        for outcome in settled.outcomes:
            self.counted[outcome] = self.counted.get(outcome, 0) + 1
        for gone in settled.superseded:
            self._change(gone, superseded_at=self.now)
        for gone in settled.repaired:
            self._change(gone, repaired_at=self.now)
        for row in settled.inserted:
            assert (row.external_id, row.version) not in self.rows, "nothing is overwritten"
            self.rows[row.external_id, row.version] = row
        after = self.standing()
        differs = {number for number in NUMBERS if before.get(number) != after.get(number)}
        people = {
            side[number].subject_id for side in (before, after) for number in differs & side.keys()
        }
        assert people <= settled.changed, "whoever has other records now is announced"
        return settled

    def _change(self, held: Held, **marks: datetime) -> None:
        key = (held.external_id, held.version)
        assert self.rows[key].subject_id == held.subject_id
        self.rows[key] = msgspec.structs.replace(self.rows[key], **marks)

    def standing(self) -> dict[str, RecordVersion]:
        """Return what stands under each number: at most one version."""
        found = [row for row in self.rows.values() if row.superseded_at is None]
        by_number = {row.external_id: row for row in found}
        assert len(by_number) == len(found), "at most one version stands under a number"
        return by_number


def said(rows: Iterable[RecordVersion]) -> dict[str, tuple[UUID, int, bool]]:
    """Return what versions say: who, which version, and whether it is repaired."""
    expected = {}
    for number in NUMBERS:
        own = [row for row in rows if row.external_id == number]
        if own and (top := max(own, key=lambda each: each.version)).action != "withdraw":
            is_repaired = any(
                row.action == "repair" and row.subject_id == top.subject_id for row in own
            )
            expected[number] = (top.subject_id, top.version, is_repaired)
    return expected


def shown(room: Room) -> dict[str, tuple[UUID, int, bool]]:
    """Return what stands in the same words."""
    return {
        number: (row.subject_id, row.version, row.repaired_at is not None)
        for number, row in room.standing().items()
    }


histories = st.lists(
    st.builds(
        arrived,
        st.sampled_from(NUMBERS),
        st.integers(1, 8),
        st.sampled_from(PEOPLE),
        st.sampled_from(["report", "report", "withdraw", "repair"]),
    ),
    max_size=10,
    unique_by=lambda row: (row.external_id, row.version),
)


@given(histories.flatmap(lambda rows: st.tuples(st.just(rows), st.permutations(rows))), st.data())
def test_any_order_and_any_cutting_into_chunks_leave_the_same_standing(
    drawn: tuple[list[RecordVersion], list[RecordVersion]], data: Any
) -> None:
    rows, order = drawn
    # Any of them again, anywhere: it is on file already, and changes nothing.
    again = data.draw(st.lists(st.sampled_from(order), max_size=4)) if order else []
    left, room = [*order, *again], Room()
    while left:
        size = data.draw(st.integers(1, len(left)))
        room.take(left[:size])
        left = left[size:]
    assert shown(room) == said(rows)
    assert len(room.rows) == len(rows)
    assert room.counted.get(Outcome.DUPLICATE, 0) == len(again)
    withdrawn = sum(row.action == "withdraw" for row in rows)
    assert room.counted.get(Outcome.WITHDRAWAL, 0) == withdrawn


@given(histories, st.randoms(use_true_random=False))
def test_what_was_disputed_stays_so_in_later_versions_about_the_same_person(
    rows: list[RecordVersion], order: Any
) -> None:
    room = Room()
    first = arrived("a", 1)
    room.take([first])
    room.rows["a", 1] = msgspec.structs.replace(first, disputed_at=NOW)
    later = [row for row in rows if row.version > 1]
    order.shuffle(later)
    for row in later:
        room.take([row])
    for row in room.standing().values():
        is_theirs = row.external_id == "a" and row.subject_id == first.subject_id
        assert (row.disputed_at is not None) == is_theirs


def test_a_cycle_of_corrections_ends_where_the_highest_version_says() -> None:
    for order in ((1, 2, 3), (3, 2, 1), (2, 3, 1), (3, 1, 2)):
        room = Room()
        people = {1: PEOPLE[0], 2: PEOPLE[1], 3: PEOPLE[0]}
        for version in order:
            room.take([arrived("a", version, people[version])])
        assert shown(room) == {"a": (PEOPLE[0], 3, False)}
        assert len(room.rows) == 3


def test_a_moved_record_is_announced_for_both_people() -> None:
    room = Room()
    room.take([arrived("a", 1)])
    assert room.take([arrived("a", 2, PEOPLE[1])]).changed == {PEOPLE[0], PEOPLE[1]}
    assert room.take([arrived("a", 3, PEOPLE[1], "withdraw")]).changed == {PEOPLE[1]}
    assert room.take([arrived("a", 1)]).changed == set(), "it is on file"


def test_a_withdrawal_before_its_report_holds() -> None:
    room = Room()
    assert room.take([arrived("a", 2, action="withdraw")]).changed == set()
    assert room.take([arrived("a", 1)]).changed == set()
    assert shown(room) == {}
    assert room.take([arrived("a", 3)]).changed == {PEOPLE[0]}
    assert shown(room) == {"a": (PEOPLE[0], 3, False)}


def test_a_version_is_there_once_over_all_people() -> None:
    room = Room()
    room.take([arrived("a", 1)])
    for other in (
        arrived("a", 1, PEOPLE[1]),
        arrived("a", 1, quantity=2),
        arrived("a", 1, action="withdraw"),
    ):
        settled = room.take([other])
        assert settled.outcomes == [FaultCode.VERSION_CONFLICT]
        assert settled.inserted == []
    assert shown(room) == {"a": (PEOPLE[0], 1, False)}


def test_a_number_keeps_its_class() -> None:
    room = Room()
    room.take([arrived("a", 1)])
    settled = room.take([arrived("a", 2, class_code="penalty_general")])
    assert settled.outcomes == [FaultCode.CLASS_CHANGED]
    assert settled.changed == set()


def test_lines_are_told_apart_for_the_marks_of_a_source() -> None:
    chunk = [
        arrived("a", 1),
        arrived("a", 1),
        arrived("a", 2),
        arrived("b", 1, quantity=3),
        arrived("b", 1, quantity=4),
        arrived("b", 2, action="repair"),
        arrived("b", 3, action="withdraw"),
    ]
    assert Room().take(chunk).outcomes == [
        *(Outcome.NEW, Outcome.DUPLICATE, Outcome.CORRECTION, Outcome.NEW),
        *(FaultCode.VERSION_CONFLICT, Outcome.REPAIR, Outcome.WITHDRAWAL),
    ]
