"""The part of the demo in which she rents bicycles on credit, and the shop is told by webhook."""

from http import HTTPStatus
from typing import Any, Final

import msgspec

from backend.cli.citizen_app import Browser, CitizenApp
from backend.cli.demo_shop import (
    ENDPOINTS,
    ORDERS,
    SHOWN,
    Shop,
    agree,
    hear,
    read_notice,
    tell,
)
from backend.cli.receiver import Receiver
from backend.cli.story import Story, ask

PROGRAMME: Final = "rental"
PURPOSE: Final = "deposit_free_rental"
DEPOSIT_FEN: Final = 20_000
LATE_FEN: Final = 500
_TOPICS: Final = [
    *("order.created", "order.activated", "order.completed"),
    *("obligation.announced", "obligation.replied", "obligation.ended"),
]


class Scene(msgspec.Struct, frozen=True):
    """Who is on stage: the citizen with app and browser, the shop and its receiver."""

    story: Story
    app: CitizenApp
    browser: Browser
    shop: Shop
    receiver: Receiver


def play(scene: Scene) -> None:
    """Tell of one rental that goes well, and of one that comes back late."""
    endpoint = _set_up(scene)
    _rent(scene)
    _bring_back(scene)
    order_id = _bring_back_late(scene)
    _reply_unheard(scene, order_id, endpoint)
    _pay(scene, order_id)
    scene.shop.own.call("DELETE", f"{ENDPOINTS}/{endpoint}")


def _set_up(scene: Scene) -> str:
    story, shop, receiver = scene.story, scene.shop, scene.receiver
    story.chapter("A bicycle rental wants to be told what happens")
    story.step("With a token of its own it names its receiver; what to verify with is shown once.")
    body = {"url": receiver.url, "topics": _TOPICS}
    answer = shop.own.call("POST", ENDPOINTS, body)
    created = tell(story, f"POST {ENDPOINTS}", answer, ("endpoint_id",), expected=201)
    receiver.verify_with(created["verify_with"])
    endpoint: str = created["endpoint_id"]
    story.step("The receiver answers a signed challenge: nothing is sent to a stranger.")
    answer = shop.own.call("POST", f"{ENDPOINTS}/{endpoint}/verify")
    delivery = tell(story, f"POST {ENDPOINTS}/{{id}}/verify", answer, (), expected=202)
    _wait_until_delivered(story, shop, delivery["delivery_id"])
    answer = shop.own.call("GET", f"{ENDPOINTS}/{endpoint}")
    shown = tell(story, f"GET {ENDPOINTS}/{{id}}", answer, ("state", "scheme"), expected=200)
    story.check(shown["state"] == "active", "the endpoint is its own")
    return endpoint


def _rent(scene: Scene) -> None:
    story = scene.story
    story.chapter("She rents a bicycle without a deposit")
    story.step("She enrols, and agrees: each rental is hers to confirm, up to 200 yuan.")
    only = ("programme", "version")
    body = {"programme": PROGRAMME}
    ask(story, scene.app, "POST", "/v1/me/enrolments", body=body, expected=201, only=only)
    agree(
        story,
        scene.browser,
        scene.shop,
        name="城市单车租赁",
        programme=PROGRAMME,
        purpose=PURPOSE,
        confirm="citizen",
        amount_max_fen=DEPOSIT_FEN,
    )


def _bring_back(scene: Scene) -> None:
    story, app, shop, receiver = scene.story, scene.app, scene.shop, scene.receiver
    story.step("The rental opens an order for the deposit it would ask for; she is told.")
    order_id = _open(story, shop)
    hear(story, receiver, "order.created", order_id)
    read_notice(story, app, "order.to_confirm", order_id)
    story.step("She confirms: credit stands for the deposit, and the bicycle is hers to ride.")
    ask(story, app, "POST", f"/v1/me/orders/{order_id}/confirm", expected=200, only=SHOWN)
    hear(story, receiver, "order.activated", order_id)
    orders = app.call("GET", "/v1/me/orders").json()
    story.check(orders["open_fen"] == DEPOSIT_FEN, "she sees what credit stands for in all")
    story.step("She brings it back. Nothing is owed: the deposit was never asked for.")
    answer = shop.own.call("POST", f"{ORDERS}/{order_id}/complete", {"settled_fen": 0})
    completed = ("state", "credit_fen", "settled_fen")
    tell(story, f"POST {ORDERS}/{{id}}/complete", answer, completed, expected=200)
    hear(story, receiver, "order.completed", order_id)
    orders = app.call("GET", "/v1/me/orders").json()
    story.check(orders["open_fen"] == 0, "all that credit stood for is free again")


def _bring_back_late(scene: Scene) -> str:
    story, app, shop, receiver = scene.story, scene.app, scene.shop, scene.receiver
    story.chapter("She brings one back a day late")
    story.step("Another bicycle: opened, confirmed, and brought back late; 5 yuan are owed.")
    order_id = _open(story, shop)
    ask(story, app, "POST", f"/v1/me/orders/{order_id}/confirm", expected=200, only=("state",))
    body: dict[str, Any] = {"settled_fen": LATE_FEN}
    answer = shop.own.call("POST", f"{ORDERS}/{order_id}/complete", body)
    only = ("state", "settled_fen", "performance")
    tell(story, f"POST {ORDERS}/{{id}}/complete", answer, only, expected=200)
    hear(story, receiver, "order.completed", order_id)
    story.step("The rental says what is owed. She hears it first; days pass before it stands.")
    body = {"performance": "open_obligation", "amount_fen": LATE_FEN}
    answer = shop.own.call("POST", f"{ORDERS}/{order_id}/performance", body)
    path = f"POST {ORDERS}/{{id}}/performance"
    told = tell(story, path, answer, ("state", "performance"), expected=200)
    story.check(told["obligation"]["state"] == "announced", "announced, not standing")
    hear(story, receiver, "obligation.announced", order_id)
    read_notice(story, app, "obligation.announced", order_id)
    return order_id


def _reply_unheard(scene: Scene, order_id: str, endpoint: str) -> None:
    story, app, shop, receiver = scene.story, scene.app, scene.shop, scene.receiver
    story.step("She replies that she will pay. The rental has just taken its receiver away.")
    receiver.is_gone = True
    answer = app.call("POST", f"/v1/me/orders/{order_id}/reply", {"reply": "will_pay"})
    told = answer.json()
    if answer.is_success:
        told = {name: told["obligation"][name] for name in ("state", "amount_fen", "reply")}
    story.answer("POST /v1/me/orders/{id}/reply", answer.status_code, told, expected=200)
    story.step("The message is missed; the log of deliveries says why, and the endpoint is paused.")
    path = f"/v1/webhook-deliveries?endpoint={endpoint}&state=failed"
    story.wait(
        lambda: bool(shop.own.call("GET", path).json()["items"]), "the missed message is shown"
    )
    [missed] = shop.own.call("GET", path).json()["items"]
    log = shop.own.call("GET", f"/v1/webhook-deliveries/{missed['delivery_id']}").json()["log"]
    shown = {name: log[0][name] for name in ("number", "status", "fault")}
    shown = {"topic": missed["topic"], "state": missed["state"], **shown}
    story.show("GET /v1/webhook-deliveries/{id}", HTTPStatus.OK, shown)
    story.step("The receiver is back: the rental resumes its endpoint and replays the message.")
    receiver.is_gone = False
    answer = shop.own.call("POST", f"{ENDPOINTS}/{endpoint}/resume")
    tell(story, f"POST {ENDPOINTS}/{{id}}/resume", answer, ("state",), expected=200)
    answer = shop.own.call("POST", f"/v1/webhook-deliveries/{missed['delivery_id']}/replay")
    tell(story, "POST /v1/webhook-deliveries/{id}/replay", answer, (), expected=202)
    hear(story, receiver, "obligation.replied", order_id)
    heard = receiver.wait_for("obligation.replied", order_id, seconds=0)
    is_same = heard is not None and heard.id == missed["message_id"]
    story.check(is_same, "rightly signed, under the webhook-id it was missed under")


def _pay(scene: Scene, order_id: str) -> None:
    story, app, shop, receiver = scene.story, scene.app, scene.shop, scene.receiver
    story.step("She pays, and the rental says so: what was owed is gone, as if never said.")
    answer = shop.own.call("POST", f"{ORDERS}/{order_id}/obligation/paid")
    only = ("performance", "obligation")
    tell(story, f"POST {ORDERS}/{{id}}/obligation/paid", answer, only, expected=200)
    hear(story, receiver, "obligation.ended", order_id)
    read_notice(story, app, "obligation.ended", order_id)
    own = app.call("GET", f"/v1/me/orders/{order_id}").json()
    story.check(own["obligation"] is None, "nothing of it is left, and no score ever knew of it")


def _open(story: Story, shop: Shop) -> str:
    opened = tell(
        story,
        f"POST {ORDERS}",
        shop.open_order(PROGRAMME, DEPOSIT_FEN),
        SHOWN,
        expected=HTTPStatus.CREATED,
    )
    order_id: str = opened["order_id"]
    return order_id


def _wait_until_delivered(story: Story, shop: Shop, delivery_id: str) -> None:
    path = f"/v1/webhook-deliveries/{delivery_id}"
    story.wait(
        lambda: shop.own.call("GET", path).json()["delivery"]["state"] == "delivered",
        "the receiver answers the challenge",
    )
