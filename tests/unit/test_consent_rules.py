"""Goal: no consent reaches beyond its purpose's caps, and each ends once, at the right moment.

Method: a small cap table; every attribute pushed just over its cap; state at each side of an end;
a table with many faults, all of which must be reported together.
"""

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest

from backend.consent.rules import (
    Consent,
    EndReason,
    PurposeFaults,
    State,
    close_consent,
    decide_terms,
    detail_hash,
    open_consent,
    open_refusal,
    parse_purposes,
    state_of,
)
from backend.consent.service import DATA_KINDS, PURPOSES
from backend.kit.problem import Refusal
from backend.partner.rules import Client

NOW = datetime(2026, 11, 24, 2, 0, tzinfo=UTC)
TICK = timedelta(microseconds=1)
DETAIL = {
    "type": "eligibility",
    "programme": "library",
    "purpose": "deposit_free_borrowing",
}
LIBRARY = Client(
    client_id="library-demo",
    partner_id=UUID(int=7),
    partner_code="city-library",
    partner_name_zh="市图书馆",
    partner_name_en="City Library",
    partner_kind="merchant",
    name_zh="借阅终端",
    name_en="Lending desk",
    jwks={"keys": []},
    redirect_uris=[],
    scopes=["eligibility:verify"],
    created_at=NOW,
    suspended_at=None,
    partner_suspended_at=None,
)


def given(**changes: Any) -> Consent:
    terms = decide_terms({**DETAIL, **changes}, recipient=LIBRARY, purposes=PURPOSES)
    return open_consent(
        terms, subject_id=UUID(int=1), consent_id=UUID(int=2), recipient=LIBRARY, now=NOW
    )


def test_every_purpose_of_the_programmes_is_in_the_table() -> None:
    """The six purposes, each with texts and caps."""
    assert set(PURPOSES) == {
        "deposit_free_borrowing",
        "deposit_free_rental",
        "deferred_fare",
        "tourism_discount",
        "fast_approval",
        "loan_preference",
    }
    assert all(set(purpose.data_kinds) <= set(DATA_KINDS) for purpose in PURPOSES.values())


def test_a_plain_request_is_completed_by_the_caps() -> None:
    """The partner's three members, and what the purpose allows at most, written out."""
    purpose = PURPOSES["deposit_free_borrowing"]
    consent = given()
    assert consent.detail == {
        **DETAIL,
        "data_kinds": ["eligibility"],
        "days": purpose.days_max,
        "per_day": purpose.per_day_max,
    }
    assert consent.expires_at == NOW + timedelta(days=purpose.days_max)


def test_a_request_may_ask_for_less() -> None:
    """A shorter life and a lower frequency are kept."""
    consent = given(days=1, per_day=1)
    assert (consent.terms.days, consent.terms.per_day) == (1, 1)
    assert consent.expires_at == NOW + timedelta(days=1)


@pytest.mark.parametrize(
    ("changes", "attribute"),
    [
        ({"type": "credit_report"}, "type"),
        ({"purpose": "curiosity"}, "purpose"),
        ({"purpose": "loan_preference"}, "recipient"),  # a merchant asks for a lender's purpose
        ({"days": 366}, "days"),
        ({"days": 0}, "days"),
        ({"days": -1}, "days"),
        ({"per_day": 51}, "per_day"),
        ({"per_day": 0}, "per_day"),
        ({"data_kinds": ["score"]}, "data_kinds"),
        ({"data_kinds": ["eligibility", "score"]}, "data_kinds"),
        ({"data_kinds": []}, "data_kinds"),
        ({"days": "30"}, "authorization_details"),
        ({"unknown": 1}, "authorization_details"),
        ({"programme": None}, "authorization_details"),
    ],
)
def test_a_request_beyond_a_cap_is_refused_naming_the_attribute(
    changes: dict[str, Any], attribute: str
) -> None:
    """The attribute is named, so that a partner's developer finds it."""
    with pytest.raises(Refusal) as refused:
        given(**changes)
    assert refused.value.code == "consent_beyond_cap"
    assert refused.value.facts == {"attribute": attribute}


ORDER = {"type": "service_order", "confirm": "citizen"}


def test_terms_of_orders_say_what_may_be_opened() -> None:
    """Checks are part of it; the bound and who confirms are kept as they were asked for."""
    purpose = PURPOSES["deposit_free_borrowing"]
    consent = given(**ORDER, amount_max_fen=5000)
    assert consent.detail == {
        **DETAIL,
        "type": "service_order",
        "confirm": "citizen",
        "amount_max_fen": 5000,
        "data_kinds": ["eligibility", "order"],
        "days": purpose.days_max,
        "per_day": purpose.per_day_max,
    }
    assert consent.terms.is_for_orders
    assert not given().terms.is_for_orders
    assert given(**ORDER).terms.amount_max_fen is None


@pytest.mark.parametrize(
    ("changes", "attribute"),
    [
        ({"type": "service_order"}, "confirm"),
        ({"confirm": "consent"}, "confirm"),
        ({"amount_max_fen": 5000}, "amount_max_fen"),
        ({**ORDER, "amount_max_fen": 0}, "authorization_details"),
        ({**ORDER, "confirm": "partner"}, "authorization_details"),
        ({"data_kinds": ["order"]}, "data_kinds"),
        ({**ORDER, "purpose": "fast_approval"}, "type"),
    ],
)
def test_orders_are_consented_to_as_such_or_not_at_all(
    changes: dict[str, Any], attribute: str
) -> None:
    """A consent to checks opens nothing; a purpose without orders takes none."""
    with pytest.raises(Refusal) as refused:
        given(**changes)
    assert refused.value.facts == {"attribute": attribute}


@pytest.mark.parametrize("field", ["suspended_at", "partner_suspended_at"])
def test_nobody_consents_to_a_suspended_recipient(field: str) -> None:
    """Neither a suspended client nor a client of a suspended partner."""
    suspended = msgspec.structs.replace(LIBRARY, **{field: NOW})
    with pytest.raises(Refusal) as refused:
        decide_terms(DETAIL, recipient=suspended, purposes=PURPOSES)
    assert refused.value.facts == {"attribute": "recipient"}


def test_the_hash_is_of_the_canonical_json() -> None:
    """Order of members doesn't matter; the bytes are those anybody can make again."""
    shuffled = dict(reversed(DETAIL.items()))
    canonical = b'{"programme":"library","purpose":"deposit_free_borrowing","type":"eligibility"}'
    assert detail_hash(shuffled) == detail_hash(DETAIL) == hashlib.sha256(canonical).digest()
    assert detail_hash({**DETAIL, "purpose": "x"}) != detail_hash(DETAIL)


def test_a_consent_is_in_force_until_it_expires() -> None:
    """At its expiry it is over, though nobody has touched it."""
    consent = given(days=1)
    end = NOW + timedelta(days=1)

    def state(now: datetime) -> State:
        return state_of(
            expires_at=consent.expires_at,
            ended_at=consent.ended_at,
            end_reason=consent.end_reason,
            now=now,
        )

    assert state(end - TICK) is State.GIVEN
    assert state(end) is State.EXPIRED


@pytest.mark.parametrize(
    ("reason", "state"),
    [
        (EndReason.WITHDRAWN, State.WITHDRAWN),
        (EndReason.REPLACED, State.ENDED),
        (EndReason.LEFT, State.ENDED),
    ],
)
def test_a_consent_ends_once_with_its_reason(reason: EndReason, state: State) -> None:
    """Given → withdrawn | ended; there is no way back and no second end."""
    closed = close_consent(given(), reason=reason, now=NOW + TICK)
    assert (closed.ended_at, closed.end_reason) == (NOW + TICK, reason)
    assert (
        state_of(
            expires_at=closed.expires_at,
            ended_at=closed.ended_at,
            end_reason=closed.end_reason,
            now=NOW + timedelta(days=9999),
        )
        is state
    )
    with pytest.raises(AssertionError):
        close_consent(closed, reason=reason, now=NOW + 2 * TICK)


def test_ending_an_expired_consent_notes_the_time_it_expired() -> None:
    """Withdrawing what has expired does not claim it was in force until now."""
    consent = given(days=1)
    closed = close_consent(consent, reason=EndReason.WITHDRAWN, now=NOW + timedelta(days=2))
    assert (closed.ended_at, closed.end_reason) == (consent.expires_at, EndReason.EXPIRED)


def test_a_refusal_cools_down_for_the_days_of_its_purpose() -> None:
    """The cap table says how long the partner may not ask again."""
    purpose = PURPOSES["loan_preference"]
    refusal = open_refusal(purpose, subject_id=UUID(int=1), partner_id=UUID(int=7), now=NOW)
    assert refusal.cooldown_until == NOW + timedelta(days=purpose.cooldown_days)


FAULTY = """
[[data_kind]]
code = "eligibility"
name_zh = "资格"
name_en = "eligibility"

[[purpose]]
code = "one"
name_zh = "一"
name_en = ""
text_zh = "一"
text_en = "one"
data_kinds = ["eligibility", "gene"]
recipient_kinds = ["neighbour"]
days_max = 0
per_day_max = 5000
cooldown_days = 7

[[purpose]]
code = "two"
name_zh = "二"

[[purpose]]
code = "one"
name_zh = "一"
name_en = "one"
text_zh = "一"
text_en = "one"
data_kinds = ["eligibility"]
recipient_kinds = ["merchant"]
days_max = 1
per_day_max = 1
cooldown_days = 1
extra = 1

[more]
"""


def test_a_faulty_cap_table_is_refused_with_every_fault_at_once() -> None:
    """Whoever edits the file sees all that is wrong in one go."""
    with pytest.raises(PurposeFaults) as refused:
        parse_purposes(FAULTY)
    told = "\n".join(refused.value.faults)
    for fault in ("more", "name_en is empty", "gene", "neighbour", "days_max", "per_day_max"):
        assert fault in told
    assert "purpose 2" in told
    assert "purpose 3" in told


@pytest.mark.parametrize("toml", ["", "purpose = 3", "[[purpose]", "[purpose]\ncode = 'x'"])
def test_a_table_without_purposes_is_refused(toml: str) -> None:
    """An empty, broken or differently shaped file stops the start."""
    with pytest.raises(PurposeFaults):
        parse_purposes(toml)


def test_a_code_given_twice_is_a_fault() -> None:
    """Two entries with one code would hide each other."""
    kind = '[[data_kind]]\ncode = "a"\nname_zh = "甲"\nname_en = "a"\n'
    with pytest.raises(PurposeFaults, match="given twice"):
        parse_purposes(kind * 2)
