"""Goal: at the browser a citizen waits for a seat, sees before how many, stops waiting, is enrolled
in their turn, and reads what would help with a "not yet"; nobody else's browser does any of it.

Method: a browser without a screen on the whole application in process.
"""

from collections.abc import AsyncIterator

import pytest

from backend.app import House
from tests.support.web import Browser, Page
from tests.support.world import App, World


@pytest.fixture
async def world(house: House) -> AsyncIterator[World]:
    """A city with its programmes; one seat for borrowing, and somebody has it."""
    world = World(house)
    await world.found()
    yield world
    await world.close()


@pytest.fixture
async def holder(world: World) -> App:
    """Who has the only seat."""
    holder = await world.reader_of(9)
    async with world.database.write() as tx:
        await tx.execute("UPDATE seat_budget SET seats_total = 1 WHERE programme_code = 'library'")
    return holder


@pytest.fixture
async def browser(world: World, holder: App) -> Browser:
    """The browser of somebody who meets the rule, signed in."""
    assert holder.token is not None
    await world.reader_of(1, enrols=())
    return await world.browser_of(1)


def card(page: Page, code: str = "library") -> str:
    """Return one programme's part of the page."""
    start = page.html.index(f'id="{code}"')
    return page.html[start : page.html.index("</section>", start)]


async def give_up(holder: App) -> None:
    offer = (await holder.call("GET", "/v1/me/programmes/library")).json()
    path = f"/v1/me/enrolments/{offer['enrolment']['enrolment_id']}"
    assert (await holder.call("DELETE", path)).status_code == 204


async def wait(browser: Browser) -> Page:
    page = await browser.open("/programmes")
    return await browser.submit(page.form("/programmes/wait", programme="library"))


async def test_all_places_taken_offers_to_wait_and_says_how_many_come_first(
    browser: Browser,
) -> None:
    page = await browser.open("/programmes")
    assert "名额已满" in card(page)
    assert "候补 图书借还" in card(page)
    told = await wait(browser)
    assert told.location == "/programmes?done=waiting"
    page = await browser.follow(told)
    assert "轮到您时会自动开通并通知您" in page.html
    assert "候补中" in card(page)
    assert "前面不到 20 人" in card(page)
    assert "fewer than 20 people before you" in card(page)
    assert "/programmes/wait" not in [form.action for form in page.forms]


async def test_waiting_twice_is_once_and_it_can_be_given_up(world: World, browser: Browser) -> None:
    page = await browser.open("/programmes")
    form = page.form("/programmes/wait", programme="library")
    for _ in range(2):
        assert (await browser.submit(form)).location == "/programmes?done=waiting"
    assert await world.count("waiting") == 1
    page = await browser.open("/programmes")
    leave = page.form("/programmes/waiting/leave")
    stranger = await world.app_of(2, joins=True)
    assert stranger.token is not None
    assert (await (await world.browser_of(2)).submit(leave)).status == 403
    gone = await browser.submit(leave)
    assert gone.location == "/programmes?done=not-waiting"
    assert "已退出候补" in (await browser.follow(gone)).html
    assert await world.count("waiting") == 0
    assert (await browser.submit(leave)).status == 404


async def test_in_their_turn_it_is_on_and_a_notice_says_so(
    world: World, browser: Browser, holder: App
) -> None:
    await wait(browser)
    await give_up(holder)
    await world.work()
    page = await browser.open("/programmes")
    assert "关闭 图书借还" in card(page)
    assert "候补" not in card(page)
    assert "候补成功" in (await browser.open("/notices")).html


async def test_a_seat_that_came_free_meanwhile_is_taken_at_once(
    browser: Browser, holder: App
) -> None:
    page = await browser.open("/programmes")
    form = page.form("/programmes/wait", programme="library")
    await give_up(holder)
    assert (await browser.submit(form)).location == "/programmes?done=on"


async def test_not_yet_says_what_would_help_and_leads_to_the_simulator_and_a_person(
    world: World, holder: App
) -> None:
    lin = await world.app_of(3, joins=True)
    page = await (await world.browser_of(3)).open("/programmes")
    offer = (await lin.call("GET", "/v1/me/programmes/library")).json()
    shown = card(page)
    assert "做什么会有帮助" in shown
    for each in offer["helps"]:
        assert f"{each['text_zh']}（约 +{each['gain_points']} 分）" in shown
        assert f"{each['text_en']} (about +{each['gain_points']} points)" in shown
    assert 'href="/score/simulation"' in shown
    assert 'href="/cases/new?programme=library"' in shown
    assert "候补" not in shown, "who may not enrol may not wait"
    assert holder.token is not None
