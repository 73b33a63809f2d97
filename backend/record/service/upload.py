"""Files handed in over HTTP: laid down sealed as they arrive, taken in by the worker.

No verb here waits for a sender: each is one short transaction, and between two of them nothing is
held but a row that says how far the file is.
"""

import asyncio
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import TypeVar
from uuid import UUID

import msgspec

from backend.event import service as event
from backend.kit.crypto import Vault
from backend.kit.ids import monotonic_milliseconds, new_id
from backend.kit.postgres import ReadTx, Tx
from backend.kit.problem import Refusal
from backend.partner import service as partner
from backend.record.rules import submission as submission_rules
from backend.record.rules.layout import Layout
from backend.record.rules.submission import (
    Submission,
    check_batch_id,
)
from backend.record.rules.upload import (
    CHUNKS_PER_TURN,
    TURN_MILLISECONDS,
    TURN_WAIT_SECONDS,
    UPLOAD_KEPT,
    UPLOADS_WAITING_MAX,
    Sending,
    Tally,
)
from backend.record.service.catalogue import check_sender
from backend.record.service.packing import read_packed
from backend.record.service.submission import open_submission, take_chunk
from backend.record.store import submission as submission_store
from backend.record.store import upload as store
from backend.record.store.upload import UploadPart
from backend.record.store.version import try_lock_source

T = TypeVar("T")

SUBMISSION_UPLOADED = "submission.uploaded"
WAIT_SECONDS = 30
_PURGED_AT_ONCE = 20


async def begin_upload(tx: Tx, *, sending: Sending, now: datetime) -> UUID:
    """Make room for a file, before a byte of it is read.

    Raises Refusal submission_batches_waiting, submission_batch_id_invalid, and those of
    `check_sender`.
    """
    check_batch_id(sending.batch_id)
    await check_sender(tx, source_code=sending.source_code, class_code=sending.class_code)
    upload_id = new_id(now)
    # Files that begin in the same moment may be let in beyond the number: it bounds what lies
    # about, nothing depends on it.
    if not await store.insert_upload(
        tx,
        upload_id=upload_id,
        source_code=sending.source_code,
        waiting_max=UPLOADS_WAITING_MAX,
        now=now,
    ):
        raise Refusal("submission_batches_waiting", retry_after_seconds=WAIT_SECONDS)
    return upload_id


def look_at_beginning(layout: Layout, beginning: bytes) -> Layout:
    """Look at the first line of a file, before the rest is taken; see `layout_of_file`."""
    return submission_rules.look_at_beginning(layout, [beginning])


def seal_part(vault: Vault, upload_id: UUID, *, begin: int, content: bytes) -> UploadPart:
    """Seal a part for its place in its upload, and for no other."""
    return UploadPart(begin, vault.seal_service(content, aad=_part_aad(upload_id, begin)))


async def keep_part(tx: Tx, *, upload_id: UUID, part: UploadPart, size: int) -> None:
    """Lay a part down; raises Refusal body_incomplete when its upload is not there any more."""
    if not await store.insert_part(tx, upload_id=upload_id, part=part, size=size):
        raise Refusal("body_incomplete")


async def finish_upload(
    tx: Tx, *, upload_id: UUID, client_id: str, sending: Sending, tally: Tally, now: datetime
) -> Submission:
    """Make a submission of a file that lies there whole, or answer for the one it was before.

    A known batch that waits for its file (it was sent by command, and that was broken off) goes on
    with this one. Raises Refusal token_invalid when the client was suspended while it sent; else
    see `open_submission`.
    """
    client = await partner.find_client(tx, client_id=client_id)
    if client is None or client.is_suspended:
        raise Refusal("token_invalid")
    upload = await store.lock_upload(tx, upload_id)
    if upload is None:
        raise Refusal("body_incomplete")
    assert upload.source_code == sending.source_code
    assert upload.received_bytes == tally.size, "every part is laid down behind the one before"
    submission = await open_submission(
        tx,
        source_code=sending.source_code,
        class_code=sending.class_code,
        batch_id=sending.batch_id,
        content_digest=tally.digest,
        layout=sending.layout,
        now=now,
    )
    layout = msgspec.to_builtins(sending.layout)
    submission_id = submission.submission_id
    if await store.attach_upload(
        tx, submission_id=submission_id, upload_id=upload_id, layout=layout
    ):
        await _go_on(tx, submission_id, now=now)
    else:
        await store.delete_upload(tx, upload_id)
    return submission


async def discard_upload(tx: Tx, *, upload_id: UUID) -> None:
    """Delete a file that was refused while it arrived."""
    await store.delete_upload(tx, upload_id)


async def purge_uploads(tx: Tx, *, now: datetime) -> int:
    """Delete files that were cut off more than an hour ago; return how many, at most 20.

    A sender has less time than that, so none of them can become a submission meanwhile.
    """
    return await store.delete_uploads_abandoned(
        tx, created_before=now - UPLOAD_KEPT, limit=_PURGED_AT_ONCE
    )


async def take_upload(tx: Tx, *, submission_id: UUID, vault: Vault, now: datetime) -> None:
    """Take the next lines of a submission's file in; when it is complete, the file goes.

    An event says that there is more. Run twice, or by two at once, it goes on where it stands:
    whoever has the lock on the submission. While the source is busy with another file, this one
    is left for later: however many a source hands in, one job of the worker is at them.
    """
    submission = await submission_store.lock_submission(tx, submission_id)
    laid_down = await store.find_laid_down(tx, submission_id)
    if laid_down is None:
        return
    if submission.completed_at is not None:
        # Somebody sent the rest by command: what lies here is needed no more.
        await store.delete_upload(tx, laid_down.upload_id)
        return
    if not await try_lock_source(tx, submission.source_code):
        await _go_on(tx, submission_id, now=now, wait=timedelta(seconds=TURN_WAIT_SECONDS))
        return
    layout = msgspec.convert(laid_down.layout, Layout)
    record_class = await check_sender(
        tx, source_code=submission.source_code, class_code=submission.class_code
    )
    parts = _Parts(tx, laid_down.upload_id, vault)
    # Every step of it runs in a thread.
    chunks = read_packed(
        parts.blocks, submission, layout=layout, record_class=record_class, vault=vault
    )
    began = monotonic_milliseconds()
    for _ in range(CHUNKS_PER_TURN):
        packed = await parts.serve(lambda: next(chunks))
        submission = await take_chunk(
            tx, submission_id=submission_id, packed=packed, vault=vault, now=now
        )
        if submission.completed_at is not None:
            await store.delete_upload(tx, laid_down.upload_id)
            return
        assert submission.bytes_done == packed.chunk.end, "nobody else can take it: it is locked"
        if monotonic_milliseconds() - began > TURN_MILLISECONDS:
            break
    await _go_on(tx, submission_id, now=now)


class _Parts:
    """The parts of a file as blocks, for a reader that is a plain iterator.

    The reader runs in a thread and asks the event loop, which owns the transaction, for one part
    after another: so one part is in memory, however long a line is, and other work goes on.
    """

    def __init__(self, tx: ReadTx, upload_id: UUID, vault: Vault) -> None:
        self._tx, self._upload_id, self._vault = tx, upload_id, vault
        self._loop = asyncio.get_running_loop()
        self._is_over = False

    def blocks(self, begin: int) -> Iterator[bytes]:
        """Return the file from a byte on; only while `serve` runs the reader."""
        byte = begin
        while block := asyncio.run_coroutine_threadsafe(self._content(byte), self._loop).result():
            yield block
            byte += len(block)

    async def serve(self, read: Callable[[], T]) -> T:
        """Run a reader in a thread and return what it returns."""
        reading = asyncio.ensure_future(asyncio.to_thread(read))
        try:
            return await asyncio.shield(reading)
        except asyncio.CancelledError:
            # The transaction may end only when nobody reads in it any more.
            self._is_over = True
            await asyncio.wait([reading])
            raise

    async def _content(self, byte: int) -> bytes:
        """Return what follows a byte in its part; nothing behind the end of the file."""
        if self._is_over:
            return b""
        part = await store.find_part(self._tx, self._upload_id, byte=byte)
        if part is None:
            return b""
        aad = _part_aad(self._upload_id, part.begin_byte)
        content = self._vault.unseal_service(part.content_sealed, aad=aad)
        return content[byte - part.begin_byte :]


async def _go_on(
    tx: Tx, submission_id: UUID, *, now: datetime, wait: timedelta | None = None
) -> None:
    """Let the worker take (more of) a submission in, once this transaction is committed."""
    payload = {"submission_id": str(submission_id)}
    await event.emit(
        tx, topic=SUBMISSION_UPLOADED, subject_id=None, payload=payload, now=now, wait=wait
    )


def _part_aad(upload_id: UUID, begin: int) -> str:
    return f"upload_part|content_sealed|{upload_id}|{begin}"
