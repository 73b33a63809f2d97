"""Who is at the browser: the guard of the pages, and what each page knows of its visitor."""

import re
from datetime import timedelta
from typing import Any
from uuid import UUID

import msgspec
from litestar import Request
from litestar.handlers.base import BaseRouteHandler

from backend.citizen import service as citizen
from backend.citizen.rules import SessionKind, session_expires_at
from backend.kit.clock import Clock
from backend.kit.crypto import Vault
from backend.kit.ids import token_hash
from backend.kit.postgres import Database
from backend.kit.problem import Refusal
from backend.web.cookie import Connection, Site, new_device, read_device, read_session
from backend.web.form import F, form_token, is_form_token, read_form
from backend.web.operator_session import PageOperator, find_operator

AnyRequest = Request[Any, Any, Any]

_STATE_KEY = "visitor"
OPERATOR_KEY = "page_operator"
# A session in use is moved on in steps of this length, so that not every page is a write.
_EXTEND_AFTER = timedelta(minutes=5)
_SESSION_TOKEN = re.compile(r"cp_[a-z]{2}_[A-Za-z0-9_-]{43}")
# RFC 9126 section 2.2: an opaque reference; ours are long and URL-safe. Nothing else is carried
# through sign-in, so no address of anybody's choosing can be.
_REQUEST_URI = re.compile(r"urn:ietf:params:oauth:request_uri:[A-Za-z0-9_-]{20,128}")

# The pages a sign-in may lead back to, by name: a name outside this table leads home.
PAGES = {
    "accesses": "/accesses",
    "cases": "/cases",
    "consents": "/consents",
    "home": "/",
    "join": "/join",
    "leave": "/leave",
    "notices": "/notices",
    "programmes": "/programmes",
    "records": "/records",
    "score": "/score",
}


class SignInNeeded(Exception):
    """Nobody is signed in at this browser: the way leads over `href`, the sign-in page."""

    def __init__(self, href: str) -> None:
        super().__init__(href)
        self.href = href


class Visitor(msgspec.Struct, frozen=True):
    """A citizen signed in at a browser; `token` is the secret the browser's forms are bound to."""

    subject_id: UUID
    token: str


class PageDoor:
    """Finds out who is at a browser. One a process, at `app.state["page_door"]`."""

    def __init__(self, *, db: Database, clock: Clock, vault: Vault, origin: str) -> None:
        self._db = db
        self._clock = clock
        self.vault = vault
        self.site = Site(origin)

    async def find_visitor(self, connection: Connection) -> Visitor | None:
        """Return the citizen signed in at the browser, or None."""
        token = read_session(connection, self.site)
        if token is None or not _SESSION_TOKEN.fullmatch(token):
            return None
        now = self._clock.now()
        async with self._db.read() as tx:
            session = await citizen.find_session(tx, token_hash=token_hash(token), now=now)
        # An app's token is bound to a key the browser hasn't got: no cookie makes it a session.
        if session is None or session.kind != SessionKind.WEB:
            return None
        ends_at = session_expires_at(SessionKind.WEB, created_at=session.created_at, now=now)
        if ends_at - session.expires_at > _EXTEND_AFTER:
            async with self._db.write() as tx:
                await citizen.extend_session(tx, session=session, now=now)
        return Visitor(session.subject_id, token)

    async def find_operator(self, connection: Connection) -> PageOperator | None:
        """Return the operator signed in at the browser, or None."""
        return await find_operator(connection, site=self.site, db=self._db, clock=self._clock)


class Visit(msgspec.Struct, frozen=True):
    """One request of a browser: the device it comes from, and who is signed in there."""

    door: PageDoor
    device: str
    is_new_device: bool
    visitor: Visitor | None
    media_type: str
    address: str
    operator: PageOperator | None = None

    @property
    def site(self) -> Site:
        """How the world reaches the pages."""
        return self.door.site

    @property
    def vault(self) -> Vault:
        """What seals cookies and makes form tokens."""
        return self.door.vault

    @property
    def binding(self) -> str:
        """The secret of this browser that its forms are bound to."""
        if self.operator is not None:
            return self.operator.token
        return self.device if self.visitor is None else self.visitor.token

    def form_token(self, form: str, about: str = "") -> str:
        """Return the token of a form on a page for this browser."""
        return form_token(self.vault, binding=self.binding, form=form, about=about)

    def read_form(self, kind: type[F], body: bytes) -> F:
        """Return a posted form; raises Refusal media_type_unsupported or body_invalid."""
        return read_form(kind, media_type=self.media_type, body=body)

    def check_form(self, token: str, form: str, about: str = "") -> None:
        """Accept a form only from the page this browser was shown.

        Raises Refusal cookie_missing when the browser keeps no cookies, form_foreign otherwise.
        """
        if self.visitor is None and self.operator is None and self.is_new_device:
            raise Refusal("cookie_missing")
        if not is_form_token(self.vault, token, binding=self.binding, form=form, about=about):
            raise Refusal("form_foreign")


class SignedInPage:
    """The guard of a citizen's page: sends everybody else to sign in first, and back."""

    async def __call__(self, connection: Connection, _handler: BaseRouteHandler) -> None:
        """Find the visitor, or raise SignInNeeded with the way back to this page."""
        visitor = await door_of(connection).find_visitor(connection)
        if visitor is None:
            raise SignInNeeded(sign_in_href(connection))
        connection.state[_STATE_KEY] = visitor


signed_in = SignedInPage()


async def provide_visit(request: AnyRequest) -> Visit:
    """Return what is known of the browser behind a request."""
    return visit_of(request)


async def provide_visitor(request: AnyRequest) -> Visitor:
    """Return the citizen the guard let in."""
    visitor = request.state.get(_STATE_KEY)
    assert isinstance(visitor, Visitor), "the route's guard asks for a signed-in citizen"
    return visitor


def visit_of(connection: Connection) -> Visit:
    """Return what is known of a browser without asking the database again."""
    door = door_of(connection)
    device = read_device(connection, door.site)
    return Visit(
        door=door,
        device=device or new_device(),
        is_new_device=device is None,
        visitor=connection.state.get(_STATE_KEY),
        media_type=connection.headers.get("content-type", ""),
        address=connection.client.host if connection.client is not None else "",
        operator=connection.state.get(OPERATOR_KEY),
    )


def sign_in_href(connection: Connection) -> str:
    """Return the address of the sign-in page that leads back to the page asked for."""
    path = connection.url.path
    if request_uri := request_uri_of(connection):
        return f"/sign-in?request_uri={request_uri}"
    pages = [name for name, href in PAGES.items() if path == href or path.startswith(f"{href}/")]
    return f"/sign-in?to={pages[0]}" if pages else "/sign-in"


def request_uri_of(connection: Connection) -> str:
    """Return the reference of a pushed request in an address, or "" when there is no such."""
    return known_request_uri(connection.query_params.get("request_uri", ""))


def known_request_uri(text: str) -> str:
    """Return the text when it is a reference as we make them, else ""."""
    return text if _REQUEST_URI.fullmatch(text) else ""


def door_of(connection: Connection) -> PageDoor:
    """Return the door of the pages of this process."""
    door = connection.app.state["page_door"]
    assert isinstance(door, PageDoor), "app puts the door of the pages here"
    return door
