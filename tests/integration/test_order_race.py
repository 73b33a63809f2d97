"""Goal: whoever is at one order or one citizen's exposure at the same moment, the sums add up and
each step is taken once.

Method: the verbs in real transactions on Postgres, many at once; afterwards the books are compared:
exposure is what running orders hold, and the budget is what their reservations are.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import pytest

from backend.citizen import service as citizen
from backend.kit.clock import FixedClock
from backend.kit.postgres import Tx
from backend.kit.problem import Refusal
from backend.order import service
from backend.order.jobs import expire_orders, stand_obligations
from backend.order.rules.order import CONFIRM_WITHIN, Order
from backend.programme.jobs import expire_reservations
from tests.support.order_world import (
    Shop,
    Sum,
    books_of,
    budget_of,
    exposure_of,
    row_of,
    topics_of,
)
from tests.support.programme_world import GOOD, City, Person, open_city

T = TypeVar("T")


@pytest.fixture
async def city(
    tmp_path: Path, database_url: str, valkey_url: str, clock: FixedClock
) -> AsyncIterator[City]:
    async with open_city(
        tmp_path, database_url=database_url, valkey_url=valkey_url, clock=clock
    ) as city:
        yield city


async def in_tx(city: City, act: Callable[[Tx], Awaitable[T]]) -> T | str:
    """Do something in a transaction of its own; a refusal is returned as its code."""
    try:
        async with city.house.database.write() as tx:
            return await act(tx)
    except Refusal as refusal:
        return refusal.code


async def waiting(shop: Shop, person: Person, reference: str = "R-1") -> Order:
    order = await shop.open(await shop.opener(person, "rental"), reference, 20_000)
    assert order is not None
    return order


async def test_many_opens_share_one_free_exposure(city: City) -> None:
    """3,000 yuan in all, each order of 700: four go in, in whatever order they come."""
    shop = await Shop.of(city, "city-rental")
    person = await city.person(facts={**GOOD, "score": 650}, enrols=["rental"])
    openers = [await shop.opener(person, "rental")] * 12
    done = await asyncio.gather(
        *(shop.open(opener, f"R-{n}", 70_000) for n, opener in enumerate(openers))
    )
    assert sum(order is not None for order in done) == 4
    assert await exposure_of(city, person) == 280_000
    await books_of(city)


async def test_many_opens_of_one_number_are_one_order(city: City) -> None:
    shop = await Shop.of(city, "city-rental")
    person = await city.person(enrols=["rental"])
    opener = await shop.opener(person, "rental")
    done = await asyncio.gather(*(shop.open(opener, "R-1", 20_000) for _ in range(8)))
    assert len({order.order_id for order in done if order is not None}) == 1
    assert None not in done
    assert await city.count("service_order") == 1
    assert await exposure_of(city, person) == 20_000
    await books_of(city)


async def test_many_citizens_share_one_budget(city: City) -> None:
    """The budget has room for three orders: three of eight citizens get one."""
    shop = await Shop.of(city, "city-rental")
    people = [await city.person(enrols=["rental"]) for _ in range(8)]
    openers = [await shop.opener(person, "rental") for person in people]
    async with city.house.database.write() as tx:
        await tx.execute(
            "UPDATE budget SET limit_fen = 60000 WHERE programme_code = 'rental' AND span = $1",
            "programme",
        )
    done = await asyncio.gather(*(shop.open(opener, "R-1", 20_000) for opener in openers))
    assert sum(order is not None for order in done) == 3
    assert (await budget_of(city, "rental")).reserved_fen == 60_000
    assert sum([await exposure_of(city, person) for person in people]) == 60_000
    await books_of(city)


async def test_an_order_is_confirmed_once(city: City) -> None:
    shop, person = await Shop.of(city, "city-rental"), await city.person(enrols=["rental"])
    order = await waiting(shop, person)

    async def confirm(tx: Tx) -> Order:
        return await service.confirm(
            tx, subject_id=person.subject_id, order_id=order.order_id, now=city.clock.now()
        )

    done = await asyncio.gather(*(in_tx(city, confirm) for _ in range(6)))
    codes = Counter(each for each in done if isinstance(each, str))
    assert codes == {"order_state_conflict": 5}
    assert await topics_of(city, order.order_id) == ["order.created", "order.activated"]
    await books_of(city)


async def test_complete_or_cancel_but_never_both(city: City) -> None:
    shop, person = await Shop.of(city, "city-rental"), await city.person(enrols=["rental"])
    for number in range(6):
        order = await waiting(shop, person, f"R-{number}")
        order_id, now = order.order_id, city.clock.now()
        async with city.house.database.write() as tx:
            await service.confirm(tx, subject_id=person.subject_id, order_id=order_id, now=now)

        async def complete(tx: Tx, order_id=order_id, now=now) -> Order:
            return await service.complete(
                tx,
                keeper=shop.keeper,
                order_id=order_id,
                settled_fen=100,
                performed=True,
                now=now,
            )

        async def cancel(tx: Tx, order_id=order_id, now=now) -> Order:
            return await service.cancel(tx, keeper=shop.keeper, order_id=order_id, now=now)

        acts = [complete, cancel] if number % 2 else [cancel, complete]
        done = await asyncio.gather(*(in_tx(city, act) for act in acts * 2))
        assert Counter(each for each in done if isinstance(each, str)) == {
            "order_state_conflict": 3
        }
        (last,) = (topics_of_end for topics_of_end in (await topics_of(city, order_id))[2:])
        row = await row_of(city, order_id)
        assert row is not None
        assert last == f"order.{row.state}"
        assert await exposure_of(city, person) == 0
    await books_of(city)


async def test_confirmed_or_expired_but_never_both(city: City) -> None:
    """At the last moment: whoever is first, the other finds it so."""
    shop = await Shop.of(city, "city-rental")
    people = [await city.person(enrols=["rental"]) for _ in range(6)]
    orders = [await waiting(shop, person) for person in people]
    city.clock.advance(CONFIRM_WITHIN - timedelta(seconds=1))
    before = city.clock.now()
    city.clock.advance(timedelta(seconds=1))

    async def confirm(person: Person, order: Order) -> object:
        # Its request came in a moment before.
        return await in_tx(
            city,
            lambda tx: service.confirm(
                tx, subject_id=person.subject_id, order_id=order.order_id, now=before
            ),
        )

    await asyncio.gather(
        *(confirm(person, order) for person, order in zip(people, orders, strict=True)),
        *(expire_orders(city.house.database, clock=city.clock) for _ in range(2)),
    )
    for person, order in zip(people, orders, strict=True):
        row = await row_of(city, order.order_id)
        assert row is not None
        assert row.state in ("active", "expired")
        told = {"active": "order.activated", "expired": "order.expired"}[row.state]
        assert await topics_of(city, order.order_id) == ["order.created", told]
        assert await exposure_of(city, person) == (20_000 if row.state == "active" else 0)
    await books_of(city)


async def test_who_leaves_while_partners_open_leaves_nothing_that_waits(city: City) -> None:
    shop = await Shop.of(city, "city-rental")
    for number in range(4):
        person = await city.person(enrols=["rental"])
        opener = await shop.opener(person, "rental")

        async def open_one(reference: str, opener=opener) -> object:
            try:
                return await shop.open(opener, reference, 10_000)
            except Refusal as refusal:
                return refusal.code

        await asyncio.gather(open_one("R-0"), open_one("R-1"), city.leave(person), open_one("R-2"))
        assert await city.count("service_order") == 0, number
        assert await exposure_of(city, person) == 0
    await books_of(city)


async def test_who_leaves_while_what_was_reserved_runs_out_waits_for_nobody_in_a_circle(
    city: City,
) -> None:
    """The clock gives back one order's amount while leaving gives back the other's: both go on.

    A third transaction holds the balance until both wait for it, the one who leaves first.
    """
    shop, person = await Shop.of(city, "city-rental"), await city.person(enrols=["rental"])
    opener = await shop.opener(person, "rental")
    for number in range(2):
        assert await shop.open(opener, f"R-{number}", 10_000) is not None
    city.clock.advance(timedelta(hours=3))
    async with city.house.database.write() as held:
        await held.execute("SELECT FROM budget WHERE programme_code = 'rental' FOR UPDATE")
        leaving = asyncio.create_task(city.leave(person))
        await asyncio.sleep(0.3)
        expiring = asyncio.create_task(expire_reservations(city.house.database, clock=city.clock))
        await asyncio.sleep(0.3)
        assert not leaving.done()
    await asyncio.gather(leaving, expiring)
    assert await budget_of(city, "rental") == Sum(0, 0, 0)
    assert await city.count("service_order") == 0
    await books_of(city)


@pytest.mark.parametrize("act", ["stand", "give_up"])
async def test_what_is_owed_goes_with_who_leaves_and_nobody_stumbles_over_it(
    city: City, act: str
) -> None:
    """Time, or a case taken back, comes to it while its citizen leaves: it is nothing."""
    shop, person = await Shop.of(city, "city-rental"), await city.person(enrols=["rental"])
    order, now = await waiting(shop, person), city.clock.now()
    keeper, subject_id, order_id = shop.keeper, person.subject_id, order.order_id
    async with city.house.database.write() as tx:
        await service.confirm(tx, subject_id=subject_id, order_id=order_id, now=now)
        await service.complete(
            tx, keeper=keeper, order_id=order_id, settled_fen=0, performed=False, now=now
        )
        _, owed = await service.announce(
            tx, keeper=keeper, order_id=order_id, amount_fen=500, now=now
        )
    city.clock.advance(timedelta(days=20))

    async def give_up() -> None:
        async with city.house.database.write() as tx:
            await service.give_up_case(
                tx,
                subject_id=subject_id,
                obligation_id=owed.obligation_id,
                now=city.clock.now(),
            )

    acts = {
        "stand": lambda: stand_obligations(city.house.database, clock=city.clock),
        "give_up": give_up,
    }
    async with city.house.database.write() as leaving:
        await citizen.leave(leaving, subject_id=subject_id, now=city.clock.now(), hooks=city.hooks)
        coming = asyncio.create_task(acts[act]())
        await asyncio.sleep(0.3)
        assert not coming.done()
    assert await coming in (0, None)
    assert await city.count("obligation") == 0
    await books_of(city)
