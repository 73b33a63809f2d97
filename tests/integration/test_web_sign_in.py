"""Goal: the pages sign in the right person, by cookies nobody else can set, read or send.

Method: a browser without a screen on the whole application in process, on a database of its own;
codes come out of the demo sender's file as they would out of a phone.
"""

import base64
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from backend.citizen import service as citizen
from backend.kit.clock import FixedClock
from backend.kit.crypto import SealBroken
from backend.kit.ids import token_hash
from tests.support.web import Browser, Page
from tests.support.web_world import PHONE, World, phone_of, web_world


@pytest.fixture
async def world(
    tmp_path: Path, database_url: str, valkey_url: str, clock: FixedClock
) -> AsyncIterator[World]:
    """The application as the demo serves it, over http on the loopback address."""
    async with web_world(
        tmp_path, database_url=database_url, valkey_url=valkey_url, clock=clock
    ) as world:
        yield world


@pytest.fixture
async def secure_world(
    tmp_path: Path, database_url: str, valkey_url: str, clock: FixedClock
) -> AsyncIterator[World]:
    """The application as a city serves it, over https."""
    async with web_world(
        tmp_path,
        database_url=database_url,
        valkey_url=valkey_url,
        clock=clock,
        origin="https://credit.example.cn",
    ) as world:
        yield world


REQUEST_URI = "urn:ietf:params:oauth:request_uri:" + "A" * 43


async def test_somebody_new_opens_an_account_and_lands_on_the_page_asked_for(world: World) -> None:
    browser = world.browser()
    asked = await browser.open("/programmes")
    assert asked.status == 303
    assert asked.location == "/sign-in?to=programmes"
    page = await browser.follow(asked)
    sent = await browser.submit(page.form("/sign-in"), phone=PHONE)
    assert sent.location == "/sign-in/code"
    page = await browser.follow(sent)
    assert "138****0001" in page.html
    known = await browser.submit(page.form("/sign-in/code"), code=world.code_for(PHONE))
    assert known.location == "/register"
    page = await browser.follow(known)
    opened = await browser.submit(
        page.form("/register"), name="林晓", national_id=world.national_id(1)
    )
    assert opened.status == 303
    assert opened.location == "/programmes"
    assert (await browser.open("/")).status == 200


async def test_nothing_personal_is_ever_in_an_address(world: World) -> None:
    browser = world.browser()
    await world.sign_in(browser)
    addresses = [str(response.url) for response in world.seen]
    addresses += [response.headers.get("location", "") for response in world.seen]
    for secret in ("13800000001", "%2B86138", world.national_id(1), world.last_code):
        assert not any(secret in address for address in addresses)


async def test_a_wrong_code_is_said_at_the_field_and_in_the_summary(world: World) -> None:
    browser = world.browser()
    page = await _code_page(browser)
    wrong = await browser.submit(page.form("/sign-in/code"), code=world.wrong_code())
    assert wrong.status == 422
    assert 'href="#code"' in wrong.html
    assert 'aria-invalid="true"' in wrong.html
    assert 'aria-describedby="code-hint code-fault"' in wrong.html
    again = await browser.submit(wrong.form("/sign-in/code"), code=world.code_for(PHONE))
    assert again.location == "/register"


async def test_a_code_is_read_as_people_type_it(world: World) -> None:
    browser = world.browser()
    page = await _code_page(browser)
    code = world.code_for(PHONE)
    wide = "".join(chr(ord(digit) + 0xFEE0) for digit in code[:3]) + " " + code[3:]
    assert (await browser.submit(page.form("/sign-in/code"), code=wide)).location == "/register"


async def test_after_five_wrong_codes_the_page_says_to_wait(world: World) -> None:
    browser = world.browser()
    page = await _code_page(browser)
    for _ in range(5):
        page = await browser.submit(page.form("/sign-in/code"), code=world.wrong_code())
        assert page.status == 422
    blocked = await browser.submit(page.form("/sign-in/code"), code=world.code_for(PHONE))
    assert blocked.status == 429
    assert int(blocked.headers["retry-after"]) > 0
    assert "sign_in_throttled" in blocked.html


async def test_others_cant_lock_somebody_out_of_her_own_browser(world: World) -> None:
    """Where she has signed in before, strangers' wrong codes for her phone don't count."""
    browser = world.browser()
    await world.sign_in(browser)
    home = await browser.open("/")
    await browser.submit(home.form("/sign-out"))
    await use_up_tries(world)
    assert (await world.sign_in(browser)).status == 200
    # The mark is for this phone, in this browser.
    moved = world.browser()
    page = await moved.open("/sign-in")
    moved.http.cookies.set("credit_known", browser.http.cookies["credit_known"])
    await use_up_tries(world)
    page = await moved.follow(await moved.submit(page.form("/sign-in"), phone=PHONE))
    assert (await moved.submit(page.form("/sign-in/code"), code="000000")).status == 429


async def use_up_tries(world: World) -> None:
    """Try wrong codes for her phone, as a stranger would."""
    stranger = world.browser()
    page = await stranger.open("/sign-in")
    page = await stranger.follow(await stranger.submit(page.form("/sign-in"), phone=PHONE))
    for _ in range(6):
        tried = await stranger.submit(page.form("/sign-in/code"), code=world.wrong_code())
    assert tried.status == 429


async def test_a_phone_that_is_none_is_said_at_the_field(world: World) -> None:
    browser = world.browser()
    page = await browser.open("/sign-in")
    wrong = await browser.submit(page.form("/sign-in"), phone='"><b>12')
    assert wrong.status == 422
    assert 'href="#phone"' in wrong.html
    assert "<b>12" not in wrong.html
    assert "&lt;b&gt;12" in wrong.html


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"national_id": "11010119900517001X"}, "national_id"),
        ({"name": "<script>alert(1)</script>"}, "name"),
        ({"born": "2012"}, "national_id"),
        ({"name": "别人"}, "national_id"),
    ],
)
async def test_what_is_wrong_with_a_registration_is_said_at_its_field(
    world: World, fields: dict[str, str], field: str
) -> None:
    browser = world.browser()
    page = await _register_page(world, browser)
    typed = {"name": "林晓", "national_id": world.national_id(1), **fields}
    if typed.pop("born", None):
        typed["national_id"] = world.national_id_of_a_minor()
    wrong = await browser.submit(page.form("/register"), **typed)
    assert wrong.status == 422
    assert f'href="#{field}"' in wrong.html
    assert "<script" not in wrong.html


async def test_whoever_has_an_account_signs_in_without_registering(world: World) -> None:
    await world.sign_in(world.browser())
    browser = world.browser()
    page = await _code_page(browser)
    entered = await browser.submit(page.form("/sign-in/code"), code=world.code_for(PHONE))
    assert entered.location == "/"


async def test_the_cookies_say_what_browsers_hold_them_to(world: World) -> None:
    await world.sign_in(world.browser())
    cookies = world.set_cookies()
    assert cookies.keys() == {f"credit_{x}" for x in ("session", "device", "pending", "known")}
    for header in cookies.values():
        assert "HttpOnly" in header
        assert "SameSite=lax" in header
        assert "Path=/" in header
        assert "Domain" not in header
        assert "Secure" not in header


async def test_with_https_the_cookies_are_bound_to_the_host(secure_world: World) -> None:
    await secure_world.sign_in(secure_world.browser())
    cookies = secure_world.set_cookies()
    assert cookies.keys() == {f"__Host-credit{x}" for x in ("", "-device", "-pending", "-known")}
    for header in cookies.values():
        assert "Secure" in header
        assert "HttpOnly" in header
        assert "Path=/" in header
        assert "Domain" not in header
    assert all("strict-transport-security" in page.headers for page in secure_world.pages())


async def test_a_session_ends_on_the_server_when_the_citizen_signs_out(world: World) -> None:
    browser = world.browser()
    home = await world.sign_in(browser)
    token = browser.http.cookies["credit_session"]
    out = await browser.submit(home.form("/sign-out"))
    assert out.location == "/sign-in"
    assert "credit_session" not in browser.http.cookies
    stolen = world.browser()
    stolen.http.cookies.set("credit_session", token)
    assert (await stolen.open("/")).location == "/sign-in?to=home"


async def test_a_session_left_idle_ends_and_one_in_use_goes_on(
    world: World, clock: FixedClock
) -> None:
    browser = world.browser()
    await world.sign_in(browser)
    for _ in range(3):
        clock.advance(timedelta(hours=11))
        assert (await browser.open("/")).status == 200
    clock.advance(timedelta(hours=13))
    assert (await browser.open("/")).location == "/sign-in?to=home"


async def test_signing_in_gives_a_token_that_was_not_there_before(world: World) -> None:
    browser = world.browser()
    browser.http.cookies.set("credit_session", "cp_st_" + "A" * 43, domain="127.0.0.1")
    await world.sign_in(browser)
    assert browser.http.cookies["credit_session"] != "cp_st_" + "A" * 43


@pytest.mark.parametrize("second", [1, 2], ids=["herself again", "somebody new"])
async def test_signing_in_ends_the_session_that_was_there_before(world: World, second: int) -> None:
    """In the same browser, from a page opened before: nobody's session is left behind in it."""
    browser = world.browser()
    early = await browser.open("/sign-in")
    await world.sign_in(browser)
    former = browser.http.cookies["credit_session"]
    await world.sign_in(browser, serial=second, page=early)
    assert browser.http.cookies["credit_session"] != former
    assert (await browser.open("/")).status == 200
    thief = world.browser()
    thief.http.cookies.set("credit_session", former)
    assert (await thief.open("/")).location == "/sign-in?to=home"


async def test_signing_in_ends_no_apps_session(world: World) -> None:
    """A cookie proves no key."""
    browser = world.browser()
    token = await world.app_token()
    early = await browser.open("/sign-in")
    browser.http.cookies.set("credit_session", token)
    await world.sign_in(browser, page=early)
    async with world.house.database.read() as tx:
        now = world.house.clock.now()
        assert await citizen.find_session(tx, token_hash=token_hash(token), now=now) is not None


async def test_an_apps_token_is_no_browser_session(world: World) -> None:
    browser = world.browser()
    token = await world.app_token()
    browser.http.cookies.set("credit_session", token)
    assert (await browser.open("/")).location == "/sign-in?to=home"


async def test_without_cookies_the_page_says_so(world: World) -> None:
    browser = world.browser()
    page = await browser.open("/sign-in")
    browser.http.cookies.clear()
    refused = await browser.submit(page.form("/sign-in"), phone=PHONE)
    assert refused.status == 403
    assert "Cookie" in refused.html
    assert "cookie_missing" in refused.html
    assert world.codes_sent() == 0


@pytest.mark.parametrize("csrf", [None, "", "forged", "A" * 43])
async def test_a_form_that_is_not_ours_changes_nothing(world: World, csrf: str | None) -> None:
    browser = world.browser()
    form = (await browser.open("/sign-in")).form("/sign-in")
    fields = {**form.fields, "phone": PHONE}
    del fields["csrf"]
    if csrf is not None:
        fields["csrf"] = csrf
    refused = await browser.send("/sign-in", fields)
    assert refused.status == 403
    assert "form_foreign" in refused.html
    assert world.codes_sent() == 0


async def test_a_form_of_another_browser_is_not_ours(world: World) -> None:
    mine, theirs = world.browser(), world.browser()
    await mine.open("/sign-in")
    form = (await theirs.open("/sign-in")).form("/sign-in")
    assert (await mine.submit(form, phone=PHONE)).status == 403


async def test_a_half_done_sign_in_is_good_in_its_own_browser_only(world: World) -> None:
    mine, theirs = world.browser(), world.browser()
    await _code_page(mine)
    await theirs.open("/sign-in")
    theirs.http.cookies.set("credit_pending", mine.http.cookies["credit_pending"])
    assert (await theirs.open("/sign-in/code")).location == "/sign-in"


async def test_what_a_browser_carries_is_sealed_with_a_key_of_its_own(world: World) -> None:
    """Anybody can have a cookie sealed, so the key that wraps data keys has no part in it."""
    browser = world.browser()
    page = await browser.open("/sign-in")
    await browser.submit(page.form("/sign-in"), phone=PHONE)
    cookie, device = (browser.http.cookies[f"credit_{part}"] for part in ("pending", "device"))
    sealed = base64.urlsafe_b64decode(cookie + "=" * (-len(cookie) % 4))
    vault, aad = world.house.vault, f"web|pending|{device}"
    assert PHONE in vault.unseal_carried(sealed, aad=aad).decode()
    with pytest.raises(SealBroken):
        vault.unseal_service(sealed, aad=aad)


async def test_a_cookie_of_another_release_is_no_cookie(world: World) -> None:
    """What was half done when a release went out begins anew, and breaks nothing."""
    browser = world.browser()
    await browser.open("/sign-in")
    device = browser.http.cookies["credit_device"]
    sealed = world.house.vault.seal_carried(b'{"phone":"x"}', aad=f"web|pending|{device}")
    browser.http.cookies.set(
        "credit_pending", base64.urlsafe_b64encode(sealed).decode().rstrip("=")
    )
    page = await browser.open("/sign-in/code")
    assert (page.status, page.location) == (303, "/sign-in")


async def test_a_half_done_sign_in_is_over_after_ten_minutes(
    world: World, clock: FixedClock
) -> None:
    browser = world.browser()
    await _code_page(browser)
    clock.advance(timedelta(minutes=10))
    assert (await browser.open("/sign-in/code")).location == "/sign-in"


@pytest.mark.parametrize("broken", ["x", "A" * 40, "%E6%9E%97", "=" * 8, "A" * 5000])
async def test_a_broken_cookie_is_no_cookie(world: World, broken: str) -> None:
    browser = world.browser()
    page = await browser.open("/sign-in")
    for name in ("credit_session", "credit_pending"):
        browser.http.cookies.set(name, broken)
    assert (await browser.open("/")).status == 303
    assert (await browser.open("/sign-in/code")).location == "/sign-in"
    assert page.status == 200


@pytest.mark.parametrize(
    "query",
    [
        "to=https://evil.example",
        "to=//evil.example",
        "to=/%5Cevil.example",
        "request_uri=https://evil.example",
        "request_uri=urn:ietf:params:oauth:request_uri:x%0d%0aLocation:%20https://evil.example",
        "next=https://evil.example",
        "to=programmes&to=https://evil.example",
    ],
)
async def test_sign_in_leads_to_no_address_of_anybodys_choosing(world: World, query: str) -> None:
    browser = world.browser()
    page = await browser.open(f"/sign-in?{query}")
    assert "evil" not in page.html
    entered = await world.sign_in(browser, page=page)
    assert entered.status == 200
    assert all("evil" not in response.headers.get("location", "") for response in world.seen)


async def test_a_forged_way_back_in_the_form_leads_home(world: World) -> None:
    browser = world.browser()
    form = (await browser.open("/sign-in")).form("/sign-in")
    sent = await browser.submit(
        form, phone=PHONE, to="//evil.example", request_uri="https://evil.example"
    )
    page = await browser.follow(sent)
    known = await browser.submit(page.form("/sign-in/code"), code=world.code_for(PHONE))
    page = await browser.follow(known)
    opened = await browser.submit(
        page.form("/register"), name="林晓", national_id=world.national_id(1)
    )
    assert opened.location == "/"


async def test_signing_in_for_a_merchants_request_leads_back_to_exactly_it(world: World) -> None:
    browser = world.browser()
    asked = await browser.open(f"/consent?request_uri={REQUEST_URI}")
    assert asked.location == f"/sign-in?request_uri={REQUEST_URI}"
    page = await browser.follow(asked)
    assert "A merchant asks you" in page.html
    await world.sign_in(browser, page=page)
    redirects = [response.headers.get("location", "") for response in world.seen]
    assert f"/consent?request_uri={REQUEST_URI}" in redirects


async def test_whoever_is_signed_in_already_goes_straight_on(world: World) -> None:
    browser = world.browser()
    await world.sign_in(browser)
    assert (await browser.open("/sign-in?to=accesses")).location == "/accesses"


async def test_the_answer_is_the_same_whether_the_phone_is_known(world: World) -> None:
    await world.sign_in(world.browser())
    answers = []
    for phone in (PHONE, phone_of(2)):
        browser = world.browser()
        page = await browser.open("/sign-in")
        sent = await browser.submit(page.form("/sign-in"), phone=phone)
        code = await browser.follow(sent)
        answers.append((sent.status, sent.location, code.status, len(code.html)))
    assert answers[0] == answers[1]


async def _code_page(browser: Browser, phone: str = PHONE) -> Page:
    page = await browser.open("/sign-in")
    return await browser.follow(await browser.submit(page.form("/sign-in"), phone=phone))


async def _register_page(world: World, browser: Browser) -> Page:
    page = await _code_page(browser)
    code = world.code_for(PHONE)
    return await browser.follow(await browser.submit(page.form("/sign-in/code"), code=code))
