"""SQL of passes over all scores, and of who works on which part."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from backend.kit.postgres import ReadTx, Tx
from backend.score.rules.run import Part, Progress, Run


async def hold_scorecard(tx: Tx) -> None:
    """Keep passes from beginning until the transaction ends: it works with the one in force."""
    await tx.execute("""SELECT pg_advisory_xact_lock_shared(hashtext('score_run'))""")


async def wait_for_scorecards(tx: Tx) -> None:
    """Wait until nobody works with a scorecard read before, and keep others from beginning."""
    await tx.execute("""SELECT pg_advisory_xact_lock(hashtext('score_run'))""")


async def find_unfinished(tx: ReadTx) -> Run | None:
    """Return the pass under way, or None; the unique index allows one."""
    return await tx.fetch_optional(
        Run,
        """SELECT run_id, scorecard_version, started_at, finished_at
           FROM score_run WHERE finished_at IS NULL""",
    )


async def insert_run(tx: Tx, run: Run, parts: Sequence[Part]) -> None:
    """Begin a pass."""
    await tx.execute(
        """INSERT INTO score_run (run_id, scorecard_version, started_at) VALUES ($1, $2, $3)""",
        run.run_id,
        run.scorecard_version,
        run.started_at,
    )
    await tx.execute(
        """INSERT INTO score_run_part (run_id, ordinal, first_subject, end_subject)
           SELECT $1, * FROM unnest($2::bigint[], $3::uuid[], $4::uuid[])""",
        run.run_id,
        [part.ordinal for part in parts],
        [part.first_subject for part in parts],
        [part.end_subject for part in parts],
    )


async def claim_part(tx: Tx, run_id: UUID) -> Part | None:
    """Lock and return a part that is not done and that nobody else is at, or None."""
    return await tx.fetch_optional(
        Part,
        """SELECT run_id, ordinal, first_subject, end_subject FROM score_run_part
           WHERE run_id = $1 AND done_at IS NULL
           ORDER BY ordinal LIMIT 1 FOR UPDATE SKIP LOCKED""",
        run_id,
    )


async def save_part(tx: Tx, part: Part, *, seen: int, changed: int, now: datetime) -> None:
    """Note that a part is done."""
    await tx.execute(
        """UPDATE score_run_part SET seen = $3, changed = $4, done_at = $5
           WHERE run_id = $1 AND ordinal = $2""",
        part.run_id,
        part.ordinal,
        seen,
        changed,
        now,
    )


async def get_progress(tx: ReadTx, run_id: UUID) -> Progress:
    """Return how far a pass is."""
    return await tx.fetch_one(
        Progress,
        """SELECT count(*) AS parts_total, count(done_at) AS parts_done,
                  coalesce(sum(seen), 0)::bigint AS seen,
                  coalesce(sum(changed), 0)::bigint AS changed
           FROM score_run_part WHERE run_id = $1""",
        run_id,
    )


async def finish_run(tx: Tx, run_id: UUID, now: datetime) -> None:
    """End a pass, whether or not parts are left."""
    await tx.execute(
        """UPDATE score_run SET finished_at = $2 WHERE run_id = $1 AND finished_at IS NULL""",
        run_id,
        now,
    )
