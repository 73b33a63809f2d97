"""The one place of this room that runs a rule compiled to SQL (docs/adr/0022)."""

from collections.abc import Sequence
from uuid import UUID

import msgspec

from backend.kit.postgres import ReadTx
from backend.programme.rules.compile import CompiledCohort


class CohortRow(msgspec.Struct, frozen=True):
    """Whether a rule holds for a citizen, and whether the live one does."""

    subject_id: UUID
    is_met: bool
    was_met: bool


async def evaluate_cohort(
    tx: ReadTx, statement: CompiledCohort, subject_ids: Sequence[UUID]
) -> list[CohortRow]:
    """Evaluate a rule for citizens; one whose score is of another scorecard has no row."""
    return await tx.fetch_compiled(CohortRow, statement, list(subject_ids))
