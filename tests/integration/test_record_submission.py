"""Goal: a file comes in whole or goes on where it stopped; nothing is lost, nothing counted twice.

Method: files are sent through the real verbs into a database of the test's own; a crash is a
transaction that rolls back, two senders are two tasks on two connections.
"""

import asyncio
import hashlib
from collections.abc import Callable
from datetime import date, timedelta
from io import BytesIO
from typing import Any
from uuid import UUID

import pytest

from backend.event import service as event
from backend.kit.clock import FixedClock
from backend.kit.crypto import SealBroken, Vault
from backend.kit.postgres import Database, Tx
from backend.kit.problem import Refusal
from backend.record import jobs, service
from backend.record.rules import submission as rules
from backend.record.rules.block import Rows
from backend.record.rules.life import Record
from backend.record.rules.submission import Submission
from tests.support.citizen import national_id

HEADER = "national_id,external_id,version,occurred_on,ended_on,quantity"
READER = national_id(1)


def line(
    number: int, *, person: int = 1, version: int = 1, day: str = "2026-05-01", quantity: int = 1
) -> str:
    """Return a good line."""
    return f"{national_id(person)},lib-{number},{version},{day},,{quantity}"


def file_of(*lines: str | bytes) -> BytesIO:
    """Return a file with the usual header."""
    encoded = [each.encode() if isinstance(each, str) else each for each in (HEADER, *lines)]
    return BytesIO(b"\n".join(encoded) + b"\n")


class Desk:
    """A library that hands in files, and looks at what is on record."""

    def __init__(self, database: Database, vault: Vault, clock: FixedClock) -> None:
        self.database = database
        self.vault = vault
        self.clock = clock

    async def send(
        self,
        content: BytesIO,
        *,
        batch_id: str | None = "b-1",
        source: str = "city_library",
        class_code: str = "library_return",
        on_progress: Callable[[int], None] = lambda _: None,
    ) -> Submission:
        """Hand in a file."""
        return await jobs.send_submission(
            self.database,
            content,
            source_code=source,
            class_code=class_code,
            batch_id=batch_id,
            vault=self.vault,
            clock=self.clock,
            on_progress=on_progress,
        )

    async def records(self, person: int = 1) -> list[Record]:
        """Return the current records of a person, by external id."""
        subject_id = self.vault.subject_id(national_id(person))
        async with self.database.read() as tx:
            found = await service.list_current_by_subject(tx, subject_ids=[subject_id])
        return sorted(found[subject_id], key=lambda record: record.external_id)

    async def faults(self, submission: Submission) -> list[tuple[int, str, str]]:
        """Return (line, column, code) of what was kept aside."""
        async with self.database.read() as tx:
            found = await service.list_faults(tx, submission_id=submission.submission_id)
        return [(each.line_number, each.column_name, each.code) for each in found]

    async def announced(self) -> list[UUID]:
        """Return the subjects of all events so far, in order."""
        async with self.database.write() as tx:
            events = await event.claim(tx, now=self.clock.now())
        assert {each.topic for each in events} <= {service.RECORDS_CHANGED}
        return [UUID(each) for found in events for each in found.payload["subject_ids"]]


@pytest.fixture
def desk(database: Database, vault: Vault, clock: FixedClock) -> Desk:
    """A library's desk on a database of this test's own."""
    return Desk(database, vault, clock)


async def test_good_lines_go_in_and_bad_ones_are_kept_aside_with_line_column_and_reason(desk: Desk):
    done = await desk.send(
        file_of(
            line(1),
            f"{READER[:-1]}Z,lib-2,1,2026-05-01,,1",
            line(3),
            b"\xff\xfe broken",
            f"{READER},lib-5,1,2999-01-01,,-4",
        )
    )
    assert (done.accepted, done.rejected, done.lines_done) == (2, 3, 5)
    assert done.completed_at is not None
    assert [each.external_id for each in await desk.records()] == ["lib-1", "lib-3"]
    assert await desk.faults(done) == [
        (3, "national_id", "national_id_form"),
        (5, "", "encoding_broken"),
        (6, "quantity", "quantity_negative"),
    ]


async def test_a_line_kept_aside_is_sealed_and_opens_as_it_was(desk: Desk, vault: Vault):
    bad = f"{READER},=cmd,1,2026-05-01,,-1"
    done = await desk.send(file_of(bad))
    async with desk.database.read() as tx:
        first, second = await service.list_faults(tx, submission_id=done.submission_id)
    assert first.row_sealed is not None
    assert second.row_sealed is None, "the line is kept once"
    assert READER.encode() not in first.row_sealed
    assert service.open_line(vault, first, submission_id=done.submission_id) == bad.encode()
    with pytest.raises(SealBroken):
        service.open_line(vault, first, submission_id=UUID(int=0))


async def test_of_a_minors_line_only_its_number_is_kept(desk: Desk, vault: Vault):
    """What may not be collected isn't collected in quarantine either."""
    done = await desk.send(file_of(f"{national_id(1, date(2012, 3, 7))},lib-1,1,2026-05-01,,1"))
    assert await desk.faults(done) == [(2, "national_id", "person_under_age")]
    async with desk.database.read() as tx:
        (fault,) = await service.list_faults(tx, submission_id=done.submission_id)
    assert service.open_line(vault, fault, submission_id=done.submission_id) == b""


async def test_the_same_batch_with_the_same_content_has_the_same_answer(desk: Desk):
    first = await desk.send(file_of(line(1), "x"))
    desk.clock.advance(timedelta(days=3))
    again = await desk.send(file_of(line(1), "x"))
    assert again == first
    assert len(await desk.records()) == 1
    assert len(await desk.announced()) == 1


async def test_the_same_batch_with_other_content_is_refused_and_changes_nothing(desk: Desk):
    await desk.send(file_of(line(1)))
    with pytest.raises(Refusal, match="submission_conflict"):
        await desk.send(file_of(line(1), line(2)))
    with pytest.raises(Refusal, match="submission_conflict"):
        await desk.send(file_of(line(1)), class_code="library_overdue")
    assert [each.external_id for each in await desk.records()] == ["lib-1"]


async def test_two_sources_may_use_the_same_batch_id(desk: Desk):
    await desk.send(file_of(line(1)))
    done = await desk.send(file_of(line(1)), source="power_company", class_code="utility_paid")
    assert done.accepted == 1
    assert len(await desk.records()) == 2


async def test_without_a_batch_id_the_content_names_the_batch(desk: Desk):
    first = await desk.send(file_of(line(1)), batch_id=None)
    assert first == await desk.send(file_of(line(1)), batch_id=None)
    assert first.batch_id != (await desk.send(file_of(line(2)), batch_id=None)).batch_id


@pytest.mark.parametrize(
    ("source", "class_code", "code"),
    [
        ("bakery", "library_return", "submission_source_unknown"),
        ("city_library", "bread", "submission_class_unknown"),
        ("city_library", "penalty_minor", "submission_source_not_allowed"),
    ],
)
async def test_a_class_is_taken_only_from_who_may_report_it(desk: Desk, source, class_code, code):
    with pytest.raises(Refusal, match=code):
        await desk.send(file_of(line(1)), source=source, class_code=class_code)


async def test_what_needs_a_written_consent_is_not_taken_by_file(desk: Desk):
    """征信业管理条例 14: a file of a department brings no consent of anybody's along."""
    document, sources = service.packaged_texts()
    guarded = document.replace('edition = "', 'edition = "x-').replace(
        '"plain"', '"written_consent"'
    )
    async with desk.database.write() as tx:
        await service.publish_catalogue(
            tx, document=guarded, sources=sources, published_by="t", now=desk.clock.now()
        )
    with pytest.raises(Refusal, match="submission_consent_missing"):
        await desk.send(file_of(line(1)))
    assert await desk.records() == []


async def test_a_file_without_the_right_header_begins_no_submission(desk: Desk):
    with pytest.raises(Refusal, match="submission_header_invalid"):
        await desk.send(BytesIO(line(1).encode()))
    done = await desk.send(file_of(line(1)))
    assert done.accepted == 1, "the batch id is still free"


async def test_a_file_with_a_header_only_is_all_in_at_once(desk: Desk):
    done = await desk.send(file_of())
    assert (done.accepted, done.rejected) == (0, 0)
    assert done.completed_at is not None


async def test_blank_lines_count_for_nothing_but_keep_their_numbers(desk: Desk):
    done = await desk.send(file_of("", line(1), "", "x"))
    assert (done.accepted, done.rejected) == (1, 1)
    assert await desk.faults(done) == [(5, "", "columns_too_few")]


async def test_a_correction_is_a_higher_version_and_is_current_in_any_order(desk: Desk):
    await desk.send(file_of(line(1, version=3, quantity=9)), batch_id="b-3")
    desk.clock.advance(timedelta(days=1))
    await desk.send(file_of(line(1, version=1, quantity=2)), batch_id="b-1")
    (record,) = await desk.records()
    assert (record.version, record.quantity) == (3, 9)
    async with desk.database.read() as tx:
        page = await service.list_records(
            tx, subject_id=record.subject_id, cursor=None, page_size=10
        )
    assert page.items == [record]


async def test_a_version_is_never_overwritten(desk: Desk):
    await desk.send(file_of(line(1, quantity=2)), batch_id="b-1")
    done = await desk.send(file_of(line(1, quantity=3), line(2)), batch_id="b-2")
    assert (done.accepted, done.rejected) == (1, 1)
    assert await desk.faults(done) == [(2, "version", "version_conflict")]
    assert [each.quantity for each in await desk.records()] == [2, 1]


async def test_the_same_record_in_another_batch_is_on_record_once(desk: Desk):
    await desk.send(file_of(line(1)), batch_id="b-1")
    done = await desk.send(file_of(line(1), line(1)), batch_id="b-2")
    assert (done.accepted, done.rejected) == (2, 0)
    assert len(await desk.records()) == 1
    assert len(await desk.announced()) == 1, "nothing changed the second time"


async def test_two_contents_of_one_version_in_one_file_conflict(desk: Desk):
    done = await desk.send(file_of(line(1, quantity=2), line(1, quantity=3)))
    assert (done.accepted, done.rejected) == (1, 1)
    assert await desk.faults(done) == [(3, "version", "version_conflict")]
    assert [each.quantity for each in await desk.records()] == [2]


async def test_an_adverse_record_is_stored_with_its_end(desk: Desk):
    await desk.send(file_of(line(1, day="2026-10-05")), class_code="library_overdue")
    (record,) = await desk.records()
    assert record.ends_on == date(2027, 1, 5)


async def test_only_subjects_whose_records_changed_are_announced_in_small_events(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("backend.record.service.submission.SUBJECTS_PER_EVENT", 2)
    await desk.send(file_of(*(line(person, person=person) for person in range(1, 6)), "x"))
    async with desk.database.write() as tx:
        events = await event.claim(tx, now=desk.clock.now())
    sizes = [len(each.payload["subject_ids"]) for each in events]
    named = {UUID(each) for found in events for each in found.payload["subject_ids"]}
    assert sorted(sizes) == [1, 2, 2]
    assert named == {desk.vault.subject_id(national_id(person)) for person in range(1, 6)}
    assert all(each.subject_id is None for each in events)


async def test_a_file_with_a_line_too_many_is_refused_before_anything_of_it_is_taken_in(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("backend.record.rules.upload.UPLOAD_LINES_MAX", 3)
    with pytest.raises(Refusal, match="submission_too_long"):
        await desk.send(file_of(*(line(number) for number in range(4))))
    assert await desk.records() == []
    sent = await desk.send(file_of(*(line(number) for number in range(3))))
    assert (sent.accepted, sent.completed_at is None) == (3, False)


async def test_two_files_with_the_same_records_in_another_order_do_not_stop_each_other(desk: Desk):
    lines = [line(number, person=number % 50 + 1) for number in range(3_000)]
    first, second = await asyncio.gather(
        desk.send(file_of(*lines), batch_id="b-1"),
        desk.send(file_of(*reversed(lines)), batch_id="b-2"),
    )
    assert first.accepted == second.accepted == 3_000
    assert sum([len(await desk.records(person)) for person in range(1, 51)]) == 3_000


class Crash(Exception):
    """The process ends here."""


class TestChunks:
    @pytest.fixture(autouse=True)
    def small_chunks(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Three lines a chunk, blocks of a few bytes."""
        monkeypatch.setattr(jobs, "CHUNK_LINES", 3)
        monkeypatch.setattr(jobs, "BLOCK_BYTES", 11)

    async def test_a_crash_between_chunks_is_finished_by_sending_again(self, desk: Desk):
        lines = [line(number) for number in range(10)] + ["bad", line(11)]
        seen: list[int] = []

        def crash_after_two(done: int) -> None:
            seen.append(done)
            if len(seen) == 2:
                raise Crash

        with pytest.raises(Crash):
            await desk.send(file_of(*lines), on_progress=crash_after_two)
        assert len(await desk.records()) == 6
        done = await desk.send(file_of(*lines))
        assert (done.accepted, done.rejected, done.lines_done) == (11, 1, 12)
        assert await desk.faults(done) == [(12, "", "columns_too_few")]
        assert len(await desk.records()) == 11
        assert done.bytes_done == len(file_of(*lines).getvalue())

    async def test_a_crash_within_a_chunk_leaves_nothing_of_it(
        self, desk: Desk, monkeypatch: pytest.MonkeyPatch
    ):
        lines = [line(number) for number in range(5)] + ["bad"]
        emit, calls = event.emit_all, 0

        async def crash_at_the_second(tx: Tx, **facts: Any) -> None:
            nonlocal calls
            calls += 1
            if calls == 2:
                raise Crash
            await emit(tx, **facts)

        with monkeypatch.context() as broken:
            broken.setattr(event, "emit_all", crash_at_the_second)
            with pytest.raises(Crash):
                await desk.send(file_of(*lines))
        assert len(await desk.records()) == 3
        done = await desk.send(file_of(*lines))
        assert (done.accepted, done.rejected) == (5, 1)
        assert len(await desk.records()) == 5

    async def test_a_rest_sent_later_is_judged_by_the_day_the_file_came_in(self, desk: Desk):
        lines = [line(number) for number in range(3)] + [line(4, day="2026-11-21")]

        def crash(done: int) -> None:
            raise Crash

        with pytest.raises(Crash):
            await desk.send(file_of(*lines), on_progress=crash)
        desk.clock.advance(timedelta(days=30))
        done = await desk.send(file_of(*lines))
        assert await desk.faults(done) == [(5, "occurred_on", "date_future")]

    async def test_two_senders_of_one_file_at_once_count_each_line_once(self, desk: Desk):
        lines = [line(number, person=number % 4 + 1) for number in range(40)] + ["bad"] * 5
        first, second, third = await asyncio.gather(*(desk.send(file_of(*lines)) for _ in range(3)))
        assert first.completed_at is not None
        assert (first.accepted, first.rejected, first.lines_done) == (40, 5, 45)
        assert first == second == third
        assert sum([len(await desk.records(person)) for person in range(1, 5)]) == 40
        assert len(await desk.faults(first)) == 5

    async def test_a_chunk_that_begins_elsewhere_changes_nothing(self, desk: Desk):
        done = await desk.send(file_of(line(1)))
        content = file_of(line(1), line(2))
        async with desk.database.write() as tx:
            opened = await service.open_submission(
                tx,
                source_code="city_library",
                class_code="library_return",
                batch_id="b-2",
                content_digest=hashlib.sha256(content.getvalue()).digest(),
                now=desk.clock.now(),
            )
        kind = service.packaged_catalogue().classes["library_return"]
        empty = rules.Chunk(99, 120, 1, Rows(), [], is_last=True, read_as=kind)
        stray = service.Packer(done, desk.vault).pack(empty)
        async with desk.database.write() as tx:
            same = await service.take_chunk(
                tx,
                submission_id=opened.submission_id,
                packed=stray,
                vault=desk.vault,
                now=desk.clock.now(),
            )
        assert same == opened
        async with desk.database.write() as tx:
            finished = await service.take_chunk(
                tx,
                submission_id=done.submission_id,
                packed=stray,
                vault=desk.vault,
                now=desk.clock.now(),
            )
        assert finished == done
