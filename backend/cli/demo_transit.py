"""The part of the demo in which she rides first and pays later."""

from typing import Final

from backend.cli.citizen_app import Browser, CitizenApp
from backend.cli.demo_shop import ORDERS, SHOWN, Shop, agree, read_notice, tell
from backend.cli.story import Story, ask

PROGRAMME: Final = "transit"
PURPOSE: Final = "deferred_fare"
FARE_MAX_FEN: Final = 2_000
FARE_FEN: Final = 400


def ride(story: Story, app: CitizenApp, browser: Browser, shop: Shop) -> None:
    """Tell of one ride, from the gate to the fare that was paid."""
    story.chapter("She rides first and pays later")
    story.step("She enrols, and agrees once: no ride waits to be confirmed, up to 20 yuan each.")
    body = {"programme": PROGRAMME}
    path, enrolled = "/v1/me/enrolments", ("programme", "version")
    ask(story, app, "POST", path, body=body, expected=201, only=enrolled)
    agree(
        story,
        browser,
        shop,
        name="市公交集团",
        programme=PROGRAMME,
        purpose=PURPOSE,
        confirm="consent",
        amount_max_fen=FARE_MAX_FEN,
    )
    story.step("At the gate: the order is active at once, for the longest ride there is.")
    opened = shop.open_order(PROGRAMME, FARE_MAX_FEN)
    order = tell(story, f"POST {ORDERS}", opened, (*SHOWN, "confirmed_by"), expected=201)
    order_id = order["order_id"]
    read_notice(story, app, "order.activated", order_id)
    story.step("She gets off: the ride cost 4 yuan, and the rest is free again.")
    answer = shop.own.call("POST", f"{ORDERS}/{order_id}/complete", {"settled_fen": FARE_FEN})
    completed = ("state", "credit_fen", "settled_fen", "performance")
    tell(story, f"POST {ORDERS}/{{id}}/complete", answer, completed, expected=200)
    read_notice(story, app, "order.completed", order_id)
    story.step("She pays at the end of the month; the ride goes on record as paid.")
    body = {"performance": "performed"}
    answer = shop.own.call("POST", f"{ORDERS}/{order_id}/performance", body)
    path = f"POST {ORDERS}/{{id}}/performance"
    tell(story, path, answer, ("state", "performance"), expected=200)
