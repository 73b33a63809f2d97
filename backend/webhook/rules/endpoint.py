"""An endpoint: where a partner wants to be told, of what, and what signs it."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Final, Literal
from uuid import UUID

import msgspec

from backend.kit.problem import Refusal
from backend.webhook.rules.address import TargetPolicy, url_faults
from backend.webhook.rules.payload import FOLLOWED_TOPICS

ENDPOINTS_MAX: Final = 10
SECRETS_MAX: Final = 5
# How long a replaced secret goes on signing when nothing else is said, and at most.
OVERLAP_HOURS: Final = 24
OVERLAP_HOURS_MAX: Final = 168
# An endpoint that has taken nothing for so long is paused.
PAUSED_AFTER: Final = timedelta(days=1)
PROBED_EVERY: Final = timedelta(days=7)

Scheme = Literal["hmac", "ed25519"]
State = Literal["unverified", "active", "paused"]
# Failing for a day, gone (410) by the receiver's own word, or paused by somebody.
PauseReason = Literal["failing", "gone", "partner", "operator"]


class Secret(msgspec.Struct, frozen=True):
    """What signs: the key of an HMAC, or the private key of Ed25519; sealed where it is kept.

    `ends_at` is None for the newest one.
    """

    secret_id: UUID
    key: bytes
    created_at: datetime
    ends_at: datetime | None


class Endpoint(msgspec.Struct, frozen=True):
    """An endpoint as it is kept; `probe_accepted` is None until the first probe was answered."""

    endpoint_id: UUID
    partner_id: UUID
    url: str
    topics: list[str]
    scheme: Scheme
    secrets_sealed: bytes
    state: State
    pause_reason: PauseReason | None
    failing_since: datetime | None
    probed_at: datetime | None
    probe_accepted: bool | None
    created_at: datetime
    verified_at: datetime | None


def check_endpoint(*, url: str, topics: Collection[str], policy: TargetPolicy) -> None:
    """Refuse what can't be an endpoint: Refusal webhook_url_refused or webhook_topics_invalid."""
    faults = url_faults(url, policy)
    if faults:
        raise Refusal("webhook_url_refused", errors=[{"message": each} for each in faults])
    unknown = sorted(set(topics) - set(FOLLOWED_TOPICS))
    if unknown or not topics or len(set(topics)) < len(topics):
        raise Refusal("webhook_topics_invalid", known=list(FOLLOWED_TOPICS))


def live_secrets(secrets: Sequence[Secret], now: datetime) -> list[Secret]:
    """Return the secrets that sign now, newest first."""
    live = [each for each in secrets if each.ends_at is None or each.ends_at > now]
    assert live, "the newest secret has no end"
    return live


def rotated(
    secrets: Sequence[Secret], new: Secret, *, overlap: timedelta, now: datetime
) -> list[Secret]:
    """Return the secrets after a rotation: the new one, and the others until they end.

    None of the others outlives `overlap`. Raises Refusal webhook_secrets_too_many.
    """
    assert new.ends_at is None
    assert timedelta(0) <= overlap <= timedelta(hours=OVERLAP_HOURS_MAX)
    end = now + overlap
    old = [
        msgspec.structs.replace(each, ends_at=min(end, each.ends_at or end))
        for each in live_secrets(secrets, now)
    ]
    left = [each for each in old if each.ends_at is not None and each.ends_at > now]
    if len(left) >= SECRETS_MAX:
        raise Refusal("webhook_secrets_too_many", limit=SECRETS_MAX)
    return [new, *left]
