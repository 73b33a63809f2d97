"""Sessions of the first-party app as credentials, behind access's port."""

from datetime import datetime

from backend.access.ports import Credential
from backend.access.rules import CITIZEN_SCOPES, CitizenPrincipal
from backend.citizen import service
from backend.kit.postgres import Database


class CitizenSessions:
    """Finds sessions of the app. Not cached: signing out is felt at once."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, token_hash: bytes, now: datetime) -> Credential | None:
        """Return the live credential of an app's session."""
        async with self._database.single() as tx:
            session = await service.find_session(tx, token_hash=token_hash, now=now)
        # A browser's session has no key; its cookie is no token for the API.
        if session is None or session.jkt is None:
            return None
        principal = CitizenPrincipal(session.subject_id, session.token_hash, CITIZEN_SCOPES)
        return Credential(principal, session.jkt, session.expires_at)
