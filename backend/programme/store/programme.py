"""SQL of programmes, seats and enrolments."""

from collections.abc import Collection
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from backend.kit.postgres import ReadTx, Tx
from backend.programme.rules.document import Programme


class ProgrammeRow(msgspec.Struct, frozen=True):
    """A programme in force, its document named by its digest."""

    programme_code: str
    version: int
    digest: bytes
    published_at: datetime
    is_ended: bool
    is_paused: bool
    seats_total: int
    seats_taken: int


class EnrolledRow(msgspec.Struct, frozen=True):
    """A running enrolment, with the digest of the version it was made under."""

    enrolment_id: UUID
    programme_code: str
    programme_version: int
    enrolled_at: datetime
    granted_by_case_id: UUID | None
    digest: bytes


class DeletedRow(msgspec.Struct, frozen=True):
    """An enrolment that is gone; one that was running had a seat."""

    programme_code: str
    was_running: bool


class DocumentRow(msgspec.Struct, frozen=True):
    """A published document by its digest."""

    digest: bytes
    document: dict[str, Any]


class PromisedRow(msgspec.Struct, frozen=True):
    """A version that is in force, or that a running enrolment was promised."""

    digest: bytes


async def save_programme(tx: Tx, programme: Programme, published_at: datetime) -> bool:
    """Put a newer version in force; False when this version or a newer one is there.

    A programme that had ended runs again. Two that publish at the same moment wait for each
    other on the row.
    """
    document = programme.document
    count = await tx.execute(
        """INSERT INTO programme (programme_code, version, kind, document, digest, published_at)
           VALUES ($1, $2, $3, $4, $5, $6)
           ON CONFLICT (programme_code) DO UPDATE
           SET version = excluded.version, kind = excluded.kind, document = excluded.document,
               digest = excluded.digest, published_at = excluded.published_at, ended_at = NULL,
               revision = programme.revision + 1
           WHERE programme.version < excluded.version""",
        document.code,
        document.version,
        document.kind,
        msgspec.to_builtins(document),
        programme.digest,
        published_at,
    )
    return count == 1


async def insert_version(
    tx: Tx, programme: Programme, published_at: datetime, *, author: str, reviewer: str
) -> bool:
    """Keep a version for the enrolments that are made under it; False when the number is taken.

    The live one is retired before.
    """
    document = programme.document
    count = await tx.execute(
        """INSERT INTO programme_version
             (programme_code, version, state, text, document, digest, drafted_by, drafted_at,
              submitted_by, submitted_at, decided_by, decided_at, published_at)
           VALUES ($1, $2, 'live', '', $3, $4, $6, $5, $6, $5, $7, $5, $5)
           ON CONFLICT (programme_code, version) DO NOTHING""",
        document.code,
        document.version,
        msgspec.to_builtins(document),
        programme.digest,
        published_at,
        author,
        reviewer,
    )
    return count == 1


async def find_version_digest(tx: ReadTx, programme_code: str, version: int) -> bytes | None:
    """Return the digest under which a version was published, or None."""
    return await tx.fetch_optional_value(
        bytes,
        """SELECT digest FROM programme_version
           WHERE programme_code = $1 AND version = $2 AND published_at IS NOT NULL""",
        programme_code,
        version,
    )


async def save_seats_total(tx: Tx, programme_code: str, seats_total: int) -> bool:
    """Set how many may be enrolled; False when more than that already are."""
    count = await tx.execute(
        """INSERT INTO seat_budget (programme_code, seats_total) VALUES ($1, $2)
           ON CONFLICT (programme_code) DO UPDATE SET seats_total = excluded.seats_total
           WHERE seat_budget.seats_taken <= excluded.seats_total""",
        programme_code,
        seats_total,
    )
    return count == 1


async def list_programmes(tx: ReadTx) -> list[ProgrammeRow]:
    """Return every programme in its version in force."""
    return await tx.fetch_all(
        ProgrammeRow,
        """SELECT programme.programme_code, programme.version, programme.digest,
                  programme.published_at, programme.ended_at IS NOT NULL AS is_ended,
                  programme.paused_at IS NOT NULL AS is_paused,
                  seat_budget.seats_total, seat_budget.seats_taken
           FROM programme JOIN seat_budget USING (programme_code)
           ORDER BY programme.programme_code LIMIT 1000""",
    )


async def find_programme(tx: ReadTx, programme_code: str) -> ProgrammeRow | None:
    """Return a programme in its version in force, or None."""
    return await tx.fetch_optional(
        ProgrammeRow,
        """SELECT programme.programme_code, programme.version, programme.digest,
                  programme.published_at, programme.ended_at IS NOT NULL AS is_ended,
                  programme.paused_at IS NOT NULL AS is_paused,
                  seat_budget.seats_total, seat_budget.seats_taken
           FROM programme JOIN seat_budget USING (programme_code)
           WHERE programme.programme_code = $1""",
        programme_code,
    )


async def list_documents(tx: ReadTx, digests: Collection[bytes]) -> list[DocumentRow]:
    """Return published documents by their digests."""
    return await tx.fetch_all(
        DocumentRow,
        """SELECT DISTINCT ON (digest) digest, document FROM programme_version
           WHERE digest = ANY($1) ORDER BY digest""",
        list(digests),
    )


async def list_promised(tx: ReadTx) -> list[PromisedRow]:
    """Return the versions in force of programmes that run, and those of running enrolments."""
    return await tx.fetch_all(
        PromisedRow,
        """SELECT digest FROM programme WHERE ended_at IS NULL
           UNION
           SELECT version.digest FROM programme_version AS version
           WHERE EXISTS (
             SELECT FROM enrolment
             WHERE enrolment.programme_code = version.programme_code
               AND enrolment.programme_version = version.version
               AND enrolment.ended_at IS NULL)""",
    )


async def list_enrolled(tx: ReadTx, subject_id: UUID) -> list[EnrolledRow]:
    """Return a citizen's running enrolments; the unique index bounds them by the programmes."""
    return await tx.fetch_all(
        EnrolledRow,
        """SELECT enrolment.enrolment_id, enrolment.programme_code, enrolment.programme_version,
                  enrolment.enrolled_at, enrolment.granted_by_case_id,
                  programme_version.digest
           FROM enrolment JOIN programme_version
             ON programme_version.programme_code = enrolment.programme_code
             AND programme_version.version = enrolment.programme_version
           WHERE enrolment.subject_id = $1 AND enrolment.ended_at IS NULL""",
        subject_id,
    )


async def end_enrolment(
    tx: Tx, subject_id: UUID, enrolment_id: UUID, ended_at: datetime
) -> str | None:
    """End a running enrolment and return its programme; None when there is none that runs."""
    return await tx.fetch_optional_value(
        str,
        """UPDATE enrolment SET ended_at = $3, end_reason = 'left'
           WHERE subject_id = $1 AND enrolment_id = $2 AND ended_at IS NULL
           RETURNING programme_code""",
        subject_id,
        enrolment_id,
        ended_at,
    )


async def has_enrolment(tx: ReadTx, subject_id: UUID, enrolment_id: UUID) -> bool:
    """Say whether the citizen ever had this enrolment."""
    return await tx.fetch_value(
        bool,
        """SELECT EXISTS (
             SELECT FROM enrolment WHERE subject_id = $1 AND enrolment_id = $2)""",
        subject_id,
        enrolment_id,
    )


async def delete_enrolments(tx: Tx, subject_id: UUID) -> list[DeletedRow]:
    """Delete a citizen's enrolments, and return which there were."""
    return await tx.fetch_all(
        DeletedRow,
        """DELETE FROM enrolment WHERE subject_id = $1
           RETURNING programme_code, ended_at IS NULL AS was_running""",
        subject_id,
    )


async def find_partner_code(tx: ReadTx, partner_id: UUID) -> str | None:
    """Return the code of a partner that is not suspended, or None."""
    return await tx.fetch_optional_value(
        str,
        """SELECT code FROM partner WHERE partner_id = $1 AND suspended_at IS NULL""",
        partner_id,
    )
