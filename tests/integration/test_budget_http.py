"""Goal: operators see what a programme may cost and why, and give it more with a reason that stays;
nobody else sees it, and at the shell it is the same.

Method: the whole application on real servers, an operator with a session over HTTP, and the
commands on a database of the test's own.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from backend.__main__ import main
from backend.app import House
from backend.kit.ids import new_token
from backend.kit.postgres import Database
from backend.kit.problem import PROBLEMS
from backend.partner import service as partner_service
from backend.programme import jobs
from backend.programme.rules.document import Budget, Limit, Programme
from backend.programme.service import budget
from tests.conftest import DIGEST_KEY, KEK, NOW, encoded_key
from tests.support.budget_world import CODE, broken, citizen, partner, publish, publish_next
from tests.support.operator import OperatorSoftware
from tests.support.world import World, problem_of

PATH = f"/v1/operator/budgets/{CODE}"
TERMS = Budget(reservation_minutes=60, amount_fen=100_00, day=Limit(amount_fen=50_00, uses=5))
REFILL = {"span": "programme", "bucket": "", "amount_fen": 5_00, "uses": 0}


async def spend(database: Database, programme: Programme, amount_fen: int, **more: Any) -> None:
    async with database.write() as tx:
        await budget.reserve(
            tx,
            subject_id=citizen(1),
            programme=programme,
            partner_id=partner(1),
            amount_fen=amount_fen,
            expires_at=None,
            by_whom="partner:city-rental",
            reason="order 1",
            **{"now": NOW, **more},
        )


@pytest.fixture
async def world(house: House) -> AsyncIterator[World]:
    """A city whose rental has a budget, of which something is spent."""
    world = World(house)
    await world.found()
    async with world.database.write() as tx:
        programme = await publish_next(tx, TERMS, now=NOW)
    await spend(world.database, programme, 12_34)
    yield world
    async with world.database.read() as tx:
        assert await broken(tx) == {}
    await world.close()


@pytest.fixture
async def editor(world: World) -> OperatorSoftware:
    return await OperatorSoftware.of(world, "programmes")


def balance_of(view: Any, span: str) -> Any:
    (found,) = (each for each in view["balances"] if each["span"] == span)
    return found


async def test_an_operator_sees_what_there_is_and_why(editor: OperatorSoftware) -> None:
    shown = await editor.call("GET", PATH, reason=None)
    assert shown.status_code == 200, shown.text
    assert balance_of(shown.json(), "day") == {
        "span": "day",
        "bucket": "2026-11-20",
        "limit_fen": 50_00,
        "limit_uses": 5,
        "reserved_fen": 12_34,
        "settled_fen": 0,
        "uses": 1,
        "revision": 2,
    }
    why = await editor.call("GET", f"{PATH}/entries?span=day&bucket=2026-11-20&page_size=1")
    (entry,) = why.json()["items"]
    assert (entry["kind"], entry["reserved_change_fen"], entry["by_whom"], entry["reason"]) == (
        "reserve",
        12_34,
        "partner:city-rental",
        "order 1",
    )
    rest = await editor.call(
        "GET",
        f"{PATH}/entries?span=day&bucket=2026-11-20&cursor={why.json()['next_cursor']}",
    )
    assert [each["kind"] for each in rest.json()["items"]] == ["limit"]
    assert str(citizen(1)) not in shown.text + why.text + rest.text, "no citizen is named"


async def test_a_refill_is_done_once_and_stands_in_the_entries(
    world: World, editor: OperatorSoftware
) -> None:
    key = {"idempotency-key": new_token("key_")}
    for _ in range(2):
        done = await editor.call("POST", f"{PATH}/refills", REFILL, reason="旺季", headers=key)
        assert done.status_code == 201, done.text
        assert (done.json()["limit_fen"], done.json()["reserved_fen"]) == (105_00, 12_34)
    shown = await editor.call("GET", f"{PATH}/entries?page_size=1")
    (entry,) = shown.json()["items"]
    assert (entry["kind"], entry["by_whom"], entry["reason"]) == ("refill", editor.login, "旺季")
    assert await world.count("operator_entry", "action = 'budget.refilled'") == 1


async def test_two_operators_at_once_both_refill(world: World, editor: OperatorSoftware) -> None:
    answers = await asyncio.gather(
        *(editor.call("POST", f"{PATH}/refills", REFILL) for _ in range(6))
    )
    assert {each.status_code for each in answers} == {201}
    assert {each.json()["limit_fen"] for each in answers} == {
        100_00 + 5_00 * n for n in range(1, 7)
    }


@pytest.mark.parametrize(
    ("method", "path", "body", "code"),
    [
        ("GET", "/v1/operator/budgets/no-such", None, "not_found"),
        ("GET", "/v1/operator/budgets/no-such/entries", None, "not_found"),
        ("GET", "/v1/operator/budgets/%00", None, "parameter_invalid"),
        ("GET", f"{PATH}/entries?span=day&bucket=soon", None, "budget_bucket_invalid"),
        ("GET", f"{PATH}/entries?span=citizen", None, "parameter_invalid"),
        ("GET", f"{PATH}/entries?cursor=x", None, "cursor_invalid"),
        ("GET", f"{PATH}/entries?cursor=WyIxMjM0NTY3ODkwMTIzNDU2Nzg5MCJd", None, "cursor_invalid"),
        ("POST", f"{PATH}/refills", {**REFILL, "amount_fen": 0}, "budget_refill_impossible"),
        ("POST", f"{PATH}/refills", {**REFILL, "amount_fen": -1}, "body_invalid"),
        ("POST", f"{PATH}/refills", {**REFILL, "amount_fen": 1.5}, "body_invalid"),
        ("POST", f"{PATH}/refills", {**REFILL, "span": "month"}, "budget_bucket_invalid"),
        ("POST", f"{PATH}/refills", {**REFILL, "bucket": "\u0000"}, "budget_bucket_invalid"),
        ("POST", "/v1/operator/budgets/no-such/refills", REFILL, "not_found"),
    ],
)
async def test_what_can_not_be_is_refused(
    editor: OperatorSoftware, method: str, path: str, body: Any, code: str
) -> None:
    problem_of(await editor.call(method, path, body), PROBLEMS[code].status, code)


async def test_nobody_else_sees_it_and_nothing_is_refilled_without_a_reason(
    world: World, editor: OperatorSoftware
) -> None:
    for role in ("audit", "cases", "data"):
        other = await OperatorSoftware.of(world, role)
        for method, path in (("GET", PATH), ("GET", f"{PATH}/entries")):
            problem_of(await other.call(method, path), 403, "scope_insufficient")
        refused = await other.call("POST", f"{PATH}/refills", REFILL)
        problem_of(refused, 403, "scope_insufficient")
    refused = await editor.call("POST", f"{PATH}/refills", REFILL, reason=None)
    problem_of(refused, 400, "reason_missing")


async def test_the_clock_gives_back_more_than_one_transaction_takes(world: World) -> None:
    async with world.database.write() as tx:
        programme = await publish_next(tx, None, now=NOW)
        for number in range(budget.EXPIRED_AT_ONCE + 5):
            await budget.reserve(
                tx,
                subject_id=citizen(number),
                programme=programme,
                partner_id=partner(number % 3),
                amount_fen=number,
                expires_at=NOW + timedelta(minutes=number % 7 + 1),
                by_whom="partner:x",
                reason="order",
                now=NOW,
            )
    world.clock.advance(timedelta(minutes=30))
    expired = await jobs.expire_reservations(world.database, clock=world.clock)
    assert expired == budget.EXPIRED_AT_ONCE + 5
    assert await jobs.expire_reservations(world.database, clock=world.clock) == 0
    assert await world.count("reservation", "state = 'reserved'") == 1


@pytest.fixture
async def shell(
    database: Database, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Result]:
    monkeypatch.chdir(tmp_path)
    async with database.write() as tx:
        programme = await publish(tx, TERMS, now=NOW)
        names = {"name_zh": "市出行", "name_en": "City Rental", "kind": "merchant"}
        await partner_service.add_partner(tx, code="city-rental", now=NOW, **names)
    await spend(database, programme, 12_34)
    environment = {
        "CREDIT_DATABASE_URL": database_url,
        "CREDIT_KEK": encoded_key(KEK),
        "CREDIT_DIGEST_KEY": encoded_key(DIGEST_KEY),
    }

    def call(*words: str) -> Result:
        return CliRunner().invoke(main, ("budget", *words), env=environment)

    return call


async def test_the_same_at_the_shell(shell: Callable[..., Result]) -> None:
    async def done(*words: str) -> str:
        # A command has a loop of its own.
        result = await asyncio.to_thread(shell, *words)
        assert result.exit_code == 0, result.output
        return result.stdout

    assert "programme: reserved 12.34, spent 0.00 of 100.00 yuan; 1 uses of no limit" in await done(
        "show", CODE
    )
    raised = await done("refill", CODE, "--yuan", "7.50", "--by", "安", "--reason", "旺季")
    assert "of 107.50 yuan" in raised
    ahead = await done(
        *("refill", CODE, "--day", "2099-01-01", "--uses", "2", "--by", "安", "--json")
    )
    assert json.loads(ahead)["limit_uses"] == 7
    why = await done("entries", CODE)
    assert "refill" in why.splitlines()[0]
    assert why.splitlines()[0].endswith("by cli:安: 旺季")
    assert "reserved +12.34" in why
    assert json.loads(await done("entries", CODE, "--month", "2026-11", "--json"))
    assert await done("entries", CODE, "--partner", "city-rental") == "Nothing has changed.\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("show", "no-such"), "not_found"),
        (("refill", CODE), "nothing is added"),
        (("refill", CODE, "--yuan", "1.234"), "--yuan is an amount"),
        (("refill", CODE, "--yuan", "-1"), "--yuan is an amount"),
        (("refill", CODE, "--yuan", "1", "--partner", "nobody"), "there is no partner nobody"),
        (("refill", CODE, "--yuan", "1", "--day", "2020-01-01"), "is past"),
        (("refill", CODE, "--yuan", "1", "--day", "x"), "budget_bucket_invalid"),
        (("entries", CODE, "--day", "2026-11-20", "--month", "2026-11"), "one of --partner"),
    ],
)
async def test_a_mistake_at_the_shell_is_said(
    shell: Callable[..., Result], words: tuple[str, ...], said: str
) -> None:
    result = await asyncio.to_thread(shell, *words)
    assert result.exit_code != 0
    assert said in result.output
