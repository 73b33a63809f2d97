"""Goal: orders are opened with a consent that said so, up to the bound it named, and no other.

Method: the real application in process. A library asks for service orders by a pushed request; the
citizen reads the page, agrees, looks at the consent and withdraws it.
"""

import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from backend.app import House
from backend.partner import service as partner
from backend.webhook import service as webhook
from backend.webhook.rules.address import TargetPolicy
from tests.support.oauth_client import ORDER_SCOPE, ORDERS, OauthClient
from tests.support.web import Page
from tests.support.world import World, oauth_error_of, problem_of

BY_CITIZEN = {"confirm": "citizen"}
BY_CONSENT = {"confirm": "consent", "amount_max_fen": 5000}


@pytest.fixture
async def world(house: House) -> AsyncIterator[World]:
    world = World(house)
    yield world
    await world.close()


@pytest.fixture
async def library(world: World) -> OauthClient:
    return await world.found()


async def page_of(world: World, library: OauthClient, order: Mapping[str, Any] | None) -> Page:
    """Open the consent page of a participant."""
    await world.reader_of()
    browser = await world.browser_of()
    page = await browser.follow(await browser.open(await world.ask(library, order=order)))
    assert page.status == 200, page.html
    return page


async def test_the_page_says_what_may_be_opened_and_who_confirms(
    world: World, library: OauthClient
) -> None:
    """Under the programme, up to how much, whether each is confirmed, what the partner sees."""
    page = await page_of(world, library, BY_CITIZEN)
    for words in (
        "为您开立“图书借还”服务单",
        "每一笔都要您在信用+确认后才生效",
        "only once you confirm it",
        "每笔最多 100.00 元",
        "yes or no, never the score",
        "each service you use there on credit",
        "those already running are carried to their end",
    ):
        assert words in page.html, words


async def test_the_page_names_the_bound_that_was_asked_for(
    world: World, library: OauthClient
) -> None:
    """5,000 fen are 50.00 yuan; with this consent no order is confirmed again."""
    page = await page_of(world, library, BY_CONSENT)
    for words in (
        "每笔最多 50.00 元",
        "at most 50.00 yuan each",
        "不再逐笔确认",
        "you hear of each",
    ):
        assert words in page.html, words


async def test_a_request_for_checks_says_nothing_of_orders(
    world: World, library: OauthClient
) -> None:
    page = await page_of(world, library, None)
    for words in ("服务单", "service order", "on credit", "确认后才生效"):
        assert words not in page.html, words


async def test_the_token_carries_the_detail_and_checks_with_it(
    world: World, library: OauthClient
) -> None:
    """RFC 9396 section 7: the client sees what was granted; the citizen sees it too."""
    app = await world.reader_of()
    tokens = await world.tokens_of(await world.browser_of(), library, order=BY_CONSENT)
    assert tokens.body["authorization_details"] == [{**ORDERS[0], **BY_CONSENT}]
    assert tokens.body["scope"] == ORDER_SCOPE
    assert (await world.check(library, tokens.access)).json()["eligible"] is True
    refused = await world.check(library, tokens.access, "rental")
    problem_of(refused, 403, "insufficient_authorization_details")
    (item,) = (await app.call("GET", "/v1/me/consents")).json()["items"]
    assert item["order"] == BY_CONSENT
    assert [kind["code"] for kind in item["data_kinds"]] == ["eligibility", "order"]


async def test_the_bound_of_the_day_is_written_into_the_grant(
    world: World, library: OauthClient
) -> None:
    """Left out, it is the programme's as it stands: a later rise opens nothing wider."""
    await world.reader_of()
    tokens = await world.tokens_of(await world.browser_of(), library, order=BY_CITIZEN)
    granted = [{**ORDERS[0], "amount_max_fen": 10_000}]
    assert tokens.body["authorization_details"] == granted


async def test_the_consents_page_shows_it_and_ends_it(world: World, library: OauthClient) -> None:
    """Withdrawn, the token is dead at once, for orders as for checks."""
    await world.reader_of()
    browser = await world.browser_of()
    tokens = await world.tokens_of(browser, library, order=BY_CONSENT)
    page = await browser.open("/consents")
    assert "每笔最多 50.00 元" in page.html
    await browser.submit(page.form("/consents/withdraw"))
    problem_of(await world.check(library, tokens.access), 401, "token_invalid")


async def test_a_consent_to_orders_takes_the_place_of_one_to_checks(
    world: World, library: OauthClient
) -> None:
    """One consent a recipient, purpose and programme: the wider one replaces the narrower."""
    app = await world.reader_of()
    browser = await world.browser_of()
    checks = await world.tokens_of(browser, library)
    orders = await world.tokens_of(browser, library, order=BY_CITIZEN)
    problem_of(await world.check(library, checks.access), 401, "token_invalid")
    assert (await world.check(library, orders.access)).status_code == 200
    states = [i["state"] for i in (await app.call("GET", "/v1/me/consents")).json()["items"]]
    assert sorted(states) == ["ended", "given"]


async def test_what_a_programme_is_not_for_can_not_be_asked(
    world: World, library: OauthClient
) -> None:
    """Another's programme, another purpose, more than its bound: no citizen is asked for it."""
    for change in (
        {"programme": "rental"},
        {"purpose": "deferred_fare"},
        {"amount_max_fen": 10_001},
    ):
        await refused(library, {**ORDERS[0], **change})
    tourist_office = await world.client_of("city-tourism", "tour-demo")
    trip = {"programme": "tourism", "purpose": "tourism_discount"}
    await refused(tourist_office, {**ORDERS[0], **trip})


async def test_a_consent_does_not_confirm_where_the_citizen_has_to(world: World) -> None:
    """The rental programme leaves each order to the citizen; the library's may ask for that."""
    await world.found()
    shop = await world.client_of("city-rental", "rental-demo")
    rental = {**ORDERS[0], "programme": "rental", "purpose": "deposit_free_rental"}
    assert await world.ask(shop, "rental", order=BY_CITIZEN)
    await refused(shop, {**rental, "confirm": "consent"})


async def refused(client: OauthClient, detail: Mapping[str, Any]) -> None:
    """Push a request that is turned down."""
    answer = await client.push(authorization_details=json.dumps([detail]), scope=ORDER_SCOPE)
    oauth_error_of(answer, 400, "invalid_authorization_details")


async def test_the_server_says_which_types_it_knows(world: World) -> None:
    """RFC 9396 section 10."""
    for path in ("oauth-authorization-server", "oauth-protected-resource"):
        told = (await world.http.get(f"/.well-known/{path}")).json()
        assert told["authorization_details_types_supported"] == ["eligibility", "service_order"]


async def test_the_partner_hears_at_its_endpoint_that_a_consent_ended(
    world: World, library: OauthClient
) -> None:
    """The message names the consent that the token response named, and nobody."""
    app = await world.reader_of()
    tokens = await world.tokens_of(await world.browser_of(), library, order=BY_CITIZEN)
    consent_id = tokens.body["consent_id"]
    assert (await library.introspect(tokens.access)).json()["consent_id"] == consent_id
    await follow(world, "consent.ended")
    assert (await app.call("DELETE", f"/v1/me/consents/{consent_id}")).status_code == 204
    await world.work()
    async with world.database.read() as tx:
        body = await tx.fetch_value(
            bytes, "SELECT body FROM webhook_delivery WHERE topic = 'consent.ended'"
        )
    told = json.loads(body)
    assert told["type"] == "consent.ended"
    assert told["data"]["id"] == consent_id
    assert told["data"]["facts"] == {
        "programme": "library",
        "purpose": "deposit_free_borrowing",
        "reason": "withdrawn",
    }
    assert str(await app.subject_id) not in body.decode()


async def follow(world: World, topic: str) -> None:
    """Let the library follow a topic; nothing is listening there, and nothing is sent yet."""
    async with world.database.write() as tx:
        found = await partner.find_partner(tx, code="city-library")
        assert found is not None
        await webhook.add_endpoint(
            tx,
            partner_id=found.partner_id,
            url="https://library.example.cn/hooks",
            topics=[topic],
            scheme="hmac",
            policy=TargetPolicy(allow_loopback=False),
            vault=world.vault,
            now=world.clock.now(),
        )
        await tx.execute("UPDATE webhook_endpoint SET state = 'active', verified_at = created_at")
