"""Goal: at the desk an operator works through the queue: sees what is due, opens a case with a
reason that its citizen sees, takes it, answers it once; another role sees nothing of it.

Method: browsers without a screen on the whole application; forms are sent as the pages hold them.
"""

from collections.abc import AsyncIterator

import pytest

from backend.app import House
from tests.integration.test_web_operator import signed_in
from tests.support.case_world import ANSWER, WORDS, asking, opened, own_cases
from tests.support.operator import OperatorSoftware
from tests.support.web import Browser, Page
from tests.support.world import App, World

QUEUE = "/operator/cases"
REASON = "核对还书记录"


@pytest.fixture
async def world(house: House) -> AsyncIterator[World]:
    """A city with its programmes."""
    world = World(house)
    await world.found()
    yield world
    await world.close()


@pytest.fixture
async def lin(world: World) -> App:
    """Somebody who has asked for a person."""
    lin = await asking(world)
    await opened(lin)
    return lin


async def desk_of(world: World, *roles: str, login: str) -> Browser:
    browser = world.new_browser()
    operator = await OperatorSoftware.added(world, *roles, login=login)
    assert (await signed_in(browser, operator)).status == 303
    return browser


async def look(browser: Browser, case_id: str, reason: str = REASON) -> Page:
    door = await browser.open(f"{QUEUE}/{case_id}")
    return await browser.submit(door.form(f"{QUEUE}/{case_id}/look"), reason=reason)


async def looks_at(app: App) -> list[str]:
    items = (await app.call("GET", "/v1/me/accesses")).json()["items"]
    return [each["purpose"]["text_zh"] for each in items if each["action"] == "case:read"]


async def test_a_case_is_worked_through_at_the_desk(world: World, lin: App) -> None:
    chen = await desk_of(world, "cases", login="chen.jing")
    (case,) = await own_cases(lin)
    case_id = case["case_id"]
    page = await chen.open(QUEUE)
    assert "1 open, 0 of them overdue" in page.html
    assert f'href="{QUEUE}/{case_id}"' in page.html
    assert "2026年12月11日" in page.html
    assert WORDS not in page.html
    door = await chen.open(f"{QUEUE}/{case_id}")
    assert WORDS not in door.html
    assert await looks_at(lin) == []
    shown = await look(chen, case_id)
    assert WORDS in shown.html
    assert await looks_at(lin) == [f"人工复核：{REASON}"]
    taken = await chen.follow(await chen.submit(shown.form(f"{QUEUE}/{case_id}/take")))
    assert "已由您处理" in taken.html
    assert "chen.jing" in taken.html
    shown = await look(chen, case_id)
    done = await chen.submit(
        shown.form(f"{QUEUE}/{case_id}/decide"),
        outcome="changed",
        answer_zh=ANSWER["answer_zh"],
        answer_en=ANSWER["answer_en"],
    )
    page = await chen.follow(done)
    assert "已答复" in page.html
    assert "0 open" in page.html
    (case,) = await own_cases(lin)
    assert (case["outcome"], case["answer_zh"]) == ("changed", ANSWER["answer_zh"])
    again = await chen.submit(
        shown.form(f"{QUEUE}/{case_id}/decide"), outcome="upheld", answer_zh="x", answer_en="x"
    )
    assert again.status == 409
    shown = await look(chen, case_id)
    assert f"{QUEUE}/{case_id}/decide" not in shown.html


async def test_nothing_is_shown_without_a_reason(world: World, lin: App) -> None:
    chen = await desk_of(world, "cases", login="chen.jing")
    case_id = (await own_cases(lin))[0]["case_id"]
    page = await look(chen, case_id, reason="  ")
    assert page.status == 422
    assert WORDS not in page.html
    assert await looks_at(lin) == []


async def test_an_answer_without_reasons_comes_back_without_the_citizens_words(
    world: World, lin: App
) -> None:
    chen = await desk_of(world, "cases", login="chen.jing")
    case_id = (await own_cases(lin))[0]["case_id"]
    form = (await look(chen, case_id)).form(f"{QUEUE}/{case_id}/decide")
    page = await chen.submit(form, outcome="changed", answer_zh="有还书记录", answer_en=" ")
    assert page.status == 422
    assert "有还书记录" in page.html, "nobody has to type it again"
    assert '<option value="changed" selected>' in page.html
    assert WORDS not in page.html
    assert len(await looks_at(lin)) == 1
    assert (await own_cases(lin))[0]["state"] == "open"
    for outcome in ("", "perhaps"):
        page = await chen.submit(form, outcome=outcome, answer_zh="x", answer_en="x")
        assert page.status == 400


async def test_a_case_another_has_taken_is_shown_and_not_decided(world: World, lin: App) -> None:
    chen = await desk_of(world, "cases", login="chen.jing")
    li = await desk_of(world, "cases", login="li.na")
    case_id = (await own_cases(lin))[0]["case_id"]
    shown_to_li = await look(li, case_id)
    shown = await look(chen, case_id)
    await chen.submit(shown.form(f"{QUEUE}/{case_id}/take"))
    late = await li.submit(shown_to_li.form(f"{QUEUE}/{case_id}/take"))
    assert late.status == 409
    shown_to_li = await look(li, case_id)
    assert "chen.jing" in shown_to_li.html
    assert f"{QUEUE}/{case_id}/decide" not in shown_to_li.html
    over = await li.submit(shown_to_li.form(f"{QUEUE}/{case_id}/take"))
    assert over.location == f"{QUEUE}?done=taken"
    assert "li.na" in (await li.open(QUEUE)).html


@pytest.mark.parametrize("role", ["programmes", "audit"])
async def test_another_role_sees_nothing_of_it(world: World, lin: App, role: str) -> None:
    other = await desk_of(world, role, login="zhou.min")
    case_id = (await own_cases(lin))[0]["case_id"]
    assert QUEUE not in (await other.open("/operator")).html
    for href in (QUEUE, f"{QUEUE}/{case_id}"):
        page = await other.open(href)
        assert page.status == 403
        assert WORDS not in page.html
    citizen = await world.browser_of(1)
    assert (await citizen.open(QUEUE)).location == "/operator/sign-in"
    assert await looks_at(lin) == []


async def test_a_form_of_another_browser_or_case_does_nothing(world: World, lin: App) -> None:
    chen = await desk_of(world, "cases", login="chen.jing")
    li = await desk_of(world, "cases", login="li.na")
    first = (await own_cases(lin))[0]["case_id"]
    second = await opened(lin, programme="rental")
    form = (await look(chen, first)).form(f"{QUEUE}/{first}/decide")
    fields = {**form.fields, "outcome": "upheld", "answer_zh": "x", "answer_en": "x"}
    assert (await li.send(f"{QUEUE}/{first}/decide", fields)).status == 403
    assert (await chen.send(f"{QUEUE}/{second}/decide", fields)).status == 403
    assert await world.count("review_case", "state = 'open'") == 2
