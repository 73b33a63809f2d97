"""What the authorization server asks of the rooms above it."""

from typing import Protocol, runtime_checkable
from uuid import UUID

from backend.kit.postgres import ReadTx
from backend.oauth.rules.request import Detail


@runtime_checkable  # the framework checks what it injects into a handler
class DetailPolicy(Protocol):
    """Knows what the citizens of this city can be asked for."""

    async def complete(self, tx: ReadTx, *, partner_id: UUID, detail: Detail) -> Detail | None:
        """Return what this partner asks for with its bounds written out (RFC 9396 §7.1).

        None when it may not ask for this programme, for this purpose, in this way.
        """
        ...
