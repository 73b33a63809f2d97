"""Goal: a consent is given by the citizen who read it, once, for exactly what was asked.

Method: a merchant's raw OAuth client pushes real requests; a browser without a screen answers
them on the whole application in process, in every wrong way that has a name.
"""

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from backend.kit.clock import FixedClock
from tests.support.oauth_client import ISSUER, REDIRECT_URI, OauthClient
from tests.support.web import Browser, Form, Page
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


class Scene:
    """A participant at a browser, and a library that asks."""

    def __init__(self, world: World, browser: Browser, library: OauthClient) -> None:
        self.world = world
        self.browser = browser
        self.library = library

    async def ask(self) -> Page:
        """Let the library ask, and open its page."""
        request_uri = await self.world.push(self.library)
        page = await self.browser.open(f"/consent?request_uri={request_uri}")
        assert page.status == 200, page.html
        return page

    async def consents(self) -> int:
        """Count the consents that are in force."""
        async with self.world.house.database.read() as tx:
            return await tx.fetch_value(
                int, "SELECT count(*)::int FROM consent WHERE ended_at IS NULL"
            )

    async def refusals(self) -> int:
        """Count the refusals."""
        async with self.world.house.database.read() as tx:
            return await tx.fetch_value(int, "SELECT count(*)::int FROM consent_refusal")


@pytest.fixture
async def scene(world: World) -> Scene:
    """A participant at a browser, and a library that asks."""
    browser = world.browser()
    await world.sign_in(browser)
    await world.join(browser)
    return Scene(world, browser, await world.open_city())


def answer_of(page: Page) -> dict[str, list[str]]:
    """Return what a redirect tells the client."""
    assert page.status == 303, page.html
    assert page.location.startswith(REDIRECT_URI + "?")
    return parse_qs(urlsplit(page.location).query)


async def test_the_page_says_everything_a_decision_needs(scene: Scene) -> None:
    page = await scene.ask()
    for words in (
        "市图书馆",
        "City Library",
        "Library desk",
        "图书借还",
        "yes or no, never the score",
        "that you need not pay a deposit",
        "2027年11月20日",
        "365 days at most",
        "At most 50 times a day",
        "withdraw",
        "the deposit of 100 yuan is paid back",
        "138****0001",
    ):
        assert words in page.html, words


async def test_refusing_is_as_easy_as_agreeing(scene: Scene) -> None:
    page = await scene.ask()
    assert page.form("/consent").answers == [("answer", "refuse"), ("answer", "accept")]
    buttons = re.findall(r"<button[^>]*name=.answer[^>]*>", page.html)
    assert len(buttons) == 2
    looks = {re.sub(r'value="\w+"', "", button) for button in buttons}
    assert len(looks) == 1, "the two buttons look different"


async def test_agreeing_gives_a_consent_and_a_code_that_is_good(scene: Scene) -> None:
    page = await scene.ask()
    answer = answer_of(await scene.browser.submit(page.form("/consent"), answer="accept"))
    assert (answer["state"], answer["iss"]) == (["xyz"], [ISSUER])
    assert await scene.consents() == 1
    tokens = await scene.library.redeem(answer["code"][0])
    assert tokens.status_code == 200, tokens.text
    consents = await scene.browser.open("/consents")
    assert "市图书馆" in consents.html
    assert len([form for form in consents.forms if form.action == "/consents/withdraw"]) == 1


async def test_refusing_tells_the_client_and_starts_the_cool_down(
    scene: Scene, clock: FixedClock
) -> None:
    page = await scene.ask()
    answer = answer_of(await scene.browser.submit(page.form("/consent"), answer="refuse"))
    assert answer == {"error": ["access_denied"], "state": ["xyz"], "iss": [ISSUER]}
    assert (await scene.consents(), await scene.refusals()) == (0, 1)
    request_uri = await scene.world.push(scene.library)
    refused = await scene.browser.open(f"/consent?request_uri={request_uri}")
    assert refused.status == 409
    assert "consent_cooling_down" in refused.html
    assert "2026年11月27日 10:00" in refused.html
    assert [form.action for form in refused.forms] == ["/sign-out"]
    clock.advance(timedelta(days=7))
    await scene.world.sign_in(scene.browser)
    assert (await scene.ask()).status == 200


async def test_a_page_opened_before_the_refusal_can_not_agree_after_it(scene: Scene) -> None:
    first, second = await scene.ask(), await scene.ask()
    await scene.browser.submit(first.form("/consent"), answer="refuse")
    late = await scene.browser.submit(second.form("/consent"), answer="accept")
    assert late.status == 409
    assert "consent_cooling_down" in late.html
    assert await scene.consents() == 0


@pytest.mark.parametrize("first", ["accept", "refuse"])
@pytest.mark.parametrize("second", ["accept", "refuse"])
async def test_a_second_answer_says_that_there_was_one(
    scene: Scene, first: str, second: str
) -> None:
    page = await scene.ask()
    await scene.browser.submit(page.form("/consent"), answer=first)
    before = (await scene.consents(), await scene.refusals())
    again = await scene.browser.submit(page.form("/consent"), answer=second)
    assert again.status in {409, 410}
    assert again.location == ""
    assert (await scene.consents(), await scene.refusals()) == before
    reloaded = await scene.browser.open(
        f"/consent?request_uri={page.form('/consent').fields['request_uri']}"
    )
    assert reloaded.status == 410
    assert "authorization_request_gone" in reloaded.html


async def test_of_two_answers_at_once_one_counts(scene: Scene) -> None:
    form = (await scene.ask()).form("/consent")
    answers = await asyncio.gather(
        *(scene.browser.submit(form, answer=answer) for answer in ("accept", "refuse", "accept"))
    )
    assert sorted(answer.status for answer in answers)[0] == 303
    assert len([answer for answer in answers if answer.status == 303]) == 1
    assert await scene.consents() + await scene.refusals() == 1


async def test_a_request_that_is_over_says_so_and_changes_nothing(
    scene: Scene, clock: FixedClock
) -> None:
    page = await scene.ask()
    clock.advance(timedelta(minutes=15))
    form = page.form("/consent")
    late = await scene.browser.submit(form, answer="accept")
    assert late.status == 410
    assert "authorization_request_gone" in late.html
    gone = await scene.browser.open(f"/consent?request_uri={form.fields['request_uri']}")
    assert gone.status == 410
    assert await scene.consents() == 0


@pytest.mark.parametrize(
    "query",
    [
        "",
        "request_uri=",
        "request_uri=https://library.example.cn/request",
        "request_uri=urn:ietf:params:oauth:request_uri:" + "A" * 43,
        "request_uri=" + "A" * 4000,
        "client_id=library-demo&response_type=code&redirect_uri=https://evil.example",
    ],
)
async def test_a_request_nobody_pushed_is_over(scene: Scene, query: str) -> None:
    page = await scene.browser.open(f"/consent?{query}")
    assert page.status == 410
    assert "evil" not in page.html


async def test_a_request_that_skipped_the_authorization_endpoint_is_over(scene: Scene) -> None:
    request_uri = (await scene.library.push()).json()["request_uri"]
    assert (await scene.browser.open(f"/consent?request_uri={request_uri}")).status == 410


@pytest.mark.parametrize("csrf", [None, "", "forged", "A" * 43])
async def test_an_answer_without_our_token_changes_nothing(scene: Scene, csrf: str | None) -> None:
    form = (await scene.ask()).form("/consent")
    fields = {**form.fields, "answer": "accept"}
    del fields["csrf"]
    if csrf is not None:
        fields["csrf"] = csrf
    refused = await scene.browser.send("/consent", fields)
    assert refused.status == 403
    assert "form_foreign" in refused.html
    assert await scene.consents() == 0
    assert (await scene.browser.submit(form, answer="accept")).status == 303


async def test_a_token_of_another_request_is_not_good_for_this_one(scene: Scene) -> None:
    mine, other = (await scene.ask()).form("/consent"), (await scene.ask()).form("/consent")
    crossed = await scene.browser.submit(mine, csrf=other.fields["csrf"], answer="accept")
    assert crossed.status == 403
    assert await scene.consents() == 0


async def test_a_form_of_another_citizens_browser_is_not_good_here(scene: Scene) -> None:
    form = (await scene.ask()).form("/consent")
    stranger = scene.world.browser()
    await scene.world.sign_in(stranger, serial=2)
    await scene.world.join(stranger)
    refused = await stranger.submit(form, answer="accept")
    assert refused.status == 403
    assert await scene.consents() == 0


async def test_an_answer_after_signing_out_changes_nothing(scene: Scene) -> None:
    form = (await scene.ask()).form("/consent")
    home = await scene.browser.open("/")
    await scene.browser.submit(home.form("/sign-out"))
    late = await scene.browser.submit(form, answer="accept")
    assert late.status == 303
    assert late.location.startswith("/sign-in")
    assert await scene.consents() == 0


@pytest.mark.parametrize("answer", ["", "yes", "ACCEPT"])
async def test_only_the_two_answers_are_answers(scene: Scene, answer: str) -> None:
    form = (await scene.ask()).form("/consent")
    assert (await scene.browser.submit(form, answer=answer)).status == 400
    assert await scene.consents() + await scene.refusals() == 0


async def test_whoever_does_not_take_part_can_join_first_or_refuse(world: World) -> None:
    library, browser = await world.open_city(), world.browser()
    await world.sign_in(browser)
    scene = Scene(world, browser, library)
    page = await scene.ask()
    form = page.form("/consent")
    assert form.answers == [("answer", "refuse")]
    forced = await browser.submit(form, answer="accept")
    assert forced.status == 409
    assert "participation_required" in forced.html
    assert await scene.consents() == 0
    join = await browser.open(f"/join?request_uri={form.fields['request_uri']}")
    back = await browser.submit(join.form("/join"))
    assert back.location == f"/consent?request_uri={form.fields['request_uri']}"
    page = await browser.follow(back)
    assert answer_of(await browser.submit(page.form("/consent"), answer="accept"))["code"]


async def test_signing_in_on_the_way_leads_back_to_the_same_request(world: World) -> None:
    library, browser = await world.open_city(), world.browser()
    request_uri = await world.push(library)
    page = await browser.follow(await browser.open(f"/consent?request_uri={request_uri}"))
    page = await world.sign_in(browser, page=page)
    assert page.form("/consent").fields["request_uri"] == request_uri


async def test_the_form_may_end_at_the_clients_origin_only(scene: Scene) -> None:
    page = await scene.ask()
    policy = page.headers["content-security-policy"]
    assert policy.endswith("form-action 'self' https://library.example.cn")
    home = await scene.browser.open("/")
    assert home.headers["content-security-policy"].endswith("form-action 'self'")


async def test_no_page_may_be_framed_kept_or_lead_elsewhere(scene: Scene) -> None:
    page = await scene.ask()
    await scene.browser.submit(page.form("/consent"), csrf="", answer="accept")
    await scene.browser.submit(page.form("/consent"), answer="accept")
    await scene.browser.open("/consent?request_uri=x")
    for response in scene.world.pages():
        assert "frame-ancestors 'none'" in response.headers["content-security-policy"]
        assert response.headers["x-frame-options"] == "DENY"
        assert response.headers["referrer-policy"] == "same-origin"
        assert response.headers["cache-control"] == "no-store"


async def test_a_clients_name_is_text_whatever_it_says(world: World) -> None:
    library, browser = (
        await world.open_city(name_en="<img src=x onerror=alert(1)>"),
        world.browser(),
    )
    await world.sign_in(browser)
    await world.join(browser)
    page = await Scene(world, browser, library).ask()
    assert "<img" not in page.html
    assert "&lt;img src=x" in page.html


async def test_a_suspended_client_asks_in_vain(scene: Scene) -> None:
    form: Form = (await scene.ask()).form("/consent")
    async with scene.world.house.database.write() as tx:
        await tx.execute("UPDATE client SET suspended_at = now()")
    assert (await scene.browser.submit(form, answer="accept")).status == 410
    assert await scene.consents() == 0
