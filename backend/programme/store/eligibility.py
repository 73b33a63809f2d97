"""SQL of a batch of eligibility checks: one statement reads everything, one writes everything.

Both reach over rooms: they read consent, participation, score and partner, and write the ledger.
One statement a room would be eight round trips a batch: see docs/adr/0009-eligibility-batch.md.
"""

from collections.abc import Sequence
from datetime import date, datetime
from uuid import UUID

import msgspec

from backend.kit.postgres import Tx
from backend.programme.rules.eligibility import (
    ACTION,
    DATA_KINDS,
    Decision,
    EligibilityCheck,
    Evidence,
)


class WrittenDecision(msgspec.Struct, frozen=True):
    """A decision that went in, and its look with it."""

    decision_id: UUID


async def gather_evidence(
    tx: Tx, checks: Sequence[EligibilityCheck], *, now: datetime, day: date
) -> list[Evidence]:
    """Return one row for each check whose consent is in force, in any order.

    The consents are held until the transaction ends: whoever withdraws one waits for the answer
    that is under way, and there is none afterwards. They are locked in one order, so that two
    batches, or a batch and a citizen who leaves, can't wait for each other.
    """
    return await tx.fetch_all(
        Evidence,
        """WITH asked AS (
             SELECT * FROM unnest($1::bigint[], $2::uuid[], $3::uuid[], $4::uuid[], $5::text[],
                                  $6::text[])
               AS a (position, subject_id, consent_id, partner_id, client_id, programme_code)),
           held AS (
             SELECT asked.position, asked.subject_id, asked.consent_id, asked.partner_id,
                    asked.programme_code, consent.purpose, consent.expires_at,
                    (consent.detail ->> 'per_day')::bigint AS per_day
             FROM asked JOIN consent
               ON consent.subject_id = asked.subject_id AND consent.consent_id = asked.consent_id
             WHERE consent.ended_at IS NULL AND consent.expires_at > $7
               AND consent.partner_id = asked.partner_id
               AND consent.client_id = asked.client_id
               AND consent.programme_code = asked.programme_code
             ORDER BY consent.subject_id, consent.consent_id
             FOR SHARE OF consent)
           SELECT held.position, held.purpose, held.expires_at AS consent_expires_at,
                  held.per_day,
                  coalesce((
                    SELECT max(decision.look_number) FROM decision
                    WHERE decision.subject_id = held.subject_id
                      AND decision.consent_id = held.consent_id AND decision.day = $8), 0
                  ) AS looks_today,
                  partner.checks_a_day, partner.code AS partner_code, partner.kind AS partner_kind,
                  partner.name_zh AS partner_name_zh, partner.name_en AS partner_name_en,
                  partner.suspended_at IS NOT NULL AS is_partner_suspended,
                  programme.ended_at IS NOT NULL OR programme.paused_at IS NOT NULL
                    AS is_programme_ended,
                  programme.digest AS current_digest, promised.digest AS promised_digest,
                  enrolment.granted_by_case_id IS NOT NULL AS is_granted,
                  participation.data_key AS participation_key, score.points,
                  CASE WHEN score.subject_id IS NOT NULL THEN ARRAY[
                    score.identity_points, score.performance_points, score.law_points,
                    score.economic_points, score.civic_points] END AS dimensions,
                  score.indicator_values, score.scorecard_version,
                  scorecard.digest AS scorecard_digest, score.input_digest AS score_digest,
                  score.as_of AS score_as_of
           FROM held
           JOIN partner ON partner.partner_id = held.partner_id
           JOIN programme ON programme.programme_code = held.programme_code
           LEFT JOIN participation ON participation.subject_id = held.subject_id
           LEFT JOIN score ON score.subject_id = held.subject_id
           LEFT JOIN scorecard ON scorecard.version = score.scorecard_version
           LEFT JOIN enrolment ON enrolment.subject_id = held.subject_id
             AND enrolment.programme_code = held.programme_code AND enrolment.ended_at IS NULL
           LEFT JOIN programme_version AS promised
             ON promised.programme_code = enrolment.programme_code
             AND promised.version = enrolment.programme_version""",
        list(range(len(checks))),
        [check.subject_id for check in checks],
        [check.consent_id for check in checks],
        [check.partner_id for check in checks],
        [check.client_id for check in checks],
        [check.programme_code for check in checks],
        now,
        day,
    )


async def insert_decisions(
    tx: Tx, decisions: Sequence[Decision], *, now: datetime, day: date
) -> set[UUID]:
    """Insert decisions and the look each of them is; return the ids of those that went in.

    A look number that somebody else took at the same moment is left out, with its look. They go in
    in the order of the unique index: two batches that want the same numbers then wait for each
    other in one direction only.
    """
    written = await tx.fetch_all(
        WrittenDecision,
        """WITH made AS (
             SELECT * FROM unnest(
               $1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::text[], $6::uuid[],
               $7::text[], $8::bigint[], $9::boolean[], $10::bytea[], $11::bytea[],
               $12::timestamptz[], $13::bigint[], $14::text[], $15::text[], $16::text[],
               $17::text[], $18::text[], $19::text[], $20::text[], $21::text[]
             ) AS m (subject_id, decision_id, entry_id, partner_id, client_id, consent_id,
                     programme_code, programme_version, eligible, facts_digest, trace_sealed,
                     valid_until, look_number, actor_kind, actor_id, actor_name_zh,
                     actor_name_en, purpose, purpose_zh, purpose_en, disclosed)),
           written AS (
             INSERT INTO decision
               (subject_id, decision_id, partner_id, client_id, consent_id, programme_code,
                programme_version, eligible, facts_digest, trace_sealed, decided_at, valid_until,
                day, look_number)
             SELECT subject_id, decision_id, partner_id, client_id, consent_id, programme_code,
                    programme_version, eligible, facts_digest, trace_sealed, $22, valid_until,
                    $23, look_number
             FROM made ORDER BY subject_id, consent_id, look_number
             ON CONFLICT (subject_id, consent_id, day, look_number) DO NOTHING
             RETURNING decision_id)
           INSERT INTO access_entry
             (subject_id, entry_id, actor_kind, actor_id, actor_name_zh, actor_name_en, action,
              data_kinds, purpose, purpose_zh, purpose_en, consent_id, programme_code,
              decision_id, disclosed, at)
           SELECT made.subject_id, made.entry_id, made.actor_kind, made.actor_id,
                  made.actor_name_zh, made.actor_name_en, $24, $25, made.purpose,
                  made.purpose_zh, made.purpose_en, made.consent_id, made.programme_code,
                  made.decision_id, made.disclosed, $22
           FROM made JOIN written USING (decision_id)
           RETURNING decision_id""",
        [each.check.subject_id for each in decisions],
        [each.decision_id for each in decisions],
        [each.entry_id for each in decisions],
        [each.check.partner_id for each in decisions],
        [each.check.client_id for each in decisions],
        [each.check.consent_id for each in decisions],
        [each.check.programme_code for each in decisions],
        [each.programme_version for each in decisions],
        [each.eligible for each in decisions],
        [each.facts_digest for each in decisions],
        [each.trace_sealed for each in decisions],
        [each.valid_until for each in decisions],
        [each.look_number for each in decisions],
        [each.actor_kind for each in decisions],
        [each.evidence.partner_code for each in decisions],
        [each.evidence.partner_name_zh for each in decisions],
        [each.evidence.partner_name_en for each in decisions],
        [each.evidence.purpose for each in decisions],
        [each.purpose_zh for each in decisions],
        [each.purpose_en for each in decisions],
        [each.disclosed for each in decisions],
        now,
        day,
        ACTION,
        list(DATA_KINDS),
    )
    return {each.decision_id for each in written}


async def delete_traces(tx: Tx, subject_id: UUID) -> int:
    """Destroy what decisions about a citizen were made from; that they were made stays."""
    return await tx.execute(
        """UPDATE decision SET trace_sealed = NULL
           WHERE subject_id = $1 AND trace_sealed IS NOT NULL""",
        subject_id,
    )
