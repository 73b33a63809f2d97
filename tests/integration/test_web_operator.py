"""Goal: an operator signs in at a browser with the same password and factor as a program, sees what
their roles open and nothing else, and a citizen's session is never an operator's.

Method: the whole application, a browser without a screen; forms are sent as the pages hold them.
"""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from backend.app import House
from backend.kit.clock import FixedClock
from backend.ledger.rules import Actor
from backend.operator import service
from tests.support.operator import PASSWORD, REASON, OperatorSoftware, secret_of
from tests.support.web import Browser, Page
from tests.support.world import World

MINUTE = timedelta(minutes=1)
SIGN_IN, DESK, ENTRIES = "/operator/sign-in", "/operator", "/operator/entries"


@pytest.fixture
async def world(house: House) -> AsyncIterator[World]:
    """A city."""
    world = World(house)
    yield world
    await world.close()


async def signed_in(browser: Browser, operator: OperatorSoftware, **typed: str) -> Page:
    """Fill in the sign-in page; return what comes of it."""
    page = await browser.open(SIGN_IN)
    told = {"login": operator.login, "password": PASSWORD, "totp": operator.code, **typed}
    return await browser.submit(page.form(SIGN_IN), **told)


async def test_an_auditor_signs_in_reads_and_signs_out(world: World) -> None:
    auditor = await OperatorSoftware.added(world, "audit", login="zhou.min")
    browser = world.new_browser()
    page = await signed_in(browser, auditor)
    assert (page.status, page.location) == (303, DESK)
    cookie = next(c for c in page.headers.get_list("set-cookie") if "credit_operator=" in c)
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    page = await browser.follow(page)
    assert "陈静" in page.html
    assert ENTRIES in page.html
    page = await browser.open(ENTRIES)
    assert "operator.signed_in" in page.html
    assert REASON in page.html
    assert "script" not in page.html
    assert "default-src 'none'" in page.headers["content-security-policy"]
    out = await browser.submit(page.form("/operator/sign-out"))
    assert out.location == SIGN_IN
    assert (await browser.open(DESK)).location == SIGN_IN


async def test_a_role_opens_its_pages_only(world: World) -> None:
    clerk = await OperatorSoftware.added(world, "data")
    browser = world.new_browser()
    page = await browser.follow(await signed_in(browser, clerk))
    assert ENTRIES not in page.html
    page = await browser.open(ENTRIES)
    assert page.status == 403
    assert 'href="/operator"' in page.html


async def test_wrong_is_not_told_and_digits_may_be_typed_loosely(world: World) -> None:
    clerk = await OperatorSoftware.added(world, "data")
    browser, told = world.new_browser(), set()
    for typed in ({"login": "nobody"}, {"password": "x" * 20}, {"totp": "abc"}, {"login": "A b"}):
        page = await signed_in(browser, clerk, **typed)
        assert page.status == 422
        told.add(page.html.replace(typed.get("login", clerk.login), ""))
    assert len({len(html) for html in told}) == 1
    digits = clerk.code.translate({ord("0") + n: ord("０") + n for n in range(10)})
    page = await signed_in(browser, clerk, totp=f" {digits[:3]} {digits[3:]}", login=" op-1 ")
    assert page.location == DESK


async def test_a_form_from_elsewhere_signs_nobody_in(world: World) -> None:
    clerk = await OperatorSoftware.added(world, "data")
    fields = {"login": clerk.login, "password": PASSWORD, "totp": clerk.code}
    assert (await world.new_browser().send(SIGN_IN, fields)).status in {400, 403}
    browser, other = world.new_browser(), world.new_browser()
    form = (await other.open(SIGN_IN)).form(SIGN_IN)
    await browser.open(SIGN_IN)
    assert (await browser.submit(form, **fields)).status == 403
    await signed_in(browser, clerk)
    assert (await browser.send("/operator/sign-out", {"csrf": "x"})).status == 403
    assert (await browser.open(DESK)).status == 200


async def test_sessions_of_pages_end_idle_late_and_at_once(world: World, clock: FixedClock) -> None:
    clerk = await OperatorSoftware.added(world, "data")
    browser = world.new_browser()
    await signed_in(browser, clerk)
    for _ in range(2):
        clock.advance(14 * MINUTE)
        assert (await browser.open(DESK)).status == 200
    clock.advance(15 * MINUTE)
    assert (await browser.open(DESK)).location == SIGN_IN
    await signed_in(browser, clerk)
    async with world.database.write() as tx:
        await service.set_suspended(
            tx,
            login=clerk.login,
            suspended=True,
            by=Actor.at_shell("测试"),
            reason=REASON,
            now=clock.now(),
        )
    assert (await browser.open(DESK)).location == SIGN_IN


async def test_no_session_is_another_kind(world: World) -> None:
    """A citizen's cookie, a program's token in a cookie, a cookie's token at the API."""
    clerk = await OperatorSoftware.of(world, "data")
    app_browser = world.new_browser()
    assert clerk.token is not None
    app_browser.http.cookies.set("credit_operator", clerk.token, domain="127.0.0.1")
    assert (await app_browser.open(DESK)).location == SIGN_IN
    await world.app_of()
    citizen = await world.browser_of()
    assert (await citizen.open(DESK)).location == SIGN_IN
    citizen.http.cookies.set("credit_operator", citizen.http.cookies["credit_session"])
    assert (await citizen.open(DESK)).location == SIGN_IN
    other = await OperatorSoftware.added(world, "data")
    browser = world.new_browser()
    await signed_in(browser, other)
    other.token = browser.http.cookies["credit_operator"]
    assert (await other.call("GET", "/v1/operator/me")).status_code == 401
    assert (await browser.open("/")).location.startswith("/sign-in")


async def test_a_known_browser_is_not_kept_out_by_strangers(
    world: World, clock: FixedClock
) -> None:
    clerk = await OperatorSoftware.added(world, "data")
    browser = world.new_browser()
    await signed_in(browser, clerk)
    stranger = world.new_browser()
    for _ in range(5):
        assert (await signed_in(stranger, clerk, password="guess" * 3)).status == 422
    assert (await signed_in(stranger, clerk)).status == 429
    clock.advance(16 * MINUTE - 15 * MINUTE)
    await browser.open("/operator/set-up")
    page = await browser.open(DESK)
    assert page.status == 200
    await browser.submit(page.form("/operator/sign-out"))
    assert (await signed_in(browser, clerk)).location == DESK


async def test_a_new_operator_sets_themselves_up_on_a_page(world: World) -> None:
    async with world.database.write() as tx:
        added = await service.add(
            tx,
            login="li.na",
            name_zh="李娜",
            name_en="Li Na",
            roles=["cases"],
            by=Actor.at_shell("测试"),
            reason=REASON,
            now=world.clock.now(),
        )
    browser = world.new_browser()
    typed = {"login": "li.na", "set_up_code": added.set_up_code}
    for passwords in (("short", "short"), (PASSWORD, PASSWORD + "x")):
        form = (await browser.open("/operator/set-up")).form("/operator/set-up")
        page = await browser.submit(form, **typed, password=passwords[0], again=passwords[1])
        assert page.status == 422
    form = (await browser.open("/operator/set-up")).form("/operator/set-up")
    page = await browser.submit(form, **typed, password=PASSWORD, again=PASSWORD)
    assert page.status == 200
    uri = page.html.partition('href="otpauth')[2].partition('"')[0].replace("&amp;", "&")
    operator = OperatorSoftware(world, "li.na", secret_of("otpauth" + uri))
    page = await browser.submit(form, **typed, password=PASSWORD, again=PASSWORD)
    assert page.status == 422
    assert (await signed_in(browser, operator)).location == DESK
