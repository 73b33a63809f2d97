"""Goal: two operators bring a programme live on pages, pause it, and nothing goes without a reason.

Method: the whole application, browsers without a screen; forms are sent as the pages hold them.
"""

from collections.abc import AsyncIterator
from importlib.resources import files

import pytest

from backend.app import House
from tests.integration.test_web_operator import signed_in
from tests.support.operator import OperatorSoftware
from tests.support.web import Browser
from tests.support.world import World

LIBRARY = (files("backend.programme") / "data/library.toml").read_text("utf-8")
LIST, PAGE = "/operator/programmes", "/operator/programmes/library/3"


@pytest.fixture
async def world(house: House) -> AsyncIterator[World]:
    world = World(house)
    await world.found()
    yield world
    await world.close()


async def at_desk(world: World, login: str) -> Browser:
    browser = world.new_browser()
    operator = await OperatorSoftware.added(world, "programmes", login=login)
    await signed_in(browser, operator)
    return browser


async def test_two_operators_bring_a_version_live_and_pause_it(world: World) -> None:
    author = await OperatorSoftware.of(world, "programmes")
    text = LIBRARY.replace("version = 2", "version = 3")
    await author.call("POST", "/v1/operator/programmes", {"text": text})
    await author.call("POST", "/v1/operator/programmes/library/versions/3/submit")
    browser = await at_desk(world, "ben")
    page = await browser.open(LIST)
    assert "已提交，待审批" in page.html
    page = await browser.open(PAGE)
    assert "批准并生效" not in page.html, "nothing is approved before a dry run"
    for said in ("deposit_fen = 10000", "at_least = 600", "amount_fen = 200000000"):
        assert said in page.html, "nobody approves a rule or a budget that they can't read"
    page = await browser.submit(page.form(PAGE), step="dry-run", reason="  ")
    assert page.status == 422
    page = await browser.submit(page.form(PAGE), step="dry-run", reason="先看看")
    page = await browser.follow(page)
    assert "baseline_or_better" in page.html
    page = await browser.follow(
        await browser.submit(page.form(PAGE), step="approve", reason="同意")
    )
    assert "生效中" in page.html
    page = await browser.follow(
        await browser.submit(page.form(PAGE), step="pause", reason="系统升级")
    )
    assert "已暂停" in page.html
    assert await world.count("operator_entry", "action = 'programme.approved'") == 1
    assert "script" not in page.html


async def test_a_form_from_elsewhere_and_a_version_that_is_not_there(world: World) -> None:
    browser = await at_desk(world, "ann")
    page = await browser.open("/operator/programmes/library/2")
    form = page.form("/operator/programmes/library/2")
    refused = await browser.submit(form, step="end", reason="好", csrf="x")
    assert refused.status == 403
    for path in ("library/9", "casino/1", "lib%00/1", "library/99999999999999999999"):
        assert (await browser.open(f"{LIST}/{path}")).status == 404
    assert await world.count("programme", "ended_at IS NOT NULL") == 0
