"""Goal: a connection goes to an address that was looked at, by the name it was asked for, and to no
other, whatever a resolver says the second time.

Method: a resolver of the test's own stands for the DNS outside; receivers are real.
"""

import asyncio
import socket
import threading
import time
from collections.abc import AsyncIterator
from ipaddress import ip_address
from typing import Any
from uuid import uuid4

import pytest

from backend.webhook.ports import Courier
from backend.webhook.rules.address import Address, TargetPolicy
from tests.support.receiver import Receiver
from tests.support.webhook_world import LOOPBACK, PUBLIC_ONLY

HEAD = {"content-type": "application/json", "webhook-id": "1", "webhook-timestamp": "1"}
BODY = b'{"type":"order.created","data":{"id":"1","revision":1}}'


class Dns:
    """Says one thing after the other, and counts how often it was asked."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers, self.asked = list(answers), 0

    async def __call__(self, host: str, port: int) -> list[Address]:
        answer = self.answers[min(self.asked, len(self.answers) - 1)]
        self.asked += 1
        if not answer:
            raise OSError
        return [ip_address(text) for text in answer]


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    receiver = await Receiver(behaviour="careless").start()
    yield receiver
    await receiver.stop()


async def _post(
    policy: TargetPolicy, dns: Dns, url: str, *, times: int = 1
) -> list[tuple[int | None, str | None]]:
    courier, receiver_id = Courier(policy, resolve=dns), uuid4()
    answers = [
        await courier.post(url, receiver_id=receiver_id, headers=HEAD, body=BODY)
        for _ in range(times)
    ]
    await courier.close()
    return [(answer.status, answer.fault) for answer in answers]


async def test_the_name_is_asked_for_at_the_address_that_was_looked_at(receiver: Receiver) -> None:
    dns, url = Dns(["127.0.0.1"]), f"http://bikes.example.cn:{receiver.port}/hooks"
    assert await _post(LOOPBACK, dns, url, times=3) == [(200, None)] * 3
    assert receiver.messages[0].headers["host"] == f"bikes.example.cn:{receiver.port}"
    assert (dns.asked, receiver.connections) == (1, 1)


@pytest.mark.parametrize(
    "answer",
    [
        ["127.0.0.1"],
        ["10.0.0.7"],
        ["169.254.169.254"],
        ["::ffff:127.0.0.1"],
        ["64:ff9b::7f00:1"],
        ["1.1.1.1", "127.0.0.1"],
        ["fd00::1"],
        [],
    ],
)
async def test_a_name_that_leads_inside_is_not_connected_to(
    receiver: Receiver, answer: list[str]
) -> None:
    url = f"http://bikes.example.cn:{receiver.port}/hooks"
    ((status, fault),) = await _post(PUBLIC_ONLY, Dns(answer), url)
    assert status is None
    assert fault == ("address_denied" if answer else "connection_failed")
    assert receiver.connections == 0


async def test_a_name_that_leads_elsewhere_the_second_time_is_asked_once(
    receiver: Receiver,
) -> None:
    """Rebinding: public when it is looked at, inside when it would be looked up again."""
    dns = Dns(["192.0.2.1", "1.1.1.1"], ["127.0.0.1"])
    url = f"http://bikes.example.cn:{receiver.port}/hooks"
    ((_, fault),) = await _post(PUBLIC_ONLY, dns, url)
    assert (fault, dns.asked, receiver.connections) == ("address_denied", 1, 0)


async def test_the_systems_resolver_is_looked_at_too(receiver: Receiver) -> None:
    url = f"http://localhost:{receiver.port}/hooks"
    courier = Courier(PUBLIC_ONLY)
    answer = await courier.post(url, receiver_id=uuid4(), headers=HEAD, body=BODY)
    await courier.close()
    assert (answer.status, answer.fault) == (None, "address_denied")
    assert receiver.connections == 0


async def test_names_that_nobody_answers_for_keep_no_other_waiting(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A look-up can't be broken off, so its thread is lost until the resolver gives up."""
    given_up, asked = threading.Event(), socket.getaddrinfo

    def silent(host: Any, *rest: Any, **more: Any) -> Any:
        if "silent" not in str(host):
            return asked(host, *rest, **more)
        given_up.wait(30)
        raise socket.gaierror

    monkeypatch.setattr(socket, "getaddrinfo", silent)
    courier = Courier(LOOPBACK)

    def post(url: str) -> asyncio.Task[Any]:
        sent = courier.post(url, receiver_id=uuid4(), headers=HEAD, body=BODY)
        return asyncio.create_task(sent)

    # Ten endpoints, eight messages to each.
    waiting = [post(f"http://silent-{n % 10}.example.cn:{receiver.port}/") for n in range(80)]
    await asyncio.sleep(0.1)
    started = time.monotonic()
    answer = await post(f"http://localhost:{receiver.port}/hooks")
    took = time.monotonic() - started
    given_up.set()
    silence = await asyncio.gather(*waiting)
    await courier.close()
    assert (answer.status, answer.fault) == (200, None)
    assert took < 3
    assert {each.fault for each in silence} == {"name_unknown"}


async def test_who_speaks_no_tls_or_shows_no_certificate_gets_nothing(receiver: Receiver) -> None:
    url = f"https://bikes.example.cn:{receiver.port}/hooks"
    ((status, fault),) = await _post(LOOPBACK, Dns(["127.0.0.1"]), url)
    assert (status, receiver.requests) == (None, 0)
    assert fault in ("tls_failed", "timed_out", "connection_failed")
