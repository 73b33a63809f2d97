"""`creditplus demo`: the main job, played over HTTP against a running service.

The citizen uses an app and a browser of the demo's own; the library uses an OAuth client that was
not written here. The story starts and ends with no account, so it can be played again and again.
"""

import csv
import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import click
import httpx

from backend.cli.citizen_app import Browser, CitizenApp
from backend.cli.environment import Fault, command_settings, run
from backend.cli.relying_party import RelyingParty, open_relying_party
from backend.cli.story import Story
from backend.settings import Settings

READER = "林晓"
PROGRAMME = "library"
PURPOSE = "deposit_free_borrowing"


class Person:
    """A demo identity, as the seed wrote it."""

    def __init__(self, row: dict[str, str]) -> None:
        self.name = row["name"]
        self.national_id = row["national_id"]
        self.phone = row["phone"]


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object a step.")
def demo(as_json: bool) -> None:
    """Play the main job over HTTP against the running service, step by step."""
    settings = command_settings()
    if settings.is_production:
        raise Fault("the demo plays with demo identities, which production refuses")
    run(_play(settings, Story(as_json=as_json)))


async def _play(settings: Settings, story: Story) -> None:
    directory = settings.local_dir / "demo"
    reader = _find_person(directory / "people.csv", READER)
    codes = Codes(settings.code_file or directory / "codes.log")
    origin = settings.public_origin
    try:
        async with httpx.AsyncClient(timeout=10) as http, httpx.AsyncClient(timeout=10) as web:
            app, browser = CitizenApp(origin, http), Browser(origin, web)
            await _begin_anew(app, reader, codes)
            await _join(story, app, reader, codes)
            await _enrol(story, app)
            library = open_relying_party(origin, directory)
            await _consent(story, browser, library, reader, codes)
            await _verify(story, library)
            await _look_and_withdraw(story, app, library)
            await _leave(story, app)
    except httpx.TransportError:
        raise Fault(f"nothing answers at {origin}: start it with scripts/serve") from None


def _find_person(path: Path, name: str) -> Person:
    try:
        with path.open(encoding="utf-8", newline="") as rows:
            return next(Person(row) for row in csv.DictReader(rows) if row["name"] == name)
    except (OSError, StopIteration):
        raise Fault(f"no demo city in {path.parent}: scripts/serve makes one") from None


class Codes:
    """Reads the one-time codes that the demo's sender writes to a file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def newest(self, phone: str) -> str:
        """Return the newest code sent to a phone; raises Fault when there is none."""
        lines = self._path.read_text("utf-8").splitlines() if self._path.exists() else []
        digits = phone[-11:]
        for line in reversed(lines):
            recipient, _, text = line.partition(" ")
            found = re.search(r"\b\d{6}\b", text)
            if recipient.endswith(digits) and found:
                return found.group()
        raise Fault(f"no code for the demo citizen in {self._path}")


async def _begin_anew(app: CitizenApp, reader: Person, codes: Codes) -> None:
    """Remove what a story that was cut short left behind: the account, if there is one."""
    await app.call("POST", "/v1/sign-in-codes", {"phone": reader.phone})
    credentials = {"phone": reader.phone, "code": codes.newest(reader.phone)}
    session = await app.call("POST", "/v1/sessions", credentials)
    if session.status_code == 201:
        app.keep(session.json()["access_token"])
        await app.call("DELETE", "/v1/me")
        app.forget()


async def _join(story: Story, app: CitizenApp, reader: Person, codes: Codes) -> None:
    story.chapter("林晓 signs in and joins")
    story.step("She asks for a one-time code; the answer is the same for every phone.")
    asked = await app.call("POST", "/v1/sign-in-codes", {"phone": reader.phone})
    story.answer("POST /v1/sign-in-codes", asked, expected=202)
    story.step("She opens an account; name, national id and phone must belong together.")
    account = {
        "phone": reader.phone,
        "code": codes.newest(reader.phone),
        "national_id": reader.national_id,
        "name": reader.name,
    }
    opened = await app.call("POST", "/v1/accounts", account)
    session = _json(opened)
    opened_view = {k: v for k, v in session.items() if k in {"token_type", "expires_in"}}
    story.show("POST /v1/accounts", opened.status_code, opened_view or session)
    story.check(opened.status_code == 201, "the session is bound to the key of her app")
    app.keep(session["access_token"])
    story.step("Before she joins there is no score: no profile without opt-in.")
    story.answer("GET /v1/me/score", await app.call("GET", "/v1/me/score"), expected=404)
    story.step("She reads the notice and joins.")
    before = await app.call("GET", "/v1/me/participation")
    notice = _json(before)["notice"]["version"]
    joined = await app.call("PUT", "/v1/me/participation", {"notice_version": notice})
    story.check(joined.status_code == 200, f"joined under notice {notice}")
    story.step("She sees her score and why it is what it is.")
    answer = await app.call("GET", "/v1/me/score")
    score = _json(answer)
    story.check(answer.status_code == 200, "the score is there at once")
    _show_score(story, score)


def _show_score(story: Story, score: dict[str, Any]) -> None:
    facts = {"points": score["points"], "tier": score["tier"]["name_zh"]}
    facts |= {item["code"]: item["points"] for item in score["dimensions"]}
    story.show("GET /v1/me/score", 200, facts)
    for reason in score["reasons"]:
        click.echo(f"      {reason['effect_points']:+4}  {reason['text_zh']}")


async def _enrol(story: Story, app: CitizenApp) -> None:
    story.chapter("She sees what is on offer and enrols")
    story.step("Six programmes, each with what is still missing for her.")
    offers = _json(await app.call("GET", "/v1/me/programmes"))["items"]
    for offer in offers:
        mark = "yes" if offer["eligible"] else "not yet"
        click.echo(f"      {offer['name_zh']:　<8}{mark}")
    story.check(len(offers) == 6, "six offers, and each names the baseline everybody keeps")
    story.step("She enrols in deposit-free library borrowing.")
    enrolled = await app.call("POST", "/v1/me/enrolments", {"programme": PROGRAMME})
    story.answer("POST /v1/me/enrolments", enrolled, expected=201)


async def _consent(
    story: Story, browser: Browser, library: RelyingParty, reader: Person, codes: Codes
) -> None:
    story.chapter("The library asks, she consents")
    story.step("The library pushes its request (PAR, private_key_jwt, PKCE, DPoP).")
    pushed = await library.push(
        [{"type": "eligibility", "programme": PROGRAMME, "purpose": PURPOSE}]
    )
    story.answer("POST /oauth/par", pushed, expected=201)
    story.step("Her browser opens the request; she signs in on the service's own page.")
    await browser.open(library.authorization_url())
    await browser.submit("/sign-in", {"phone": reader.phone})
    page = await browser.submit("/sign-in/code", {"code": codes.newest(reader.phone)})
    story.check("/consent" in str(page.url), "the page names who asks, what for and how long")
    story.step("She agrees; the browser goes back to the library with a code.")
    back = await browser.submit("/consent", {}, button=("answer", "accept"))
    location = urlsplit(back.headers["location"])
    query = {name: values[0] for name, values in parse_qs(location.query).items()}
    story.show("POST /consent", back.status_code, {"parameters": sorted(query)})
    story.check(query["iss"] == library.issuer, "the answer names its issuer (RFC 9207)")
    story.step("The library redeems the code for tokens bound to its key.")
    tokens = await library.exchange(query)
    body = _json(tokens)
    shown = {k: v for k, v in body.items() if k not in {"access_token", "refresh_token"}}
    story.show("POST /oauth/token", tokens.status_code, shown)
    story.check(tokens.status_code == 200, "one consent, one recipient, one purpose")


async def _verify(story: Story, library: RelyingParty) -> None:
    story.chapter("The library verifies, and learns yes")
    story.step("It asks whether the benefit may be granted.")
    checked = await library.call("POST", "/v1/eligibility-checks", {"programme": PROGRAMME})
    answer = story.answer("POST /v1/eligibility-checks", checked, expected=200)
    story.check(answer["eligible"] is True, "yes, with the benefit, and no score in it")


async def _look_and_withdraw(story: Story, app: CitizenApp, library: RelyingParty) -> None:
    story.chapter("She sees that the library looked, and withdraws")
    story.step("The access ledger says who looked, when, why and under which consent.")
    accesses = _json(await app.call("GET", "/v1/me/accesses"))["items"]
    look = accesses[0]
    shown = {
        "who": look["actor"]["name_zh"],
        "why": look["purpose"]["text_zh"],
        "consent": look["consent_id"],
        "disclosed": look["disclosed"],
    }
    story.show("GET /v1/me/accesses", 200, shown)
    story.step("She withdraws the consent.")
    withdrawn = await app.call("DELETE", f"/v1/me/consents/{look['consent_id']}")
    story.answer(f"DELETE /v1/me/consents/{look['consent_id']}", withdrawn, expected=204)
    story.step("The library asks again, and learns nothing more.")
    checked = await library.call("POST", "/v1/eligibility-checks", {"programme": PROGRAMME})
    story.answer("POST /v1/eligibility-checks", checked, expected=401)
    refreshed = await library.refresh()
    story.answer("POST /oauth/token", refreshed, expected=400)
    again = _json(await app.call("GET", "/v1/me/accesses"))["items"]
    story.check(len(again) == len(accesses), "nothing was disclosed, so no new entry stands there")


async def _leave(story: Story, app: CitizenApp) -> None:
    story.chapter("She leaves; leaving costs nothing")
    story.step("One call: the score and all that hung on it are erased.")
    left = await app.call("DELETE", "/v1/me/participation")
    story.answer("DELETE /v1/me/participation", left, expected=204)
    story.answer("GET /v1/me/score", await app.call("GET", "/v1/me/score"), expected=404)
    story.step("She deletes her account.")
    story.answer("DELETE /v1/me", await app.call("DELETE", "/v1/me"), expected=204)


def _json(response: httpx.Response) -> dict[str, Any]:
    body = response.json() if response.content else {}
    assert isinstance(body, dict)
    return body
