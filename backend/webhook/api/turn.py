"""A partner's request that is carried out once, however often it is sent."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TypeVar
from uuid import UUID

import msgspec

from backend.kit.idempotency import once
from backend.kit.postgres import Tx

T = TypeVar("T", bound=msgspec.Struct)


class Turn(msgspec.Struct, frozen=True):
    """One request of a partner, with its key."""

    partner_id: UUID
    key: str | None
    now: datetime

    async def once(
        self, tx: Tx, request: bytes, kind: type[T], run: Callable[[], Awaitable[T]]
    ) -> T:
        """Carry it out, or answer as it was answered; see `kit.idempotency.once`."""
        return await once(
            tx,
            owner_id=self.partner_id,
            key=self.key,
            request=request,
            kind=kind,
            now=self.now,
            run=run,
        )


def request_of(operation: str, endpoint_id: UUID) -> bytes:
    """Return what makes a request about one endpoint itself."""
    return f"{operation} {endpoint_id} ".encode()
