"""Goal: an operator comes in with password and second factor, for a quarter of an hour without use
and a working day at most; nobody else comes in, and nobody learns why not.

Method: the whole application on real servers; the clock is moved, the authenticator app is our own
arithmetic, held against RFC 6238 elsewhere. Races are real: the same requests at once.
"""

import asyncio
import statistics
import time
from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import pytest

from backend.app import House
from backend.kit.clock import FixedClock
from backend.kit.ids import token_hash
from backend.ledger.rules import Actor
from backend.operator import service
from backend.operator.desk import WAITING_MAX
from backend.operator.rules import LIMITS, CounterKind, totp_code, totp_step
from tests.support.operator import PASSWORD, REASON, SESSIONS, OperatorSoftware, secret_of
from tests.support.world import World, problem_of

ME = "/v1/operator/me"
SET_UPS = "/v1/operator/set-ups"
MINUTE = timedelta(minutes=1)


@pytest.fixture
async def world(house: House) -> AsyncIterator[World]:
    """A city without anybody."""
    world = World(house)
    yield world
    await world.close()


@pytest.fixture
async def operator(world: World) -> OperatorSoftware:
    """Somebody who runs programmes, with nobody signed in."""
    return await OperatorSoftware.added(world, "programmes", "cases", login="chen.jing")


def wrong_code(operator: OperatorSoftware) -> str:
    """Return six digits that are good at no step around now."""
    step = totp_step(operator.world.clock.now())
    good = {totp_code(operator.secret, step + offset) for offset in (-1, 0, 1)}
    return next(code for code in ("000000", "111111", "222222", "333333") if code not in good)


async def test_an_operator_signs_in_is_known_and_signs_out(operator: OperatorSoftware) -> None:
    answer = await operator.sign_in()
    assert answer.status_code == 201, answer.text
    assert answer.headers["cache-control"] == "no-store"
    body = answer.json()
    assert body["access_token"].startswith("cp_op_")
    assert body["token_type"] == "DPoP"
    assert body["expires_in"] == 8 * 3600
    assert body["scope"] == "cases:operate operator:read programmes:operate"
    me = (await operator.call("GET", ME)).json()
    assert (me["login"], me["roles"]) == ("chen.jing", ["cases", "programmes"])
    assert (await operator.call("DELETE", "/v1/operator/sessions/current")).status_code == 204
    problem_of(await operator.call("GET", ME), 401, "token_invalid")


async def test_what_is_wrong_is_not_told(operator: OperatorSoftware) -> None:
    """Login, password, code, a suspended or half-made operator: one answer but for its id."""
    world, answers = operator.world, []
    suspended = await OperatorSoftware.added(world, "data", login="gone")
    async with world.database.write() as tx:
        shell = Actor.at_shell("测试")
        await service.set_suspended(
            tx, login="gone", suspended=True, by=shell, reason=REASON, now=world.clock.now()
        )
        await service.add(
            tx,
            login="half",
            name_zh="半",
            name_en="Half",
            roles=["data"],
            by=shell,
            reason=REASON,
            now=world.clock.now(),
        )
    answers.append(await operator.sign_in(login="nobody"))
    answers.append(await operator.sign_in(login="No Login!"))
    answers.append(await operator.sign_in(login="half"))
    answers.append(await operator.sign_in(password="wrong " + PASSWORD))
    answers.append(await operator.sign_in(totp=wrong_code(operator)))
    answers.append(await suspended.sign_in())
    told = set()
    for answer in answers:
        problem = problem_of(answer, 401, "sign_in_failed")
        assert answer.headers["www-authenticate"].startswith("DPoP algs=")
        problem.pop("request_id")
        told.add(str(problem))
    assert len(told) == 1
    assert await world.count("operator_session") == 0


async def test_a_wrong_login_password_and_code_take_as_long(operator: OperatorSoftware) -> None:
    """Medians of tries in turn, within a factor: a login can't be found out by the clock."""
    world = operator.world
    causes = {
        "login": {"login": "nobody"},
        "password": {"password": "wrong " + PASSWORD},
        "code": {"totp": wrong_code(operator)},
    }
    took: dict[str, list[float]] = {cause: [] for cause in causes}
    for _ in range(9):
        async with world.database.write() as tx:
            await tx.execute("DELETE FROM operator_try")
        for cause, changes in causes.items():
            started = time.perf_counter()
            problem_of(await operator.sign_in(**changes), 401, "sign_in_failed")
            took[cause].append(time.perf_counter() - started)
    # The least of each: what the machine does besides only ever adds.
    least = {cause: min(times) for cause, times in took.items()}
    assert max(least.values()) < 1.5 * min(least.values()), (least, took)
    medians = {cause: statistics.median(times) for cause, times in took.items()}
    assert max(medians.values()) < 2 * min(medians.values()), (medians, took)


async def test_a_code_works_once(operator: OperatorSoftware, clock: FixedClock) -> None:
    code = operator.code
    assert (await operator.sign_in(totp=code)).status_code == 201
    problem_of(await operator.sign_in(totp=code), 401, "sign_in_failed")
    clock.advance(timedelta(seconds=30))
    problem_of(await operator.sign_in(totp=code), 401, "sign_in_failed")
    assert (await operator.sign_in()).status_code == 201


async def test_an_earlier_code_is_no_longer_good(
    operator: OperatorSoftware, clock: FixedClock
) -> None:
    """Whoever read it over a shoulder is too late once a later one was used."""
    early = operator.code
    clock.advance(timedelta(seconds=30))
    assert (await operator.sign_in()).status_code == 201
    problem_of(await operator.sign_in(totp=early), 401, "sign_in_failed")


async def test_one_code_used_at_once_opens_one_session(operator: OperatorSoftware) -> None:
    answers = await asyncio.gather(*(operator.sign_in() for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [201, 401, 401, 401]
    assert await operator.world.count("operator_session") == 1


async def test_guesses_are_limited_for_a_login_and_for_an_address(
    operator: OperatorSoftware, clock: FixedClock
) -> None:
    """Also those at once: a try is counted before it is looked at."""
    most = LIMITS[CounterKind.LOGIN]
    answers = await asyncio.gather(
        *(operator.sign_in(totp=wrong_code(operator)) for _ in range(most + 4))
    )
    assert [answer.status_code for answer in answers].count(401) == most
    problem = problem_of(await operator.sign_in(), 429, "sign_in_throttled")
    assert problem["retry_after_seconds"] == 600
    left = LIMITS[CounterKind.ADDRESS] - most
    for number in range(left):
        problem_of(await operator.sign_in(login=f"nobody-{number}"), 401, "sign_in_failed")
    problem_of(await operator.sign_in(login="nobody-x"), 429, "sign_in_throttled")
    clock.advance(10 * MINUTE)
    assert (await operator.sign_in()).status_code == 201


async def test_signing_in_often_is_no_guessing(
    operator: OperatorSoftware, clock: FixedClock
) -> None:
    for _ in range(LIMITS[CounterKind.ADDRESS] + 2):
        assert (await operator.sign_in()).status_code == 201
        clock.advance(timedelta(seconds=30))


async def test_strangers_can_not_keep_an_operator_out(
    operator: OperatorSoftware, clock: FixedClock
) -> None:
    """A key that has signed the login in before has a count of its own, and a limit too."""
    assert (await operator.sign_in()).status_code == 201
    stranger = OperatorSoftware(operator.world, operator.login, operator.secret)
    for _ in range(LIMITS[CounterKind.LOGIN]):
        problem_of(await stranger.sign_in(password="guess" * 3), 401, "sign_in_failed")
    problem_of(await stranger.sign_in(), 429, "sign_in_throttled")
    clock.advance(timedelta(seconds=30))
    assert (await operator.sign_in()).status_code == 201
    clock.advance(timedelta(seconds=30))
    for _ in range(LIMITS[CounterKind.KNOWN]):
        problem_of(await operator.sign_in(totp=wrong_code(operator)), 401, "sign_in_failed")
    problem_of(await operator.sign_in(), 429, "sign_in_throttled")


async def test_a_crowd_at_the_door_is_turned_away(operator: OperatorSoftware) -> None:
    """What takes 19 MiB each is done two at a time, and a queue has an end."""
    logins = [f"nobody-{number}" for number in range(WAITING_MAX + 8)]
    answers = await asyncio.gather(*(operator.sign_in(login=login) for login in logins))
    statuses = [answer.status_code for answer in answers]
    assert statuses.count(401) == LIMITS[CounterKind.ADDRESS]
    turned_away = [answer for answer in answers if answer.json()["code"] == "too_many_requests"]
    assert turned_away
    assert "retry-after" in turned_away[0].headers


async def test_a_session_ends_when_it_is_not_used(
    operator: OperatorSoftware, clock: FixedClock
) -> None:
    await operator.sign_in()
    for _ in range(3):
        clock.advance(15 * MINUTE - timedelta(seconds=1))
        assert (await operator.call("GET", ME)).status_code == 200
    clock.advance(15 * MINUTE)
    problem_of(await operator.call("GET", ME), 401, "token_invalid")


async def test_a_session_ends_after_a_working_day_however_it_is_used(
    operator: OperatorSoftware, clock: FixedClock
) -> None:
    await operator.sign_in()
    for _ in range(47):
        clock.advance(10 * MINUTE)
        assert (await operator.call("GET", ME)).status_code == 200
    clock.advance(10 * MINUTE - timedelta(microseconds=1))
    assert (await operator.call("GET", ME)).status_code == 200
    clock.advance(timedelta(microseconds=1))
    problem_of(await operator.call("GET", ME), 401, "token_invalid")


async def test_a_token_without_its_key_keeps_no_session_alive(
    operator: OperatorSoftware, clock: FixedClock
) -> None:
    """A thief of the token alone is refused, and doesn't prolong it by trying."""
    await operator.sign_in()
    thief = OperatorSoftware(operator.world, operator.login, b"")
    thief.token = operator.token
    clock.advance(14 * MINUTE)
    problem_of(await thief.call("GET", ME), 401, "token_invalid")
    clock.advance(MINUTE)
    problem_of(await operator.call("GET", ME), 401, "token_invalid")


async def test_tokens_and_secrets_lie_hashed_and_sealed(operator: OperatorSoftware) -> None:
    await operator.sign_in()
    assert operator.token is not None
    hashed = token_hash(operator.token)
    assert await operator.world.count("operator_session", "token_hash = $1", hashed) == 1
    where = "position($1::bytea IN totp_sealed) > 0 OR password_hash LIKE $2"
    secret = operator.secret
    assert await operator.world.count("operator", where, secret, f"%{PASSWORD}%") == 0


async def set_up(world: World, login: str, code: str, password: str = PASSWORD) -> httpx.Response:
    """Set an operator up over HTTP, from a device of its own."""
    software = OperatorSoftware(world, login, b"")
    return await world.http.post(
        SET_UPS,
        json={"login": login, "set_up_code": code, "password": password},
        headers={"dpop": software.signer.proof("POST", SET_UPS)},
    )


async def test_a_new_operator_sets_themselves_up_once(world: World) -> None:
    """Whoever added them hands over a code, and knows neither password nor second factor."""
    security = await OperatorSoftware.of(world, "security")
    person = {"login": "li.na", "name_zh": "李娜", "name_en": "Li Na", "roles": ["cases"]}
    added = await security.call("POST", "/v1/operator/operators", person, reason="新同事")
    assert added.status_code == 201, added.text
    assert added.json()["operator"]["is_set_up"] is False
    code = added.json()["set_up_code"]
    problem_of(await set_up(world, "li.na", code, "short"), 422, "operator_password_weak")
    problem_of(await set_up(world, "li.na", code + "x"), 401, "sign_in_failed")
    problem_of(await set_up(world, "nobody", code), 401, "sign_in_failed")
    answers = await asyncio.gather(*(set_up(world, "li.na", code) for _ in range(3)))
    assert sorted(answer.status_code for answer in answers) == [201, 401, 401]
    [done] = [answer for answer in answers if answer.status_code == 201]
    secret = secret_of(done.json()["totp_uri"])
    colleague = OperatorSoftware(world, "li.na", secret)
    assert (await colleague.sign_in()).status_code == 201
    assert (await colleague.call("GET", ME)).json()["roles"] == ["cases"]


async def test_a_code_to_set_up_with_is_good_for_a_day(world: World, clock: FixedClock) -> None:
    security = await OperatorSoftware.of(world, "security")
    person = {"login": "li.na", "name_zh": "李娜", "name_en": "Li Na", "roles": ["cases"]}
    code = (await security.call("POST", "/v1/operator/operators", person)).json()["set_up_code"]
    clock.advance(timedelta(hours=24))
    problem_of(await set_up(world, "li.na", code), 401, "sign_in_failed")


async def test_a_body_that_is_not_one_is_refused(operator: OperatorSoftware) -> None:
    """A NUL, a number, too much, too little, another member."""
    good = {"login": operator.login, "password": PASSWORD, "totp": operator.code}
    wrong = [
        {**good, "totp": "12345"},
        {**good, "totp": 123456},
        {**good, "totp": operator.code + "\n"},
        {**good, "password": ""},
        {**good, "password": "x" * 201},
        {**good, "login": "x" * 65},
        {**good, "more": 1},
        {"login": operator.login},
        [],
    ]
    for body in wrong:
        proof = operator.signer.proof("POST", SESSIONS)
        answer = await operator.world.http.post(SESSIONS, json=body, headers={"dpop": proof})
        problem_of(answer, 400, "body_invalid")
    for member in ("login", "password"):
        answer = await operator.sign_in(**{member: "nul\0nul-nul-nul"})
        problem_of(answer, 401, "sign_in_failed")
    answer = await operator.world.http.post(SESSIONS, json=good)
    problem_of(answer, 400, "dpop_proof_invalid")
