"""What a consent may cover, and how it begins and ends (pure).

One consent = one recipient × one purpose × one programme, within the caps of the purpose. Its
states: given → withdrawn (by the citizen) | expired (by time) | ended (replaced, or left).
"""

import hashlib
import tomllib
from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any, Literal, TypeVar
from uuid import UUID

import msgspec
from msgspec import Meta

from backend.kit.problem import Refusal
from backend.partner.rules import PARTNER_KINDS, Client

# What each type of authorization detail (RFC 9396) discloses at most.
KINDS_OF_TYPE = {
    "eligibility": frozenset({"eligibility"}),
    "service_order": frozenset({"eligibility", "order"}),
}
ORDER_TYPE = "service_order"
ORDER_KIND = "order"
DAYS_MAX = 730
PER_DAY_MAX = 1000
COOLDOWN_DAYS_MAX = 365


class DataKind(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One kind of data that can be disclosed, in words for the citizen."""

    code: str
    name_zh: str
    name_en: str


class Purpose(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a consent can be for, with its caps; see data/purposes.toml for each field."""

    code: str
    name_zh: str
    name_en: str
    text_zh: str
    text_en: str
    data_kinds: list[str]
    recipient_kinds: list[str]
    days_max: int
    per_day_max: int
    cooldown_days: int


Entry = TypeVar("Entry", DataKind, Purpose)


class PurposeTable(msgspec.Struct, frozen=True):
    """Every purpose and data kind by its code."""

    purposes: Mapping[str, Purpose]
    data_kinds: Mapping[str, DataKind]


class PurposeFaults(ValueError):
    """The cap table can't be used; `faults` says why, one sentence each."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults = faults


def parse_purposes(toml: str) -> PurposeTable:
    """Read the cap table; raises PurposeFaults with every fault at once."""
    try:
        document = tomllib.loads(toml)
    except tomllib.TOMLDecodeError as error:
        raise PurposeFaults([f"not TOML: {error}"]) from None
    faults = [
        f"unknown table {name!r}" for name in sorted(document.keys() - {"purpose", "data_kind"})
    ]
    kinds = _entries(document, "data_kind", DataKind, faults)
    purposes = _entries(document, "purpose", Purpose, faults)
    for purpose in purposes.values():
        faults += [f"purpose {purpose.code}: {fault}" for fault in _purpose_faults(purpose, kinds)]
    if not purposes:
        faults.append("there is no purpose")
    if faults:
        raise PurposeFaults(faults)
    return PurposeTable(purposes, kinds)


def _entries(
    document: dict[str, Any], table: str, kind: type[Entry], faults: list[str]
) -> dict[str, Entry]:
    """Convert the rows of one table; what is wrong with them is added to `faults`."""
    rows = document.get(table, [])
    if not isinstance(rows, list):
        faults.append(f"{table} is not an array of tables")
        return {}
    entries: dict[str, Entry] = {}
    for place, row in enumerate(rows, start=1):
        try:
            entry = msgspec.convert(row, kind)
        except msgspec.ValidationError as error:
            faults.append(f"{table} {place}: {error}")
            continue
        if entry.code in entries:
            faults.append(f"{table} {entry.code} is given twice")
        empty = [name for name, value in msgspec.structs.asdict(entry).items() if value in ("", [])]
        faults += [f"{table} {entry.code or place}: {name} is empty" for name in empty]
        entries[entry.code] = entry
    return entries


def _purpose_faults(purpose: Purpose, data_kinds: Mapping[str, DataKind]) -> list[str]:
    faults = [
        f"data kind {code!r} is not explained"
        for code in purpose.data_kinds
        if code not in data_kinds
    ]
    faults += [
        f"recipient kind {kind!r} is none of {', '.join(PARTNER_KINDS)}"
        for kind in purpose.recipient_kinds
        if kind not in PARTNER_KINDS
    ]
    for name, value, most in (
        ("days_max", purpose.days_max, DAYS_MAX),
        ("per_day_max", purpose.per_day_max, PER_DAY_MAX),
        ("cooldown_days", purpose.cooldown_days, COOLDOWN_DAYS_MAX),
    ):
        if not 1 <= value <= most:
            faults.append(f"{name} is not from 1 to {most}")
    return faults


class Terms(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What exactly is consented to: the partner's request, completed by the purpose's caps.

    `type`, `programme`, `purpose` and, of service orders, `confirm` and `amount_max_fen` are the
    authorization detail (RFC 9396) as the partner sent it; the rest is written out so that a later
    change of the caps doesn't change a consent already given.
    """

    type: str
    programme: str
    purpose: str
    data_kinds: list[str]
    days: int
    per_day: int
    confirm: Literal["citizen", "consent"] | None = None
    amount_max_fen: int | None = None

    @property
    def is_for_orders(self) -> bool:
        """Whether service orders may be opened, and not only eligibility be checked."""
        return self.type == ORDER_TYPE


class _Detail(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    type: str
    programme: str
    purpose: str
    data_kinds: list[str] | None = None
    days: int | None = None
    per_day: int | None = None
    confirm: Literal["citizen", "consent"] | None = None
    amount_max_fen: Annotated[int, Meta(ge=1)] | None = None


def decide_terms(
    detail: Mapping[str, Any], *, recipient: Client, purposes: Mapping[str, Purpose]
) -> Terms:
    """Complete a request into terms within the caps of its purpose.

    A request may ask for less than the caps, never for more. Raises Refusal consent_beyond_cap
    naming the attribute that goes too far or isn't known.
    """
    try:
        asked = msgspec.convert(detail, _Detail)
    except msgspec.ValidationError:
        raise Refusal("consent_beyond_cap", attribute="authorization_details") from None
    if asked.type not in KINDS_OF_TYPE:
        raise Refusal("consent_beyond_cap", attribute="type")
    if (asked.confirm is not None) != (asked.type == ORDER_TYPE):
        raise Refusal("consent_beyond_cap", attribute="confirm")
    if asked.amount_max_fen is not None and asked.type != ORDER_TYPE:
        raise Refusal("consent_beyond_cap", attribute="amount_max_fen")
    purpose = purposes.get(asked.purpose)
    if purpose is None:
        raise Refusal("consent_beyond_cap", attribute="purpose")
    if recipient.is_suspended or recipient.partner_kind not in purpose.recipient_kinds:
        raise Refusal("consent_beyond_cap", attribute="recipient")
    kinds = sorted(KINDS_OF_TYPE[asked.type].intersection(purpose.data_kinds))
    if asked.type == ORDER_TYPE and ORDER_KIND not in kinds:
        raise Refusal("consent_beyond_cap", attribute="type")
    terms = Terms(
        type=asked.type,
        programme=asked.programme,
        purpose=asked.purpose,
        data_kinds=kinds if asked.data_kinds is None else sorted(asked.data_kinds),
        days=purpose.days_max if asked.days is None else asked.days,
        per_day=purpose.per_day_max if asked.per_day is None else asked.per_day,
        confirm=asked.confirm,
        amount_max_fen=asked.amount_max_fen,
    )
    if not terms.data_kinds or not set(terms.data_kinds) <= set(kinds):
        raise Refusal("consent_beyond_cap", attribute="data_kinds")
    if not 1 <= terms.days <= purpose.days_max:
        raise Refusal("consent_beyond_cap", attribute="days")
    if not 1 <= terms.per_day <= purpose.per_day_max:
        raise Refusal("consent_beyond_cap", attribute="per_day")
    return terms


def detail_hash(detail: Mapping[str, Any]) -> bytes:
    """Return the SHA-256 of the canonical JSON of terms: sorted keys, no blanks, UTF-8.

    The values are strings, integers and lists of them, for which this is RFC 8785 (JCS).
    """
    return hashlib.sha256(msgspec.json.encode(detail, order="sorted")).digest()


class EndReason(StrEnum):
    """Why a consent ended."""

    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"
    REPLACED = "replaced"
    LEFT = "left"


class State(StrEnum):
    """Where a consent stands at a moment."""

    GIVEN = "given"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"
    ENDED = "ended"


class Consent(msgspec.Struct, frozen=True):
    """A consent as stored; `detail` holds its Terms."""

    subject_id: UUID
    consent_id: UUID
    partner_id: UUID
    client_id: str
    purpose: str
    programme_code: str
    detail: dict[str, Any]
    detail_hash: bytes
    given_at: datetime
    expires_at: datetime
    ended_at: datetime | None
    end_reason: str | None

    @property
    def terms(self) -> Terms:
        """The terms, as they stood on the consent page."""
        return msgspec.convert(self.detail, Terms)


def open_consent(
    terms: Terms, *, subject_id: UUID, consent_id: UUID, recipient: Client, now: datetime
) -> Consent:
    """Return the consent that begins at `now` on these terms."""
    detail = msgspec.to_builtins(terms)
    return Consent(
        subject_id=subject_id,
        consent_id=consent_id,
        partner_id=recipient.partner_id,
        client_id=recipient.client_id,
        purpose=terms.purpose,
        programme_code=terms.programme,
        detail=detail,
        detail_hash=detail_hash(detail),
        given_at=now,
        expires_at=now + timedelta(days=terms.days),
        ended_at=None,
        end_reason=None,
    )


def state_of(
    *, expires_at: datetime, ended_at: datetime | None, end_reason: str | None, now: datetime
) -> State:
    """Tell where a consent stands; one that nobody ended still expires at its time."""
    assert (ended_at is None) == (end_reason is None), "what has ended has a reason"
    if ended_at is None:
        return State.EXPIRED if now >= expires_at else State.GIVEN
    if end_reason == EndReason.EXPIRED:
        return State.EXPIRED
    return State.WITHDRAWN if end_reason == EndReason.WITHDRAWN else State.ENDED


def close_consent(consent: Consent, *, reason: EndReason, now: datetime) -> Consent:
    """End a consent that nobody has ended: for `reason` now, or by its expiry if that came first.

    Whoever ends an expired consent only notes what time had done.
    """
    assert consent.ended_at is None, "a consent ends once"
    if now >= consent.expires_at:
        return msgspec.structs.replace(
            consent, ended_at=consent.expires_at, end_reason=EndReason.EXPIRED.value
        )
    return msgspec.structs.replace(consent, ended_at=now, end_reason=reason.value)


def told_reason(ended: Consent) -> str:
    """Return why a consent ended, as its recipient is told.

    Whoever leaves withdraws what they agreed to; that they left is nobody's business.
    """
    assert ended.end_reason is not None, "what has ended has a reason"
    return EndReason.WITHDRAWN.value if ended.end_reason == EndReason.LEFT else ended.end_reason


class ConsentRefusal(msgspec.Struct, frozen=True):
    """A citizen said no to a partner's purpose: the partner may not ask again for a while."""

    subject_id: UUID
    partner_id: UUID
    purpose: str
    refused_at: datetime
    cooldown_until: datetime


def open_refusal(
    purpose: Purpose, *, subject_id: UUID, partner_id: UUID, now: datetime
) -> ConsentRefusal:
    """Return the refusal made at `now`, with the end of its cool-down."""
    return ConsentRefusal(
        subject_id=subject_id,
        partner_id=partner_id,
        purpose=purpose.code,
        refused_at=now,
        cooldown_until=now + timedelta(days=purpose.cooldown_days),
    )


class ConsentListed(msgspec.Struct, frozen=True):
    """A consent with the names of its recipient, as the citizen's list shows it."""

    consent_id: UUID
    partner_code: str
    partner_name_zh: str
    partner_name_en: str
    client_name_zh: str
    client_name_en: str
    purpose: str
    programme_code: str
    detail: dict[str, Any]
    given_at: datetime
    expires_at: datetime
    ended_at: datetime | None
    end_reason: str | None
