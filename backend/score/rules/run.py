"""A pass over all scores: the parts of the subjects' ids that it goes through."""

from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise
from uuid import UUID

import msgspec

# All subjects lie between these two: a subject's id is of version 8, so the last is nobody's.
FIRST_SUBJECT = UUID(int=0)
END_SUBJECT = UUID(int=2**128 - 1)
# A part takes about half a second on a small machine and far less than any statement may take; it
# holds the rows it writes for so long.
PART_SUBJECTS = 20_000


class Run(msgspec.Struct, frozen=True):
    """A pass over all scores with one scorecard."""

    run_id: UUID
    scorecard_version: str
    started_at: datetime
    finished_at: datetime | None


class Part(msgspec.Struct, frozen=True):
    """The subjects of a pass from one id up to, and without, another."""

    run_id: UUID
    ordinal: int
    first_subject: UUID
    end_subject: UUID


class Progress(msgspec.Struct, frozen=True):
    """How far a pass is; `seen` scores were worked out, `changed` of them have a new revision."""

    parts_total: int
    parts_done: int
    seen: int
    changed: int


def parts_of(run_id: UUID, starts: Sequence[UUID]) -> list[Part]:
    """Cut all ids into parts that begin at `starts`, in order; at least one, without a gap."""
    bounds = [FIRST_SUBJECT, *starts[1:], END_SUBJECT]
    assert all(left < right for left, right in pairwise(bounds)), "in the order of the ids"
    return [
        Part(run_id, ordinal, first, end) for ordinal, (first, end) in enumerate(pairwise(bounds))
    ]
