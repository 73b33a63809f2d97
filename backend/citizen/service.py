"""The citizen room's verbs: sign-in by one-time code, the account, taking part and leaving."""

import secrets
from collections.abc import Sequence
from datetime import datetime
from importlib.resources import files
from uuid import UUID

import msgspec

from backend.citizen import rules, store
from backend.citizen.ports import IdentityRegister, ParticipationHooks
from backend.citizen.rules import (
    AccountMissing,
    CodeDecision,
    CodeToSend,
    CodeWithheld,
    CounterKind,
    IdentityNotConfirmed,
    JoinStep,
    Notice,
    Participation,
    Profile,
    RegisterDecision,
    Session,
    SessionKind,
    SignedIn,
    SignInDecision,
    SignInFailed,
    SignInThrottled,
)
from backend.event import service as event
from backend.kit import idempotency
from backend.kit.clock import city_date
from backend.kit.crypto import Vault
from backend.kit.ids import new_token, token_hash
from backend.kit.postgres import ReadTx, Tx
from backend.kit.problem import Refusal

SESSION_PREFIX = "cp_st_"
CURRENT_NOTICE: Notice = rules.parse_notice(
    files("backend.citizen").joinpath("data/notice-2026-11.toml").read_text("utf-8")
)


async def request_code(
    tx: Tx, *, phone: str, device: str | None, address: str, vault: Vault, now: datetime
) -> CodeDecision:
    """Make a one-time code for a phone; the caller sends it after the commit.

    The same work is done whether or not the phone has an account: nobody looks. The code is
    withheld from a phone, device or address that asked too often. Raises Refusal phone_invalid.
    """
    phone = rules.parse_phone(phone)
    counters = _counters(
        vault,
        {
            CounterKind.SEND_PHONE: phone,
            CounterKind.SEND_DEVICE: device,
            CounterKind.SEND_ADDRESS: rules.address_key(address),
        },
    )
    wait = await _wait_seconds(tx, counters, now)
    if wait:
        return CodeWithheld(wait)
    await _count(tx, counters, now)
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
    counters = _try_counters(vault, phone=phone, device=device, address=address)
    failure = await _check_code(tx, phone, code, counters=counters, vault=vault, now=now)
    if failure is not None:
        return failure
    if not identity.confirms(national_id=person.number, name=name, phone=phone):
        await _count(tx, counters, now)
        return IdentityNotConfirmed()
    subject_id = vault.subject_id(person.number)
    account = _sealed_account(
        vault, subject_id, phone=phone, name=name, national_id=person.number, now=now
    )
    if not await store.insert_account(tx, account):
        raise Refusal("account_exists")
    if not await store.insert_phone(tx, _phone_hash(vault, phone), subject_id):
        raise Refusal("account_exists")
    if not await _consume_code(tx, phone, code, vault=vault, now=now):
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
) -> SignInDecision:
    """Open a session for the owner of a phone.

    Returned decisions must be committed: a failed try is counted for phone, device and address.
    AccountMissing is told only to who holds the phone; the code stays good for registering.
    Raises Refusal phone_invalid.
    """
    phone = rules.parse_phone(phone)
    counters = _try_counters(vault, phone=phone, device=device, address=address)
    failure = await _check_code(tx, phone, code, counters=counters, vault=vault, now=now)
    if failure is not None:
        return failure
    subject_id = await store.find_subject_by_phone(tx, _phone_hash(vault, phone))
    if subject_id is None or not await store.hold_account(tx, subject_id):
        return AccountMissing()
    if not await _consume_code(tx, phone, code, vault=vault, now=now):
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


async def get_profile(tx: ReadTx, *, subject_id: UUID, vault: Vault) -> Profile:
    """Return the citizen's own view of the account; raises Refusal account_missing."""
    account = await store.find_account(tx, subject_id)
    if account is None:
        raise Refusal("account_missing")
    return Profile(
        name_masked=rules.mask_name(_opened(vault, account, "name_sealed")),
        phone_masked=rules.mask_phone(_opened(vault, account, "phone_sealed")),
        created_at=account.created_at,
        participation=await store.find_participation(tx, subject_id),
    )


async def get_participation(tx: ReadTx, *, subject_id: UUID) -> Participation | None:
    """Return the participation of a citizen, or None for one who does not take part."""
    return await store.find_participation(tx, subject_id)


async def find_participation_key(tx: ReadTx, *, subject_id: UUID) -> bytes | None:
    """Return the wrapped data key of a participant, or None."""
    participation = await store.find_participation(tx, subject_id)
    return None if participation is None else participation.data_key


async def hold_participation(tx: Tx, *, subject_id: UUID) -> Participation | None:
    """Return the participation and keep the citizen from leaving until the transaction ends.

    Whatever must not outlive taking part (a consent, an enrolment, a score) is written under
    this hold: leaving waits for it, and then erases it too.
    """
    return await store.hold_participation(tx, subject_id)


async def lock_participation_keys(tx: Tx, *, subject_ids: Sequence[UUID]) -> dict[UUID, bytes]:
    """Return the data keys of those who take part, locked against other score writers."""
    locked = await store.lock_participations(tx, subject_ids)
    return {each.subject_id: each.data_key for each in locked}


async def join(
    tx: Tx,
    *,
    subject_id: UUID,
    notice_version: str,
    vault: Vault,
    now: datetime,
    hooks: ParticipationHooks,
) -> Participation:
    """Let a citizen take part, who has read the notice in force. Joining again changes nothing.

    Raises Refusal notice_outdated, account_missing (the account was deleted meanwhile).
    """
    if not await store.lock_account(tx, subject_id):
        raise Refusal("account_missing")
    current = await store.find_participation(tx, subject_id)
    step = rules.decide_join(current, accepted=notice_version, notice=CURRENT_NOTICE)
    if step is JoinStep.ENTER:
        current = Participation(subject_id, vault.new_data_key(), notice_version, now)
        await store.insert_participation(tx, current)
        payload = {"notice_version": notice_version}
        await event.emit(
            tx, topic="citizen.joined", subject_id=subject_id, payload=payload, now=now
        )
        await hooks.joined(tx, subject_id=subject_id, now=now)
        return current
    assert current is not None, "only who takes part is not let in anew"
    if step is JoinStep.RECONFIRM:
        await store.save_notice_version(tx, subject_id, notice_version)
    return msgspec.structs.replace(current, notice_version=notice_version)


async def leave(tx: Tx, *, subject_id: UUID, now: datetime, hooks: ParticipationHooks) -> bool:
    """Stop taking part: destroy the data key and erase all that hangs on it (PIPL 15, 47).

    False when the citizen did not take part; then nothing happens.
    """
    # The account's lock puts joining and leaving in a row. Then the row goes before all that hangs
    # on it: whoever wants to hold the participation from here on waits, and finds none.
    if not await store.lock_account(tx, subject_id):
        return False
    if not await store.delete_participation(tx, subject_id):
        return False
    await hooks.left(tx, subject_id=subject_id, now=now)
    await idempotency.forget(tx, owner_id=subject_id)
    await event.emit(tx, topic="citizen.left", subject_id=subject_id, payload={}, now=now)
    return True


async def delete_account(
    tx: Tx, *, subject_id: UUID, now: datetime, hooks: ParticipationHooks
) -> bool:
    """Delete the account: leave, then destroy its key, its sessions and its phone's entry.

    Records stay with their sources under the pseudonym, as they did before there was an account;
    so does the ledger of accesses, which can't be rewritten, and the ended consents it refers to.
    False when there is no account.
    """
    if not await store.lock_account(tx, subject_id):
        return False
    if not await leave(tx, subject_id=subject_id, now=now, hooks=hooks):
        await hooks.left(tx, subject_id=subject_id, now=now)
    await store.delete_sessions(tx, subject_id)
    await store.delete_phone(tx, subject_id)
    await store.delete_account(tx, subject_id)
    await idempotency.forget(tx, owner_id=subject_id)
    await event.emit(tx, topic="account.deleted", subject_id=subject_id, payload={}, now=now)
    return True


async def sweep(tx: Tx, *, now: datetime) -> int:
    """Delete codes, counters and sessions without effect, and return how many; safe to repeat."""
    return await store.delete_stale(tx, now=now, window_start=now - rules.LIMIT_WINDOW)


def _phone_hash(vault: Vault, phone: str) -> bytes:
    return vault.digest("phone", phone)


def _code_hash(vault: Vault, phone: str, code: str) -> bytes:
    # Keyed, because a million codes are soon hashed through; bound to the phone.
    return vault.digest("sign_in_code", f"{phone}|{code}")


def _counters(vault: Vault, names: dict[CounterKind, str | None]) -> dict[bytes, CounterKind]:
    return {vault.digest(kind, name): kind for kind, name in names.items() if name is not None}


def _try_counters(
    vault: Vault, *, phone: str, device: str | None, address: str
) -> dict[bytes, CounterKind]:
    return _counters(
        vault,
        {
            CounterKind.TRY_PHONE: phone,
            CounterKind.TRY_DEVICE: device,
            CounterKind.TRY_ADDRESS: rules.address_key(address),
        },
    )


async def _wait_seconds(tx: Tx, counters: dict[bytes, CounterKind], now: datetime) -> int:
    """Lock the counters and return the longest wait any of them demands."""
    locked = await store.lock_counters(tx, sorted(counters), now)
    assert len(locked) == len(counters), "each counter exists once it is locked"
    return max(
        rules.wait_seconds(
            counter.tried_at, limit=rules.LIMITS[counters[counter.counter_hash]], now=now
        )
        for counter in locked
    )


async def _count(tx: Tx, counters: dict[bytes, CounterKind], now: datetime) -> None:
    await store.count_try(tx, sorted(counters), now=now, window_start=now - rules.LIMIT_WINDOW)


async def _check_code(
    tx: Tx,
    phone: str,
    code: str,
    *,
    counters: dict[bytes, CounterKind],
    vault: Vault,
    now: datetime,
) -> SignInFailed | SignInThrottled | None:
    """Compare a code under its counters' locks; None when it is right."""
    wait = await _wait_seconds(tx, counters, now)
    if wait:
        return SignInThrottled(wait)
    stored = await store.find_code(tx, _phone_hash(vault, phone))
    if not rules.code_matches(stored, _code_hash(vault, phone, code), now):
        await _count(tx, counters, now)
        return SignInFailed()
    return None


async def _consume_code(tx: Tx, phone: str, code: str, *, vault: Vault, now: datetime) -> bool:
    # The owner of the phone wanted the codes that were sent: none of them counts as unwanted any
    # more. Counter before code, the order in which request_code locks them.
    await store.delete_counter(tx, vault.digest(CounterKind.SEND_PHONE, phone))
    return await store.consume_code(
        tx, _phone_hash(vault, phone), _code_hash(vault, phone, code), now
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


def _opened(vault: Vault, account: store.Account, column: str) -> str:
    aad = f"account|{column}|{account.subject_id}"
    return vault.unseal(account.data_key, getattr(account, column), aad=aad).decode()
