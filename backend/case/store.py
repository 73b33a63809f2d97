"""SQL of cases."""

from datetime import date, datetime
from uuid import UUID

from backend.case.rules import Answer, Case
from backend.kit.postgres import ReadTx, Tx


async def insert_case(tx: Tx, case: Case) -> bool:
    """Insert an open case; False when one about the same thing is open (the index decides)."""
    count = await tx.execute(
        """INSERT INTO review_case
             (subject_id, case_id, kind, object, text_sealed, state, opened_at, due_on)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
           ON CONFLICT (subject_id, kind, object) WHERE state = 'open' DO NOTHING""",
        case.subject_id,
        case.case_id,
        case.kind,
        case.object,
        case.text_sealed,
        case.state,
        case.opened_at,
        case.due_on,
    )
    return count == 1


async def find_case(tx: ReadTx, case_id: UUID) -> Case | None:
    """Return a case by its id alone, as operators have it, or None."""
    return await tx.fetch_optional(
        Case,
        """SELECT subject_id, case_id, kind, object, text_sealed, state, opened_at, due_on,
                  taken_by, outcome, answer_zh, answer_en, decided_by, decided_at
           FROM review_case WHERE case_id = $1""",
        case_id,
    )


async def find_case_of(tx: ReadTx, subject_id: UUID, case_id: UUID) -> Case | None:
    """Return a citizen's case, or None."""
    return await tx.fetch_optional(
        Case,
        """SELECT subject_id, case_id, kind, object, text_sealed, state, opened_at, due_on,
                  taken_by, outcome, answer_zh, answer_en, decided_by, decided_at
           FROM review_case WHERE subject_id = $1 AND case_id = $2""",
        subject_id,
        case_id,
    )


async def list_by_citizen(
    tx: ReadTx, subject_id: UUID, *, before: UUID | None, limit: int
) -> list[Case]:
    """Return a citizen's cases older than `before`, newest first."""
    return await tx.fetch_all(
        Case,
        """SELECT subject_id, case_id, kind, object, text_sealed, state, opened_at, due_on,
                  taken_by, outcome, answer_zh, answer_en, decided_by, decided_at
           FROM review_case
           WHERE subject_id = $1 AND ($2::uuid IS NULL OR case_id < $2)
           ORDER BY case_id DESC LIMIT $3""",
        subject_id,
        before,
        limit,
    )


async def list_open(
    tx: ReadTx,
    *,
    due_before: date | None,
    after_due: date | None,
    after_id: UUID | None,
    limit: int,
) -> list[Case]:
    """Return open cases, the first to be due first, from behind a place on."""
    return await tx.fetch_all(
        Case,
        """SELECT subject_id, case_id, kind, object, text_sealed, state, opened_at, due_on,
                  taken_by, outcome, answer_zh, answer_en, decided_by, decided_at
           FROM review_case
           WHERE state = 'open' AND ($1::date IS NULL OR due_on < $1)
             AND ($2::date IS NULL OR (due_on, case_id) > ($2, $3::uuid))
           ORDER BY due_on, case_id LIMIT $4""",
        due_before,
        after_due,
        after_id,
        limit,
    )


async def count_open(tx: ReadTx, *, due_before: date | None) -> int:
    """Return how many cases are open, or open and due before a day."""
    return await tx.fetch_value(
        int,
        """SELECT count(*) FROM review_case
           WHERE state = 'open' AND ($1::date IS NULL OR due_on < $1)""",
        due_before,
    )


async def take_case(
    tx: Tx, subject_id: UUID, case_id: UUID, *, by: str, taken_from: str | None
) -> bool:
    """Give an open case to an operator; False unless it is still with whom it was seen with."""
    count = await tx.execute(
        """UPDATE review_case SET taken_by = $3
           WHERE subject_id = $1 AND case_id = $2 AND state = 'open'
             AND (taken_by IS NOT DISTINCT FROM $4 OR taken_by = $3)""",
        subject_id,
        case_id,
        by,
        taken_from,
    )
    return count == 1


async def decide_case(
    tx: Tx, subject_id: UUID, case_id: UUID, *, answer: Answer, by: str, now: datetime
) -> Case | None:
    """Decide an open case that nobody else has taken, and return it; None if it isn't one."""
    return await tx.fetch_optional(
        Case,
        """UPDATE review_case
           SET state = 'decided', outcome = $3, answer_zh = $4, answer_en = $5,
               decided_by = $6, decided_at = $7, taken_by = $6
           WHERE subject_id = $1 AND case_id = $2 AND state = 'open'
             AND (taken_by IS NULL OR taken_by = $6)
           RETURNING subject_id, case_id, kind, object, text_sealed, state, opened_at, due_on,
                     taken_by, outcome, answer_zh, answer_en, decided_by, decided_at""",
        subject_id,
        case_id,
        answer.outcome.value,
        answer.zh,
        answer.en,
        by,
        now,
    )


async def withdraw_case(tx: Tx, subject_id: UUID, case_id: UUID) -> bool:
    """Withdraw an open case and forget what was written; False when it isn't open."""
    count = await tx.execute(
        """UPDATE review_case SET state = 'withdrawn', text_sealed = NULL
           WHERE subject_id = $1 AND case_id = $2 AND state = 'open'""",
        subject_id,
        case_id,
    )
    return count == 1


async def delete_cases(tx: Tx, subject_id: UUID) -> None:
    """Delete every case of a citizen."""
    await tx.execute("""DELETE FROM review_case WHERE subject_id = $1""", subject_id)


async def delete_ended(tx: Tx, *, due_before: date, decided_before: datetime) -> int:
    """Delete cases that were due and ended long ago; at most 10,000 at a time."""
    return await tx.execute(
        """DELETE FROM review_case WHERE (subject_id, case_id) IN (
             SELECT subject_id, case_id FROM review_case
             WHERE state <> 'open' AND due_on < $1 AND (decided_at IS NULL OR decided_at < $2)
             LIMIT 10000)""",
        due_before,
        decided_before,
    )
