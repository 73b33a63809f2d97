"""Goal: whatever people do at the same moment, nobody gets a 500 and the books are right.

Method: the real application in process on a real database. A few citizens, each with two apps and
a browser, and two libraries do random things at once, in a seeded order: join, leave, enrol, leave
the programme, agree, withdraw, look, refresh, delete the account and come back. The books of
tests/fault/books.py are read at the end.
"""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator

import httpx
import pytest

from backend.app import House
from tests.fault.books import broken
from tests.support.oauth_client import OauthClient
from tests.support.web import Browser
from tests.support.world import JOINING, App, Tokens, World

CITIZENS = 3
HANDS = 5  # things each citizen and the libraries around do at the same time
STEPS = 40


@pytest.fixture
async def world(house: House) -> AsyncIterator[World]:
    world = World(house)
    yield world
    await world.close()


class Life:
    """A citizen's apps and browser, and what libraries hold about them."""

    def __init__(self, world: World, serial: int, clients: list[OauthClient]) -> None:
        self.world, self.serial, self.clients = world, serial, clients
        self.chance = random.Random(serial)
        self.statuses: Counter[tuple[str, int]] = Counter()
        self.tokens: list[tuple[OauthClient, Tokens]] = []
        self.apps: list[App] = []
        self.browser: Browser

    async def begin(self) -> None:
        await self.world.make_reader(self.serial)
        first = await self.world.app_of(self.serial, joins=True)
        self.apps = [first, first]
        self.browser = await self.world.browser_of(self.serial)

    async def hand(self) -> None:
        """Do one thing after the other."""
        often = (self.enrol, self.agree, self.look)
        things = (*often, *often, self.join, self.leave, self.leave_programme, self.withdraw)
        for _ in range(STEPS):
            await self.chance.choice((*things, self.refresh))()

    def note(self, what: str, answer: httpx.Response) -> httpx.Response:
        self.statuses[what, answer.status_code] += 1
        return answer

    async def call(self, what: str, method: str, path: str, body: object = None) -> httpx.Response:
        app = self.chance.choice(self.apps)
        return self.note(what, await app.call(method, path, body))

    async def join(self) -> None:
        await self.call("join", "PUT", "/v1/me/participation", JOINING)

    async def leave(self) -> None:
        if self.chance.random() < 0.4:
            await self.call("leave", "DELETE", "/v1/me/participation")

    async def enrol(self) -> None:
        code = self.chance.choice(("library", "transit", "approval"))
        await self.call("enrol", "POST", "/v1/me/enrolments", {"programme": code})

    async def leave_programme(self) -> None:
        answer = await self.call("offers", "GET", "/v1/me/programmes")
        for offer in answer.json()["items"]:
            if offer["enrolment"] is not None:
                enrolment_id = offer["enrolment"]["enrolment_id"]
                await self.call("unenrol", "DELETE", f"/v1/me/enrolments/{enrolment_id}")
                return

    async def agree(self) -> None:
        client = self.chance.choice(self.clients)
        link = await self.world.ask(client)
        page = await self.browser.follow(await self.browser.open(link))
        forms = [form for form in page.forms if form.action == "/consent"]
        if not forms:  # nobody who does not take part is asked
            return
        page = await self.browser.submit(forms[0], answer="accept")
        self.statuses["agree", page.status] += 1
        if page.status == 303:
            answer = self.note(
                "redeem", await client.redeem(httpx.URL(page.location).params["code"])
            )
            if answer.status_code == 200:
                body = answer.json()
                tokens = Tokens(body["access_token"], body["refresh_token"], body)
                self.tokens.append((client, tokens))

    async def withdraw(self) -> None:
        answer = await self.call("consents", "GET", "/v1/me/consents?page_size=3")
        for each in answer.json()["items"]:
            await self.call("withdraw", "DELETE", f"/v1/me/consents/{each['consent_id']}")

    async def look(self) -> None:
        for client, tokens in self.tokens[-2:]:
            self.note("look", await self.world.check(client, tokens.access))

    async def refresh(self) -> None:
        if self.tokens:
            client, tokens = self.chance.choice(self.tokens)
            self.note("refresh", await client.refresh(tokens.refresh))


async def test_many_hands_at_once_break_nothing(world: World, database_url: str) -> None:
    library = await world.found()
    kiosk = await world.client_of("city-library", "library-kiosk")
    async with world.database.write() as tx:
        await tx.execute("UPDATE seat_budget SET seats_total = 2")
    lives = [Life(world, serial, [library, kiosk]) for serial in range(1, CITIZENS + 1)]
    for life in lives:
        await life.begin()
    await asyncio.gather(*(life.hand() for life in lives for _ in range(HANDS)))
    statuses = sum((life.statuses for life in lives), Counter[tuple[str, int]]())
    assert not [each for each in statuses if each[1] >= 500], statuses
    for what in ("join", "leave", "enrol", "unenrol", "agree", "redeem", "withdraw"):
        assert any(name == what and status < 400 for name, status in statuses), (what, statuses)
    assert any(name == "look" for name, _ in statuses), "whatever they were told"
    await world.work()
    assert await broken(database_url) == {}
