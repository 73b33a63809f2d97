"""Goal: at the browser a citizen asks for a person to look, sees by when, what came of it and who
looked, takes it back; reads notices; and nobody else's browser or form does any of it.

Method: a browser without a screen on the whole application in process.
"""

from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from backend.app import House
from backend.kit.clock import FixedClock
from backend.notice import service as notice
from tests.support.case_world import QUEUE, WORDS, decided
from tests.support.operator import OperatorSoftware
from tests.support.web import Browser, Page
from tests.support.world import App, World

NEW = "/cases/new?programme=library"


@pytest.fixture
async def world(house: House) -> AsyncIterator[World]:
    """A city with its programmes."""
    world = World(house)
    await world.found()
    yield world
    await world.close()


@pytest.fixture
async def lin(world: World) -> App:
    """Somebody whom the library's programme tells "not yet"."""
    return await world.app_of(1, joins=True)


@pytest.fixture
async def browser(world: World, lin: App) -> Browser:
    """Lin's browser, signed in."""
    assert lin.token is not None
    return await world.browser_of(1)


async def ask(browser: Browser, text: str = WORDS) -> Page:
    page = await browser.open(NEW)
    assert page.status == 200, page.html
    return await browser.submit(page.form("/cases"), text=text)


async def case_id_of(world: World) -> str:
    operator = await OperatorSoftware.of(world, "cases")
    items = (await operator.call("GET", QUEUE)).json()["items"]
    case_id: str = items[0]["case_id"]
    return case_id


async def test_a_not_yet_leads_to_a_person(browser: Browser) -> None:
    offers = await browser.open("/programmes")
    assert f'href="{NEW}"' in offers.html
    form = await browser.open(NEW)
    assert "15 个工作日" in form.html
    assert "within 15 working days" in form.html
    page = await browser.follow(await ask(browser))
    assert "已提交" in page.html
    assert WORDS in page.html
    assert "2026年12月11日" in page.html
    assert "11 December 2026" in page.html
    again = await ask(browser)
    assert again.status == 409
    assert "正在处理" in again.html


async def test_the_answer_and_the_look_are_shown(world: World, browser: Browser) -> None:
    await ask(browser)
    operator = await OperatorSoftware.of(world, "cases")
    case_id = await case_id_of(world)
    await operator.call("GET", f"{QUEUE}/{case_id}", reason="核对还书记录")
    assert (await decided(operator, case_id)).status_code == 200
    await world.work()
    page = await browser.open("/cases")
    assert "维持原结果" in page.html
    assert "还书记录少于所需次数" in page.html
    assert 'action="/cases/withdraw"' not in page.html
    accesses = await browser.open("/accesses")
    assert "核对还书记录" in accesses.html
    assert "查看人工复核申请" in accesses.html
    assert "陈静" in accesses.html
    home = await browser.open("/")
    assert "您有 1 条未读通知" in home.html


async def test_notices_are_read_with_one_press(world: World, lin: App, browser: Browser) -> None:
    facts = {"order_id": uuid4(), "programme": "library", "amount_fen": 19900}
    for topic in ("order.to_confirm", "order.activated"):
        async with world.database.write() as tx:
            await notice.notify(
                tx,
                subject_id=await lin.subject_id,
                topic=topic,
                facts=facts,
                now=world.clock.now(),
            )
    page = await browser.open("/notices")
    assert page.html.count("未读 ") == 2
    assert "¥199.00" in page.html
    assert 'href="/orders"' in page.html
    done = await browser.follow(await browser.submit(page.form("/notices/read")))
    assert "未读 " not in done.html
    assert "已标为已读" in done.html
    assert await world.count("notice", "read_at IS NOT NULL") == 2
    assert "未读通知" not in (await browser.open("/")).html


async def test_withdrawing_forgets_and_a_foreign_form_does_nothing(
    world: World, browser: Browser
) -> None:
    await ask(browser)
    page = await browser.open("/cases")
    form = page.form("/cases/withdraw")
    await world.app_of(2, joins=True)
    other = await world.browser_of(2)
    before = await world.affairs()
    stolen = await other.submit(form)
    assert stolen.status == 403
    own = world.form_token(other, "withdraw-case", str(form.fields["case_id"]))
    foreign = await other.submit(form, csrf=own)
    assert foreign.status == 404
    assert await world.affairs() == before
    gone = await browser.follow(await browser.submit(form))
    assert "已撤回" in gone.html
    assert WORDS not in gone.html


async def test_words_that_can_not_be_kept_come_back_with_the_reason(
    world: World, browser: Browser
) -> None:
    page = await ask(browser, "字" * 1001)
    assert page.status == 422
    assert "最多 1000 字" in page.html
    assert "字" * 1001 in page.html, "nobody has to type it again"
    assert await world.count("review_case") == 0


@pytest.mark.parametrize("text", ["<b>x</b>", '"><script>alert(1)</script>', "a\nb"])
async def test_what_was_written_is_shown_as_text(browser: Browser, text: str) -> None:
    page = await browser.follow(await ask(browser, text))
    assert page.status == 200
    assert "<script>alert" not in page.html
    assert "<b>x</b>" not in page.html


@pytest.mark.parametrize("href", ["/cases", "/notices", NEW])
async def test_nobody_sees_these_pages_signed_out(world: World, href: str) -> None:
    page = await world.new_browser().open(href)
    assert page.status == 303
    name = href.partition("?")[0].split("/")[1]
    assert page.location == f"/sign-in?to={name}"


@pytest.mark.parametrize(("code", "status"), [("no-such", 404), ("%00", 404), ("", 404)])
async def test_there_is_no_form_about_nothing(browser: Browser, code: str, status: int) -> None:
    assert (await browser.open(f"/cases/new?programme={code}")).status == status


async def test_who_does_not_take_part_is_led_to_joining(world: World) -> None:
    await world.app_of(3)
    browser = await world.browser_of(3)
    page = await browser.open(NEW)
    assert page.status == 409
    assert 'href="/join"' in page.html


async def test_an_overdue_case_says_so(browser: Browser, world: World, clock: FixedClock) -> None:
    await ask(browser)
    async with world.database.write() as tx:
        await tx.execute("SET LOCAL ROLE NONE")
        await tx.execute("UPDATE review_case SET due_on = '2026-11-19'")
    page = await browser.open("/cases")
    assert "已超过期限" in page.html
    assert "Overdue" in page.html
