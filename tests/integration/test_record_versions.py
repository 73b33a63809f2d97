"""Goal: one number, one truth: corrections, moves and withdrawals settle right, also at once.

Method: files are sent through the real verbs into a database of the test's own, from two
connections at a time where they race; what stands is read as the score reads it.
"""

import asyncio
import random
from datetime import timedelta
from io import BytesIO
from uuid import UUID

import msgspec
import pytest

from backend.event import service as event
from backend.kit.clock import FixedClock
from backend.kit.crypto import Vault
from backend.kit.postgres import Database
from backend.kit.problem import Refusal
from backend.record import jobs, service
from backend.record.rules.layout import PLAIN, Layout
from backend.record.rules.life import Record, RecordVersion
from backend.record.rules.submission import Submission
from tests.support.citizen import national_id

HEADER = "national_id,external_id,version,action,occurred_on,quantity"
DECIDED_ON = "2026-10-05"


def line(number: str, version: int, person: int = 1, action: str = "", quantity: int = 1) -> str:
    """Return a line about a decision."""
    return f"{national_id(person)},{number},{version},{action},{DECIDED_ON},{quantity}"


class Desk:
    """An authority that hands in, and a look at what is on record."""

    def __init__(self, database: Database, vault: Vault, clock: FixedClock) -> None:
        self.database, self.vault, self.clock = database, vault, clock
        self.batches = 0

    async def send(
        self,
        *lines: str,
        batch_id: str | None = None,
        class_code: str = "penalty_general",
        content: bytes | None = None,
        layout: Layout = PLAIN,
    ) -> Submission:
        """Hand a file in, an hour after the last."""
        self.batches += 1
        self.clock.advance(timedelta(hours=1))
        return await jobs.send_submission(
            self.database,
            BytesIO(content or "\n".join([HEADER, *lines, ""]).encode()),
            source_code="city_management_bureau",
            class_code=class_code,
            batch_id=batch_id or f"b-{self.batches}",
            vault=self.vault,
            clock=self.clock,
            layout=layout,
        )

    def subject(self, person: int) -> UUID:
        """Return who somebody is on record."""
        return self.vault.subject_id(national_id(person))

    async def standing(self, person: int) -> list[Record]:
        """Return what counts about a person."""
        async with self.database.read() as tx:
            return await service.list_current(
                tx, subject_id=self.subject(person), as_of=self.clock.now().date()
            )

    async def versions(self, person: int) -> list[RecordVersion]:
        """Return everything on file about a person."""
        async with self.database.read() as tx:
            return await service.list_versions(tx, subject_id=self.subject(person))

    async def faults(self, submission: Submission) -> list[tuple[int, str, str]]:
        """Return (line, column, code) of what was kept aside."""
        async with self.database.read() as tx:
            found = await service.list_faults(tx, submission_id=submission.submission_id)
        return [(each.line_number, each.column_name, each.code) for each in found]

    async def announced(self) -> set[UUID]:
        """Return of whom something changed since the last call."""
        self.clock.advance(timedelta(seconds=1))
        async with self.database.write() as tx:
            events = await event.claim(tx, now=self.clock.now())
        return {UUID(each) for found in events for each in found.payload["subject_ids"]}


@pytest.fixture
def desk(database: Database, vault: Vault, clock: FixedClock) -> Desk:
    """An authority's desk on a database of this test's own."""
    return Desk(database, vault, clock)


async def test_a_correction_moves_a_record_to_another_person_and_both_are_told(desk: Desk):
    await desk.send(line("x-1", 1, person=1))
    assert await desk.announced() == {desk.subject(1)}
    done = await desk.send(line("x-1", 2, person=2))
    assert (done.accepted, done.corrections) == (1, 1)
    assert await desk.announced() == {desk.subject(1), desk.subject(2)}
    assert await desk.standing(1) == []
    (moved,) = await desk.standing(2)
    assert moved.version == 2
    (gone,) = await desk.versions(1)
    assert gone.superseded_at == moved.reported_at


async def test_a_cycle_of_corrections_ends_where_the_highest_version_says(desk: Desk):
    await desk.send(line("x-1", 3, person=1), line("x-1", 2, person=2), line("x-1", 1, person=1))
    (record,) = await desk.standing(1)
    assert (record.version, await desk.standing(2)) == (3, [])
    assert [each.version for each in await desk.versions(1)] == [1, 3]


async def test_a_withdrawal_before_its_report_holds_and_a_later_report_brings_it_back(desk: Desk):
    done = await desk.send(line("x-1", 2, action="withdraw"))
    assert (done.accepted, done.withdrawals) == (1, 1)
    await desk.send(line("x-1", 1))
    assert await desk.standing(1) == []
    assert await desk.announced() == set()
    await desk.send(line("x-1", 3))
    assert [each.version for each in await desk.standing(1)] == [3]


async def test_a_repaired_record_leaves_the_score_and_later_versions_stay_repaired(desk: Desk):
    await desk.send(line("x-1", 1))
    await desk.announced()
    done = await desk.send(line("x-1", 2, action="repair"))
    assert (done.accepted, done.repairs) == (1, 1)
    assert await desk.announced() == {desk.subject(1)}
    assert await desk.standing(1) == []
    await desk.send(line("x-1", 3, quantity=1))
    assert await desk.standing(1) == []
    _, repair, latest = await desk.versions(1)
    assert latest.superseded_at is None
    assert latest.repaired_at == repair.repaired_at


async def test_a_repair_that_comes_late_repairs_what_stands(desk: Desk):
    await desk.send(line("x-1", 1), line("x-1", 3))
    await desk.announced()
    await desk.send(line("x-1", 2, action="repair"))
    assert await desk.standing(1) == []
    assert await desk.announced() == {desk.subject(1)}


@pytest.mark.parametrize("is_one_file", [False, True])
@pytest.mark.parametrize("action", ["", "withdraw"])
async def test_a_correction_by_which_a_record_has_ended_already_takes_the_place_of_what_stood(
    desk: Desk, is_one_file: bool, action: str
):
    """The decision was years ago, not last month: what was reported by mistake can't go on."""
    long_ago = line("x-1", 2, action=action).replace(DECIDED_ON, "2019-10-05")
    if is_one_file:
        done = await desk.send(long_ago, line("x-1", 1))
    else:
        await desk.send(line("x-1", 1))
        assert len(await desk.standing(1)) == 1
        await desk.announced()
        done = await desk.send(long_ago)
        assert await desk.announced() == {desk.subject(1)}
    assert (done.rejected, await desk.faults(done)) == (0, [])
    assert await desk.standing(1) == []
    first, second = await desk.versions(1)
    assert first.superseded_at is not None
    assert second.ends_on is not None
    assert second.ends_on < desk.clock.now().date()


async def test_a_correction_that_has_ended_of_what_is_not_on_file_does_not_come_in(desk: Desk):
    ended = [line(f"x-{number}", 2).replace(DECIDED_ON, "2019-10-05") for number in (1, 2)]
    done = await desk.send(*ended, line("x-3", 1), line("x-2", 3))
    assert await desk.faults(done) == [
        (2, "occurred_on", "record_ended"),
        (3, "occurred_on", "record_ended"),
    ]
    assert [each.external_id for each in await desk.versions(1)] == ["x-2", "x-3"]


async def test_a_number_keeps_its_class_and_a_version_its_content(desk: Desk):
    await desk.send(line("x-1", 1))
    done = await desk.send(line("x-1", 2), class_code="penalty_minor")
    assert await desk.faults(done) == [(2, "external_id", "class_changed")]
    done = await desk.send(line("x-1", 1, person=2))
    assert await desk.faults(done) == [(2, "version", "version_conflict")]
    assert (len(await desk.standing(1)), await desk.standing(2)) == (1, [])


async def test_a_chinese_export_and_json_lines_come_in_the_same_way(desk: Desk):
    names = {"national_id": "身份证号码", "external_id": "文书号", "occurred_on": "决定日期"}
    layout = Layout(form="csv", encoding="gb18030", columns=names)
    number = "沪罚〔2026〕1号"
    text = f"{','.join(names.values())}\n{national_id(1)},{number},{DECIDED_ON}\n坏\n"
    done = await desk.send(content=text.encode("gb18030"), layout=layout)
    assert (done.accepted, done.rejected) == (1, 1)
    async with desk.database.read() as tx:
        assert await service.find_layout(tx, submission_id=done.submission_id) == layout
    member = f'"national_id":"{national_id(1)}","external_id":"{number}"'
    text = f'{{{member},"occurred_on":"{DECIDED_ON}"}}\n{{}}\n'
    layout = Layout(form="jsonl", encoding="utf-8", columns={})
    done = await desk.send(content=text.encode(), layout=layout)
    assert (done.accepted, done.duplicates, done.incomplete) == (1, 1, 1)
    assert [each.external_id for each in await desk.standing(1)] == [number]


async def test_one_batch_read_in_another_way_is_another_file(desk: Desk):
    """The same bytes say something else when two columns change places."""
    names = {"occurred_on": "起", "ended_on": "止"}
    layout = Layout(form="csv", encoding="utf-8", columns=names)
    rows = f"{national_id(1)},x-1,2026-06-01,2026-07-01"
    content = f"national_id,external_id,起,止\n{rows}\n".encode()
    done = await desk.send(content=content, layout=layout, batch_id="one")
    assert (done.accepted, done.rejected) == (1, 0)
    also = msgspec.structs.replace(layout, columns={**names, "quantity": "数量"})
    assert await desk.send(content=content, layout=also, batch_id="one") == done
    turned = msgspec.structs.replace(layout, columns={"occurred_on": "止", "ended_on": "起"})
    with pytest.raises(Refusal, match="submission_conflict"):
        await desk.send(content=content, layout=turned, batch_id="one")
    content = f"national_id,external_id,occurred_on\n{national_id(1)},鍙1,2026-06-01\n".encode()
    await desk.send(content=content, batch_id="two")
    chinese = msgspec.structs.replace(PLAIN, encoding="gb18030")
    with pytest.raises(Refusal, match="submission_conflict"):
        await desk.send(content=content, layout=chinese, batch_id="two")


async def test_overlapping_files_from_two_connections_leave_what_the_highest_versions_say(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
):
    """Every line is in two files, in another order, and people change from version to version."""
    monkeypatch.setattr(jobs, "CHUNK_LINES", 7)
    chance = random.Random(11)
    lines = [
        line(f"x-{number}", version, person=1 + (number + version) % 5)
        for number in range(20)
        for version in (1, 2, 3)
    ]
    files = [chance.sample(lines, len(lines)) for _ in range(3)]
    done = await asyncio.gather(*(desk.send(*file) for file in files))
    assert all((each.accepted, each.rejected) == (60, 0) for each in done)
    assert sum(each.duplicates for each in done) == 2 * 60, "each version went in once"
    for person in range(1, 6):
        standing = {each.external_id: each.version for each in await desk.standing(person)}
        numbers = [number for number in range(20) if 1 + (number + 3) % 5 == person]
        assert standing == {f"x-{number}": 3 for number in numbers}


async def test_one_batch_sent_twice_at_once_is_one_submission(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(jobs, "CHUNK_LINES", 5)
    lines = [line(f"x-{number}", 1, person=1 + number % 3) for number in range(40)]
    first, second = await asyncio.gather(
        *(desk.send(*lines, "bad", batch_id="one") for _ in range(2))
    )
    assert first == second
    assert (first.accepted, first.rejected, first.duplicates) == (40, 1, 0)
