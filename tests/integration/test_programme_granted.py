"""Goal: what a person grants holds: the citizen is enrolled without the rule, partners get their
yes, and everything else stands as it did: seats, consents, the uniform no.

Method: the whole application on a real PostgreSQL: a citizen asks, an operator decides, the worker
carries it out, a partner checks.
"""

from collections.abc import AsyncIterator

import pytest

from backend.app import House
from backend.ledger.rules import Actor
from backend.notice.rules import TOPICS
from backend.programme import service as programme
from tests.support.case_world import CASES, asking, decided, opened, own_cases
from tests.support.oauth_client import OauthClient
from tests.support.operator import OperatorSoftware
from tests.support.world import App, World, problem_of

PROGRAMME = "/v1/me/programmes/library"
SHELL = Actor.at_shell("王敏")
NO = b'{"eligible":false}'
GRANT = {
    "outcome": "changed",
    "answer_zh": "还书记录在系统更换时遗漏。",
    "answer_en": "Returns were lost when a system was replaced.",
}


@pytest.fixture
async def world(house: House) -> AsyncIterator[World]:
    """A city with its programmes."""
    world = World(house)
    yield world
    await world.close()


@pytest.fixture
async def library(world: World) -> OauthClient:
    """The library's software."""
    return await world.found()


@pytest.fixture
async def lin(world: World, library: OauthClient) -> App:
    """Somebody whom the library's programme tells "not yet"."""
    assert library.client_id
    return await asking(world)


async def decide(world: World, case_id: str, **changes: str) -> None:
    """Decide a case and carry the decision out."""
    operator = await OperatorSoftware.of(world, "cases")
    answer = await decided(operator, case_id, **{**GRANT, **changes})
    assert answer.status_code == 200, answer.text
    await world.work()


async def offer_of(app: App) -> dict[str, object]:
    answer = await app.call("GET", PROGRAMME)
    assert answer.status_code == 200, answer.text
    offer: dict[str, object] = answer.json()
    return offer


async def set_seats(world: World, total: int) -> None:
    async with world.database.write() as tx:
        await tx.execute("UPDATE seat_budget SET seats_total = $1", total)


async def test_a_person_turns_not_yet_into_a_place_that_partners_get_a_yes_for(
    world: World, library: OauthClient, lin: App
) -> None:
    before = await offer_of(lin)
    assert before["offer"] == "not_yet"
    assert before["can_ask_person"]
    case_id = await opened(lin)
    await decide(world, case_id)
    offer = await offer_of(lin)
    assert offer["offer"] == "enrolled"
    assert offer["missing"] == []
    assert not offer["can_ask_person"]
    enrolment = offer["enrolment"]
    assert isinstance(enrolment, dict)
    assert enrolment["granted_by_case_id"] == case_id
    assert await world.count("seat_budget", "seats_taken = 1") == 1
    browser = await world.browser_of(1)
    page = await browser.open("/programmes")
    assert "经人工复核同意开通" in page.html
    tokens = await world.tokens_of(browser, library)
    answer = await world.check(library, tokens.access)
    assert answer.json()["eligible"] is True
    assert (await own_cases(lin))[0]["outcome"] == "changed"
    topics = [each["topic"] for each in (await lin.call("GET", "/v1/me/notices")).json()["items"]]
    assert topics == ["case.decided"]
    assert set(topics) <= set(TOPICS)
    # It is granted for this enrolment: left, it is gone, and the rule stands as it did.
    path = f"/v1/me/enrolments/{enrolment['enrolment_id']}"
    assert (await lin.call("DELETE", path)).status_code == 204
    assert (await world.check(library, tokens.access)).content == NO
    again = await lin.call("POST", "/v1/me/enrolments", {"programme": "library"})
    problem_of(again, 409, "not_eligible_yet")


async def test_upheld_changes_nothing(world: World, lin: App) -> None:
    case_id = await opened(lin)
    await decide(world, case_id, outcome="upheld")
    assert (await offer_of(lin))["offer"] == "not_yet"
    assert await world.count("enrolment") == 0


async def test_without_a_seat_it_waits_and_the_next_seat_needs_no_rule(
    world: World, library: OauthClient, lin: App
) -> None:
    holder = await world.reader_of(2)
    await set_seats(world, 1)
    case_id = await opened(lin)
    await decide(world, case_id)
    offer = await offer_of(lin)
    assert offer["missing"] == []
    assert offer["offer"] == "sold_out"
    waiting = offer["waiting"]
    assert isinstance(waiting, dict)
    assert waiting["is_granted"]
    page = await (await world.browser_of(1)).open("/programmes")
    assert "人工复核已同意" in page.html
    enrolment = (await offer_of(holder))["enrolment"]
    assert isinstance(enrolment, dict)
    await holder.call("DELETE", f"/v1/me/enrolments/{enrolment['enrolment_id']}")
    await world.work()
    offer = await offer_of(lin)
    assert (offer["offer"], offer["waiting"]) == ("enrolled", None)
    assert isinstance(offer["enrolment"], dict)
    assert offer["enrolment"]["granted_by_case_id"] == case_id
    assert library.client_id


async def test_who_is_enrolled_and_fell_below_the_rule_keeps_the_yes(
    world: World, library: OauthClient
) -> None:
    reader = await world.reader_of(3)
    browser = await world.browser_of(3)
    tokens = await world.tokens_of(browser, library)
    async with world.database.write() as tx:
        await tx.execute("UPDATE score SET points = 1")
    assert (await world.check(library, tokens.access)).content == NO
    case_id = await opened(reader)
    await decide(world, case_id)
    assert (await world.check(library, tokens.access)).json()["eligible"] is True
    assert (await offer_of(reader))["missing"] == []


async def test_while_the_programme_rests_the_grant_waits_and_is_a_place_when_it_goes_on(
    world: World, lin: App
) -> None:
    case_id = await opened(lin)
    async with world.database.write() as tx:
        await programme.pause(
            tx, programme_code="library", by=SHELL, reason="维护", now=world.clock.now()
        )
    await decide(world, case_id)
    assert (await offer_of(lin))["offer"] == "closed"
    async with world.database.write() as tx:
        await programme.resume(
            tx, programme_code="library", by=SHELL, reason="恢复", now=world.clock.now()
        )
    await world.work()
    assert (await offer_of(lin))["offer"] == "enrolled"


async def test_who_has_left_meanwhile_gets_nothing(world: World, lin: App) -> None:
    case_id = await opened(lin)
    operator = await OperatorSoftware.of(world, "cases")
    assert (await decided(operator, case_id, **GRANT)).status_code == 200
    assert (await lin.call("DELETE", "/v1/me/participation")).status_code == 204
    await world.work()
    assert await world.count("enrolment") == 0
    assert await world.count("waiting") == 0
    assert (await lin.call("GET", CASES)).json()["items"] == []


async def test_what_would_help_with_what_is_missing_is_said(lin: App) -> None:
    """The library asks for points and returned books; the simulator says what gives how much."""
    offer = await offer_of(lin)
    helps = offer["helps"]
    assert isinstance(helps, list)
    assert 1 <= len(helps) <= 3
    score = (await lin.call("GET", "/v1/me/score")).json()
    gains = {each["indicator"]: each["gain_points"] for each in helps}
    for each in score["helps"]:
        assert gains.get(each["indicator"], each["gain_points"]) == each["gain_points"]
    assert helps[0]["indicator"] in {"library_returns", "volunteer_hours", "library_overdue"}
    assert all(each["text_zh"] and each["text_en"] and each["gain_points"] > 0 for each in helps)
