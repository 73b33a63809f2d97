"""Goal: what has ended is deleted, whole and only then; a proof stays, and no score changes by it.

Method: the whole application on a real PostgreSQL, records as departments hand them in, a clock
that is moved over the last day; the proof is asked with the very lines that were handed in.
"""

from collections.abc import AsyncIterator
from datetime import date, timedelta
from io import BytesIO
from uuid import UUID

import asyncpg
import msgspec
import pytest

from backend.app import House
from backend.kit.clock import city_date
from backend.kit.crypto import Vault
from backend.kit.ids import new_id
from backend.kit.postgres import Tx
from backend.record import service
from backend.record.jobs import purge_records, send_submission
from backend.record.rules.layout import PLAIN
from backend.record.rules.purge import QUARANTINE_DAYS, PurgedContent
from backend.record.service import purge as purge_service
from backend.record.store import purge as purge_store
from backend.score import service as score
from backend.score.jobs import recompute_due
from backend.worker import purge_ended_records
from tests.conftest import DIGEST_KEY, KEK, NOW
from tests.support.citizen import national_id
from tests.support.world import App, World

LATE = ("city_library", "library_overdue")
HEADER = "national_id,external_id,version,action,occurred_on,quantity\n"
DAY = timedelta(days=1)
VAULT = Vault(kek=KEK, digest_key=DIGEST_KEY)


@pytest.fixture
async def world(house: House) -> AsyncIterator[World]:
    """A city with its programmes; what is 3 months old tomorrow ends tomorrow."""
    world = World(house)
    await world.found()
    yield world
    await world.close()


async def hand_in(world: World, *lines: str, class_code: str = LATE[1]) -> None:
    """Hand lines in as a department does."""
    text = HEADER + "".join(line + "\n" for line in lines)
    taken = await send_submission(
        world.database,
        BytesIO(text.encode()),
        source_code="city_library",
        class_code=class_code,
        batch_id=None,
        vault=world.vault,
        clock=world.clock,
    )
    assert taken.rejected == 0, "good lines"


async def purge(world: World) -> service.PurgeCount:
    """Purge as the worker does."""
    return await purge_records(world.database, vault=world.vault, clock=world.clock)


async def proof_of(world: World, *lines: str) -> list[service.LineProof]:
    """Ask what became of lines."""
    async with world.database.read() as tx:
        return await service.prove_lines(
            tx,
            content=(HEADER + "".join(line + "\n" for line in lines)).encode(),
            source_code="city_library",
            class_code=LATE[1],
            layout=PLAIN,
            vault=world.vault,
            now=world.clock.now(),
        )


async def left(world: World) -> set[tuple[str, int]]:
    """Return the numbers and versions that are on file."""

    class Found(msgspec.Struct, frozen=True):
        external_id: str
        version: int

    async with world.database.read() as tx:
        found = await tx.fetch_all(Found, "SELECT external_id, version FROM record")
    return {(each.external_id, each.version) for each in found}


ENDS = f"{national_id(1)},ends,1,report,2026-08-21,1"  # three months: until 2026-11-20
STAYS = f"{national_id(1)},stays,1,report,2026-08-22,1"


async def test_an_item_goes_on_the_day_it_ends_and_not_before(world: World):
    await hand_in(world, ENDS, STAYS)
    assert await purge(world) == service.PurgeCount(0, 0)
    world.clock.advance(DAY)
    async with world.database.read() as tx:
        assert await service.count_purge(tx, now=world.clock.now()) == service.PurgeCount(1, 0)
    assert await left(world) == {("ends", 1), ("stays", 1)}, "a dry run deletes nothing"
    assert await purge(world) == service.PurgeCount(1, 0)
    assert await left(world) == {("stays", 1)}
    assert await purge(world) == service.PurgeCount(0, 0), "once"


async def test_the_worker_purges_by_itself(world: World):
    await hand_in(world, ENDS, STAYS)
    world.clock.advance(DAY)
    await purge_ended_records({"house": world.house})
    assert await left(world) == {("stays", 1)}
    await purge_ended_records({"house": world.house})
    assert await world.count("record_purge") == 1, "run twice, it deletes nothing more"


async def test_all_versions_of_an_ended_number_go_and_none_of_one_that_goes_on(world: World):
    moved = f"{national_id(2)},ends,2,report,2026-08-21,1"
    longer = f"{national_id(1)},longer,2,report,2026-09-21,1"
    earlier = f"{national_id(1)},longer,1,report,2026-08-21,1"
    await hand_in(world, ENDS, moved, earlier, longer)
    world.clock.advance(DAY)
    assert await purge(world) == service.PurgeCount(2, 0)
    assert await left(world) == {("longer", 1), ("longer", 2)}
    proofs = await proof_of(world, ENDS, moved, earlier, longer)
    assert [each.proof is not None for each in proofs] == [True, True, False, False]


async def test_a_withdrawn_number_is_remembered_until_what_it_withdrew_has_ended(world: World):
    withdrawal = f"{national_id(1)},ends,2,withdraw,2026-08-21,1"
    await hand_in(world, ENDS, withdrawal)
    assert await purge(world) == service.PurgeCount(0, 0)
    world.clock.advance(DAY)
    assert await purge(world) == service.PurgeCount(2, 0)
    assert all(each.proof for each in await proof_of(world, ENDS, withdrawal))


async def test_what_was_purged_does_not_come_back_by_the_same_line(world: World):
    await hand_in(world, ENDS)
    world.clock.advance(DAY)
    await purge(world)
    text = HEADER + ENDS + "\n"
    taken = await send_submission(
        world.database,
        BytesIO(text.encode()),
        source_code="city_library",
        class_code=LATE[1],
        batch_id="once-more",
        vault=world.vault,
        clock=world.clock,
    )
    assert (taken.accepted, taken.rejected) == (0, 1)
    async with world.database.read() as tx:
        (fault,) = await service.list_faults(tx, submission_id=taken.submission_id)
    assert fault.code == "record_ended"


async def sent_again(world: World, batch_id: str, *lines: str) -> list[str]:
    """Hand lines in as another batch, and return what is wrong with them."""
    text = HEADER + "".join(line + "\n" for line in lines)
    taken = await send_submission(
        world.database,
        BytesIO(text.encode()),
        source_code="city_library",
        class_code=LATE[1],
        batch_id=batch_id,
        vault=world.vault,
        clock=world.clock,
    )
    async with world.database.read() as tx:
        faults = await service.list_faults(tx, submission_id=taken.submission_id)
    return [each.code for each in faults]


# Corrected to have been decided a month earlier: version 1 alone would count until 2026-12-20.
LATER = f"{national_id(1)},moved,1,report,2026-09-20,1"
MOVED = f"{national_id(1)},moved,2,report,2026-08-21,1"


async def test_what_was_corrected_to_have_ended_does_not_come_back_by_its_older_version(
    world: World,
):
    await hand_in(world, LATER, MOVED, ENDS)
    world.clock.advance(DAY)
    assert await purge(world) == service.PurgeCount(3, 0)
    assert await world.count("ended_number") == 1, "only of what would count by itself"
    assert await sent_again(world, "alone", LATER) == ["record_ended"]
    assert await sent_again(world, "together", MOVED, STAYS, LATER) == ["record_ended"] * 2
    assert await left(world) == {("stays", 1)}


async def test_an_ended_version_does_not_come_in_to_correct_one_that_is_refused(world: World):
    await hand_in(world, LATER, MOVED)
    world.clock.advance(DAY)
    await purge(world)
    third = MOVED.replace(",2,report", ",3,report")
    assert await sent_again(world, "both", LATER, third) == ["record_ended"] * 2
    assert await left(world) == set()


async def test_a_withdrawn_number_does_not_come_back_by_what_it_withdrew(world: World):
    await hand_in(world, LATER, MOVED.replace("report", "withdraw"))
    world.clock.advance(DAY)
    assert await purge(world) == service.PurgeCount(2, 0)
    assert await sent_again(world, "again", LATER) == ["record_ended"]


async def test_a_purged_number_begins_anew_with_a_higher_version(world: World):
    await hand_in(world, LATER, MOVED)
    world.clock.advance(DAY)
    await purge(world)
    third = LATER.replace(",1,report", ",3,report")
    assert await sent_again(world, "third", third) == []
    assert await sent_again(world, "first", LATER) == ["record_ended"]
    assert await left(world) == {("moved", 3)}
    # It is corrected and ends once more: the mark goes up with it.
    assert await sent_again(world, "fourth", MOVED.replace(",2,report", ",4,report")) == []
    assert await purge(world) == service.PurgeCount(2, 0)
    assert await sent_again(world, "once-more", third) == ["record_ended"]
    assert await world.count("ended_number") == 1


async def test_a_mark_is_kept_no_longer_than_what_it_holds_off_would_count(world: World):
    await hand_in(world, LATER, MOVED)
    world.clock.advance(DAY)
    await purge(world)
    world.clock.advance(28 * DAY)
    await purge(world)
    assert await world.count("ended_number") == 1, "on 2026-12-19 it would still count"
    world.clock.advance(DAY)
    await purge(world)
    assert await world.count("ended_number") == 0
    assert await sent_again(world, "too-late", LATER) == ["record_ended"], "by its own day"


async def test_the_proof_outlives_the_class_in_the_catalogue(world: World):
    """Once all of a class is purged, an edition may do without it."""
    await hand_in(world, ENDS)
    world.clock.advance(DAY)
    await purge(world)
    document, sources = service.packaged_texts()
    document = document.replace(f'"{service.packaged_catalogue().edition}"', '"2027-1"')
    async with world.database.write() as tx:
        await service.publish_catalogue(
            tx,
            document=document.replace(f'code = "{LATE[1]}"', 'code = "late_book"'),
            sources=sources,
            published_by="王工",
            now=world.clock.now(),
        )
    (line,) = await proof_of(world, ENDS)
    assert line.proof is not None
    assert line.proof.is_whole


async def test_the_proof_finds_the_very_line_and_no_other(world: World):
    await hand_in(world, ENDS, STAYS)
    world.clock.advance(DAY)
    await purge(world)
    (found,) = await proof_of(world, ENDS)
    assert found.proof is not None
    assert found.proof.is_whole
    assert found.proof.purge.record_count == 1
    assert found.proof.purge.ended_before.isoformat() == "2026-11-21"
    others = [
        STAYS,
        ENDS.replace("ends", "end"),
        ENDS.replace(",1,report", ",2,report"),
        ENDS.replace("08-21", "08-20"),
        ENDS.replace(national_id(1), national_id(2)),
        ENDS.removesuffix("1") + "2",
    ]
    for line in await proof_of(world, *others):
        assert (line.faults, line.proof) == ([], None)
    (broken,) = await proof_of(world, "nobody,ends,1,report,2026-08-21,1")
    assert broken.proof is None
    assert [each.code for each in broken.faults] == ["national_id_form"]


async def test_a_proof_that_was_tampered_with_says_so(world: World, database_url: str):
    await hand_in(world, ENDS, ENDS.replace("ends", "ends-too"))
    world.clock.advance(DAY)
    await purge(world)
    connection = await asyncpg.connect(database_url)
    # The application has no grant for this: it takes the owner of the table.
    await connection.execute(
        "DELETE FROM purged_record WHERE record_digest <> $1",
        purge_service.record_digest(world.vault, _content_of(world)),
    )
    await connection.close()
    (found,) = await proof_of(world, ENDS)
    assert found.proof is not None
    assert not found.proof.is_whole


def _content_of(world: World) -> PurgedContent:
    return PurgedContent(
        subject_id=world.vault.subject_id(national_id(1)),
        class_code=LATE[1],
        source_code="city_library",
        external_id="ends",
        version=1,
        action="report",
        quantity=1,
        occurred_on=date(2026, 8, 21),
        ended_on=None,
    )


async def test_the_steps_taken_with_a_record_go_with_it(world: World):
    await hand_in(world, ENDS, STAYS)
    subject_id = world.vault.subject_id(national_id(1))
    async with world.database.write() as tx:
        for each in await service.list_versions(tx, subject_id=subject_id):
            await service.dispute(
                tx,
                subject_id=subject_id,
                record_id=each.record_id,
                actor="Wang",
                reason="objection",
                now=world.clock.now(),
            )
    world.clock.advance(DAY)
    await purge(world)
    assert await world.count("record_step") == 1


async def test_lines_kept_aside_go_after_their_time_and_their_counts_stay(world: World):
    text = HEADER + f"{national_id(1)},bad,1,report,2999-01-01,-1\n"
    taken = await send_submission(
        world.database,
        BytesIO(text.encode()),
        source_code="city_library",
        class_code=LATE[1],
        batch_id=None,
        vault=world.vault,
        clock=world.clock,
    )
    faults = await world.count("submission_error")
    assert faults > 0
    world.clock.advance(timedelta(days=QUARANTINE_DAYS))
    assert (await purge(world)).faults == 0
    world.clock.advance(timedelta(seconds=1))
    assert (await purge(world)).faults == faults
    assert await world.count("submission_error") == 0
    async with world.database.read() as tx:
        kept = await service.get_submission(
            tx, source_code="city_library", submission_id=taken.submission_id
        )
    assert kept.rejected == 1


async def test_looking_for_old_lines_reads_none_that_stay(tx: Tx):
    """A department's file of a million bad lines must not make every purge read them all."""
    ids = [new_id(NOW - timedelta(days=day)) for day in range(184)]
    await tx.execute(
        """INSERT INTO submission (submission_id, source_code, class_code, batch_id,
               content_digest, accepted, rejected, bytes_done, lines_done, received_at)
           SELECT id, 'city_library', 'library_return', 'b-' || ordinality, sha256('x'), 0, 100,
               1, 100, $2::timestamptz - (ordinality - 1) * interval '1 day'
           FROM unnest($1::uuid[]) WITH ORDINALITY AS given (id, ordinality)""",
        ids,
        NOW,
    )
    await tx.execute(
        """INSERT INTO submission_error (submission_id, line_number, fault_number, column_name,
               code, message, row_sealed)
           SELECT id, line, 0, '', 'json_broken', 'x', 'x'
           FROM unnest($1::uuid[]) AS id, generate_series(1, 100) AS line""",
        ids,
    )
    # Only who owns a table may count it for the planner.
    await tx.execute("""SET LOCAL ROLE NONE""")
    await tx.execute("""ANALYZE submission, submission_error""")
    await tx.execute("""SET LOCAL ROLE creditplus_app""")
    before = await _read_row_by_row(tx)
    assert await service.purge_faults(tx, now=NOW) == 300
    assert await service.purge_faults(tx, now=NOW) == 0
    assert await _read_row_by_row(tx) == before


async def test_looking_for_what_has_ended_reads_nothing_that_was_corrected(tx: Tx):
    """A source that corrects all of its records must not make every purge read the old ones."""
    await tx.execute(
        """INSERT INTO record (subject_id, record_id, class_code, source_code, external_id, version,
               quantity, occurred_on, ends_on, reported_at, superseded_at, fingerprint,
               submission_id)
           SELECT gen_random_uuid(), gen_random_uuid(), 'library_overdue', 'city_library', n::text,
               version, 1, $1::date - 100, $1::date + 10 * version - 15, $2::timestamptz,
               CASE version WHEN 1 THEN $2::timestamptz END, 0, gen_random_uuid()
           FROM generate_series(1, 3000) AS n, generate_series(1, 2) AS version""",
        city_date(NOW),
        NOW,
    )
    await tx.execute("""SET LOCAL ROLE NONE""")
    await tx.execute("""ANALYZE record""")
    await tx.execute("""SET LOCAL ROLE creditplus_app""")
    before = await _rows_read(tx)
    assert await service.purge_ended(tx, vault=VAULT, now=NOW) == 0
    assert (await service.count_purge(tx, now=NOW)).versions == 0
    found = await purge_store.delete_ended(
        tx, "city_library", today=city_date(NOW), items_max=purge_service.ITEMS_A_BATCH
    )
    assert found == []
    assert await _rows_read(tx) - before < 100


async def _rows_read(tx: Tx) -> int:
    """Return how many records this transaction has read, by an index or without."""
    return await tx.fetch_value(
        int,
        """SELECT (seq_tup_read + idx_tup_fetch)::bigint FROM pg_stat_xact_user_tables
           WHERE relname = 'record'""",
    )


async def _read_row_by_row(tx: Tx) -> int:
    """Return how many rows this transaction has read without an index."""
    return await tx.fetch_value(
        int,
        """SELECT sum(seq_tup_read)::bigint FROM pg_stat_xact_user_tables
           WHERE relname IN ('submission', 'submission_error')""",
    )


async def test_a_purge_takes_a_batch_at_a_time_and_each_has_its_proof(
    world: World, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(purge_service, "ITEMS_A_BATCH", 2)
    lines = [ENDS.replace("ends", f"ends-{n}") for n in range(5)]
    await hand_in(world, *lines)
    world.clock.advance(DAY)
    assert await purge(world) == service.PurgeCount(5, 0)
    assert await world.count("record_purge") == 3
    assert all(each.proof and each.proof.is_whole for each in await proof_of(world, *lines))


async def score_of(world: World, subject_id: UUID) -> score.Score:
    """Return somebody's score."""
    async with world.database.read() as tx:
        return await score.get(tx, subject_id=subject_id)


async def overdue_of(world: World, subject_id: UUID) -> int:
    """Return how many overdue items a score has seen."""
    async with world.database.read() as tx:
        facts = await score.find_facts(tx, subject_id=subject_id)
    assert facts is not None
    return facts["indicator.library_overdue"]


@pytest.mark.parametrize("is_purged_first", [True, False])
async def test_purge_and_the_scores_new_day_come_to_the_same_in_either_order(
    world: World, is_purged_first: bool
):
    await world.make_reader()
    await hand_in(world, ENDS, STAYS)
    app: App = await world.app_of(joins=True)
    subject_id = await app.subject_id
    await world.work()
    before = await score_of(world, subject_id)
    assert await overdue_of(world, subject_id) == 2
    assert before.due_on.isoformat() == "2026-11-21", "the score knows the day"
    world.clock.advance(DAY)
    if is_purged_first:
        await purge(world)
        assert await score_of(world, subject_id) == before, "a purge changes no score"
        assert await world.work() == 0, "and tells nobody"
    await recompute_due(world.database, clock=world.clock)
    after = await score_of(world, subject_id)
    assert await overdue_of(world, subject_id) == 1
    assert after.revision == before.revision + 1
    if not is_purged_first:
        await purge(world)
    await recompute_due(world.database, clock=world.clock)
    assert await score_of(world, subject_id) == after
    async with world.database.write() as tx:
        assert await score.recompute(tx, subject_ids=[subject_id], now=world.clock.now()) == 0
    assert await left(world) >= {("stays", 1)}
    assert ("ends", 1) not in await left(world)
