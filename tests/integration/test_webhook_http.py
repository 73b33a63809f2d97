"""Goal: a partner's software sets up, verifies, rotates, probes, pauses and replays by itself, over
HTTP; nobody else can, and a URL that leads inside is refused with a clear error.

Method: the whole application with tokens of a partner's own, and real loopback receivers; an
operator looks and replays.
"""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest

from backend.app import House
from backend.kit.clock import FixedClock
from backend.webhook import service
from backend.worker import open_dispatch, probe_endpoints
from tests.support.operator import OperatorSoftware
from tests.support.partner import PartnerSoftware
from tests.support.receiver import Receiver
from tests.support.world import World, problem_of

ENDPOINTS = "/v1/webhook-endpoints"
DELIVERIES = "/v1/webhook-deliveries"
TOPICS = ["order.created", "order.activated"]


@pytest.fixture
def clock() -> FixedClock:
    """A clock that starts now: receivers look at their own."""
    return FixedClock(datetime.now(UTC).replace(microsecond=0))


@pytest.fixture
async def world(house: House) -> AsyncIterator[World]:
    world = World(house)
    yield world
    await world.close()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    receiver = await Receiver().start()
    yield receiver
    await receiver.stop()


@pytest.fixture
async def own(world: World) -> PartnerSoftware:
    return await PartnerSoftware.of(await world.found())


async def send_due(world: World) -> int:
    return await open_dispatch(world.house).send_due()


async def create(
    own: PartnerSoftware, receiver: Receiver, **changes: Any
) -> tuple[str, httpx.Response]:
    """Create an endpoint, give the receiver its secret; return the path and the answer."""
    given = {"url": receiver.url, "topics": TOPICS, **changes}
    answer = await own.call("POST", ENDPOINTS, given)
    assert answer.status_code == 201, answer.text
    receiver.secrets.insert(0, answer.json()["verify_with"])
    return f"{ENDPOINTS}/{answer.json()['endpoint_id']}", answer


async def verified(world: World, own: PartnerSoftware, receiver: Receiver, **changes: Any) -> str:
    """Create an endpoint and have it prove itself."""
    path, _ = await create(own, receiver, **changes)
    answer = await own.call("POST", f"{path}/verify")
    assert answer.status_code == 202, answer.text
    await send_due(world)
    assert (await own.call("GET", path)).json()["state"] == "active"
    return path


async def tell(world: World, own: PartnerSoftware, **changes: Any) -> str:
    """Emit a message to the partner and carry it out; return its id."""
    # Ids made in one millisecond are in no order.
    world.clock.advance(timedelta(seconds=1))  # type: ignore[attr-defined] - a fixed clock
    given: dict[str, Any] = {"topic": "order.created", "object_id": uuid4(), "sequence": 1}
    async with world.database.write() as tx:
        found = await service.partner_id_of(tx, code="city-library")
        message_id = await service.emit_message(
            tx, partner_id=found, facts={}, now=world.clock.now(), **{**given, **changes}
        )
    await world.work()
    return str(message_id)


async def delivery_of(own: PartnerSoftware, delivery_id: str) -> dict[str, Any]:
    answer = await own.call("GET", f"{DELIVERIES}/{delivery_id}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


@pytest.mark.parametrize(("scheme", "prefix"), [("hmac", "whsec_"), ("ed25519", "whpk_")])
async def test_an_endpoint_proves_itself_and_is_told(
    world: World, own: PartnerSoftware, receiver: Receiver, scheme: str, prefix: str
) -> None:
    path, created = await create(own, receiver, scheme=scheme)
    assert created.json()["verify_with"].startswith(prefix)
    shown = (await own.call("GET", path)).json()
    assert (shown["state"], shown["verified_at"]) == ("unverified", None)
    assert created.json()["verify_with"] not in str(shown)
    await tell(world, own)
    assert await send_due(world) == 0, "nothing is sent before it is verified"
    started = await own.call("POST", f"{path}/verify")
    await send_due(world)
    log = await delivery_of(own, started.json()["delivery_id"])
    assert (log["delivery"]["state"], log["delivery"]["kind"]) == ("delivered", "ownership")
    assert (await own.call("GET", path)).json()["state"] == "active"
    message_id = await tell(world, own)
    await send_due(world)
    assert [message.id for message in receiver.taken] == [message_id]
    listed = (await own.call("GET", f"{DELIVERIES}?state=delivered&page_size=1")).json()
    assert listed["items"][0]["message_id"] == message_id
    assert listed["next_cursor"]
    rest = await own.call("GET", f"{DELIVERIES}?page_size=1&cursor={listed['next_cursor']}")
    assert [each["kind"] for each in rest.json()["items"]] == ["ownership"]


@pytest.mark.parametrize(
    "url",
    [
        "http://bikes.example.cn/hooks",
        "https://169.254.169.254/latest/meta-data/",
        "https://10.0.0.1/",
        "https://[fd00:ec2::254]/",
        "https://metadata.google.internal/",
        "https://2852039166/",
        "https://user:word@bikes.example.cn/",
        "https://bikes.example.cn:5432/",
        "javascript:alert(1)",
    ],
)
async def test_a_url_that_leads_inside_is_refused(own: PartnerSoftware, url: str) -> None:
    answer = await own.call("POST", ENDPOINTS, {"url": url, "topics": TOPICS})
    problem = problem_of(answer, 422, "webhook_url_refused")
    assert problem["errors"]
    assert (await own.call("GET", ENDPOINTS)).json() == {"items": []}


async def test_a_redirecting_receiver_is_never_verified(
    world: World, own: PartnerSoftware, receiver: Receiver
) -> None:
    inside = await Receiver(behaviour="careless").start()
    receiver.behaviour = f"redirect:{inside.url}"
    path, _ = await create(own, receiver)
    started = await own.call("POST", f"{path}/verify")
    await send_due(world)
    log = await delivery_of(own, started.json()["delivery_id"])
    assert log["delivery"]["state"] == "failed"
    (one,) = log["log"]
    assert (one["status"], one["fault"]) == (302, "redirected")
    assert one["response_head"]["location"] == inside.url
    assert inside.requests == 0
    assert (await own.call("GET", path)).json()["state"] == "unverified"
    problem_of(await own.call("POST", f"{path}/probe"), 409, "webhook_endpoint_unverified")
    problem_of(await own.call("POST", f"{path}/pause"), 409, "webhook_endpoint_unverified")
    problem_of(await own.call("POST", f"{path}/resume"), 409, "webhook_endpoint_unverified")
    await inside.stop()


async def test_a_secret_is_replaced_without_a_gap(
    world: World, own: PartnerSoftware, receiver: Receiver
) -> None:
    receiver.ignore_time = True
    path = await verified(world, own, receiver)
    old = receiver.secrets[0]
    answer = await own.call("POST", f"{path}/secrets", {"overlap_hours": 2})
    new = answer.json()["verify_with"]
    assert new != old
    secrets = (await own.call("GET", path)).json()["secrets"]
    end = (world.clock.now() + timedelta(hours=2)).isoformat().replace("+00:00", "Z")
    assert [each["ends_at"] for each in secrets] == [None, end]
    for known in ([old], [new]):
        receiver.secrets = known
        message_id = await tell(world, own)
        await send_due(world)
        assert receiver.taken[-1].id == message_id
    world.clock.advance(timedelta(hours=2))  # type: ignore[attr-defined] - a fixed clock
    await own.sign_in()
    receiver.secrets = [old]
    await tell(world, own)
    await send_due(world)
    assert receiver.messages[-1].verified is False
    for _ in range(4):
        assert (await own.call("POST", f"{path}/secrets", {})).status_code == 201
    problem_of(await own.call("POST", f"{path}/secrets", {}), 409, "webhook_secrets_too_many")


@pytest.mark.parametrize(
    ("behaviour", "accepted", "state", "fault"),
    [
        ("ok", False, "delivered", None),
        ("careless", True, "failed", "probe_accepted"),
        ("status:500", None, "failed", "receiver_failed"),
    ],
)
async def test_a_receiver_that_takes_what_is_wrongly_signed_is_shown(
    world: World,
    own: PartnerSoftware,
    receiver: Receiver,
    behaviour: str,
    accepted: bool | None,
    state: str,
    fault: str | None,
) -> None:
    path = await verified(world, own, receiver)
    receiver.behaviour = behaviour
    started = await own.call("POST", f"{path}/probe")
    assert started.status_code == 202
    await send_due(world)
    log = await delivery_of(own, started.json()["delivery_id"])
    assert (log["delivery"]["state"], log["log"][0]["fault"]) == (state, fault)
    shown = (await own.call("GET", path)).json()
    assert (shown["probe_accepted"], shown["failing_since"]) == (accepted, None)
    assert shown["probed_at"] is not None
    assert receiver.taken == []


async def test_endpoints_are_probed_every_week_by_themselves(
    world: World, own: PartnerSoftware, receiver: Receiver
) -> None:
    path = await verified(world, own, receiver)
    clock = world.clock
    await probe_endpoints({"house": world.house})
    assert await send_due(world) == 0
    clock.advance(timedelta(days=7))  # type: ignore[attr-defined] - a fixed clock
    await probe_endpoints({"house": world.house})
    await probe_endpoints({"house": world.house})
    assert await send_due(world) == 1
    await own.sign_in()
    assert (await own.call("GET", path)).json()["probe_accepted"] is False


async def test_what_was_missed_is_kept_and_replayed(
    world: World, own: PartnerSoftware, receiver: Receiver
) -> None:
    path = await verified(world, own, receiver)
    paused = (await own.call("POST", f"{path}/pause")).json()
    assert (paused["state"], paused["pause_reason"]) == ("paused", "partner")
    message_id = await tell(world, own)
    assert await send_due(world) == 0
    (waiting,) = (await own.call("GET", f"{DELIVERIES}?state=pending")).json()["items"]
    replay = f"{DELIVERIES}/{waiting['delivery_id']}/replay"
    problem_of(await own.call("POST", replay), 409, "webhook_delivery_open")
    assert (await own.call("POST", f"{path}/resume")).json()["state"] == "active"
    await send_due(world)
    key = {"idempotency-key": "key_" + "r" * 20}
    first = await own.call("POST", replay, headers=key)
    again = await own.call("POST", replay, headers=key)
    assert first.status_code == 202
    assert first.json() == again.json()
    await send_due(world)
    assert [message.id for message in receiver.taken] == [message_id] * 2


async def test_an_operator_looks_and_replays_with_a_reason(
    world: World, own: PartnerSoftware, receiver: Receiver
) -> None:
    await verified(world, own, receiver)
    message_id = await tell(world, own)
    await send_due(world)
    operator = await OperatorSoftware.of(world, "security")
    path = "/v1/operator/webhook-deliveries"
    found = (await operator.call("GET", f"{path}?partner=city-library")).json()["items"]
    assert [each["kind"] for each in found] == ["event", "ownership"]
    problem_of(await operator.call("GET", f"{path}?partner=nobody"), 404, "partner_unknown")
    answer = await operator.call("POST", f"{path}/{found[0]['delivery_id']}/replay")
    assert answer.status_code == 202, answer.text
    await send_due(world)
    assert [message.id for message in receiver.taken] == [message_id] * 2
    assert await world.count("operator_entry", "action = 'webhook_delivery.replayed'") == 1


async def test_somebody_elses_endpoint_is_not_found(
    world: World, own: PartnerSoftware, receiver: Receiver
) -> None:
    path = await verified(world, own, receiver)
    await tell(world, own)
    (delivery,) = (await own.call("GET", f"{DELIVERIES}?page_size=1")).json()["items"]
    other = await PartnerSoftware.of(await world.client_of("bike-rental", "bikes-demo"))
    assert (await other.call("GET", ENDPOINTS)).json() == {"items": []}
    assert (await other.call("GET", DELIVERIES)).json()["items"] == []
    one = f"{DELIVERIES}/{delivery['delivery_id']}"
    for method, asked in [
        *(("GET", path), ("DELETE", path), ("GET", one), ("POST", f"{one}/replay")),
        *(("POST", f"{path}/{verb}") for verb in ("verify", "probe", "pause", "resume")),
    ]:
        problem_of(await other.call(method, asked), 404, "not_found")
    problem_of(await other.call("POST", f"{path}/secrets", {}), 404, "not_found")
    assert (await own.call("GET", path)).json()["state"] == "active"


async def test_an_endpoint_is_deleted_with_what_was_sent_to_it(
    world: World, own: PartnerSoftware, receiver: Receiver
) -> None:
    path = await verified(world, own, receiver)
    assert (await own.call("DELETE", path)).status_code == 204
    problem_of(await own.call("GET", path), 404, "not_found")
    assert (await own.call("GET", DELIVERIES)).json()["items"] == []
    assert await world.count("webhook_try") == 0


async def test_created_twice_is_once_and_the_secret_is_kept_nowhere_else(
    world: World, own: PartnerSoftware, receiver: Receiver
) -> None:
    key = {"idempotency-key": "key_" + "k" * 20}
    body = {"url": receiver.url, "topics": TOPICS}
    first = await own.call("POST", ENDPOINTS, body, headers=key)
    again = await own.call("POST", ENDPOINTS, body, headers=key)
    assert first.json() == again.json()
    assert len((await own.call("GET", ENDPOINTS)).json()["items"]) == 1
    secret = first.json()["verify_with"].removeprefix("whsec_")
    kept = "convert_from(answer, 'UTF8')"
    assert await world.count("idempotency_key", f"position($1 IN {kept}) > 0", secret) == 0
    changed = {**body, "topics": ["order.created"]}
    problem_of(
        await own.call("POST", ENDPOINTS, changed, headers=key), 422, "idempotency_key_reused"
    )


async def test_there_are_ten_endpoints_at_most_however_many_are_asked_for_at_once(
    world: World, own: PartnerSoftware, receiver: Receiver
) -> None:
    for _ in range(9):
        await create(own, receiver)
    body = {"url": receiver.url, "topics": TOPICS}
    answers = await asyncio.gather(*[own.call("POST", ENDPOINTS, body) for _ in range(4)])
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]


async def test_wrong_bodies_and_topics_are_refused(own: PartnerSoftware) -> None:
    fine = {"url": "https://bikes.example.cn/", "topics": TOPICS}
    for wrong in ({**fine, "scheme": "md5"}, {**fine, "more": 1}, {"url": fine["url"]}):
        problem_of(await own.call("POST", ENDPOINTS, wrong), 400, "body_invalid")
    unknown = {**fine, "topics": ["order.stolen"]}
    problem = problem_of(await own.call("POST", ENDPOINTS, unknown), 422, "webhook_topics_invalid")
    assert "order.created" in problem["known"]
    problem_of(await own.call("GET", f"{DELIVERIES}?state=lost"), 400, "parameter_invalid")


async def test_a_token_without_the_scope_is_refused(world: World) -> None:
    library = await world.found()
    own = await PartnerSoftware.of(library, scope="programmes:read")
    problem_of(await own.call("GET", ENDPOINTS), 403, "scope_insufficient")
