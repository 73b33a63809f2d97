"""Goal: operators see what is due first and what is late, and nothing about anybody; whoever reads
what a citizen wrote stands in that citizen's ledger before it is opened; a case is decided once, by
one person, and its citizen is answered and told.

Method: the whole application on a real PostgreSQL. That the look comes first is seen where opening
fails: a seal is broken, the answer is an error, and the look stands in the ledger.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from click.testing import CliRunner

from backend.__main__ import main
from backend.app import House
from backend.case import service as case
from backend.kit.clock import FixedClock
from backend.notice.rules import PHONE_TEXT
from tests.conftest import DIGEST_KEY, KEK, encoded_key
from tests.support.case_world import ANSWER, QUEUE, WORDS, asking, decided, opened, own_cases
from tests.support.citizen import phone
from tests.support.operator import OperatorSoftware
from tests.support.world import App, World, problem_of

REASON = "复核还书记录"


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
    return await asking(world)


@pytest.fixture
async def chen(world: World) -> OperatorSoftware:
    """Who works through the queue."""
    return await OperatorSoftware.of(world, "cases", login="chen.jing")


async def queue(operator: OperatorSoftware, query: str = "") -> dict[str, Any]:
    answer = await operator.call("GET", f"{QUEUE}{query}")
    assert answer.status_code == 200, answer.text
    page: dict[str, Any] = answer.json()
    return page


async def looks_at(app: App) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = (await app.call("GET", "/v1/me/accesses")).json()["items"]
    return [each for each in items if each["action"] == "case:read"]


async def test_the_queue_shows_what_is_due_first_and_nothing_about_anybody(
    world: World, lin: App, chen: OperatorSoftware, clock: FixedClock
) -> None:
    first = await opened(lin)
    clock.advance(timedelta(days=3))
    other = await asking(world, 2)
    second = await opened(other)
    await chen.sign_in()
    page = await queue(chen)
    assert [each["case_id"] for each in page["items"]] == [first, second]
    assert page["items"][0].keys() == {
        *("case_id", "kind", "object", "state", "opened_at", "due_on", "days_overdue", "taken_by")
    }
    assert str(await lin.subject_id) not in str(page)
    assert WORDS not in str(page)
    assert await looks_at(lin) == [], "the queue is no look at anybody"


async def test_overdue_is_shown_counted_and_can_be_asked_for(
    world: World, lin: App, chen: OperatorSoftware, clock: FixedClock
) -> None:
    late = await opened(lin)
    clock.advance(timedelta(days=3))
    other = await asking(world, 2)
    in_time = await opened(other)
    clock.advance(timedelta(days=18))  # 11 December
    await chen.sign_in()
    page = await queue(chen)
    assert (page["open"], page["overdue"]) == (2, 0), "the last day is in time"
    clock.advance(timedelta(days=2))
    await chen.sign_in()
    page = await queue(chen)
    assert (page["open"], page["overdue"]) == (2, 1)
    assert [each["days_overdue"] for each in page["items"]] == [2, 0]
    page = await queue(chen, "?overdue=true")
    assert [each["case_id"] for each in page["items"]] == [late]
    assert (await decided(chen, late)).status_code == 200
    page = await queue(chen)
    assert (page["open"], page["overdue"]) == (1, 0)
    assert [each["case_id"] for each in page["items"]] == [in_time]


async def test_the_queue_is_listed_at_the_shell(
    house: House, world: World, lin: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The numbers, and no word of whose they are."""
    case_id = await opened(lin)
    async with world.database.write() as tx:
        await tx.execute("SET LOCAL ROLE NONE")
        await tx.execute("UPDATE review_case SET due_on = '2020-01-02'")
    monkeypatch.chdir(house.settings.local_dir)
    environment = {
        "CREDIT_DATABASE_URL": house.settings.database_url,
        "CREDIT_KEK": encoded_key(KEK),
        "CREDIT_DIGEST_KEY": encoded_key(DIGEST_KEY),
    }

    def call(*words: str) -> str:
        result = CliRunner().invoke(main, ("case", "list", *words), env=environment)
        assert result.exit_code == 0, result.output
        return result.stdout

    told = json.loads(await asyncio.to_thread(call, "--json"))
    assert (told["open"], told["overdue"]) == (1, 1)
    (item,) = told["items"]
    assert (item["case_id"], item["due_on"], item["taken_by"]) == (case_id, "2020-01-02", None)
    assert item["days_overdue"] > 0
    assert str(await lin.subject_id) not in str(told)
    text = await asyncio.to_thread(call, "--overdue")
    assert "1 open, 1 of them overdue." in text
    assert f"{case_id} not_yet library: due 2020-01-02" in text


async def test_the_queue_comes_in_pages(world: World, lin: App, chen: OperatorSoftware) -> None:
    """Due on one day, so that the id decides too."""
    codes = ("library", "rental", "transit", "tourism")
    made = {await opened(lin, programme=code) for code in codes}
    seen: list[str] = []
    cursor = ""
    while True:
        page = await queue(chen, f"?page_size=3{cursor}")
        seen += [each["case_id"] for each in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert seen == sorted(made)
    for broken in ("x", "WyJhIiwiYiJd"):
        answer = await chen.call("GET", f"{QUEUE}?cursor={broken}")
        problem_of(answer, 400, "cursor_invalid")


async def test_a_look_is_in_the_citizens_ledger_with_its_reason(
    world: World, lin: App, chen: OperatorSoftware
) -> None:
    case_id = await opened(lin)
    answer = await chen.call("GET", f"{QUEUE}/{case_id}", reason=REASON)
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json()["text"] == WORDS
    (look,) = await looks_at(lin)
    assert look["actor"] == {
        "kind": "operator",
        "id": "chen.jing",
        "name_zh": "陈静",
        "name_en": "Chen Jing",
    }
    assert REASON in look["purpose"]["text_zh"]
    assert REASON in look["purpose"]["text_en"]
    assert (look["data_kinds"], look["programme"]) == (["cases"], "library")
    assert look["disclosed"] == f"case:{case_id}"
    assert (
        await world.count(
            "operator_entry", "action = 'case.looked_at' AND object = $1", f"case:{case_id}"
        )
        == 1
    )


async def test_a_look_is_written_before_the_text_is_opened(
    world: World, lin: App, chen: OperatorSoftware
) -> None:
    """Red when the order is turned: a text that can't be opened would then leave no look."""
    case_id = await opened(lin)
    async with world.database.write() as tx:
        await tx.execute("UPDATE review_case SET text_sealed = '\\x00'")
    answer = await chen.call("GET", f"{QUEUE}/{case_id}", reason=REASON)
    problem_of(answer, 500, "internal")
    (look,) = await looks_at(lin)
    assert REASON in look["purpose"]["text_zh"]


async def test_a_ledger_that_can_not_be_written_shows_nothing(
    world: World, lin: App, chen: OperatorSoftware
) -> None:
    case_id = await opened(lin)
    async with world.database.write() as tx:
        await tx.execute("SET LOCAL ROLE NONE")
        await tx.execute("REVOKE INSERT ON access_entry FROM creditplus_app")
    answer = await chen.call("GET", f"{QUEUE}/{case_id}", reason=REASON)
    problem_of(answer, 500, "internal")
    assert WORDS not in answer.text


async def test_no_look_without_a_reason(world: World, lin: App, chen: OperatorSoftware) -> None:
    case_id = await opened(lin)
    before = await world.affairs()
    answer = await chen.call("GET", f"{QUEUE}/{case_id}", reason=None)
    problem_of(answer, 400, "reason_missing")
    assert await world.affairs() == before


@pytest.mark.parametrize("role", ["programmes", "data", "security", "audit"])
async def test_another_role_has_no_business_here(world: World, lin: App, role: str) -> None:
    case_id = await opened(lin)
    operator = await OperatorSoftware.of(world, role)
    for method, path, body in (
        ("GET", QUEUE, None),
        ("GET", f"{QUEUE}/{case_id}", None),
        ("POST", f"{QUEUE}/{case_id}/take", {}),
        ("POST", f"{QUEUE}/{case_id}/decide", ANSWER),
    ):
        answer = await operator.call(method, path, body)
        problem_of(answer, 403, "scope_insufficient")
    assert await looks_at(lin) == []
    answer = await lin.call("GET", QUEUE)
    problem_of(answer, 403, "scope_insufficient")


async def test_a_case_nobody_has_is_not_found(chen: OperatorSoftware) -> None:
    path = f"{QUEUE}/{uuid4()}"
    problem_of(await chen.call("GET", path), 404, "not_found")
    problem_of(await chen.call("POST", f"{path}/take", {}), 404, "not_found")
    problem_of(await chen.call("POST", f"{path}/decide", ANSWER), 404, "not_found")


async def test_a_case_is_taken_by_one_and_taken_over_by_who_saw_it(
    world: World, lin: App, chen: OperatorSoftware
) -> None:
    case_id = await opened(lin)
    path = f"{QUEUE}/{case_id}/take"
    li = await OperatorSoftware.of(world, "cases", login="li.na")
    taken = await asyncio.gather(chen.call("POST", path, {}), li.call("POST", path, {}))
    assert sorted(each.status_code for each in taken) == [200, 409]
    (winner,) = [each.json()["taken_by"] for each in taken if each.status_code == 200]
    loser, holder = (li, chen) if winner == "chen.jing" else (chen, li)
    problem = problem_of(await decided(loser, case_id), 409, "case_taken")
    assert problem["taken_by"] == winner
    assert (await holder.call("POST", path, {})).status_code == 200, "taking again"
    answer = await loser.call("POST", path, {"taken_from": "somebody.else"})
    problem_of(answer, 409, "case_taken")
    answer = await loser.call("POST", path, {"taken_from": winner})
    assert answer.json()["taken_by"] == loser.login
    problem_of(await decided(holder, case_id), 409, "case_taken")
    assert (await decided(loser, case_id)).status_code == 200


async def test_a_case_is_decided_once_and_its_citizen_is_answered_and_told(
    world: World, lin: App, chen: OperatorSoftware
) -> None:
    case_id = await opened(lin)
    await world.work()
    world.inbox.texts.clear()
    answer = await decided(chen, case_id, outcome="changed")
    assert answer.status_code == 200, answer.text
    problem = problem_of(await decided(chen, case_id), 409, "case_settled")
    assert problem["state"] == "decided"
    (case,) = await own_cases(lin)
    assert (case["state"], case["outcome"]) == ("decided", "changed")
    assert (case["answer_zh"], case["answer_en"]) == (ANSWER["answer_zh"], ANSWER["answer_en"])
    await world.work()
    assert world.inbox.texts == [(phone(1), PHONE_TEXT)]
    (notice,) = (await lin.call("GET", "/v1/me/notices")).json()["items"]
    assert notice["topic"] == "case.decided"
    assert notice["facts"] == {
        "case_id": case_id,
        "kind": "not_yet",
        "object": "library",
        "outcome": "changed",
    }
    assert "changed" in notice["text_en"]
    assert await world.count("operator_entry", "action = 'case.decided'") == 1


async def test_a_case_is_decided_once_under_a_race(
    world: World, lin: App, chen: OperatorSoftware
) -> None:
    """Two operators, two outcomes, eight requests: one is it, and one event says so."""
    case_id = await opened(lin)
    li = await OperatorSoftware.of(world, "cases", login="li.na")
    answers = await asyncio.gather(
        *(
            decided(operator, case_id, outcome=outcome)
            for _ in range(4)
            for operator, outcome in ((chen, "upheld"), (li, "changed"))
        )
    )
    assert sorted(each.status_code for each in answers) == [200] + [409] * 7
    assert await world.count("outbox", "topic = 'case.decided'") == 1
    assert await world.count("operator_entry", "action = 'case.decided'") == 1
    (case,) = await own_cases(lin)
    said = await world.count(
        "outbox", "topic = 'case.decided' AND payload ->> 'outcome' = $1", case["outcome"]
    )
    assert said == 1


async def test_deciding_and_withdrawing_at_once_has_one_end(
    world: World, lin: App, chen: OperatorSoftware
) -> None:
    case_id = await opened(lin)
    done, withdrawn = await asyncio.gather(
        decided(chen, case_id), lin.call("DELETE", f"/v1/me/cases/{case_id}")
    )
    assert (done.status_code, withdrawn.status_code) in {(200, 409), (409, 204)}
    topics = await world.count("outbox", "topic IN ('case.decided', 'case.withdrawn')")
    assert topics == 1


async def test_a_case_of_who_left_is_gone_for_operators_too(
    world: World, lin: App, chen: OperatorSoftware
) -> None:
    case_id = await opened(lin)
    left, done = await asyncio.gather(
        lin.call("DELETE", "/v1/me/participation"), decided(chen, case_id)
    )
    assert left.status_code == 204
    assert done.status_code in {200, 404}
    problem_of(await chen.call("GET", f"{QUEUE}/{case_id}"), 404, "not_found")
    await world.work()
    assert await world.count("notice") == 0
    assert await world.count("review_case") == 0


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"outcome": "perhaps"}, 400, "body_invalid"),
        ({"answer_zh": ""}, 400, "body_invalid"),
        ({"answer_en": "   "}, 422, "case_text_invalid"),
        ({"answer_zh": "字" * 1001}, 400, "body_invalid"),
    ],
)
async def test_an_answer_says_why_or_nothing_is_decided(
    world: World,
    lin: App,
    chen: OperatorSoftware,
    changes: dict[str, Any],
    status: int,
    code: str,
) -> None:
    case_id = await opened(lin)
    before = await world.affairs()
    problem_of(await decided(chen, case_id, **changes), status, code)
    assert await world.affairs() == before


async def test_what_was_decided_late_is_kept_three_years_from_then(
    world: World, lin: App, chen: OperatorSoftware, clock: FixedClock
) -> None:
    await opened(lin)
    clock.advance(timedelta(days=1500))
    late = clock.now()
    async with world.house.database.write() as tx:
        await tx.execute(
            """UPDATE review_case
               SET state = 'decided', outcome = 'upheld', answer_zh = '否', answer_en = 'No',
                   decided_by = 'chen.jing', decided_at = $1""",
            late,
        )
        assert await case.purge(tx, now=late) == 0
        assert await case.purge(tx, now=late + timedelta(days=365)) == 0
        assert await case.purge(tx, now=late + timedelta(days=3 * 365 + 2)) == 1
