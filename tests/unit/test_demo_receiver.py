"""Goal: the demo's receiver takes what is rightly signed, and nothing else.

Method: messages signed by the `standardwebhooks` package are posted to it over HTTP, one of them
changed on the way, one signed with another secret, one while the receiver is gone.
"""

import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime

import httpx
import pytest
from standardwebhooks import Webhook

from backend.cli.receiver import Receiver

SECRET, OTHER = ("whsec_" + base64.b64encode(bytes([n]) * 32).decode() for n in (1, 2))
ORDER = {"object": "service_order", "id": "o-1", "revision": 2, "facts": {}}
BODY = json.dumps({"type": "order.activated", "timestamp": "now", "data": ORDER})


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        receiver.verify_with(SECRET)
        yield receiver


def post(receiver: Receiver, body: str, *, secret: str = SECRET, sent: str = "") -> httpx.Response:
    """Sign a body, and send it or, with `sent`, another one under that signature."""
    now = datetime.now(UTC)
    headers = {
        "webhook-id": "m-1",
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(secret).sign("m-1", now, body),
    }
    with httpx.Client(trust_env=False) as http:
        return http.post(receiver.url, content=sent or body, headers=headers)


def heard(receiver: Receiver) -> bool:
    return receiver.wait_for("order.activated", "o-1", seconds=0) is not None


def test_what_is_rightly_signed_is_taken(receiver: Receiver) -> None:
    assert post(receiver, BODY).status_code == 200
    message = receiver.wait_for("order.activated", "o-1", seconds=0)
    assert message is not None
    assert (message.id, message.data) == ("m-1", ORDER)


def test_what_is_wrongly_signed_is_refused(receiver: Receiver) -> None:
    assert post(receiver, BODY, secret=OTHER).status_code == 400
    assert post(receiver, BODY, sent=BODY.replace("2", "3")).status_code == 400
    assert receiver.refused == 2
    assert not heard(receiver)


def test_while_it_is_gone_it_takes_nothing(receiver: Receiver) -> None:
    receiver.is_gone = True
    assert post(receiver, BODY).status_code == 410
    assert not heard(receiver)
    receiver.is_gone = False
    assert post(receiver, BODY).status_code == 200
    assert heard(receiver)


def test_a_challenge_is_answered_and_is_no_message(receiver: Receiver) -> None:
    data = {"object": "endpoint", "id": "e-1", "revision": 1, "facts": {"challenge": "c-1"}}
    answer = post(receiver, json.dumps({"type": "endpoint.challenge", "data": data}))
    assert answer.json() == {"challenge": "c-1"}
    assert receiver.wait_for("endpoint.challenge", "e-1", seconds=0) is None
