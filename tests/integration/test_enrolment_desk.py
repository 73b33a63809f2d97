"""Goal: enrolled many at a time, everybody gets what they would get alone: seats first come, first
served and never oversold, each refusal its own, each request answered once.

Method: crowds at one desk, at two desks as two processes have them, and beside the single verb, on
a real database; afterwards seats, enrolments and what each was told are compared.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest

from backend.kit.clock import FixedClock
from backend.kit.ids import new_id, new_token
from backend.kit.problem import Refusal
from backend.programme import service
from backend.programme.desk import Enrolled, EnrolmentDesk
from tests.support.programme_world import GOOD, City, add_strangers, open_city


async def warm_up(city: City) -> None:
    """Hold a connection for a moment: of contenders nobody waits for one to be opened."""
    async with city.house.database.read() as tx:
        await tx.fetch_value(bool, "SELECT pg_sleep(0.05) IS NOT NULL")


@pytest.fixture
async def city(
    tmp_path: Path, database_url: str, valkey_url: str, clock: FixedClock
) -> AsyncIterator[City]:
    async with open_city(
        tmp_path, database_url=database_url, valkey_url=valkey_url, clock=clock
    ) as city:
        await asyncio.gather(*(warm_up(city) for _ in range(4)))
        yield city
        async with city.house.database.read() as tx:
            wrong = await tx.fetch_value(
                int,
                """SELECT count(*) FROM seat_budget WHERE seats_taken <> (
                     SELECT count(*) FROM enrolment
                     WHERE enrolment.programme_code = seat_budget.programme_code
                       AND ended_at IS NULL)""",
            )
        assert wrong == 0, "taken seats are running enrolments"


def new_desk(city: City) -> EnrolmentDesk:
    return EnrolmentDesk(database=city.house.database, vault=city.house.vault, clock=city.clock)


async def ask(
    desk: EnrolmentDesk,
    subject_id: UUID,
    code: str = "library",
    *,
    key: str | None = None,
    request: bytes | None = None,
) -> Any:
    """Return what was told: an enrolment, or a refusal's code."""
    try:
        return await desk.enrol(
            subject_id=subject_id,
            programme_code=code,
            key=key or new_token("key_"),
            request=request or code.encode(),
        )
    except Refusal as refused:
        return refused.code


def counted(outcomes: list[Any]) -> Counter[str]:
    return Counter("enrolled" if isinstance(each, Enrolled) else each for each in outcomes)


async def strangers(city: City, count: int) -> list[UUID]:
    async with city.house.database.write() as tx:
        return await add_strangers(tx, count, now=city.clock.now())


async def test_1000_contenders_for_100_seats_are_the_first_100(city: City) -> None:
    await city.set_seats(100)
    crowd = await strangers(city, 1_000)
    desk = new_desk(city)
    outcomes = await asyncio.gather(*(ask(desk, each) for each in crowd))
    assert counted(outcomes) == {"enrolled": 100, "seats_sold_out": 900}
    assert all(isinstance(each, Enrolled) for each in outcomes[:100]), "who came first"
    assert await city.seats() == (100, 100)


async def test_two_desks_and_the_single_verb_share_the_seats(city: City) -> None:
    await city.set_seats(50)
    crowd = await strangers(city, 240)
    desks = [new_desk(city), new_desk(city)]

    async def alone(subject_id: UUID) -> str:
        try:
            async with city.house.database.write() as tx:
                await service.enrol(
                    tx, subject_id=subject_id, programme_code="library", now=city.clock.now()
                )
        except Refusal as refused:
            return refused.code
        return "enrolled"

    outcomes = await asyncio.gather(
        *(
            alone(each) if place % 3 == 2 else ask(desks[place % 3], each)
            for place, each in enumerate(crowd)
        )
    )
    assert counted(outcomes) == {"enrolled": 50, "seats_sold_out": 190}


async def test_the_same_citizens_at_two_desks_take_one_seat_each(city: City) -> None:
    """Whoever loses to their own other self gives the seat to the next in the batch."""
    desks = [new_desk(city), new_desk(city)]
    for turn in range(1, 4):
        await city.set_seats(80 * turn)
        crowd = await strangers(city, 60)
        outcomes = await asyncio.gather(*(ask(desk, each) for each in crowd for desk in desks))
        told = counted(outcomes)
        assert told == {"enrolled": 60, "already_enrolled": 60}
        assert await city.seats() == (80 * turn, 60 * turn)


async def test_each_in_a_batch_is_told_their_own(city: City) -> None:
    good, *_ = await strangers(city, 2)
    enrolled = await city.person(enrols=["library"])
    poor = await city.person(facts={**GOOD, "score": 400, "dimension.civic": 0})
    away = await city.person(joins=False)
    desk = new_desk(city)
    outcomes = await asyncio.gather(
        ask(desk, new_id(city.clock.now())),
        ask(desk, away.subject_id),
        ask(desk, poor.subject_id),
        ask(desk, enrolled.subject_id),
        ask(desk, good, "no-such"),
        ask(desk, good),
        ask(desk, good, "transit"),
    )
    *refused, nothing, first, second = outcomes
    assert refused == [
        "participation_required",
        "participation_required",
        "not_eligible_yet",
        "already_enrolled",
    ]
    assert nothing == "not_found"
    assert (first.programme, second.programme) == ("library", "transit")
    assert first.version == second.version == 2


async def test_a_request_that_comes_again_is_answered_again(city: City) -> None:
    await city.set_seats(1)
    (one,) = await strangers(city, 1)
    desk, other_desk = new_desk(city), new_desk(city)
    key = new_token("key_")
    outcomes = await asyncio.gather(
        *(ask(each, one, key=key) for each in (desk, other_desk) for _ in range(6))
    )
    told = {each for each in outcomes if isinstance(each, Enrolled)}
    assert len(told) == 1
    assert set(outcomes) - told <= {"idempotency_key_in_flight"}
    assert await ask(other_desk, one, key=key) in told
    assert await ask(desk, one, key=key, request=b"another") == "idempotency_key_reused"
    assert await ask(desk, one, key="short") == "idempotency_key_missing"
    assert await city.seats() == (1, 1)


async def test_what_was_refused_is_decided_anew(city: City) -> None:
    await city.set_seats(0)
    (one,) = await strangers(city, 1)
    key = new_token("key_")
    assert await ask(new_desk(city), one, key=key) == "seats_sold_out"
    await city.set_seats(1)
    assert isinstance(await ask(new_desk(city), one, key=key), Enrolled)


async def test_of_two_that_exclude_each_other_a_citizen_has_one(city: City) -> None:
    async with city.house.database.write() as tx:
        for code in ("rental", "transit", "tourism"):
            found = await service.find_programme(tx, programme_code=code)
            assert found is not None
            document = msgspec.structs.replace(
                found.programme.document,
                version=99,
                exclusive_group="deposit",
                stacks_with=["tourism"] if code == "rental" else [],
            )
            changed = msgspec.structs.replace(
                found.programme, document=document, digest=uuid4().bytes * 2
            )
            await service.publish(tx, programme=changed, now=city.clock.now())
    for _ in range(4):
        crowd = await strangers(city, 20)
        desks = [new_desk(city), new_desk(city)]
        outcomes = await asyncio.gather(
            *(
                ask(desk, each, code)
                for each in crowd
                for desk, code in zip(desks, ("rental", "transit"), strict=True)
            )
        )
        assert counted(outcomes) == {"enrolled": 20, "enrolment_excluded": 20}
    (one,) = await strangers(city, 1)
    for code in ("rental", "tourism", "library"):  # an exception, and another matter
        assert isinstance(await ask(desks[0], one, code), Enrolled)
    assert await ask(desks[0], one, "transit") == "enrolment_excluded"


async def test_who_goes_away_in_the_middle_takes_no_seat_twice(city: City) -> None:
    await city.set_seats(30)
    crowd = await strangers(city, 120)
    desk = new_desk(city)
    asked = [asyncio.ensure_future(ask(desk, each)) for each in crowd]
    await asyncio.sleep(0.01)
    for place, each in enumerate(asked):
        if place % 3 == 0:
            each.cancel()
    outcomes = await asyncio.gather(*asked, return_exceptions=True)
    await desk.close()
    assert sum(isinstance(each, Enrolled) for each in outcomes) <= 30
    assert await city.seats() == (30, 30), "nobody's seat is lost with them"


async def test_a_closed_desk_takes_nobody(city: City) -> None:
    (one,) = await strangers(city, 1)
    desk = new_desk(city)
    await desk.close()
    assert await ask(desk, one) == "unavailable"
