"""SQL of single records whose state is decided upon, and of the steps taken with them."""

from datetime import datetime
from uuid import UUID

import msgspec

from backend.kit.postgres import Tx
from backend.record.rules.life import RecordVersion


class RecordStep(msgspec.Struct, frozen=True):
    """One step of a dispute or a repair: by whom, why, when."""

    subject_id: UUID
    step_id: UUID
    record_id: UUID
    step: str
    actor: str
    reason: str
    at: datetime


async def find_source(tx: Tx, subject_id: UUID, record_id: UUID) -> str | None:
    """Return whose a version of a subject's records is, or None when there is none."""
    return await tx.fetch_optional_value(
        str,
        """SELECT source_code FROM record WHERE subject_id = $1 AND record_id = $2""",
        subject_id,
        record_id,
    )


async def lock_version(tx: Tx, subject_id: UUID, record_id: UUID) -> RecordVersion | None:
    """Return a version of a subject's records and keep it as it is until the transaction ends."""
    return await tx.fetch_optional(
        RecordVersion,
        """SELECT subject_id, record_id, class_code, source_code, external_id, version, quantity,
                  occurred_on, ended_on, ends_on, reported_at, disputed_at, repaired_at,
                  fingerprint, action, superseded_at
           FROM record WHERE subject_id = $1 AND record_id = $2 FOR UPDATE""",
        subject_id,
        record_id,
    )


async def save_marks(tx: Tx, record: RecordVersion) -> int:
    """Write whether a current version is disputed or repaired; return how many rows that was."""
    return await tx.execute(
        """UPDATE record SET disputed_at = $5, repaired_at = $6
           WHERE subject_id = $1 AND source_code = $2 AND external_id = $3 AND version = $4
               AND superseded_at IS NULL""",
        record.subject_id,
        record.source_code,
        record.external_id,
        record.version,
        record.disputed_at,
        record.repaired_at,
    )


async def insert_step(tx: Tx, step: RecordStep) -> None:
    """Write a step."""
    await tx.execute(
        """INSERT INTO record_step (subject_id, step_id, record_id, step, actor, reason, at)
           VALUES ($1, $2, $3, $4, $5, $6, $7)""",
        step.subject_id,
        step.step_id,
        step.record_id,
        step.step,
        step.actor,
        step.reason,
        step.at,
    )


async def list_steps(tx: Tx, subject_id: UUID) -> list[RecordStep]:
    """Return the steps taken with a subject's records, oldest first."""
    return await tx.fetch_all(
        RecordStep,
        """SELECT subject_id, step_id, record_id, step, actor, reason, at
           FROM record_step WHERE subject_id = $1 ORDER BY at, step_id""",
        subject_id,
    )
