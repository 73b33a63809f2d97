"""What a generator of requests can't know: tokens, proofs, codes on a phone, ids that exist.

`Signing` signs each request as the one who may send it. Half of the well-formed ones it also fills
with what is known, so that they get past the door and their answers are seen as well.
"""

import json
from itertools import cycle
from typing import Any
from urllib.parse import parse_qsl, urlencode

import httpx
from requests import PreparedRequest, Response

from backend.app import House
from backend.kit.ids import new_token
from tests.support.citizen import national_id, phone
from tests.support.in_process import InProcess, LoopThread
from tests.support.oauth_client import JWT_BEARER, REDIRECT_URI
from tests.support.scene import proved
from tests.support.source import SUBMISSIONS, SourceSoftware, file_of
from tests.support.world import CHECKS, JOINING, NAME, PURPOSES, App, Tokens, World


class City:
    """A city in a thread: a citizen, a library and a department, all of them always signed in."""

    def __init__(self, thread: LoopThread, house: House) -> None:
        self.thread, self.house = thread, house
        self.world = World(house)
        self.library = thread.run(self.world.found())
        self.source = thread.run(SourceSoftware.register(self.world))
        self.knows = cycle((True, False))
        self.programmes = cycle(PURPOSES)
        self.refreshes = cycle((False, True))
        self._serial = 0
        self.renew()

    def renew(self) -> None:
        """Let another citizen come in, and consent."""
        self.thread.run(self._forget_counters())
        self.serial = self.next_serial()
        self.app: App = self.thread.run(self.world.reader_of(self.serial))
        self.browser = self.thread.run(self.world.browser_of(self.serial))
        self._tokens: Tokens | None = None

    @property
    def tokens(self) -> Tokens:
        """What the library holds: a later consent to the same ends the one before."""
        if self._tokens is None:
            self._tokens = self.thread.run(self.world.tokens_of(self.browser, self.library))
        return self._tokens

    def next_serial(self) -> int:
        """Return a citizen nobody has met."""
        self._serial += 1
        return self._serial

    def code_for(self, serial: int) -> str:
        """Return a one-time code that was sent to a phone just now."""
        self.thread.run(self._forget_counters())
        app = App(self.world)
        self.thread.run(app.call("POST", "/v1/sign-in-codes", {"phone": phone(serial)}))
        return self.world.inbox.code

    def ask(self, method: str, path: str) -> dict[str, Any]:
        """Return what the citizen's app is answered."""
        answer = self.thread.run(self.app.call(method, path))
        body: dict[str, Any] = answer.json()
        return body

    def token_form(self) -> dict[str, str]:
        """Return what gets the library tokens: a fresh code, then the refresh token, and so on."""
        if next(self.refreshes):
            return {"grant_type": "refresh_token", "refresh_token": self.tokens.refresh}
        self._tokens = None
        link = self.thread.run(self.world.ask(self.library))
        told = self.thread.run(self.world.answer(self.browser, link))
        return {
            "grant_type": "authorization_code",
            "code": told["code"],
            "redirect_uri": REDIRECT_URI,
            "code_verifier": self.library.verifier,
        }

    def submission_id(self) -> str:
        """Return a submission of the department, with lines that were kept aside."""
        self.thread.run(self.world.work())  # so many files may wait, and no more
        batch_id = f"known-{self.next_serial()}"
        laid = self.thread.run(self.source.send(file_of(2) + b"bad\n", batch_id=batch_id))
        self.thread.run(self.world.work())
        submission_id: str = laid.json()["submission_id"]
        return submission_id

    def file_request(self, request: httpx.Request) -> httpx.Request:
        """Return a request that hands a new file in."""
        self.thread.run(self.world.work())
        query = {"class": "library_return", "batch_id": f"file-{self.next_serial()}"}
        request.headers["content-type"] = "text/csv"
        address = request.url.copy_with(params=query)
        return _with(httpx.Request("POST", address, headers=request.headers), file_of(3))

    async def _forget_counters(self) -> None:
        async with self.house.database.write() as tx:
            await tx.execute("DELETE FROM sign_in_try")


class Signing(InProcess):
    """Signs requests; with `knows_better`, every other one is filled with what is known."""

    def __init__(self, city: City, *, knows_better: bool) -> None:
        super().__init__(city.thread, city.world.http)
        self._city, self._knows_better = city, knows_better

    def send(self, request: PreparedRequest, *args: Any, **settings: Any) -> Response:
        """Send one request; what it has ended is made anew."""
        answer = super().send(request, *args, **settings)
        if request.method == "DELETE" and answer.status_code == 204:
            self._city.renew()
        return answer

    def before(self, request: httpx.Request) -> httpx.Request:
        """Return the request as the one who may send it would."""
        if self._knows_better and next(self._city.knows):
            request = self._filled(request)
        city, method = self._city, request.method
        path = request.url.raw_path.decode().partition("?")[0]
        if path == CHECKS:
            signed = proved(city.library, city.tokens.access, method, path)
        elif path.startswith((SUBMISSIONS, "/v1/quality")):
            city.thread.run(city.source.sign_in())  # its token is good for ten minutes
            signed = city.source.signed(method, path)
        elif path.startswith(("/v1/me", "/v1/sessions/current")):
            assert city.app.token is not None
            signed = proved(city.app.signer, city.app.token, method, path)
        else:
            signed = {"dpop": city.library.proof(method, path)}
        request.headers.update(signed)
        return request

    def _filled(self, request: httpx.Request) -> httpx.Request:
        """Return the request with a body or an address that is known to get through."""
        if request.method in {"POST", "PUT"}:
            return self._with_known_body(request)
        return self._at_known_address(request)

    def _with_known_body(self, request: httpx.Request) -> httpx.Request:
        city = self._city
        match request.url.path:
            case "/v1/sign-in-codes":
                return _json(request, {"phone": phone(city.serial)})
            case "/v1/sessions":
                code = city.code_for(city.serial)
                return _json(request, {"phone": phone(city.serial), "code": code})
            case "/v1/accounts":
                serial = city.next_serial()
                known = {"phone": phone(serial), "code": city.code_for(serial)}
                identity = {"national_id": national_id(serial), "name": NAME}
                return _json(request, {**known, **identity})
            case "/v1/me/participation":
                return _json(request, JOINING)
            case "/v1/me/enrolments":
                request.headers["idempotency-key"] = new_token("key_")
                return _json(request, {"programme": next(city.programmes)})
            case "/v1/eligibility-checks":
                return _json(request, {"programme": "library"})
            case "/v1/submissions":
                return city.file_request(request)
        return self._form(request)

    def _at_known_address(self, request: httpx.Request) -> httpx.Request:
        city, path = self._city, request.url.path
        if path in {"/v1/me/consents", "/v1/me/accesses"}:
            city.thread.run(city.world.check(city.library, city.tokens.access))
        elif path.startswith(f"{SUBMISSIONS}/"):
            _, slash, rest = path.removeprefix(f"{SUBMISSIONS}/").partition("/")
            return _at(request, f"{SUBMISSIONS}/{city.submission_id()}{slash}{rest}")
        elif path == "/oauth/authorize":
            return _at(request, city.thread.run(city.world.ask(city.library)))
        elif path.startswith("/v1/me/programmes/"):
            return _at(request, f"/v1/me/programmes/{next(city.programmes)}")
        elif path.startswith("/problems/"):
            return _at(request, "/problems/not_found")
        elif path.startswith("/v1/me/consents/"):
            assert city.tokens, "there is a consent"
            (consent,) = city.ask("GET", "/v1/me/consents?page_size=1")["items"]
            return _at(request, f"/v1/me/consents/{consent['consent_id']}")
        elif path.startswith("/v1/me/enrolments/"):
            offer = city.ask("GET", "/v1/me/programmes/library")
            return _at(request, f"/v1/me/enrolments/{offer['enrolment']['enrolment_id']}")
        return request

    def _form(self, request: httpx.Request) -> httpx.Request:
        """Complete a form of the library's software, whatever else is in it."""
        city = self._city
        fields = dict(parse_qsl(request.content.decode("latin-1"), keep_blank_values=True))
        known = {
            "client_id": city.library.client_id,
            "client_assertion_type": JWT_BEARER,
            "client_assertion": city.library.assertion(),
        }
        match request.url.path:
            case "/oauth/par":
                fields = city.library.request_form()
            case "/oauth/token":
                fields = city.token_form()
            case "/oauth/introspect":
                fields["token"] = city.tokens.access
        return _with(request, urlencode({**fields, **known}).encode())


def _json(request: httpx.Request, body: dict[str, Any]) -> httpx.Request:
    request.headers["content-type"] = "application/json"
    return _with(request, json.dumps(body).encode())


def _with(request: httpx.Request, content: bytes) -> httpx.Request:
    del request.headers["content-length"]
    return httpx.Request(request.method, request.url, content=content, headers=request.headers)


def _at(request: httpx.Request, path: str) -> httpx.Request:
    return httpx.Request(request.method, request.url.join(path), headers=request.headers)
