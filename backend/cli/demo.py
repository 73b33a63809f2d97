"""`creditplus demo`: the main job, played over HTTP against a running service.

The citizen uses an app and a browser of the demo's own; the library uses an OAuth client that was
not written here, and, as a source of records, software of its own. The story starts and ends with
no account, so it can be played again and again.
"""

import contextlib
import csv
import re
from http import HTTPStatus
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import click
import httpx

from backend.cli import demo_rental, demo_transit
from backend.cli.citizen_app import Browser, CitizenApp
from backend.cli.city.sandbox import SEATS
from backend.cli.demo_records import correct
from backend.cli.demo_shop import open_party, open_shop
from backend.cli.department_app import DepartmentApp
from backend.cli.environment import Fault, command_settings
from backend.cli.local_city import CLIENT, RENTAL_CLIENT, SOURCE_CLIENT, TRANSIT_CLIENT
from backend.cli.receiver import Receiver
from backend.cli.relying_party import RelyingParty
from backend.cli.story import Story, ask
from backend.settings import Settings

READER = "林晓"
PROGRAMME = "library"
PURPOSE = "deposit_free_borrowing"
TIMEOUT_SECONDS = 10
SECRETS = {"access_token", "refresh_token"}


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
    _play(settings, Story(as_json=as_json))


def _play(settings: Settings, story: Story) -> None:
    directory = settings.local_dir / "demo"
    reader = _find_person(directory / "people.csv", READER)
    codes = Codes(settings.code_file or directory / "codes.log")
    origin = settings.public_origin
    try:
        with _http_client() as http, _http_client() as web, _http_client() as desk:
            app, browser = CitizenApp(origin, http), Browser(origin, web)
            department = _open_department(origin, directory / f"{SOURCE_CLIENT}.json", desk)
            _begin_anew(app, reader, codes)
            _join(story, app, reader, codes)
            correct(story, app, department, reader.national_id)
            _enrol(story, app)
            library = open_party(origin, directory / f"{CLIENT}.json")
            with contextlib.closing(library):
                _consent(story, browser, library, reader=reader, codes=codes)
                _verify(story, library)
                _look_and_withdraw(story, app, library)
            with open_shop(origin, directory, RENTAL_CLIENT) as shop, Receiver() as receiver:
                demo_rental.play(demo_rental.Scene(story, app, browser, shop, receiver))
            with open_shop(origin, directory, TRANSIT_CLIENT) as shop:
                demo_transit.ride(story, app, browser, shop)
            _miss_a_seat(story, app)
            _leave(story, app)
    except httpx.TransportError:
        raise Fault(f"nothing answers at {origin}: start it with scripts/serve") from None


def _http_client() -> httpx.Client:
    return httpx.Client(timeout=TIMEOUT_SECONDS, trust_env=False)


def _find_person(path: Path, name: str) -> Person:
    try:
        with path.open(encoding="utf-8", newline="") as rows:
            return next(Person(row) for row in csv.DictReader(rows) if row["name"] == name)
    except (OSError, StopIteration):
        raise Fault(f"no demo city in {path.parent}: scripts/serve makes one") from None


def _open_department(origin: str, path: Path, http: httpx.Client) -> DepartmentApp:
    try:
        return DepartmentApp(origin, path, http)
    except OSError:
        raise Fault(f"no demo department in {path.parent}: scripts/serve makes one") from None


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


def _begin_anew(app: CitizenApp, reader: Person, codes: Codes) -> None:
    """Remove what a story that was cut short left behind: the account, if there is one."""
    app.call("POST", "/v1/sign-in-codes", {"phone": reader.phone})
    credentials = {"phone": reader.phone, "code": codes.newest(reader.phone)}
    session = app.call("POST", "/v1/sessions", credentials)
    if session.status_code == HTTPStatus.CREATED:
        app.keep(session.json()["access_token"])
        app.call("DELETE", "/v1/me")
        app.forget()


def _join(story: Story, app: CitizenApp, reader: Person, codes: Codes) -> None:
    story.chapter("林晓 signs in and joins")
    story.step("She asks for a one-time code; the answer is the same for every phone.")
    ask(story, app, "POST", "/v1/sign-in-codes", body={"phone": reader.phone}, expected=202)
    story.step("She opens an account; name, national id and phone must belong together.")
    account = {
        "phone": reader.phone,
        "code": codes.newest(reader.phone),
        "national_id": reader.national_id,
        "name": reader.name,
    }
    session = ask(
        story,
        app,
        "POST",
        "/v1/accounts",
        body=account,
        expected=201,
        only=("token_type", "expires_in"),
    )
    app.keep(session["access_token"])
    kind = session["token_type"]
    story.check(kind == "DPoP", "the session is bound to the key of her app")
    story.step("Before she joins there is no score: no profile without opt-in.")
    ask(story, app, "GET", "/v1/me/score", expected=404, only=("title", "code"))
    story.step("She reads the notice and joins.")
    notice = app.call("GET", "/v1/me/participation").json()["notice"]["version"]
    body = {"notice_version": notice}
    ask(story, app, "PUT", "/v1/me/participation", body=body, expected=200, only=("joined_at",))
    story.step("She sees her score, and why it is what it is.")
    score = ask(story, app, "GET", "/v1/me/score", expected=200, only=("points", "tier"))
    for dimension in score["dimensions"]:
        story.note(f"{dimension['points']:4}  {dimension['name_zh']} {dimension['name_en']}")
    for reason in score["reasons"]:
        story.note(f"{reason['effect_points']:+4}  {reason['text_zh']}")


def _enrol(story: Story, app: CitizenApp) -> None:
    story.chapter("She sees what is on offer and enrols")
    story.step("Six programmes; each says what is still missing, and what everybody gets anyway.")
    offers = [
        offer
        for offer in app.call("GET", "/v1/me/programmes").json()["items"]
        if offer["programme"] != SEATS  # for partners to try out "sold out", not for the story
    ]
    for offer in offers:
        story.note(f"{offer['offer']:9}  {offer['name_zh']} {offer['name_en']}")
        story.note(f"           everybody: {offer['baseline_zh']}")
        story.note(f"           granted:   {offer['benefit_zh']}")
    story.check(len(offers) == 6, "six offers, none of them takes anything away")
    story.step("She enrols in deposit-free library borrowing.")
    ask(story, app, "POST", "/v1/me/enrolments", body={"programme": PROGRAMME}, expected=201)


def _consent(
    story: Story, browser: Browser, library: RelyingParty, *, reader: Person, codes: Codes
) -> None:
    story.chapter("The library asks, she consents")
    story.step("The library pushes its request (PAR, private_key_jwt, PKCE, DPoP).")
    pushed = library.push(programme=PROGRAMME, purpose=PURPOSE)
    story.answer("POST /oauth/par", pushed.status, pushed.body, expected=201)
    story.step("Her browser opens the request; she signs in on the service's own page.")
    browser.open(library.authorization_url)
    browser.submit("/sign-in", {"phone": reader.phone})
    page = browser.submit("/sign-in/code", {"code": codes.newest(reader.phone)})
    story.check("市图书馆" in page.text, "the page says who asks, what for and for how long")
    story.step("She agrees; the browser goes back to the library with a code.")
    back = browser.submit("/consent", {}, button=("answer", "accept"))
    redirect = back.headers["location"]
    parameters = sorted(parse_qs(urlsplit(redirect).query))
    story.answer("POST /consent", back.status_code, {"parameters": parameters}, expected=303)
    story.step("The library redeems the code for tokens bound to its key.")
    tokens = library.exchange(redirect)
    shown = {k: v for k, v in tokens.body.items() if k not in SECRETS}
    story.answer("POST /oauth/token", tokens.status, shown, expected=200)


def _verify(story: Story, library: RelyingParty) -> None:
    story.chapter("The library verifies, and learns yes")
    story.step("It asks whether the benefit may be granted.")
    checked = library.call("POST", "/v1/eligibility-checks", {"programme": PROGRAMME})
    story.answer("POST /v1/eligibility-checks", checked.status, checked.body, expected=200)
    story.check(checked.body["eligible"] is True, "yes, and the benefit: no score, no reason")


def _look_and_withdraw(story: Story, app: CitizenApp, library: RelyingParty) -> None:
    story.chapter("She sees that the library looked, and withdraws")
    story.step("The access ledger says who looked, when, why and under which consent.")
    looks = app.call("GET", "/v1/me/accesses").json()["items"]
    look = looks[0]
    shown = {
        "at": look["at"],
        "who": look["actor"]["name_zh"],
        "why": look["purpose"]["text_zh"],
        "consent": look["consent_id"],
        "disclosed": look["disclosed"],
    }
    story.show("GET /v1/me/accesses", HTTPStatus.OK, shown)
    story.step("She withdraws the consent.")
    ask(story, app, "DELETE", f"/v1/me/consents/{look['consent_id']}", expected=204)
    story.step("The library asks again, and learns nothing more.")
    checked = library.call("POST", "/v1/eligibility-checks", {"programme": PROGRAMME})
    body = {name: checked.body[name] for name in ("title", "code")}
    story.answer("POST /v1/eligibility-checks", checked.status, body, expected=401)
    refused = library.refresh()
    story.answer("POST /oauth/token", refused.status, refused.body, expected=400)
    again = app.call("GET", "/v1/me/accesses").json()["items"]
    story.check(len(again) == len(looks), "nothing was disclosed, so the ledger has no new entry")


def _miss_a_seat(story: Story, app: CitizenApp) -> None:
    story.chapter("A programme is sold out")
    story.step("A reading booth has one seat, and somebody has it. The baseline is hers as before.")
    path, shown = f"/v1/me/programmes/{SEATS}", ("name_zh", "offer", "seats_left", "missing")
    offer = ask(story, app, "GET", path, expected=200, only=shown)
    story.note(f"everybody: {offer['baseline_zh']}")
    story.step("She tries all the same: a seat is never sold twice.")
    refusal = ("title", "code")
    body: dict[str, object] = {"programme": SEATS}
    ask(story, app, "POST", "/v1/me/enrolments", body=body, expected=409, only=refusal)
    story.step("She waits for one: first come, first enrolled. Then she changes her mind.")
    body["wait"] = True
    only = ("programme",)
    waiting = ask(story, app, "POST", "/v1/me/enrolments", body=body, expected=202, only=only)
    offer = app.call("GET", path).json()
    story.check(offer["waiting"]["people_ahead"] == 0, "fewer than twenty people are before her")
    path = f"/v1/me/waiting-places/{waiting['waiting_id']}"
    ask(story, app, "DELETE", path, expected=204)


def _leave(story: Story, app: CitizenApp) -> None:
    story.chapter("She leaves; leaving costs nothing")
    story.step("One call erases the score and all that hung on it.")
    ask(story, app, "DELETE", "/v1/me/participation", expected=204)
    ask(story, app, "GET", "/v1/me/score", expected=404, only=("title", "code"))
    story.step("She deletes her account.")
    ask(story, app, "DELETE", "/v1/me", expected=204)
