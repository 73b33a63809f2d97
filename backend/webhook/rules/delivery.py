"""A delivery: one message to one endpoint, tried until it is taken or given up."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final, Literal
from uuid import UUID

import msgspec

from backend.webhook.rules.endpoint import PauseReason, Scheme
from backend.webhook.rules.schedule import next_try

# More of an answer is cut off; nothing but its status counts.
ANSWER_BYTES_MAX: Final = 16_384
ANSWER_SECONDS_MAX: Final = 10.0
# Whoever takes a delivery has it for so long; a worker that dies leaves it to the others then.
# Longer than an answer can take, so that nobody sends what somebody else is sending.
LEASE: Final = timedelta(seconds=45)
# One that was taken so long ago isn't begun any more: the lease could end while it is on its way.
BEGUN_WITHIN: Final = timedelta(seconds=20)
KEPT_FOR: Final = timedelta(days=30)

_HEAD_KEPT = frozenset(
    {"content-length", "content-type", "date", "location", "retry-after", "server", "x-request-id"}
)
_HEAD_LENGTH_MAX = 200

# `event` as it happened, `replay` of one by hand, `probe` with a wrong signature, `ownership` with
# a challenge to be echoed. The last two are tried once.
Kind = Literal["event", "replay", "probe", "ownership"]
# `failed`: tried as often as it is tried; `abandoned`: not tried any more, for the endpoint rested
# too long. A probe is delivered when it was refused: that is what it asks for.
State = Literal["pending", "delivered", "failed", "abandoned"]


class Delivery(msgspec.Struct, frozen=True):
    """A delivery as its partner sees it."""

    delivery_id: UUID
    endpoint_id: UUID
    partner_id: UUID
    message_id: UUID
    topic: str
    object_id: UUID
    sequence: int
    kind: Kind
    state: State
    tries: int
    due_at: datetime
    created_at: datetime
    ended_at: datetime | None


class Try(msgspec.Struct, frozen=True):
    """One try: the heads of what was sent and answered, signatures left out."""

    number: int
    at: datetime
    duration_ms: int
    request_head: dict[str, Any]
    status: int | None
    response_head: dict[str, Any] | None
    fault: str | None


class Claimed(msgspec.Struct, frozen=True):
    """A delivery that was taken to be sent, with all it takes; `tries` counts this one."""

    delivery_id: UUID
    endpoint_id: UUID
    partner_id: UUID
    message_id: UUID
    body: bytes
    kind: Kind
    tries: int
    url: str
    scheme: Scheme
    secrets_sealed: bytes
    is_failing: bool


class Answer(msgspec.Struct, frozen=True):
    """What came of a request: a status and the beginning of a body, or why there is none."""

    status: int | None
    head: dict[str, str]
    content: bytes
    fault: str | None


class Verdict(msgspec.Struct, frozen=True):
    """What an answer means for the delivery and its endpoint.

    `wait` is None unless it is tried again. `is_up` says whether the endpoint takes what it should;
    None when the answer says nothing about that.
    """

    state: State
    fault: str | None
    wait: timedelta | None
    is_up: bool | None = None
    is_verified: bool = False
    probe_accepted: bool | None = None
    pause: PauseReason | None = None


def judge(claimed: Claimed, answer: Answer, *, random: float) -> Verdict:
    """Decide what an answer means; `random` in [0, 1) spreads the next try."""
    if claimed.kind == "probe":
        return _judge_probe(answer)
    if claimed.kind == "ownership":
        fault = _fault_of(answer) or _challenge_fault(claimed.body, answer)
        if fault is not None:
            return Verdict("failed", fault, None)
        return Verdict("delivered", None, None, is_up=True, is_verified=True)
    fault = _fault_of(answer)
    if fault is None:
        return Verdict("delivered", None, None, is_up=True)
    if fault == "gone":
        return Verdict("failed", fault, None, is_up=False, pause="gone")
    wait = next_try(claimed.tries, random)
    return Verdict("failed" if wait is None else "pending", fault, wait, is_up=False)


def _judge_probe(answer: Answer) -> Verdict:
    """A wrongly signed message must be refused (4xx); a receiver that takes it takes anybody's."""
    if answer.status is not None and 200 <= answer.status < 300:
        return Verdict("failed", "probe_accepted", None, probe_accepted=True)
    if answer.status is not None and 400 <= answer.status < 500:
        return Verdict("delivered", None, None, probe_accepted=False)
    return Verdict("failed", _fault_of(answer), None)


def _fault_of(answer: Answer) -> str | None:
    """Return why an answer doesn't count as taken; None when it does."""
    if answer.status is None:
        assert answer.fault is not None, "no answer has a reason"
        return answer.fault
    if 200 <= answer.status < 300:
        return None
    if answer.status == 410:
        return "gone"
    return {3: "redirected", 4: "refused", 5: "receiver_failed"}.get(
        answer.status // 100, "answer_unreadable"
    )


def _challenge_fault(body: bytes, answer: Answer) -> str | None:
    """The answer is `{"challenge": …}` with what was sent; something that mirrors isn't enough."""
    sent = msgspec.json.decode(body)["data"]["facts"]["challenge"]
    try:
        echoed = msgspec.json.decode(answer.content)
    except (msgspec.DecodeError, RecursionError):
        return "challenge_missing"
    if isinstance(echoed, dict) and echoed.get("challenge") == sent:
        return None
    return "challenge_missing"


def head_kept(headers: Iterable[tuple[bytes, bytes]] | Mapping[bytes, bytes]) -> dict[str, str]:
    """Return what is kept of an answer's head: what explains it, cut short; never a cookie."""
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    kept = {}
    for name, value in pairs:
        text = name.decode("ascii", "replace").lower()
        if text in _HEAD_KEPT:
            # A NUL, which a jsonb can't hold, is no character of a head (RFC 9110 section 5.5).
            shown = value.decode("latin-1").replace("\0", "")
            kept[text] = shown[:_HEAD_LENGTH_MAX]
    return kept
