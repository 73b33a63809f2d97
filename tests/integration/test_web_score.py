"""Goal: on the pages a citizen follows the score, the records behind it, and tries things out.

Method: a browser without a screen on the whole application in process; records come in as files,
the worker's handlers carry out what follows.
"""

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from xml.etree import ElementTree

import pytest

from backend.app import event_handlers
from backend.event import service as event
from backend.event.jobs import Relay
from backend.kit.clock import FixedClock
from tests.support.web import Browser, Page
from tests.support.web_world import World, web_world


@pytest.fixture
async def world(
    tmp_path: Path, database_url: str, valkey_url: str, clock: FixedClock
) -> AsyncIterator[World]:
    """The application as the demo serves it."""
    async with web_world(
        tmp_path, database_url=database_url, valkey_url=valkey_url, clock=clock
    ) as world:
        yield world


async def report(world: World, source: str, class_code: str, line: str) -> None:
    """Put one record of the first citizen on file, an hour later, and let the worker follow."""
    assert isinstance(world.house.clock, FixedClock)
    world.house.clock.advance(timedelta(hours=1))
    await world.report(source, class_code, [f"{world.national_id(1)},{line}"])
    relay = Relay(
        database=world.house.database,
        clock=world.house.clock,
        handlers=event_handlers(world.house),
    )
    async with world.house.database.write() as tx:
        events = await event.claim(tx, now=world.house.clock.now())
    for each in events:
        if each.topic in event_handlers(world.house):
            await relay.handle(each.event_id, attempt=1)


async def reader(world: World) -> Browser:
    """Return the browser of a reader who takes part and was fined and has volunteered since."""
    await world.make_reader()
    browser = world.browser()
    await world.sign_in(browser)
    await world.join(browser)
    await report(world, "city_management_bureau", "penalty_general", "p-1,1,2026-06-01,,1")
    await report(world, "volunteer_federation", "volunteer_service", "v-9,1,2026-11-19,,8")
    return browser


async def test_the_score_page_says_all_there_is_to_say(world: World) -> None:
    browser = await reader(world)
    page = await browser.open("/score")
    assert page.status == 200
    for words in (
        *("为什么是这个分数", "做什么会有帮助", "五个维度", "走势", "最近一次变了什么"),
        *("身份特质", "履约能力", "遵纪守法", "经济行为", "社会公德"),
        "志愿服务时长：从 42 小时变为 50 小时",
        "Volunteer hours: from 42 to 50 hours",
        "即使没有新的记录",
    ):
        assert words in page.html, words
    assert "市志愿服务联合会" in page.html


async def test_the_records_behind_a_reason_lead_to_themselves_in_the_list(world: World) -> None:
    browser = await reader(world)
    page = await browser.open("/score")
    hrefs = re.findall(r'href="(/records\?cursor=[^"#]+)#(r-[0-9a-f-]+)"', page.html)
    assert len(hrefs) > 3
    for href, anchor in hrefs:
        records = await browser.open(href)
        first = records.html.partition('<li class="card" id="')[2].partition('"')[0]
        assert first == anchor


async def test_the_history_is_drawn_and_said(world: World) -> None:
    browser = await reader(world)
    page = await browser.open("/score")
    drawn = re.search(r"<svg xmlns.*?</svg>", page.html, re.DOTALL)
    assert drawn is not None
    chart = ElementTree.fromstring(drawn.group())
    titles = [each.text for each in chart.iter("{http://www.w3.org/2000/svg}title")]
    assert titles[0] == "信用分走势 How your score has moved"
    assert len(titles) == 1 + 4, "three scores and this moment, each with its own words"
    assert page.html.count('href="/score/changes?to=') == 3
    changes = await browser.open("/score/changes?to=2")
    assert "行政处罚：从 0 项变为 1 项" in changes.html
    assert "新计入" in changes.html


async def test_the_first_score_has_nothing_to_be_compared_with(world: World) -> None:
    browser = world.browser()
    await world.sign_in(browser)
    await world.join(browser)
    page = await browser.open("/score")
    assert "没有记录不扣分" in page.html
    assert "最近一次变了什么" not in page.html
    assert "没有新的记录，分数不会变化" in page.html
    assert "没有一项影响到分数" in (await browser.open("/score/changes?to=1")).html


@pytest.mark.parametrize("to", ["0", "9", "x", "-1", "9" * 40, "", "²"])
async def test_a_revision_that_is_not_there_gets_a_page(world: World, to: str) -> None:
    browser = world.browser()
    await world.sign_in(browser)
    await world.join(browser)
    page = await browser.open(f"/score/changes?to={to}")
    assert page.status == 404
    assert "score_revision_missing" in page.html


@pytest.mark.parametrize("path", ["/score", "/score/changes?to=1", "/score/simulation"])
async def test_before_joining_there_is_no_score_page(world: World, path: str) -> None:
    browser = world.browser()
    await world.sign_in(browser)
    page = await browser.open(path)
    assert page.status == 404
    assert 'href="/join"' in page.html


async def test_the_records_page_says_from_whom_and_until_when(world: World) -> None:
    await world.make_reader()
    person = world.national_id(1)
    fines = [f"{person},p-1,1,2026-10-01,,1"]
    await world.report("city_management_bureau", "penalty_minor", fines)
    browser = world.browser()
    await world.sign_in(browser)
    page = await browser.open("/records")
    assert page.status == 200, "records are shown without taking part: they are theirs"
    for words in ("市城市管理局", "行政处罚（轻微失信）", "2027年1月1日", "行政处罚法", "仍在持续"):
        assert words in page.html, words
    stranger = world.browser()
    await world.sign_in(stranger, serial=2)
    assert "这里没有记录" in (await stranger.open("/records")).html


async def test_the_records_are_paged(world: World) -> None:
    person = world.national_id(1)
    lines = [f"{person},r-{n},1,2026-03-{n + 1:02d},,1" for n in range(23)]
    await world.report("city_library", "library_return", lines)
    browser = world.browser()
    await world.sign_in(browser)
    first = await browser.open("/records")
    assert first.html.count('<li class="card"') == 20
    following = re.search(r'href="(/records\?cursor=[^"#]+)"', first.html)
    assert following is not None
    second = await browser.open(following.group(1))
    assert second.html.count('<li class="card"') == 3
    assert (await browser.open("/records?cursor=broken")).status == 400


async def simulate(browser: Browser, kind: str, **typed: str) -> Page:
    """Fill in the form of a kind and send it."""
    page = await browser.open("/score/simulation")
    form = next(each for each in page.forms if each.fields.get("kind") == kind)
    chosen = {"record_class": "volunteer_service"} if kind == "add" else {}
    return await browser.submit(form, **{**chosen, **typed})


def outcome(page: Page) -> str:
    """Return what the page says would happen."""
    found = re.search(r'role="status" aria-labelledby="outcome">(.*?)</section>', page.html, re.S)
    assert found is not None, page.html
    return found.group(1)


async def test_a_record_is_tried_out(world: World) -> None:
    browser = await reader(world)
    page = await simulate(
        browser, "add", record_class="civic_honour", quantity="1", occurred_on="2026-11-01"
    )
    assert page.status == 200
    assert "社会公益荣誉：从 0 项变为 1 项" in outcome(page)
    assert "+25" in outcome(page)


async def test_a_repair_is_tried_out(world: World) -> None:
    browser = await reader(world)
    page = await simulate(browser, "repair")
    assert "行政处罚：从 1 项变为 0 项" in outcome(page)
    assert "距最近行政处罚" in outcome(page)


async def test_time_alone_is_tried_out(world: World) -> None:
    browser = await reader(world)
    page = await simulate(browser, "time", months="12")
    assert "2027年11月20日" in outcome(page)
    assert "行政处罚：从 1 项变为 0 项" in outcome(page)


async def test_trying_out_leaves_nothing_behind(world: World) -> None:
    browser = await reader(world)
    counts = "SELECT (SELECT count(*) FROM record) + (SELECT count(*) FROM score_history)"
    async with world.house.database.read() as tx:
        before = await tx.fetch_value(int, counts)
    shown = (await browser.open("/score")).html
    await simulate(
        browser, "add", record_class="civic_honour", quantity="1", occurred_on="2026-11-01"
    )
    async with world.house.database.read() as tx:
        assert await tx.fetch_value(int, counts) == before
    assert (await browser.open("/score")).html == shown


@pytest.mark.parametrize(
    ("kind", "typed", "field", "words"),
    [
        ("add", {"quantity": "many"}, "quantity", "1 或更大的整数"),
        ("add", {"quantity": "0"}, "quantity", "1 或更大的整数"),
        ("add", {"quantity": "2000000"}, "quantity", "超出了一条记录的范围"),
        ("add", {"occurred_on": "soon"}, "occurred_on", "请输入日期"),
        ("add", {"occurred_on": "2026-11-21"}, "occurred_on", "不能晚于今天"),
        ("add", {"record_class": "goodness"}, "record_class", "从列表中选择"),
        ("time", {"months": "61"}, "months", "0 到 60 个月"),
        ("time", {"months": ""}, "months", "0 到 60 个月"),
    ],
)
async def test_what_is_wrong_is_said_at_its_field(
    world: World, kind: str, typed: dict[str, str], field: str, words: str
) -> None:
    browser = world.browser()
    await world.sign_in(browser)
    await world.join(browser)
    page = await simulate(browser, kind, **typed)
    assert page.status == 422
    assert f'<a href="#{field}">' in page.html
    assert f'id="{field}"' in page.html
    assert words in page.html
    assert 'id="outcome"' not in page.html


@pytest.mark.parametrize(
    "bent",
    [
        {"kind": "repair", "record_id": "x"},
        {"kind": "forget"},
        {"kind": "repair", "record_id": "01a20c5c-4d9c-7030-ad56-ff1f2f7eae45"},
    ],
)
async def test_a_form_no_page_shows_gets_a_page(world: World, bent: dict[str, str]) -> None:
    browser = world.browser()
    await world.sign_in(browser)
    await world.join(browser)
    page = await browser.open("/score/simulation")
    csrf = next(each.fields["csrf"] for each in page.forms if "kind" in each.fields)
    answer = await browser.send("/score/simulation", {**bent, "csrf": csrf})
    assert answer.status in {400, 422}
    assert "<h1>" in answer.html


async def test_a_form_of_another_page_is_turned_away(world: World) -> None:
    browser = world.browser()
    await world.sign_in(browser)
    await world.join(browser)
    for csrf in ("", "forged", (await browser.open("/")).form("/sign-out").fields["csrf"]):
        assert (await simulate(browser, "time", csrf=csrf)).status == 403


@pytest.mark.parametrize("path", ["/score", "/score/changes", "/score/simulation", "/records"])
async def test_the_pages_ask_who_it_is_and_lead_back(world: World, path: str) -> None:
    answer = await world.browser().open(path)
    assert answer.status == 303
    assert answer.location == f"/sign-in?to={path.split('/')[1]}"


async def test_the_form_asks_who_it_is(world: World) -> None:
    answer = await world.browser().send("/score/simulation", {"kind": "time", "csrf": "x"})
    assert answer.status == 303
    assert answer.location.startswith("/sign-in")
