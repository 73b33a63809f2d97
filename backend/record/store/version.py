"""SQL of versions of records: what is on file under a number, what comes, what no longer stands."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from backend.kit.postgres import ReadTx, Tx
from backend.record.rules.life import RecordVersion
from backend.record.rules.purge import EndedNumber
from backend.record.rules.version import Held, VersionKey


async def lock_source(tx: Tx, source_code: str) -> None:
    """Let whoever changes what stands of a source's records take turns, until the end of `tx`."""
    await tx.execute(
        """SELECT pg_advisory_xact_lock(hashtextextended('record|' || $1::text, 0))""",
        source_code,
    )


async def try_lock_source(tx: Tx, source_code: str) -> bool:
    """Take the turn of `lock_source` if it is free; False, at once, when somebody has it."""
    return await tx.fetch_value(
        bool,
        """SELECT pg_try_advisory_xact_lock(hashtextextended('record|' || $1::text, 0))""",
        source_code,
    )


async def list_held(tx: ReadTx, source_code: str, external_ids: Sequence[str]) -> list[Held]:
    """Return what is on file under some numbers of a source, once for each person."""
    return await tx.fetch_all(
        Held,
        """SELECT external_id, subject_id, max(version) AS version, min(class_code) AS class_code,
                  (array_agg(superseded_at ORDER BY version DESC))[1] AS superseded_at,
                  (array_agg(disputed_at ORDER BY version DESC))[1] AS disputed_at,
                  min(repaired_at) AS repaired_at
           FROM record
           WHERE source_code = $1 AND external_id = ANY(string_to_array($2::text, E'\n'))
           GROUP BY external_id, subject_id""",
        source_code,
        # The client looks at each element of an array, at the price of all other checks of a line;
        # a line feed is part of no number.
        "\n".join(external_ids),
    )


async def list_ended_numbers(
    tx: ReadTx, source_code: str, external_ids: Sequence[str]
) -> list[EndedNumber]:
    """Return which of some numbers of a source were purged and are held off."""
    return await tx.fetch_all(
        EndedNumber,
        """SELECT external_id, version, forget_on FROM ended_number
           WHERE source_code = $1 AND external_id = ANY(string_to_array($2::text, E'\n'))""",
        source_code,
        "\n".join(external_ids),
    )


async def list_same_versions(
    tx: ReadTx, source_code: str, keys: Sequence[VersionKey]
) -> list[RecordVersion]:
    """Return what is on file of a source under numbers with their versions."""
    return await tx.fetch_all(
        RecordVersion,
        """SELECT stored.subject_id, stored.record_id, stored.class_code, stored.source_code,
                  stored.external_id, stored.version, stored.quantity, stored.occurred_on,
                  stored.ended_on, stored.ends_on, stored.reported_at, stored.disputed_at,
                  stored.repaired_at, stored.fingerprint, stored.action, stored.superseded_at
           FROM unnest($2::text[], $3::bigint[]) AS given (external_id, version)
           JOIN record AS stored USING (external_id, version)
           WHERE stored.source_code = $1""",
        source_code,
        [external_id for external_id, _ in keys],
        [version for _, version in keys],
    )


async def insert_records(tx: Tx, records: Sequence[RecordVersion], submission_id: UUID) -> None:
    """Insert versions that are not there yet; the primary key refuses one that is."""
    await tx.copy(
        "record",
        [*RecordVersion.__struct_fields__, "submission_id"],
        [(*msgspec.structs.astuple(each), submission_id) for each in records],
    )


async def mark_superseded(
    tx: Tx, source_code: str, superseded: Sequence[Held], *, now: datetime
) -> None:
    """Say of versions on file that a higher one took their place."""
    await tx.execute(
        """UPDATE record SET superseded_at = $5
           FROM unnest($2::uuid[], $3::text[], $4::bigint[])
                AS given (subject_id, external_id, version)
           WHERE record.subject_id = given.subject_id AND record.source_code = $1
               AND record.external_id = given.external_id AND record.version = given.version""",
        source_code,
        [each.subject_id for each in superseded],
        [each.external_id for each in superseded],
        [each.version for each in superseded],
        now,
    )


async def mark_repaired(
    tx: Tx, source_code: str, repaired: Sequence[Held], *, now: datetime
) -> None:
    """Say of versions on file that what they report was repaired."""
    await tx.execute(
        """UPDATE record SET repaired_at = $5
           FROM unnest($2::uuid[], $3::text[], $4::bigint[])
                AS given (subject_id, external_id, version)
           WHERE record.subject_id = given.subject_id AND record.source_code = $1
               AND record.external_id = given.external_id AND record.version = given.version""",
        source_code,
        [each.subject_id for each in repaired],
        [each.external_id for each in repaired],
        [each.version for each in repaired],
        now,
    )
