"""Goal: on the pages a citizen can join, see, enrol, look who looked, withdraw and leave.

Method: a browser without a screen on the whole application in process; records come in as files,
a merchant looks through the real API.
"""

from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import pytest

from backend.kit.clock import FixedClock
from tests.support.oauth_client import OauthClient
from tests.support.web import FORM, Browser, Page
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


async def consent_to(world: World, browser: Browser, library: OauthClient) -> str:
    """Let a citizen agree to the library's request; returns the library's access token."""
    request_uri = await world.push(library)
    page = await browser.open(f"/consent?request_uri={request_uri}")
    answer = await browser.submit(page.form("/consent"), answer="accept")
    code = parse_qs(urlsplit(answer.location).query)["code"][0]
    tokens = await library.redeem(code)
    assert tokens.status_code == 200, tokens.text
    token: str = tokens.json()["access_token"]
    return token


async def look(library: OauthClient, token: str) -> dict[str, object]:
    """Let the library verify; returns what it is told."""
    path = "/v1/eligibility-checks"
    answer = await library.http.post(
        path,
        json={"programme": "library"},
        headers={
            "authorization": f"DPoP {token}",
            "dpop": library.proof("POST", path, access_token=token),
            "idempotency-key": "k" * 32,
        },
    )
    told: dict[str, object] = answer.json()
    return told


async def enrol(browser: Browser) -> Page:
    """Turn deposit-free borrowing on."""
    page = await browser.open("/programmes")
    return await browser.submit(page.form("/programmes/enrol", programme="library"))


async def test_before_joining_there_is_no_score_and_nothing_to_enrol(world: World) -> None:
    await world.open_city()
    browser = world.browser()
    home = await world.sign_in(browser)
    assert "您还没有参加" in home.html
    assert "score-number" not in home.html
    offers = await browser.open("/programmes")
    assert "交 100 元押金" in offers.html
    assert [form.action for form in offers.forms] == ["/sign-out"]


async def test_joining_shows_the_score_with_its_reasons(world: World) -> None:
    await world.make_reader()
    browser = world.browser()
    await world.sign_in(browser)
    home = await world.join(browser)
    assert home.status == 200
    assert "score-number" in home.html
    assert home.html.count('class="effect number"') >= 2
    assert home.html.count("<rect") >= 10
    for href in ("/score", "/score/simulation", "/records"):
        assert f'href="{href}"' in home.html


async def test_a_thin_file_is_told_that_no_data_costs_nothing(world: World) -> None:
    browser = world.browser()
    await world.sign_in(browser)
    home = await world.join(browser)
    assert "没有记录不扣分" in home.html


async def test_what_is_missing_is_said_with_the_citizens_own_numbers(world: World) -> None:
    await world.open_city()
    browser = world.browser()
    await world.sign_in(browser)
    await world.join(browser)
    offers = await browser.open("/programmes")
    assert "信用分至少 600 分（您现在 535 分）" in offers.html
    assert "Score: at least 600 points (yours: 535 points)" in offers.html
    assert "或者" in offers.html
    assert [form.action for form in offers.forms] == ["/sign-out"]


async def test_the_main_job_from_records_to_withdrawal(world: World) -> None:
    library = await world.open_city()
    await world.make_reader()
    browser = world.browser()
    await world.sign_in(browser)
    await world.join(browser)
    on = await enrol(browser)
    assert on.location == "/programmes?done=on"
    offers = await browser.follow(on)
    assert "已开通" in offers.html
    token = await consent_to(world, browser, library)
    assert (await look(library, token))["eligible"] is True
    looks = await browser.open("/accesses")
    for words in ("市图书馆", "City Library", "核验是否符合资格", "图书借还", "符合", "不含信用分"):
        assert words in looks.html, words
    consents = await browser.open("/consents")
    form = consents.form("/consents/withdraw")
    assert f'href="/consents#c-{form.fields["consent_id"]}"' in looks.html
    withdrawn = await browser.follow(await browser.submit(form))
    assert "授权已撤回" in withdrawn.html
    assert "Withdrawn" in withdrawn.html
    assert [form.action for form in withdrawn.forms] == ["/sign-out"]
    told = await library.introspect(token)
    assert told.json() == {"active": False}


async def test_a_programme_is_turned_off_by_its_owner_only(world: World) -> None:
    await world.open_city()
    await world.make_reader()
    browser, stranger = world.browser(), world.browser()
    await world.sign_in(browser)
    await world.join(browser)
    offers = await browser.follow(await enrol(browser))
    form = offers.form("/programmes/leave")
    await world.sign_in(stranger, serial=2)
    assert (await stranger.submit(form)).status == 403
    assert (await browser.submit(form)).location == "/programmes?done=off"
    assert "可以开通" in (await browser.open("/programmes")).html


async def test_enrolling_twice_says_that_it_is_on(world: World) -> None:
    await world.open_city()
    await world.make_reader()
    browser = world.browser()
    await world.sign_in(browser)
    await world.join(browser)
    page = await browser.open("/programmes")
    form = page.form("/programmes/enrol", programme="library")
    assert (await browser.submit(form)).status == 303
    twice = await browser.submit(form)
    assert twice.status == 409
    assert "这个项目已经开通" in twice.html


async def test_a_programme_that_does_not_exist_is_not_found(world: World) -> None:
    await world.open_city()
    browser = world.browser()
    await world.sign_in(browser)
    await world.join(browser)
    page = await browser.open("/programmes")
    forged = await browser.send(
        "/programmes/enrol", {"programme": "x", "csrf": page.form("/sign-out").fields["csrf"]}
    )
    assert forged.status == 403


async def test_leaving_erases_and_the_baseline_goes_on(world: World) -> None:
    library = await world.open_city()
    await world.make_reader()
    browser = world.browser()
    await world.sign_in(browser)
    await world.join(browser)
    await enrol(browser)
    token = await consent_to(world, browser, library)
    page = await browser.open("/leave")
    assert "会删除的" in page.html
    left = await browser.follow(await browser.submit(page.form("/leave")))
    assert "您没有参加信用+" in left.html
    assert "score-number" not in (await browser.open("/")).html
    assert (await library.introspect(token)).json() == {"active": False}
    offers = await browser.open("/programmes")
    assert "交 100 元押金" in offers.html
    assert "参加后可开通" in offers.html
    async with world.house.database.read() as tx:
        for table in ("participation", "score", "enrolment"):
            assert await tx.fetch_value(int, f"SELECT count(*)::int FROM {table}") == 0


@pytest.mark.parametrize(
    ("page", "action"),
    [("/join", "/join"), ("/leave", "/leave"), ("/consents", "/consents/withdraw")],
)
async def test_no_form_of_the_pages_works_without_its_token(
    world: World, page: str, action: str
) -> None:
    library, browser = await world.open_city(), world.browser()
    await world.sign_in(browser)
    await world.join(browser)
    await consent_to(world, browser, library)
    form = (await browser.open(page)).form(action)
    for csrf in ("", "forged", (await browser.open("/")).form("/sign-out").fields["csrf"]):
        refused = await browser.submit(form, csrf=csrf)
        assert refused.status == 403
        assert "form_foreign" in refused.html
    assert "score-number" in (await browser.open("/")).html
    assert len((await browser.open("/consents")).forms) == 2


async def test_somebody_elses_consent_is_not_there(world: World) -> None:
    library, browser, stranger = await world.open_city(), world.browser(), world.browser()
    await world.sign_in(browser)
    await world.join(browser)
    await consent_to(world, browser, library)
    theirs = (await browser.open("/consents")).form("/consents/withdraw").fields["consent_id"]
    await world.sign_in(stranger, serial=2)
    await world.join(stranger)
    await consent_to(world, stranger, library)
    own = (await stranger.open("/consents")).form("/consents/withdraw")
    # Even with a token made for that very consent (the page would never show one).
    visit_token = world.form_token(stranger, "withdraw", theirs)
    answer = await stranger.submit(own, consent_id=theirs, csrf=visit_token)
    assert answer.status == 404
    assert "not_found" in answer.html
    assert len((await browser.open("/consents")).forms) == 2


async def test_looks_are_paged(world: World) -> None:
    library, browser = await world.open_city(), world.browser()
    await world.sign_in(browser)
    await world.join(browser)
    token = await consent_to(world, browser, library)
    for _ in range(21):
        await look(library, token)
    first = await browser.open("/accesses")
    assert first.html.count("look-time") == 20
    following = first.html.partition('href="/accesses?cursor=')[2].partition('"')[0]
    second = await browser.open(f"/accesses?cursor={following}")
    assert second.html.count("look-time") == 1
    assert (await browser.open("/accesses?cursor=broken")).status == 400


async def test_a_citizens_name_is_text_even_if_the_database_holds_another(world: World) -> None:
    browser = world.browser()
    await world.sign_in(browser)
    subject_id = world.house.vault.subject_id(world.national_id(1))
    async with world.house.database.write() as tx:
        data_key = await tx.fetch_value(bytes, "SELECT data_key FROM account")
        aad = f"account|name_sealed|{subject_id}"
        sealed = world.house.vault.seal(data_key, b"<script>alert(1)</script>", aad=aad)
        assert await tx.execute("UPDATE account SET name_sealed = $1", sealed) == 1
    home = await browser.open("/")
    assert "您好，&lt;***" in home.html
    assert "您好，<" not in home.html


@pytest.mark.parametrize(
    "path", ["/", "/join", "/leave", "/programmes", "/accesses", "/consents", "/consent"]
)
async def test_every_page_of_a_citizen_asks_who_it_is(world: World, path: str) -> None:
    answer = await world.browser().open(path)
    assert answer.status == 303
    assert answer.location.startswith("/sign-in")
    assert answer.html == ""


@pytest.mark.parametrize(
    "path",
    [
        "/sign-out",
        "/join",
        "/leave",
        "/programmes/enrol",
        "/programmes/leave",
        "/consents/withdraw",
    ],
)
async def test_every_form_of_a_citizen_asks_who_it_is(world: World, path: str) -> None:
    answer = await world.browser().send(path, {"csrf": "x"})
    assert answer.status == 303
    assert answer.location.startswith("/sign-in")


async def test_an_address_that_leads_nowhere_gets_a_page(world: World) -> None:
    missing = await world.browser().open("/no-such-page")
    assert missing.status == 404
    assert "没有找到" in missing.html
    assert missing.headers["content-type"] == "text/html; charset=utf-8"
    assert "not_found" in missing.html
    machine = await world.http().get("/v1/no-such-thing", headers={"accept": "*/*"})
    assert machine.headers["content-type"] == "application/problem+json"


async def test_an_error_page_names_the_request_for_whoever_helps(world: World) -> None:
    refused = await world.browser().send("/sign-in", {"phone": "1", "csrf": "x"})
    assert UUID(refused.headers["x-request-id"])
    assert refused.headers["x-request-id"] in refused.html


async def test_a_body_that_is_no_form_gets_a_page(world: World) -> None:
    browser = world.browser()
    await browser.open("/sign-in")
    as_json = await browser.http.post("/sign-in", json={"phone": "1"})
    assert (as_json.status_code, "text/html" in as_json.headers["content-type"]) == (415, True)
    broken = await browser.http.post("/sign-in", content=b"\xff", headers={"content-type": FORM})
    assert broken.status_code == 400
    large = await browser.http.post(
        "/sign-in", content=b"phone=" + b"1" * 66_000, headers={"content-type": FORM}
    )
    assert large.status_code == 413
    assert "text/html" in large.headers["content-type"]
    assert (await browser.http.get("/sign-out")).status_code == 405


async def test_without_the_database_the_page_says_to_come_back(world: World) -> None:
    browser = world.browser()
    await world.sign_in(browser)
    await world.house.database.close()
    away = await browser.open("/")
    assert away.status == 503
    assert int(away.headers["retry-after"]) > 0
    assert "什么都没有丢失" in away.html


async def test_the_style_sheet_is_kept_and_others_are_not_found(world: World) -> None:
    browser = world.browser()
    page = await browser.open("/sign-in")
    href = page.html.partition('rel="stylesheet" href="')[2].partition('"')[0]
    style = await browser.http.get(href)
    assert style.headers["content-type"].startswith("text/css")
    assert "immutable" in style.headers["cache-control"]
    for name in ("app.py", "..%2Frender.py", "base.html"):
        assert (await browser.http.get(f"/static/{name}")).status_code == 404
