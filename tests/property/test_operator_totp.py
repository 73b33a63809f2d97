"""Goal: the six digits are those that any other program makes of the same secret and moment, and a
code is found among the steps around now exactly when it belongs to one of them.

Method: RFC 4226 section 5.3 written down a second time, on hmac alone and step by step as its
section 5.4 does (the code under test stands on another library), on secrets and moments by
Hypothesis.
"""

import hmac
import struct
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from backend.operator.rules import TOTP_SECRET_BYTES, matching_step, totp_code, totp_step

SECRETS = st.binary(min_size=TOTP_SECRET_BYTES, max_size=64)
MOMENTS = st.integers(1_577_836_800, 4_733_510_400).map(
    lambda seconds: datetime.fromtimestamp(seconds, UTC)
)


def by_the_book(secret: bytes, count: int) -> str:
    """HOTP with SHA-1 and six digits (RFC 4226 section 5.4)."""
    digest = hmac.digest(secret, struct.pack(">Q", count), "sha1")
    offset = digest[19] & 0xF
    (number,) = struct.unpack(">L", digest[offset : offset + 4])
    return str((number & 0x7FFFFFFF) % 10**6).rjust(6, "0")


@given(secret=SECRETS, now=MOMENTS)
def test_codes_are_those_of_the_book(secret: bytes, now: datetime) -> None:
    step = totp_step(now)
    assert step == int(now.timestamp() / 30)
    assert totp_code(secret, step) == by_the_book(secret, step)


@given(secret=SECRETS, now=MOMENTS, late=st.integers(-120, 120))
def test_a_code_is_found_exactly_when_it_is_one_step_away_at_most(
    secret: bytes, now: datetime, late: int
) -> None:
    shown_at = now + timedelta(seconds=late)
    code = by_the_book(secret, totp_step(shown_at))
    near = {
        totp_step(now) + offset: by_the_book(secret, totp_step(now) + offset)
        for offset in (-1, 0, 1)
    }
    found = matching_step(secret, code, now=now)
    if abs(totp_step(shown_at) - totp_step(now)) <= 1:
        assert found is not None
    assert found == max((step for step, each in near.items() if each == code), default=None)
