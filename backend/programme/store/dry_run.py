"""SQL of dry runs, which are written once and never changed."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

import msgspec

from backend.kit.postgres import ReadTx, Tx
from backend.programme.rules.life import DryRunFacts


class DryRunRow(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `programme_dry_run`; `document` is what was found, `signature` signs it."""

    dry_run_id: UUID
    programme_code: str
    version: int
    digest: bytes
    live_digest: bytes | None
    scorecard_version: str
    as_of: date
    document: dict[str, Any]
    signature: str
    made_by: str
    made_at: datetime


async def insert_dry_run(tx: Tx, row: DryRunRow) -> None:
    """Keep a dry run."""
    await tx.execute(
        """INSERT INTO programme_dry_run
             (dry_run_id, programme_code, version, digest, live_digest, scorecard_version, as_of,
              document, signature, made_by, made_at)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)""",
        row.dry_run_id,
        row.programme_code,
        row.version,
        row.digest,
        row.live_digest,
        row.scorecard_version,
        row.as_of,
        row.document,
        row.signature,
        row.made_by,
        row.made_at,
    )


async def find_dry_run(tx: ReadTx, dry_run_id: UUID) -> DryRunRow | None:
    """Return a dry run, or None."""
    return await tx.fetch_optional(
        DryRunRow,
        """SELECT dry_run_id, programme_code, version, digest, live_digest, scorecard_version,
                  as_of, document, signature, made_by, made_at
           FROM programme_dry_run WHERE dry_run_id = $1""",
        dry_run_id,
    )


async def list_dry_runs(tx: ReadTx, programme_code: str, version: int) -> list[DryRunRow]:
    """Return the latest dry runs of a version, the last one first."""
    return await tx.fetch_all(
        DryRunRow,
        """SELECT dry_run_id, programme_code, version, digest, live_digest, scorecard_version,
                  as_of, document, signature, made_by, made_at
           FROM programme_dry_run WHERE programme_code = $1 AND version = $2
           ORDER BY made_at DESC, dry_run_id DESC LIMIT 20""",
        programme_code,
        version,
    )


async def find_facts(tx: ReadTx, dry_run_id: UUID) -> DryRunFacts | None:
    """Return what an approval rests on of a dry run, or None."""
    return await tx.fetch_optional(
        DryRunFacts,
        """SELECT programme_code, version, digest, live_digest, scorecard_version, made_at,
                  NOT jsonb_path_exists(document, '$.checks[*].faults[*]') AS is_sound
           FROM programme_dry_run WHERE dry_run_id = $1""",
        dry_run_id,
    )
