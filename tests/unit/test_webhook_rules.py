"""Goal: what is sent is signed by the standard, says nothing about a person, and what comes back
means one thing.

Method: `standardwebhooks` and `cryptography` verify what the rules sign; each kind of answer is
judged; secrets are rotated through random lives.
"""

import base64
import json
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from uuid import uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from backend.kit.problem import Refusal
from backend.webhook.rules.delivery import Answer, Claimed, Kind, head_kept, judge
from backend.webhook.rules.endpoint import SECRETS_MAX, Secret, live_secrets, rotated
from backend.webhook.rules.payload import FOLLOWED_TOPICS, OBJECTS, body_of, facts_of
from backend.webhook.rules.schedule import LONGEST_TOGETHER, TRIES_MAX, longest_wait, next_try
from backend.webhook.rules.signature import shown_secret, signature_of

NOW = datetime(2026, 11, 20, 2, 0, tzinfo=UTC)
ORIGIN = "https://credit.example.cn"
KEYS = [bytes([n]) * 32 for n in range(1, 4)]


def _headers(signature: str, message_id: object, now: datetime) -> dict[str, str]:
    return {
        "webhook-id": str(message_id),
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": signature,
    }


@given(body=st.text(max_size=200).map(str.encode), count=st.integers(1, 3))
def test_every_live_secret_verifies_with_the_standards_own_library(body: bytes, count: int) -> None:
    now, message_id = datetime.now(UTC), uuid4()
    signature = signature_of("hmac", KEYS[:count], message_id=message_id, body=body, now=now)
    headers = _headers(signature, message_id, now)
    for number, key in enumerate(KEYS):
        hook = Webhook(shown_secret("hmac", key))
        if number < count:
            hook.verify(body, headers, json_parse=False)
        else:
            with pytest.raises(WebhookVerificationError):
                hook.verify(body, headers, json_parse=False)


def test_ed25519_signs_the_same_text_and_verifies_with_the_public_key() -> None:
    message_id, body = uuid4(), b'{"a":1}'
    signature = signature_of("ed25519", KEYS[:2], message_id=message_id, body=body, now=NOW)
    signed = f"{message_id}.{int(NOW.timestamp())}.".encode() + body
    for part, key in zip(signature.split(" "), KEYS[:2], strict=True):
        version, _, text = part.partition(",")
        shown = shown_secret("ed25519", key)
        assert (version, shown[:5]) == ("v1a", "whpk_")
        public = Ed25519PublicKey.from_public_bytes(base64.b64decode(shown[5:]))
        public.verify(base64.b64decode(text), signed)


@pytest.mark.parametrize("topic", OBJECTS)
def test_a_body_holds_ids_and_links_only(topic: str) -> None:
    facts = facts_of({"order_id": uuid4(), "programme": "rental", "reason": "expired"})
    object_id = uuid4()
    body = json.loads(
        body_of(topic=topic, object_id=object_id, sequence=3, facts=facts, origin=ORIGIN, now=NOW)
    )
    assert body.keys() == {"type", "timestamp", "data"}
    assert body["timestamp"] == "2026-11-20T02:00:00Z"
    assert body["data"]["object"] == OBJECTS[topic]
    assert (body["data"]["id"], body["data"]["revision"]) == (str(object_id), 3)
    assert body["data"].get("url", ORIGIN).startswith(ORIGIN)
    assert ("url" in body["data"]) == (OBJECTS[topic] != "consent")


@pytest.mark.parametrize(
    "facts", [{"name": "x"}, {"reason": "林晓"}, {"reason": "two words"}, {"reason": "x" * 101}]
)
def test_what_could_be_somebodys_name_is_no_fact(facts: dict[str, str]) -> None:
    with pytest.raises(AssertionError):
        facts_of(facts)


def test_probes_and_challenges_are_followed_by_nobody() -> None:
    assert set(OBJECTS) - set(FOLLOWED_TOPICS) == {"endpoint.probe", "endpoint.challenge"}


def test_fifteen_tries_take_a_day_on_average_and_two_at_most() -> None:
    longest = [longest_wait(number) for number in range(1, TRIES_MAX)]
    # timedelta counts whole microseconds.
    assert all(
        abs(later - earlier * 2) < timedelta(milliseconds=1) for earlier, later in pairwise(longest)
    )
    assert abs(sum(longest, timedelta()) - LONGEST_TOGETHER) < timedelta(seconds=1)
    assert timedelta(seconds=5) < longest[0] < timedelta(seconds=15)


@given(st.integers(1, TRIES_MAX + 3), st.floats(0, 1, exclude_max=True))
def test_a_wait_is_a_random_part_of_the_longest(tries: int, random: float) -> None:
    wait = next_try(tries, random)
    if tries >= TRIES_MAX:
        assert wait is None
    else:
        assert wait is not None
        assert timedelta(0) <= wait <= longest_wait(tries)


def _claimed(kind: Kind = "event", tries: int = 1, body: bytes = b"{}") -> Claimed:
    return Claimed(
        delivery_id=uuid4(),
        endpoint_id=uuid4(),
        partner_id=uuid4(),
        message_id=uuid4(),
        body=body,
        kind=kind,
        tries=tries,
        url="https://bikes.example.cn/",
        scheme="hmac",
        secrets_sealed=b"",
        is_failing=False,
    )


def _answer(status: int | None, fault: str | None = None, content: bytes = b"") -> Answer:
    return Answer(status=status, head={}, content=content, fault=fault)


@pytest.mark.parametrize(
    ("status", "state", "fault"),
    [
        (200, "delivered", None),
        (204, "delivered", None),
        (301, "pending", "redirected"),
        (307, "pending", "redirected"),
        (404, "pending", "refused"),
        (410, "failed", "gone"),
        (429, "pending", "refused"),
        (500, "pending", "receiver_failed"),
        (503, "pending", "receiver_failed"),
        (199, "pending", "answer_unreadable"),
        (None, "pending", "timed_out"),
    ],
)
def test_an_answer_means_one_thing(status: int | None, state: str, fault: str | None) -> None:
    verdict = judge(_claimed(), _answer(status, "timed_out"), random=0.5)
    assert (verdict.state, verdict.fault) == (state, fault)
    assert verdict.is_up is (fault is None)
    assert (verdict.wait is not None) == (state == "pending")
    assert verdict.pause == ("gone" if status == 410 else None)


def test_the_last_try_ends_it() -> None:
    verdict = judge(_claimed(tries=TRIES_MAX), _answer(500), random=0.5)
    assert (verdict.state, verdict.wait) == ("failed", None)


@pytest.mark.parametrize(
    ("status", "state", "fault", "accepted"),
    [
        (400, "delivered", None, False),
        (401, "delivered", None, False),
        (200, "failed", "probe_accepted", True),
        (204, "failed", "probe_accepted", True),
        (302, "failed", "redirected", None),
        (500, "failed", "receiver_failed", None),
        (None, "failed", "timed_out", None),
    ],
)
def test_a_probe_must_be_refused(
    status: int | None, state: str, fault: str | None, accepted: bool | None
) -> None:
    verdict = judge(_claimed("probe"), _answer(status, "timed_out"), random=0.5)
    assert (verdict.state, verdict.fault, verdict.probe_accepted) == (state, fault, accepted)
    assert (verdict.wait, verdict.is_up) == (None, None)


@pytest.mark.parametrize(
    ("status", "content", "fault"),
    [
        (200, b'{"challenge":"abc"}', None),
        (201, b'{"challenge":"abc","more":1}', None),
        (200, b'{"challenge":"abd"}', "challenge_missing"),
        (200, b'{"data":{"facts":{"challenge":"abc"}}}', "challenge_missing"),
        (200, b'"abc"', "challenge_missing"),
        (200, b"abc", "challenge_missing"),
        (200, b"\xff", "challenge_missing"),
        (200, b"[" * 16_000, "challenge_missing"),
        (200, b"", "challenge_missing"),
        (400, b'{"challenge":"abc"}', "refused"),
    ],
)
def test_an_endpoint_is_verified_by_its_own_answer(
    status: int, content: bytes, fault: str | None
) -> None:
    body = body_of(
        topic="endpoint.challenge",
        object_id=uuid4(),
        sequence=1,
        facts={"challenge": "abc"},
        origin=ORIGIN,
        now=NOW,
    )
    verdict = judge(_claimed("ownership", body=body), _answer(status, content=content), random=0.5)
    assert verdict.fault == fault
    assert verdict.is_verified == (fault is None)
    assert verdict.state == ("delivered" if fault is None else "failed")
    assert verdict.pause is None


def test_of_a_head_only_what_explains_is_kept_and_cut_short() -> None:
    head = {
        b"Content-Type": b"text/plain",
        b"Set-Cookie": b"session=1",
        b"Server": b"x" * 500,
        b"Location": b"\xff\x00",
    }
    assert head_kept(head) == {
        "content-type": "text/plain",
        "server": "x" * 200,
        "location": "ÿ",
    }


def _secret(now: datetime, ends_at: datetime | None = None) -> Secret:
    return Secret(uuid4(), b"k" * 32, now, ends_at)


@given(st.lists(st.tuples(st.integers(0, 200), st.integers(0, 168)), max_size=20))
def test_the_newest_secret_always_signs_and_no_other_outlives_its_overlap(
    life: list[tuple[int, int]],
) -> None:
    now = NOW
    secrets = [_secret(now)]
    for hours, overlap in life:
        now += timedelta(hours=hours)
        before, new = live_secrets(secrets, now), _secret(now)
        try:
            secrets = rotated(secrets, new, overlap=timedelta(hours=overlap), now=now)
        except Refusal:
            assert len(before) >= SECRETS_MAX
            continue
        assert secrets[0] is new
        assert len(secrets) <= SECRETS_MAX
        ends = {each.secret_id: each.ends_at for each in secrets}
        for each in before:
            end = ends.get(each.secret_id, now)
            assert end is not None
            assert end <= now + timedelta(hours=overlap)
            if each.ends_at is not None:
                assert end <= each.ends_at or end == now
