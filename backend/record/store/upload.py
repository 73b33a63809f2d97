"""SQL of uploads: a file laid down in parts before it is taken in."""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from backend.kit.postgres import ReadTx, Tx


class Upload(msgspec.Struct, frozen=True):
    """A file that is being laid down, and how many of its bytes are."""

    upload_id: UUID
    source_code: str
    received_bytes: int


class UploadPart(msgspec.Struct, frozen=True):
    """A part of a file: where it begins, and its content under the service's seal."""

    begin_byte: int
    content_sealed: bytes


class LaidDown(msgspec.Struct, frozen=True):
    """Where the file of a submission lies, and how its lines are to be read, as builtins."""

    upload_id: UUID
    layout: dict[str, Any]


async def insert_upload(
    tx: Tx, *, upload_id: UUID, source_code: str, waiting_max: int, now: datetime
) -> bool:
    """Begin an upload; False when the source has `waiting_max` files lying about already."""
    inserted = await tx.execute(
        """INSERT INTO upload (upload_id, source_code, created_at)
           SELECT $1, $2::text, $4
           WHERE (SELECT count(*) FROM upload WHERE source_code = $2) < $3""",
        upload_id,
        source_code,
        waiting_max,
        now,
    )
    return inserted == 1


async def insert_part(tx: Tx, *, upload_id: UUID, part: UploadPart, size: int) -> bool:
    """Lay a part down behind those that lie there; False when the upload is gone, or elsewhere.

    `size` is that of the content without its seal, in bytes.
    """
    inserted = await tx.execute(
        """WITH advanced AS (
               UPDATE upload SET received_bytes = received_bytes + $4
               WHERE upload_id = $1 AND received_bytes = $2
               RETURNING upload_id)
           INSERT INTO upload_part (upload_id, begin_byte, content_sealed)
           SELECT upload_id, $2, $3 FROM advanced""",
        upload_id,
        part.begin_byte,
        part.content_sealed,
        size,
    )
    return inserted == 1


async def lock_upload(tx: Tx, upload_id: UUID) -> Upload | None:
    """Return an upload and keep it from being purged until the transaction ends."""
    return await tx.fetch_optional(
        Upload,
        """SELECT upload_id, source_code, received_bytes FROM upload
           WHERE upload_id = $1 FOR UPDATE""",
        upload_id,
    )


async def find_part(tx: ReadTx, upload_id: UUID, *, byte: int) -> UploadPart | None:
    """Return the part that holds a byte of the file; behind the end, the last part."""
    return await tx.fetch_optional(
        UploadPart,
        """SELECT begin_byte, content_sealed FROM upload_part
           WHERE upload_id = $1 AND begin_byte <= $2
           ORDER BY begin_byte DESC LIMIT 1""",
        upload_id,
        byte,
    )


async def attach_upload(
    tx: Tx, *, submission_id: UUID, upload_id: UUID, layout: dict[str, Any]
) -> bool:
    """Say where the file of a submission lies; False when it needs none, or lies already."""
    attached = await tx.execute(
        """UPDATE submission SET upload_id = $2, layout = $3
           WHERE submission_id = $1 AND upload_id IS NULL AND completed_at IS NULL""",
        submission_id,
        upload_id,
        layout,
    )
    return attached == 1


async def find_laid_down(tx: ReadTx, submission_id: UUID) -> LaidDown | None:
    """Return where the file of a submission lies; None for one that came another way."""
    return await tx.fetch_optional(
        LaidDown,
        """SELECT upload_id, layout FROM submission
           WHERE submission_id = $1 AND upload_id IS NOT NULL""",
        submission_id,
    )


async def delete_upload(tx: Tx, upload_id: UUID) -> None:
    """Delete an upload with its parts."""
    await tx.execute("""DELETE FROM upload WHERE upload_id = $1""", upload_id)


async def delete_uploads_abandoned(tx: Tx, *, created_before: datetime, limit: int) -> int:
    """Delete old uploads that belong to no submission; return how many."""
    return await tx.execute(
        """DELETE FROM upload WHERE upload_id IN (
               SELECT upload_id FROM upload
               WHERE created_at <= $1 AND NOT EXISTS (
                   SELECT FROM submission WHERE submission.upload_id = upload.upload_id)
               ORDER BY created_at LIMIT $2 FOR UPDATE SKIP LOCKED)""",
        created_before,
        limit,
    )
