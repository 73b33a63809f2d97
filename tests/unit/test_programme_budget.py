"""Goal: what a step does to a balance, which bucket a name means, and what is refused, to the fen.

Method: the rules alone, on values at and beside each bound.
"""

from datetime import date, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from backend.kit.problem import Refusal
from backend.programme.rules.budget import (
    Balance,
    Bucket,
    Cause,
    Reservation,
    buckets_of,
    expiring,
    find_spent,
    is_over,
    limit_of,
    lowering,
    parse_bucket,
    refilled,
    releasing,
    reserving,
    settling,
)
from backend.programme.rules.document import LIMIT_FEN_MAX, USES_MAX, Budget, Limit
from tests.conftest import NOW
from tests.support.budget_world import citizen, partner

BALANCE = Balance("rental", "day", "2026-11-20", 100, 3, 40, 20, 2, 7)
RESERVED = Reservation(
    subject_id=citizen(1),
    reservation_id=partner(9),
    programme_code="rental",
    partner_id=partner(1),
    day=date(2026, 11, 20),
    amount_fen=50,
    settled_fen=None,
    state="reserved",
    created_at=NOW,
    expires_at=NOW + timedelta(minutes=5),
    closed_at=None,
)


def test_a_reservation_counts_in_four_buckets_the_programmes_first() -> None:
    assert [(each.span, each.name) for each in RESERVED.buckets] == [
        ("programme", ""),
        ("partner", str(partner(1))),
        ("day", "2026-11-20"),
        ("month", "2026-11"),
    ]
    assert buckets_of(partner(1), date(2027, 1, 5))[3].name == "2027-01"


def test_a_balance_has_room_up_to_its_last_fen_and_use() -> None:
    assert BALANCE.allows(40)
    assert not BALANCE.allows(41)
    assert not replace(BALANCE, uses=3).allows(0)
    assert replace(BALANCE, limit_fen=None).allows(LIMIT_FEN_MAX)
    assert find_spent([replace(BALANCE, span="programme"), BALANCE], 41) == "programme"
    assert find_spent([BALANCE], 40) is None


@pytest.mark.parametrize(
    ("limit", "borne"),
    [
        (Limit(), True),
        (Limit(amount_fen=60, uses=2), True),
        (Limit(amount_fen=59), False),
        (Limit(uses=1), False),
    ],
)
def test_a_limit_is_not_below_what_is_committed(limit: Limit, borne: bool) -> None:
    assert BALANCE.bears(limit) is borne


def test_steps_take_from_reserved_what_they_put_elsewhere() -> None:
    made = reserving(50)
    assert (made.reserved_fen, made.settled_fen, made.uses) == (50, 0, 1)
    spent = settling(RESERVED, 30, now=NOW)
    assert spent is not None
    assert (spent.reserved_fen, spent.settled_fen, spent.uses) == (-50, 30, 0)
    back = releasing(RESERVED)
    assert back is not None
    assert (back.reserved_fen, back.settled_fen, back.uses) == (-50, 0, -1)
    less = lowering(RESERVED, 20, now=NOW)
    assert less is not None
    assert (less.reserved_fen, less.settled_fen, less.uses) == (-30, 0, 0)


def test_time_ends_at_its_moment_and_not_before() -> None:
    end = NOW + timedelta(minutes=5)
    assert not RESERVED.is_due(end - timedelta(microseconds=1))
    assert RESERVED.is_due(end)
    assert expiring(RESERVED, now=end).uses == -1
    for late in (settling, lowering):
        with pytest.raises(Refusal) as refused:
            late(RESERVED, 1, now=end)
        assert refused.value.facts == {"state": "expired"}
    with pytest.raises(AssertionError):
        expiring(RESERVED, now=NOW)
    assert not replace(RESERVED, expires_at=None).is_due(end)


def test_what_is_closed_is_closed_the_same_way_only() -> None:
    settled = replace(RESERVED, state="settled", settled_fen=30, closed_at=NOW)
    released = replace(RESERVED, state="released", closed_at=NOW)
    expired = replace(RESERVED, state="expired", closed_at=NOW)
    assert settling(settled, 30, now=NOW) is None
    assert releasing(released) is None
    assert releasing(expired) is None
    with pytest.raises(Refusal, match="budget_reservation_closed"):
        releasing(settled)
    for step, closed, amount_fen in (
        (settling, settled, 29),
        (settling, released, 0),
        (lowering, expired, 0),
    ):
        with pytest.raises(Refusal, match="budget_reservation_closed"):
            step(closed, amount_fen, now=NOW)


@pytest.mark.parametrize(
    ("span", "name"),
    [
        ("programme", ""),
        ("partner", str(partner(1))),
        ("day", "2026-02-28"),
        ("month", "2026-12"),
    ],
)
def test_a_bucket_is_known_by_its_name(span: Any, name: str) -> None:
    assert parse_bucket(span, name) == Bucket(span, name)


@pytest.mark.parametrize(
    ("span", "name"),
    [
        ("programme", " "),
        ("partner", "city-rental"),
        ("partner", ""),
        ("day", "2026-02-30"),
        ("day", "2026-2-3"),
        ("day", "2026-W09-1"),
        ("day", "20260228"),
        ("month", "2026-00"),
        ("month", "0000-01"),
        ("month", "2026-1"),
        ("month", "２０２６-01"),
        ("citizen", str(citizen(1))),
        ("", ""),
    ],
)
def test_what_is_no_bucket_is_refused(span: str, name: str) -> None:
    with pytest.raises(Refusal, match="budget_bucket_invalid"):
        parse_bucket(span, name)


def test_days_and_months_are_over_when_the_next_begins() -> None:
    day = date(2026, 11, 20)
    assert is_over(Bucket("day", "2026-11-19"), day)
    assert not is_over(Bucket("day", "2026-11-20"), day)
    assert is_over(Bucket("month", "2026-10"), day)
    assert not is_over(Bucket("month", "2026-11"), day)
    assert not is_over(Bucket("programme", ""), day)
    assert not is_over(Bucket("partner", str(partner(1))), day)


def test_a_refill_raises_what_is_limited() -> None:
    assert refilled(BALANCE, amount_fen=5, uses=1) == Limit(amount_fen=105, uses=4)
    most = replace(BALANCE, limit_fen=LIMIT_FEN_MAX - 5, limit_uses=USES_MAX)
    assert refilled(most, amount_fen=5, uses=0) == Limit(amount_fen=LIMIT_FEN_MAX, uses=USES_MAX)
    for balance, amount_fen, uses in (
        (most, 6, 0),
        (most, 0, 1),
        (BALANCE, 0, 0),
        (BALANCE, -1, 2),
        (BALANCE, 2, -1),
        (replace(BALANCE, limit_fen=None), 1, 0),
        (replace(BALANCE, limit_uses=None), 1, 1),
    ):
        with pytest.raises(Refusal, match="budget_refill_impossible"):
            refilled(balance, amount_fen=amount_fen, uses=uses)


def test_limits_are_those_of_the_document() -> None:
    terms = Budget(reservation_minutes=1, amount_fen=9, citizen=Limit(uses=2))
    assert limit_of(terms, "programme") == Limit(amount_fen=9)
    assert limit_of(terms, "citizen") == Limit(uses=2)
    assert limit_of(terms, "month") == limit_of(None, "programme") == Limit()


def test_somebody_has_a_reason() -> None:
    for by_whom, reason in (("", "x"), ("x", ""), ("x" * 241, "x"), ("x", "y" * 201)):
        with pytest.raises(AssertionError):
            Cause(by_whom, reason, NOW)
