"""Goal: a citizen who is told "not yet" gets a person to look, by a day the calendar sets: one open
case a thing, theirs alone, in their own words that nobody else can open, gone when they withdraw
or leave.

Method: the whole application on a real PostgreSQL. Races are real: requests at once.
"""

import asyncio
from collections.abc import AsyncIterator
from datetime import date, timedelta
from typing import Any
from uuid import uuid4

import pytest

from backend.app import House, Participation
from backend.case import service
from backend.case.rules import KEPT_FOR, TEXT_CHARACTERS_MAX
from backend.citizen import service as citizen
from backend.kit.clock import FixedClock
from backend.kit.postgres import Tx
from backend.kit.problem import Refusal
from backend.worker import sweep
from tests.support.case_world import ASK, CASES, WORDS, asking, decided, opened, own_cases
from tests.support.operator import OperatorSoftware
from tests.support.world import App, World, problem_of


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


async def test_a_case_is_opened_with_the_day_it_is_due(lin: App) -> None:
    """20 November 2026 is a Friday; 15 working days later is Friday, 11 December."""
    answer = await lin.call("POST", CASES, ASK)
    assert answer.status_code == 201, answer.text
    made = answer.json()
    assert made["due_on"] == "2026-12-11"
    (case,) = await own_cases(lin)
    assert case["case_id"] == made["case_id"]
    assert (case["kind"], case["object"], case["state"]) == ("not_yet", "library", "open")
    assert (case["text"], case["is_overdue"], case["outcome"]) == (WORDS, False, None)


async def test_what_was_written_stands_nowhere_in_the_clear(world: World, lin: App) -> None:
    """Neither in the case nor in the answer that is kept for a repeated request."""
    headers = {"idempotency-key": "one-key-for-two-tries"}
    first = await lin.call("POST", CASES, ASK, headers=headers)
    again = await lin.call("POST", CASES, ASK, headers=headers)
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    assert await world.count("review_case") == 1
    for table in ("review_case", "idempotency_key", "outbox", "operator_entry"):
        rows = await world.count(f"{table} AS t", f"position('{WORDS[:6]}' IN t::text) > 0")
        assert rows == 0, table
    digits = WORDS.encode().hex()
    assert await world.count("idempotency_key", f"encode(answer, 'hex') LIKE '%{digits}%'") == 0
    assert await world.count("review_case", f"encode(text_sealed, 'hex') LIKE '%{digits}%'") == 0


async def test_a_case_needs_no_words(world: World, lin: App) -> None:
    await opened(lin, text="  ")
    assert (await own_cases(lin))[0]["text"] == ""
    assert await world.count("review_case", "text_sealed IS NULL") == 1


async def test_one_open_case_a_thing(lin: App) -> None:
    await opened(lin)
    problem_of(await lin.call("POST", CASES, ASK), 409, "case_open")
    await opened(lin, programme="rental")
    assert len(await own_cases(lin)) == 2


async def test_one_open_case_a_thing_under_a_race(world: World, lin: App) -> None:
    answers = await asyncio.gather(*(lin.call("POST", CASES, ASK) for _ in range(8)))
    assert sorted(each.status_code for each in answers) == [201] + [409] * 7
    for each in answers:
        if each.status_code == 409:
            problem_of(each, 409, "case_open")
    assert await world.count("review_case") == 1


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"programme": "no-such"}, 404, "not_found"),
        ({"kind": "obligation"}, 400, "body_invalid"),
        ({"text": "字" * (TEXT_CHARACTERS_MAX + 1)}, 400, "body_invalid"),
        ({"text": "a\u202eb"}, 422, "case_text_invalid"),
        ({"more": 1}, 400, "body_invalid"),
    ],
)
async def test_what_can_not_be_asked_changes_nothing(
    world: World, lin: App, changes: dict[str, Any], status: int, code: str
) -> None:
    before = await world.affairs()
    problem_of(await lin.call("POST", CASES, {**ASK, **changes}), status, code)
    assert await world.affairs() == before


async def test_there_must_be_something_to_look_at(world: World) -> None:
    stranger = await world.app_of(3)
    problem_of(await stranger.call("POST", CASES, ASK), 409, "participation_required")
    reader = await world.reader_of(2, enrols=())
    problem_of(await reader.call("POST", CASES, ASK), 409, "case_not_needed")


async def test_an_unknown_calendar_is_not_guessed(world: World, lin: App) -> None:
    async with world.database.write() as tx:
        await tx.execute("SET LOCAL ROLE NONE")
        await tx.execute("DELETE FROM work_calendar WHERE day > '2026-12-01'")
    problem = problem_of(await lin.call("POST", CASES, ASK), 503, "calendar_unknown")
    assert problem["day"] == "2026-12-02"


async def test_somebody_elses_case_is_not_found(world: World, lin: App) -> None:
    case_id = await opened(lin)
    other = await asking(world, 2)
    foreign = problem_of(await other.call("DELETE", f"{CASES}/{case_id}"), 404, "not_found")
    unknown = problem_of(await other.call("DELETE", f"{CASES}/{uuid4()}"), 404, "not_found")
    assert {**foreign, "request_id": ""} == {**unknown, "request_id": ""}
    assert await own_cases(other) == []
    assert (await own_cases(lin))[0]["state"] == "open"


async def test_withdrawing_forgets_what_was_written_and_can_be_repeated(
    world: World, lin: App
) -> None:
    case_id = await opened(lin)
    for _ in range(2):
        assert (await lin.call("DELETE", f"{CASES}/{case_id}")).status_code == 204
    (case,) = await own_cases(lin)
    assert (case["state"], case["text"]) == ("withdrawn", "")
    assert await world.count("review_case", "text_sealed IS NOT NULL") == 0
    assert await world.count("outbox", "topic = 'case.withdrawn'") == 1
    await opened(lin)


async def test_a_decided_case_is_not_withdrawn(world: World, lin: App) -> None:
    case_id = await opened(lin)
    operator = await OperatorSoftware.of(world, "cases")
    assert (await decided(operator, case_id)).status_code == 200
    problem = problem_of(await lin.call("DELETE", f"{CASES}/{case_id}"), 409, "case_settled")
    assert problem["state"] == "decided"


async def test_overdue_is_shown_to_its_citizen(lin: App, clock: FixedClock) -> None:
    await opened(lin)
    clock.advance(timedelta(days=21))  # 11 December: the last day
    assert (await own_cases(lin))[0]["is_overdue"] is False
    clock.advance(timedelta(days=1))
    assert (await own_cases(lin))[0]["is_overdue"] is True


@pytest.mark.parametrize("deletes", [False, True])
async def test_leaving_erases_cases(world: World, lin: App, deletes: bool) -> None:
    await opened(lin)
    path = "/v1/me" if deletes else "/v1/me/participation"
    assert (await lin.call("DELETE", path)).status_code == 204
    assert await world.count("review_case") == 0


async def test_who_leaves_meanwhile_opens_no_case(world: World, lin: App) -> None:
    """Asking and leaving at once: whatever came first, nothing is left of the citizen."""
    answers = await asyncio.gather(
        lin.call("POST", CASES, ASK), lin.call("DELETE", "/v1/me/participation")
    )
    assert answers[1].status_code == 204
    assert answers[0].status_code in {201, 409}
    assert await world.count("review_case") == 0


async def test_leaving_waits_for_who_opens_a_case_and_erases_it_too(world: World, lin: App) -> None:
    """The hold of the participation: without it a case would outlive the citizen's part."""
    subject_id, now = await lin.subject_id, world.clock.now()
    async with world.database.write() as tx:
        await service.open_case(
            tx,
            subject_id=subject_id,
            kind="not_yet",
            object="library",
            text=WORDS,
            vault=world.vault,
            now=now,
        )
        async with world.database.write() as other:
            await other.execute("SET LOCAL lock_timeout = '200ms'")
            with pytest.raises(Exception, match="lock timeout"):
                await citizen.leave(other, subject_id=subject_id, now=now, hooks=Participation())
    assert await world.count("review_case") == 1
    assert (await lin.call("DELETE", "/v1/me/participation")).status_code == 204
    assert await world.count("review_case") == 0


async def test_cases_come_in_pages_newest_first(lin: App, clock: FixedClock) -> None:
    made = []
    for code in ("library", "rental", "transit"):
        clock.advance(timedelta(seconds=1))
        made.append(await opened(lin, programme=code))
    first = (await lin.call("GET", f"{CASES}?page_size=2")).json()
    rest = (await lin.call("GET", f"{CASES}?page_size=2&cursor={first['next_cursor']}")).json()
    seen = [each["case_id"] for each in [*first["items"], *rest["items"]]]
    assert seen == made[::-1]
    assert rest["next_cursor"] is None


async def test_an_ended_case_is_swept_after_three_years(
    world: World, lin: App, clock: FixedClock
) -> None:
    await opened(lin)
    ended = await opened(lin, programme="rental")
    await lin.call("DELETE", f"{CASES}/{ended}")
    clock.advance(date(2026, 12, 11) - date(2026, 11, 20) + KEPT_FOR)
    await sweep(world.house)
    assert await world.count("review_case") == 2
    clock.advance(timedelta(days=1))
    await sweep(world.house)
    assert await world.count("review_case", "state = 'open'") == 1, "an open one waits on"
    assert await world.count("review_case") == 1


async def test_a_room_closes_a_case_about_what_is_gone(world: World, lin: App) -> None:
    """The verb of the orders: no event, for whoever calls it knows."""
    subject_id = await lin.subject_id
    now = world.clock.now()
    async with world.database.write() as tx:
        case = await service.open_case(
            tx,
            subject_id=subject_id,
            kind="obligation",
            object=str(uuid4()),
            text="已经付过了",
            vault=world.vault,
            now=now,
        )
        assert case.due_on == date(2026, 12, 10)
        assert await service.withdraw_if_open(tx, subject_id=subject_id, case_id=case.case_id)
        assert not await service.withdraw_if_open(tx, subject_id=subject_id, case_id=case.case_id)
    assert await world.count("outbox", "topic = 'case.withdrawn'") == 0


async def test_nobody_opens_a_case_for_a_stranger(tx: Tx, world: World) -> None:
    with pytest.raises(Refusal) as refused:
        await service.open_case(
            tx,
            subject_id=uuid4(),
            kind="obligation",
            object="x",
            text="",
            vault=world.vault,
            now=world.clock.now(),
        )
    assert refused.value.code == "participation_required"
