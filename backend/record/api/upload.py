"""The one request that takes many transactions: a file, laid down part by part as it arrives."""

import asyncio
from collections.abc import AsyncIterator

import msgspec
from litestar.exceptions import HTTPException

from backend.access.authenticate import TokenRefused
from backend.kit.clock import Clock
from backend.kit.crypto import Vault
from backend.kit.postgres import Database
from backend.kit.problem import Refusal
from backend.record import service
from backend.record.rules.submission import Submission
from backend.record.rules.upload import Sending, Tally


async def lay_down(
    database: Database,
    pieces: AsyncIterator[bytes],
    *,
    client_id: str,
    sending: Sending,
    vault: Vault,
    clock: Clock,
) -> Submission:
    """Lay a file down as it arrives and return the submission it is, or was before.

    No transaction is open while the sender is waited for; each part is one. Whatever is refused
    leaves nothing behind. A connection that ends, or this process, leaves parts that belong to no
    submission and are purged. Raises Refusal: see `begin_upload`, `look_at_beginning`,
    `Tally.add`, `finish_upload`, and what reading the body raises.
    """
    async with database.write() as tx:
        upload_id = await service.begin_upload(tx, sending=sending, now=clock.now())
        # What the source calls its columns today goes with the file, however late it is taken in.
        layout = await service.layout_for(
            tx, sending.layout, source_code=sending.source_code, class_code=sending.class_code
        )
    tally = Tally(layout)
    try:
        async for piece in pieces:
            if not tally.size:
                layout = service.look_at_beginning(layout, piece)
            begin = tally.size
            # A millisecond or two of arithmetic: others needn't wait for it.
            await asyncio.to_thread(tally.add, piece)
            part = await asyncio.to_thread(
                service.seal_part, vault, upload_id, begin=begin, content=piece
            )
            async with database.write() as tx:
                await service.keep_part(tx, upload_id=upload_id, part=part, size=len(piece))
        if not tally.size:
            layout = service.look_at_beginning(layout, b"")
        sending = msgspec.structs.replace(sending, layout=layout)
        async with database.write() as tx:
            return await service.finish_upload(
                tx,
                upload_id=upload_id,
                client_id=client_id,
                sending=sending,
                tally=tally,
                now=clock.now(),
            )
    except (Refusal, HTTPException) as refusal:
        async with database.write() as tx:
            await service.discard_upload(tx, upload_id=upload_id)
        if isinstance(refusal, Refusal) and refusal.code == "token_invalid":
            # The guard let it in; an upload takes longer than a token lives.
            raise TokenRefused("invalid_token", "the client was suspended meanwhile") from None
        raise
