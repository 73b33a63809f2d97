"""The partners of the demo: their software, for a citizen who agreed and for themselves."""

import contextlib
import json
import secrets
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

import httpx

from backend.cli.citizen_app import Browser, CitizenApp
from backend.cli.client_app import ClientApp
from backend.cli.environment import Fault
from backend.cli.receiver import PATH, Receiver
from backend.cli.relying_party import Answer, RelyingParty
from backend.cli.story import Story

ORDERS: Final = "/v1/service-orders"
ENDPOINTS: Final = "/v1/webhook-endpoints"
SHOWN: Final = ("state", "amount_fen", "credit_fen", "own_fen")
_REFERENCE: Final = "demo-"
_HEARD_SECONDS: Final = 60


class Shop:
    """A partner's software: `party` acts for one citizen, `own` for the partner itself."""

    def __init__(self, origin: str, directory: Path, client: str, http: httpx.Client) -> None:
        """Read the client's key and the server's metadata."""
        self.party = open_party(origin, directory / f"{client}.json")
        self.own = ClientApp(origin, directory / f"{client}.json", http)

    def close(self) -> None:
        """Close the connections."""
        self.party.close()

    def open_order(self, programme: str, amount_fen: int) -> Answer:
        """Open an order for the citizen who agreed, under a number of the shop's own."""
        body = {
            "programme": programme,
            "reference": f"{_REFERENCE}{secrets.token_hex(8)}",
            "amount_fen": amount_fen,
        }
        key = {"idempotency-key": secrets.token_urlsafe(24)}
        return self.party.call("POST", ORDERS, body, headers=key)

    def tidy(self) -> None:
        """End what a story that was cut short left behind: its orders and its endpoints."""
        self.own.get_token()
        for order in self._orders():
            is_ours = order["reference"].startswith(_REFERENCE)
            if is_ours and order["state"] in {"created", "active"}:
                self.own.call("POST", f"{ORDERS}/{order['order_id']}/cancel")
        for endpoint in self.own.call("GET", ENDPOINTS).json()["items"]:
            if endpoint["url"].endswith(PATH):
                self.own.call("DELETE", f"{ENDPOINTS}/{endpoint['endpoint_id']}")

    def _orders(self) -> Iterator[Mapping[str, Any]]:
        page = self.own.call("GET", ORDERS).json()
        yield from page["items"]
        while page["next_cursor"] is not None:
            page = self.own.call("GET", f"{ORDERS}?cursor={page['next_cursor']}").json()
            yield from page["items"]


@contextlib.contextmanager
def open_shop(origin: str, directory: Path, client: str) -> Iterator[Shop]:
    """Open a partner's software that has ended whatever an earlier story left behind."""
    with httpx.Client(timeout=10, trust_env=False) as http:
        shop = Shop(origin, directory, client, http)
        with contextlib.closing(shop):
            shop.tidy()
            yield shop


def open_party(origin: str, path: Path) -> RelyingParty:
    """Open the part of a partner's software that acts for a citizen; Fault without its key."""
    try:
        known = json.loads(path.read_text())
    except OSError:
        raise Fault(f"no demo partner in {path.parent}: scripts/serve makes one") from None
    return RelyingParty(
        origin=origin,
        client_id=known["client_id"],
        redirect_uri=known["redirect_uri"],
        keys={"keys": [known["jwk"]]},
    )


def agree(
    story: Story,
    browser: Browser,
    shop: Shop,
    *,
    name: str,
    programme: str,
    purpose: str,
    confirm: str,
    amount_max_fen: int,
) -> None:
    """Let the shop, called `name`, ask; the citizen has signed in to her browser, and agrees."""
    pushed = shop.party.push(
        programme=programme, purpose=purpose, confirm=confirm, amount_max_fen=amount_max_fen
    )
    story.answer("POST /oauth/par", pushed.status, pushed.body, expected=HTTPStatus.CREATED)
    page = browser.open(shop.party.authorization_url)
    story.check(name in page.text, f"the page says who asks: {name}")
    back = browser.submit("/consent", {}, button=("answer", "accept"))
    tokens = shop.party.exchange(back.headers["location"])
    shown = {name: tokens.body[name] for name in ("scope", "authorization_details")}
    story.answer("POST /oauth/token", tokens.status, shown, expected=HTTPStatus.OK)


def tell(
    story: Story,
    request: str,
    answer: httpx.Response | Answer,
    only: tuple[str, ...],
    *,
    expected: int,
) -> dict[str, Any]:
    """Print some members of an answer; a refusal is printed whole."""
    if isinstance(answer, Answer):
        status, body = answer.status, answer.body
    else:
        status, body = answer.status_code, answer.json()
    shown = {name: body[name] for name in only} or None if status == expected else body
    story.answer(request, status, shown, expected=expected)
    told: dict[str, Any] = body
    return told


def hear(story: Story, receiver: Receiver, topic: str, order_id: str) -> None:
    """Wait for a message about an order, or about what is owed under it, and print it."""
    message = receiver.wait_for(topic, order_id, seconds=_HEARD_SECONDS)
    story.check(message is not None, f"the receiver hears {topic}", is_told=False)
    assert message is not None
    shown = {"type": message.topic, "id": message.data["id"], "revision": message.data["revision"]}
    story.show(f"POST {PATH} (webhook)", HTTPStatus.OK, shown)


def read_notice(story: Story, app: CitizenApp, topic: str, order_id: str) -> None:
    """Print what she is told about an order; the phone got a text without a word about it."""
    notices = app.call("GET", "/v1/me/notices").json()["items"]
    found = [
        each
        for each in notices
        if each["topic"] == topic and each["facts"].get("order_id") == order_id
    ]
    story.check(bool(found), f"she is told: {topic}", is_told=False)
    story.show("GET /v1/me/notices", HTTPStatus.OK, {"topic": topic})
    story.note(found[0]["text_zh"])
    story.note(found[0]["text_en"])
