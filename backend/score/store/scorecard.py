"""SQL of scorecards: documents as they were submitted, reports about them, approvals of them."""

from collections.abc import Sequence
from datetime import date, datetime
from uuid import UUID

import msgspec

from backend.kit.postgres import ReadTx, Tx
from backend.score.rules.publication import Approval, ReportFacts, StoredScorecard


class ApprovalRow(msgspec.Struct, frozen=True, kw_only=True):
    """An approval, and what the report it named was about."""

    version: str
    approver: str
    report_id: UUID
    approved_at: datetime
    scorecard_version: str
    scorecard_digest: bytes
    champion_version: str | None
    as_of: date
    made_by: str
    made_at: datetime

    @property
    def approval(self) -> Approval:
        """The approval."""
        return Approval(
            version=self.version,
            approver=self.approver,
            report_id=self.report_id,
            approved_at=self.approved_at,
        )

    @property
    def report(self) -> ReportFacts:
        """What its report was about."""
        return ReportFacts(
            report_id=self.report_id,
            scorecard_version=self.scorecard_version,
            scorecard_digest=self.scorecard_digest,
            champion_version=self.champion_version,
            as_of=self.as_of,
            made_by=self.made_by,
            made_at=self.made_at,
        )


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


async def list_by_digest(tx: ReadTx, digests: Sequence[bytes]) -> list[StoredScorecard]:
    """Return the scorecards with these digests."""
    return await tx.fetch_all(
        StoredScorecard,
        """SELECT version, document, digest, submitted_by, submitted_at, in_force_at
           FROM scorecard WHERE digest = ANY($1)""",
        digests,
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


async def share_scorecards(tx: Tx) -> None:
    """Wait for whoever brings a scorecard into force, and keep it as it is from then on."""
    await tx.execute(
        """SELECT FROM scorecard WHERE in_force_at IS NOT NULL ORDER BY version FOR SHARE"""
    )


async def save_in_force(tx: Tx, version: str, now: datetime) -> bool:
    """Bring a scorecard into force; False when it was before.

    Always later than the one before it, whatever the clock says: the last one is in force.
    """
    count = await tx.execute(
        """UPDATE scorecard SET in_force_at = greatest($2::timestamptz, (
             SELECT max(in_force_at) + interval '1 microsecond' FROM scorecard))
           WHERE version = $1 AND in_force_at IS NULL""",
        version,
        now,
    )
    return count == 1


async def list_scorecards(tx: ReadTx) -> list[StoredScorecard]:
    """Return every scorecard, the one submitted last first; at most 1,000."""
    return await tx.fetch_all(
        StoredScorecard,
        """SELECT version, document, digest, submitted_by, submitted_at, in_force_at
           FROM scorecard ORDER BY submitted_at DESC, version DESC LIMIT 1000""",
    )


async def insert_approval(tx: Tx, approval: Approval) -> bool:
    """Keep an approval; False when this person has approved after this report before."""
    count = await tx.execute(
        """INSERT INTO scorecard_approval (version, approver, report_id, approved_at)
           VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING""",
        approval.version,
        approval.approver,
        approval.report_id,
        approval.approved_at,
    )
    return count == 1


async def list_approvals(tx: ReadTx, version: str) -> list[ApprovalRow]:
    """Return the approvals of a scorecard, the first one first; at most 1,000."""
    return await tx.fetch_all(
        ApprovalRow,
        """SELECT approval.version, approval.approver, approval.report_id, approval.approved_at,
                  report.scorecard_version, report.scorecard_digest, report.champion_version,
                  report.as_of, report.made_by, report.made_at
           FROM scorecard_approval AS approval JOIN scorecard_report AS report USING (report_id)
           WHERE approval.version = $1
           ORDER BY approval.approved_at, approval.approver LIMIT 1000""",
        version,
    )
