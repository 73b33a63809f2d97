"""SQL of reports about scorecards, and of what they look at besides scores.

What a report counts lies in the records of a batch of participants: one statement a batch, in
PostgreSQL, because a city's records do not fit into a process.
"""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

import msgspec

from backend.kit.postgres import ReadTx, Tx
from backend.score.rules.publication import ReportFacts
from backend.score.rules.report import Report


class StoredReport(msgspec.Struct, frozen=True, kw_only=True):
    """A report as it was made; `document` is the Report as JSON."""

    report_id: UUID
    scorecard_version: str
    scorecard_digest: bytes
    champion_version: str | None
    as_of: date
    document: Any
    made_by: str
    made_at: datetime


def stored_report(report: Report, digest: bytes) -> StoredReport:
    """Return a report in the form in which it is kept; `digest` is that of its subject."""
    versions = {"champion": report.champion_version, "challenger": report.challenger_version}
    version = versions[report.subject]
    assert version is not None, "the subject of a report is there"
    return StoredReport(
        report_id=report.report_id,
        scorecard_version=version,
        scorecard_digest=digest,
        champion_version=report.champion_version,
        as_of=report.as_of,
        document=msgspec.to_builtins(report),
        made_by=report.made_by,
        made_at=report.made_at,
    )


class History(msgspec.Struct, frozen=True):
    """How much is on record about a participant, and how it went on after the day of a report.

    `record_count`: records that count on that day. `performed` and `failed`: quantities of what
    happened since.
    """

    subject_id: UUID
    record_count: int
    performed: int
    failed: int


async def insert_report(tx: Tx, report: StoredReport) -> None:
    """Keep a report."""
    await tx.execute(
        """INSERT INTO scorecard_report (report_id, scorecard_version, scorecard_digest,
               champion_version, as_of, document, made_by, made_at)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8)""",
        report.report_id,
        report.scorecard_version,
        report.scorecard_digest,
        report.champion_version,
        report.as_of,
        report.document,
        report.made_by,
        report.made_at,
    )


async def find_report(tx: ReadTx, report_id: UUID) -> StoredReport | None:
    """Return a report, or None."""
    return await tx.fetch_optional(
        StoredReport,
        """SELECT report_id, scorecard_version, scorecard_digest, champion_version, as_of, document,
                  made_by, made_at
           FROM scorecard_report WHERE report_id = $1""",
        report_id,
    )


async def find_facts(tx: ReadTx, report_id: UUID) -> ReportFacts | None:
    """Return what a report was about, or None."""
    return await tx.fetch_optional(
        ReportFacts,
        """SELECT report_id, scorecard_version, scorecard_digest, champion_version, as_of, made_by,
                  made_at
           FROM scorecard_report WHERE report_id = $1""",
        report_id,
    )


async def list_facts(tx: ReadTx, version: str) -> list[ReportFacts]:
    """Return what the reports of a scorecard were about, the newest first; at most 100."""
    return await tx.fetch_all(
        ReportFacts,
        """SELECT report_id, scorecard_version, scorecard_digest, champion_version, as_of, made_by,
                  made_at
           FROM scorecard_report WHERE scorecard_version = $1
           ORDER BY made_at DESC, report_id DESC LIMIT 100""",
        version,
    )


async def find_earlier(tx: ReadTx, version: str, as_of: date) -> StoredReport | None:
    """Return the newest report of an earlier day that tells of a scorecard; None without one."""
    return await tx.fetch_optional(
        StoredReport,
        """SELECT report_id, scorecard_version, scorecard_digest, champion_version, as_of, document,
                  made_by, made_at
           FROM scorecard_report
           WHERE (scorecard_version = $1 OR champion_version = $1) AND as_of < $2
             AND (document ->> 'is_told')::boolean
           ORDER BY as_of DESC, made_at DESC, report_id DESC LIMIT 1""",
        version,
        as_of,
    )


async def list_histories(
    tx: ReadTx,
    subject_ids: Sequence[UUID],
    *,
    as_of: date,
    today: date,
    performed: Sequence[str],
    failed: Sequence[str],
) -> list[History]:
    """Return how much is on record about each subject who has any, and how it went on.

    `performed` and `failed` are the codes of the classes that say so. Only what counts today is
    evidence of how it went on: what has ended, or is disputed or repaired, is used for nothing.
    """
    return await tx.fetch_all(
        History,
        """SELECT subject_id,
                  count(*) FILTER (
                    WHERE occurred_on <= $2 AND (ends_on IS NULL OR $2 < ends_on)) AS record_count,
                  coalesce(sum(quantity) FILTER (
                    WHERE occurred_on > $2 AND occurred_on <= $3
                      AND (ends_on IS NULL OR $3 < ends_on)
                      AND class_code = ANY ($4::text[])), 0)::bigint AS performed,
                  coalesce(sum(quantity) FILTER (
                    WHERE occurred_on > $2 AND occurred_on <= $3
                      AND (ends_on IS NULL OR $3 < ends_on)
                      AND class_code = ANY ($5::text[])), 0)::bigint AS failed
           FROM record
           WHERE subject_id = ANY ($1::uuid[]) AND superseded_at IS NULL
             AND disputed_at IS NULL AND repaired_at IS NULL
           GROUP BY subject_id""",
        subject_ids,
        as_of,
        today,
        performed,
        failed,
    )
