"""The consent room's verbs. A consent and the tokens that live on it end in one transaction."""

from datetime import datetime
from importlib.resources import files
from typing import Any
from uuid import UUID

from backend.citizen import service as citizen
from backend.consent import rules, store
from backend.consent.rules import Consent, ConsentListed, ConsentRefusal, EndReason, Purpose
from backend.kit.ids import new_id
from backend.kit.page import Page, cut_page, decode_id_cursor
from backend.kit.postgres import ReadTx, Tx
from backend.kit.problem import Refusal, Unavailable
from backend.oauth import service as oauth
from backend.partner import service as partner
from backend.partner.rules import Client
from backend.webhook import service as webhook

_TABLE = rules.parse_purposes(
    files("backend.consent").joinpath("data/purposes.toml").read_text("utf-8")
)
PURPOSES = _TABLE.purposes
DATA_KINDS = _TABLE.data_kinds
_ATTEMPTS_MAX = 5


def get_purpose(code: str) -> Purpose:
    """Return a purpose by its code; raises Refusal consent_beyond_cap when there is none."""
    purpose = PURPOSES.get(code)
    if purpose is None:
        raise Refusal("consent_beyond_cap", attribute="purpose")
    return purpose


def decide_terms(detail: dict[str, Any], *, client: Client) -> rules.Terms:
    """Return the terms a consent to this authorization detail would have, for the consent page.

    Raises Refusal consent_beyond_cap naming the attribute that goes beyond the purpose's caps.
    """
    return rules.decide_terms(detail, recipient=client, purposes=PURPOSES)


async def give(
    tx: Tx, *, subject_id: UUID, client_id: str, detail: dict[str, Any], now: datetime
) -> Consent:
    """Give one client's partner a consent on the terms of an authorization detail (RFC 9396).

    A live consent for the same partner, purpose and programme is replaced: it ends, and so do the
    tokens on it. Raises Refusal participation_required (there is nothing to consent to without
    taking part), consent_beyond_cap (attribute), consent_cooling_down (until).
    """
    client = await partner.find_client(tx, client_id=client_id)
    if client is None:
        raise Refusal("consent_beyond_cap", attribute="recipient")
    terms = decide_terms(detail, client=client)
    # Held: whoever leaves waits for this consent, and then ends it with the others.
    if await citizen.hold_participation(tx, subject_id=subject_id) is None:
        raise Refusal("participation_required")
    until = await check_cooldown(
        tx, subject_id=subject_id, partner_id=client.partner_id, purpose=terms.purpose, now=now
    )
    if until is not None:
        raise Refusal("consent_cooling_down", until=until)
    consent = rules.open_consent(
        terms, subject_id=subject_id, consent_id=new_id(now), recipient=client, now=now
    )
    for _ in range(_ATTEMPTS_MAX):
        before = await store.lock_open_consent(
            tx,
            subject_id,
            partner_id=client.partner_id,
            purpose=terms.purpose,
            programme_code=terms.programme,
        )
        if before is not None:
            await _end(tx, before, reason=EndReason.REPLACED, now=now)
        if await store.insert_consent(tx, consent):
            return consent
        # Another page of the same citizen was a moment earlier; what it gave is replaced.
    raise Unavailable("consent")


async def refuse(
    tx: Tx, *, subject_id: UUID, partner_id: UUID, purpose: str, now: datetime
) -> ConsentRefusal:
    """Note a citizen's no, and start the cool-down of the purpose for this partner.

    Raises Refusal consent_beyond_cap for an unknown purpose, account_missing (it was deleted
    meanwhile).
    """
    refusal = rules.open_refusal(
        get_purpose(purpose), subject_id=subject_id, partner_id=partner_id, now=now
    )
    if not await store.save_refusal(tx, refusal):
        raise Refusal("account_missing")
    return refusal


async def check_cooldown(
    tx: ReadTx, *, subject_id: UUID, partner_id: UUID, purpose: str, now: datetime
) -> datetime | None:
    """Return until when this partner may not ask the citizen for this purpose, or None."""
    return await store.find_cooldown(
        tx, subject_id, partner_id=partner_id, purpose=purpose, now=now
    )


async def find_live(
    tx: ReadTx,
    *,
    subject_id: UUID,
    partner_id: UUID,
    purpose: str,
    programme_code: str,
    now: datetime,
) -> Consent | None:
    """Return the consent in force for a recipient, purpose and programme, or None."""
    return await store.find_live_consent(
        tx,
        subject_id,
        partner_id=partner_id,
        purpose=purpose,
        programme_code=programme_code,
        now=now,
    )


async def hold_live(tx: Tx, *, subject_id: UUID, consent_id: UUID, now: datetime) -> Consent | None:
    """Return a consent in force and keep it in force until the transaction ends, or None.

    What is disclosed under this hold was allowed when it was: withdrawing waits for it.
    """
    return await store.hold_live_consent(tx, subject_id, consent_id, now)


async def withdraw(tx: Tx, *, subject_id: UUID, consent_id: UUID, now: datetime) -> None:
    """Withdraw a consent: it and its tokens end together, at once (个人信息保护法 15).

    Withdrawing again changes nothing. Raises Refusal not_found for an id that is not the citizen's.
    """
    consent = await store.lock_consent(tx, subject_id, consent_id)
    if consent is None:
        raise Refusal("not_found")
    if consent.ended_at is None:
        await _end(tx, consent, reason=EndReason.WITHDRAWN, now=now)


async def end_all(tx: Tx, *, subject_id: UUID, now: datetime) -> int:
    """End every consent of a citizen who leaves, forget the refusals; return how many ended."""
    consents = await store.lock_open_consents(tx, subject_id)
    for consent in consents:
        await _end(tx, consent, reason=EndReason.LEFT, now=now)
    # Whatever else the citizen's tokens stand on: nobody acts for one who has left.
    await oauth.revoke_subject(tx, subject_id=subject_id, now=now)
    await store.delete_refusals(tx, subject_id)
    return len(consents)


async def list_consents(
    tx: ReadTx, *, subject_id: UUID, cursor: str | None, page_size: int
) -> Page[ConsentListed]:
    """Return one page of a citizen's consents, newest first; raises Refusal cursor_invalid."""
    before = None if cursor is None else decode_id_cursor(cursor)
    found = await store.list_consents(tx, subject_id, before=before, limit=page_size + 1)
    return cut_page(found, page_size, key=lambda consent: (str(consent.consent_id),))


async def _end(tx: Tx, consent: Consent, *, reason: EndReason, now: datetime) -> None:
    ended = rules.close_consent(consent, reason=reason, now=now)
    saved = await store.save_end(tx, ended)
    assert saved, "the consent was locked and open"
    await oauth.revoke_consent(
        tx, subject_id=ended.subject_id, consent_id=ended.consent_id, now=now
    )
    await webhook.emit_message(
        tx,
        partner_id=ended.partner_id,
        topic="consent.ended",
        object_id=ended.consent_id,
        sequence=1,
        facts={
            "programme": ended.programme_code,
            "purpose": ended.purpose,
            "reason": rules.told_reason(ended),
        },
        now=now,
    )
