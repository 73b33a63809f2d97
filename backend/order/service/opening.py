"""Opening an order: the benefit is decided and all it needs is taken, in one transaction."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from backend.access.authenticate import TokenRefused
from backend.citizen import service as citizen
from backend.kit.crypto import Vault
from backend.kit.ids import new_id
from backend.kit.postgres import Tx
from backend.kit.problem import Refusal, Unavailable
from backend.order.rules import exposure as exposure_rules
from backend.order.rules import order as rules
from backend.order.rules.machine import State
from backend.order.rules.order import Allowance, Asked, Order, OrderConsent
from backend.order.service import holding
from backend.order.service.telling import tell_of_order
from backend.order.store import order as store
from backend.programme import service as programme
from backend.programme.rules.document import OrderTerms, Programme
from backend.programme.rules.eligibility import (
    ConsentGone,
    EligibilityAnswer,
    EligibilityCheck,
    LookRaced,
    LooksSpent,
)
from backend.programme.service import budget, promise

# Another process took the number of this look; each try sees one more of theirs.
_ATTEMPTS_MAX = 8


class Opener(msgspec.Struct, frozen=True):
    """Who opens an order: a partner's client, for the citizen its token stands for."""

    subject_id: UUID
    consent_id: UUID
    partner_id: UUID
    client_id: str
    details: Sequence[Mapping[str, Any]]


async def open_order(
    tx: Tx, *, opener: Opener, asked: Asked, vault: Vault, now: datetime
) -> Order | None:
    """Open an order for a citizen, or return the one this number was opened with before.

    None says that the benefit is not open for it, whatever the cause; the look and the decision
    stay, so the caller commits. Raises Refusal insufficient_authorization_details,
    order_amount_too_large, order_reference_invalid, order_reference_taken, too_many_requests,
    unavailable; TokenRefused when the consent has ended meanwhile.
    """
    consent = rules.consent_for(opener.details, asked.programme_code)
    rules.check_asked(asked, consent)
    # Before anything else is locked: leaving takes it first, too.
    participation = await citizen.hold_participation(tx, subject_id=opener.subject_id)
    open_fen = await _hold_exposure(tx, opener, takes_part=participation is not None)
    known = await _find_known(tx, opener, asked)
    if known is not None:
        return known
    answer = await _decide(tx, opener, asked, vault=vault, now=now)
    assert participation is not None or not answer.eligible, "who takes no part is not eligible"
    # Whatever the cause of a no, everything is looked at: a no is not told from another by a clock.
    promised = await _promised(tx, opener, asked, answer)
    limit = await holding.exposure_limit(tx, subject_id=opener.subject_id)
    free_fen = exposure_rules.free_fen(open_fen, limit)
    credit = _credit_of(asked, consent, promised, free_fen=free_fen)
    has_room = await budget.has_room(
        tx,
        subject_id=opener.subject_id,
        programme=promised,
        partner_id=opener.partner_id,
        amount_fen=credit or asked.amount_fen,
        now=now,
    )
    if answer.decision_id is None or credit == 0 or not has_room:
        return None
    order = await _create(
        tx,
        opener,
        asked,
        promised=promised,
        credit_fen=credit,
        decision_id=answer.decision_id,
        at_once=_starts_at_once(promised.document.order, consent),
        now=now,
    )
    if order is None:
        return None
    raised = await store.raise_exposure(tx, opener.subject_id, credit, limit_fen=limit)
    assert raised, "the exposure is held, and there was room"
    return order


async def _hold_exposure(tx: Tx, opener: Opener, *, takes_part: bool) -> int:
    """Return how much stands for a citizen; nothing is kept of whoever doesn't take part.

    Orders of one citizen are opened one after another: whoever waited sees what was first.
    """
    if takes_part:
        return (await store.lock_exposure(tx, opener.subject_id)).open_fen
    found = await store.find_exposure(tx, opener.subject_id)
    return 0 if found is None else found.open_fen


async def _promised(tx: Tx, opener: Opener, asked: Asked, answer: EligibilityAnswer) -> Programme:
    """Return the version a yes was decided by; for a no, the one in force."""
    if answer.decision_id is not None:
        return await promise.get_decided_version(
            tx, subject_id=opener.subject_id, decision_id=answer.decision_id
        )
    found = await programme.find_programme(tx, programme_code=asked.programme_code)
    assert found is not None, "what was decided about is a programme"
    return found.programme


def _credit_of(asked: Asked, consent: OrderConsent, promised: Programme, *, free_fen: int) -> int:
    """Return the part that credit stands for; 0 when there is no room, or none takes orders."""
    terms, cap_fen = promised.document.order, rules.cap_fen_of(promised.document.benefit)
    if terms is None or cap_fen is None:
        return 0
    return rules.credit_of(
        asked,
        Allowance(
            cap_fen=cap_fen,
            order_max_fen=terms.amount_max_fen,
            consent_max_fen=consent.amount_max_fen,
            free_fen=free_fen,
        ),
    )


def _starts_at_once(terms: OrderTerms | None, consent: OrderConsent) -> bool:
    return terms is not None and terms.confirm == "consent" and consent.confirm == "consent"


async def _find_known(tx: Tx, opener: Opener, asked: Asked) -> Order | None:
    known = await store.find_by_reference(
        tx,
        subject_id=opener.subject_id,
        partner_id=opener.partner_id,
        reference=asked.reference,
    )
    if known is not None:
        rules.check_same(known, asked)
    return known


async def _decide(
    tx: Tx, opener: Opener, asked: Asked, *, vault: Vault, now: datetime
) -> EligibilityAnswer:
    """Decide about the benefit as for any check, and write decision and look."""
    check = EligibilityCheck(
        subject_id=opener.subject_id,
        consent_id=opener.consent_id,
        partner_id=opener.partner_id,
        client_id=opener.client_id,
        programme_code=asked.programme_code,
    )
    for _ in range(_ATTEMPTS_MAX):
        (outcome,) = await programme.check_eligibility(tx, checks=[check], vault=vault, now=now)
        if isinstance(outcome, EligibilityAnswer):
            return outcome
        if isinstance(outcome, ConsentGone):
            raise TokenRefused("invalid_token", "the token is unknown, expired or revoked")
        if isinstance(outcome, LooksSpent):
            raise Refusal("too_many_requests", retry_after_seconds=outcome.retry_after_seconds)
        assert isinstance(outcome, LookRaced), "there is no other outcome"
    raise Unavailable("eligibility")


async def _create(
    tx: Tx,
    opener: Opener,
    asked: Asked,
    *,
    promised: Programme,
    credit_fen: int,
    decision_id: UUID,
    at_once: bool,
    now: datetime,
) -> Order | None:
    """Reserve and write an order, and tell of it; None when the budget has no room."""
    confirm_by = now + rules.CONFIRM_WITHIN
    bounds = promised.document.budget
    until = holding.reserved_until(
        None if bounds is None else bounds.reservation_minutes, confirm_by=confirm_by, now=now
    )
    reservation_id = await holding.reserve(
        tx,
        subject_id=opener.subject_id,
        promised=promised,
        partner_id=opener.partner_id,
        credit_fen=credit_fen,
        expires_at=None if at_once else until,
        now=now,
    )
    if reservation_id is None:
        return None
    order = rules.created(
        Order(
            subject_id=opener.subject_id,
            order_id=new_id(now),
            partner_id=opener.partner_id,
            client_id=opener.client_id,
            consent_id=opener.consent_id,
            programme_code=asked.programme_code,
            programme_version=promised.document.version,
            decision_id=decision_id,
            reservation_id=reservation_id,
            reference=asked.reference,
            state=State.CREATED,
            confirmed_by=None,
            opened_fen=asked.amount_fen,
            accepts_partial=asked.accepts_partial,
            amount_fen=asked.amount_fen,
            credit_fen=credit_fen,
            settled_fen=None,
            performance=None,
            revision=1,
            created_at=now,
            confirm_by=confirm_by,
            activated_at=None,
            ended_at=None,
        )
    )
    if not at_once:
        await store.insert_order(tx, order)
        await tell_of_order(tx, order, "open", now=now)
        return order
    active = rules.activated(order, by="consent", reservation_id=reservation_id, now=now)
    await store.insert_order(tx, active)
    await tell_of_order(tx, order, "open", now=now, to_citizen=False)
    await tell_of_order(tx, active, "start", now=now)
    return active
