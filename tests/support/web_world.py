"""The whole application in process, with people who may register and a phone that shows codes."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date
from io import BytesIO
from pathlib import Path

import httpx
from litestar import Litestar

from backend.app import House, build_app, open_house
from backend.citizen.ports import identity_digest
from backend.kit.clock import Clock
from backend.kit.crypto import Vault
from backend.partner import service as partner
from backend.programme import service as programme
from backend.record import jobs as record_jobs
from backend.settings import load_settings
from backend.web.form import form_token
from tests.conftest import DIGEST_KEY, KEK, encoded_key
from tests.support import citizen
from tests.support.oauth_client import REDIRECT_URI, OauthClient, jwks_of
from tests.support.web import Browser, Page

PEOPLE = 9
NAME = "林晓"


def phone_of(serial: int) -> str:
    """Return the number a person types, without the country code."""
    return citizen.phone(serial).removeprefix("+86")


PHONE = phone_of(1)


class World:
    """An application, the browsers in front of it, and everything it answered to them."""

    def __init__(self, house: House, app: Litestar, codes: Path) -> None:
        self.house = house
        self.app = app
        self.seen: list[httpx.Response] = []
        self.last_code = ""
        self._codes = codes
        self._open: list[httpx.AsyncClient] = []

    @property
    def origin(self) -> str:
        """Scheme, host and port of the pages."""
        return self.house.settings.public_origin

    def http(self) -> httpx.AsyncClient:
        """Return a client of the application in process; the world closes it."""
        client = httpx.AsyncClient(
            transport=httpx.ASGITransport(self.app, raise_app_exceptions=False),
            base_url=self.origin,
            event_hooks={"response": [self._see]},
        )
        self._open.append(client)
        return client

    def browser(self) -> Browser:
        """Return a browser that has never been here."""
        return Browser(self.http())

    async def close(self) -> None:
        """Close the clients."""
        for client in self._open:
            await client.aclose()

    def code_for(self, phone: str) -> str:
        """Return the last code sent to a phone."""
        lines = [line for line in self._lines() if line.startswith(f"+86{phone} ")]
        found = re.search(r"\b[0-9]{6}\b", lines[-1])
        assert found is not None
        self.last_code = found.group()
        return self.last_code

    def wrong_code(self) -> str:
        """Return a code that was not sent."""
        sent = {word for line in self._lines() for word in re.findall(r"\b[0-9]{6}\b", line)}
        return next(code for code in ("000000", "111111", "222222") if code not in sent)

    def codes_sent(self) -> int:
        """Return how many codes were sent."""
        return len(self._lines())

    def national_id(self, serial: int) -> str:
        """Return the identity number of a person."""
        return citizen.national_id(serial)

    def national_id_of_a_minor(self) -> str:
        """Return the identity number of a person born in 2012."""
        return citizen.national_id(1, born_on=date(2012, 5, 17))

    async def sign_in(self, browser: Browser, *, serial: int = 1, page: Page | None = None) -> Page:
        """Sign a person in, open an account when there is none, and return where that leads."""
        phone = phone_of(serial)
        page = page or await browser.open("/sign-in")
        page = await browser.follow(await browser.submit(page.form("/sign-in"), phone=phone))
        page = await browser.submit(page.form("/sign-in/code"), code=self.code_for(phone))
        if page.location == "/register":
            page = await browser.follow(page)
            page = await browser.submit(
                page.form("/register"), name=NAME, national_id=self.national_id(serial)
            )
        return await browser.follow(page)

    async def app_token(self, *, serial: int = 2) -> str:
        """Return the token of a person's app, opened by the verbs themselves."""
        async with self.house.database.write() as tx:
            signed = await citizen.sign_up(
                tx, vault=self.house.vault, now=self.house.clock.now(), serial=serial
            )
        return signed.token

    async def join(self, browser: Browser) -> Page:
        """Let whoever is signed in take part, and return the home page."""
        page = await browser.open("/join")
        return await browser.follow(await browser.submit(page.form("/join")))

    def form_token(self, browser: Browser, form: str, about: str) -> str:
        """Return a token for a signed-in browser that no page has shown it."""
        session = browser.http.cookies["credit_session"]
        return form_token(self.house.vault, binding=session, form=form, about=about)

    async def open_city(
        self,
        *,
        name_en: str = "Library desk",
        library: OauthClient | None = None,
        redirect_uri: str = REDIRECT_URI,
    ) -> OauthClient:
        """Publish the programmes, register the library, and return its client."""
        library = library or OauthClient(self.http(), self.house.clock)
        now = self.house.clock.now()
        async with self.house.database.write() as tx:
            await programme.publish_packaged(tx, now=now)
            await partner.add_partner(
                tx,
                code="city-library",
                name_zh="市图书馆",
                name_en="City Library",
                kind="merchant",
                now=now,
            )
            await partner.add_client(
                tx,
                partner_code="city-library",
                client_id=library.client_id,
                name_zh="图书馆借阅台",
                name_en=name_en,
                jwks=jwks_of(library.key),
                redirect_uris=[redirect_uri],
                scopes=["eligibility:verify"],
                now=now,
            )
        return library

    async def report(self, source: str, class_code: str, lines: list[str]) -> None:
        """Hand in a file of a source, as departments do."""
        header = "national_id,external_id,version,occurred_on,ended_on,quantity"
        await record_jobs.send_submission(
            self.house.database,
            BytesIO("\n".join([header, *lines, ""]).encode()),
            source_code=source,
            class_code=class_code,
            batch_id=None,
            vault=self.house.vault,
            clock=self.house.clock,
        )

    async def make_reader(self, serial: int = 1) -> None:
        """Report what makes a person eligible for borrowing without a deposit."""
        person = self.national_id(serial)
        returns = [f"{person},r-{serial}-{n},1,2026-{n:02d}-10,,2" for n in range(3, 11)]
        hours = [f"{person},v-{serial}-{n},1,2026-{n:02d}-15,,6" for n in range(4, 11)]
        lived = [f"{person},l-{serial},1,2014-03-01,,1"]
        await self.report("city_library", "library_return", returns)
        await self.report("volunteer_federation", "volunteer_service", hours)
        await self.report("public_security_bureau", "residence_registration", lived)

    async def push(self, client: OauthClient) -> str:
        """Push an authorization request and open it, as a merchant's link does."""
        pushed = await client.push()
        assert pushed.status_code == 201, pushed.text
        request_uri: str = pushed.json()["request_uri"]
        query = {"client_id": client.client_id, "request_uri": request_uri}
        opened = await client.http.get("/oauth/authorize", params=query)
        assert opened.status_code == 303, opened.text
        return request_uri

    def set_cookies(self) -> dict[str, str]:
        """Return the last Set-Cookie header with a value, by the cookie's name."""
        found = {}
        for response in self.seen:
            for header in response.headers.get_list("set-cookie"):
                name, _, rest = header.partition("=")
                if not rest.startswith(('"', ";")):
                    found[name] = header
        return found

    def pages(self) -> list[httpx.Response]:
        """Return the answers that are pages."""
        return [
            response
            for response in self.seen
            if response.headers.get("content-type", "").startswith("text/html")
        ]

    async def _see(self, response: httpx.Response) -> None:
        await response.aread()
        self.seen.append(response)

    def _lines(self) -> list[str]:
        return self._codes.read_text().splitlines() if self._codes.exists() else []


@asynccontextmanager
async def web_world(
    directory: Path,
    *,
    database_url: str,
    valkey_url: str,
    clock: Clock,
    origin: str = "http://127.0.0.1:8000",
) -> AsyncIterator[World]:
    """Open the application, with PEOPLE in its identity register; its files lie in `directory`."""
    codes, register = directory / "codes.log", directory / "identity-register"
    environ = {
        "CREDIT_DATABASE_URL": database_url,
        "CREDIT_VALKEY_URL": valkey_url,
        "CREDIT_PUBLIC_ORIGIN": origin,
        "CREDIT_CODE_FILE": str(codes),
        "CREDIT_IDENTITY_REGISTER_FILE": str(register),
        "CREDIT_LOCAL_DIR": str(directory),
        "CREDIT_KEK": encoded_key(KEK),
        "CREDIT_DIGEST_KEY": encoded_key(DIGEST_KEY),
    }
    vault = Vault(kek=KEK, digest_key=DIGEST_KEY)
    digests = [
        identity_digest(
            vault, national_id=citizen.national_id(serial), name=NAME, phone=citizen.phone(serial)
        ).hex()
        for serial in range(1, PEOPLE + 1)
    ]
    await asyncio.to_thread(register.write_text, "\n".join(digests))
    house = await open_house(load_settings(environ), clock=clock)
    world = World(house, build_app(house), codes)
    try:
        yield world
    finally:
        await world.close()
        await house.close()
