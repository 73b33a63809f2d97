"""Coming in: one-time codes, opening an account, sessions."""

import secrets
from datetime import datetime
from uuid import UUID

from backend.citizen import rules, store
from backend.citizen.ports import IdentityRegister
from backend.citizen.rules import (
    AccountMissing,
    CodeDecision,
    CodeToSend,
    CodeWithheld,
    IdentityNotConfirmed,
    RegisterDecision,
    Session,
    SessionKind,
    SignedIn,
    SignInDecision,
    SignInFailed,
    SignInThrottled,
)
from backend.citizen.service import limit
from backend.citizen.service.limit import Knock
from backend.kit.clock import city_date
from backend.kit.crypto import Vault
from backend.kit.ids import new_token, token_hash
from backend.kit.postgres import ReadTx, Tx
from backend.kit.problem import Refusal

SESSION_PREFIX = "cp_st_"


async def request_code(
    tx: Tx,
    *,
    phone: str,
    device: str | None,
    address: str,
    vault: Vault,
    now: datetime,
    is_known: bool = False,
) -> CodeDecision:
    """Make a one-time code for a phone; the caller sends it after the commit.

    The same work is done whether or not the phone has an account, and the answer is the same. The
    code is withheld from a phone, device or address that asked too often. `is_known` says that the
    device has signed this phone in before; of an app's key that is known here. Raises Refusal
    phone_invalid.
    """
    phone = rules.parse_phone(phone)
    who = Knock(phone, device, address, is_known)
    counters = await limit.send_counters(tx, who, vault=vault)
    wait = await limit.wait_seconds(tx, counters, now)
    if wait:
        return CodeWithheld(wait)
    await limit.count(tx, counters, now)
    code = rules.format_code(secrets.randbelow(10**rules.CODE_DIGITS))
    await store.replace_code(
        tx,
        _phone_hash(vault, phone),
        _code_hash(vault, phone, code),
        sent_at=now,
        expires_at=now + rules.CODE_LIFE,
    )
    return CodeToSend(phone, rules.code_message(code))


async def register(
    tx: Tx,
    *,
    phone: str,
    code: str,
    national_id: str,
    name: str,
    device: str | None,
    address: str,
    identity: IdentityRegister,
    vault: Vault,
    now: datetime,
    jkt: str | None,
    kind: SessionKind,
) -> RegisterDecision:
    """Open an account for an adult whose identity, name and phone are confirmed together.

    Returned decisions must be committed: they count a failed try. An identity that isn't
    confirmed counts like a wrong code, so the register can't be searched through this door; the
    code stays good, a slip of the pen can be corrected. Raises Refusal phone_invalid,
    national_id_invalid, name_invalid, under_age, account_exists (the id or the phone has one).
    """
    phone = rules.parse_phone(phone)
    person = rules.parse_national_id(national_id, today=city_date(now))
    name = rules.parse_name(name)
    rules.check_adult(person, today=city_date(now))
    who = Knock(phone, device, address)
    counters = await limit.try_counters(tx, who, vault=vault)
    failure = await _check_code(tx, phone, code, counters=counters, vault=vault, now=now)
    if failure is not None:
        return failure
    if not identity.confirms(national_id=person.number, name=name, phone=phone):
        await limit.count(tx, counters, now)
        return IdentityNotConfirmed()
    subject_id = vault.subject_id(person.number)
    account = _sealed_account(
        vault, subject_id, phone=phone, name=name, national_id=person.number, now=now
    )
    if not await store.insert_account(tx, account):
        raise Refusal("account_exists")
    if not await store.insert_phone(tx, _phone_hash(vault, phone), subject_id):
        raise Refusal("account_exists")
    if not await _consume_code(tx, who, code, vault=vault, now=now):
        raise Refusal("sign_in_failed")
    return await _open_session(tx, subject_id, kind=kind, jkt=jkt, now=now)


async def sign_in(
    tx: Tx,
    *,
    phone: str,
    code: str,
    device: str | None,
    address: str,
    vault: Vault,
    now: datetime,
    jkt: str | None,
    kind: SessionKind,
    is_known: bool = False,
) -> SignInDecision:
    """Open a session for the owner of a phone; `is_known` as for `request_code`.

    Returned decisions must be committed: a failed try is counted for phone, device and address, or
    for a known device alone. AccountMissing is told only to who holds the phone; the code stays
    good for registering. Raises Refusal phone_invalid.
    """
    phone = rules.parse_phone(phone)
    who = Knock(phone, device, address, is_known)
    counters = await limit.try_counters(tx, who, vault=vault)
    failure = await _check_code(tx, phone, code, counters=counters, vault=vault, now=now)
    if failure is not None:
        return failure
    subject_id = await store.find_subject_by_phone(tx, _phone_hash(vault, phone))
    if subject_id is None or not await store.hold_account(tx, subject_id):
        return AccountMissing()
    if not await _consume_code(tx, who, code, vault=vault, now=now):
        raise Refusal("sign_in_failed")
    return await _open_session(tx, subject_id, kind=kind, jkt=jkt, now=now)


async def find_session(tx: ReadTx, *, token_hash: bytes, now: datetime) -> Session | None:
    """Return the live session of a token's SHA-256, or None."""
    session = await store.find_session(tx, token_hash)
    if session is None or not rules.session_is_live(session, now):
        return None
    return session


async def extend_session(tx: Tx, *, session: Session, now: datetime) -> bool:
    """Note that a browser's session is in use, so that it isn't left idle; False when it ended."""
    expires_at = rules.session_expires_at(
        SessionKind(session.kind), created_at=session.created_at, now=now
    )
    return await store.extend_session(tx, session.token_hash, expires_at, now)


async def end_session(tx: Tx, *, token_hash: bytes, now: datetime) -> None:
    """End a session at once; no effect on one that has ended."""
    await store.end_session(tx, token_hash, now)


def _phone_hash(vault: Vault, phone: str) -> bytes:
    return vault.digest("phone", phone)


def _code_hash(vault: Vault, phone: str, code: str) -> bytes:
    # Keyed, because a million codes are soon hashed through; bound to the phone.
    return vault.digest("sign_in_code", f"{phone}|{code}")


async def _check_code(
    tx: Tx,
    phone: str,
    code: str,
    *,
    counters: limit.Counters,
    vault: Vault,
    now: datetime,
) -> SignInFailed | SignInThrottled | None:
    """Compare a code under its counters' locks; None when it is right."""
    wait = await limit.wait_seconds(tx, counters, now)
    if wait:
        return SignInThrottled(wait)
    stored = await store.find_code(tx, _phone_hash(vault, phone))
    if not rules.code_matches(stored, _code_hash(vault, phone, code), now):
        await limit.count(tx, counters, now)
        return SignInFailed()
    return None


async def _consume_code(tx: Tx, who: Knock, code: str, *, vault: Vault, now: datetime) -> bool:
    # Counters before the code, the order in which request_code locks them.
    await limit.forgive_sent(tx, who, vault=vault)
    return await store.consume_code(
        tx, _phone_hash(vault, who.phone), _code_hash(vault, who.phone, code), now
    )


async def _open_session(
    tx: Tx, subject_id: UUID, *, kind: SessionKind, jkt: str | None, now: datetime
) -> SignedIn:
    assert (jkt is not None) == (kind is SessionKind.APP), "an app's session is bound to its key"
    token = new_token(SESSION_PREFIX)
    session = Session(
        token_hash=token_hash(token),
        subject_id=subject_id,
        kind=kind,
        jkt=jkt,
        created_at=now,
        expires_at=rules.session_expires_at(kind, created_at=now, now=now),
        ended_at=None,
    )
    await store.insert_session(tx, session)
    return SignedIn(token, session)


def _sealed_account(
    vault: Vault, subject_id: UUID, *, phone: str, name: str, national_id: str, now: datetime
) -> store.Account:
    key = vault.new_data_key()

    def seal(column: str, value: str) -> bytes:
        return vault.seal(key, value.encode(), aad=f"account|{column}|{subject_id}")

    return store.Account(
        subject_id=subject_id,
        data_key=key,
        phone_sealed=seal("phone_sealed", phone),
        name_sealed=seal("name_sealed", name),
        national_id_sealed=seal("national_id_sealed", national_id),
        created_at=now,
    )
