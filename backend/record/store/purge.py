"""SQL that deletes what has ended, and keeps the proof of it."""

from collections.abc import Sequence
from datetime import date
from uuid import UUID

import msgspec

from backend.kit.postgres import ReadTx, Tx
from backend.record.rules.life import RecordVersion
from backend.record.rules.purge import EndedNumber, RecordPurge


class PurgedPlace(msgspec.Struct, frozen=True):
    """Where a purged version stands in the proof."""

    purge_id: UUID
    ordinal: int


class PurgedDigest(msgspec.Struct, frozen=True):
    """The digest of one version of a batch."""

    record_digest: bytes


async def find_ended_source(tx: ReadTx, *, today: date) -> str | None:
    """Return a source that has something whose highest version has ended, or None."""
    return await tx.fetch_optional_value(
        str,
        """SELECT source_code FROM record AS highest
           WHERE ends_on <= $1 AND (superseded_at IS NULL OR action = 'withdraw')
               AND NOT EXISTS (
                   SELECT FROM record AS higher
                   WHERE higher.source_code = highest.source_code
                       AND higher.external_id = highest.external_id
                       AND higher.version > highest.version)
           ORDER BY ends_on LIMIT 1""",
        today,
    )


async def delete_ended(
    tx: Tx, source_code: str, *, today: date, items_max: int
) -> list[RecordVersion]:
    """Delete all versions under numbers of a source whose highest version has ended; return them.

    Whomever they are about: a correction may have moved a record to another person.
    """
    return await tx.fetch_all(
        RecordVersion,
        """WITH ended AS (
               SELECT external_id FROM record AS highest
               WHERE ends_on <= $2 AND (superseded_at IS NULL OR action = 'withdraw')
                   AND source_code = $1 AND NOT EXISTS (
                       SELECT FROM record AS higher
                       WHERE higher.source_code = highest.source_code
                           AND higher.external_id = highest.external_id
                           AND higher.version > highest.version)
               ORDER BY ends_on, external_id LIMIT $3)
           DELETE FROM record USING ended
           WHERE record.source_code = $1 AND record.external_id = ended.external_id
           RETURNING record.subject_id, record.record_id, record.class_code, record.source_code,
               record.external_id, record.version, record.quantity, record.occurred_on,
               record.ended_on, record.ends_on, record.reported_at, record.disputed_at,
               record.repaired_at, record.fingerprint, record.action, record.superseded_at""",
        source_code,
        today,
        items_max,
    )


async def count_ended(tx: ReadTx, *, today: date) -> int:
    """Return how many versions `delete_ended` would delete, were there no bound."""
    return await tx.fetch_value(
        int,
        """WITH ended AS (
               SELECT source_code, external_id FROM record AS highest
               WHERE ends_on <= $1 AND (superseded_at IS NULL OR action = 'withdraw')
                   AND NOT EXISTS (
                       SELECT FROM record AS higher
                       WHERE higher.source_code = highest.source_code
                           AND higher.external_id = highest.external_id
                           AND higher.version > highest.version))
           SELECT count(*) FROM record JOIN ended USING (source_code, external_id)""",
        today,
    )


async def delete_steps(tx: Tx, versions: Sequence[RecordVersion]) -> int:
    """Delete the steps taken with versions that are gone; return how many there were."""
    return await tx.execute(
        """DELETE FROM record_step
           USING unnest($1::uuid[], $2::uuid[]) AS gone (subject_id, record_id)
           WHERE record_step.subject_id = gone.subject_id
               AND record_step.record_id = gone.record_id""",
        [each.subject_id for each in versions],
        [each.record_id for each in versions],
    )


async def save_ended_numbers(tx: Tx, source_code: str, ended: Sequence[EndedNumber]) -> None:
    """Keep marks of numbers of a source; one that is there holds off what both do, as long."""
    await tx.execute(
        """INSERT INTO ended_number (source_code, external_id, version, forget_on)
           SELECT $1::text, given.external_id, given.version, given.forget_on
           FROM unnest($2::text[], $3::bigint[], $4::date[])
                AS given (external_id, version, forget_on)
           ON CONFLICT (source_code, external_id) DO UPDATE SET
               version = greatest(ended_number.version, excluded.version),
               forget_on = CASE
                   WHEN ended_number.forget_on IS NULL OR excluded.forget_on IS NULL THEN NULL
                   ELSE greatest(ended_number.forget_on, excluded.forget_on) END""",
        source_code,
        [each.external_id for each in ended],
        [each.version for each in ended],
        [each.forget_on for each in ended],
    )


async def delete_ended_numbers(tx: Tx, *, today: date, limit: int) -> int:
    """Delete marks that hold off nothing any more, but those that somebody else is at."""
    return await tx.execute(
        """DELETE FROM ended_number
           WHERE ctid = ANY(ARRAY(
               SELECT ctid FROM ended_number
               WHERE forget_on <= $1 LIMIT $2 FOR UPDATE SKIP LOCKED))""",
        today,
        limit,
    )


async def insert_purge(
    tx: Tx, purge: RecordPurge, purged: Sequence[tuple[bytes, RecordVersion]]
) -> None:
    """Keep the proof of a batch, its versions in the order given."""
    await tx.execute(
        """INSERT INTO record_purge (purge_id, ended_before, record_count, digest, purged_at)
           VALUES ($1, $2, $3, $4, $5)""",
        purge.purge_id,
        purge.ended_before,
        purge.record_count,
        purge.digest,
        purge.purged_at,
    )
    await tx.execute(
        """INSERT INTO purged_record (purge_id, ordinal, class_code, source_code, record_digest)
           SELECT $1::uuid, ordinality - 1, class_code, source_code, record_digest
           FROM unnest($2::text[], $3::text[], $4::bytea[])
                WITH ORDINALITY AS given (class_code, source_code, record_digest, ordinality)""",
        purge.purge_id,
        [version.class_code for _, version in purged],
        [version.source_code for _, version in purged],
        [digest for digest, _ in purged],
    )


async def delete_faults(tx: Tx, *, first_kept: UUID, limit: int) -> int:
    """Delete faults of submissions before one, with their lines; ids grow with time."""
    return await tx.execute(
        """DELETE FROM submission_error
           WHERE ctid = ANY(ARRAY(
               SELECT ctid FROM submission_error
               WHERE submission_id < $1
               ORDER BY submission_id, line_number, fault_number LIMIT $2))""",
        first_kept,
        limit,
    )


async def count_faults(tx: ReadTx, *, first_kept: UUID) -> int:
    """Return how many faults `delete_faults` would delete, were there no bound."""
    return await tx.fetch_value(
        int,
        """SELECT count(*) FROM submission_error WHERE submission_id < $1""",
        first_kept,
    )


async def find_place(tx: ReadTx, record_digest: bytes) -> PurgedPlace | None:
    """Return where a version with this digest stands in the proof, the latest if in several."""
    return await tx.fetch_optional(
        PurgedPlace,
        """SELECT purge_id, ordinal FROM purged_record
           WHERE record_digest = $1 ORDER BY purge_id DESC, ordinal LIMIT 1""",
        record_digest,
    )


async def get_purge(tx: ReadTx, purge_id: UUID) -> RecordPurge:
    """Return a batch that exists."""
    return await tx.fetch_one(
        RecordPurge,
        """SELECT purge_id, ended_before, record_count, digest, purged_at
           FROM record_purge WHERE purge_id = $1""",
        purge_id,
    )


async def list_digests(tx: ReadTx, purge_id: UUID) -> list[PurgedDigest]:
    """Return the digests of a batch in order; a batch is bounded by who deleted it."""
    return await tx.fetch_all(
        PurgedDigest,
        """SELECT record_digest FROM purged_record WHERE purge_id = $1 ORDER BY ordinal""",
        purge_id,
    )
