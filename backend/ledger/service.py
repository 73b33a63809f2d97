"""The ledger room's verbs: write looks in the transaction of the disclosure, and show them."""

from collections.abc import Sequence
from uuid import UUID

from backend.kit.page import Page, cut_page, decode_id_cursor
from backend.kit.postgres import ReadTx, Tx
from backend.ledger import store
from backend.ledger.rules import AccessEntry


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


async def find_rewriter(tx: ReadTx) -> str | None:
    """Return the login of this process when it could rewrite the ledger after all, else None."""
    return await store.find_rewriter(tx)
