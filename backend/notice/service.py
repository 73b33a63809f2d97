"""The notice room's verbs: tell a citizen something, show it, erase it."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from backend.citizen import service as citizen
from backend.event import service as event
from backend.kit.crypto import Vault
from backend.kit.ids import new_id
from backend.kit.page import Page, cut_page, decode_id_cursor
from backend.kit.postgres import ReadTx, Tx
from backend.kit.problem import Refusal
from backend.notice import store
from backend.notice.rules import KEPT_FOR, Notice, facts_of, is_to_be_sent

NOTICE_TOPIC = "notice.made"
UNREAD_COUNTED_MAX = 100


async def notify(
    tx: Tx, *, subject_id: UUID, topic: str, facts: Mapping[str, object], now: datetime
) -> UUID | None:
    """Tell a citizen, in the transaction of the cause; return the notice's id.

    `facts` are those that `rules.FACTS` names for the topic: ids, codes, amounts in fen, days. The
    notice stands on the citizen's pages when this transaction has committed, and their phone gets
    a text after that. None, and nothing is kept, for who doesn't take part any more.

    It holds the participation. A transaction that also locks rows which leaving deletes holds it
    first (`citizen.hold_participation`), or the two wait for each other.
    """
    kept = facts_of(topic, facts)
    if await citizen.hold_participation(tx, subject_id=subject_id) is None:
        return None
    notice = Notice(
        subject_id=subject_id,
        notice_id=new_id(now),
        topic=topic,
        facts=dict(kept),
        created_at=now,
        sent_at=None,
        read_at=None,
    )
    await store.insert_notice(tx, notice)
    payload = {"notice_id": str(notice.notice_id)}
    await event.emit(tx, topic=NOTICE_TOPIC, subject_id=subject_id, payload=payload, now=now)
    return notice.notice_id


async def find_phone(
    tx: ReadTx, *, subject_id: UUID, notice_id: UUID, vault: Vault, now: datetime
) -> str | None:
    """Return the phone that has still to be told of a notice.

    None when it was told, when the notice was read or erased, when it is too old to be sent, or
    when there is no account.
    """
    notice = await store.find_notice(tx, subject_id, notice_id)
    if notice is None or not is_to_be_sent(notice, now):
        return None
    return await citizen.find_phone(tx, subject_id=subject_id, vault=vault)


async def mark_sent(tx: Tx, *, subject_id: UUID, notice_id: UUID, now: datetime) -> None:
    """Note that the phone was told."""
    await store.mark_sent(tx, subject_id, notice_id, now)


async def list_notices(
    tx: ReadTx, *, subject_id: UUID, cursor: str | None, page_size: int
) -> Page[Notice]:
    """Return one page of a citizen's notices, newest first; raises Refusal cursor_invalid."""
    before = None if cursor is None else decode_id_cursor(cursor)
    found = await store.list_notices(tx, subject_id, before=before, limit=page_size + 1)
    return cut_page(found, page_size, key=lambda notice: (str(notice.notice_id),))


async def count_unread(tx: ReadTx, *, subject_id: UUID) -> int:
    """Return how many notices a citizen hasn't read; what is more than a hundred is a hundred."""
    return await store.count_unread(tx, subject_id, most=UNREAD_COUNTED_MAX)


async def mark_read(tx: Tx, *, subject_id: UUID, notice_id: UUID, now: datetime) -> Notice:
    """Note that the citizen has read a notice, once; raises Refusal not_found."""
    notice = await store.mark_read(tx, subject_id, notice_id, now)
    if notice is None:
        raise Refusal("not_found")
    return notice


async def mark_read_up_to(tx: Tx, *, subject_id: UUID, newest: UUID, now: datetime) -> int:
    """Note that a citizen has read a notice and all that are older; return how many were new."""
    return await store.mark_read_up_to(tx, subject_id, newest, now)


async def erase(tx: Tx, *, subject_id: UUID) -> None:
    """Delete every notice of a citizen who leaves; erasing again changes nothing."""
    await store.delete_notices(tx, subject_id)


async def purge(tx: Tx, *, now: datetime) -> int:
    """Delete notices that are a year old; return how many that was."""
    return await store.delete_old(tx, created_before=now - KEPT_FOR)
