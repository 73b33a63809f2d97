"""Goal: who is enrolled in a programme is told once when it rests or has ended, and nobody else is.

Method: the whole application on a real PostgreSQL; the outbox is carried out as the worker does,
one citizen at a time, so that the chain of events is walked.
"""

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from backend.app import House
from backend.ledger.rules import Actor
from backend.notice.rules import PHONE_TEXT
from backend.programme import service as programme
from backend.programme.service import telling
from tests.support.citizen import phone
from tests.support.world import App, World

Step = Callable[..., Awaitable[None]]


@pytest.fixture
async def world(house: House, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    """A city with its programmes, in which one citizen at a time is told."""
    monkeypatch.setattr(telling, "TOLD_AT_A_TIME", 1)
    world = World(house)
    await world.found()
    yield world
    await world.close()


async def take(world: World, step: Step) -> None:
    async with world.database.write() as tx:
        await step(
            tx,
            programme_code="library",
            by=Actor.at_shell("王敏"),
            reason="系统维护",
            now=world.clock.now(),
        )
    world.inbox.texts.clear()
    await world.work()


async def topics_of(app: App) -> list[str]:
    items = (await app.call("GET", "/v1/me/notices")).json()["items"]
    return sorted(each["topic"] for each in items)


async def test_whoever_is_enrolled_is_told_once_and_nobody_else(world: World) -> None:
    enrolled = [await world.reader_of(serial) for serial in (1, 2, 3)]
    beside = await world.reader_of(4, enrols=())
    gone = await world.reader_of(5)
    offer = (await gone.call("GET", "/v1/me/programmes/library")).json()
    path = f"/v1/me/enrolments/{offer['enrolment']['enrolment_id']}"
    assert (await gone.call("DELETE", path)).status_code == 204
    await take(world, programme.pause)
    assert sorted(world.inbox.texts) == [(phone(serial), PHONE_TEXT) for serial in (1, 2, 3)]
    await take(world, programme.pause)
    await take(world, programme.resume)
    assert world.inbox.texts == [], "pausing twice is nothing; going on is no notice"
    left = enrolled.pop()
    assert (await left.call("DELETE", "/v1/me/participation")).status_code == 204
    await take(world, programme.end)
    assert sorted(world.inbox.texts) == [(phone(serial), PHONE_TEXT) for serial in (1, 2)]
    for app in enrolled:
        assert await topics_of(app) == ["programme.ended", "programme.paused"]
    for app in (beside, gone, left):
        assert await topics_of(app) == []
