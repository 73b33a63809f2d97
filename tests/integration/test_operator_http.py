"""Goal: roles are apart at every route, what an operator does is written down with its reason or
not done at all, and who is suspended or reset is out at once.

Method: the whole application on real servers, operators with a role each, every route found by its
guard.
"""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from backend.access.guard import Requires
from backend.access.rules import OPERATOR_SCOPES, Scope
from backend.app import House
from backend.kit.clock import FixedClock
from backend.operator.rules import SESSION_IDLE
from tests.support.operator import REASON, OperatorSoftware
from tests.support.world import App, World, problem_of

ME = "/v1/operator/me"
OPERATORS = "/v1/operator/operators"
ENTRIES = "/v1/operator/entries"
MOMENT = timedelta(milliseconds=1)  # ids are in order from one to the next
PERSON = {"login": "li.na", "name_zh": "李娜", "name_en": "Li Na", "roles": ["cases"]}


@pytest.fixture
async def world(house: House) -> AsyncIterator[World]:
    """A city with a library."""
    world = World(house)
    await world.found()
    yield world
    await world.close()


@pytest.fixture
async def security(world: World) -> OperatorSoftware:
    """Who lets operators in and out."""
    return await OperatorSoftware.of(world, "security", login="wang.wei")


async def entries(world: World, query: str = "") -> list[dict[str, Any]]:
    """Return what an auditor reads, newest first, but for coming in."""
    auditor = await OperatorSoftware.of(world, "audit")
    answer = await auditor.call("GET", f"{ENTRIES}{query}")
    assert answer.status_code == 200, answer.text
    door = {"operator.signed_in", "operator.set_up"}
    items: list[dict[str, Any]] = answer.json()["items"]
    return [each for each in items if each["action"] not in door]


def operator_routes(world: World) -> list[tuple[str, str, Scope]]:
    """Return method, a path and scope of every route that an operator's token opens."""
    found = []
    for route in world.app.routes:
        for handler in getattr(route, "route_handlers", []):
            for guard in handler.guards or ():
                if isinstance(guard, Requires) and route.path.startswith("/v1/operator/"):
                    (method,) = handler.http_methods - {"OPTIONS", "HEAD"}
                    found.append((method, route.path, guard.scope))
    return found


async def test_each_role_opens_its_own_routes_and_no_others(world: World) -> None:
    """Every route with every role: 403 names the scope, and nothing changes."""
    before = None
    for role, own in OPERATOR_SCOPES.items():
        operator = await OperatorSoftware.of(world, role)
        before = await world.affairs()
        for method, template, scope in operator_routes(world):
            if scope in {own, Scope.OPERATOR}:
                continue
            path = "/".join("1" if part.startswith("{") else part for part in template.split("/"))
            answer = await operator.call(method, path, {})
            if answer.status_code != 404:  # a parameter that is no uuid has no route
                assert problem_of(answer, 403, "scope_insufficient")["scope"] == scope
        assert await world.affairs() == before
    assert before is not None


async def test_a_citizen_opens_no_route_of_operators(world: World) -> None:
    app = await world.app_of()
    for method, template, scope in operator_routes(world):
        path = "/".join("1" if part.startswith("{") else part for part in template.split("/"))
        answer = await app.call(method, path, {})
        if answer.status_code != 404:
            assert problem_of(answer, 403, "scope_insufficient")["scope"] == scope
    assert isinstance(app, App)


@pytest.mark.parametrize("reason", [None, "", " ", "两\n行", "x" * 201])
async def test_nothing_is_done_without_a_reason(
    security: OperatorSoftware, reason: str | None
) -> None:
    before = await security.world.affairs()
    answer = await security.call("POST", OPERATORS, PERSON, reason=reason)
    problem_of(answer, 400, "reason_missing")
    assert await security.world.affairs() == before


async def test_what_was_done_is_written_down_with_who_and_why(
    security: OperatorSoftware, clock: FixedClock
) -> None:
    world = security.world
    added = await security.call("POST", OPERATORS, PERSON, reason="新同事，负责异议")
    assert added.status_code == 201, added.text
    path = f"{OPERATORS}/li.na"
    clock.advance(MOMENT)
    answer = await security.call("PUT", f"{path}/roles", {"roles": ["data", "cases"]})
    assert answer.json()["roles"] == ["cases", "data"]
    for word, suspended in (("suspend", True), ("suspend", True), ("resume", False)):
        clock.advance(MOMENT)
        answer = await security.call("POST", f"{path}/{word}")
        assert (answer.json()["suspended_at"] is not None) == suspended
    written = await entries(world, "?object=operator:li.na")
    assert [(each["action"], each["login"]) for each in written] == [
        ("operator.resumed", "wang.wei"),
        ("operator.suspended", "wang.wei"),  # the second changed nothing
        ("operator.roles_changed", "wang.wei"),
        ("operator.added", "wang.wei"),
    ]
    assert written[-1]["reason"] == "新同事，负责异议"
    assert written[-1]["facts"] == {"roles": ["cases"]}
    assert written[-2]["facts"] == {"roles": ["cases", "data"], "former": ["cases"]}
    me = (await security.call("GET", ME)).json()
    assert written[0]["operator_id"] == me["operator_id"]


async def test_entries_come_in_pages_and_by_login(
    security: OperatorSoftware, clock: FixedClock
) -> None:
    for number in range(5):
        clock.advance(MOMENT)
        person = {**PERSON, "login": f"new-{number}"}
        assert (await security.call("POST", OPERATORS, person)).status_code == 201
    auditor = await OperatorSoftware.of(security.world, "audit")
    seen, cursor = [], ""
    while True:
        path = f"{ENTRIES}?login=wang.wei&page_size=2{cursor}"
        page = (await auditor.call("GET", path)).json()
        seen += [each["object"] for each in page["items"] if each["action"] == "operator.added"]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert seen == [f"operator:new-{number}" for number in (4, 3, 2, 1, 0)]
    for query in ("?login=nobody", "?login=%00", "?object=%00"):
        assert (await auditor.call("GET", ENTRIES + query)).json()["items"] == []
    problem_of(await auditor.call("GET", f"{ENTRIES}?cursor=x"), 400, "cursor_invalid")


async def test_entries_can_not_be_changed(world: World, database_url: str) -> None:
    """Not by the application, nor by the owner of the table."""
    await OperatorSoftware.of(world, "security")
    owner = await asyncpg.connect(database_url)
    try:
        for statement in (
            "UPDATE operator_entry SET reason = 'x'",
            "DELETE FROM operator_entry",
            "TRUNCATE operator_entry",
        ):
            with pytest.raises(asyncpg.PostgresError, match="append-only"):
                await owner.execute(statement)
    finally:
        await owner.close()


async def test_a_suspended_operator_is_out_at_once(security: OperatorSoftware) -> None:
    """Every session ends, none opens, and coming back needs a new one."""
    clerk = await OperatorSoftware.of(security.world, "data", login="zhao.lei")
    assert (await clerk.call("GET", ME)).status_code == 200
    await security.call("POST", f"{OPERATORS}/zhao.lei/suspend", reason="离岗")
    problem_of(await clerk.call("GET", ME), 401, "token_invalid")
    problem_of(await clerk.sign_in(), 401, "sign_in_failed")
    await security.call("POST", f"{OPERATORS}/zhao.lei/resume", reason="返岗")
    problem_of(await clerk.call("GET", ME), 401, "token_invalid")


async def test_requests_at_the_moment_of_a_suspension_are_before_or_after_it(
    security: OperatorSoftware,
) -> None:
    """After the answer to the suspension nothing succeeds."""
    clerk = await OperatorSoftware.of(security.world, "data", login="zhao.lei")
    suspended = asyncio.Event()

    async def suspend() -> None:
        answer = await security.call("POST", f"{OPERATORS}/zhao.lei/suspend")
        assert answer.status_code == 200
        suspended.set()

    async def look() -> None:
        while True:
            was_over = suspended.is_set()
            answer = await clerk.call("GET", ME)
            if was_over:
                problem_of(answer, 401, "token_invalid")
                return

    await asyncio.gather(suspend(), *(look() for _ in range(4)))


async def test_roles_that_were_taken_are_gone_with_the_next_request(
    security: OperatorSoftware,
) -> None:
    clerk = await OperatorSoftware.of(security.world, "data", "cases", login="zhao.lei")
    await security.call("PUT", f"{OPERATORS}/zhao.lei/roles", {"roles": ["data"]})
    assert (await clerk.call("GET", ME)).json()["roles"] == ["data"]


async def test_a_reset_operator_starts_again_from_a_code(
    security: OperatorSoftware, clock: FixedClock
) -> None:
    """A lost phone: password and factor are gone, sessions end, the count of tries too."""
    clerk = await OperatorSoftware.of(security.world, "data", login="zhao.lei")
    stranger = OperatorSoftware(security.world, "zhao.lei", clerk.secret)
    for _ in range(5):
        problem_of(await stranger.sign_in(password="guess-guess-guess"), 401, "sign_in_failed")
    answer = await security.call("POST", f"{OPERATORS}/zhao.lei/reset", reason="手机丢失")
    assert answer.json()["operator"]["is_set_up"] is False
    assert answer.json()["set_up_code"].startswith("cp_os_")
    problem_of(await clerk.call("GET", ME), 401, "token_invalid")
    clock.advance(SESSION_IDLE)
    problem_of(await clerk.sign_in(), 401, "sign_in_failed")


async def test_nobody_does_it_to_themselves(security: OperatorSoftware) -> None:
    path = f"{OPERATORS}/wang.wei"
    before = await security.world.affairs()
    for word in ("suspend", "resume", "reset"):
        problem_of(await security.call("POST", f"{path}/{word}"), 409, "operator_self")
    body = {"roles": ["programmes"]}
    problem_of(await security.call("PUT", f"{path}/roles", body), 409, "operator_self")
    assert await security.world.affairs() == before


async def test_who_can_not_be_an_operator_is_refused(security: OperatorSoftware) -> None:
    wrong: list[dict[str, Any]] = [
        {"login": "Li.Na"},
        {"login": "cli:li"},
        {"name_zh": "李\u202e娜"},
        {"name_en": " Li"},
        {"roles": ["root"]},
        {"roles": ["security", "programmes"]},
        {"roles": ["cases", "cases"]},
    ]
    before = await security.world.affairs()
    for change in wrong:
        answer = await security.call("POST", OPERATORS, {**PERSON, **change})
        assert problem_of(answer, 422, "operator_invalid")["errors"]
    body = {"roles": ["audit", "data"]}
    answer = await security.call("PUT", f"{OPERATORS}/nobody/roles", body)
    problem_of(answer, 404, "operator_unknown")
    for login in ("nobody", "No%20Login", "%00"):
        answer = await security.call("POST", f"{OPERATORS}/{login}/suspend")
        problem_of(answer, 404, "operator_unknown")
    assert await security.world.affairs() == before


async def test_a_login_is_given_once(security: OperatorSoftware) -> None:
    answers = await asyncio.gather(*(security.call("POST", OPERATORS, PERSON) for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]
    refused = next(answer for answer in answers if answer.status_code == 409)
    problem_of(refused, 409, "operator_exists")


async def test_operators_come_in_pages(security: OperatorSoftware) -> None:
    for login in ("b", "a", "c"):
        await security.call("POST", OPERATORS, {**PERSON, "login": login})
    first = (await security.call("GET", f"{OPERATORS}?page_size=2")).json()
    assert [each["login"] for each in first["items"]] == ["a", "b"]
    path = f"{OPERATORS}?page_size=2&cursor={first['next_cursor']}"
    second = (await security.call("GET", path)).json()
    assert [each["login"] for each in second["items"]] == ["c", "wang.wei"]
    assert second["next_cursor"] is None
    assert second["items"][1]["is_set_up"] is True
    assert "password" not in str(first)


async def test_a_suspended_partner_holds_no_token_that_opens_anything(
    security: OperatorSoftware, clock: FixedClock
) -> None:
    """Nor gets one; its citizens' consents stand, and it goes on when it is let."""
    world = security.world
    library = await world.client_of("city-library", "library-two")
    await world.reader_of()
    browser = await world.browser_of()
    tokens = await world.tokens_of(browser, library)
    assert (await world.check(library, tokens.access)).status_code == 200
    path = "/v1/operator/partners/city-library"
    answer = await security.call("POST", f"{path}/suspend", reason="合同终止")
    assert answer.json()["suspended_at"]
    async with asyncio.timeout(2):
        while (await world.check(library, tokens.access)).status_code == 200:
            await asyncio.sleep(0.05)
    problem_of(await world.check(library, tokens.access), 401, "token_invalid")
    assert (await library.refresh(tokens.refresh)).status_code == 401
    assert (await library.push()).status_code == 401
    clock.advance(MOMENT)
    await security.call("POST", f"{path}/resume", reason="合同恢复")
    assert (await world.check(library, tokens.access)).status_code == 200
    written = await entries(world, "?object=partner:city-library")
    assert [(each["action"], each["reason"]) for each in written] == [
        ("partner.resumed", "合同恢复"),
        ("partner.suspended", "合同终止"),
    ]


async def test_a_suspended_client_leaves_its_partners_others_alone(
    security: OperatorSoftware,
) -> None:
    world = security.world
    bad = await world.client_of("city-library", "library-two")
    good = await world.client_of("city-library", "library-three")
    path = "/v1/operator/clients/library-two"
    assert (await security.call("POST", f"{path}/suspend")).json()["is_suspended"] is True
    assert (await bad.push()).status_code == 401
    assert (await good.push()).status_code == 201
    listed = (await security.call("GET", "/v1/operator/clients?partner=city-library")).json()
    states = {each["client_id"]: each["is_suspended"] for each in listed["items"]}
    assert states == {"library-demo": False, "library-three": False, "library-two": True}
    problem_of(
        await security.call("POST", "/v1/operator/clients/nobody/suspend"), 404, "client_unknown"
    )
    problem_of(
        await security.call("POST", "/v1/operator/partners/nobody/suspend"), 404, "partner_unknown"
    )


async def test_a_data_officer_sees_what_a_source_sees_of_its_lines(world: World) -> None:
    officer = await OperatorSoftware.of(world, "data")
    await world.make_reader()
    sources = "/v1/operator/sources"
    path = f"{sources}/city_library/quality?month=2026-11"
    seen = (await officer.call("GET", path, reason=None)).json()
    assert seen["source_code"] == "city_library"
    assert [each["counts"]["lines"] for each in seen["items"]] == [8]
    nothing = await officer.call("GET", f"{sources}/nobody/quality")
    assert nothing.json()["items"] == []
    answer = await officer.call("GET", f"{sources}/city_library/quality?month=2026-13")
    problem_of(answer, 400, "parameter_invalid")
    for code in ("%00", "No-One", "x" * 65):
        problem_of(await officer.call("GET", f"{sources}/{code}/quality"), 404, "not_found")


async def test_the_same_request_twice_is_one_action(security: OperatorSoftware) -> None:
    path = "/v1/operator/partners/city-library/suspend"
    key = {"idempotency-key": "once-and-for-all-1"}
    first = await security.call("POST", path, headers=key)
    second = await security.call("POST", path, headers=key)
    assert (first.status_code, first.json()) == (second.status_code, second.json())
    answer = await security.call("POST", path, headers=key, reason="another " + REASON)
    problem_of(answer, 422, "idempotency_key_reused")
    assert len(await entries(security.world, "?object=partner:city-library")) == 1
