"""Sessions of operators as credentials, behind access's port."""

from datetime import datetime

from backend.access.ports import Credential
from backend.kit.postgres import Database
from backend.operator import rules, service
from backend.operator.rules import Session, SessionKind


class OperatorSessions:
    """Finds sessions of operators' programs. Not cached: a suspension is felt at once."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, token_hash: bytes, now: datetime) -> Credential | None:
        """Return the live credential of an operator's session."""
        async with self._database.single() as tx:
            session = await service.find_session(
                tx, token_hash=token_hash, kind=SessionKind.API, now=now
            )
        if session is None:
            return None
        assert session.jkt is not None, "an API session is bound to a key"

        async def on_use() -> None:
            await self._note_use(session, now)

        return Credential(
            rules.principal_of(session), session.jkt, rules.session_ends_at(session), on_use
        )

    async def _note_use(self, session: Session, now: datetime) -> None:
        if now - session.seen_at >= rules.SESSION_NOTED_EVERY:
            async with self._database.write() as tx:
                await service.note_use(tx, session=session, now=now)
