"""SQL of versions on their way, and of what becomes of a programme as a whole."""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from backend.kit.postgres import ReadTx, Tx
from backend.programme.rules.document import Programme
from backend.programme.rules.life import ListedVersion, Version


class VersionRow(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `programme_version`."""

    programme_code: str
    version: int
    state: str
    text: str
    document: dict[str, Any]
    digest: bytes
    drafted_by: str
    drafted_at: datetime
    submitted_by: str | None
    submitted_at: datetime | None
    decided_by: str | None
    decided_at: datetime | None
    dry_run_id: UUID | None
    published_at: datetime | None


class Stepped(msgspec.Struct, frozen=True):
    """A programme after a step of its life; `revision` rises with each."""

    revision: int
    digest: bytes


class Standing(msgspec.Struct, frozen=True):
    """What of a programme is promised already."""

    seats_taken: int
    committed_fen: int
    uses: int


class PartnerRow(msgspec.Struct, frozen=True):
    """A partner that a programme lists."""

    partner_id: UUID


async def lock_programme(tx: Tx, programme_code: str) -> None:
    """Let nobody else bring a version of a programme live until the transaction ends.

    A lock on the code, for a new programme has no row yet.
    """
    await tx.fetch_value(
        str,
        """SELECT coalesce(pg_advisory_xact_lock(
             hashtextextended('programme|' || $1::text, 0))::text, '')""",
        programme_code,
    )


async def insert_draft(
    tx: Tx, programme: Programme, *, text: str, by: str, drafted_at: datetime
) -> bool:
    """Insert a draft; False when the version is there."""
    document = programme.document
    count = await tx.execute(
        """INSERT INTO programme_version
             (programme_code, version, state, text, document, digest, drafted_by, drafted_at)
           VALUES ($1, $2, 'draft', $3, $4, $5, $6, $7)
           ON CONFLICT (programme_code, version) DO NOTHING""",
        document.code,
        document.version,
        text,
        msgspec.to_builtins(document),
        programme.digest,
        by,
        drafted_at,
    )
    return count == 1


async def replace_draft(tx: Tx, programme: Programme, *, text: str) -> bool:
    """Replace the text of a draft, or of what was rejected, which is a draft again."""
    document = programme.document
    count = await tx.execute(
        """UPDATE programme_version
           SET state = 'draft', text = $3, document = $4, digest = $5, submitted_by = NULL,
               submitted_at = NULL, decided_by = NULL, decided_at = NULL
           WHERE programme_code = $1 AND version = $2 AND state IN ('draft', 'rejected')""",
        document.code,
        document.version,
        text,
        msgspec.to_builtins(document),
        programme.digest,
    )
    return count == 1


async def lock_version(tx: Tx, programme_code: str, version: int) -> Version | None:
    """Return a version and hold it until the transaction ends, or None."""
    row = await tx.fetch_optional(
        VersionRow,
        """SELECT programme_code, version, state, text, document, digest, drafted_by, drafted_at,
                  submitted_by, submitted_at, decided_by, decided_at, dry_run_id, published_at
           FROM programme_version WHERE programme_code = $1 AND version = $2
           FOR NO KEY UPDATE""",
        programme_code,
        version,
    )
    return None if row is None else msgspec.convert(msgspec.structs.asdict(row), Version)


async def find_version(tx: ReadTx, programme_code: str, version: int) -> Version | None:
    """Return a version, or None."""
    row = await tx.fetch_optional(
        VersionRow,
        """SELECT programme_code, version, state, text, document, digest, drafted_by, drafted_at,
                  submitted_by, submitted_at, decided_by, decided_at, dry_run_id, published_at
           FROM programme_version WHERE programme_code = $1 AND version = $2""",
        programme_code,
        version,
    )
    return None if row is None else msgspec.convert(msgspec.structs.asdict(row), Version)


async def list_versions(
    tx: ReadTx, *, after_code: str, after_version: int, limit: int
) -> list[ListedVersion]:
    """Return versions by code and number, from behind the given one."""
    return await tx.fetch_all(
        ListedVersion,
        """SELECT version.programme_code, version.version, version.state,
                  version.document ->> 'name_zh' AS name_zh,
                  version.document ->> 'name_en' AS name_en, version.drafted_by,
                  version.drafted_at, version.submitted_by, version.decided_by,
                  coalesce(programme.paused_at IS NOT NULL, false) AS is_paused,
                  coalesce(programme.ended_at IS NOT NULL, false) AS is_ended
           FROM programme_version AS version LEFT JOIN programme USING (programme_code)
           WHERE (version.programme_code, version.version) > ($1, $2)
           ORDER BY version.programme_code, version.version LIMIT $3""",
        after_code,
        after_version,
        limit,
    )


async def submit_version(
    tx: Tx, programme_code: str, version: int, *, by: str, submitted_at: datetime
) -> bool:
    """Submit a draft; False when it is none."""
    count = await tx.execute(
        """UPDATE programme_version
           SET state = 'submitted', submitted_by = $3, submitted_at = $4
           WHERE programme_code = $1 AND version = $2 AND state = 'draft'""",
        programme_code,
        version,
        by,
        submitted_at,
    )
    return count == 1


async def reject_version(
    tx: Tx, programme_code: str, version: int, *, by: str, decided_at: datetime
) -> bool:
    """Reject what was submitted; False when it isn't."""
    count = await tx.execute(
        """UPDATE programme_version SET state = 'rejected', decided_by = $3, decided_at = $4
           WHERE programme_code = $1 AND version = $2 AND state = 'submitted'""",
        programme_code,
        version,
        by,
        decided_at,
    )
    return count == 1


async def retire_live(tx: Tx, programme_code: str) -> None:
    """Retire the version that is live, if one is: the next one takes its place."""
    await tx.execute(
        """UPDATE programme_version SET state = 'retired'
           WHERE programme_code = $1 AND state = 'live'""",
        programme_code,
    )


async def approve_version(
    tx: Tx, programme_code: str, version: int, *, by: str, dry_run_id: UUID, now: datetime
) -> bool:
    """Bring what was submitted live; False when it isn't submitted."""
    count = await tx.execute(
        """UPDATE programme_version
           SET state = 'live', decided_by = $3, decided_at = $5, dry_run_id = $4, published_at = $5
           WHERE programme_code = $1 AND version = $2 AND state = 'submitted'""",
        programme_code,
        version,
        by,
        dry_run_id,
        now,
    )
    return count == 1


async def pause_programme(tx: Tx, programme_code: str, at: datetime) -> Stepped | None:
    """Pause a programme that runs; None when none does."""
    return await tx.fetch_optional(
        Stepped,
        """UPDATE programme SET paused_at = $2, revision = revision + 1
           WHERE programme_code = $1 AND paused_at IS NULL AND ended_at IS NULL
           RETURNING revision, digest""",
        programme_code,
        at,
    )


async def resume_programme(tx: Tx, programme_code: str) -> Stepped | None:
    """Let a paused programme run again; None when it isn't paused."""
    return await tx.fetch_optional(
        Stepped,
        """UPDATE programme SET paused_at = NULL, revision = revision + 1
           WHERE programme_code = $1 AND paused_at IS NOT NULL AND ended_at IS NULL
           RETURNING revision, digest""",
        programme_code,
    )


async def end_programme(tx: Tx, programme_code: str, ended_at: datetime) -> Stepped | None:
    """End a programme, paused or not; None when there is none that runs."""
    return await tx.fetch_optional(
        Stepped,
        """UPDATE programme SET ended_at = $2, paused_at = NULL, revision = revision + 1
           WHERE programme_code = $1 AND ended_at IS NULL
           RETURNING revision, digest""",
        programme_code,
        ended_at,
    )


async def get_step(tx: ReadTx, programme_code: str) -> Stepped:
    """Return where a programme is in its life."""
    return await tx.fetch_one(
        Stepped,
        """SELECT revision, digest FROM programme WHERE programme_code = $1""",
        programme_code,
    )


async def list_partners(tx: ReadTx, codes: list[str]) -> list[PartnerRow]:
    """Return the partners that are registered, of those a programme lists."""
    return await tx.fetch_all(
        PartnerRow,
        """SELECT partner_id FROM partner WHERE code = ANY($1) ORDER BY partner_id""",
        codes,
    )


async def find_standing(tx: ReadTx, programme_code: str) -> Standing:
    """Return what of a programme is promised already; nothing, where it is new."""
    return await tx.fetch_one(
        Standing,
        """SELECT coalesce((SELECT seats_taken FROM seat_budget
                            WHERE programme_code = $1), 0) AS seats_taken,
                  coalesce((SELECT reserved_fen + settled_fen FROM budget
                            WHERE programme_code = $1 AND span = 'programme'), 0)
                    AS committed_fen,
                  coalesce((SELECT uses FROM budget
                            WHERE programme_code = $1 AND span = 'programme'), 0) AS uses""",
        programme_code,
    )


class EnrolledIn(msgspec.Struct, frozen=True):
    """Somebody with a running enrolment in a programme."""

    subject_id: UUID


async def list_enrolled_in(
    tx: ReadTx, programme_code: str, *, after: UUID | None, limit: int
) -> list[EnrolledIn]:
    """Return who is enrolled in a programme, in the order of their ids, from behind `after`."""
    return await tx.fetch_all(
        EnrolledIn,
        """SELECT subject_id FROM enrolment
           WHERE programme_code = $1 AND ended_at IS NULL
             AND ($2::uuid IS NULL OR subject_id > $2)
           ORDER BY subject_id LIMIT $3""",
        programme_code,
        after,
        limit,
    )
