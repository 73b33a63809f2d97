"""What a partner learns of one citizen: yes with the benefit, or nothing.

Every cause of a no takes the same way and the same work: the rule is evaluated, a decision and a
look are written. Only the citizen can see the cause, in the sealed trace.
"""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

import msgspec

from backend.kit.clock import CITY_ZONE, city_date
from backend.programme.rules.benefit import Benefit
from backend.programme.rules.document import Programme
from backend.programme.rules.rule import Facts, Step, Trace, evaluate
from backend.programme.rules.rule import facts_of as facts_read_by
from backend.score.rules.scorecard import Scorecard
from backend.score.rules.state import fact_codes_of, figures_of

DATA_KINDS = ("eligibility",)
# Whoever may open an order of a programme may check beforehand.
CHECKED_DETAILS = frozenset({"eligibility", "service_order"})
ACTION = "eligibility_check"
_ACTOR_KINDS = {"merchant": "partner", "lender": "lender"}


class EligibilityCheck(msgspec.Struct, frozen=True):
    """A partner's question about the citizen its token stands for."""

    subject_id: UUID
    consent_id: UUID
    partner_id: UUID
    client_id: str
    programme_code: str


class EligibilityAnswer(msgspec.Struct, frozen=True):
    """What the partner is told; everything but `eligible` is None in a no."""

    eligible: bool
    programme_code: str | None
    benefit: Benefit | None
    decision_id: UUID | None
    valid_until: datetime | None


class ConsentGone(msgspec.Struct, frozen=True):
    """The consent ended before the answer: the partner sees what it sees of any dead token."""


class LooksSpent(msgspec.Struct, frozen=True):
    """The looks of this day, the consent's or the partner's, are used up; nothing was disclosed."""

    retry_after_seconds: int


class LookRaced(msgspec.Struct, frozen=True):
    """Another process took this look's number at the same moment: nothing was written."""


Outcome = EligibilityAnswer | ConsentGone | LooksSpent | LookRaced


class Evidence(msgspec.Struct, frozen=True):
    """All that is known about one check whose consent is in force, in one row.

    `position` is the place of the check in its batch. A digest names a programme version; the
    promised one is that of the running enrolment, for which `is_granted` says that a person let its
    rule count as met. What is known of the score is None where there
    is none; `dimensions` are in the order of DIMENSIONS. `checks_a_day` bounds the partner
    over all its consents; None is no bound.
    """

    position: int
    purpose: str
    consent_expires_at: datetime
    per_day: int
    looks_today: int
    checks_a_day: int | None
    partner_code: str
    partner_kind: str
    partner_name_zh: str
    partner_name_en: str
    is_partner_suspended: bool
    is_programme_ended: bool
    current_digest: bytes
    promised_digest: bytes | None
    is_granted: bool
    participation_key: bytes | None
    points: int | None
    dimensions: list[int] | None
    indicator_values: list[int] | None
    scorecard_version: str | None
    scorecard_digest: bytes | None
    score_digest: bytes | None
    score_as_of: date | None


class Cause(StrEnum):
    """Why the answer is what it is."""

    ELIGIBLE = "eligible"
    GRANTED = "granted"
    PROGRAMME_CLOSED = "programme_closed"
    PARTNER_NOT_LISTED = "partner_not_listed"
    NOT_PARTICIPATING = "not_participating"
    NOT_ENROLLED = "not_enrolled"
    NO_SCORE = "no_score"
    RULE_NOT_MET = "rule_not_met"


class Verdict(msgspec.Struct, frozen=True):
    """A decision with its cause, the version it was made by, and how the rule came out on what."""

    cause: Cause
    programme: Programme
    facts: Facts | None
    trace: Trace

    @property
    def eligible(self) -> bool:
        """Whether the answer is yes."""
        return self.cause in {Cause.ELIGIBLE, Cause.GRANTED}


class DecisionTrace(msgspec.Struct, frozen=True):
    """What is sealed beside a decision: with it, the decision can be made again.

    The score's version, input digest and day say what the facts were worked out from; they are
    None where there was no score.
    """

    salt: bytes
    cause: Cause
    programme_code: str
    programme_version: int
    programme_digest: bytes
    scorecard_version: str | None
    score_digest: bytes | None
    score_as_of: date | None
    facts: dict[str, int]
    clauses: list[list[Step]]


class Decision(msgspec.Struct, frozen=True):
    """One row of `decision`, with all that its look in the ledger says."""

    check: EligibilityCheck
    evidence: Evidence
    decision_id: UUID
    entry_id: UUID
    programme_version: int
    eligible: bool
    facts_digest: bytes
    trace_sealed: bytes | None
    valid_until: datetime | None
    look_number: int
    purpose_zh: str
    purpose_en: str

    @property
    def actor_kind(self) -> str:
        """Who looked, in the ledger's words."""
        return _ACTOR_KINDS[self.evidence.partner_kind]

    @property
    def disclosed(self) -> str:
        """What the ledger says the partner was told."""
        return "eligible" if self.eligible else "not_eligible"


def facts_in(
    evidence: Evidence, scorecards: Mapping[bytes, Scorecard], *, programme: Programme
) -> Facts | None:
    """Return the facts of the citizen checked that a programme's rule reads, in order of codes.

    None for a citizen without a score. `scorecards` are by digest; the one that the score was
    worked out with is among them.
    """
    if evidence.scorecard_digest is None:
        return None
    assert evidence.points is not None, "a score is there as a whole"
    figures = figures_of(
        points=evidence.points,
        dimensions=evidence.dimensions or (),
        indicator_values=evidence.indicator_values or (),
    )
    scorecard = scorecards[evidence.scorecard_digest]
    return {code: figures[place] for code, place in _places_read(programme, scorecard)}


_known_places: dict[tuple[bytes, bytes], tuple[tuple[str, int], ...]] = {}
_KNOWN_PLACES_MAX = 1_024


def _places_read(programme: Programme, scorecard: Scorecard) -> tuple[tuple[str, int], ...]:
    """Return where a scorecard's figures have the facts that a rule reads; found once."""
    found = _known_places.get((programme.digest, scorecard.digest))
    if found is None:
        read = facts_read_by(programme.rule)
        places = ((code, place) for place, code in enumerate(fact_codes_of(scorecard)))
        found = tuple(sorted(each for each in places if each[0] in read))
        if len(_known_places) >= _KNOWN_PLACES_MAX:
            _known_places.clear()
        _known_places[programme.digest, scorecard.digest] = found
    return found


def decide(
    evidence: Evidence,
    *,
    facts: Facts | None,
    current: Programme,
    promised: Programme | None,
    now: datetime,
) -> Verdict:
    """Decide one check: partners and period by the version in force, rule and benefit as promised.

    The rule is evaluated whatever the cause, on no facts where there are none. A grant by a
    person stands in for a rule that isn't met: it only ever adds a yes.
    """
    programme = promised or current
    trace = evaluate(programme.rule, facts or {})
    is_open = not evidence.is_programme_ended and current.document.is_open_on(city_date(now))
    is_listed = (
        not evidence.is_partner_suspended and evidence.partner_code in current.document.partners
    )
    if not is_open:
        cause = Cause.PROGRAMME_CLOSED
    elif not is_listed:
        cause = Cause.PARTNER_NOT_LISTED
    elif evidence.participation_key is None:
        cause = Cause.NOT_PARTICIPATING
    elif promised is None:
        cause = Cause.NOT_ENROLLED
    elif facts is None:
        cause = Cause.NO_SCORE
    else:
        unmet = Cause.GRANTED if evidence.is_granted else Cause.RULE_NOT_MET
        cause = Cause.ELIGIBLE if trace.holds else unmet
    return Verdict(cause, programme, facts, trace)


def trace_of(verdict: Verdict, *, evidence: Evidence, salt: bytes) -> DecisionTrace:
    """Return what is kept of a verdict: of the facts, those that the rule reads."""
    document = verdict.programme.document
    read = facts_read_by(verdict.programme.rule)
    facts: Facts = verdict.facts or {}
    return DecisionTrace(
        salt=salt,
        cause=verdict.cause,
        programme_code=document.code,
        programme_version=document.version,
        programme_digest=verdict.programme.digest,
        scorecard_version=evidence.scorecard_version,
        score_digest=evidence.score_digest,
        score_as_of=evidence.score_as_of,
        facts={code: value for code, value in sorted(facts.items()) if code in read},
        clauses=verdict.trace.clauses,
    )


def facts_digest(trace: DecisionTrace) -> bytes:
    """Return the salted SHA-256 of a decision's inputs.

    Few facts have many values, so without the salt the digest alone would give them away. The
    salt is erased with the trace.
    """
    assert len(trace.salt) >= 16, "a short salt can be tried out"
    score = "" if trace.score_digest is None else trace.score_digest.hex()
    inputs = msgspec.json.encode([trace.programme_digest.hex(), score, trace.facts], order="sorted")
    return hashlib.sha256(trace.salt + inputs).digest()


def valid_until(
    verdict: Verdict, *, current: Programme, consent_expires_at: datetime, now: datetime
) -> datetime:
    """Return until when a partner may rely on a yes: never past the consent or the programme."""
    life = timedelta(seconds=verdict.programme.document.answer_valid_seconds)
    ends = [now + life, consent_expires_at]
    last_day = current.document.ends_on
    if last_day is not None:
        after = datetime.combine(last_day + timedelta(days=1), time(), CITY_ZONE)
        ends.append(after.astimezone(UTC))
    until = min(ends)
    assert until > now, "what is open and consented to is valid for a while"
    return until


def answer_of(decision: Decision, verdict: Verdict) -> EligibilityAnswer:
    """Return what the partner is told of a decision."""
    if not decision.eligible:
        return EligibilityAnswer(False, None, None, None, None)
    assert decision.valid_until is not None, "a yes has an end"
    document = verdict.programme.document
    return EligibilityAnswer(
        eligible=True,
        programme_code=document.code,
        benefit=document.benefit,
        decision_id=decision.decision_id,
        valid_until=decision.valid_until,
    )


def seconds_to_midnight(now: datetime) -> int:
    """Return the whole seconds until the city's next day has begun, rounded up."""
    local = now.astimezone(CITY_ZONE)
    midnight = datetime.combine(local.date() + timedelta(days=1), time(), CITY_ZONE)
    return -((local - midnight) // timedelta(seconds=1))


def covers(details: Sequence[Mapping[str, Any]], programme_code: str) -> bool:
    """Say whether a token's authorization details (RFC 9396) cover a programme's check."""
    return any(
        detail.get("type") in CHECKED_DETAILS and detail.get("programme") == programme_code
        for detail in details
    )
