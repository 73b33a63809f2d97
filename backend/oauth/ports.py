"""What the authorization server asks of the rooms above it."""

from typing import Protocol, runtime_checkable
from uuid import UUID

from backend.kit.postgres import ReadTx
from backend.oauth.rules.request import EligibilityDetail


@runtime_checkable  # the framework checks what it injects into a handler
class DetailPolicy(Protocol):
    """Knows what the citizens of this city can be asked for."""

    async def check(self, tx: ReadTx, *, partner_id: UUID, detail: EligibilityDetail) -> bool:
        """Whether this partner may ask for this programme, for this purpose."""
        ...
