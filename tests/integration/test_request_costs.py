"""Goal: what a request asks of PostgreSQL is bounded and doesn't grow with what it returns, and
the framework makes no tasks for values that are there already.

Method: the whole application; the driver tells of each statement it sends, BEGIN and COMMIT
included. Reads are found on the application itself, so a new one is measured too. No clock is
read: time is the business of scripts/bench.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from litestar.routes import HTTPRoute

from backend.app import build_app
from backend.kit.clock import FixedClock
from backend.kit.postgres import Database
from tests.support.order_world import ORDERS, Shop
from tests.support.programme_world import GOOD, City, Person, open_city
from tests.support.world import problem_of

POOL_SIZE = 10
# Who calls: the session or token, and the proof's marker, each a statement by itself.
KNOWN_CALLER = ["SELECT", "INSERT"]
# Among them: which catalogue and which scorecard are in force, in all processes at once. The most
# are a page of orders': they, what is owed, whose they are, and how much credit is left to use.
READ_STATEMENTS_MAX = 6


@pytest.fixture
async def city(
    tmp_path: Path, database_url: str, valkey_url: str, clock: FixedClock
) -> AsyncIterator[City]:
    async with open_city(
        tmp_path, database_url=database_url, valkey_url=valkey_url, clock=clock
    ) as city:
        yield city


@asynccontextmanager
async def listening(database: Database) -> AsyncIterator[list[str]]:
    """Give the first words of the statements that are sent from now on."""
    words: list[str] = []

    def hear(record: Any) -> None:
        words.append(record.query.split(maxsplit=1)[0].rstrip(";"))

    async with AsyncExitStack() as stack:
        pool = database._pool
        lent = [await stack.enter_async_context(pool.acquire()) for _ in range(POOL_SIZE)]
        connections = [proxy._con for proxy in lent]
    for connection in connections:
        connection.add_query_logger(hear)
    yield words
    await asyncio.sleep(0)  # the driver tells a moment later
    for connection in connections:
        connection.remove_query_logger(hear)


async def sent_by(city: City, person: Person, path: str) -> list[str]:
    async with listening(city.house.database) as words:
        answer = await city.call(person, "GET", path)
    assert answer.status_code == 200, (path, answer.text)
    return words


def citizen_reads(city: City, order_id: UUID) -> Iterator[str]:
    for route in build_app(city.house).routes:
        is_read = isinstance(route, HTTPRoute) and "GET" in route.methods
        if is_read and route.path.startswith("/v1/me"):
            path = route.path.replace("{code:str}", "library")
            yield path.replace("{order_id:uuid}", str(order_id))


async def borrow(city: City, person: Person, partner_code: str, code: str) -> UUID:
    """Open an order for a citizen; return its id."""
    shop = await Shop.of(city, partner_code)
    order = await shop.open(await shop.opener(person, code), "n-1", 100)
    assert order is not None
    return order.order_id


async def test_a_lone_check_is_six_statements_and_a_crowd_shares_them(city: City) -> None:
    # The programme's document is read once a process, a token once a second.
    await city.check(await city.token(await city.person(enrols=["library"])))
    token = await city.token(await city.person(enrols=["library"]))
    async with listening(city.house.database) as words:
        assert (await city.check(token)).status_code == 200
    assert words == ["SELECT", "BEGIN", "INSERT", "WITH", "WITH", "COMMIT"]
    async with listening(city.house.database) as words:
        answers = await asyncio.gather(*[city.check(token) for _ in range(40)])
    assert {answer.status_code for answer in answers} == {200}
    assert len(words) <= 40, "less than one statement a check"


async def test_no_read_of_a_citizen_sends_more_statements_for_more_data(city: City) -> None:
    person = await city.person(enrols=["library"])
    await city.check(await city.token(person))
    order_id = await borrow(city, person, "city-library", "library")
    paths = sorted(citizen_reads(city, order_id))
    assert len(paths) >= 7
    for path in ("/v1/me/programmes", "/v1/me/records"):
        await sent_by(city, person, path)  # documents are read once a process
    little = {path: await sent_by(city, person, path) for path in paths}
    for path, words in little.items():
        assert words[:2] == KNOWN_CALLER, path
        assert len(words) <= len(KNOWN_CALLER) + 2 + READ_STATEMENTS_MAX, (path, words)
    for code in ("rental", "transit", "tourism", "approval"):
        body = {"programme": code}
        made = await city.call(person, "POST", "/v1/me/enrolments", body)
        assert made.status_code == 201, made.text
    await borrow(city, person, "city-transit", "transit")
    for _ in range(3):
        token = await city.token(person)
        for _ in range(4):
            await city.check(token)
    assert {path: await sent_by(city, person, path) for path in paths} == little


async def test_no_handlers_dependencies_are_given_by_tasks(city: City) -> None:
    routes = [route for route in build_app(city.house).routes if isinstance(route, HTTPRoute)]
    models = [model for route in routes for _, model in route.route_handler_map.values()]
    batches = [batch for model in models for batch in model.dependency_batches]
    assert len(batches) > len(routes), "handlers have dependencies"
    assert {len(batch) for batch in batches} == {1}, "of several at once it makes a task each"


async def test_every_answer_says_once_what_no_handler_has_to(city: City) -> None:
    for path in ("/", "/sign-in", "/health/live", "/v1/me", "/nowhere"):
        answer = await city.http.get(path)
        for name in ("x-request-id", "x-content-type-options"):
            assert len(answer.headers.get_list(name)) == 1, (path, name)


async def test_a_no_to_an_order_asks_the_same_whatever_the_cause(city: City) -> None:
    """Rule, enrolment, exposure, share of the budget: the same statements, so about the same time.

    What is locked for one cause alone would also wait for it alone.
    """
    shop = await Shop.of(city, "city-rental")
    people = {
        "not eligible": await city.person(facts={**GOOD, "score": 400}),
        "not enrolled": await city.person(),
        "exposure": await city.person(facts={**GOOD, "score": 650}, enrols=["rental"]),
        "share of the budget": await city.person(enrols=["rental"]),
    }
    # 3,000 yuan in all are open to one, the other's share of the budget is 4,000 yuan.
    for cause, second in (("exposure", 100_000), ("share of the budget", 200_000)):
        opener = await shop.opener(people[cause], "rental")
        for number, amount in enumerate((200_000, second)):
            assert await shop.open(opener, f"n-{number}", amount) is not None
    asked = {"programme": "rental", "amount_fen": 20_000}
    sent = {}
    for cause, person in people.items():
        token = await shop.token(person, "rental")
        # Once for what the process remembers, and once more to be heard.
        await shop.call("POST", ORDERS, {**asked, "reference": "R-1"}, token=token)
        async with listening(city.house.database) as words:
            answer = await shop.call("POST", ORDERS, {**asked, "reference": "R-2"}, token=token)
        problem_of(answer, 409, "benefit_unavailable")
        sent[cause] = words
    first = sent["not eligible"]
    assert {cause: words for cause, words in sent.items() if words != first} == {}, first
