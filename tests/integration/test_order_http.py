"""Goal: a partner opens a service order for a citizen and carries it to its end; what can't be is
refused clearly, and what would say something of the citizen always in the same bytes.

Method: the real application in process, partners with tokens from the whole OAuth way and tokens
of their own, citizens with the app; a test for each sentence of docs/service-orders.md.
"""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from backend.kit.clock import FixedClock
from tests.support.order_world import (
    ORDERS,
    Shop,
    Sum,
    budget_of,
    exposure_of,
    notices_of,
    row_of,
    topics_of,
)
from tests.support.programme_world import GOOD, City, Person, open_city
from tests.support.world import problem_of

RENTAL = {"programme": "rental", "reference": "R-2026-0001", "amount_fen": 20_000}


@pytest.fixture
async def city(
    tmp_path: Path, database_url: str, valkey_url: str, clock: FixedClock
) -> AsyncIterator[City]:
    async with open_city(
        tmp_path, database_url=database_url, valkey_url=valkey_url, clock=clock
    ) as city:
        yield city


@pytest.fixture
async def shop(city: City) -> Shop:
    return await Shop.of(city, "city-rental")


async def opened(
    shop: Shop, person: Person, body: dict[str, Any] | None = None, **consent: Any
) -> dict[str, Any]:
    """Open an order with a fresh token."""
    token = await shop.token(person, "rental", **consent)
    answer = await shop.call("POST", ORDERS, {**RENTAL, **(body or {})}, token=token)
    assert answer.status_code == 201, answer.text
    view: dict[str, Any] = answer.json()
    return view


async def active(shop: Shop, person: Person, body: dict[str, Any] | None = None) -> dict[str, Any]:
    """Open an order and let its citizen confirm it."""
    view = await opened(shop, person, body)
    answer = await shop.city.call(person, "POST", f"/v1/me/orders/{view['order_id']}/confirm")
    assert answer.status_code == 200, answer.text
    return view


async def completed(shop: Shop, person: Person, settled_fen: int = 0) -> str:
    """Bring an order to its completion; return its address."""
    path = f"{ORDERS}/{(await active(shop, person))['order_id']}"
    answer = await shop.call("POST", f"{path}/complete", {"settled_fen": settled_fen})
    assert answer.status_code == 200, answer.text
    return path


async def owed(shop: Shop, path: str, amount_fen: int = 500) -> dict[str, Any]:
    """Say that something is owed under a completed order; return the obligation."""
    report = {"performance": "open_obligation", "amount_fen": amount_fen}
    answer = await shop.call("POST", f"{path}/performance", report)
    assert answer.status_code == 200, answer.text
    view: dict[str, Any] = answer.json()["obligation"]
    return view


async def test_an_order_from_opening_to_the_record_of_its_performance(
    city: City, shop: Shop
) -> None:
    """Opened, confirmed by the citizen, completed with nothing spent, performed: one record."""
    person = await city.person(enrols=["rental"])
    view = await opened(shop, person)
    assert (view["state"], view["credit_fen"], view["own_fen"]) == ("created", 20_000, 0)
    assert await exposure_of(city, person) == 20_000
    assert await budget_of(city, "rental") == Sum(20_000, 0, 1)

    own = (await city.call(person, "GET", "/v1/me/orders")).json()
    assert [each["order_id"] for each in own["items"]] == [view["order_id"]]
    assert (own["open_fen"], own["items"][0]["partner_name_en"]) == (20_000, "City Library")
    confirmed = await city.call(person, "POST", f"/v1/me/orders/{view['order_id']}/confirm")
    assert (confirmed.json()["state"], confirmed.json()["confirmed_by"]) == ("active", "citizen")

    path = f"{ORDERS}/{view['order_id']}"
    done = await shop.call(
        "POST", f"{path}/complete", {"settled_fen": 0, "performance": "performed"}
    )
    assert done.status_code == 200, done.text
    assert (done.json()["state"], done.json()["performance"]) == ("completed", "performed")
    assert (await shop.call("GET", path)).json() == done.json()
    assert await exposure_of(city, person) == 0
    assert await budget_of(city, "rental") == Sum(0, 0, 1)
    assert await city.count("record") == 1
    records = (await city.call(person, "GET", "/v1/me/records")).json()["items"]
    assert [each["record_class"]["code"] for each in records] == ["rental_performed"]
    assert await topics_of(city, UUID(view["order_id"])) == [
        *("order.created", "order.activated", "order.completed")
    ]
    assert await notices_of(city, person) == [
        *("order.activated", "order.completed", "order.to_confirm")
    ]


async def test_an_order_starts_at_once_when_programme_and_consent_say_so(city: City) -> None:
    """A ride is not confirmed one by one; a rental is, whatever the consent says."""
    transit, rental = await Shop.of(city, "city-transit"), await Shop.of(city, "city-rental")
    person = await city.person(enrols=["transit", "rental"])
    token = await transit.token(person, "transit", confirm="consent")
    ride = {"programme": "transit", "reference": "ride-1", "amount_fen": 400}
    answer = await transit.call("POST", ORDERS, ride, token=token)
    assert answer.status_code == 201, answer.text
    view = answer.json()
    assert (view["state"], view["confirmed_by"], view["revision"]) == ("active", "consent", 2)
    assert await topics_of(city, UUID(view["order_id"])) == ["order.created", "order.activated"]
    assert await notices_of(city, person) == ["order.activated"]
    view = await opened(rental, person)
    assert view["state"] == "created"


async def test_credit_stands_for_a_part_and_the_rest_is_ones_own_money(
    city: City, shop: Shop
) -> None:
    """The cap is 2,000 yuan; of 3,000 the citizen brings 1,000, if the partner takes them."""
    person = await city.person(enrols=["rental"])
    token = await shop.token(person, "rental")
    answer = await shop.call("POST", ORDERS, {**RENTAL, "amount_fen": 300_000}, token=token)
    assert problem_of(answer, 422, "order_amount_too_large")["limit_fen"] == 200_000
    view = await opened(shop, person, {"amount_fen": 300_000, "accepts_partial": True})
    assert (view["credit_fen"], view["own_fen"]) == (200_000, 100_000)


async def test_amounts_only_go_down(city: City, shop: Shop) -> None:
    person = await city.person(enrols=["rental"])
    view = await opened(shop, person, {"amount_fen": 300_000, "accepts_partial": True})
    path = f"{ORDERS}/{view['order_id']}"
    lower = await shop.call("POST", f"{path}/amount", {"amount_fen": 250_000})
    assert (lower.json()["credit_fen"], lower.json()["own_fen"]) == (200_000, 50_000)
    lower = await shop.call("POST", f"{path}/amount", {"amount_fen": 50_000})
    assert (lower.json()["credit_fen"], lower.json()["own_fen"]) == (50_000, 0)
    assert await exposure_of(city, person) == 50_000
    assert await budget_of(city, "rental") == Sum(50_000, 0, 1)
    for amount in (50_000, 50_001, 300_000):
        answer = await shop.call("POST", f"{path}/amount", {"amount_fen": amount})
        problem_of(answer, 422, "order_amount_not_lower")


async def test_the_same_reference_is_the_same_order(city: City, shop: Shop) -> None:
    """Same number, same content: the same order, whatever key; other content: 422."""
    person = await city.person(enrols=["rental"])
    token = await shop.token(person, "rental")
    first = await shop.call("POST", ORDERS, RENTAL, token=token)
    again = await shop.call("POST", ORDERS, RENTAL, token=token)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.content == first.content
    assert await city.count("service_order") == 1
    assert await budget_of(city, "rental") == Sum(20_000, 0, 1)
    other = await shop.call("POST", ORDERS, {**RENTAL, "amount_fen": 20_001}, token=token)
    problem_of(other, 422, "order_reference_taken")
    # A partner that wants all or nothing is never given an order for a part.
    other = await shop.call("POST", ORDERS, {**RENTAL, "accepts_partial": True}, token=token)
    problem_of(other, 422, "order_reference_taken")
    # Lowered since: what it was opened with is what counts.
    path = f"{ORDERS}/{first.json()['order_id']}"
    await shop.call("POST", f"{path}/amount", {"amount_fen": 10_000})
    again = await shop.call("POST", ORDERS, RENTAL, token=token)
    assert again.json()["amount_fen"] == 10_000


async def test_the_same_key_is_the_same_answer(city: City, shop: Shop) -> None:
    """Same key, same body: the same bytes; another body: 422."""
    person = await city.person(enrols=["rental"])
    token = await shop.token(person, "rental")
    key = {"idempotency-key": "k" * 32}
    first = await shop.call("POST", ORDERS, RENTAL, token=token, headers=key)
    again = await shop.call("POST", ORDERS, RENTAL, token=token, headers=key)
    assert again.content == first.content
    other = await shop.call(
        "POST", ORDERS, {**RENTAL, "reference": "R-2"}, token=token, headers=key
    )
    problem_of(other, 422, "idempotency_key_reused")
    missing = await shop.call(
        "POST", ORDERS, RENTAL, token=token, headers={"idempotency-key": "short"}
    )
    problem_of(missing, 400, "idempotency_key_missing")


async def test_a_no_is_the_same_bytes_whatever_the_cause(city: City, shop: Shop) -> None:
    """Not eligible, not enrolled, exposure, share or budget used up: nothing can be told apart.

    Each leaves its look in the citizen's ledger, and nothing else.
    """
    same = {"x-request-id": "0" * 32}
    poor = await city.person(facts={**GOOD, "score": 400}, enrols=[])
    stranger = await city.person()
    # 3,000 yuan in all are open to one, the other's share of the budget is 4,000 yuan.
    full = await city.person(facts={**GOOD, "score": 650}, enrols=["rental"])
    shared = await city.person(enrols=["rental"])
    rest = await city.person(enrols=["rental"])
    for person, second in ((full, 100_000), (shared, 200_000)):
        for amount in (200_000, second):
            body = {"reference": f"n-{uuid4().hex[:8]}", "amount_fen": amount}
            await opened(shop, person, body)
    assert await exposure_of(city, full) == 300_000
    assert await exposure_of(city, shared) == 400_000
    answers = []
    for person in (poor, stranger, full, shared, rest):
        if person is rest:
            await _spend(city, "rental")
        token = await shop.token(person, "rental")
        before = await city.count("access_entry")
        answer = await shop.call("POST", ORDERS, RENTAL, token=token, headers=same)
        problem_of(answer, 409, "benefit_unavailable")
        answers.append(_told(answer))
        assert await city.count("access_entry") == before + 1
    assert len(set(answers)) == 1, answers


async def _spend(city: City, code: str) -> None:
    """Let a budget have no room for anything more."""
    async with city.house.database.write() as tx:
        await tx.execute(
            """UPDATE budget SET limit_fen = reserved_fen + settled_fen
               WHERE programme_code = $1 AND span = 'programme'""",
            code,
        )


def _told(answer: httpx.Response) -> tuple[int, bytes, tuple[str, ...]]:
    """Return all that a partner is told but for the number of the request, which is random."""
    request_id = answer.headers["x-request-id"].encode()
    body = answer.content.replace(request_id, b"")
    return answer.status_code, body, tuple(sorted(answer.headers.keys()))


async def test_a_no_is_repeated_to_the_same_key(city: City, shop: Shop) -> None:
    """The refusal is the answer of the first request: no second look is made of it."""
    person = await city.person()
    token = await shop.token(person, "rental")
    key = {"idempotency-key": "n" * 32}
    for _ in range(2):
        answer = await shop.call("POST", ORDERS, RENTAL, token=token, headers=key)
        problem_of(answer, 409, "benefit_unavailable")
    assert await city.count("decision") == 1


async def test_a_consent_bounds_what_is_asked(city: City, shop: Shop) -> None:
    """Beyond the consent's bound, of another programme, with a name in the number: clear errors."""
    person = await city.person(enrols=["rental"])
    token = await shop.token(person, "rental", most=10_000)
    answer = await shop.call("POST", ORDERS, RENTAL, token=token)
    assert problem_of(answer, 422, "order_amount_too_large")["limit_fen"] == 10_000
    answer = await shop.call(
        "POST", ORDERS, {**RENTAL, "programme": "transit", "amount_fen": 1}, token=token
    )
    problem_of(answer, 403, "insufficient_authorization_details")
    answer = await shop.call(
        "POST",
        ORDERS,
        {**RENTAL, "reference": "110101199003070417", "amount_fen": 1},
        token=token,
    )
    problem_of(answer, 422, "order_reference_invalid")
    assert await city.count("decision") == 0


async def test_foreign_orders_do_not_exist(city: City, shop: Shop) -> None:
    """Another partner, another citizen at the same partner, and another citizen: 404."""
    other_shop = await Shop.of(city, "city-transit")
    person, other = await city.person(enrols=["rental"]), await city.person(enrols=["rental"])
    view = await opened(shop, person)
    path = f"{ORDERS}/{view['order_id']}"
    others_token = await shop.token(other, "rental")
    bodies: dict[str, Any] = {
        "/complete": {"settled_fen": 0},
        "/cancel": None,
        "/amount": {"amount_fen": 1},
        "/performance": {"performance": "performed"},
        "/obligation/paid": None,
        "/obligation/withdraw": None,
    }
    for token, caller in ((None, other_shop), (others_token, shop)):
        problem_of(await caller.call("GET", path, token=token), 404, "not_found")
        for end, body in bodies.items():
            answer = await caller.call("POST", path + end, body, token=token)
            problem_of(answer, 404, "not_found")
    mine = f"/v1/me/orders/{view['order_id']}"
    problem_of(await city.call(other, "GET", mine), 404, "not_found")
    for end, body in (("/confirm", None), ("/decline", None), ("/reply", {"reply": "will_pay"})):
        problem_of(await city.call(other, "POST", mine + end, body), 404, "not_found")
    problem_of(await shop.call("GET", f"{ORDERS}/{uuid4()}"), 404, "not_found")
    assert (await other_shop.call("GET", ORDERS)).json()["items"] == []


async def test_either_kind_of_token_carries_an_order_on(city: City, shop: Shop) -> None:
    """A withdrawn consent doesn't leave an order open for ever."""
    person = await city.person(enrols=["rental"])
    token = await shop.token(person, "rental")
    view = (await shop.call("POST", ORDERS, RENTAL, token=token)).json()
    path = f"{ORDERS}/{view['order_id']}"
    assert (await shop.call("GET", path, token=token)).json() == view
    async with city.house.database.read() as tx:
        consent_id = await tx.fetch_value(UUID, "SELECT consent_id FROM service_order")
    await city.withdraw(person, consent_id)
    city.clock.advance(timedelta(seconds=2))
    assert (await shop.call("POST", f"{path}/cancel")).json()["state"] == "cancelled"


async def test_own_tokens_open_no_order(city: City, shop: Shop) -> None:
    answer = await shop.call("POST", ORDERS, RENTAL)
    problem_of(answer, 403, "scope_insufficient")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {**RENTAL, "amount_fen": 0},
        {**RENTAL, "amount_fen": 100_000_001},
        {**RENTAL, "amount_fen": 1.5},
        {**RENTAL, "reference": ""},
        {**RENTAL, "reference": "x" * 65},
        {**RENTAL, "reference": "a b"},
        {**RENTAL, "reference": "a\n"},
        {**RENTAL, "state": "active"},
    ],
)
async def test_a_body_is_looked_at_first(city: City, shop: Shop, body: dict[str, Any]) -> None:
    person = await city.person(enrols=["rental"])
    token = await shop.token(person, "rental")
    answer = await shop.call("POST", ORDERS, body, token=token)
    assert answer.status_code in (400, 422), answer.text
    assert await city.count("service_order") == 0


async def test_what_is_over_stays_over(city: City, shop: Shop) -> None:
    """Completed twice, cancelled after, performed after a cancel, confirmed twice: 409."""
    person = await city.person(enrols=["rental"])
    done = await completed(shop, person)
    assert done
    for end, body in (
        ("/complete", {"settled_fen": 0}),
        ("/cancel", None),
        ("/amount", {"amount_fen": 1}),
    ):
        problem = problem_of(await shop.call("POST", done + end, body), 409, "order_state_conflict")
        assert problem["state"] == "completed"
    view = await opened(shop, person, {"reference": "R-2"})
    path = f"{ORDERS}/{view['order_id']}"
    not_yet = await shop.call("POST", f"{path}/complete", {"settled_fen": 0})
    assert problem_of(not_yet, 409, "order_state_conflict")["state"] == "created"
    assert (await shop.call("POST", f"{path}/cancel")).status_code == 200
    for report in (
        {"performance": "performed"},
        {"performance": "open_obligation", "amount_fen": 1},
    ):
        answer = await shop.call("POST", f"{path}/performance", report)
        problem_of(answer, 409, "order_state_conflict")
    mine = f"/v1/me/orders/{view['order_id']}/confirm"
    problem_of(await city.call(person, "POST", mine), 409, "order_state_conflict")
    assert await exposure_of(city, person) == 0


async def test_more_than_credit_stood_for_is_never_settled(city: City, shop: Shop) -> None:
    person = await city.person(enrols=["rental"])
    view = await active(shop, person)
    path = f"{ORDERS}/{view['order_id']}/complete"
    answer = await shop.call("POST", path, {"settled_fen": 20_001})
    assert problem_of(answer, 422, "order_settled_too_much")["credit_fen"] == 20_000
    answer = await shop.call("POST", path, {"settled_fen": 12_345})
    assert answer.json()["settled_fen"] == 12_345
    assert await budget_of(city, "rental") == Sum(0, 12_345, 1)


async def test_a_citizen_says_no(city: City, shop: Shop) -> None:
    """What waited for them is cancelled at once, and what was kept for it is free."""
    person = await city.person(enrols=["rental"])
    view = await opened(shop, person)
    answer = await city.call(person, "POST", f"/v1/me/orders/{view['order_id']}/decline")
    assert answer.json()["state"] == "cancelled"
    assert await exposure_of(city, person) == 0
    assert await budget_of(city, "rental") == Sum(0, 0, 0)


async def test_performance_is_reported_once(city: City, shop: Shop) -> None:
    person = await city.person(enrols=["rental"])
    path = await completed(shop, person)
    good = {"performance": "performed"}
    assert (await shop.call("POST", f"{path}/performance", good)).status_code == 200
    for report in (good, {"performance": "open_obligation", "amount_fen": 1}):
        answer = await shop.call("POST", f"{path}/performance", report)
        problem_of(answer, 409, "performance_reported")
    assert await city.count("record") == 1


async def test_what_is_owed_is_announced_and_can_be_paid(city: City, shop: Shop) -> None:
    """Told first; the citizen will pay; paid, it is gone, and a record may follow."""
    person = await city.person(enrols=["rental"])
    path = await completed(shop, person)
    obligation = await owed(shop, path)
    # Friday 2026-11-20 and ten working days: from Saturday 5 December on.
    assert (obligation["state"], obligation["stands_on"]) == ("announced", "2026-12-05")
    mine = path.replace(ORDERS, "/v1/me/orders")
    answer = await city.call(person, "POST", f"{mine}/reply", {"reply": "will_pay"})
    assert answer.json()["obligation"]["reply"] == "will_pay"
    paid = await shop.call("POST", f"{path}/obligation/paid")
    assert (paid.json()["obligation"], paid.json()["performance"]) == (None, "nothing_owed")
    assert await city.count("obligation") == 0
    assert await topics_of(city, UUID(obligation["obligation_id"])) == [
        *("obligation.announced", "obligation.replied", "obligation.ended")
    ]
    again = {"performance": "open_obligation", "amount_fen": 1}
    problem_of(await shop.call("POST", f"{path}/performance", again), 409, "performance_reported")
    answer = await shop.call("POST", f"{path}/performance", {"performance": "performed"})
    assert answer.json()["performance"] == "performed"
    problem_of(await shop.call("POST", f"{path}/obligation/paid"), 404, "not_found")


async def test_more_than_credit_stood_for_is_never_owed(city: City, shop: Shop) -> None:
    person = await city.person(enrols=["rental"])
    path = await completed(shop, person)
    report = {"performance": "open_obligation", "amount_fen": 20_001}
    answer = await shop.call("POST", f"{path}/performance", report)
    assert problem_of(answer, 422, "obligation_too_large")["credit_fen"] == 20_000
    assert await city.count("obligation") == 0


async def test_what_is_contested_waits_for_a_person(city: City, shop: Shop) -> None:
    """A case is opened; contested once; withdrawn by the partner, the case is closed too."""
    person = await city.person(enrols=["rental"])
    path = await completed(shop, person)
    await owed(shop, path)
    mine = path.replace(ORDERS, "/v1/me/orders")
    reply = {"reply": "contested", "text": "车在 20 日已还"}
    answer = await city.call(person, "POST", f"{mine}/reply", reply)
    assert answer.json()["obligation"]["state"] == "contested"
    cases = (await city.call(person, "GET", "/v1/me/cases")).json()["items"]
    assert [(each["kind"], each["text"], each["state"]) for each in cases] == [
        ("obligation", "车在 20 日已还", "open")
    ]
    again = await city.call(person, "POST", f"{mine}/reply", reply)
    problem_of(again, 409, "obligation_state_conflict")
    answer = await shop.call("POST", f"{path}/obligation/withdraw")
    assert answer.json()["obligation"] is None
    cases = (await city.call(person, "GET", "/v1/me/cases")).json()["items"]
    assert [each["state"] for each in cases] == ["withdrawn"]


@pytest.mark.parametrize(
    "report",
    [
        {},
        {"performance": "late"},
        {"performance": "open_obligation"},
        {"performance": "open_obligation", "amount_fen": 0},
        {"performance": "performed", "amount_fen": 5},
    ],
)
async def test_a_report_is_looked_at_first(city: City, shop: Shop, report: dict[str, Any]) -> None:
    """An amount goes with what is owed, and with nothing else."""
    person = await city.person(enrols=["rental"])
    path = await completed(shop, person)
    problem_of(await shop.call("POST", f"{path}/performance", report), 400, "body_invalid")
    assert await city.count("obligation") == 0


async def test_lists_come_in_pages(city: City, shop: Shop) -> None:
    person = await city.person(enrols=["rental"])
    token = await shop.token(person, "rental")
    for number in range(3):
        city.clock.advance(timedelta(milliseconds=2))
        body = {**RENTAL, "reference": f"R-{number}"}
        assert (await shop.call("POST", ORDERS, body, token=token)).status_code == 201
    for page_of in (
        lambda path: shop.call("GET", path.replace("LIST", ORDERS)),
        lambda path: city.call(person, "GET", path.replace("LIST", "/v1/me/orders")),
    ):
        first = (await page_of("LIST?page_size=2")).json()
        rest = (await page_of(f"LIST?page_size=2&cursor={first['next_cursor']}")).json()
        found = [each["reference"] for each in (*first["items"], *rest["items"])]
        assert found == ["R-2", "R-1", "R-0"]
        assert rest["next_cursor"] is None
        problem_of(await page_of("LIST?cursor=x"), 400, "cursor_invalid")


async def test_leaving_ends_what_waits_and_leaves_what_runs_to_the_partner(
    city: City, shop: Shop
) -> None:
    """Created: cancelled; ended, owed: deleted; active: a bare row until the partner ends it.

    Of a citizen who left nothing is learnt.
    """
    person = await city.person(enrols=["rental"])
    waiting = await opened(shop, person, {"reference": "waits"})
    runs = await active(shop, person, {"reference": "runs"})
    over = await completed(shop, person)
    await owed(shop, over)
    await city.leave(person)
    assert await topics_of(city, UUID(waiting["order_id"])) == ["order.created", "order.cancelled"]
    assert await row_of(city, UUID(waiting["order_id"])) is None
    assert (await shop.call("GET", over)).status_code == 404
    assert await city.count("obligation") == 0
    assert await exposure_of(city, person) == 20_000
    path = f"{ORDERS}/{runs['order_id']}"
    assert (await shop.call("GET", path)).json()["state"] == "active"
    done = await shop.call(
        "POST", f"{path}/complete", {"settled_fen": 0, "performance": "performed"}
    )
    assert done.json()["state"] == "completed"
    for table in ("service_order", "exposure", "reservation", "citizen_budget", "notice", "record"):
        assert await city.count(table) == 0, table
    assert await budget_of(city, "rental") == Sum(0, 0, 2)
