"""The real application in process, and everybody who comes to it: citizens, partners, departments.

Nothing stands in for a room: `build_app` wires what production wires. Only the world outside is
made here: an inbox instead of the gateway, an identity register that confirms everybody, apps and
OAuth clients that sign with joserfc, a browser without a screen.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from io import BytesIO
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import httpx
import msgspec

from backend.app import House, build_app, event_handlers
from backend.citizen import service as citizen
from backend.citizen.ports import IdentityRegister, SendFailed
from backend.event import service as event
from backend.event.jobs import Relay
from backend.kit.ids import new_token, token_hash
from backend.kit.postgres import ReadTx
from backend.kit.problem import PROBLEMS
from backend.oauth import service as oauth
from backend.partner import service as partner
from backend.partner.rules import scopes_of
from backend.programme import service as programme
from backend.record.jobs import send_submission
from backend.web.form import form_token
from tests.support.citizen import Everybody, national_id, phone
from tests.support.oauth_client import ORDER_SCOPE, REDIRECT_URI, OauthClient, jwks_of
from tests.support.web import Browser, Page

NAME = "林晓"
CHECKS = "/v1/eligibility-checks"
PURPOSES = {
    "library": "deposit_free_borrowing",
    "rental": "deposit_free_rental",
    "transit": "deferred_fare",
    "tourism": "tourism_discount",
    "approval": "fast_approval",
    "loan": "loan_preference",
}
# What proofs, assertions and wrong codes leave behind is no change of anybody's affairs.
MARKERS = frozenset({"operator_try", "replay_marker", "schema_migration", "sign_in_try"})


def problem_of(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """Return the members of a refusal, having held it against RFC 9457 and our table."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    problem: dict[str, Any] = answer.json()
    assert (answer.status_code, problem["code"]) == (status, code), answer.text
    assert problem["status"] == status
    assert problem["type"].endswith(f"/problems/{code}")
    assert problem["title"] == PROBLEMS[code].title
    assert problem["title_zh"]
    assert problem["detail"]
    assert problem["request_id"] == answer.headers["x-request-id"]
    assert answer.headers["cache-control"] == "no-store"
    return problem


def oauth_error_of(answer: httpx.Response, status: int, error: str) -> str:
    """Return the description of an OAuth error, having held it against RFC 6749 section 5.2."""
    assert answer.headers["content-type"] == "application/json", answer.text
    assert answer.status_code == status, answer.text
    body = answer.json()
    assert body.keys() == {"error", "error_description"}
    assert body["error"] == error, answer.text
    assert answer.headers["cache-control"] == "no-store"
    description: str = body["error_description"]
    assert re.fullmatch(r"[\x20-\x21\x23-\x5b\x5d-\x7e]+", description), "RFC 6749 section 5.2"
    return description


class Inbox:
    """A sender that keeps what it is given; `away` makes it fail."""

    def __init__(self) -> None:
        self.texts: list[tuple[str, str]] = []
        self.away = False

    async def send(self, *, phone: str, text: str) -> None:
        """Keep the text."""
        if self.away:
            raise SendFailed
        self.texts.append((phone, text))

    @property
    def code(self) -> str:
        """The code in the last text."""
        found = re.search(r"\b[0-9]{6}\b", self.texts[-1][1])
        assert found is not None
        return found.group()


class Tokens(msgspec.Struct, frozen=True):
    """What a client got for a citizen's consent."""

    access: str
    refresh: str
    body: dict[str, Any]


class World:
    """The application, its house, and an HTTP client in front of it."""

    def __init__(self, house: House, *, identity_register: IdentityRegister | None = None) -> None:
        self.inbox = Inbox()
        register = identity_register or Everybody()
        self.house = replace(house, sender=self.inbox, identity_register=register)
        self.clock, self.database, self.vault = house.clock, house.database, house.vault
        self.origin = house.settings.public_origin
        self.app = build_app(self.house)
        self._open: list[httpx.AsyncClient] = []
        self._digests_sql = ""
        self.http = self.new_http()

    def new_http(self) -> httpx.AsyncClient:
        """Return a client of its own, with cookies of its own; the world closes it."""
        client = httpx.AsyncClient(
            transport=httpx.ASGITransport(self.app, raise_app_exceptions=False),
            base_url=self.origin,
        )
        self._open.append(client)
        return client

    async def close(self) -> None:
        """Close the clients; the house belongs to whoever opened it."""
        for client in self._open:
            await client.aclose()

    async def found(self) -> OauthClient:
        """Found the city: its programmes, its signing key, and the library's client."""
        now = self.clock.now()
        async with self.database.write() as tx:
            await programme.publish_packaged(tx, now=now)
            await oauth.ensure_signing_key(tx, vault=self.vault, now=now)
        return await self.client_of("city-library", "library-demo")

    async def client_of(self, partner_code: str, client_id: str) -> OauthClient:
        """Register a client, and its partner unless the city knows it; return its software."""
        client = OauthClient(self.http, self.clock, client_id=client_id)
        now = self.clock.now()
        names = {"name_zh": "市图书馆", "name_en": "City Library"}
        kind = "lender" if partner_code == "city-bank" else "merchant"
        async with self.database.write() as tx:
            if await partner.find_partner(tx, code=partner_code) is None:
                await partner.add_partner(tx, code=partner_code, kind=kind, now=now, **names)
            await partner.add_client(
                tx,
                partner_code=partner_code,
                client_id=client_id,
                jwks=jwks_of(client.key),
                redirect_uris=[REDIRECT_URI],
                scopes=sorted(scopes_of(kind)),
                now=now,
                **names,
            )
        return client

    async def app_of(self, serial: int = 1, *, joins: bool = False) -> "App":
        """Return the app of a citizen who has just registered with it."""
        app = App(self)
        await app.call("POST", "/v1/sign-in-codes", {"phone": phone(serial)})
        person = {"national_id": national_id(serial), "name": NAME}
        answer = await app.call(
            "POST", "/v1/accounts", {"phone": phone(serial), "code": self.inbox.code, **person}
        )
        assert answer.status_code == 201, answer.text
        app.token = answer.json()["access_token"]
        if joins:
            answer = await app.call("PUT", "/v1/me/participation", JOINING)
            assert answer.status_code == 200, answer.text
        return app

    async def reader_of(self, serial: int = 1, *, enrols: Iterable[str] = ("library",)) -> "App":
        """Return the app of a citizen who is eligible for borrowing, joined and enrolled."""
        await self.make_reader(serial)
        app = await self.app_of(serial, joins=True)
        for code in enrols:
            answer = await app.call("POST", "/v1/me/enrolments", {"programme": code})
            assert answer.status_code == 201, answer.text
        return app

    async def make_reader(self, serial: int = 1) -> None:
        """Report what makes a person eligible for borrowing without a deposit."""
        returns = [f"r-{serial}-{n},1,2026-{n:02d}-10,,2" for n in range(3, 11)]
        hours = [f"v-{serial}-{n},1,2026-{n:02d}-15,,6" for n in range(4, 11)]
        lived = [f"l-{serial},1,2014-03-01,,1"]
        await self.report(serial, "city_library", "library_return", returns)
        await self.report(serial, "volunteer_federation", "volunteer_service", hours)
        await self.report(serial, "public_security_bureau", "residence_registration", lived)

    async def report(self, serial: int, source: str, class_code: str, lines: list[str]) -> None:
        """Hand in a department's file about one person, as `creditplus submission send` does."""
        header = "national_id,external_id,version,occurred_on,ended_on,quantity"
        text = "\n".join([header, *(f"{national_id(serial)},{line}" for line in lines), ""])
        await send_submission(
            self.database,
            BytesIO(text.encode()),
            source_code=source,
            class_code=class_code,
            batch_id=None,
            vault=self.vault,
            clock=self.clock,
        )

    async def work(self) -> int:
        """Carry out what waits in the outbox, as the worker does; return how much that was."""
        handlers, now = event_handlers(self.house), self.clock.now()
        relay = Relay(database=self.database, clock=self.clock, handlers=handlers)
        count = 0
        while True:
            async with self.database.write() as tx:
                events = await event.claim(tx, now=now)
                unfollowed = [each.event_id for each in events if each.topic not in handlers]
                await event.finish(tx, event_ids=unfollowed, now=now)
            if not events:
                return count
            for each in events:
                await relay.handle(each.event_id, attempt=1)
            count += len(events)

    def new_browser(self) -> Browser:
        """Return a browser that has never been here."""
        return Browser(self.new_http())

    async def browser_of(self, serial: int = 1) -> Browser:
        """Return a browser in which a citizen with an account is signed in."""
        browser = self.new_browser()
        page = await self.sign_in(browser, await browser.open("/sign-in"), serial=serial)
        assert page.status == 200, page.html
        return browser

    async def sign_in(self, browser: Browser, page: Page, *, serial: int) -> Page:
        """Fill in the sign-in page and the code page; return where that leads."""
        number = phone(serial).removeprefix("+86")
        page = await browser.follow(await browser.submit(page.form("/sign-in"), phone=number))
        page = await browser.submit(page.form("/sign-in/code"), code=self.inbox.code)
        return await browser.follow(page)

    def form_token(self, browser: Browser, form: str, about: str) -> str:
        """Return a token for a signed-in browser that no page has shown it."""
        session = browser.http.cookies["credit_session"]
        return form_token(self.vault, binding=session, form=form, about=about)

    async def ask(
        self,
        client: OauthClient,
        code: str = "library",
        *,
        order: Mapping[str, Any] | None = None,
        **changes: Any,
    ) -> str:
        """Let a client push its request for a programme; return the link it sends a citizen to.

        With `order`, such as `{"confirm": "citizen"}` or `{"confirm": "consent", "amount_max_fen":
        5000}`, it asks to open service orders; without, to check eligibility.
        """
        detail = {"type": "eligibility", "programme": code, "purpose": PURPOSES[code]}
        if order is not None:
            detail = {**detail, "type": "service_order", **order}
            changes = {"scope": ORDER_SCOPE, **changes}
        pushed = await client.push(authorization_details=json.dumps([detail]), **changes)
        assert pushed.status_code == 201, pushed.text
        query = {"client_id": client.client_id, "request_uri": pushed.json()["request_uri"]}
        return f"/oauth/authorize?{httpx.QueryParams(query)}"

    async def answer(
        self, browser: Browser, link: str, *, answer: str = "accept"
    ) -> dict[str, str]:
        """Follow a client's link and press a button; return what the client is told."""
        page = await browser.follow(await browser.open(link))
        assert page.status == 200, page.html
        page = await browser.submit(page.form("/consent"), answer=answer)
        assert page.status == 303, page.html
        assert page.location.startswith(REDIRECT_URI + "?"), page.location
        told = parse_qs(urlsplit(page.location).query, strict_parsing=True)
        return {name: value for name, (value,) in told.items()}

    async def tokens_of(
        self,
        browser: Browser,
        client: OauthClient,
        code: str = "library",
        *,
        order: Mapping[str, Any] | None = None,
    ) -> Tokens:
        """Let a client ask, the citizen agree, and the client redeem its code; `order` as in ask.

        `Tokens.access` then opens orders: `tokens_of(browser, shop, "rental", order={"confirm":
        "consent"})`.
        """
        told = await self.answer(browser, await self.ask(client, code, order=order))
        answer = await client.redeem(told["code"])
        assert answer.status_code == 200, answer.text
        body = answer.json()
        return Tokens(body["access_token"], body["refresh_token"], body)

    async def check(
        self, client: OauthClient, token: str, code: str = "library", **sent: Any
    ) -> httpx.Response:
        """Ask as a partner whether a benefit is open to the citizen of the token."""
        headers = {
            "authorization": f"DPoP {token}",
            "dpop": client.proof("POST", CHECKS, access_token=token),
            **sent.pop("headers", {}),
        }
        return await self.http.post(
            CHECKS, **{"json": {"programme": code}, **sent}, headers=headers
        )

    async def affairs(self) -> dict[str, str]:
        """Return a digest of every table's rows, but for markers: equal, nothing was changed."""
        async with self.database.read() as tx:
            if not self._digests_sql:
                self._digests_sql = await _digests_sql_of(tx)
            rows = await tx.fetch_all(_Digest, self._digests_sql)
        return {row.name: row.digest for row in rows}

    async def count(self, table: str, where: str = "true", *args: object) -> int:
        """Count rows of a table."""
        async with self.database.read() as tx:
            return await tx.fetch_value(int, f"SELECT count(*) FROM {table} WHERE {where}", *args)


class _Name(msgspec.Struct, frozen=True):
    name: str


class _Digest(msgspec.Struct, frozen=True):
    name: str
    digest: str


async def _digests_sql_of(tx: ReadTx) -> str:
    tables = await tx.fetch_all(
        _Name,
        """SELECT tablename::text AS name FROM pg_tables
           WHERE schemaname = 'public' AND NOT tablename = ANY($1) ORDER BY 1""",
        list(MARKERS),
    )
    assert len(tables) > 20, "every room has tables"
    return " UNION ALL ".join(
        f"SELECT '{table}' AS name,"
        f" md5(coalesce(string_agg(t::text, '|' ORDER BY t::text), '')) AS digest FROM {table} AS t"
        for table in (each.name for each in tables)
    )


JOINING = {"notice_version": citizen.CURRENT_NOTICE.version}


class App:
    """An install of the first-party app with a key of its own."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.signer = OauthClient(world.http, world.clock, issuer=world.origin)
        self.token: str | None = None

    async def call(
        self, method: str, path: str, body: Any = None, *, headers: dict[str, str] | None = None
    ) -> httpx.Response:
        """Send one request with a fresh proof, the token once there is one, and a fresh key."""
        sent = {**self.signed(method, path), **(headers or {})}
        return await self.world.http.request(method, path, json=body, headers=sent)

    def signed(self, method: str, path: str) -> dict[str, str]:
        """Return the headers of a call that is as it should be."""
        bare = path.partition("?")[0]
        sent = {"dpop": self.signer.proof(method, bare, access_token=self.token)}
        if self.token is not None:
            sent["authorization"] = f"DPoP {self.token}"
        if method == "POST":
            sent["idempotency-key"] = new_token("key_")
        return sent

    @property
    async def subject_id(self) -> UUID:
        """Who is signed in here."""
        assert self.token is not None
        async with self.world.database.read() as tx:
            session = await citizen.find_session(
                tx, token_hash=token_hash(self.token), now=self.world.clock.now()
            )
        assert session is not None
        return session.subject_id
