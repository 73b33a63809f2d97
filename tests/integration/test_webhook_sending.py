"""Goal: a message reaches its partner whatever the receiver does, and nobody else is kept waiting.

Method: real loopback receivers that verify with `standardwebhooks`, or misbehave, and the loop
that sends; the service's clock is moved by hand.
"""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any, Literal
from uuid import UUID, uuid4

import pytest

from backend.event import service as event
from backend.kit.crypto import Vault
from backend.kit.postgres import Database
from backend.kit.problem import Refusal
from backend.webhook import service
from backend.webhook.rules.delivery import LEASE
from backend.webhook.rules.schedule import TRIES_MAX, longest_wait
from tests.support.webhook_world import ORIGIN, PUBLIC_ONLY, WebhookWorld, open_webhooks


@pytest.fixture
async def world(database: Database, vault: Vault) -> AsyncIterator[WebhookWorld]:
    async with open_webhooks(database, vault) as world:
        yield world


@pytest.mark.parametrize("scheme", ["hmac", "ed25519"])
async def test_a_message_arrives_signed_with_ids_and_links_only(
    world: WebhookWorld, scheme: str
) -> None:
    partner_id, receiver = await world.add_partner(), await world.receive()
    await world.add_endpoint(partner_id, receiver, scheme=scheme)
    order_id = uuid4()
    message_id = await world.tell(partner_id, object_id=order_id, facts={"programme": "rental"})
    assert await world.send_due() == 1
    (message,) = receiver.taken
    assert message.id == message.headers["webhook-id"] == str(message_id)
    assert message.body.decode() == (
        '{"type":"order.created","timestamp":"'
        + world.clock.now().isoformat().replace("+00:00", "Z")
        + f'","data":{{"object":"service_order","id":"{order_id}","revision":1,'
        f'"url":"https://credit.example.cn/v1/service-orders/{order_id}",'
        '"facts":{"programme":"rental"}}}'
    )
    (delivery,) = await world.deliveries(partner_id)
    assert (delivery.state, delivery.tries) == ("delivered", 1)
    (one,) = await world.tries(partner_id, delivery.delivery_id)
    assert (one.status, one.fault) == (200, None)
    assert one.request_head.keys() == {
        *("content-type", "user-agent", "webhook-id", "webhook-timestamp")
    }
    assert one.response_head == {"content-type": "application/json", "content-length": "2"}


async def test_a_message_fanned_out_twice_is_delivered_once(world: WebhookWorld) -> None:
    partner_id, receiver = await world.add_partner(), await world.receive()
    await world.add_endpoint(partner_id, receiver)
    event_id = await world.emit(partner_id)
    assert await world.fan_out(event_id)
    assert not await world.fan_out(event_id)
    await asyncio.gather(*[world.send_due() for _ in range(3)])
    assert [message.id for message in receiver.taken] == [str(event_id)]


async def test_only_endpoints_that_follow_the_topic_are_told(world: WebhookWorld) -> None:
    partner_id, other = await world.add_partner(), await world.add_partner("other")
    follows, ignores, foreign = [await world.receive() for _ in range(3)]
    await world.add_endpoint(partner_id, follows)
    await world.add_endpoint(partner_id, ignores, topics=["programme.ended"])
    await world.add_endpoint(other, foreign)
    await world.tell(partner_id)
    await world.send_due()
    assert [len(each.taken) for each in (follows, ignores, foreign)] == [1, 0, 0]


@pytest.mark.parametrize(
    ("behaviour", "status", "fault"),
    [
        ("status:500", 500, "receiver_failed"),
        ("status:400", 400, "refused"),
        ("redirect:http://127.0.0.1:1/", 302, "redirected"),
        ("garbage", None, "answer_unreadable"),
    ],
)
async def test_what_is_not_taken_is_tried_again_later(
    world: WebhookWorld, behaviour: str, status: int | None, fault: str
) -> None:
    partner_id, receiver = await world.add_partner(), await world.receive(ignore_time=True)
    endpoint_id = await world.add_endpoint(partner_id, receiver)
    message_id = await world.tell(partner_id)
    receiver.behaviour = behaviour
    assert await world.send_due() == 1
    (delivery,) = await world.deliveries(partner_id)
    assert delivery.state == "pending"
    assert delivery.due_at <= world.clock.now() + longest_wait(1)
    (one,) = await world.tries(partner_id, delivery.delivery_id)
    assert (one.status, one.fault) == (status, fault)
    assert (await world.endpoint(partner_id, endpoint_id)).failing_since is not None
    receiver.behaviour = "ok"
    world.clock.advance(longest_wait(1))
    assert await world.send_due() == 1
    assert [message.id for message in receiver.taken] == [str(message_id)]
    assert (await world.endpoint(partner_id, endpoint_id)).failing_since is None


@pytest.mark.parametrize("behaviour", ["large", "endless"])
async def test_an_answer_of_200_kb_is_cut_off_and_counts_by_its_status(
    world: WebhookWorld, behaviour: str
) -> None:
    """`endless` stands still after 20 KB: who reads on gets no whole answer."""
    partner_id, receiver = await world.add_partner(), await world.receive()
    await world.add_endpoint(partner_id, receiver)
    await world.tell(partner_id)
    receiver.behaviour = behaviour
    await world.send_due()
    (delivery,) = await world.deliveries(partner_id)
    (one,) = await world.tries(partner_id, delivery.delivery_id)
    assert (delivery.state, one.status) == ("delivered", 200)
    assert one.response_head == {"content-type": "application/json", "content-length": "200000"}


@pytest.mark.parametrize("behaviour", ["silent", "drip"])
async def test_a_receiver_that_never_ends_its_answer_keeps_nobody_else_waiting(
    world: WebhookWorld, behaviour: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backend.webhook.ports.ANSWER_SECONDS_MAX", 1.5)
    partner_id, other = await world.add_partner(), await world.add_partner("other")
    bad, good = await world.receive(), await world.receive()
    await world.add_endpoint(partner_id, bad)
    await world.add_endpoint(other, good)
    bad.behaviour = behaviour
    for _ in range(40):
        await world.tell(partner_id)
    await world.tell(other)
    stopping = asyncio.Event()
    running = asyncio.create_task(world.dispatch().run(stopping=stopping))
    async with asyncio.timeout(30):
        while not good.taken:
            await asyncio.sleep(0.02)
    while not await _tried(world, partner_id):
        await asyncio.sleep(0.1)
    stopping.set()
    await running
    faults = await _tried(world, partner_id)
    assert set(faults) <= {"timed_out", None}
    # 16 KB of a drip take an hour; what was read before the end doesn't make it taken.
    assert "timed_out" in faults
    assert all(each.state == "pending" for each in await world.deliveries(partner_id))


async def _tried(world: WebhookWorld, partner_id: UUID) -> list[str | None]:
    found = []
    for each in await world.deliveries(partner_id):
        found += [one.fault for one in await world.tries(each.partner_id, each.delivery_id)]
    return found


async def test_a_receiver_that_is_away_is_tried_fifteen_times_and_then_given_up(
    world: WebhookWorld,
) -> None:
    partner_id, receiver = await world.add_partner(), await world.receive()
    other = await world.receive(ignore_time=True)
    endpoint_id = await world.add_endpoint(partner_id, receiver)
    await world.add_endpoint(partner_id, other, topics=["endpoint.paused"])
    await receiver.stop()
    await world.tell(partner_id)
    paused = 0
    for number in range(1, TRIES_MAX + 1):
        assert await world.send_due() == 1
        (delivery,) = await world.deliveries(partner_id)
        assert delivery.tries == number
        if (await world.endpoint(partner_id, endpoint_id)).state == "paused":
            paused += 1
            async with world.database.write() as tx:
                await service.resume(
                    tx,
                    partner_id=partner_id,
                    endpoint_id=endpoint_id,
                    by="partner",
                    now=world.clock.now(),
                )
        if number < TRIES_MAX:
            world.clock.advance(longest_wait(number))
    assert delivery.state == "failed"
    assert paused >= 1
    tries = await world.tries(partner_id, delivery.delivery_id)
    assert [each.fault for each in tries] == ["connection_failed"] * TRIES_MAX
    world.clock.advance(timedelta(days=3))
    assert await world.send_due() == 0


async def test_after_a_day_of_failure_an_endpoint_rests_and_the_partner_is_told(
    world: WebhookWorld,
) -> None:
    partner_id = await world.add_partner()
    receiver, other = await world.receive(), await world.receive(ignore_time=True)
    endpoint_id = await world.add_endpoint(partner_id, receiver)
    await world.add_endpoint(partner_id, other, topics=["endpoint.paused"])
    receiver.behaviour, receiver.ignore_time = "status:503", True
    first = await world.tell(partner_id)
    await world.send_due()
    world.clock.advance(timedelta(hours=23, minutes=59))
    await world.send_due()
    assert (await world.endpoint(partner_id, endpoint_id)).state == "active"
    world.clock.advance(timedelta(days=2))
    await world.send_due()
    endpoint = await world.endpoint(partner_id, endpoint_id)
    assert (endpoint.state, endpoint.pause_reason) == ("paused", "failing")
    second = await world.tell(partner_id)
    world.clock.advance(timedelta(days=1))
    requests = receiver.requests
    await _carry_out_all(world)
    await world.send_due()
    assert receiver.requests == requests, "nothing is sent to an endpoint that rests"
    (told,) = other.taken
    assert (told.type, told.object_id) == ("endpoint.paused", str(endpoint_id))
    receiver.behaviour = "ok"
    async with world.database.write() as tx:
        await service.resume(
            tx,
            partner_id=partner_id,
            endpoint_id=endpoint_id,
            by="partner",
            now=world.clock.now(),
        )
    await world.send_due()
    assert {message.id for message in receiver.taken} == {str(first), str(second)}


async def _carry_out_all(world: WebhookWorld) -> None:
    async with world.database.write() as tx:
        for each in await event.claim(tx, now=world.clock.now()):
            await service.fan_out(
                tx, event=each, origin="https://credit.example.cn", now=world.clock.now()
            )
            await event.finish(tx, event_ids=[each.event_id], now=world.clock.now())


async def test_a_receiver_that_says_it_is_gone_is_left_alone(world: WebhookWorld) -> None:
    partner_id, receiver = await world.add_partner(), await world.receive()
    endpoint_id = await world.add_endpoint(partner_id, receiver)
    receiver.behaviour = "status:410"
    await world.tell(partner_id)
    await world.send_due()
    endpoint = await world.endpoint(partner_id, endpoint_id)
    assert (endpoint.state, endpoint.pause_reason) == ("paused", "gone")
    (delivery,) = await world.deliveries(partner_id)
    assert delivery.state == "failed"


async def test_an_object_is_told_in_order_and_a_failure_holds_up_its_own_object_only(
    world: WebhookWorld,
) -> None:
    partner_id, receiver = await world.add_partner(), await world.receive(ignore_time=True)
    await world.add_endpoint(partner_id, receiver)
    first, second = uuid4(), uuid4()
    receiver.behaviour = "status:500"
    await world.tell(partner_id, object_id=first, sequence=1)
    await world.send_due()
    receiver.behaviour = "ok"
    await world.tell(partner_id, object_id=first, sequence=2, topic="order.activated")
    await world.tell(partner_id, object_id=second, sequence=1)
    await world.send_due()
    assert [message.object_id for message in receiver.taken] == [str(second)]
    world.clock.advance(longest_wait(1))
    await world.send_due()
    told = [each.revision for each in receiver.taken if each.object_id == str(first)]
    assert told == [1, 2]


@pytest.mark.parametrize("order", [[3, 2, 1], [2, 3, 1], [1, 3, 2]])
async def test_messages_are_written_in_order_whatever_order_the_queue_has(
    world: WebhookWorld, order: list[int]
) -> None:
    partner_id, receiver = await world.add_partner(), await world.receive()
    await world.add_endpoint(partner_id, receiver)
    order_id = uuid4()
    events = {
        number: await world.emit(partner_id, object_id=order_id, sequence=number)
        for number in (1, 2, 3)
    }
    for number in order:
        await world.fan_out(events[number])
        await world.send_due()
    assert [message.revision for message in receiver.taken] == [1, 2, 3]


async def test_messages_carried_out_at_once_are_written_in_order(world: WebhookWorld) -> None:
    partner_id, receiver = await world.add_partner(), await world.receive()
    await world.add_endpoint(partner_id, receiver)
    for _ in range(10):
        order_id = uuid4()
        events = [
            await world.emit(partner_id, object_id=order_id, sequence=number) for number in (1, 2)
        ]

        async def carry_out(event_id: UUID) -> None:
            await world.fan_out(event_id)
            await world.send_due()

        await asyncio.gather(*[carry_out(each) for each in reversed(events)])
        await world.send_due()
        told = [each.revision for each in receiver.taken if each.object_id == str(order_id)]
        assert told == [1, 2]


async def test_a_replay_is_the_same_message_and_holds_up_nothing(world: WebhookWorld) -> None:
    partner_id, receiver = await world.add_partner(), await world.receive(ignore_time=True)
    await world.add_endpoint(partner_id, receiver)
    order_id = uuid4()
    message_id = await world.tell(partner_id, object_id=order_id)
    async with world.database.write() as tx:
        (open_one,) = await world.deliveries(partner_id)
        with pytest.raises(Refusal, match="webhook_delivery_open"):
            await service.replay(
                tx,
                partner_id=partner_id,
                delivery_id=open_one.delivery_id,
                now=world.clock.now(),
            )
    await world.send_due()
    (delivery,) = await world.deliveries(partner_id)
    receiver.behaviour = "status:500"
    async with world.database.write() as tx:
        await service.replay(
            tx, partner_id=None, delivery_id=delivery.delivery_id, now=world.clock.now()
        )
    await world.send_due()
    receiver.behaviour = "ok"
    await world.tell(partner_id, object_id=order_id, sequence=2)
    await world.send_due()
    world.clock.advance(longest_wait(1))
    await world.send_due()
    assert [(each.id == str(message_id), each.revision) for each in receiver.taken] == [
        *((True, 1), (False, 2), (True, 1))
    ]
    first, _, third = receiver.taken
    assert first.body == third.body


async def test_somebody_elses_deliveries_are_not_found(world: WebhookWorld) -> None:
    partner_id, other = await world.add_partner(), await world.add_partner("other")
    receiver = await world.receive()
    endpoint_id = await world.add_endpoint(partner_id, receiver)
    await world.tell(partner_id)
    await world.send_due()
    (delivery,) = await world.deliveries(partner_id)
    now = world.clock.now()
    async with world.database.write() as tx:
        for asked in (
            service.get_endpoint(tx, partner_id=other, endpoint_id=endpoint_id),
            service.get_delivery(tx, partner_id=other, delivery_id=delivery.delivery_id),
            service.replay(tx, partner_id=other, delivery_id=delivery.delivery_id, now=now),
            service.remove(tx, partner_id=other, endpoint_id=endpoint_id),
            service.pause(tx, partner_id=other, endpoint_id=endpoint_id, by="partner"),
        ):
            with pytest.raises(Refusal, match="not_found"):
                await asked
    assert await world.deliveries(other) == []


async def test_a_worker_that_dies_leaves_its_deliveries_to_the_others(
    world: WebhookWorld,
) -> None:
    partner_id, receiver = await world.add_partner(), await world.receive(ignore_time=True)
    await world.add_endpoint(partner_id, receiver)
    await world.tell(partner_id)
    async with world.database.write() as tx:
        taken = await service.claim(tx, busy={}, limit=10, limit_endpoint=10, now=world.clock.now())
    assert len(taken) == 1
    assert await world.send_due() == 0
    world.clock.advance(LEASE + timedelta(seconds=1))
    assert await world.send_due() == 1
    (delivery,) = await world.deliveries(partner_id)
    assert (delivery.state, delivery.tries) == ("delivered", 2)


async def test_what_an_overtaken_worker_says_counts_for_nothing(world: WebhookWorld) -> None:
    partner_id, receiver = await world.add_partner(), await world.receive(ignore_time=True)
    await world.add_endpoint(partner_id, receiver)
    await world.tell(partner_id)
    receiver.behaviour, before = "slow:4", receiver.requests
    late = asyncio.create_task(world.send_due())
    while receiver.requests == before:
        await asyncio.sleep(0.02)
    receiver.behaviour = "status:500"
    world.clock.advance(LEASE + timedelta(seconds=1))
    await world.send_due()
    await late
    (delivery,) = await world.deliveries(partner_id)
    assert (delivery.state, delivery.tries) == ("pending", 2)
    tries = await world.tries(partner_id, delivery.delivery_id)
    assert [(each.number, each.status) for each in tries] == [(2, 500)]


async def test_a_removed_endpoint_takes_its_deliveries_with_it(world: WebhookWorld) -> None:
    partner_id, receiver = await world.add_partner(), await world.receive()
    endpoint_id = await world.add_endpoint(partner_id, receiver)
    await world.tell(partner_id)
    receiver.behaviour, before = "slow:2", receiver.requests
    sending = asyncio.create_task(world.send_due())
    while receiver.requests == before:
        await asyncio.sleep(0.02)
    async with world.database.write() as tx:
        await service.remove(tx, partner_id=partner_id, endpoint_id=endpoint_id)
    assert await sending == 1
    assert await world.deliveries(partner_id) == []


async def test_what_waited_or_ended_long_ago_is_given_up_and_deleted(world: WebhookWorld) -> None:
    partner_id, receiver = await world.add_partner(), await world.receive()
    endpoint_id = await world.add_endpoint(partner_id, receiver)
    await world.tell(partner_id)
    await world.send_due()
    async with world.database.write() as tx:
        await service.pause(tx, partner_id=partner_id, endpoint_id=endpoint_id, by="operator")
    await world.tell(partner_id)
    world.clock.advance(timedelta(days=31))
    async with world.database.write() as tx:
        # The challenge, and what was delivered, are gone; what waited is given up.
        assert await service.purge(tx, now=world.clock.now()) == 3
    (left,) = await world.deliveries(partner_id)
    assert left.state == "abandoned"


async def test_nothing_is_sent_to_an_address_inside(world: WebhookWorld) -> None:
    """The policy is that of production here: a URL that was let in before leads inside now."""
    partner_id, receiver = await world.add_partner(), await world.receive()
    await world.add_endpoint(partner_id, receiver)
    requests = receiver.requests
    await world.tell(partner_id)
    await world.send_due(PUBLIC_ONLY)
    (delivery,) = await world.deliveries(partner_id)
    (one,) = await world.tries(partner_id, delivery.delivery_id)
    assert (one.status, one.fault) == (None, "address_denied")
    assert receiver.requests == requests


async def test_a_challenge_and_a_probe_are_open_once_an_endpoint(world: WebhookWorld) -> None:
    """Else whoever may ask could have us send to somebody else's address without an end."""
    partner_id, receiver = await world.add_partner(), await world.receive(behaviour="status:500")
    endpoint_id = await world.add_endpoint(partner_id, receiver, is_verified=False)
    open_ones = {await world.verify(partner_id, endpoint_id) for _ in range(20)}
    assert len(open_ones) == 1
    assert (await world.send_due(), receiver.requests) == (1, 1)
    assert await world.verify(partner_id, endpoint_id) not in open_ones
    receiver.behaviour = "ok"
    assert await world.send_due() == 1

    async def probe() -> UUID:
        async with world.database.write() as tx:
            return await service.probe(
                tx,
                partner_id=partner_id,
                endpoint_id=endpoint_id,
                origin=ORIGIN,
                now=world.clock.now(),
            )

    assert len({await probe() for _ in range(20)}) == 1
    assert await world.send_due() == 1


async def test_what_an_operator_pauses_rests_whatever_it_rested_for_before(
    world: WebhookWorld,
) -> None:
    """Also what its partner had paused: from then on only an operator lets it go on."""
    partner_id, receiver = await world.add_partner(), await world.receive()
    endpoint_id = await world.add_endpoint(partner_id, receiver)

    async def let(action: Literal["pause", "resume"], by: Literal["partner", "operator"]) -> str:
        async with world.database.write() as tx:
            given: dict[str, Any] = {"partner_id": partner_id, "endpoint_id": endpoint_id, "by": by}
            if action == "pause":
                await service.pause(tx, **given)
            else:
                await service.resume(tx, **given, now=world.clock.now())
        found = await world.endpoint(partner_id, endpoint_id)
        return str(found.pause_reason)

    assert await let("pause", "partner") == "partner"
    assert await let("pause", "operator") == "operator"
    assert await let("pause", "partner") == "operator"
    with pytest.raises(Refusal, match="webhook_paused_by_operator"):
        await let("resume", "partner")
    assert await let("resume", "operator") == "None"
