"""The citizen's side of the demo: an app with a key of its own, and a browser without scripts."""

import secrets
import time
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urljoin

import httpx
from joserfc import jwt
from joserfc.jwk import ECKey

from backend.kit.dpop import token_fingerprint

_TIMEOUT_SECONDS = 10


class CitizenApp:
    """A first-party app: each call carries a DPoP proof (RFC 9449) by this install's key."""

    def __init__(self, origin: str, http: httpx.Client) -> None:
        self._origin = origin
        self._http = http
        self._key = ECKey.generate_key("P-256")
        self._token: str | None = None

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> httpx.Response:
        """Send one request; a POST gets an Idempotency-Key, as every client should send one."""
        headers = {"DPoP": self._proof(method, path)}
        if self._token is not None:
            headers["Authorization"] = f"DPoP {self._token}"
        if method == "POST":
            headers["Idempotency-Key"] = secrets.token_urlsafe(24)
        return self._http.request(
            method, self._origin + path, json=body, headers=headers, timeout=_TIMEOUT_SECONDS
        )

    def keep(self, token: str) -> None:
        """Use this session token from now on."""
        self._token = token

    def forget(self) -> None:
        """Forget the session token."""
        self._token = None

    def _proof(self, method: str, path: str) -> str:
        claims: dict[str, Any] = {
            "jti": secrets.token_urlsafe(16),
            "htm": method,
            "htu": self._origin + path.partition("?")[0],
            "iat": int(time.time()),
        }
        if self._token is not None:
            claims["ath"] = token_fingerprint(self._token)
        header = {"typ": "dpop+jwt", "alg": "ES256", "jwk": self._key.as_dict(private=False)}
        return jwt.encode(header, claims, self._key)


class Form:
    """One form of a page: where it goes, and what it already holds."""

    def __init__(self, action: str) -> None:
        self.action = action
        self.fields: dict[str, str] = {}
        self.buttons: list[tuple[str, str]] = []


class _Forms(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append(Form(named.get("action", "")))
        elif self.forms and tag in {"input", "button"} and "name" in named:
            form = self.forms[-1]
            if tag == "button" or named.get("type") == "submit":
                form.buttons.append((named["name"], named.get("value", "")))
            else:
                form.fields[named["name"]] = named.get("value", "")


class Browser:
    """Follows pages of the service like a browser with scripts off; stops at other origins."""

    def __init__(self, origin: str, http: httpx.Client) -> None:
        self._origin = origin
        self._http = http
        self.page: httpx.Response | None = None

    def open(self, url: str) -> httpx.Response:
        """Open an address and follow redirects within the service."""
        return self._follow(self._http.get(urljoin(self._origin, url)))

    def submit(
        self, action: str, values: dict[str, str], *, button: tuple[str, str] | None = None
    ) -> httpx.Response:
        """Fill in the page's form that goes to `action` and press a button of it."""
        assert self.page is not None, "open a page first"
        parser = _Forms()
        parser.feed(self.page.text)
        form = next(form for form in parser.forms if form.action.partition("?")[0] == action)
        data = {**form.fields, **values}
        if button is not None:
            assert button in form.buttons, f"the form has no such button: {form.buttons}"
            data[button[0]] = button[1]
        target = urljoin(str(self.page.url), form.action)
        return self._follow(self._http.post(target, data=data))

    def _follow(self, answer: httpx.Response) -> httpx.Response:
        for _ in range(8):
            if not answer.has_redirect_location:
                break
            target = urljoin(str(answer.url), answer.headers["location"])
            if not target.startswith(self._origin + "/"):
                return answer  # the way leads to the partner: the caller carries on there
            answer = self._http.get(target)
        self.page = answer
        return answer
