"""Goal: the second factor is that of RFC 6238, a code is good for three steps, tries and sessions
end at exact moments, and a role that controls the others stands alone.

Method: the RFC's own numbers; one microsecond to either side of each edge; no clock, no database.
"""

import base64
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, unquote, urlsplit
from uuid import UUID

import msgspec
import pytest
from argon2 import extract_parameters

from backend.access.reason import REASON_CHARACTERS_MAX, decode_reason
from backend.kit.problem import Refusal
from backend.operator.rules import (
    LIMITS,
    ROLES,
    SESSION_IDLE,
    SESSION_LIFE,
    CounterKind,
    Session,
    is_login,
    is_session_live,
    matching_step,
    operator_faults,
    parse_password,
    principal_of,
    role_faults,
    session_ends_at,
    totp_code,
    totp_step,
    totp_uri,
    wait_seconds,
)
from backend.operator.service.password import HASHER, NOBODY, hash_password, is_password

NOW = datetime(2026, 11, 24, 2, 0, tzinfo=UTC)
TICK = timedelta(microseconds=1)
MINUTE = timedelta(minutes=1)
SECRET = b"12345678901234567890"  # RFC 6238 appendix B, the key for SHA-1


@pytest.mark.parametrize(
    ("seconds", "code"),
    [
        (59, "94287082"),
        (1_111_111_109, "07081804"),
        (1_111_111_111, "14050471"),
        (1_234_567_890, "89005924"),
        (2_000_000_000, "69279037"),
        (20_000_000_000, "65353130"),
    ],
)
def test_a_code_is_that_of_rfc_6238(seconds: int, code: str) -> None:
    """Appendix B gives eight digits; ours are the last six of them."""
    step = totp_step(datetime.fromtimestamp(seconds, UTC))
    assert totp_code(SECRET, step) == code[2:]


def test_a_code_is_that_of_rfc_4226() -> None:
    """Appendix D."""
    codes = ["755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583"]
    assert [totp_code(SECRET, count) for count in range(8)] == codes


def test_a_code_is_good_one_step_before_and_after_and_no_longer() -> None:
    now = datetime.fromtimestamp(1_800_000_000, UTC)  # the first moment of a step
    step = totp_step(now)
    good = {step + offset: totp_code(SECRET, step + offset) for offset in range(-2, 3)}
    for number, code in good.items():
        expected = number if abs(number - step) <= 1 else None
        assert matching_step(SECRET, code, now=now) == expected
        assert matching_step(SECRET, code, now=now + timedelta(seconds=30) - TICK) == expected
    assert matching_step(SECRET, good[step - 1], now=now + timedelta(seconds=30)) is None


@pytest.mark.parametrize("code", ["", "12345", "1234567", "12345６", "none", "12345\n", "٠" * 6])
def test_what_is_no_six_digits_matches_nothing(code: str) -> None:
    assert matching_step(SECRET, code, now=NOW) is None


def test_an_authenticator_app_can_read_the_secret() -> None:
    parts = urlsplit(totp_uri(SECRET, login="chen.jing"))
    facts = {name: value for name, (value,) in parse_qs(parts.query).items()}
    assert (parts.scheme, parts.netloc) == ("otpauth", "totp")
    assert unquote(parts.path) == "/Credit+:chen.jing"
    assert base64.b32decode(facts.pop("secret")) == SECRET
    expected = {"issuer": "Credit+", "algorithm": "SHA1", "digits": "6", "period": "30"}
    assert facts == expected


@pytest.mark.parametrize("login", ["a", "chen.jing", "op-1", "a" * 64, "x2.y-3"])
def test_a_login_is(login: str) -> None:
    assert is_login(login)


@pytest.mark.parametrize(
    "login", ["", "A", "1a", ".a", "a.", "a..b", "a_b", "cli:a", "陈", "a" * 65, "a\n", "a\0", "ａ"]
)
def test_a_login_is_not(login: str) -> None:
    assert not is_login(login)
    assert operator_faults(login=login, name_zh="陈", name_en="Chen", roles=["data"])


def test_security_and_audit_stand_alone() -> None:
    for role in ROLES:
        assert role_faults([role]) == []
        for other in set(ROLES) - {role}:
            alone = {role, other} & {"security", "audit"}
            assert len(role_faults([role, other])) == len(alone)
    assert role_faults([])
    assert role_faults(["data", "data"])
    assert role_faults(["root"])


@pytest.mark.parametrize(
    ("password", "reason"),
    [
        ("elevenchars", "too_short"),
        ("x" * 201, "too_long"),
        ("chen.jing2026", "is_the_login"),
        ("CHEN.JING-CHEN", "is_the_login"),
        ("abababababab", "too_even"),
    ],
)
def test_a_weak_password_is_refused_and_not_repeated(password: str, reason: str) -> None:
    with pytest.raises(Refusal) as refused:
        parse_password(password, login="chen.jing")
    assert (refused.value.code, refused.value.facts) == (
        "operator_password_weak",
        {"reason": reason},
    )


def test_a_password_is_the_same_however_its_letters_are_composed() -> None:
    composed, loose = "cafés-of-zürich", "cafe\u0301s-of-zu\u0308rich"
    assert parse_password(loose, login="a") == parse_password(composed, login="a") == composed
    assert parse_password("十二个字的口令也是可以的呀", login="a")


def test_passwords_are_argon2id_and_nobodys_takes_as_long() -> None:
    """The same parameters: else unknown logins could be told by the clock."""
    stored = hash_password("correct horse")
    assert stored.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert extract_parameters(NOBODY) == extract_parameters(stored)
    assert not HASHER.check_needs_rehash(NOBODY)
    assert is_password(stored, "correct horse")
    assert not is_password(stored, "correct horsf")
    assert not is_password(None, "correct horse")
    assert not is_password("garbage", "correct horse")
    assert stored != hash_password("correct horse"), "each has a salt of its own"


@pytest.mark.parametrize("kind", CounterKind)
def test_tries_are_limited_for_exactly_ten_minutes(kind: CounterKind) -> None:
    limit = LIMITS[kind]
    tried = [NOW] * limit
    assert wait_seconds(tried[1:], limit=limit, now=NOW) == 0
    assert wait_seconds(tried, limit=limit, now=NOW) == 600
    assert wait_seconds(tried, limit=limit, now=NOW + 10 * MINUTE - TICK) == 1
    assert wait_seconds(tried, limit=limit, now=NOW + 10 * MINUTE) == 0


def session(**changes: object) -> Session:
    return msgspec.structs.replace(
        Session(
            token_hash=bytes(32),
            operator_id=UUID(int=1),
            kind="api",
            jkt="jkt",
            created_at=NOW,
            seen_at=NOW,
            expires_at=NOW + SESSION_LIFE,
            ended_at=None,
            login="chen.jing",
            name_zh="陈静",
            name_en="Chen Jing",
            roles=["cases"],
            suspended_at=None,
        ),
        **changes,
    )


def test_a_session_ends_unused_after_a_quarter_of_an_hour_and_used_after_eight() -> None:
    idle, used = session(), session(seen_at=NOW + SESSION_LIFE - MINUTE)
    assert session_ends_at(idle) == NOW + 15 * MINUTE
    assert session_ends_at(used) == NOW + timedelta(hours=8)
    for each in (idle, used):
        assert is_session_live(each, session_ends_at(each) - TICK)
        assert not is_session_live(each, session_ends_at(each))
    assert SESSION_IDLE < SESSION_LIFE


def test_a_session_is_dead_when_it_or_its_operator_was_ended() -> None:
    assert not is_session_live(session(ended_at=NOW), NOW)
    assert not is_session_live(session(suspended_at=NOW), NOW)
    assert principal_of(session()).scopes == {"cases:operate", "operator:read"}


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ("%E5%A4%8D%E6%A0%B8", "复核"),
        ("a%20b", "a b"),
        ("%20a%20", "a"),
        ("e%CC%81", "é"),
        ("%E4%BF%A1" * REASON_CHARACTERS_MAX, "信" * REASON_CHARACTERS_MAX),
    ],
)
def test_a_reason_is_percent_encoded_text(header: str, reason: str) -> None:
    assert decode_reason(header) == reason


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "%20",
        "%ff",
        "%ED%A0%80",
        "a%0Ab",
        "a%00",
        "%E2%80%AE",
        "a" * 201,
        "%41" * 801,
        "é",
    ],
)
def test_what_is_no_reason_is_refused(header: str | None) -> None:
    """Nothing, blanks, broken UTF-8, several lines, hidden characters, too much, no ASCII."""
    with pytest.raises(Refusal, match="reason_missing"):
        decode_reason(header)
