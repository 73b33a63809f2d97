"""What the operator room decides, without IO: who may be one, passwords, codes, tries, sessions.

Time, randomness and keyed hashes come in. Nothing that was typed in is repeated in a refusal.
"""

import base64
import hmac
import re
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from urllib.parse import quote, urlencode
from uuid import UUID

import msgspec
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.hotp import HOTP

from backend.access.rules import OPERATOR_SCOPES, OperatorPrincipal, operator_scopes
from backend.kit.problem import Refusal

ROLES = tuple(OPERATOR_SCOPES)
ALONE = ("security", "audit")
PASSWORD_SHORTEST, PASSWORD_LONGEST = 12, 200
LOGIN_LONGEST, NAME_LONGEST = 64, 60
SET_UP_LIFE = timedelta(hours=24)

SESSION_IDLE = timedelta(minutes=15)
SESSION_LIFE = timedelta(hours=8)
# Not every request is a write: a session in use is noted in steps of this length.
SESSION_NOTED_EVERY = timedelta(seconds=30)
# How long the key of an ended session is still known to be the operator's.
DEVICE_KNOWN = timedelta(days=30)

# RFC 6238 as every authenticator app has it: 30 s, six digits, HMAC-SHA-1 of a 160-bit secret.
TOTP_SECONDS, TOTP_DIGITS, TOTP_SECRET_BYTES = 30, 6, 20
# Clocks of phones differ: the step before and the step after are good too (section 5.2).
TOTP_STEPS = (-1, 0, 1)
_ISSUER = "Credit+"

_LOGIN = re.compile(r"[a-z][a-z0-9]*(?:[.-][a-z0-9]+)*")
_CODE = re.compile(r"[0-9]{6}")
# As for partners: nothing invisible, nothing that turns the direction of writing.
_CATEGORIES_REFUSED = ("C", "Zl", "Zp")


class Operator(msgspec.Struct, frozen=True):
    """Somebody who runs a part of the service; nothing here is secret."""

    operator_id: UUID
    login: str
    name_zh: str
    name_en: str
    roles: list[str]
    created_by: str
    created_at: datetime
    is_set_up: bool
    suspended_at: datetime | None


class Secrets(msgspec.Struct, frozen=True):
    """What an operator signs in with, as stored; None until it is set up."""

    operator_id: UUID
    password_hash: str | None
    totp_sealed: bytes | None
    totp_step: int
    set_up_hash: bytes | None
    set_up_until: datetime | None
    suspended_at: datetime | None


class SessionKind(StrEnum):
    """Where a session lives: with a program that holds a key, or in a browser's cookie."""

    API = "api"
    WEB = "web"


class Session(msgspec.Struct, frozen=True):
    """A session as stored, with what is known of its operator at this moment."""

    token_hash: bytes
    operator_id: UUID
    kind: str
    jkt: str | None
    created_at: datetime
    seen_at: datetime
    expires_at: datetime
    ended_at: datetime | None
    login: str
    name_zh: str
    name_en: str
    roles: list[str]
    suspended_at: datetime | None


class SignedIn(msgspec.Struct, frozen=True):
    """The decision that opens a session; the token is shown this once."""

    token: str
    operator: Operator
    expires_at: datetime


class SignInFailed(msgspec.Struct, frozen=True):
    """Login, password or code is wrong, or the operator is suspended: nothing else is told."""


class SignInThrottled(msgspec.Struct, frozen=True):
    """Too many tries; nothing was looked at."""

    retry_after_seconds: int


SignInDecision = SignedIn | SignInFailed | SignInThrottled


def is_login(text: str) -> bool:
    """Whether a text can be a login: ASCII, so that no two of them look the same."""
    return len(text) <= LOGIN_LONGEST and _LOGIN.fullmatch(text) is not None


def operator_faults(*, login: str, name_zh: str, name_en: str, roles: Sequence[str]) -> list[str]:
    """Return what is wrong with an operator to be added, one sentence each."""
    faults = []
    if not is_login(login):
        faults.append("login is at most 64 of a-z, 0-9, single dots and hyphens, a letter first")
    for member, name in (("name_zh", name_zh), ("name_en", name_en)):
        hidden = any(unicodedata.category(char).startswith(_CATEGORIES_REFUSED) for char in name)
        if hidden or name != name.strip() or not 1 <= len(name) <= NAME_LONGEST:
            faults.append(f"{member} has 1 to {NAME_LONGEST} visible characters, none around them")
    return faults + role_faults(roles)


def role_faults(roles: Sequence[str]) -> list[str]:
    """Return what is wrong with an operator's roles.

    Whoever lets operators in, and whoever audits them, does nothing else: the one could otherwise
    be both of the two people an approval takes, the other would look at their own work.
    """
    faults = [f"role {role!r} is none of {', '.join(ROLES)}" for role in roles if role not in ROLES]
    if not roles or len(set(roles)) != len(roles):
        faults.append("there is at least one role, each given once")
    faults += [f"role {alone} stands alone" for alone in ALONE if alone in roles and len(roles) > 1]
    return faults


def parse_password(text: str, *, login: str) -> str:
    """Return a password in the form it is hashed in; raises Refusal operator_password_weak.

    Composed (RFC 8265 section 4.2.2, OpaqueString): keyboards differ in how they write a letter.
    Length is what counts, and no rule about kinds of characters (NIST SP 800-63B section 5.1.1.2).
    """
    password = unicodedata.normalize("NFC", text)
    if len(password) < PASSWORD_SHORTEST:
        raise Refusal("operator_password_weak", reason="too_short")
    if len(password) > PASSWORD_LONGEST:
        raise Refusal("operator_password_weak", reason="too_long")
    if login in password.casefold() and len(password) < len(login) + PASSWORD_SHORTEST:
        raise Refusal("operator_password_weak", reason="is_the_login")
    if len(set(password)) < 5:
        raise Refusal("operator_password_weak", reason="too_even")
    return password


def totp_uri(secret: bytes, *, login: str) -> str:
    """Return the address that an authenticator app reads a secret from (Key Uri Format)."""
    facts = {
        "secret": base64.b32encode(secret).decode().rstrip("="),
        "issuer": _ISSUER,
        "algorithm": "SHA1",
        "digits": str(TOTP_DIGITS),
        "period": str(TOTP_SECONDS),
    }
    return f"otpauth://totp/{quote(f'{_ISSUER}:{login}')}?{urlencode(facts, quote_via=quote)}"


def totp_step(now: datetime) -> int:
    """Return the number of the time step a moment is in (RFC 6238 section 4.2)."""
    return int(now.timestamp()) // TOTP_SECONDS


def totp_code(secret: bytes, step: int) -> str:
    """Return the code of a time step (RFC 4226 section 5.3)."""
    sha1 = SHA1()  # noqa: S303 - what every authenticator app has; HMAC needs no more of it
    return HOTP(secret, TOTP_DIGITS, sha1).generate(step).decode()


def matching_step(secret: bytes, code: str, *, now: datetime) -> int | None:
    """Return the step a code belongs to, or None when it is none of the three that are good now.

    All three are compared, whatever the first says, and in constant time.
    """
    current, found = totp_step(now), None
    typed = code if _CODE.fullmatch(code) else "none"
    for step in (current + offset for offset in TOTP_STEPS):
        if hmac.compare_digest(totp_code(secret, step), typed):
            found = step
    return found


class CounterKind(StrEnum):
    """Whose tries are counted; the value is the purpose of the counter's keyed hash."""

    LOGIN = "operator_try.login"
    ADDRESS = "operator_try.address"
    KNOWN = "operator_try.known"


LIMIT_WINDOW = timedelta(minutes=10)
# A device that has signed this login in before has a count of its own in place of both others:
# else any stranger could keep an operator out for ever, with five tries every ten minutes.
LIMITS: Mapping[CounterKind, int] = {
    CounterKind.LOGIN: 5,
    CounterKind.ADDRESS: 10,
    CounterKind.KNOWN: 5,
}


class Counter(msgspec.Struct, frozen=True):
    """The times of the tries that are counted under one keyed hash."""

    counter_hash: bytes
    tried_at: list[datetime]


def wait_seconds(tried_at: Sequence[datetime], *, limit: int, now: datetime) -> int:
    """Whole seconds until another try is allowed; 0 when it is allowed now."""
    counted = sorted(moment for moment in tried_at if moment > now - LIMIT_WINDOW)
    if len(counted) < limit:
        return 0
    until = counted[-limit] + LIMIT_WINDOW
    return max(1, -((now - until) // timedelta(seconds=1)))


def session_ends_at(session: Session) -> datetime:
    """When a session ends unless it is used: soon, or when its day is over."""
    return min(session.seen_at + SESSION_IDLE, session.expires_at)


def is_session_live(session: Session, now: datetime) -> bool:
    """Tell whether a session still signs its operator in; a suspension is felt at once."""
    return (
        session.ended_at is None and session.suspended_at is None and now < session_ends_at(session)
    )


def principal_of(session: Session) -> OperatorPrincipal:
    """Return who acts in a live session, with what the roles of this moment let them do."""
    return OperatorPrincipal(
        operator_id=session.operator_id,
        login=session.login,
        name_zh=session.name_zh,
        name_en=session.name_en,
        scopes=frozenset(operator_scopes(session.roles)),
        session_hash=session.token_hash,
    )
