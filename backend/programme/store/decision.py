"""What partners were told, in SQL: looked up by the id they were told."""

from datetime import datetime
from uuid import UUID

import msgspec

from backend.kit.postgres import ReadTx


class ToldRow(msgspec.Struct, frozen=True):
    """A yes that a partner was told, with the digest of the version it was told by."""

    decision_id: UUID
    programme_code: str
    digest: bytes
    decided_at: datetime
    valid_until: datetime


async def find_told(tx: ReadTx, *, partner_id: UUID, decision_id: UUID) -> ToldRow | None:
    """Return a yes that this partner was told, or None. The id of a no was never told."""
    return await tx.fetch_optional(
        ToldRow,
        """SELECT decision.decision_id, decision.programme_code, version.digest,
                  decision.decided_at, decision.valid_until
           FROM decision JOIN programme_version AS version
             ON version.programme_code = decision.programme_code
             AND version.version = decision.programme_version
           WHERE decision.partner_id = $1 AND decision.decision_id = $2 AND decision.eligible""",
        partner_id,
        decision_id,
    )
