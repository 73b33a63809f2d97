"""Partners' checks, a batch at a time: gather, decide, write, and only then answer."""

import os
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from backend.consent.service import PURPOSES
from backend.kit.clock import city_date
from backend.kit.crypto import Vault
from backend.kit.ids import new_id
from backend.kit.postgres import Tx
from backend.programme.rules import eligibility as rules
from backend.programme.rules.document import Programme
from backend.programme.rules.eligibility import (
    ConsentGone,
    Decision,
    EligibilityCheck,
    Evidence,
    LookRaced,
    LooksSpent,
    Outcome,
    Verdict,
)
from backend.programme.service.allowance import Allowance
from backend.programme.service.publication import programmes_by_digest
from backend.programme.store import eligibility as store
from backend.score import service as score

_SALT_BYTES = 16


async def check_eligibility(
    tx: Tx, *, checks: Sequence[EligibilityCheck], vault: Vault, now: datetime
) -> list[Outcome]:
    """Decide a batch of checks, and write each decision and look; one outcome a check, in order.

    The outcomes may be told once the transaction has committed. A check whose look number somebody
    else took meanwhile is left out (LookRaced); the others stand.
    """
    day = city_date(now)
    found = {
        evidence.position: evidence
        for evidence in await store.gather_evidence(tx, checks, now=now, day=day)
    }
    digests = {evidence.current_digest for evidence in found.values()}
    digests |= {e.promised_digest for e in found.values() if e.promised_digest is not None}
    programmes = await programmes_by_digest(tx, digests)
    scored = {e.scorecard_digest for e in found.values() if e.scorecard_digest is not None}
    scorecards = await score.scorecards_by_digest(tx, scored)
    bounds = {checks[at].partner_id: evidence.checks_a_day for at, evidence in found.items()}
    allowance = await Allowance.of(tx, bounds, day=day)
    looks: Counter[tuple[UUID, UUID]] = Counter()
    # Sealing is the same work for a citizen without a key of their own; the result is dropped.
    decoy_key = vault.new_data_key()
    decisions: dict[int, Decision] = {}
    outcomes: list[Outcome] = []
    for position, check in enumerate(checks):
        evidence = found.get(position)
        if evidence is None:
            outcomes.append(ConsentGone())
            continue
        looks[check.subject_id, check.consent_id] += 1
        look_number = evidence.looks_today + looks[check.subject_id, check.consent_id]
        if look_number > evidence.per_day or not allowance.take(check.partner_id):
            outcomes.append(LooksSpent(rules.seconds_to_midnight(now)))
            continue
        current, promised = programmes[evidence.current_digest], None
        if evidence.promised_digest is not None:
            promised = programmes[evidence.promised_digest]
        verdict = rules.decide(
            evidence,
            facts=rules.facts_in(evidence, scorecards, programme=promised or current),
            current=current,
            promised=promised,
            now=now,
        )
        decision = _decision(
            check,
            evidence,
            verdict,
            current=current,
            look_number=look_number,
            vault=vault,
            decoy_key=decoy_key,
            now=now,
        )
        decisions[position] = decision
        outcomes.append(rules.answer_of(decision, verdict))
    if decisions:
        written = await store.insert_decisions(tx, [*decisions.values()], now=now, day=day)
        for position, decision in decisions.items():
            if decision.decision_id not in written:
                outcomes[position] = LookRaced()
        await allowance.save(
            tx,
            [each.check.partner_id for each in decisions.values() if each.decision_id in written],
        )
    return outcomes


def _decision(
    check: EligibilityCheck,
    evidence: Evidence,
    verdict: Verdict,
    *,
    current: Programme,
    look_number: int,
    vault: Vault,
    decoy_key: bytes,
    now: datetime,
) -> Decision:
    decision_id = new_id(now)
    trace = rules.trace_of(verdict, evidence=evidence, salt=os.urandom(_SALT_BYTES))
    sealed = vault.seal(
        evidence.participation_key or decoy_key,
        msgspec.json.encode(trace),
        aad=f"decision|trace_sealed|{decision_id}",
    )
    until = None
    if verdict.eligible:
        until = rules.valid_until(
            verdict, current=current, consent_expires_at=evidence.consent_expires_at, now=now
        )
    purpose = PURPOSES[evidence.purpose]
    return Decision(
        check=check,
        evidence=evidence,
        decision_id=decision_id,
        entry_id=new_id(now),
        programme_version=verdict.programme.document.version,
        eligible=verdict.eligible,
        facts_digest=rules.facts_digest(trace),
        trace_sealed=sealed if evidence.participation_key is not None else None,
        valid_until=until,
        look_number=look_number,
        purpose_zh=purpose.text_zh,
        purpose_en=purpose.text_en,
    )
