"""What a partner was told, to be shown again: never about whom, never why."""

from datetime import datetime
from uuid import UUID

import msgspec

from backend.kit.postgres import ReadTx
from backend.kit.problem import Refusal
from backend.programme.rules.benefit import Benefit
from backend.programme.service.publication import programmes_by_digest
from backend.programme.store import decision as store


class Told(msgspec.Struct, frozen=True):
    """A yes as a partner was told it."""

    decision_id: UUID
    programme_code: str
    benefit: Benefit
    decided_at: datetime
    valid_until: datetime


async def get_told(tx: ReadTx, *, partner_id: UUID, decision_id: UUID) -> Told:
    """Return a yes that a partner was told; raises Refusal not_found for any other id.

    It stays after the consent has ended: the partner relied on it, and learns nothing more by it.
    """
    row = await store.find_told(tx, partner_id=partner_id, decision_id=decision_id)
    if row is None:
        raise Refusal("not_found")
    programmes = await programmes_by_digest(tx, {row.digest})
    return Told(
        decision_id=row.decision_id,
        programme_code=row.programme_code,
        benefit=programmes[row.digest].document.benefit,
        decided_at=row.decided_at,
        valid_until=row.valid_until,
    )
