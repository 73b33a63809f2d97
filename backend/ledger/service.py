"""The ledger room's verbs: write looks in the transaction of the disclosure, and show them."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from backend.kit.ids import new_id
from backend.kit.page import Page, cut_page, decode_id_cursor
from backend.kit.postgres import ReadTx, Tx
from backend.ledger import store
from backend.ledger.rules import AccessEntry, Actor, OperatorEntry, operator_entry


async def record_access(tx: Tx, *, entries: Sequence[AccessEntry]) -> None:
    """Write looks; what they describe may be disclosed once this transaction has committed."""
    written = await store.insert_entries(tx, entries)
    assert written == len(entries), "every look is written"


async def list_accesses(
    tx: ReadTx, *, subject_id: UUID, cursor: str | None, page_size: int
) -> Page[AccessEntry]:
    """Return one page of a citizen's looks, newest first; raises Refusal cursor_invalid."""
    before = None if cursor is None else decode_id_cursor(cursor)
    found = await store.list_entries(tx, subject_id, before=before, limit=page_size + 1)
    return cut_page(found, page_size, key=lambda entry: (str(entry.entry_id),))


async def record_action(tx: Tx, *, entry: OperatorEntry) -> None:
    """Write what an operator does, in the transaction that does it."""
    await store.insert_operator_entry(tx, entry)


async def note_action(
    tx: Tx,
    *,
    by: Actor,
    action: str,
    thing: str,
    reason: str,
    now: datetime,
    facts: Mapping[str, Any] | None = None,
) -> None:
    """Write what an operator does: `record_action` for who has no entry at hand.

    `action` is noun.verbed, `thing` kind:id; `facts` hold ids, codes and numbers.
    """
    entry = operator_entry(
        by,
        entry_id=new_id(now),
        action=action,
        thing=thing,
        reason=reason,
        facts=facts,
        now=now,
    )
    await record_action(tx, entry=entry)


async def list_actions(
    tx: ReadTx, *, thing: str | None, login: str | None, cursor: str | None, page_size: int
) -> Page[OperatorEntry]:
    """Return one page of what operators did, newest first; raises Refusal cursor_invalid.

    Of one thing and by one login, where they are given.
    """
    found = await store.list_operator_entries(
        tx,
        thing=thing,
        login=login,
        before=None if cursor is None else decode_id_cursor(cursor),
        limit=page_size + 1,
    )
    return cut_page(found, page_size, key=lambda entry: (str(entry.entry_id),))


async def find_rewriter(tx: ReadTx) -> str | None:
    """Return the login of this process when it could rewrite the ledger after all, else None."""
    return await store.find_rewriter(tx)
