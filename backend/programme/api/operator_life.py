"""A programme as a whole, for operators over HTTP: paused, running again, ended."""

from collections.abc import Awaitable, Callable
from typing import Literal

from litestar import post
from litestar.datastructures import CacheControlHeader
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.status_codes import HTTP_200_OK

from backend.access.guard import requires
from backend.access.rules import OperatorPrincipal, Scope
from backend.kit.clock import Clock
from backend.kit.http import IdempotencyKey, problems
from backend.kit.postgres import Database
from backend.programme import service
from backend.programme.api.turn import STEP_PROBLEMS, OperatorTurn, check_name
from backend.programme.api.version_view import ProgrammeStepView

_NO_STORE = CacheControlHeader(no_store=True)
_GUARD = requires(Scope.PROGRAMMES_OPERATE)


@post(
    "/v1/operator/programmes/{code:str}/pause",
    operation_id="operator_programme_pause",
    tags=["operator"],
    guards=[_GUARD],
    status_code=HTTP_200_OK,
    cache_control=_NO_STORE,
    responses=problems(*STEP_PROBLEMS),
)
async def pause_programme(
    code: FromPath[str],
    operator: NamedDependency[OperatorPrincipal],
    reason: NamedDependency[str],
    db: NamedDependency[Database],
    clock: NamedDependency[Clock],
    idempotency_key: IdempotencyKey = None,
) -> ProgrammeStepView:
    """Pause a programme: nobody enrols, partners get no yes, orders that run go on."""
    turn = OperatorTurn(db, operator, reason, idempotency_key, clock.now())
    return await _take(turn, code, "paused", service.pause)


@post(
    "/v1/operator/programmes/{code:str}/resume",
    operation_id="operator_programme_resume",
    tags=["operator"],
    guards=[_GUARD],
    status_code=HTTP_200_OK,
    cache_control=_NO_STORE,
    responses=problems(*STEP_PROBLEMS),
)
async def resume_programme(
    code: FromPath[str],
    operator: NamedDependency[OperatorPrincipal],
    reason: NamedDependency[str],
    db: NamedDependency[Database],
    clock: NamedDependency[Clock],
    idempotency_key: IdempotencyKey = None,
) -> ProgrammeStepView:
    """Let a paused programme run again."""
    turn = OperatorTurn(db, operator, reason, idempotency_key, clock.now())
    return await _take(turn, code, "live", service.resume)


@post(
    "/v1/operator/programmes/{code:str}/end",
    operation_id="operator_programme_end",
    tags=["operator"],
    guards=[_GUARD],
    status_code=HTTP_200_OK,
    cache_control=_NO_STORE,
    responses=problems(*STEP_PROBLEMS),
)
async def end_programme(
    code: FromPath[str],
    operator: NamedDependency[OperatorPrincipal],
    reason: NamedDependency[str],
    db: NamedDependency[Database],
    clock: NamedDependency[Clock],
    idempotency_key: IdempotencyKey = None,
) -> ProgrammeStepView:
    """End a programme; a higher version, approved, lets it run again. The baseline goes on."""
    turn = OperatorTurn(db, operator, reason, idempotency_key, clock.now())
    return await _take(turn, code, "ended", service.end)


async def _take(
    turn: OperatorTurn,
    code: str,
    state: Literal["live", "paused", "ended"],
    step: Callable[..., Awaitable[None]],
) -> ProgrammeStepView:
    check_name(code)
    async with turn.db.write() as tx:

        async def run() -> ProgrammeStepView:
            await step(tx, programme_code=code, by=turn.by, reason=turn.reason, now=turn.now)
            return ProgrammeStepView(code, state)

        request = f"operator_programme_step {state} {code}"
        return await turn.once(tx, request, ProgrammeStepView, run)


ROUTES = [pause_programme, resume_programme, end_programme]
