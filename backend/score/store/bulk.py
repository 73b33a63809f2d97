"""The one place that runs a scorecard compiled to SQL (docs/adr/0022)."""

from collections.abc import Callable, Sequence
from datetime import date, datetime
from uuid import UUID

import msgspec

from backend.kit.postgres import ReadTx, Tx
from backend.score.rules.compile import (
    CompiledStatement,
    Subjects,
    compile_evaluation,
    compile_recompute,
)
from backend.score.rules.scorecard import Scorecard

Compile = Callable[[Scorecard, Subjects], CompiledStatement]


class EvaluatedScore(msgspec.Struct, frozen=True):
    """What a participant's score would be; nothing of it is kept."""

    subject_id: UUID
    points: int
    identity_points: int
    performance_points: int
    law_points: int
    economic_points: int
    civic_points: int
    indicator_values: list[int]
    input_digest: bytes
    due_on: date


class Recomputed(msgspec.Struct, frozen=True):
    """What bringing scores up to date did.

    `changed` of `seen` have a new revision; `missed` are those that somebody else wrote meanwhile:
    they are left as they are, and may be older than what is on record.
    """

    seen: int
    changed: int
    missed: list[UUID]


_compiled: dict[tuple[int, Compile, Subjects], tuple[Scorecard, CompiledStatement]] = {}
_COMPILED_MAX = 32


async def recompute_listed(
    tx: Tx, scorecard: Scorecard, *, subject_ids: Sequence[UUID], as_of: date, now: datetime
) -> Recomputed:
    """Bring the scores of some subjects up to date."""
    statement = _statement(scorecard, compile_recompute, Subjects.LISTED)
    await _plan_for_list(tx)
    (done,) = await tx.fetch_compiled(
        Recomputed, statement, *statement.arguments(as_of, subject_ids, now)
    )
    return done


async def recompute_between(
    tx: Tx, scorecard: Scorecard, *, first: UUID, end: UUID, as_of: date, now: datetime
) -> Recomputed:
    """Bring the scores of the subjects from `first` up to, and without, `end` up to date."""
    statement = _statement(scorecard, compile_recompute, Subjects.BETWEEN)
    await _plan_for_range(tx)
    (done,) = await tx.fetch_compiled(
        Recomputed, statement, *statement.arguments(as_of, first, end, now)
    )
    return done


async def evaluate_listed(
    tx: ReadTx, scorecard: Scorecard, *, subject_ids: Sequence[UUID], as_of: date
) -> list[EvaluatedScore]:
    """Return what the scores of some participants would be on a day."""
    statement = _statement(scorecard, compile_evaluation, Subjects.LISTED)
    await _plan_for_list(tx)
    return await tx.fetch_compiled(
        EvaluatedScore, statement, *statement.arguments(as_of, subject_ids)
    )


async def evaluate_between(
    tx: ReadTx, scorecard: Scorecard, *, first: UUID, end: UUID, as_of: date
) -> list[EvaluatedScore]:
    """Return what the scores of the participants in a range of ids would be on a day."""
    statement = _statement(scorecard, compile_evaluation, Subjects.BETWEEN)
    await _plan_for_range(tx)
    return await tx.fetch_compiled(
        EvaluatedScore, statement, *statement.arguments(as_of, first, end)
    )


def _statement(scorecard: Scorecard, compile_: Compile, subjects: Subjects) -> CompiledStatement:
    """Compile once for each scorecard in use."""
    key = (id(scorecard), compile_, subjects)
    found = _compiled.get(key)
    if found is None or found[0] is not scorecard:
        if len(_compiled) >= _COMPILED_MAX:
            _compiled.clear()
        found = _compiled[key] = (scorecard, compile_(scorecard, subjects))
    return found[1]


async def _plan_for_range(tx: ReadTx) -> None:
    """Plan for the ends of each range anew, and go through the index in its order.

    A sequential scan and a hash table look cheaper to the planner than they are: a part is small,
    and the index holds its records side by side. Until the transaction ends.
    """
    await tx.fetch_value(
        str,
        """SELECT concat(
             set_config('plan_cache_mode', 'force_custom_plan', true),
             set_config('max_parallel_workers_per_gather', '0', true),
             set_config('jit', 'off', true),
             set_config('work_mem', '64MB', true),
             set_config('random_page_cost', '1.1', true),
             set_config('enable_hashagg', 'off', true),
             set_config('enable_hashjoin', 'off', true),
             set_config('enable_seqscan', 'off', true),
             set_config('enable_bitmapscan', 'off', true))""",
    )


async def _plan_for_list(tx: ReadTx) -> None:
    """Plan once for all lists: planning takes longer than working a few scores out."""
    await tx.fetch_value(
        str,
        """SELECT concat(
             set_config('plan_cache_mode', 'force_generic_plan', true),
             set_config('max_parallel_workers_per_gather', '0', true),
             set_config('jit', 'off', true),
             set_config('random_page_cost', '1.1', true),
             set_config('enable_hashagg', 'off', true),
             set_config('enable_seqscan', 'off', true),
             set_config('enable_bitmapscan', 'off', true))""",
    )
