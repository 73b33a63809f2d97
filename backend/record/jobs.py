"""Sending a whole file in: one transaction a chunk, safe to be killed and to be run again."""

import asyncio
import sys
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing
from datetime import datetime
from io import BufferedReader, BytesIO
from uuid import UUID

from backend.event.rules import Event
from backend.kit.clock import Clock
from backend.kit.crypto import Vault
from backend.kit.postgres import Database, Tx
from backend.record import service
from backend.record.rules.layout import PLAIN, Layout
from backend.record.rules.submission import (
    CHUNK_LINES,
    Submission,
    look_at_beginning,
)
from backend.record.rules.upload import Tally

BLOCK_BYTES = 262_144
# How long the loop waits for the reading thread to let it on. The usual 5 ms at each round trip
# were a fifth of a chunk's time; shorter turns cost the thread less than can be measured.
_TURN_SECONDS = 0.0002
# More than a city ends in an hour; a worker's job has to be short.
PURGE_BATCHES = 20
Content = BufferedReader | BytesIO


def digest_content(content: Content, layout: Layout = PLAIN) -> bytes:
    """Return the SHA-256 of a file, read from its beginning.

    Raises Refusal submission_too_long before anything of it is taken in.
    """
    tally = Tally(layout)
    for block in _blocks(content, 0):
        tally.add(block)
    return tally.digest


async def send_submission(
    database: Database,
    content: Content,
    *,
    source_code: str,
    class_code: str,
    batch_id: str | None,
    vault: Vault,
    clock: Clock,
    layout: Layout = PLAIN,
    on_progress: Callable[[int], None] = lambda _: None,
) -> Submission:
    """Take a file in and return what came of it; `on_progress` gets bytes done.

    Sent again after a crash it goes on where it stood; sent again when it is all in, it is not
    read again. Without `batch_id` the content names itself. Raises Refusal: see
    `service.open_submission` and `layout_of_file`.
    """
    digest = digest_content(content, layout)
    async with database.write() as tx:
        await service.check_sender(tx, source_code=source_code, class_code=class_code)
        layout = await service.layout_for(
            tx, layout, source_code=source_code, class_code=class_code
        )
    layout = look_at_beginning(layout, _blocks(content, 0))
    async with database.write() as tx:
        submission = await service.open_submission(
            tx,
            source_code=source_code,
            class_code=class_code,
            batch_id=digest.hex()[:32] if batch_id is None else batch_id,
            content_digest=digest,
            layout=layout,
            now=clock.now(),
        )
        layout = await service.find_layout(tx, submission_id=submission.submission_id)
    while submission.completed_at is None:
        async with database.write() as tx:
            record_class = await service.check_sender(
                tx, source_code=source_code, class_code=class_code
            )
        chunks = service.read_packed(
            lambda begin: _blocks(content, begin),
            submission,
            layout=layout,
            record_class=record_class,
            vault=vault,
            lines_max=CHUNK_LINES,
        )
        async with aclosing(_read_ahead(chunks)) as ahead:
            async for packed in ahead:
                async with database.write() as tx:
                    submission = await service.take_chunk(
                        tx,
                        submission_id=submission.submission_id,
                        packed=packed,
                        vault=vault,
                        now=clock.now(),
                    )
                on_progress(submission.bytes_done)
                if submission.completed_at is not None or submission.bytes_done != packed.chunk.end:
                    # Somebody else is sending the same file, or an edition came into force since
                    # the lines were read: go on from where it stands.
                    break
    return submission


async def _read_ahead(
    chunks: Iterator[service.PackedChunk],
) -> AsyncGenerator[service.PackedChunk, None]:
    """Give chunks while the next one is read in a thread: the server works meanwhile.

    One chunk is read ahead, no more; whoever stops early has it read to its end first. From then
    on threads of this process take shorter turns.
    """
    sys.setswitchinterval(min(sys.getswitchinterval(), _TURN_SECONDS))
    reading = asyncio.ensure_future(asyncio.to_thread(next, chunks, None))
    try:
        while (chunk := await asyncio.shield(reading)) is not None:
            reading = asyncio.ensure_future(asyncio.to_thread(next, chunks, None))
            yield chunk
    finally:
        # The file is one: nobody may go on reading it elsewhere while a thread does here.
        await asyncio.wait([reading])


async def take_upload(tx: Tx, *, event: Event, vault: Vault, now: datetime) -> None:
    """Take more of a file in that came over HTTP: the handler of `submission.uploaded`.

    Run twice, it goes on where the file stands.
    """
    submission_id = UUID(event.payload["submission_id"])
    await service.take_upload(tx, submission_id=submission_id, vault=vault, now=now)


def _blocks(content: Content, begin: int) -> Iterator[bytes]:
    content.seek(begin)
    return iter(lambda: content.read(BLOCK_BYTES), b"")


async def purge_records(
    database: Database, *, vault: Vault, clock: Clock, batches: int | None = PURGE_BATCHES
) -> service.PurgeCount:
    """Delete what has ended and what was kept aside long enough, a batch a transaction.

    At most `batches` of each, all of it with None; run again, it goes on with what is left.
    """
    total, number = service.PurgeCount(), 0
    has_records = has_faults = True
    while (has_records or has_faults) and (batches is None or number < batches):
        if has_records:
            async with database.write() as tx:
                versions = await service.purge_ended(tx, vault=vault, now=clock.now())
            total.versions, has_records = total.versions + versions, versions > 0
        if has_faults:
            async with database.write() as tx:
                faults = await service.purge_faults(tx, now=clock.now())
            total.faults, has_faults = total.faults + faults, faults > 0
        number += 1
    return total
