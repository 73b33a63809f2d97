"""What the case room needs of the rooms above it; app plugs it in."""

from datetime import datetime
from typing import Protocol, runtime_checkable
from uuid import UUID

from backend.kit.postgres import ReadTx


@runtime_checkable
class CaseGrounds(Protocol):
    """Knows whether there is something for a person to look at."""

    async def check_not_yet(
        self, tx: ReadTx, *, subject_id: UUID, programme_code: str, now: datetime
    ) -> None:
        """Accept a case about a programme whose rule the citizen does not meet now.

        Raises Refusal not_found, participation_required, programme_closed, case_not_needed.
        """
        ...
