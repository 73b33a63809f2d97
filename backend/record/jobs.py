"""Sending a whole file in: one transaction a chunk, safe to be killed and to be run again."""

import hashlib
from collections.abc import Callable, Iterator
from datetime import datetime
from io import BufferedReader, BytesIO
from uuid import UUID

from backend.event.rules import Event
from backend.kit.clock import Clock, city_date
from backend.kit.crypto import Vault
from backend.kit.postgres import Database, Tx
from backend.record import service
from backend.record.rules.submission import (
    CHUNK_LINES,
    RowReader,
    Submission,
    parse_header,
    read_chunks,
    split_lines,
)

BLOCK_BYTES = 262_144
Content = BufferedReader | BytesIO


def digest_content(content: Content) -> bytes:
    """Return the SHA-256 of a file, read from its beginning."""
    content.seek(0)
    return hashlib.file_digest(content, "sha256").digest()


async def send_submission(
    database: Database,
    content: Content,
    *,
    source_code: str,
    class_code: str,
    batch_id: str | None,
    vault: Vault,
    clock: Clock,
    on_progress: Callable[[int], None] = lambda _: None,
) -> Submission:
    """Take a CSV file in and return what came of it; `on_progress` gets bytes done.

    Sent again after a crash it goes on where it stood; sent again when it is all in, it is not
    read again. Without `batch_id` the content names itself. Raises Refusal: see
    `service.open_submission` and `parse_header`.
    """
    digest = digest_content(content)
    async with database.write() as tx:
        record_class = await service.check_sender(
            tx, source_code=source_code, class_code=class_code
        )
    content.seek(0)
    header = next(split_lines(_blocks(content), first_number=1, offset=0), None)
    columns = parse_header(header)
    assert header is not None, "a file with columns has a first line"
    async with database.write() as tx:
        submission = await service.open_submission(
            tx,
            source_code=source_code,
            class_code=class_code,
            batch_id=digest.hex()[:32] if batch_id is None else batch_id,
            content_digest=digest,
            now=clock.now(),
        )
    # The days of all lines are held against the day the file first came in, also when the rest
    # of it comes later: the same file has the same answer.
    today = city_date(submission.received_at)
    reader = RowReader(columns, record_class=record_class, today=today)
    while submission.completed_at is None:
        begin = submission.bytes_done or header.end
        content.seek(begin)
        lines = split_lines(_blocks(content), first_number=submission.lines_done + 2, offset=begin)
        for chunk in read_chunks(lines, reader, begin=submission.bytes_done, lines_max=CHUNK_LINES):
            async with database.write() as tx:
                submission = await service.take_chunk(
                    tx,
                    submission_id=submission.submission_id,
                    chunk=chunk,
                    vault=vault,
                    now=clock.now(),
                )
            on_progress(submission.bytes_done)
            if submission.completed_at is not None or submission.bytes_done != chunk.end:
                break  # somebody else is sending the same file: go on behind them
    return submission


async def take_upload(tx: Tx, *, event: Event, vault: Vault, now: datetime) -> None:
    """Take more of a file in that came over HTTP: the handler of `submission.uploaded`.

    Run twice, it goes on where the file stands.
    """
    submission_id = UUID(event.payload["submission_id"])
    await service.take_upload(tx, submission_id=submission_id, vault=vault, now=now)


def _blocks(content: Content) -> Iterator[bytes]:
    return iter(lambda: content.read(BLOCK_BYTES), b"")
