"""Citizens and a library that play the main job over HTTP and take no outage for an answer.

Whatever has no answer is sent again, with the same Idempotency-Key where there is one. What they
were told is kept, to be held against the books afterwards.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import msgspec
from joserfc.jwk import ECKey

from backend.cli.demo import Codes
from backend.cli.local_city import CLIENT, REDIRECT_URI
from backend.kit.clock import SystemClock
from backend.kit.ids import new_token
from tests.support.citizen import national_id, phone
from tests.support.oauth_client import OauthClient
from tests.support.scene import proved
from tests.support.web import Browser, Page
from tests.support.world import CHECKS, JOINING, NAME, App

RETRY_SECONDS = 0.1
PATIENCE_SECONDS = 60
LOOKS = 4


class Told(msgspec.Struct):
    """What the players were told: decisions that were a yes, statuses, and how it went on."""

    yes: list[str]
    statuses: Counter[int]
    stories: int
    lost: int


class Place:
    """Where an app speaks to: what `App` needs of a world."""

    def __init__(self, origin: str, http: httpx.AsyncClient) -> None:
        self.origin, self.http, self.clock = origin, http, SystemClock()


class Player:
    """One citizen after another, each with an app and a browser, and the library beside them."""

    def __init__(self, number: int, origin: str, demo: Path) -> None:
        self.told = Told([], Counter(), 0, 0)
        self._origin = origin
        self._random = random.Random(number)
        self._serials = iter(range(number * 100, number * 100 + 100))
        self._codes = Codes(demo / "codes.log")
        # Codes are limited by address: each player comes from another one.
        self._address = f"127.0.2.{number}"
        known = msgspec.json.decode((demo / f"{CLIENT}.json").read_bytes())
        self._key = ECKey.import_key({k: v for k, v in known["jwk"].items() if k != "use"})

    async def play(self, stopped: asyncio.Event) -> Told:
        """Play stories until told to stop; the one that is under way is played to its end."""
        while not stopped.is_set():
            async with self._http() as http, self._http() as web:
                async with asyncio.timeout(PATIENCE_SECONDS):
                    await self._story(http, Browser(web))
            self.told.stories += 1
        return self.told

    def _http(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            base_url=self._origin,
            timeout=10,
            transport=httpx.AsyncHTTPTransport(local_address=self._address),
        )

    async def _story(self, http: httpx.AsyncClient, browser: Browser) -> None:
        serial = next(self._serials)
        place: Any = Place(self._origin, http)
        app = App(place)
        library = OauthClient(
            http, SystemClock(), client_id=CLIENT, key=self._key, issuer=self._origin
        )
        await self._come_in(app, serial)
        joined = await self._ask(lambda: app.call("PUT", "/v1/me/participation", JOINING))
        assert joined.status_code == 200, joined.text
        await self._enrol(app)
        tokens = await self._agree(browser, library, serial)
        for _ in range(LOOKS):
            await self._look(library, tokens["access_token"])
        await self._end(app, library, tokens)

    async def _ask(self, send: Callable[[], Awaitable[httpx.Response]]) -> httpx.Response:
        """Send until there is an answer that is one."""
        while True:
            try:
                answer = await send()
            except httpx.TransportError:
                self.told.lost += 1
                await asyncio.sleep(RETRY_SECONDS)
                continue
            self.told.statuses[answer.status_code] += 1
            assert answer.status_code != 500, answer.text
            if answer.status_code != 503:
                return answer
            assert answer.headers["retry-after"]
            await asyncio.sleep(RETRY_SECONDS)

    async def _page(self, send: Callable[[], Awaitable[Page]]) -> Page:
        while True:
            try:
                page = await send()
            except httpx.TransportError:
                self.told.lost += 1
                await asyncio.sleep(RETRY_SECONDS)
                continue
            self.told.statuses[page.status] += 1
            assert page.status != 500, page.html
            if page.status != 503:
                return page
            await asyncio.sleep(RETRY_SECONDS)

    async def _come_in(self, app: App, serial: int) -> None:
        """Open an account; when the answer got lost there is one, and a new code opens it."""
        number = {"phone": phone(serial)}
        while app.token is None:
            asked = await self._ask(lambda: app.call("POST", "/v1/sign-in-codes", number))
            assert asked.status_code == 202, asked.text
            known = {**number, "code": self._codes.newest(phone(serial))}
            person = {**known, "national_id": national_id(serial), "name": NAME}
            answer = await self._ask(lambda body=person: app.call("POST", "/v1/accounts", body))
            if answer.status_code == 409:
                answer = await self._ask(lambda body=known: app.call("POST", "/v1/sessions", body))
            assert answer.status_code in {201, 401}, answer.text
            if answer.status_code == 201:
                app.token = answer.json()["access_token"]

    async def _enrol(self, app: App) -> None:
        """Enrol, or be told that all seats are taken; the same key has the same answer."""
        key = {"idempotency-key": new_token("key_")}
        body = {"programme": "library"}
        answers: list[httpx.Response] = []
        while len(answers) < 2:
            answer = await self._ask(
                lambda: app.call("POST", "/v1/me/enrolments", body, headers=key)
            )
            code = answer.json().get("code")
            if code == "idempotency_key_in_flight":
                await asyncio.sleep(RETRY_SECONDS)
                continue
            if code == "seats_sold_out":
                return
            assert answer.status_code == 201, answer.text
            answers.append(answer)
        assert answers[0].content == answers[1].content

    async def _agree(self, browser: Browser, library: OauthClient, serial: int) -> dict[str, Any]:
        """Go through the pages until the library holds tokens; a lost answer means: once more."""
        while True:
            pushed = await self._ask(lambda: library.push(redirect_uri=REDIRECT_URI))
            assert pushed.status_code == 201, pushed.text
            query = {"client_id": CLIENT, "request_uri": pushed.json()["request_uri"]}
            link = f"/oauth/authorize?{httpx.QueryParams(query)}"
            code = await self._code(browser, link, serial)
            if code is None:
                continue
            answer = await self._ask(
                lambda code=code: library.redeem(code, redirect_uri=REDIRECT_URI)
            )
            if answer.status_code == 200:
                tokens: dict[str, Any] = answer.json()
                return tokens
            assert answer.json()["error"] == "invalid_grant", answer.text

    async def _code(self, browser: Browser, link: str, serial: int) -> str | None:
        page = await self._page(lambda: browser.open(link))
        assert page.status == 303, page.html
        page = await self._page(lambda: browser.open(page.location))
        if page.status == 303:
            page = await self._sign_in(browser, page.location, serial)
        assert page.status == 200, page.html
        form = page.form("/consent")
        page = await self._page(lambda: browser.submit(form, answer="accept"))
        if page.status == 410:  # it was answered, and the answer got lost
            return None
        assert page.status == 303, page.html
        return parse_qs(urlsplit(page.location).query)["code"][0]

    async def _sign_in(self, browser: Browser, href: str, serial: int) -> Page:
        """Sign in at the browser and return the page that was asked for."""
        number = phone(serial).removeprefix("+86")
        while True:
            page = await self._page(lambda: browser.open(href))
            if page.status == 303:  # the answer got lost, the cookie did not
                return await self._page(lambda href=page.location: browser.open(href))
            form = page.form("/sign-in")
            page = await self._page(lambda form=form: browser.submit(form, phone=number))
            page = await self._page(lambda href=page.location: browser.open(href))
            form, code = page.form("/sign-in/code"), self._codes.newest(phone(serial))
            page = await self._page(lambda form=form, code=code: browser.submit(form, code=code))
            if page.status == 303 and "/consent" in page.location:
                return await self._page(lambda href=page.location: browser.open(href))

    async def _look(self, library: OauthClient, token: str) -> None:
        answer = await self._ask(lambda: _check(library, token))
        assert answer.status_code == 200, answer.text
        if answer.json()["eligible"]:
            self.told.yes.append(answer.json()["decision_id"])

    async def _end(self, app: App, library: OauthClient, tokens: dict[str, Any]) -> None:
        """End it one way or another; what is ended answers nothing more."""
        endings = ("", "/v1/me/participation", "/v1/me", "consent", "enrolment")
        ending = self._random.choice(endings)
        if ending == "consent":
            listed = await self._ask(lambda: app.call("GET", "/v1/me/consents"))
            live = [each for each in listed.json()["items"] if each["state"] == "given"]
            assert len(live) == 1, listed.text
            ending = f"/v1/me/consents/{live[0]['consent_id']}"
        elif ending == "enrolment":
            offer = await self._ask(lambda: app.call("GET", "/v1/me/programmes/library"))
            enrolment = offer.json()["enrolment"]
            ending = f"/v1/me/enrolments/{enrolment['enrolment_id']}" if enrolment else ""
        if not ending:
            return
        gone = await self._ask(lambda: app.call("DELETE", ending))
        # The account's own end, sent again, finds no session any more.
        assert gone.status_code in {204, 401} if ending == "/v1/me" else {204}, gone.text
        answer = await self._ask(lambda: _check(library, tokens["access_token"]))
        if "enrolments" in ending:
            assert answer.content == b'{"eligible":false}', answer.text
            return
        assert answer.status_code == 401, answer.text
        refreshed = await self._ask(lambda: library.refresh(tokens["refresh_token"]))
        assert refreshed.json()["error"] == "invalid_grant", refreshed.text


async def _check(library: OauthClient, token: str) -> httpx.Response:
    headers = proved(library, token, "POST", CHECKS)
    return await library.http.post(CHECKS, json={"programme": "library"}, headers=headers)
