"""Sending: a text to the phone for every notice, at least once and beside any transaction."""

from uuid import UUID

from backend.citizen.ports import Sender
from backend.event.rules import Event
from backend.kit.clock import Clock
from backend.kit.crypto import Vault
from backend.kit.postgres import Database
from backend.notice import service
from backend.notice.rules import PHONE_TEXT


async def send_notice(
    database: Database, *, event: Event, sender: Sender, vault: Vault, clock: Clock
) -> bool:
    """Send the text of one notice; False when there is nothing to send any more.

    Raises SendFailed when the gateway doesn't take it: then the event is carried out again. A
    process that is killed between sending and writing that down sends it twice, which tells the
    citizen nothing they don't know.
    """
    assert event.subject_id is not None, "a notice is somebody's"
    subject_id, notice_id = event.subject_id, UUID(event.payload["notice_id"])
    async with database.read() as tx:
        phone = await service.find_phone(
            tx, subject_id=subject_id, notice_id=notice_id, vault=vault, now=clock.now()
        )
    if phone is None:
        return False
    await sender.send(phone=phone, text=PHONE_TEXT)
    async with database.write() as tx:
        await service.mark_sent(tx, subject_id=subject_id, notice_id=notice_id, now=clock.now())
    return True
