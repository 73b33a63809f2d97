"""SQL of scorecards: documents as they were submitted, reports about them, approvals of them."""

from datetime import datetime

import msgspec

from backend.kit.postgres import ReadTx, Tx
from backend.score.rules.publication import StoredScorecard


class ScorecardKey(msgspec.Struct, frozen=True):
    """What names a scorecard's content."""

    version: str
    digest: bytes


async def find_in_force(tx: ReadTx) -> ScorecardKey | None:
    """Return which scorecard is in force: the one that came into force last; None before any."""
    return await tx.fetch_optional(
        ScorecardKey,
        """SELECT version, digest FROM scorecard WHERE in_force_at IS NOT NULL
           ORDER BY in_force_at DESC, version DESC LIMIT 1""",
    )


async def find_scorecard(tx: ReadTx, version: str) -> StoredScorecard | None:
    """Return a scorecard as it was submitted, or None."""
    return await tx.fetch_optional(
        StoredScorecard,
        """SELECT version, document, digest, submitted_by, submitted_at, in_force_at
           FROM scorecard WHERE version = $1""",
        version,
    )


async def insert_scorecard(tx: Tx, scorecard: StoredScorecard) -> bool:
    """Keep a submitted scorecard; False when its version is taken (the primary key decides)."""
    count = await tx.execute(
        """INSERT INTO scorecard
             (version, document, digest, submitted_by, submitted_at, in_force_at)
           VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING""",
        scorecard.version,
        scorecard.document,
        scorecard.digest,
        scorecard.submitted_by,
        scorecard.submitted_at,
        scorecard.in_force_at,
    )
    return count == 1


async def lock_scorecards(tx: Tx) -> None:
    """Wait for whoever brings a scorecard into force, and keep others from it."""
    await tx.execute("""SELECT FROM scorecard ORDER BY version FOR UPDATE""")


async def save_in_force(tx: Tx, version: str, now: datetime) -> bool:
    """Bring a scorecard into force; False when it was before."""
    count = await tx.execute(
        """UPDATE scorecard SET in_force_at = $2 WHERE version = $1 AND in_force_at IS NULL""",
        version,
        now,
    )
    return count == 1
