"""Goal: on their pages citizens see their orders, confirm or decline what waits, and answer what is
said owed; nobody else's order can be reached, and nothing needs JavaScript.

Method: a browser without a screen on the whole application in process; a partner opens orders
through the real API with a token the citizen gave on the consent page.
"""

from collections.abc import AsyncIterator

import pytest

from backend.app import House
from tests.support.oauth_client import OauthClient
from tests.support.partner import PartnerSoftware
from tests.support.web import Browser
from tests.support.world import World

ORDERS = "/v1/service-orders"


@pytest.fixture
async def world(house: House) -> AsyncIterator[World]:
    world = World(house)
    yield world
    await world.close()


@pytest.fixture
async def library(world: World) -> OauthClient:
    return await world.found()


async def opened(world: World, library: OauthClient, browser: Browser, number: str = "L-1") -> str:
    """Open an order for whoever is at the browser; return its id."""
    tokens = await world.tokens_of(browser, library, order={"confirm": "citizen"})
    software = PartnerSoftware(library)
    software.token = tokens.access
    body = {"programme": "library", "reference": number, "amount_fen": 8_000}
    answer = await software.call("POST", ORDERS, body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["order_id"])


async def test_an_order_is_confirmed_on_its_page(world: World, library: OauthClient) -> None:
    """Seen from home, with amounts, partner and until when; confirmed, it is active."""
    await world.reader_of()
    browser = await world.browser_of()
    await opened(world, library, browser)
    assert 'href="/orders"' in (await browser.open("/")).html
    page = await browser.open("/orders")
    for words in ("图书借还", "City Library", "¥80.00", "L-1", "待确认", "Waits for you"):
        assert words in page.html, words
    assert "<script" not in page.html
    answer = await browser.submit(page.form("/orders/confirm"))
    assert (answer.status, answer.location) == (303, "/orders?done=confirmed")
    page = await browser.follow(answer)
    assert "Confirmed: the order is active" in page.html
    assert [form.action for form in page.forms if form.action.startswith("/orders")] == []


async def test_an_order_is_declined_on_its_page(world: World, library: OauthClient) -> None:
    await world.reader_of()
    browser = await world.browser_of()
    await opened(world, library, browser)
    page = await browser.open("/orders")
    page = await browser.follow(await browser.submit(page.form("/orders/decline")))
    assert "Cancelled" in page.html
    assert "¥0.00" in page.html


async def test_what_is_owed_is_answered_on_the_page(world: World, library: OauthClient) -> None:
    """From when on it would stand; promised, then contested with words, once."""
    await world.reader_of()
    browser = await world.browser_of()
    order_id = await opened(world, library, browser)
    page = await browser.open("/orders")
    await browser.submit(page.form("/orders/confirm"))
    own = await PartnerSoftware.of(library)
    await own.call("POST", f"{ORDERS}/{order_id}/complete", {"settled_fen": 0})
    report = {"performance": "open_obligation", "amount_fen": 300}
    assert (await own.call("POST", f"{ORDERS}/{order_id}/performance", report)).status_code == 200
    page = await browser.open("/orders")
    for words in ("¥3.00", "2026年12月5日", "no other partner sees it"):
        assert words in page.html, words
    promise = page.form("/orders/reply", reply="will_pay")
    page = await browser.follow(await browser.submit(promise))
    contest = page.form("/orders/reply", reply="contested")
    page = await browser.follow(await browser.submit(contest, text="书已归还"))
    assert "a person looks at it" in page.html
    assert not any(form.action == "/orders/reply" for form in page.forms)
    assert "书已归还" in (await browser.open("/cases")).html


async def test_nobody_reaches_anothers_order(world: World, library: OauthClient) -> None:
    """A form with another's id is not found; one without the page's token is refused."""
    await world.reader_of(1)
    await world.reader_of(2)
    owner, other = await world.browser_of(1), await world.browser_of(2)
    order_id = await opened(world, library, owner)
    form = (await owner.open("/orders")).form("/orders/confirm")
    token = world.form_token(other, "confirm-order", order_id)
    answer = await other.submit(form, csrf=token)
    assert answer.status == 404
    answer = await owner.submit(form, csrf="x")
    assert answer.status == 403
    assert (await owner.submit(form)).status == 303
    answer = await owner.submit(form)
    assert answer.status == 409
    assert "order" in answer.html
