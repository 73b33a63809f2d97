"""A browser without a screen: keeps cookies, reads the forms of a page and sends them.

It follows no redirect by itself, so that a test sees each answer, and it sends what the page
holds: a hidden field that is missing there is missing in what is sent.
"""

from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlencode

import httpx

FORM = "application/x-www-form-urlencoded"


class Form:
    """One form of a page: where it goes, its fields, and its buttons with a name."""

    def __init__(self, action: str) -> None:
        self.action = action
        self.fields: dict[str, str] = {}
        self.answers: list[tuple[str, str]] = []


class Page(HTMLParser):
    """A page as a browser gets it: status, headers, text and forms."""

    def __init__(self, response: httpx.Response) -> None:
        super().__init__()
        self.status = response.status_code
        self.headers = response.headers
        self.location = response.headers.get("location", "")
        self.html = response.text
        self.forms: list[Form] = []
        self.feed(self.html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Collect forms and what is in them."""
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append(Form(given["action"]))
        elif tag == "textarea" and self.forms:
            self.forms[-1].fields[given["name"]] = ""  # what stands in it is not read
        elif tag == "input" and self.forms:
            self.forms[-1].fields[given["name"]] = given.get("value", "")
        elif tag == "button" and self.forms and "name" in given:
            self.forms[-1].answers.append((given["name"], given["value"]))

    def form(self, action: str, **having: str) -> Form:
        """Return the one form that goes to `action` and holds these fields."""
        found = [
            form
            for form in self.forms
            if form.action == action and having.items() <= form.fields.items()
        ]
        assert len(found) == 1, f"{len(found)} forms to {action} on a page of status {self.status}"
        return found[0]


class Browser:
    """Cookies, and the ways to ask for a page and to send a form."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.http = http

    async def open(self, href: str) -> Page:
        """Ask for a page."""
        return Page(await self.http.get(href, headers={"accept": "text/html"}))

    async def follow(self, page: Page) -> Page:
        """Go where a page redirects to."""
        assert page.status == 303, f"no redirect: {page.status}"
        return await self.open(page.location)

    async def send(self, action: str, fields: dict[str, Any]) -> Page:
        """Send a form as it is given."""
        return Page(
            await self.http.post(action, content=urlencode(fields), headers={"content-type": FORM})
        )

    async def submit(self, form: Form, **typed: str) -> Page:
        """Send a form of a page, with what a person typed into it or pressed."""
        return await self.send(form.action, {**form.fields, **typed})
