"""Goal: a partner gets a yes only when everything holds, and every no is the same nothing.

Method: evidence that holds, with one thing taken away at a time; the digest and the trace are
worked out again from what is kept.
"""

import hashlib
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest

from backend.programme.rules.benefit import DepositWaiver
from backend.programme.rules.document import Programme
from backend.programme.rules.eligibility import (
    Cause,
    Decision,
    EligibilityAnswer,
    EligibilityCheck,
    Evidence,
    Verdict,
    answer_of,
    covers,
    decide,
    facts_digest,
    facts_in,
    seconds_to_midnight,
    trace_of,
    valid_until,
)
from backend.programme.rules.rule import facts_of as facts_read_by
from backend.programme.service import packaged_documents
from backend.score.rules.state import facts_of
from backend.score.service import packaged_scorecard

NOW = datetime(2026, 11, 20, 2, tzinfo=UTC)
LIBRARY = next(each for each in packaged_documents() if each.document.code == "library")
SCORECARD = packaged_scorecard()
VALUES = [100 + place for place, _ in enumerate(SCORECARD.indicators)]
FACTS = {
    "score": 700,
    "indicator.library_overdue": 0,
    "indicator.library_returns": 5,
    "indicator.volunteer_hours": 0,
    "indicator.tax_level": 5,
}
EVIDENCE = Evidence(
    position=0,
    purpose="deposit_free_borrowing",
    consent_expires_at=NOW + timedelta(days=30),
    per_day=50,
    looks_today=0,
    checks_a_day=None,
    partner_code="city-library",
    partner_kind="merchant",
    partner_name_zh="市图书馆",
    partner_name_en="City Library",
    is_partner_suspended=False,
    is_programme_ended=False,
    current_digest=LIBRARY.digest,
    promised_digest=LIBRARY.digest,
    is_granted=False,
    participation_key=b"key",
    points=700,
    dimensions=[1, 2, 3, 4, 5],
    indicator_values=[10] * len(SCORECARD.indicators),
    scorecard_version="2026-2",
    scorecard_digest=SCORECARD.digest,
    score_digest=b"d" * 32,
    score_as_of=date(2026, 11, 20),
)
CHECK = EligibilityCheck(UUID(int=1), UUID(int=2), UUID(int=3), "library-demo", "library")


def verdict_on(
    promised: Programme | None = LIBRARY, facts: dict[str, int] | None = FACTS, **changes: Any
) -> Verdict:
    evidence = msgspec.structs.replace(EVIDENCE, **changes)
    return decide(evidence, facts=facts, current=LIBRARY, promised=promised, now=NOW)


def test_the_facts_are_those_of_the_scorecard_the_score_was_worked_out_with() -> None:
    every = facts_of(SCORECARD, points=700, dimensions=[1, 2, 3, 4, 5], indicator_values=VALUES)
    evidence = msgspec.structs.replace(EVIDENCE, indicator_values=VALUES)
    for programme in packaged_documents():
        facts = facts_in(evidence, {SCORECARD.digest: SCORECARD}, programme=programme)
        assert facts is not None
        assert [*facts] == sorted(facts_read_by(programme.rule)), "no more than the rule reads"
        assert facts == {code: every[code] for code in facts}
    without = msgspec.structs.replace(EVIDENCE, scorecard_digest=None)
    assert facts_in(without, {}, programme=LIBRARY) is None


def changed(programme: Programme, **changes: Any) -> Programme:
    document = msgspec.structs.replace(programme.document, **changes)
    return msgspec.structs.replace(programme, document=document)


def decision_of(verdict: Verdict) -> Decision:
    return Decision(
        check=CHECK,
        evidence=EVIDENCE,
        decision_id=UUID(int=9),
        entry_id=UUID(int=8),
        programme_version=1,
        eligible=verdict.eligible,
        facts_digest=b"",
        trace_sealed=None,
        valid_until=NOW if verdict.eligible else None,
        look_number=1,
        purpose_zh="",
        purpose_en="",
    )


def test_a_yes_carries_the_benefit_and_nothing_about_the_citizen() -> None:
    answer = answer_of(decision_of(verdict_on()), verdict_on())
    assert answer == EligibilityAnswer(True, "library", DepositWaiver(10000), UUID(int=9), NOW)


@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        ({}, Cause.ELIGIBLE),
        ({"is_programme_ended": True}, Cause.PROGRAMME_CLOSED),
        ({"is_partner_suspended": True}, Cause.PARTNER_NOT_LISTED),
        ({"partner_code": "city-museum"}, Cause.PARTNER_NOT_LISTED),
        ({"participation_key": None, "facts": None}, Cause.NOT_PARTICIPATING),
        ({"promised": None}, Cause.NOT_ENROLLED),
        ({"facts": None}, Cause.NO_SCORE),
        ({"facts": {**FACTS, "score": 599}}, Cause.RULE_NOT_MET),
        ({"facts": {**FACTS, "indicator.library_overdue": 3}}, Cause.RULE_NOT_MET),
        ({"is_granted": True}, Cause.ELIGIBLE),
        ({"is_granted": True, "facts": {**FACTS, "score": 599}}, Cause.GRANTED),
        ({"is_granted": True, "facts": None}, Cause.NO_SCORE),
        ({"is_granted": True, "is_programme_ended": True}, Cause.PROGRAMME_CLOSED),
        ({"is_granted": True, "is_partner_suspended": True}, Cause.PARTNER_NOT_LISTED),
    ],
)
def test_every_cause_of_a_no_gives_the_same_answer(changes: dict[str, Any], cause: Cause) -> None:
    verdict = verdict_on(**changes)
    assert verdict.cause is cause
    answer = answer_of(decision_of(verdict), verdict)
    assert answer.eligible is (cause in {Cause.ELIGIBLE, Cause.GRANTED})
    if not answer.eligible:
        assert answer == EligibilityAnswer(False, None, None, None, None)


def test_the_rule_is_evaluated_whatever_the_cause() -> None:
    for changes in ({"is_programme_ended": True}, {"facts": None}, {"promised": None}):
        verdict = verdict_on(**changes)
        assert len(verdict.trace.clauses) == len(LIBRARY.rule)


def test_a_running_enrolment_keeps_the_rule_and_benefit_it_was_promised() -> None:
    promised = changed(LIBRARY, benefit=DepositWaiver(9000), version=7)
    promised = msgspec.structs.replace(promised, rule=LIBRARY.rule[1:])
    verdict = verdict_on(promised, facts={**FACTS, "score": 1})
    assert verdict.cause is Cause.ELIGIBLE
    assert answer_of(decision_of(verdict), verdict).benefit == DepositWaiver(9000)


def test_partners_and_period_are_those_in_force() -> None:
    promised = changed(LIBRARY, partners=["city-museum"], ends_on=date(2026, 1, 2))
    assert verdict_on(promised).cause is Cause.ELIGIBLE
    closed = changed(LIBRARY, ends_on=date(2026, 11, 19))
    verdict = decide(EVIDENCE, facts=FACTS, current=closed, promised=LIBRARY, now=NOW)
    assert verdict.cause is Cause.PROGRAMME_CLOSED


def test_the_trace_keeps_the_facts_the_rule_reads_and_no_others() -> None:
    trace = trace_of(verdict_on(), evidence=EVIDENCE, salt=bytes(16))
    assert set(trace.facts) == set(LIBRARY.document.facts)
    assert "indicator.tax_level" not in trace.facts


def test_the_trace_says_from_which_score_the_facts_are() -> None:
    """产品原则 8: the next day the score is another one; the decision still says which it was."""
    trace = trace_of(verdict_on(), evidence=EVIDENCE, salt=bytes(16))
    assert (trace.scorecard_version, trace.score_as_of) == ("2026-2", date(2026, 11, 20))
    assert trace.score_digest == EVIDENCE.score_digest


def test_the_digest_can_be_worked_out_again_from_the_trace_and_from_nothing_else() -> None:
    trace = trace_of(verdict_on(), evidence=EVIDENCE, salt=b"s" * 16)
    from_score = (b"d" * 32).hex()
    inputs = msgspec.json.encode([LIBRARY.digest.hex(), from_score, trace.facts], order="sorted")
    assert facts_digest(trace) == hashlib.sha256(b"s" * 16 + inputs).digest()
    salted = msgspec.structs.replace(trace, salt=b"t" * 16)
    assert facts_digest(salted) != facts_digest(trace)
    other = msgspec.structs.replace(trace, score_digest=b"e" * 32)
    assert facts_digest(other) != facts_digest(trace)
    with pytest.raises(AssertionError, match="short salt"):
        facts_digest(msgspec.structs.replace(trace, salt=b"s"))


@pytest.mark.parametrize(
    ("consent_ends", "last_day", "until"),
    [
        (timedelta(days=30), None, NOW + timedelta(seconds=600)),
        (timedelta(seconds=60), None, NOW + timedelta(seconds=60)),
        # 2026-11-20 ends in the city at 16:00 UTC.
        (timedelta(days=30), date(2026, 11, 20), NOW + timedelta(seconds=600)),
    ],
)
def test_a_yes_never_outlives_the_consent_or_the_programme(
    consent_ends: timedelta, last_day: date | None, until: datetime
) -> None:
    current = changed(LIBRARY, ends_on=last_day)
    expires_at = NOW + consent_ends
    assert (
        valid_until(verdict_on(), current=current, consent_expires_at=expires_at, now=NOW) == until
    )


def test_a_yes_on_the_last_evening_ends_at_the_citys_midnight() -> None:
    evening = datetime(2026, 11, 20, 15, 55, tzinfo=UTC)
    until = valid_until(
        verdict_on(),
        current=changed(LIBRARY, ends_on=date(2026, 11, 20)),
        consent_expires_at=evening + timedelta(days=1),
        now=evening,
    )
    assert until == datetime(2026, 11, 20, 16, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "seconds"),
    [
        (datetime(2026, 11, 20, 16, 0, tzinfo=UTC), 86_400),
        (datetime(2026, 11, 20, 15, 59, 59, tzinfo=UTC), 1),
        (datetime(2026, 11, 20, 15, 59, 59, 999_999, tzinfo=UTC), 1),
        (datetime(2026, 11, 20, 15, 59, 58, 1, tzinfo=UTC), 2),  # who waits this long is let in
    ],
)
def test_looks_begin_anew_at_the_citys_midnight(now: datetime, seconds: int) -> None:
    assert seconds_to_midnight(now) == seconds


@pytest.mark.parametrize(
    ("details", "is_covered"),
    [
        ([], False),
        ([{"type": "eligibility", "programme": "library"}], True),
        ([{"type": "eligibility", "programme": "rental"}], False),
        ([{"type": "credit_report", "programme": "library"}], False),
        ([{"type": "eligibility"}], False),
    ],
)
def test_a_token_covers_the_programme_it_names(
    details: list[dict[str, Any]], is_covered: bool
) -> None:
    assert covers(details, "library") is is_covered
