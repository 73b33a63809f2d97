"""Goal: everybody can read what may be collected before they join, as data and as a page.

Method: the whole application in process, asked by nobody in particular; another edition published
in between.
"""

from collections.abc import AsyncIterator
from html import unescape
from pathlib import Path

import asyncpg
import httpx
import pytest

from backend.app import House, health_checks
from backend.kit.clock import FixedClock
from backend.kit.health import examine
from backend.record import service
from tests.conftest import NOW
from tests.support.web_world import World as WebWorld
from tests.support.web_world import web_world
from tests.support.world import World

SHIPPED = service.packaged_catalogue()
DOCUMENT, SOURCES = service.packaged_texts()


@pytest.fixture
async def http(house: House) -> AsyncIterator[httpx.AsyncClient]:
    world = World(house)
    yield world.http
    await world.close()


@pytest.fixture
async def pages(
    tmp_path: Path, database_url: str, valkey_url: str, clock: FixedClock
) -> AsyncIterator[WebWorld]:
    async with web_world(
        tmp_path, database_url=database_url, valkey_url=valkey_url, clock=clock
    ) as world:
        yield world


async def publish_next(house: House) -> None:
    async with house.database.write() as tx:
        await service.publish_catalogue(
            tx,
            document=DOCUMENT.replace(f'"{SHIPPED.edition}"', '"2027-1"'),
            sources=SOURCES,
            published_by="王工",
            now=NOW,
        )


async def test_it_says_what_on_which_basis_by_whom_for_how_long_and_how_it_ends(
    http: httpx.AsyncClient,
) -> None:
    answer = await http.get("/v1/catalogue")
    assert answer.status_code == 200
    told = answer.json()
    assert told["edition"] == SHIPPED.edition
    classes = {each["code"]: each for each in told["classes"]}
    assert classes.keys() == SHIPPED.classes.keys()
    penalty = classes["penalty_general"]
    assert penalty["legal_basis"] == "《中华人民共和国行政处罚法》第四十八条"
    assert penalty["basis"] == "statute"
    assert [each["code"] for each in penalty["reported_by"]] == [
        "market_regulation_bureau",
        "city_management_bureau",
    ]
    assert penalty["report_within_working_days"] == 7
    assert penalty["ends"] == {
        "is_lasting": False,
        "kept_months": None,
        "published_min_months": 3,
        "published_max_months": 12,
        "conduct_months": 60,
    }
    lasting = classes["business_registration"]["ends"]
    assert (lasting["is_lasting"], lasting["kept_months"]) == (True, 120)
    assert classes["library_return"]["basis"] == "consent"
    assert classes["library_return"]["value"] == {
        "name_zh": "归还件数",
        "name_en": "items returned",
        "unit_zh": "件",
        "unit_en": "item",
        "max": 200,
    }


async def test_it_may_be_kept_and_is_sent_again_only_when_it_changed(
    http: httpx.AsyncClient, house: House
) -> None:
    first = await http.get("/v1/catalogue")
    assert first.headers["cache-control"] == "public, max-age=300"
    tag = first.headers["etag"]
    for known in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        again = await http.get("/v1/catalogue", headers={"if-none-match": known})
        assert (again.status_code, again.content) == (304, b""), known
        assert again.headers["etag"] == tag
        assert again.headers["cache-control"] == "public, max-age=300"
    assert (
        await http.get("/v1/catalogue", headers={"if-none-match": '"other"'})
    ).status_code == 200
    await publish_next(house)
    changed = await http.get("/v1/catalogue", headers={"if-none-match": tag})
    assert (changed.status_code, changed.json()["edition"]) == (200, "2027-1")
    assert changed.headers["etag"] != tag


async def test_without_an_edition_it_is_missing_and_the_service_is_not_ready(
    http: httpx.AsyncClient, house: House, database_url: str
) -> None:
    owner = await asyncpg.connect(database_url)
    await owner.execute("DELETE FROM catalogue_edition")
    await owner.close()
    answer = await http.get("/v1/catalogue")
    assert (answer.status_code, answer.json()["code"]) == (503, "catalogue_missing")
    assert answer.headers["cache-control"] == "no-store"
    view = await examine([each for each in health_checks(house) if each.name == "catalogue"])
    assert view.status == "unavailable"
    assert "creditplus catalogue publish" in view.checks[0].status


async def test_a_page_says_it_in_words_to_whoever_comes(pages: WebWorld) -> None:
    page = await pages.browser().open("/catalogue")
    text = unescape(page.html)
    for item in SHIPPED.classes.values():
        assert item.name_zh in text
        assert item.name_en in text
        assert item.legal_basis in text
    assert SHIPPED.edition in page.html
    assert "最长 24 个月，或行为终止满 5 年，以先到者为准" in page.html
    assert "7 个工作日内" in page.html
    assert "<script" not in page.html


async def test_whoever_thinks_of_joining_finds_the_page(pages: WebWorld) -> None:
    await pages.open_city()
    browser = pages.browser()
    home = await pages.sign_in(browser)
    assert 'href="/catalogue"' in home.html
    assert 'href="/catalogue"' in (await browser.open("/join")).html
    shown = await browser.open("/catalogue")
    assert 'action="/sign-out"' in shown.html, "she is still signed in there"
