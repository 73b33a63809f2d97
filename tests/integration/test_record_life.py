"""Goal: what is decided about a record reaches everything that depends on it, and leaves a trace.

Method: the whole application on a real PostgreSQL; records come in as departments hand them in,
steps are the real verbs, and the outbox is carried out by the worker's own hands.
"""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from backend.app import House, event_handlers
from backend.event import service as event
from backend.event.rules import HAND_OVER_AGAIN_AFTER
from backend.kit.clock import FixedClock
from backend.kit.crypto import Vault
from backend.kit.postgres import Tx
from backend.kit.problem import Refusal
from backend.record import service
from backend.record.rules.life import RecordVersion
from backend.score.jobs import recompute_changed
from tests.support.citizen import national_id
from tests.support.world import App, World

LATE = ("city_library", "library_overdue")
WHO = {"actor": "王敏", "reason": "异议 2026-113"}


@pytest.fixture
async def world(house: House) -> AsyncIterator[World]:
    """A city with its programmes."""
    world = World(house)
    await world.found()
    yield world
    await world.close()


async def take(world: World, verb: Any, subject_id: UUID, record_id: UUID) -> RecordVersion:
    """Take a step in a transaction of its own."""
    async with world.database.write() as tx:
        after: RecordVersion = await verb(
            tx, subject_id=subject_id, record_id=record_id, now=world.clock.now(), **WHO
        )
    return after


async def versions_of(world: World, subject_id: UUID) -> list[RecordVersion]:
    """Return everything on file about somebody."""
    async with world.database.read() as tx:
        return await service.list_versions(tx, subject_id=subject_id)


async def late_reader(world: World) -> tuple[App, UUID, UUID]:
    """Return a reader with one overdue item too many, and that item."""
    await world.make_reader()
    await world.report(1, *LATE, [f"o-{n},1,2026-11-0{n},,1" for n in (1, 2, 3)])
    app = await world.app_of(joins=True)
    await world.work()
    subject_id = await app.subject_id
    versions = await versions_of(world, subject_id)
    return app, subject_id, next(e.record_id for e in versions if e.external_id == "o-1")


async def offer_of(app: App) -> str:
    """Return how borrowing without a deposit stands to somebody."""
    answer = await app.call("GET", "/v1/me/programmes/library")
    assert answer.status_code == 200, answer.text
    offer: str = answer.json()["offer"]
    return offer


async def test_a_disputed_item_stops_mattering_at_once_and_a_confirmed_one_matters_again(
    world: World,
):
    app, subject_id, record_id = await late_reader(world)
    assert await offer_of(app) == "not_yet", "three overdue items are one too many"
    await take(world, service.dispute, subject_id, record_id)
    await world.work()
    assert await offer_of(app) == "available"
    await take(world, service.confirm, subject_id, record_id)
    await world.work()
    assert await offer_of(app) == "not_yet"
    await take(world, service.repair, subject_id, record_id)
    await world.work()
    assert await offer_of(app) == "available"


async def test_killed_between_the_step_and_the_score_nothing_is_lost(world: World):
    app, subject_id, record_id = await late_reader(world)
    await take(world, service.dispute, subject_id, record_id)
    # A worker takes the event, works the score out, and is killed before it commits.
    async with world.database.write() as tx:
        (claimed,) = await event.claim(tx, now=world.clock.now())
    with pytest.raises(ZeroDivisionError):
        async with world.database.write() as tx:
            await recompute_changed(tx, event=claimed, now=world.clock.now())
            raise ZeroDivisionError
    assert await offer_of(app) == "not_yet", "nothing of it happened"
    assert await world.work() == 0, "it is still thought to be in hand"
    world.clock.advance(HAND_OVER_AGAIN_AFTER + timedelta(seconds=1))
    assert await world.work() == 1
    assert await offer_of(app) == "available"


async def test_a_step_and_its_event_are_one(world: World):
    _, subject_id, record_id = await late_reader(world)
    with pytest.raises(ZeroDivisionError):
        async with world.database.write() as tx:
            await service.dispute(
                tx, subject_id=subject_id, record_id=record_id, now=world.clock.now(), **WHO
            )
            raise ZeroDivisionError
    assert all(each.disputed_at is None for each in await versions_of(world, subject_id))
    assert await world.work() == 0
    assert "records.changed" in event_handlers(world.house)


async def test_steps_the_table_does_not_hold_are_refused_and_change_nothing(world: World):
    _, subject_id, record_id = await late_reader(world)
    before = await world.affairs()

    async def refused(verb: Any, record: UUID = record_id, **changes: Any) -> Refusal:
        arguments = {"subject_id": subject_id, "now": world.clock.now(), **WHO, **changes}
        with pytest.raises(Refusal) as caught:
            async with world.database.write() as tx:
                await verb(tx, record_id=record, **arguments)
        return caught.value

    impossible = await refused(service.confirm)
    assert impossible.code == "record_step_impossible"
    assert impossible.facts == {"status": "standing", "step": "confirm"}
    assert (await refused(service.dispute, uuid4())).code == "not_found"
    someone = {"subject_id": world.vault.subject_id("another")}
    assert (await refused(service.dispute, **someone)).code == "not_found"
    assert (await refused(service.dispute, reason="")).code == "record_words_invalid"
    good = next(
        each.record_id
        for each in await versions_of(world, subject_id)
        if each.class_code == "library_return"
    )
    assert (await refused(service.repair, good)).code == "record_repair_not_adverse"
    assert await world.affairs() == before
    await take(world, service.repair, subject_id, record_id)
    for verb in (service.dispute, service.confirm, service.repair):
        assert (await refused(verb)).facts["status"] == "repaired"
    await world.report(1, *LATE, ["o-2,2,2026-11-03,,1"])
    old = next(e for e in await versions_of(world, subject_id) if e.superseded_at is not None)
    assert (await refused(service.dispute, old.record_id)).facts["status"] == "superseded"
    world.clock.advance(timedelta(days=100))
    other = next(e for e in await versions_of(world, subject_id) if e.external_id == "o-3")
    assert (await refused(service.dispute, other.record_id)).facts["status"] == "ended"


async def test_correcting_a_record_settles_no_dispute_about_it(world: World):
    app, subject_id, record_id = await late_reader(world)
    await take(world, service.dispute, subject_id, record_id)
    await world.report(1, *LATE, ["o-1,2,2026-11-02,,1"])
    await world.work()
    assert await offer_of(app) == "available"
    (current,) = [
        each
        for each in await versions_of(world, subject_id)
        if each.external_id == "o-1" and each.superseded_at is None
    ]
    assert current.version == 2
    assert current.disputed_at is not None
    await take(world, service.confirm, subject_id, current.record_id)
    await world.work()
    assert await offer_of(app) == "not_yet"


async def test_a_correction_at_the_same_moment_comes_after_the_dispute_and_inherits_it(
    world: World,
):
    _, subject_id, record_id = await late_reader(world)
    async with world.database.write() as tx:
        await service.dispute(
            tx, subject_id=subject_id, record_id=record_id, now=world.clock.now(), **WHO
        )
        coming = asyncio.create_task(world.report(1, *LATE, ["o-1,2,2026-11-02,,1"]))
        done, _ = await asyncio.wait([coming], timeout=0.3)
        assert not done, "the source's file waits for its turn"
    await coming
    (current,) = [
        each
        for each in await versions_of(world, subject_id)
        if each.external_id == "o-1" and each.superseded_at is None
    ]
    assert (current.version, current.disputed_at) == (2, world.clock.now())


async def test_every_step_stays_with_who_and_why_and_every_look_is_the_citizens_to_see(
    world: World,
):
    app, subject_id, record_id = await late_reader(world)
    await take(world, service.dispute, subject_id, record_id)
    world.clock.advance(timedelta(seconds=1))
    await take(world, service.confirm, subject_id, record_id)
    async with world.database.write() as tx:
        found = await service.look_at_records(
            tx, subject_id=subject_id, now=world.clock.now(), **WHO
        )
    assert [(each.step, each.actor, each.reason) for each in found.steps] == [
        ("dispute", *WHO.values()),
        ("confirm", *WHO.values()),
    ]
    answer = await app.call("GET", "/v1/me/accesses")
    (look,) = answer.json()["items"]
    assert look["actor"] == {
        "kind": "operator",
        "id": "王敏",
        "name_zh": "王敏",
        "name_en": "王敏",
    }
    assert look["action"] == "record:read"
    assert look["data_kinds"] == ["records"]
    assert look["purpose"]["text_zh"].endswith(WHO["reason"])
    assert look["purpose"]["text_en"].endswith(WHO["reason"])
    assert look["disclosed"] == f"versions:{len(found.versions)}"


async def test_the_citizen_sees_the_state_of_each_record_and_why_it_does_not_count(world: World):
    app, subject_id, record_id = await late_reader(world)
    await world.report(1, *LATE, ["o-2,2,2026-11-03,,1"])
    versions = {each.external_id: each for each in await versions_of(world, subject_id)}
    await take(world, service.dispute, subject_id, record_id)
    await take(world, service.repair, subject_id, versions["o-3"].record_id)

    async def shown() -> dict[str, Any]:
        answer = await app.call("GET", "/v1/me/records?page_size=100")
        items = answer.json()["items"]
        assert len(items) == len({each["external_id"] for each in items}), "one version each"
        return {each["external_id"]: each for each in items}

    found = await shown()
    states = {number: found[number]["status"] for number in ("o-1", "o-2", "o-3")}
    assert states == {"o-1": "disputed", "o-2": "standing", "o-3": "repaired"}
    assert found["o-2"]["version"] == 2, "what was superseded is not shown"
    for each in found.values():
        assert (each["why_not"] is None) == each["counts"]
        assert each["counts"] == (each["status"] == "standing")
    assert found["o-1"]["why_not"]["text_zh"]
    assert found["o-1"]["ends_on"] == "2027-02-01"
    world.clock.advance(timedelta(days=100))
    await app_signs_in_again(app)
    assert (await shown())["o-2"]["status"] == "ended"


async def app_signs_in_again(app: App) -> None:
    """Make a session anew after a long time; the old one is over."""
    world = app.world
    app.token = None
    await app.call("POST", "/v1/sign-in-codes", {"phone": "+8613800000001"})
    answer = await app.call(
        "POST", "/v1/sessions", {"phone": "+8613800000001", "code": world.inbox.code}
    )
    assert answer.status_code == 201, answer.text
    app.token = answer.json()["access_token"]


async def test_a_dispute_outlives_versions_that_come_late_while_the_record_is_somebody_elses(
    world: World,
):
    _, subject_id, record_id = await late_reader(world)
    await take(world, service.dispute, subject_id, record_id)
    await world.report(2, *LATE, ["o-1,5,2026-11-02,,1"])
    await world.report(1, *LATE, ["o-1,3,2026-11-03,,1"])
    await world.report(1, *LATE, ["o-1,6,2026-11-04,,1"])
    (current,) = [
        each
        for each in await versions_of(world, subject_id)
        if each.external_id == "o-1" and each.superseded_at is None
    ]
    assert current.version == 6
    assert current.disputed_at is not None, "nobody has looked at the dispute"


@pytest.mark.parametrize(
    "written",
    [
        national_id(1),
        "".join(chr(ord(each) + 0xFEE0) for each in national_id(1)),
        "".join(f"\\u00{ord(each):02x}" for each in national_id(1)),
    ],
    ids=["plain", "full width", "escaped in JSON"],
)
async def test_whoever_stands_in_a_line_finds_the_look_however_it_is_written(
    tx: Tx, vault: Vault, clock: FixedClock, written: str
) -> None:
    """A file of JSON lines may write any character as its number."""
    looked_at = await service.look_at_lines(
        tx,
        lines=[f'{{"national_id":"{written}","quantity":-1}}'.encode()],
        encoding="utf-8",
        looking=service.Looking.BAD_LINES,
        vault=vault,
        now=clock.now(),
        **WHO,
    )
    assert looked_at == 1
