"""Goal: codes, counters and sessions begin and end at exact moments.

Method: one microsecond to either side of each edge; no clock, no database.
"""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from backend.citizen.rules import (
    APP_SESSION_LIFE,
    LIMITS,
    WEB_SESSION_LIFE,
    CounterKind,
    Session,
    SessionKind,
    SignInCode,
    code_matches,
    code_message,
    format_code,
    session_expires_at,
    session_is_live,
    tries_in_window,
    wait_seconds,
)
from backend.kit.address import address_key

NOW = datetime(2026, 11, 24, 2, 0, tzinfo=UTC)
TICK = timedelta(microseconds=1)
MINUTE = timedelta(minutes=1)


def test_a_try_counts_for_exactly_ten_minutes() -> None:
    """At ten minutes to the microsecond it no longer counts; one before it does."""
    assert tries_in_window([NOW - 10 * MINUTE], NOW) == []
    assert tries_in_window([NOW - 10 * MINUTE + TICK], NOW) == [NOW - 10 * MINUTE + TICK]


@pytest.mark.parametrize("wanted", ["TRY_PHONE", "TRY_DEVICE", "TRY_ADDRESS"])
def test_five_wrong_codes_are_allowed_for_each_of_the_three(wanted: str) -> None:
    """5 tries per 10 minutes per phone, device and address."""
    assert LIMITS[CounterKind[wanted]] == 5


def test_the_wait_is_until_the_oldest_counted_try_falls_out() -> None:
    """With five tries in the window the wait is the first one's remaining time, rounded up."""
    tries = [NOW - 9 * MINUTE + n * MINUTE for n in range(5)]
    assert wait_seconds(tries, limit=5, now=NOW) == 60
    assert wait_seconds(tries[1:], limit=5, now=NOW) == 0
    assert wait_seconds(tries, limit=5, now=NOW + MINUTE - TICK) == 1
    assert wait_seconds(tries, limit=5, now=NOW + MINUTE) == 0


def test_whoever_waits_as_long_as_told_is_let_in() -> None:
    """The rounded wait never ends before the window does."""
    tries = [NOW - timedelta(seconds=17, microseconds=n) for n in range(5)]
    wait = wait_seconds(tries, limit=5, now=NOW)
    assert wait_seconds(tries, limit=5, now=NOW + timedelta(seconds=wait)) == 0
    assert wait_seconds(tries, limit=5, now=NOW + timedelta(seconds=wait - 1)) > 0


def test_a_clock_that_steps_back_opens_no_window() -> None:
    """Tries that seem to lie ahead still count."""
    tries = [NOW + MINUTE] * 5
    assert wait_seconds(tries, limit=5, now=NOW) == 660


def test_a_code_is_good_until_its_fifth_minute_and_once() -> None:
    """Right hash, not used, not expired: all three."""
    code = SignInCode(b"c" * 32, NOW + 5 * MINUTE, None)
    assert code_matches(code, b"c" * 32, NOW + 5 * MINUTE - TICK)
    assert not code_matches(code, b"c" * 32, NOW + 5 * MINUTE)
    assert not code_matches(code, b"d" * 32, NOW)
    used = SignInCode(b"c" * 32, NOW + 5 * MINUTE, NOW)
    assert not code_matches(used, b"c" * 32, NOW)


def test_no_code_matches_nothing_not_even_zeros() -> None:
    """What stands in for a missing code can't be guessed right."""
    assert not code_matches(None, bytes(32), NOW)


def test_a_code_keeps_its_leading_zeros() -> None:
    """Six digits always, and the message shows just those."""
    assert format_code(42) == "000042"
    assert "000042" in code_message("000042")
    with pytest.raises(AssertionError):
        format_code(1_000_000)


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:aaaa:bbbb:cccc:dddd", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
        ("", "none"),
        ("not an address", "none"),
    ],
)
def test_an_ipv6_network_counts_as_one_address(address: str, key: str) -> None:
    """Who owns a /64 can't take a new address for each try."""
    assert address_key(address) == key


def session(kind: SessionKind, expires_at: datetime, ended_at: datetime | None = None) -> Session:
    jkt = "j" * 43 if kind is SessionKind.APP else None
    return Session(b"h" * 32, UUID(int=1), kind, jkt, NOW, expires_at, ended_at)


def test_an_apps_session_ends_thirty_days_after_it_began_used_or_not() -> None:
    """The key in the install holds it; use doesn't make it longer."""
    later = NOW + timedelta(days=20)
    assert session_expires_at(SessionKind.APP, created_at=NOW, now=later) == NOW + APP_SESSION_LIFE


def test_a_browsers_session_ends_after_twelve_idle_hours_and_after_a_week() -> None:
    """Use moves the end on, never beyond the week."""
    hours_12 = timedelta(hours=12)
    assert session_expires_at(SessionKind.WEB, created_at=NOW, now=NOW) == NOW + hours_12
    used = NOW + timedelta(hours=11)
    assert session_expires_at(SessionKind.WEB, created_at=NOW, now=used) == used + hours_12
    late = NOW + WEB_SESSION_LIFE - MINUTE
    assert session_expires_at(SessionKind.WEB, created_at=NOW, now=late) == NOW + WEB_SESSION_LIFE


def test_a_session_is_live_until_it_expires_or_is_ended() -> None:
    """At the moment it expires it is over."""
    live = session(SessionKind.APP, NOW + MINUTE)
    assert session_is_live(live, NOW + MINUTE - TICK)
    assert not session_is_live(live, NOW + MINUTE)
    assert not session_is_live(session(SessionKind.APP, NOW + MINUTE, ended_at=NOW), NOW)
