"""Goal: a citizen does the main job on a phone of 360 px without JavaScript, and can read it all.

Method: Debian's Chromium against the live application; the merchant is a loopback site with the
raw OAuth client; each page on the way is measured for width, contrast, targets and names.
"""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Literal

import httpx
import pytest
from playwright.async_api import Browser, BrowserContext, Page

from backend.kit.clock import FixedClock
from tests.support.chromium import (
    CHROMIUM,
    LiveClient,
    Merchant,
    chromium,
    free_socket,
    merchant_site,
    serve,
)
from tests.support.page_checks import page_faults
from tests.support.web_world import NAME, PHONE, World, web_world

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"{CHROMIUM} is not installed"),
]

Scheme = Literal["light", "dark"]


class City:
    """A live application, a merchant that asks, and a browser."""

    def __init__(
        self, world: World, browser: Browser, merchant: Merchant, library: LiveClient
    ) -> None:
        self.world = world
        self.browser = browser
        self.merchant = merchant
        self.library = library

    async def phone(self, scheme: Scheme = "light") -> BrowserContext:
        """Return a fresh phone: 360 px wide, no JavaScript."""
        return await self.browser.new_context(
            base_url=self.world.origin,
            viewport={"width": 360, "height": 740},
            java_script_enabled=False,
            color_scheme=scheme,
        )

    async def ask(self) -> str:
        """Push a request, and return the link the merchant would show."""
        pushed = await self.library.push(redirect_uri=self.merchant.redirect_uri)
        assert pushed.status_code == 201, pushed.text
        request_uri = pushed.json()["request_uri"]
        return f"/oauth/authorize?client_id={self.library.client_id}&request_uri={request_uri}"

    async def look(self, token: str) -> httpx.Response:
        """Let the merchant verify."""
        path = "/v1/eligibility-checks"
        headers = {
            "authorization": f"DPoP {token}",
            "dpop": self.library.proof("POST", path, access_token=token),
            "idempotency-key": "k" * 32,
        }
        return await self.library.http.post(path, json={"programme": "library"}, headers=headers)


@pytest.fixture
async def city(
    tmp_path: Path, database_url: str, valkey_url: str, clock: FixedClock
) -> AsyncIterator[City]:
    """A city with a reader in its records and a library with a site."""
    listening = free_socket()
    origin = f"http://127.0.0.1:{listening.getsockname()[1]}"
    async with (
        web_world(
            tmp_path,
            database_url=database_url,
            valkey_url=valkey_url,
            clock=clock,
            origin=origin,
        ) as world,
        serve(world.app, listening),
        merchant_site() as merchant,
        httpx.AsyncClient(base_url=origin) as http,
        chromium() as browser,
    ):
        library = LiveClient(http, clock, origin=origin)
        await world.open_city(library=library, redirect_uri=merchant.redirect_uri)
        await world.make_reader()
        yield City(world, browser, merchant, library)


async def sign_in(city: City, page: Page) -> None:
    """Type phone and code; the first time also name and identity number."""
    await page.get_by_label("手机号").fill(PHONE)
    await page.get_by_role("button", name="发送验证码").click()
    assert await page_faults(page, "输入验证码") == []
    await page.get_by_label("验证码").fill(city.world.code_for(PHONE))
    await page.get_by_role("button", name="登录").click()
    await page.wait_for_url(lambda url: not url.endswith("/sign-in/code"))
    if page.url.endswith("/register"):
        assert await page_faults(page, "建立账户") == []
        await page.get_by_label("姓名").fill(NAME)
        await page.get_by_label("身份证号").fill(city.world.national_id(1))
        await page.get_by_role("button", name="建立账户").click()


async def join(page: Page) -> None:
    """Read the notice and join."""
    await page.get_by_role("link", name="了解并参加").click()
    assert await page_faults(page, "加入信用+") == []
    await page.get_by_role("button", name="我自愿参加").click()


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_the_main_job_on_a_phone(city: City, scheme: Scheme) -> None:
    page = await (await city.phone(scheme)).new_page()
    await page.goto("/")
    assert await page_faults(page, "用手机号登录") == []
    await sign_in(city, page)
    assert await page_faults(page, "您好") == []
    await join(page)
    await page.get_by_role("heading", name="为什么是这个分数").wait_for()
    assert await page_faults(page, "您好") == []
    await page.get_by_role("link", name="项目 Benefits").click()
    assert await page_faults(page, "信易+") == []
    await page.get_by_role("button", name="开通 图书借还").click()
    await page.get_by_role("status").wait_for()
    assert await page_faults(page, "信易+") == []

    await page.goto(await city.ask())
    assert await page_faults(page, "市图书馆想知道一件事") == []
    await page.get_by_role("button", name="同意 Agree", exact=True).click()
    await page.get_by_role("heading", name="Library").wait_for()
    assert page.url.startswith(city.merchant.redirect_uri)
    code = city.merchant.answers[-1]["code"][0]
    redeemed = await city.library.redeem(code, redirect_uri=city.merchant.redirect_uri)
    token = redeemed.json()["access_token"]
    assert (await city.look(token)).json()["eligible"] is True

    await page.goto("/accesses")
    await page.get_by_role("heading", name="市图书馆").wait_for()
    assert await page_faults(page, "查询记录") == []
    await page.get_by_role("listitem").get_by_role("link").first.click()
    await page.get_by_role("button", name="撤回给市图书馆的授权").click()
    await page.get_by_role("status").wait_for()
    assert await page_faults(page, "授权") == []
    assert (await city.library.introspect(token)).json() == {"active": False}

    await page.goto("/leave")
    assert await page_faults(page, "退出信用+") == []
    await page.get_by_role("button", name="退出 Leave", exact=True).click()
    assert await page_faults(page, "您没有参加信用+") == []


async def test_the_score_is_followed_and_tried_out_on_a_phone(city: City) -> None:
    person = city.world.national_id(1)
    fine = [f"{person},p-1,1,2026-06-01,,1"]
    await city.world.report("city_management_bureau", "penalty_general", fine)
    page = await (await city.phone()).new_page()
    await page.goto("/")
    await sign_in(city, page)
    await join(page)
    await page.get_by_role("link", name="分数的一切").click()
    assert await page_faults(page, "我的信用分") == []
    await page.get_by_role("img", name="信用分走势").wait_for()
    behind = page.locator("#reasons ~ ol a").first
    target = (await behind.get_attribute("href") or "").partition("#")[2]
    await behind.click()
    assert await page_faults(page, "我的记录") == []
    assert page.url.endswith(f"#{target}")
    assert await page.locator(f"#{target}").is_visible()

    await page.goto("/score/simulation")
    assert await page_faults(page, "试算") == []
    await page.get_by_label("哪一类").select_option("volunteer_service")
    await page.get_by_label("数量").fill("20")
    await page.get_by_role("button", name="试算").first.click()
    await page.get_by_role("status").wait_for()
    assert await page_faults(page, "试算") == []
    await page.get_by_role("button", name="假如已修复").click()
    outcome = page.get_by_role("status")
    await outcome.get_by_text("行政处罚：从 1 项变为 0 项").wait_for()
    await page.get_by_label("多少个月以后").fill("99")
    await page.get_by_role("button", name="试算").last.click()
    await page.get_by_role("alert").get_by_role("link").click()
    assert await page.evaluate("document.activeElement.id") == "months"
    assert await page_faults(page, "试算") == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_a_person_is_asked_on_a_phone(city: City, scheme: Scheme) -> None:
    page = await (await city.phone(scheme)).new_page()
    await page.goto("/")
    await sign_in(city, page)
    await join(page)
    await page.goto("/notices")
    assert await page_faults(page, "通知") == []
    await page.goto("/programmes")
    await page.get_by_role("link", name="请人工看一下").first.click()
    assert await page_faults(page, "请人工看一下") == []
    await page.get_by_label("您想说明的").fill("很长的一句话" * 60 + "x" * 120)
    await page.get_by_role("button", name="提交").click()
    assert await page_faults(page, "人工复核") == []
    await page.get_by_text("2026年12月11日").wait_for()
    await page.get_by_role("button", name="撤回").click()
    assert await page_faults(page, "人工复核") == []
    await page.get_by_text("您写的内容已删除").wait_for()


async def test_refusing_leads_back_to_the_merchant_too(city: City) -> None:
    page = await (await city.phone()).new_page()
    await page.goto(await city.ask())
    await sign_in(city, page)
    assert await page_faults(page, "市图书馆想知道一件事") == []
    await page.get_by_role("button", name="不同意").click()
    await page.get_by_role("heading", name="Library").wait_for()
    assert city.merchant.answers[-1]["error"] == ["access_denied"]
    await page.goto(await city.ask())
    assert await page_faults(page, "这家商户暂时不能再问您") == []


async def test_faults_of_a_form_are_links_to_their_fields(city: City) -> None:
    page = await (await city.phone()).new_page()
    await page.goto("/sign-in")
    await page.get_by_label("手机号").fill("12")
    await page.get_by_role("button", name="发送验证码").click()
    summary = page.get_by_role("alert")
    await summary.wait_for()
    assert await page_faults(page, "用手机号登录") == []
    assert "错误" in await page.title()
    await summary.get_by_role("link").click()
    assert page.url.endswith("#phone")
    assert await page.evaluate("document.activeElement.id") == "phone"


async def test_the_keyboard_finds_its_way_and_shows_where_it_is(city: City) -> None:
    page = await (await city.phone()).new_page()
    await page.goto("/sign-in")
    reached = []
    for _ in range(4):
        await page.keyboard.press("Tab")
        style = "getComputedStyle(document.activeElement).outlineStyle"
        assert await page.evaluate(style) == "solid"
        reached.append(await page.evaluate("document.activeElement.textContent.trim() || 'field'"))
    assert reached[0].startswith("跳到正文")
    assert reached[1].startswith("信用+")
    assert reached[2] == "field"
    assert reached[3].startswith("发送验证码")


async def test_no_other_site_can_put_a_page_in_a_frame(city: City) -> None:
    page = await (await city.phone()).new_page()
    await page.goto("/")
    await sign_in(city, page)
    city.merchant.page = f'<h1>Library</h1><iframe src="{city.world.origin}/"></iframe>'
    await page.goto(city.merchant.origin)
    await page.get_by_role("heading", name="Library").wait_for()
    framed = page.frames[1]
    assert await framed.get_by_role("button").count() == 0


async def test_another_sites_form_is_turned_away(city: City) -> None:
    page = await (await city.phone()).new_page()
    await page.goto("/")
    await sign_in(city, page)
    city.merchant.page = (
        f'<form method="post" action="{city.world.origin}/join">'
        '<input name="notice_version" value="2026-11"><button>win a prize</button></form>'
    )
    await page.goto(city.merchant.origin)
    await page.get_by_role("button").click()
    # Another port of the same host is the same site: the cookies travel, the token does not.
    assert await page_faults(page, "这张表单不能接受") == []
    await page.goto("/")
    await page.get_by_role("heading", name="您还没有参加").wait_for()


async def test_a_wide_screen_shows_the_same_pages(city: City) -> None:
    context = await city.browser.new_context(
        base_url=city.world.origin, viewport={"width": 1280, "height": 900}
    )
    page = await context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    await page.goto("/")
    await sign_in(city, page)
    await join(page)
    titles = {
        "/": "您好",
        "/programmes": "信易+",
        "/accesses": "查询记录",
        "/consents": "授权",
        "/records": "我的记录",
        "/score": "我的信用分",
        "/score/changes": "变了什么",
        "/score/simulation": "试算",
        "/leave": "退出信用+",
        "/no-such-page": "没有找到",
    }
    for path, title in titles.items():
        await page.goto(path)
        assert await page_faults(page, title) == []
    # The browser reports what the policy blocks and what is not found; there is the one 404.
    assert [text for text in complaints if "404" not in text] == []


async def test_waiting_for_a_place_on_a_phone(city: City) -> None:
    async with city.world.house.database.write() as tx:
        await tx.execute("UPDATE seat_budget SET seats_total = 0")
    page = await (await city.phone()).new_page()
    await page.goto("/")
    await sign_in(city, page)
    await join(page)
    await page.get_by_role("link", name="项目 Benefits").click()
    assert await page_faults(page, "信易+") == []
    await page.get_by_role("button", name="候补 图书借还").click()
    await page.get_by_role("status").wait_for()
    await page.get_by_text("前面不到 20 人").first.wait_for()
    assert await page_faults(page, "信易+") == []
    await page.get_by_role("button", name="退出候补 图书借还").click()
    await page.get_by_role("status").wait_for()
    await page.get_by_role("button", name="候补 图书借还").wait_for()
