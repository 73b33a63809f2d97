"""What a programme may cost: limits, balances, and what changes them.

An amount is reserved before it is promised, settled when it is spent, released when it isn't. It
counts in four buckets (the programme, the partner, the city's day and month it was reserved on) and
with the citizen. Money is an integer of fen; nothing here reads a clock.
"""

import re
from datetime import date, datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

import msgspec

from backend.kit.problem import Refusal
from backend.programme.rules.document import LIMIT_FEN_MAX, USES_MAX, Budget, Limit, Span

# What is kept with a change: a reason as operators give it, and a login or a name with its prefix.
REASON_MAX: Final = 200
BY_WHOM_MAX: Final = 240
_MONTH = re.compile(r"[0-9]{4}-(?:0[1-9]|1[0-2])", re.ASCII)

# What shared balances are kept of, in the order they are locked in: the programme's first, so that
# whoever has it has the others to themselves.
SHARED: Final[tuple[Span, ...]] = ("programme", "partner", "day", "month")


class State(StrEnum):
    """What became of a reservation."""

    RESERVED = "reserved"
    SETTLED = "settled"
    RELEASED = "released"
    EXPIRED = "expired"


class Kind(StrEnum):
    """Why a balance changed."""

    LIMIT = "limit"
    REFILL = "refill"
    RESERVE = "reserve"
    LOWER = "lower"
    SETTLE = "settle"
    RELEASE = "release"
    EXPIRE = "expire"


class Bucket(msgspec.Struct, frozen=True):
    """What is counted together: `name` is '', a partner's id, a day or a month."""

    span: Span
    name: str


class Balance(msgspec.Struct, frozen=True):
    """A bucket as it stands; `revision` rises by one with every change."""

    programme_code: str
    span: Span
    bucket: str
    limit_fen: int | None
    limit_uses: int | None
    reserved_fen: int
    settled_fen: int
    uses: int
    revision: int

    @property
    def committed_fen(self) -> int:
        """What can't be promised to anybody else: reserved or spent."""
        return self.reserved_fen + self.settled_fen

    def allows(self, amount_fen: int) -> bool:
        """Whether one more use of an amount fits."""
        assert amount_fen >= 0, "nobody reserves less than nothing"
        fits = self.limit_fen is None or self.committed_fen + amount_fen <= self.limit_fen
        return fits and (self.limit_uses is None or self.uses < self.limit_uses)

    def bears(self, limit: Limit) -> bool:
        """Whether a limit leaves what is reserved and spent already where it is."""
        fits = limit.amount_fen is None or self.committed_fen <= limit.amount_fen
        return fits and (limit.uses is None or self.uses <= limit.uses)


class Reservation(msgspec.Struct, frozen=True):
    """An amount set aside for one citizen at one partner.

    `day` is the city's day it was made on: it says in which buckets it counts, for ever.
    """

    subject_id: UUID
    reservation_id: UUID
    programme_code: str
    partner_id: UUID
    day: date
    amount_fen: int
    settled_fen: int | None
    state: str
    created_at: datetime
    expires_at: datetime | None
    closed_at: datetime | None

    @property
    def buckets(self) -> list[Bucket]:
        """The buckets it counts in, in the order they are locked in."""
        return buckets_of(self.partner_id, self.day)

    def is_due(self, now: datetime) -> bool:
        """Whether its time is over, though nobody has noted it yet."""
        if self.state != State.RESERVED or self.expires_at is None:
            return False
        return self.expires_at <= now


class Change(msgspec.Struct, frozen=True):
    """What a step does to each of a reservation's buckets, and to the citizen's balance."""

    kind: Kind
    reserved_fen: int
    settled_fen: int
    uses: int


class Entry(msgspec.Struct, frozen=True):
    """Why a balance changed: by how much, what it was afterwards, and the limits it had then."""

    programme_code: str
    span: Span
    bucket: str
    revision: int
    kind: str
    reserved_change_fen: int
    settled_change_fen: int
    uses_change: int
    limit_fen: int | None
    limit_uses: int | None
    reserved_fen: int
    settled_fen: int
    uses: int
    reservation_id: UUID | None
    by_whom: str
    reason: str
    at: datetime


class Cause(msgspec.Struct, frozen=True):
    """Who changes a balance, why and when; both are kept for good, and name no citizen."""

    by_whom: str
    reason: str
    at: datetime

    def __post_init__(self) -> None:
        """Look at the words: they are the program's or were looked at when they came in."""
        assert 1 <= len(self.by_whom) <= BY_WHOM_MAX, "somebody does it"
        assert 1 <= len(self.reason) <= REASON_MAX, "there is a reason"


def buckets_of(partner_id: UUID, day: date) -> list[Bucket]:
    """Return the buckets of a reservation, in the order they are locked in."""
    names = ("", str(partner_id), day.isoformat(), f"{day:%Y-%m}")
    return [Bucket(span, name) for span, name in zip(SHARED, names, strict=True)]


def parse_bucket(span: str, name: str) -> Bucket:
    """Return the bucket that an operator names; raises Refusal budget_bucket_invalid."""
    try:
        if span == "programme" and name == "":
            return Bucket("programme", name)
        if span == "partner":
            return Bucket("partner", str(UUID(name)))
        if span == "day" and date.fromisoformat(name).isoformat() == name:
            return Bucket("day", name)
        if span == "month" and _MONTH.fullmatch(name) and not name.startswith("0000"):
            return Bucket("month", name)
    except ValueError:
        pass
    raise Refusal("budget_bucket_invalid")


def is_over(bucket: Bucket, day: date) -> bool:
    """Whether nothing is reserved in a bucket any more, for its day or month is past."""
    if bucket.span == "day":
        return bucket.name < day.isoformat()
    return bucket.span == "month" and bucket.name < f"{day:%Y-%m}"


def limit_of(budget: Budget | None, span: Span) -> Limit:
    """Return the limit of one bucket of a kind; a programme without a budget has none."""
    return Limit() if budget is None else budget.limit_of(span)


def find_spent(balances: list[Balance], amount_fen: int) -> Span | None:
    """Return what has no room for one more use of an amount, or None when everything has."""
    for balance in balances:
        if not balance.allows(amount_fen):
            return balance.span
    return None


def refilled(balance: Balance, *, amount_fen: int, uses: int) -> Limit:
    """Return the limit of a bucket that gets more; raises Refusal budget_refill_impossible."""
    if amount_fen < 0 or uses < 0 or amount_fen + uses == 0:
        raise Refusal("budget_refill_impossible", fault="nothing is added")
    if (amount_fen and balance.limit_fen is None) or (uses and balance.limit_uses is None):
        raise Refusal("budget_refill_impossible", fault="there is no limit to raise")
    amount = None if balance.limit_fen is None else balance.limit_fen + amount_fen
    count = None if balance.limit_uses is None else balance.limit_uses + uses
    if (amount or 0) > LIMIT_FEN_MAX or (count or 0) > USES_MAX:
        raise Refusal("budget_refill_impossible", fault="the limit would be too high")
    return Limit(amount_fen=amount, uses=count)


def reserving(amount_fen: int) -> Change:
    """Return what a reservation does to its buckets."""
    assert 0 <= amount_fen <= LIMIT_FEN_MAX, "an amount is looked at before it is reserved"
    return Change(Kind.RESERVE, amount_fen, 0, 1)


def lowering(reservation: Reservation, amount_fen: int, *, now: datetime) -> Change | None:
    """Return what lowering does, or None when it is as low already.

    Raises Refusal budget_reservation_closed, budget_amount_above_reserved.
    """
    _check_open(reservation, now)
    _check_amount(reservation, amount_fen)
    if amount_fen == reservation.amount_fen:
        return None
    return Change(Kind.LOWER, amount_fen - reservation.amount_fen, 0, 0)


def settling(reservation: Reservation, settled_fen: int, *, now: datetime) -> Change | None:
    """Return what settling does, or None when it was settled with the same amount.

    A use is a use, whatever it cost. Raises Refusal budget_reservation_closed (also for another
    amount), budget_amount_above_reserved.
    """
    if reservation.state == State.SETTLED and reservation.settled_fen == settled_fen:
        return None
    _check_open(reservation, now)
    _check_amount(reservation, settled_fen)
    return Change(Kind.SETTLE, -reservation.amount_fen, settled_fen, 0)


def releasing(reservation: Reservation) -> Change | None:
    """Return what giving back does, or None when it was given back or has expired.

    Raises Refusal budget_reservation_closed for what was settled.
    """
    if reservation.state in {State.RELEASED, State.EXPIRED}:
        return None
    if reservation.state == State.SETTLED:
        raise Refusal("budget_reservation_closed", state=reservation.state)
    return Change(Kind.RELEASE, -reservation.amount_fen, 0, -1)


def expiring(reservation: Reservation, *, now: datetime) -> Change:
    """Return what the end of its time does to a reservation's buckets."""
    assert reservation.is_due(now), "its time is over"
    return Change(Kind.EXPIRE, -reservation.amount_fen, 0, -1)


def check_open(reservation: Reservation, *, now: datetime) -> None:
    """Check that a reservation stands; raises Refusal budget_reservation_closed."""
    _check_open(reservation, now)


def _check_open(reservation: Reservation, now: datetime) -> None:
    state = State.EXPIRED if reservation.is_due(now) else State(reservation.state)
    if state is not State.RESERVED:
        raise Refusal("budget_reservation_closed", state=state.value)


def _check_amount(reservation: Reservation, amount_fen: int) -> None:
    assert amount_fen >= 0, "an amount is looked at before it gets here"
    if amount_fen > reservation.amount_fen:
        raise Refusal("budget_amount_above_reserved", reserved_fen=reservation.amount_fen)
