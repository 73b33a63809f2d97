"""Goal: whoever waits for a seat gets the next one in their turn, nobody who comes later does, and
no seat is lost or sold twice, whatever happens at the same moment.

Method: the whole application on a real PostgreSQL; freed seats are carried out as the worker does,
several at once where it matters; afterwards seats, enrolments and the queue are compared.
"""

import asyncio
from collections.abc import AsyncIterator
from importlib.resources import files
from pathlib import Path
from uuid import UUID, uuid4

import msgspec
import pytest

from backend.app.handlers import event_handlers
from backend.event import service as event_service
from backend.event.jobs import Relay
from backend.kit.clock import FixedClock
from backend.kit.problem import Refusal
from backend.ledger.rules import Actor
from backend.programme import service
from backend.programme.rules.offer import Enrolment, Waiting
from backend.programme.service import seats as seats_service
from backend.programme.service import waiting as waiting_service
from tests.support.programme_world import GOOD, City, Person, add_strangers, open_city, set_facts

ENROLMENTS = "/v1/me/enrolments"
WAITING = {"programme": "library", "wait": True}
SHELL = Actor.at_shell("王敏")


@pytest.fixture
async def city(
    tmp_path: Path, database_url: str, valkey_url: str, clock: FixedClock
) -> AsyncIterator[City]:
    async with open_city(
        tmp_path, database_url=database_url, valkey_url=valkey_url, clock=clock
    ) as city:
        yield city
        await work(city)
        async with city.house.database.read() as tx:
            wrong = await tx.fetch_value(
                int,
                """SELECT count(*) FROM seat_budget WHERE seats_taken <> (
                     SELECT count(*) FROM enrolment
                     WHERE enrolment.programme_code = seat_budget.programme_code
                       AND ended_at IS NULL)""",
            )
        assert wrong == 0, "once the queue is through, taken seats are running enrolments"


async def work(city: City, *, at_once: int = 1) -> int:
    """Carry out freed seats, some at the same time; return how many events that were."""
    handlers = event_handlers(city.house)
    handlers = {service.FREED_TOPIC: handlers[service.FREED_TOPIC]}
    relay = Relay(database=city.house.database, clock=city.clock, handlers=handlers)
    count = 0
    while True:
        async with city.house.database.write() as tx:
            events = await event_service.claim(tx, now=city.clock.now())
            others = [each.event_id for each in events if each.topic not in handlers]
            await event_service.finish(tx, event_ids=others, now=city.clock.now())
        ids = [each.event_id for each in events if each.topic in handlers]
        if not events:
            return count
        for start in range(0, len(ids), at_once):
            turn = ids[start : start + at_once]
            await asyncio.gather(*(relay.handle(each, attempt=1) for each in turn))
        count += len(ids)


async def wait(city: City, subject_id: UUID, code: str = "library") -> Enrolment | Waiting | str:
    try:
        async with city.house.database.write() as tx:
            return await service.enrol_or_wait(
                tx, subject_id=subject_id, programme_code=code, now=city.clock.now()
            )
    except Refusal as refused:
        return refused.code


async def leave_all(city: City, enrolments: list[Enrolment]) -> None:
    async def leave(each: Enrolment) -> None:
        async with city.house.database.write() as tx:
            await service.leave_enrolment(
                tx,
                subject_id=each.subject_id,
                enrolment_id=each.enrolment_id,
                now=city.clock.now(),
            )

    await asyncio.gather(*(leave(each) for each in enrolments))


async def enrolled_in(city: City, code: str = "library") -> set[UUID]:
    class Row(msgspec.Struct, frozen=True):
        subject_id: UUID

    async with city.house.database.read() as tx:
        rows = await tx.fetch_all(
            Row,
            "SELECT subject_id FROM enrolment WHERE programme_code = $1 AND ended_at IS NULL",
            code,
        )
    return {row.subject_id for row in rows}


async def full(city: City, seats: int = 1) -> list[Enrolment]:
    """Fill a programme with strangers; return their enrolments."""
    await city.set_seats(seats)
    async with city.house.database.write() as tx:
        crowd = await add_strangers(tx, seats, now=city.clock.now())
    made = [await wait(city, each) for each in crowd]
    enrolled = [each for each in made if isinstance(each, Enrolment)]
    assert len(enrolled) == seats
    return enrolled


async def state_of(city: City, person: Person) -> tuple[str, bool]:
    offer = (await city.call(person, "GET", "/v1/me/programmes/library")).json()
    return offer["offer"], offer["waiting"] is not None


async def publish_next(city: City, code: str = "library", **changes: str) -> None:
    """Bring the next version of a packaged programme into force."""
    text = (files("backend.programme") / f"data/{code}.toml").read_text("utf-8")
    for old, new in {"version = 2": "version = 3", **changes}.items():
        assert old in text
        text = text.replace(old, new)
    async with city.house.database.write() as tx:
        programme = await service.load(tx, text=text)
        await service.publish(tx, programme=programme, now=city.clock.now())


async def test_who_asks_for_it_waits_keeps_the_place_and_may_give_it_up(city: City) -> None:
    await full(city)
    person, other = await city.person(), await city.person()
    refused = await city.call(person, "POST", ENROLMENTS, {"programme": "library"})
    assert (refused.status_code, refused.json()["code"]) == (409, "seats_sold_out")
    first = await city.call(person, "POST", ENROLMENTS, WAITING)
    assert first.status_code == 202, first.text
    again = await city.call(person, "POST", ENROLMENTS, WAITING)
    assert (again.status_code, again.json()) == (202, first.json())
    shown = (await city.call(person, "GET", "/v1/me/programmes/library")).json()
    assert shown["offer"] == "sold_out"
    assert shown["waiting"] == {
        "waiting_id": first.json()["waiting_id"],
        "since": first.json()["since"],
        "people_ahead": 0,
        "is_granted": False,
    }
    address = f"/v1/me/waiting-places/{first.json()['waiting_id']}"
    assert (await city.call(other, "DELETE", address)).status_code == 404
    assert (await city.call(person, "DELETE", address)).status_code == 204
    assert (await city.call(person, "DELETE", address)).status_code == 404
    unknown = f"/v1/me/waiting-places/{uuid4()}"
    assert (await city.call(person, "DELETE", unknown)).status_code == 404
    assert await state_of(city, person) == ("sold_out", False)


async def test_the_same_request_sent_twice_waits_once_and_answers_the_same(city: City) -> None:
    await full(city)
    person = await city.person()
    key = {"idempotency-key": "a-fresh-key-of-a-test"}
    first = await city.call(person, "POST", ENROLMENTS, WAITING, headers=key)
    second = await city.call(person, "POST", ENROLMENTS, WAITING, headers=key)
    assert (first.status_code, second.status_code) == (202, 202)
    assert first.json() == second.json()
    other = {"programme": "library", "wait": False}
    reused = await city.call(person, "POST", ENROLMENTS, other, headers=key)
    assert (reused.status_code, reused.json()["code"]) == (422, "idempotency_key_reused")


async def test_with_a_free_seat_nobody_waits_and_who_may_not_enrol_may_not_wait(
    city: City,
) -> None:
    made = await city.call(await city.person(), "POST", ENROLMENTS, WAITING)
    assert made.status_code == 201, made.text
    await city.set_seats(1)
    poor = await city.person(facts={**GOOD, "score": 1})
    for person, code in (
        (poor, "not_eligible_yet"),
        (await city.person(joins=False), "participation_required"),
    ):
        answer = await city.call(person, "POST", ENROLMENTS, WAITING)
        assert (answer.status_code, answer.json()["code"]) == (409, code)
    assert await city.count("waiting") == 0


async def test_a_freed_seat_is_the_first_ones_who_is_told_and_no_newcomers(city: City) -> None:
    (holder,) = await full(city)
    first, second = await city.person(), await city.person()
    for person in (first, second):
        assert (await city.call(person, "POST", ENROLMENTS, WAITING)).status_code == 202
    await leave_all(city, [holder])
    newcomer = await city.person()
    early = await city.call(newcomer, "POST", ENROLMENTS, {"programme": "library"})
    assert early.json()["code"] == "seats_sold_out", "it is kept for who waits"
    await work(city)
    assert await state_of(city, first) == ("enrolled", False)
    assert await state_of(city, second) == ("sold_out", True)
    topics = [
        each["topic"] for each in (await city.call(first, "GET", "/v1/me/notices")).json()["items"]
    ]
    assert topics == ["enrolment.from_waiting"]
    assert (await city.call(second, "GET", "/v1/me/notices")).json()["items"] == []


async def test_who_is_no_longer_eligible_is_passed_over_and_keeps_the_place(
    city: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting_service, "ASKED_AT_ONCE", 1)
    (holder,) = await full(city)
    people = [await city.person() for _ in range(3)]
    for person in people:
        assert (await city.call(person, "POST", ENROLMENTS, WAITING)).status_code == 202
    async with city.house.database.write() as tx:
        for person in people[:2]:
            await set_facts(tx, person.subject_id, {**GOOD, "score": 1})
    await leave_all(city, [holder])
    assert await work(city) == 3, "one looked at an event"
    assert [await state_of(city, person) for person in people] == [
        ("not_yet", True),
        ("not_yet", True),
        ("enrolled", False),
    ]
    await leave_all(city, [])
    offer = (await city.call(people[2], "GET", "/v1/me/programmes/library")).json()
    await city.call(people[2], "DELETE", f"{ENROLMENTS}/{offer['enrolment']['enrolment_id']}")
    await work(city)
    assert await city.seats() == (1, 0), "nobody in the queue can have it"
    async with city.house.database.write() as tx:
        await set_facts(tx, people[1].subject_id, GOOD)
    taken = await city.call(people[1], "POST", ENROLMENTS, {"programme": "library"})
    assert taken.status_code == 201, "whose conduct is better takes a free seat at once"
    assert await state_of(city, people[1]) == ("enrolled", False)


async def test_people_ahead_are_told_in_whole_twenties(city: City) -> None:
    await full(city)
    async with city.house.database.write() as tx:
        crowd = await add_strangers(tx, 45, now=city.clock.now())
    for each in crowd:
        assert isinstance(await wait(city, each), Waiting)
    person = await city.person()
    await city.call(person, "POST", ENROLMENTS, WAITING)
    shown = (await city.call(person, "GET", "/v1/me/programmes/library")).json()
    assert shown["waiting"]["people_ahead"] == 40


async def test_seats_freed_at_once_go_to_the_first_of_those_who_have_not_left(city: City) -> None:
    """Five seats are freed, and some who wait go away, all at the same moment."""
    for _ in range(4):
        holders = await full(city, 5)
        async with city.house.database.write() as tx:
            crowd = await add_strangers(tx, 12, now=city.clock.now())
        placed = [await wait(city, each) for each in crowd]
        going = [each for each in placed[::3] if isinstance(each, Waiting)]
        gone = set(crowd[::3])

        async def go(each: Waiting, subject_id: UUID) -> bool:
            try:
                async with city.house.database.write() as tx:
                    await service.leave_waiting(
                        tx, subject_id=subject_id, waiting_id=each.waiting_id
                    )
            except Refusal:
                return False
            return True

        _, _, *left = await asyncio.gather(
            leave_all(city, holders),
            work(city, at_once=5),
            *(go(each, who) for each, who in zip(going, crowd[::3], strict=True)),
        )
        await work(city, at_once=5)
        really_gone = {who for who, went in zip(crowd[::3], left, strict=True) if went}
        assert really_gone <= gone
        expected = [who for who in crowd if who not in really_gone][:5]
        # Who left after a seat was theirs has it; nobody else moved up past anybody.
        assert await enrolled_in(city) == set(expected)
        async with city.house.database.write() as tx:
            await tx.execute("DELETE FROM waiting")
            await tx.execute("DELETE FROM enrolment")
            await tx.execute("UPDATE seat_budget SET seats_taken = 0")


async def test_who_begins_to_wait_while_the_last_seat_is_freed_gets_it(city: City) -> None:
    for _ in range(12):
        (holder,) = await full(city)
        async with city.house.database.write() as tx:
            (newcomer,) = await add_strangers(tx, 1, now=city.clock.now())
        await asyncio.gather(leave_all(city, [holder]), wait(city, newcomer))
        await work(city)
        assert await enrolled_in(city) == {newcomer}
        assert await city.count("waiting") == 0
        async with city.house.database.write() as tx:
            await tx.execute("DELETE FROM enrolment")
            await tx.execute("UPDATE seat_budget SET seats_taken = 0")


async def test_two_phones_wait_once(city: City) -> None:
    await full(city)
    person = await city.person()
    outcomes = await asyncio.gather(*(wait(city, person.subject_id) for _ in range(6)))
    assert len({each.waiting_id for each in outcomes if isinstance(each, Waiting)}) == 1
    assert await city.count("waiting") == 1


async def test_a_seat_carried_out_again_is_given_once(city: City) -> None:
    (holder,) = await full(city)
    people = [await city.person() for _ in range(2)]
    for person in people:
        await city.call(person, "POST", ENROLMENTS, WAITING)
    await leave_all(city, [holder])
    handlers = {
        service.FREED_TOPIC: event_handlers(city.house)[service.FREED_TOPIC],
    }
    relay = Relay(database=city.house.database, clock=city.clock, handlers=handlers)
    async with city.house.database.write() as tx:
        events = await event_service.claim(tx, now=city.clock.now())
    (freed,) = [each for each in events if each.topic == service.FREED_TOPIC]
    await asyncio.gather(*(relay.handle(freed.event_id, attempt=n) for n in range(1, 4)))
    assert await enrolled_in(city) == {people[0].subject_id}


async def test_more_seats_by_a_new_version_are_those_of_who_waits(city: City) -> None:
    await full(city, 2)
    people = [await city.person() for _ in range(3)]
    for person in people:
        await city.call(person, "POST", ENROLMENTS, WAITING)
    await publish_next(city, **{"seats = 200000": "seats = 4"})
    early = await city.call(await city.person(), "POST", ENROLMENTS, {"programme": "library"})
    assert early.json()["code"] == "seats_sold_out"
    await work(city)
    assert [await state_of(city, person) for person in people] == [
        ("enrolled", False),
        ("enrolled", False),
        ("sold_out", True),
    ]
    shown = (await city.call(people[0], "GET", "/v1/me/programmes/library")).json()
    assert shown["enrolment"]["version"] == 3, "the version that is live when it is their turn"


async def test_more_seats_than_one_event_keeps_all_find_somebody(
    city: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (seats_service, waiting_service):
        monkeypatch.setattr(module, "KEPT_AT_ONCE", 2)
    await full(city)
    async with city.house.database.write() as tx:
        crowd = await add_strangers(tx, 6, now=city.clock.now())
    for each in crowd:
        assert isinstance(await wait(city, each), Waiting)
    await publish_next(city, **{"seats = 200000": "seats = 6"})
    await work(city)
    assert set(crowd[:5]) < await enrolled_in(city)
    assert crowd[5] not in await enrolled_in(city)


async def test_while_a_programme_rests_nobody_moves_up_and_when_it_ends_nobody_waits(
    city: City,
) -> None:
    (holder,) = await full(city)
    person = await city.person()
    await city.call(person, "POST", ENROLMENTS, WAITING)

    async def take(step: str) -> None:
        async with city.house.database.write() as tx:
            await getattr(service, step)(
                tx, programme_code="library", by=SHELL, reason="维护", now=city.clock.now()
            )

    await take("pause")
    await leave_all(city, [holder])
    await work(city)
    assert await state_of(city, person) == ("closed", True)
    assert await city.seats() == (1, 0)
    await take("resume")
    await work(city)
    assert await state_of(city, person) == ("enrolled", False)
    other = await city.person()
    await city.call(other, "POST", ENROLMENTS, WAITING)
    await take("end")
    assert await city.count("waiting") == 0


async def test_leaving_the_service_gives_the_place_up_and_the_seat_to_the_next(city: City) -> None:
    await city.set_seats(1)
    holder = await city.person(enrols=["library"])
    first, second = await city.person(), await city.person()
    for person in (first, second):
        await city.call(person, "POST", ENROLMENTS, WAITING)
    await asyncio.gather(city.leave(first), city.leave(holder))
    await work(city)
    assert await city.count("waiting") == 0
    assert await enrolled_in(city) == {second.subject_id}


async def test_leaving_the_service_while_the_seat_comes_leaves_nothing_behind(city: City) -> None:
    for _ in range(4):
        (holder,) = await full(city)
        person = await city.person()
        await city.call(person, "POST", ENROLMENTS, WAITING)
        await leave_all(city, [holder])
        await asyncio.gather(work(city), city.leave(person))
        await work(city)
        assert await enrolled_in(city) == set()
        assert await city.seats() == (1, 0)
        assert await city.count("waiting") == 0


async def test_who_goes_away_at_the_very_moment_is_not_enrolled_and_the_next_one_is(
    city: City,
) -> None:
    (holder,) = await full(city)
    first, second = await city.person(), await city.person()
    placed = await wait(city, first.subject_id)
    assert isinstance(placed, Waiting)
    assert isinstance(await wait(city, second.subject_id), Waiting)
    await leave_all(city, [holder])
    async with city.house.database.write() as tx:
        await service.leave_waiting(tx, subject_id=first.subject_id, waiting_id=placed.waiting_id)
        working = asyncio.ensure_future(work(city))
        await asyncio.sleep(0.3)  # it has found them waiting, and waits for this transaction
        assert not working.done()
    await working
    assert await enrolled_in(city) == {second.subject_id}


async def test_where_enrolling_opens_identity_numbers_no_more_are_looked_at_than_seats(
    city: City,
) -> None:
    holder = await city.person(enrols=["library"])
    enrol = '[enrol]\nfact = "context.age"\nat_least = 1\n\n[rule]'
    await publish_next(city, **{"seats = 200000": "seats = 1", "[rule]": enrol})
    people = [await city.person() for _ in range(3)]
    for person in people:
        assert (await city.call(person, "POST", ENROLMENTS, WAITING)).status_code == 202
    async with city.house.database.write() as tx:
        for person in people[:2]:
            await set_facts(tx, person.subject_id, {**GOOD, "score": 1})
    offer = (await city.call(holder, "GET", "/v1/me/programmes/library")).json()
    await city.call(holder, "DELETE", f"{ENROLMENTS}/{offer['enrolment']['enrolment_id']}")
    assert await work(city) == 3, "one person an event"
    assert await state_of(city, people[2]) == ("enrolled", False)


async def test_a_grant_that_another_programme_excludes_waits_until_that_one_is_left(
    city: City,
) -> None:
    async with city.house.database.write() as tx:
        for code in ("rental", "transit"):
            found = await service.find_programme(tx, programme_code=code)
            assert found is not None
            document = msgspec.structs.replace(
                found.programme.document, version=99, exclusive_group="deposit"
            )
            changed = msgspec.structs.replace(
                found.programme, document=document, digest=uuid4().bytes * 2
            )
            await service.publish(tx, programme=changed, now=city.clock.now())
    person = await city.person(
        facts={**GOOD, "indicator.transit_fares_unpaid": 9}, enrols=["rental"]
    )
    for _ in range(2):
        async with city.house.database.write() as tx:
            await service.apply_case(
                tx,
                subject_id=person.subject_id,
                programme_code="transit",
                case_id=uuid4(),
                vault=city.house.vault,
                now=city.clock.now(),
            )
    assert await city.count("waiting") == 1
    shown = (await city.call(person, "GET", "/v1/me/programmes/transit")).json()
    assert shown["waiting"]["is_granted"]
    body = {"programme": "transit"}
    refused = await city.call(person, "POST", ENROLMENTS, body)
    assert refused.json()["code"] == "enrolment_excluded"
    rental = (await city.call(person, "GET", "/v1/me/programmes/rental")).json()["enrolment"]
    await city.call(person, "DELETE", f"{ENROLMENTS}/{rental['enrolment_id']}")
    made = await city.call(person, "POST", ENROLMENTS, body)
    assert made.status_code == 201, made.text
    shown = (await city.call(person, "GET", "/v1/me/programmes/transit")).json()
    assert shown["enrolment"]["granted_by_case_id"]
    assert (shown["missing"], shown["waiting"]) == ([], None)
