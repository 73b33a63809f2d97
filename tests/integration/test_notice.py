"""Goal: a citizen is told at least once, whatever fails; what is sent says nothing about them; what
is shown stays until it is a year old or they leave, and is theirs alone.

Method: the whole application on a real PostgreSQL with the real relay; the gateway is an inbox that
can be away. A process that dies between sending and writing that down is a gateway that raises
after it took the text.
"""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from arq import Retry

from backend.app import House, event_handlers
from backend.app.wiring import Participation
from backend.citizen import service as citizen
from backend.citizen.ports import Sender
from backend.event import service as event
from backend.event.jobs import Relay
from backend.kit.clock import FixedClock
from backend.notice import service
from backend.notice.rules import KEPT_FOR, PHONE_TEXT, SENT_WITHIN
from backend.worker import sweep
from tests.support.citizen import phone
from tests.support.world import NAME, App, Inbox, World, problem_of

NOTICES = "/v1/me/notices"
ORDER = {"order_id": uuid4(), "programme": "library", "amount_fen": 19900}
TOLD = (phone(1), PHONE_TEXT)


@pytest.fixture
async def world(house: House) -> AsyncIterator[World]:
    """A city whose gateway is an inbox."""
    world = World(house)
    yield world
    await world.close()


@pytest.fixture
async def lin(world: World) -> App:
    """Somebody who takes part, and whose inbox is empty."""
    app = await world.app_of(1, joins=True)
    await world.work()
    world.inbox.texts.clear()
    return app


async def tell(world: World, app: App, topic: str = "order.activated") -> UUID | None:
    async with world.database.write() as tx:
        return await service.notify(
            tx, subject_id=await app.subject_id, topic=topic, facts=ORDER, now=world.clock.now()
        )


async def open_events(world: World) -> list[UUID]:
    """Return the events that wait, as a relay claims them a minute later."""
    async with world.database.write() as tx:
        now = world.clock.now() + timedelta(minutes=2)
        return [each.event_id for each in await event.claim(tx, now=now)]


class Dying:
    """A gateway that takes the text; and then the process that sent it is gone."""

    def __init__(self, inbox: Inbox) -> None:
        self.inbox = inbox

    async def send(self, *, phone: str, text: str) -> None:
        await self.inbox.send(phone=phone, text=text)
        raise KeyboardInterrupt


class Watching:
    """A gateway that looks how many transactions wait while it is asked."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.seen: list[int] = []

    async def send(self, *, phone: str, text: str) -> None:
        assert phone
        assert text
        async with self.world.database.write() as tx:
            await tx.execute("SET LOCAL ROLE NONE")  # the application sees nobody's state
            waiting = await tx.fetch_value(
                int,
                """SELECT count(*) FROM pg_stat_activity
                   WHERE datname = current_database() AND pid <> pg_backend_pid()
                     AND state LIKE 'idle in transaction%'""",
            )
        self.seen.append(waiting)


def relay(world: World, sender: Sender | None = None) -> Relay:
    house = world.house if sender is None else replace(world.house, sender=sender)
    handlers = event_handlers(house)
    return Relay(database=world.database, clock=world.clock, handlers=handlers)


async def test_the_citizen_is_told_on_screen_and_by_a_text(world: World, lin: App) -> None:
    notice_id = await tell(world, lin)
    assert world.inbox.texts == [], "nothing is sent inside the transaction of the cause"
    page = (await lin.call("GET", NOTICES)).json()
    (notice,) = page["items"]
    assert (page["unread"], page["next_cursor"]) == (1, None)
    assert notice["notice_id"] == str(notice_id)
    assert notice["read_at"] is None
    assert "¥199.00" in notice["text_zh"]
    assert "¥199.00" in notice["text_en"]
    assert notice["facts"] == {**ORDER, "order_id": str(ORDER["order_id"])}
    await world.work()
    assert world.inbox.texts == [TOLD]
    assert await world.count("notice", "sent_at IS NOT NULL") == 1
    await world.work()
    assert world.inbox.texts == [TOLD], "once is enough"


async def test_the_text_holds_no_word_about_the_person(world: World, lin: App) -> None:
    """The same bytes for every topic and every citizen; name, amount and programme aren't in it."""
    other = await world.app_of(2, joins=True)
    world.inbox.texts.clear()
    await tell(world, lin)
    await tell(world, other, "order.to_confirm")
    await world.work()
    assert {to for to, _ in world.inbox.texts} == {phone(1), phone(2)}
    assert {text for _, text in world.inbox.texts} == {PHONE_TEXT}
    for word in (NAME, "199", "library", str(await lin.subject_id)):
        assert word not in PHONE_TEXT


async def test_a_gateway_that_is_away_is_tried_again(world: World, lin: App) -> None:
    await tell(world, lin)
    world.inbox.away = True
    (event_id,) = await open_events(world)
    for attempt in (1, 2, 3):
        with pytest.raises(Retry):
            await relay(world).handle(event_id, attempt=attempt)
    assert await world.count("notice", "sent_at IS NULL") == 1
    world.inbox.away = False
    await relay(world).handle(event_id, attempt=4)
    await relay(world).handle(event_id, attempt=5)
    assert world.inbox.texts == [TOLD]


async def test_who_dies_after_sending_sends_again_and_loses_nothing(world: World, lin: App) -> None:
    """At least once: the text went out, nothing was written down, the event is still open."""
    await tell(world, lin)
    (event_id,) = await open_events(world)
    with pytest.raises(KeyboardInterrupt):
        await relay(world, Dying(world.inbox)).handle(event_id, attempt=1)
    await relay(world).handle(event_id, attempt=2)
    assert world.inbox.texts == [TOLD, TOLD]


async def test_no_transaction_is_open_while_the_gateway_is_asked(world: World, lin: App) -> None:
    """A gateway may take seconds: nobody waits for it with a lock or a connection in hand."""
    await tell(world, lin)
    (event_id,) = await open_events(world)
    watching = Watching(world)
    await relay(world, watching).handle(event_id, attempt=1)
    assert watching.seen == [0]


async def test_a_text_that_comes_too_late_is_not_sent(
    world: World, lin: App, clock: FixedClock
) -> None:
    await tell(world, lin)
    clock.advance(SENT_WITHIN)
    await world.work()
    assert world.inbox.texts == []
    assert len((await lin.call("GET", NOTICES)).json()["items"]) == 1, "it is shown all the same"


async def test_nothing_is_told_to_who_does_not_take_part(world: World) -> None:
    app = await world.app_of(3)
    world.inbox.texts.clear()
    assert await tell(world, app) is None
    async with world.database.write() as tx:
        nobody = await service.notify(
            tx, subject_id=uuid4(), topic="order.activated", facts=ORDER, now=world.clock.now()
        )
    assert nobody is None
    await world.work()
    assert world.inbox.texts == []
    assert await world.count("notice") == 0


@pytest.mark.parametrize("deletes", [False, True])
async def test_leaving_erases_notices_and_sends_nothing_more(
    world: World, lin: App, deletes: bool
) -> None:
    await tell(world, lin)
    path = "/v1/me" if deletes else "/v1/me/participation"
    assert (await lin.call("DELETE", path)).status_code == 204
    assert await world.count("notice") == 0
    await world.work()
    assert world.inbox.texts == []


async def test_leaving_waits_for_who_tells_and_erases_that_too(world: World, lin: App) -> None:
    """The hold of the participation: without it a notice would outlive the citizen's part."""
    subject_id, now = await lin.subject_id, world.clock.now()
    async with world.database.write() as tx:
        await service.notify(
            tx, subject_id=subject_id, topic="order.activated", facts=ORDER, now=now
        )
        leaving = lin.world.database.write()
        async with leaving as other:
            await other.execute("SET LOCAL lock_timeout = '200ms'")
            with pytest.raises(Exception, match="lock timeout"):
                await citizen.leave(other, subject_id=subject_id, now=now, hooks=Participation())
    assert await world.count("notice") == 1


async def test_reading_is_noted_once_and_only_by_whose_it_is(
    world: World, lin: App, clock: FixedClock
) -> None:
    notice_id = await tell(world, lin)
    read = f"{NOTICES}/{notice_id}/read"
    other = await world.app_of(2, joins=True)
    problem_of(await other.call("POST", read), 404, "not_found")
    problem_of(await lin.call("POST", f"{NOTICES}/{uuid4()}/read"), 404, "not_found")
    first = (await lin.call("POST", read)).json()["read_at"]
    assert first is not None
    clock.advance(timedelta(hours=1))
    assert (await lin.call("POST", read)).json()["read_at"] == first
    assert (await lin.call("GET", NOTICES)).json()["unread"] == 0
    assert (await other.call("GET", NOTICES)).json()["items"] == []


async def test_notices_come_in_pages_newest_first(
    world: World, lin: App, clock: FixedClock
) -> None:
    made = []
    for _ in range(5):
        clock.advance(timedelta(seconds=1))
        made.append(str(await tell(world, lin)))
    seen: list[str] = []
    cursor = ""
    while True:
        page = (await lin.call("GET", f"{NOTICES}?page_size=2{cursor}")).json()
        seen += [each["notice_id"] for each in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert seen == made[::-1]


async def test_a_year_old_notice_is_swept(world: World, lin: App, clock: FixedClock) -> None:
    await tell(world, lin)
    clock.advance(KEPT_FOR)
    await sweep(world.house)
    assert await world.count("notice") == 1
    clock.advance(timedelta(seconds=1))
    await sweep(world.house)
    assert await world.count("notice") == 0
