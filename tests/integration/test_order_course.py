"""Goal: what time and people do to orders and to what is owed: run out, stand, be looked at.

Method: the real application with its worker's jobs and outbox handlers on Postgres; the clock is
moved to each edge and one step beyond it.
"""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from backend.app import event_handlers
from backend.case import service as case
from backend.case.rules import Outcome
from backend.citizen import service as citizen
from backend.event import service as event
from backend.event.jobs import Relay
from backend.kit.clock import FixedClock
from backend.ledger.rules import Actor
from backend.order.jobs import expire_orders, stand_obligations
from backend.order.rules.order import CONFIRM_WITHIN
from backend.programme import service as programme
from backend.programme.service import budget
from tests.support.order_world import (
    ORDERS,
    Shop,
    Sum,
    books_of,
    budget_of,
    exposure_of,
    notices_of,
    obligation_of,
    row_of,
    topics_of,
)
from tests.support.programme_world import City, Person, open_city
from tests.support.world import problem_of

BY = Actor.at_shell("王敏")


@pytest.fixture
async def city(
    tmp_path: Path, database_url: str, valkey_url: str, clock: FixedClock
) -> AsyncIterator[City]:
    async with open_city(
        tmp_path, database_url=database_url, valkey_url=valkey_url, clock=clock
    ) as city:
        yield city


@pytest.fixture
async def shop(city: City) -> Shop:
    return await Shop.of(city, "city-rental")


async def waiting(shop: Shop, person: Person) -> UUID:
    order = await shop.open(await shop.opener(person, "rental"), "R-1", 20_000)
    assert order is not None
    return order.order_id


async def confirm(city: City, person: Person, order_id: UUID) -> Any:
    return await city.call(person, "POST", f"/v1/me/orders/{order_id}/confirm")


async def owing(shop: Shop, person: Person) -> tuple[UUID, UUID]:
    """Bring an order to where something is owed; return its id and the obligation's."""
    order_id = await waiting(shop, person)
    assert (await confirm(shop.city, person, order_id)).status_code == 200
    for end, body in (
        ("complete", {"settled_fen": 0}),
        ("performance", {"performance": "open_obligation", "amount_fen": 500}),
    ):
        answer = await shop.call("POST", f"{ORDERS}/{order_id}/{end}", body)
        assert answer.status_code == 200, answer.text
    return order_id, UUID(answer.json()["obligation"]["obligation_id"])


async def work(city: City) -> None:
    """Carry out what waits in the outbox, as the worker does."""
    handlers = event_handlers(city.house)
    relay = Relay(database=city.house.database, clock=city.clock, handlers=handlers)
    while True:
        async with city.house.database.write() as tx:
            events = await event.claim(tx, now=city.clock.now())
            unfollowed = [each.event_id for each in events if each.topic not in handlers]
            await event.finish(tx, event_ids=unfollowed, now=city.clock.now())
        if not events:
            return
        for each in events:
            await relay.handle(each.event_id, attempt=1)


async def test_what_nobody_confirms_expires_after_thirty_days(city: City, shop: Shop) -> None:
    """A second before, it can be confirmed; then not, whether or not the job has run."""
    person = await city.person(enrols=["rental"])
    order_id = await waiting(shop, person)
    city.clock.advance(CONFIRM_WITHIN - timedelta(seconds=1))
    assert await expire_orders(city.house.database, clock=city.clock) == 0
    city.clock.advance(timedelta(seconds=1))
    late = await _signed_again(city, person)
    assert (
        problem_of(await confirm(city, late, order_id), 409, "order_state_conflict")["state"]
        == "expired"
    )
    assert await expire_orders(city.house.database, clock=city.clock) == 1
    assert await expire_orders(city.house.database, clock=city.clock) == 0
    problem_of(await confirm(city, late, order_id), 409, "order_state_conflict")
    assert await exposure_of(city, person) == 0
    assert await budget_of(city, "rental") == Sum(0, 0, 0)
    assert await topics_of(city, order_id) == ["order.created", "order.expired"]
    assert await notices_of(city, person) == ["order.expired", "order.to_confirm"]
    await books_of(city)


async def _signed_again(city: City, person: Person) -> Person:
    """Let the app's session be as young as it would be with an app that is used."""
    now = city.clock.now()
    async with city.house.database.write() as tx:
        await tx.execute(
            "UPDATE session SET expires_at = $2 WHERE subject_id = $1",
            person.subject_id,
            now + timedelta(days=1),
        )
    return person


async def test_what_was_kept_too_long_is_reserved_again_when_confirmed(
    city: City, shop: Shop
) -> None:
    """Rental keeps an amount for two hours; a day later the budget still has room, or hasn't."""
    first, second = await city.person(enrols=["rental"]), await city.person(enrols=["rental"])
    orders = [await waiting(shop, person) for person in (first, second)]
    city.clock.advance(timedelta(days=1))
    async with city.house.database.write() as tx:
        assert await budget.expire_due(tx, now=city.clock.now()) == 2
    assert await budget_of(city, "rental") == Sum(0, 0, 0)
    async with city.house.database.write() as tx:
        await tx.execute(
            "UPDATE budget SET limit_fen = 20000 WHERE programme_code = $1 AND span = 'programme'",
            "rental",
        )
    assert (await confirm(city, first, orders[0])).status_code == 200
    assert await budget_of(city, "rental") == Sum(20_000, 0, 1)
    problem_of(await confirm(city, second, orders[1]), 409, "benefit_unavailable")
    row = await row_of(city, orders[1])
    assert row is not None
    assert row.state == "created", "it goes on waiting"
    await shop.own.sign_in()
    assert (await shop.call("POST", f"{ORDERS}/{orders[0]}/cancel")).status_code == 200
    assert (await confirm(city, second, orders[1])).status_code == 200
    await books_of(city)


async def test_what_ran_out_is_reserved_again_though_nobody_noted_it(
    city: City, shop: Shop
) -> None:
    """The job that notes it hasn't run: the old one goes as the new one comes."""
    person = await city.person(enrols=["rental"])
    order_id = await waiting(shop, person)
    city.clock.advance(timedelta(hours=3))
    assert (await confirm(city, person, order_id)).status_code == 200
    assert await budget_of(city, "rental") == Sum(20_000, 0, 1)
    await books_of(city)


async def test_an_announced_obligation_stands_after_the_waiting_period(
    city: City, shop: Shop
) -> None:
    """Ten working days from Friday 20 November: all of 4 December, then it stands."""
    person = await city.person(enrols=["rental"])
    order_id, obligation_id = await owing(shop, person)
    city.clock.advance(timedelta(days=14, hours=13))  # 4 December, 23:00 in the city
    assert await stand_obligations(city.house.database, clock=city.clock) == 0
    city.clock.advance(timedelta(hours=1))
    assert await stand_obligations(city.house.database, clock=city.clock) == 1
    assert await stand_obligations(city.house.database, clock=city.clock) == 0
    found = await obligation_of(city, order_id)
    assert found is not None
    assert found.state == "standing"
    assert await topics_of(city, obligation_id) == [
        *("obligation.announced", "obligation.standing"),
    ]
    assert "obligation.standing" in await notices_of(city, person)


@pytest.mark.parametrize(
    ("outcome", "state", "said"),
    [
        (Outcome.UPHELD, "standing", "open_obligation"),
        (Outcome.CHANGED, None, "nothing_owed"),
    ],
)
async def test_a_contested_obligation_waits_for_a_person(
    city: City, shop: Shop, outcome: Outcome, state: str | None, said: str
) -> None:
    """The waiting period is over and it doesn't stand; decided, it does, or it is gone."""
    person = await city.person(enrols=["rental"])
    order_id, _ = await owing(shop, person)
    reply = {"reply": "contested", "text": "已还"}
    answer = await city.call(person, "POST", f"/v1/me/orders/{order_id}/reply", reply)
    assert answer.status_code == 200, answer.text
    async with city.house.database.read() as tx:
        sealed = await tx.fetch_value(bytes, "SELECT reply_sealed FROM obligation")
        case_id = await tx.fetch_value(UUID, "SELECT case_id FROM obligation")
    assert "已还".encode() not in sealed
    city.clock.advance(timedelta(days=20))
    assert await stand_obligations(city.house.database, clock=city.clock) == 0
    async with city.house.database.write() as tx:
        await case.decide(
            tx,
            case_id=case_id,
            outcome=outcome,
            answer_zh="已核实",
            answer_en="Looked at",
            by=BY,
            reason="复核",
            now=city.clock.now(),
        )
    await work(city)
    found = await obligation_of(city, order_id)
    assert (None if found is None else found.state) == state
    row = await row_of(city, order_id)
    assert row is not None
    assert row.performance == said


async def test_a_case_that_is_taken_back_lets_it_go_on(city: City, shop: Shop) -> None:
    """It is announced again, and stands on its old day; it can't be contested a second time."""
    person = await city.person(enrols=["rental"])
    order_id, _ = await owing(shop, person)
    path = f"/v1/me/orders/{order_id}/reply"
    answer = await city.call(person, "POST", path, {"reply": "contested"})
    assert answer.json()["obligation"]["state"] == "contested"
    cases = (await city.call(person, "GET", "/v1/me/cases")).json()["items"]
    answer = await city.call(person, "DELETE", f"/v1/me/cases/{cases[0]['case_id']}")
    assert answer.status_code == 204, answer.text
    await work(city)
    found = await obligation_of(city, order_id)
    assert found is not None
    assert found.state == "announced"
    answer = await city.call(person, "POST", path, {"reply": "contested"})
    problem_of(answer, 409, "obligation_replied")


async def test_an_obligation_is_no_record_and_moves_no_score(city: City, shop: Shop) -> None:
    """Announced, standing: the same score and the same records; no other partner sees it."""
    person = await city.person(enrols=["rental"])
    await work(city)
    before = (await city.call(person, "GET", "/v1/me/score")).json()
    order_id, _ = await owing(shop, person)
    city.clock.advance(timedelta(days=20))
    await stand_obligations(city.house.database, clock=city.clock)
    await work(city)
    after = (await city.call(person, "GET", "/v1/me/score")).json()
    assert after["points"] == before["points"]
    assert await city.count("record") == 0
    other = await Shop.of(city, "city-transit")
    problem_of(await other.call("GET", f"{ORDERS}/{order_id}"), 404, "not_found")
    assert (await other.call("GET", ORDERS)).json() == {"items": [], "next_cursor": None}


async def test_an_unknown_calendar_announces_nothing(city: City, shop: Shop) -> None:
    """Nothing is guessed about next year's holidays: the order stays as it was."""
    city.clock.advance(timedelta(days=35))  # Christmas: ten working days lie in the next year
    await shop.own.sign_in()
    person = await city.person(enrols=["rental"])
    order_id = await waiting(shop, person)
    assert (await confirm(city, person, order_id)).status_code == 200
    await shop.call("POST", f"{ORDERS}/{order_id}/complete", {"settled_fen": 0})
    report = {"performance": "open_obligation", "amount_fen": 500}
    answer = await shop.call("POST", f"{ORDERS}/{order_id}/performance", report)
    problem_of(answer, 503, "calendar_unknown")
    row = await row_of(city, order_id)
    assert row is not None
    assert row.performance is None


async def test_a_paused_or_ended_programme_lets_running_orders_go_on(
    city: City, shop: Shop
) -> None:
    """Nobody opens another; what runs is completed as it was promised."""
    person = await city.person(enrols=["rental"])
    order_id = await waiting(shop, person)
    assert (await confirm(city, person, order_id)).status_code == 200
    async with city.house.database.write() as tx:
        await programme.end(
            tx, programme_code="rental", by=BY, reason="试点结束", now=city.clock.now()
        )
    assert await shop.open(await shop.opener(person, "rental"), "R-2", 100) is None
    done = await shop.call(
        "POST",
        f"{ORDERS}/{order_id}/complete",
        {"settled_fen": 100, "performance": "performed"},
    )
    assert done.status_code == 200, done.text
    assert await city.count("record") == 1
    await books_of(city)


async def test_who_takes_part_again_finds_what_still_runs(city: City, shop: Shop) -> None:
    """The bicycle is still out: it counts in the exposure, and its return is theirs to have."""
    person = await city.person(enrols=["rental"])
    order_id = await waiting(shop, person)
    assert (await confirm(city, person, order_id)).status_code == 200
    await city.leave(person)
    async with city.house.database.write() as tx:
        await citizen.join(
            tx,
            subject_id=person.subject_id,
            notice_version=citizen.CURRENT_NOTICE.version,
            vault=city.house.vault,
            now=city.clock.now(),
            hooks=city.hooks,
        )
    own = (await city.call(person, "GET", "/v1/me/orders")).json()
    assert [each["order_id"] for each in own["items"]] == [str(order_id)]
    assert own["open_fen"] == 20_000
    done = {"settled_fen": 0, "performance": "performed"}
    answer = await shop.call("POST", f"{ORDERS}/{order_id}/complete", done)
    assert answer.json()["performance"] == "performed"
    assert await city.count("record") == 1
    assert await exposure_of(city, person) == 0
    await books_of(city)
