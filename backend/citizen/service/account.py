"""The account, taking part and leaving."""

from collections.abc import Sequence
from datetime import datetime
from importlib.resources import files
from uuid import UUID

import msgspec

from backend.citizen import rules, store
from backend.citizen.ports import ParticipationHooks
from backend.citizen.rules import JoinStep, Notice, Participation, Profile
from backend.event import service as event
from backend.kit import idempotency
from backend.kit.crypto import Vault
from backend.kit.postgres import ReadTx, Tx
from backend.kit.problem import Refusal

CURRENT_NOTICE: Notice = rules.parse_notice(
    files("backend.citizen").joinpath("data/notice-2026-11.toml").read_text("utf-8")
)


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


async def count_participants(tx: ReadTx) -> int:
    """Return how many citizens take part, for the progress of work on all of them."""
    return await store.count_participants(tx)


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


async def find_account_key(tx: ReadTx, *, subject_id: UUID) -> bytes | None:
    """Return the wrapped data key of an account, or None."""
    account = await store.find_account(tx, subject_id)
    return None if account is None else account.data_key


async def find_phone(tx: ReadTx, *, subject_id: UUID, vault: Vault) -> str | None:
    """Return the phone (E.164) of an account, for a text to be sent to it; None without one."""
    account = await store.find_account(tx, subject_id)
    return None if account is None else _opened(vault, account, "phone_sealed")


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


def _opened(vault: Vault, account: store.Account, column: str) -> str:
    aad = f"account|{column}|{account.subject_id}"
    return vault.unseal(account.data_key, getattr(account, column), aad=aad).decode()
