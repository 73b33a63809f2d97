"""SQL of the catalogue's editions, and of what an edition may not leave behind."""

from collections.abc import Sequence

import msgspec

from backend.kit.postgres import ReadTx, Tx
from backend.record.rules.edition import Edition, ListedEdition

# The key of the lock that publishing takes alone and taking records in shares: "catalog" in ASCII.
_EDITIONS_LOCK = 0x636174616C6F67


class EditionKey(msgspec.Struct, frozen=True):
    """What names the content of an edition."""

    edition: str
    digest: bytes


class ClassCount(msgspec.Struct, frozen=True):
    """How many records of a class are stored."""

    class_code: str
    records: int


class SourceOnRecord(msgspec.Struct, frozen=True):
    """A source that has reported something that is stored."""

    source_code: str


class Waiting(msgspec.Struct, frozen=True):
    """Whose files of which class lie there to be taken in."""

    source_code: str
    class_code: str


async def lock_editions(tx: Tx) -> None:
    """Keep others from publishing, and from taking records in by the edition before."""
    await tx.execute("SELECT pg_advisory_xact_lock($1)", _EDITIONS_LOCK)


async def share_editions(tx: Tx) -> None:
    """Keep the edition in force as it is until the transaction ends."""
    await tx.execute("SELECT pg_advisory_xact_lock_shared($1)", _EDITIONS_LOCK)


async def find_in_force(tx: ReadTx) -> EditionKey | None:
    """Return which edition is in force: the one published last; None before any."""
    return await tx.fetch_optional(
        EditionKey,
        """SELECT edition, digest FROM catalogue_edition
           ORDER BY published_at DESC, edition DESC LIMIT 1""",
    )


async def find_edition(tx: ReadTx, edition: str) -> Edition | None:
    """Return an edition as it was published, or None."""
    return await tx.fetch_optional(
        Edition,
        """SELECT edition, document, sources, digest, published_by, published_at
           FROM catalogue_edition WHERE edition = $1""",
        edition,
    )


async def list_editions(tx: ReadTx) -> list[ListedEdition]:
    """Return every edition, the one in force first."""
    return await tx.fetch_all(
        ListedEdition,
        """SELECT edition, digest, published_by, published_at FROM catalogue_edition
           ORDER BY published_at DESC, edition DESC""",
    )


async def insert_edition(tx: Tx, edition: Edition) -> None:
    """Publish an edition; it is never changed afterwards."""
    await tx.execute(
        """INSERT INTO catalogue_edition
             (edition, document, sources, digest, published_by, published_at)
           VALUES ($1, $2, $3, $4, $5, $6)""",
        edition.edition,
        edition.document,
        edition.sources,
        edition.digest,
        edition.published_by,
        edition.published_at,
    )


async def count_by_class(tx: ReadTx, class_codes: Sequence[str]) -> list[ClassCount]:
    """Count what is stored of some classes: reads every record, for publishing only."""
    return await tx.fetch_all(
        ClassCount,
        """SELECT class_code, count(*) AS records FROM record
           WHERE class_code = ANY($1::text[]) GROUP BY class_code ORDER BY class_code""",
        list(class_codes),
    )


async def list_waiting(tx: ReadTx) -> list[Waiting]:
    """Return whose files of which classes lie there to be taken in, each once."""
    return await tx.fetch_all(
        Waiting,
        """SELECT DISTINCT source_code, class_code FROM submission
           WHERE upload_id IS NOT NULL AND completed_at IS NULL
           ORDER BY source_code, class_code""",
    )


async def list_sources_on_record(tx: ReadTx, source_codes: Sequence[str]) -> list[SourceOnRecord]:
    """Return which of some sources have reported something that is stored."""
    return await tx.fetch_all(
        SourceOnRecord,
        """SELECT asked.source_code FROM unnest($1::text[]) AS asked (source_code)
           WHERE EXISTS (SELECT FROM record WHERE record.source_code = asked.source_code)
           ORDER BY asked.source_code""",
        list(source_codes),
    )
