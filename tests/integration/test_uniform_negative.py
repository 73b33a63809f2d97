"""Goal: a partner learns yes, or nothing: whatever the cause of a no, the answer is the same.

Method: one reader a cause on the real application, each brought there the real way, each checked
by a token that is good; statuses, headers and bytes are compared, and what each check costs in
rows. A citizen who has left has ended every consent: that answer is held against a token's
ordinary end.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta

import httpx
import pytest

from backend.app import House
from backend.kit.clock import FixedClock
from backend.ledger.rules import Actor
from backend.programme import service as programme
from tests.support.oauth_client import OauthClient
from tests.support.world import App, World, problem_of

SHELL = Actor.at_shell("王敏")

NO = b'{"eligible":false}'


@pytest.fixture
async def world(house: House) -> AsyncIterator[World]:
    world = World(house)
    yield world
    await world.close()


@pytest.fixture
async def library(world: World) -> OauthClient:
    return await world.found()


async def fall_below(world: World, serial: int) -> None:
    """Report what ends the eligibility, and let the worker work the score out again."""
    overdue = [f"o-{serial}-{n},1,2026-10-{n:02d},,1" for n in range(1, 7)]
    await world.report(serial, "city_library", "library_overdue", overdue)
    assert await world.work() >= 1


async def not_eligible(world: World, serial: int) -> App:
    app = await world.reader_of(serial)
    await fall_below(world, serial)
    return app


async def not_enrolled(world: World, serial: int) -> App:
    return await world.reader_of(serial, enrols=())


async def neither(world: World, serial: int) -> App:
    app = await not_enrolled(world, serial)
    await fall_below(world, serial)
    return app


async def thin_file(world: World, serial: int) -> App:
    return await world.app_of(serial, joins=True)


async def left_the_programme(world: World, serial: int) -> App:
    app = await world.reader_of(serial)
    offer = (await app.call("GET", "/v1/me/programmes/library")).json()
    path = f"/v1/me/enrolments/{offer['enrolment']['enrolment_id']}"
    assert (await app.call("DELETE", path)).status_code == 204
    return app


async def came_back(world: World, serial: int) -> App:
    """Left the service and joined again, without enrolling again."""
    app = await world.reader_of(serial)
    assert (await app.call("DELETE", "/v1/me/participation")).status_code == 204
    notice = (await app.call("GET", "/v1/me/participation")).json()["notice"]["version"]
    await app.call("PUT", "/v1/me/participation", {"notice_version": notice})
    return app


async def sold_out(world: World, serial: int) -> App:
    app = await not_enrolled(world, serial)
    async with world.database.write() as tx:
        await tx.execute("UPDATE seat_budget SET seats_total = seats_taken")
    refused = await app.call("POST", "/v1/me/enrolments", {"programme": "library"})
    problem_of(refused, 409, "seats_sold_out")
    return app


CAUSES: tuple[Callable[[World, int], Awaitable[App]], ...] = (
    not_eligible,
    not_enrolled,
    neither,
    thin_file,
    left_the_programme,
    came_back,
    sold_out,
)


def comparable(answer: httpx.Response) -> tuple[int, list[tuple[str, str]], bytes]:
    """Return all that a partner can compare, but for the id of the request."""
    headers = [item for item in answer.headers.multi_items() if item[0] != "x-request-id"]
    return answer.status_code, headers, answer.content


async def rows(world: World) -> dict[str, int]:
    """Count what a check writes."""
    tables = ("decision", "access_entry", "replay_marker", "outbox")
    return {table: await world.count(table) for table in tables}


async def test_every_cause_of_a_no_has_the_same_answer(world: World, library: OauthClient) -> None:
    """Status, header lines in their order, and bytes; also of one who was eligible a moment ago."""
    answers: dict[str, httpx.Response] = {}
    written: dict[str, dict[str, int]] = {}
    for serial, cause in enumerate(CAUSES, start=1):
        app = await cause(world, serial)
        tokens = await world.tokens_of(await world.browser_of(serial), library)
        before = await rows(world)
        answers[cause.__name__] = await world.check(library, tokens.access)
        written[cause.__name__] = {
            table: count - before[table] for table, count in (await rows(world)).items()
        }
        (look,) = (await app.call("GET", "/v1/me/accesses")).json()["items"]
        assert look["disclosed"] == "not_eligible"
    async with world.database.write() as tx:
        await tx.execute("UPDATE seat_budget SET seats_total = 100")
    await world.reader_of(50)
    tokens = await world.tokens_of(await world.browser_of(50), library)
    before = await rows(world)
    yes = await world.check(library, tokens.access)
    assert yes.json()["eligible"] is True
    written["eligible"] = {
        table: count - before[table] for table, count in (await rows(world)).items()
    }
    async with world.database.write() as tx:
        await programme.end(
            tx, programme_code="library", by=SHELL, reason="封存", now=world.clock.now()
        )
    answers["programme_ended"] = await world.check(library, tokens.access)
    first = comparable(answers["not_eligible"])
    assert first[0] == 200
    assert first[2] == NO
    for cause, answer in answers.items():
        assert comparable(answer) == first, cause
    assert all(each == written["eligible"] for each in written.values()), written


async def test_a_no_can_be_traced_by_the_citizen_only(world: World, library: OauthClient) -> None:
    """The reason stands in the citizen's own offer, and nowhere in what the partner gets."""
    app = await not_eligible(world, 1)
    offer = (await app.call("GET", "/v1/me/programmes/library")).json()
    lacks = [lack["fact"] for group in offer["missing"] for lack in group["one_of"]]
    assert "indicator.library_overdue" in lacks
    tokens = await world.tokens_of(await world.browser_of(1), library)
    assert (await world.check(library, tokens.access)).content == NO


async def test_who_has_left_looks_like_any_dead_token(
    world: World, library: OauthClient, clock: FixedClock
) -> None:
    """Left, account deleted, consent withdrawn, replaced, or just expired: one answer."""
    answers = {}
    for serial, ending in enumerate(("leave", "delete", "withdraw", "replace", "expire"), start=1):
        app = await world.reader_of(serial)
        browser = await world.browser_of(serial)
        tokens = await world.tokens_of(browser, library)
        assert (await world.check(library, tokens.access)).json()["eligible"] is True
        consents = (await app.call("GET", "/v1/me/consents")).json()["items"]
        match ending:
            case "leave":
                await app.call("DELETE", "/v1/me/participation")
            case "delete":
                await app.call("DELETE", "/v1/me")
            case "withdraw":
                await app.call("DELETE", f"/v1/me/consents/{consents[0]['consent_id']}")
            case "replace":
                await world.tokens_of(browser, library)
            case "expire":
                clock.advance(timedelta(minutes=10))
        before = await rows(world)
        answers[ending] = await world.check(library, tokens.access)
        problem_of(answers[ending], 401, "token_invalid")
        after = await rows(world)
        assert after["decision"] == before["decision"], "nothing is decided"
        assert after["access_entry"] == before["access_entry"], "nothing is disclosed"
    texts = {
        ending: (
            answer.text.replace(answer.headers["x-request-id"], ""),
            comparable(answer)[:2],
        )
        for ending, answer in answers.items()
    }
    assert all(text == texts["expire"] for text in texts.values()), texts


async def test_a_consent_that_outlived_taking_part_would_get_the_same_no(
    world: World, library: OauthClient
) -> None:
    """Leaving ends consents in its own transaction; if ever one were left over, it says nothing."""
    await not_eligible(world, 1)
    enrolled_no = await world.tokens_of(await world.browser_of(1), library)
    app = await world.reader_of(2)
    tokens = await world.tokens_of(await world.browser_of(2), library)
    assert (await app.call("DELETE", "/v1/me/participation")).status_code == 204
    async with world.database.write() as tx:
        await tx.execute("UPDATE consent SET ended_at = NULL, end_reason = NULL")
        await tx.execute("UPDATE oauth_grant SET revoked_at = NULL")
    answer = await world.check(library, tokens.access)
    assert comparable(answer) == comparable(await world.check(library, enrolled_no.access))
    assert answer.content == NO
