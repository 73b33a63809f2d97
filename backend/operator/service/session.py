"""Sessions of operators: found, kept in use, ended."""

from datetime import datetime

from backend.kit.postgres import ReadTx, Tx
from backend.operator import rules, store
from backend.operator.rules import Session, SessionKind


async def find_session(
    tx: ReadTx, *, token_hash: bytes, kind: SessionKind, now: datetime
) -> Session | None:
    """Return the live session of a token's SHA-256, or None; one kind is never the other."""
    session = await store.find_session(tx, token_hash)
    if session is None or session.kind != kind or not rules.is_session_live(session, now):
        return None
    return session


async def note_use(tx: Tx, *, session: Session, now: datetime) -> bool:
    """Note that a session is in use, so that it isn't left idle; False when it ended meanwhile."""
    return await store.note_use(
        tx, session.token_hash, now=now, idle_since=now - rules.SESSION_IDLE
    )


async def end_session(tx: Tx, *, token_hash: bytes, now: datetime) -> None:
    """End a session at once; no effect on one that has ended."""
    await store.end_session(tx, token_hash, now)


async def sweep(tx: Tx, *, now: datetime) -> int:
    """Delete what no longer counts and return how much that was; bounded a call."""
    return await store.delete_over(
        tx, sessions_before=now - rules.DEVICE_KNOWN, tries_before=now - rules.LIMIT_WINDOW
    )
