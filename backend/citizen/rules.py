"""What the citizen room decides, without IO: identity, phone, name, codes, sessions, participation.

Time comes in as `now` (aware UTC), the civil date as `today` (Asia/Shanghai), randomness and keyed
hashes as values. A refusal carries a stable code and facts that never repeat what was typed in.
"""

import hmac
import re
import tomllib
import unicodedata
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from enum import StrEnum
from uuid import UUID

import msgspec
import phonenumbers

from backend.kit.problem import Refusal

ADULT_YEARS = 18
OLDEST_YEARS = 130  # nobody has lived longer; an earlier date of birth is a slip of the pen
CODE_DIGITS = 6
CODE_LIFE = timedelta(minutes=5)
APP_SESSION_LIFE = timedelta(days=30)
WEB_SESSION_IDLE = timedelta(hours=12)
WEB_SESSION_LIFE = timedelta(days=7)
NAME_SHORTEST, NAME_LONGEST = 2, 50

# Area codes that begin so are issued to nobody: the people of a demo city have them.
DEMO_AREA = "999"

# GB 11643-1999, 4.2.3 (ISO 7064 MOD 11-2): weight of each of the first 17 digits, and the check
# character for each remainder.
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHECK_CHARACTERS = "10X98765432"
_NATIONAL_ID = re.compile(r"[0-9]{17}[0-9X]")
_PHONE = re.compile(r"\+?[0-9][0-9 ()-]{5,24}")
# Dots that keyboards offer where 少数民族 names have the interpunct U+00B7.
_NAME_DOTS = str.maketrans(dict.fromkeys("•‧・･∙⋅．.", "·"))


class NationalId(msgspec.Struct, frozen=True):
    """A citizen identity number that passed every check, with its date of birth."""

    number: str
    born_on: date


def parse_national_id(text: str, *, today: date) -> NationalId:
    """Read an identity number by GB 11643: 18 characters, a real date, the check character.

    The area code is advisory (codes come and go, and 81, 82 and 83 begin the residence permits of
    Hong Kong, Macao and Taiwan), so it is not looked at. Full-width digits and a small x are
    brought into the standard form. Raises Refusal national_id_invalid with the fault found.
    """
    number = unicodedata.normalize("NFKC", text).strip().upper()
    if not _NATIONAL_ID.fullmatch(number):
        raise Refusal("national_id_invalid", fault="form")
    if _CHECK_CHARACTERS[_weighted_sum(number) % 11] != number[17]:
        raise Refusal("national_id_invalid", fault="check_character")
    try:
        born_on = date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    except ValueError:
        raise Refusal("national_id_invalid", fault="date") from None
    if born_on > today:
        raise Refusal("national_id_invalid", fault="born_in_future")
    if age_on(born_on, today) > OLDEST_YEARS:
        raise Refusal("national_id_invalid", fault="date")
    return NationalId(number, born_on)


def _weighted_sum(number: str) -> int:
    return sum(int(digit) * weight for digit, weight in zip(number, _WEIGHTS, strict=False))


def age_on(born_on: date, today: date) -> int:
    """Full years lived on a day; whoever was born on 29 February turns on 1 March in other years.

    The day of the birthday counts (民法典 1259: 以上 includes the figure itself).
    """
    had_birthday = (today.month, today.day) >= (born_on.month, born_on.day)
    return today.year - born_on.year - (not had_birthday)


def check_adult(national_id: NationalId, *, today: date) -> None:
    """Let only adults pass (民法典 17: eighteen); raises Refusal under_age."""
    if age_on(national_id.born_on, today) < ADULT_YEARS:
        raise Refusal("under_age")


def parse_phone(text: str) -> str:
    """Bring a mainland mobile number into E.164 (+8613800138000); raises Refusal phone_invalid."""
    typed = unicodedata.normalize("NFKC", text).strip()
    if not _PHONE.fullmatch(typed):
        raise Refusal("phone_invalid")
    try:
        number = phonenumbers.parse(typed, "CN")
    except phonenumbers.NumberParseException:
        raise Refusal("phone_invalid") from None
    mainland = phonenumbers.is_valid_number_for_region(number, "CN")
    if not mainland or phonenumbers.number_type(number) != phonenumbers.PhoneNumberType.MOBILE:
        raise Refusal("phone_invalid")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def parse_name(text: str) -> str:
    """Bring a person's name into one form; raises Refusal name_invalid.

    Han characters of every extension block, with the interpunct between the parts of a 少数民族
    name, or Latin letters with single spaces between parts (foreign permanent residents). Control,
    bidirectional, invisible and private-use characters never pass: what an officer reads on a
    screen must be what is stored.
    """
    name = unicodedata.normalize("NFC", text.strip()).translate(_NAME_DOTS)
    if not NAME_SHORTEST <= len(name) <= NAME_LONGEST:
        raise Refusal("name_invalid", fault="length")
    for part in re.split("[· ]", name):
        if not part:
            raise Refusal("name_invalid", fault="separator")
        if not (all(map(_is_han, part)) or _is_latin_word(part)):
            raise Refusal("name_invalid", fault="character")
    if " " in name and any(map(_is_han, name)):
        raise Refusal("name_invalid", fault="separator")
    return name


def _is_han(character: str) -> bool:
    # The ranges are written out because names use characters that Unicode encoded after this
    # Python's own table was made; planes 2 and 3 hold ideographs only.
    point = ord(character)
    return (
        point == 0x3007  # 〇, a surname's character too
        or 0x3400 <= point <= 0x4DBF
        or 0x4E00 <= point <= 0x9FFF
        or 0xFA0E <= point <= 0xFA29  # the twelve unified ones among the compatibility characters
        or 0x20000 <= point <= 0x2FFFD
        or 0x30000 <= point <= 0x3FFFD
    )


def _is_latin_word(part: str) -> bool:
    letters = part.replace("'", "").replace("-", "")
    return part[0] in letters and all(
        unicodedata.category(letter) in ("Lu", "Ll")
        and unicodedata.name(letter, "").startswith("LATIN ")
        for letter in letters
    )


def mask_name(name: str) -> str:
    """Show a name so that its owner knows it and a bystander learns little: 林*, 阿***."""
    return name[0] + "*" * (min(len(name), 4) - 1)


def mask_phone(phone: str) -> str:
    """Show an E.164 mobile number as is usual in China: 138****8000."""
    assert phone.startswith("+86"), "only mainland numbers are stored"
    return f"{phone[3:6]}****{phone[-4:]}"


class CounterKind(StrEnum):
    """Whose tries are counted; the value is the purpose of the counter's keyed hash."""

    TRY_PHONE = "sign_in_try.phone"
    TRY_DEVICE = "sign_in_try.device"
    TRY_ADDRESS = "sign_in_try.address"
    TRY_KNOWN = "sign_in_try.known"
    SEND_PHONE = "sign_in_send.phone"
    SEND_DEVICE = "sign_in_send.device"
    SEND_ADDRESS = "sign_in_send.address"
    SEND_KNOWN = "sign_in_send.known"


LIMIT_WINDOW = timedelta(minutes=10)
# Wrong codes: five for each of the three, so that neither a botnet on one phone nor one machine on
# many phones gets on. Sent codes: few for a phone (nobody is rung out of bed), more for an address
# (a library's readers share one). A device that has signed this phone in before has a count of its
# own in place of all three: else any stranger could keep somebody out of her account for ever, with
# five wrong codes every ten minutes (OWASP, Blocking Brute Force Attacks: device cookies).
LIMITS = {
    CounterKind.TRY_PHONE: 5,
    CounterKind.TRY_DEVICE: 5,
    CounterKind.TRY_ADDRESS: 5,
    CounterKind.TRY_KNOWN: 5,
    CounterKind.SEND_PHONE: 5,
    CounterKind.SEND_DEVICE: 20,
    CounterKind.SEND_ADDRESS: 100,
    CounterKind.SEND_KNOWN: 5,
}


class Counter(msgspec.Struct, frozen=True):
    """The times at which something counted happened, kept for one keyed hash."""

    counter_hash: bytes
    tried_at: list[datetime]


def tries_in_window(tried_at: Sequence[datetime], now: datetime) -> list[datetime]:
    """Keep the tries that still count, oldest first: a try counts for exactly LIMIT_WINDOW."""
    return sorted(moment for moment in tried_at if moment > now - LIMIT_WINDOW)


def wait_seconds(tried_at: Sequence[datetime], *, limit: int, now: datetime) -> int:
    """Whole seconds until another try is allowed; 0 when it is allowed now."""
    counted = tries_in_window(tried_at, now)
    if len(counted) < limit:
        return 0
    until = counted[-limit] + LIMIT_WINDOW
    # Rounded up: a caller that waits this long is let in.
    return max(1, -((now - until) // timedelta(seconds=1)))


class SignInCode(msgspec.Struct, frozen=True):
    """A one-time code as stored: only its keyed hash."""

    code_hash: bytes
    expires_at: datetime
    consumed_at: datetime | None


def code_matches(code: SignInCode | None, presented_hash: bytes, now: datetime) -> bool:
    """Compare a presented code with the stored one in constant time, also when there is none."""
    stored = bytes(32) if code is None else code.code_hash
    same = hmac.compare_digest(stored, presented_hash)
    live = code is not None and code.consumed_at is None and now < code.expires_at
    return same and live


def format_code(number: int) -> str:
    """Write a random number below 10**6 as six digits."""
    assert 0 <= number < 10**CODE_DIGITS, "a code has six digits"
    return f"{number:0{CODE_DIGITS}d}"


def code_message(code: str) -> str:
    """Word the message that carries a code to the phone."""
    minutes = CODE_LIFE // timedelta(minutes=1)
    return (
        f"【信用+】验证码 {code}，{minutes} 分钟内有效。工作人员不会向您索要验证码，请勿告知他人。"
    )


class CodeToSend(msgspec.Struct, frozen=True):
    """A code was made: send the text to the phone once the transaction has committed."""

    phone: str
    text: str


class CodeWithheld(msgspec.Struct, frozen=True):
    """Too many codes were asked for: nothing is sent, and the answer stays the same."""

    retry_after_seconds: int


CodeDecision = CodeToSend | CodeWithheld


class SessionKind(StrEnum):
    """Where a session lives: in an app (bound to its key) or in a browser's cookie."""

    APP = "app"
    WEB = "web"


class Session(msgspec.Struct, frozen=True):
    """A signed-in citizen on one install or browser; `jkt` is the app key's RFC 7638 thumbprint."""

    token_hash: bytes
    subject_id: UUID
    kind: str
    jkt: str | None
    created_at: datetime
    expires_at: datetime
    ended_at: datetime | None


class SignedIn(msgspec.Struct, frozen=True):
    """The code was right and there is an account: the token is shown this once."""

    token: str
    session: Session


class SignInFailed(msgspec.Struct, frozen=True):
    """The code was wrong, used, too old or never sent; the try was counted."""


class SignInThrottled(msgspec.Struct, frozen=True):
    """Too many wrong tries; the code was not looked at."""

    retry_after_seconds: int


class AccountMissing(msgspec.Struct, frozen=True):
    """The code was right but the phone has no account: register with the same code."""


class IdentityNotConfirmed(msgspec.Struct, frozen=True):
    """The register doesn't know id, name and phone together; the try was counted."""


SignInDecision = SignedIn | SignInFailed | SignInThrottled | AccountMissing
RegisterDecision = SignedIn | SignInFailed | SignInThrottled | IdentityNotConfirmed


def session_is_live(session: Session, now: datetime) -> bool:
    """Tell whether a session still signs its citizen in."""
    return session.ended_at is None and now < session.expires_at


def session_expires_at(kind: SessionKind, *, created_at: datetime, now: datetime) -> datetime:
    """When a session used at `now` ends: an app's at a fixed time, a browser's when left idle."""
    if kind is SessionKind.APP:
        return created_at + APP_SESSION_LIFE
    return min(now + WEB_SESSION_IDLE, created_at + WEB_SESSION_LIFE)


class Notice(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a citizen is told before joining (个人信息保护法 17), in one version."""

    version: str
    title_zh: str
    title_en: str
    text_zh: str
    text_en: str


def parse_notice(toml: str) -> Notice:
    """Read a notice from its data file; ValueError (msgspec, tomllib) when a field is amiss."""
    notice = msgspec.convert(tomllib.loads(toml), Notice)
    if not re.fullmatch(r"20[0-9]{2}-(0[1-9]|1[0-2])", notice.version):
        raise ValueError(f"notice version {notice.version!r} is not a month like 2026-11")
    for name in Notice.__struct_fields__:
        if not getattr(notice, name).strip():
            raise ValueError(f"notice {notice.version}: {name} is empty")
    return notice


class Participation(msgspec.Struct, frozen=True):
    """The citizen takes part: this exists from joining to leaving, and so does its data key."""

    subject_id: UUID
    data_key: bytes
    notice_version: str
    joined_at: datetime


class Profile(msgspec.Struct, frozen=True):
    """What a citizen sees of the own account, masked against a look over the shoulder."""

    name_masked: str
    phone_masked: str
    created_at: datetime
    participation: Participation | None


class JoinStep(StrEnum):
    """What joining has to do, given where the citizen stands."""

    ENTER = "enter"
    RECONFIRM = "reconfirm"
    NOTHING = "nothing"


def decide_join(current: Participation | None, *, accepted: str, notice: Notice) -> JoinStep:
    """Decide what a wish to join means; raises Refusal notice_outdated with the current version.

    Only the notice in force can be accepted (个人信息保护法 14: informed consent, anew when the
    purpose changes). Joining twice changes nothing; accepting a newer notice keeps the data key.
    """
    if accepted != notice.version:
        raise Refusal("notice_outdated", current_version=notice.version)
    if current is None:
        return JoinStep.ENTER
    return JoinStep.NOTHING if current.notice_version == accepted else JoinStep.RECONFIRM
