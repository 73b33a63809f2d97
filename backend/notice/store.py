"""SQL of notices."""

from datetime import datetime
from uuid import UUID

from backend.kit.postgres import ReadTx, Tx
from backend.notice.rules import Notice


async def insert_notice(tx: Tx, notice: Notice) -> None:
    """Write a notice."""
    await tx.execute(
        """INSERT INTO notice (subject_id, notice_id, topic, facts, created_at)
           VALUES ($1, $2, $3, $4, $5)""",
        notice.subject_id,
        notice.notice_id,
        notice.topic,
        notice.facts,
        notice.created_at,
    )


async def find_notice(tx: ReadTx, subject_id: UUID, notice_id: UUID) -> Notice | None:
    """Return a citizen's notice, or None."""
    return await tx.fetch_optional(
        Notice,
        """SELECT subject_id, notice_id, topic, facts, created_at, sent_at, read_at
           FROM notice WHERE subject_id = $1 AND notice_id = $2""",
        subject_id,
        notice_id,
    )


async def list_notices(
    tx: ReadTx, subject_id: UUID, *, before: UUID | None, limit: int
) -> list[Notice]:
    """Return a citizen's notices older than `before`, newest first."""
    return await tx.fetch_all(
        Notice,
        """SELECT subject_id, notice_id, topic, facts, created_at, sent_at, read_at
           FROM notice
           WHERE subject_id = $1 AND ($2::uuid IS NULL OR notice_id < $2)
           ORDER BY notice_id DESC LIMIT $3""",
        subject_id,
        before,
        limit,
    )


async def count_unread(tx: ReadTx, subject_id: UUID, *, most: int) -> int:
    """Return how many notices a citizen hasn't read, counted up to `most`."""
    return await tx.fetch_value(
        int,
        """SELECT count(*) FROM (
             SELECT FROM notice WHERE subject_id = $1 AND read_at IS NULL LIMIT $2) AS unread""",
        subject_id,
        most,
    )


async def mark_sent(tx: Tx, subject_id: UUID, notice_id: UUID, now: datetime) -> None:
    """Note that the phone was told; telling it again keeps the first time."""
    await tx.execute(
        """UPDATE notice SET sent_at = $3
           WHERE subject_id = $1 AND notice_id = $2 AND sent_at IS NULL""",
        subject_id,
        notice_id,
        now,
    )


async def mark_read(tx: Tx, subject_id: UUID, notice_id: UUID, now: datetime) -> Notice | None:
    """Note that the citizen has read a notice, and return it; reading again keeps the first."""
    return await tx.fetch_optional(
        Notice,
        """UPDATE notice SET read_at = coalesce(read_at, $3)
           WHERE subject_id = $1 AND notice_id = $2
           RETURNING subject_id, notice_id, topic, facts, created_at, sent_at, read_at""",
        subject_id,
        notice_id,
        now,
    )


async def mark_read_up_to(tx: Tx, subject_id: UUID, newest: UUID, now: datetime) -> int:
    """Note that a citizen has read what isn't newer than a notice."""
    return await tx.execute(
        """UPDATE notice SET read_at = $3
           WHERE subject_id = $1 AND notice_id <= $2 AND read_at IS NULL""",
        subject_id,
        newest,
        now,
    )


async def delete_notices(tx: Tx, subject_id: UUID) -> None:
    """Delete every notice of a citizen."""
    await tx.execute("""DELETE FROM notice WHERE subject_id = $1""", subject_id)


async def delete_old(tx: Tx, *, created_before: datetime) -> int:
    """Delete notices that were made long ago; at most 10,000 at a time."""
    return await tx.execute(
        """DELETE FROM notice WHERE (subject_id, notice_id) IN (
             SELECT subject_id, notice_id FROM notice WHERE created_at < $1 LIMIT 10000)""",
        created_before,
    )
