"""What anyone may ask: whether the service is well, and what a problem code means."""

import msgspec
from litestar import Response, get
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath
from litestar.status_codes import HTTP_200_OK, HTTP_503_SERVICE_UNAVAILABLE

from backend.access.guard import public
from backend.kit.health import Check, HealthView, examine
from backend.kit.http import problems
from backend.kit.problem import PROBLEMS, Refusal


class LiveView(msgspec.Struct):
    """The process answers."""

    status: str


class ProblemMeaningView(msgspec.Struct):
    """What a problem code means, in English and Chinese."""

    code: str
    status: int
    title: str
    title_zh: str
    detail: str


@get(
    "/health/live",
    operation_id="health_live",
    tags=["anyone"],
    guards=[public("a probe has no token, and the answer says nothing about anybody")],
)
async def get_live() -> LiveView:
    """Say that the process answers; it asks nothing else, so an outage elsewhere kills nobody."""
    return LiveView("ok")


@get(
    "/health/ready",
    operation_id="health_ready",
    tags=["anyone"],
    guards=[public("a probe has no token, and the answer says nothing about anybody")],
    responses={
        HTTP_503_SERVICE_UNAVAILABLE: ResponseSpec(
            data_container=HealthView, generate_examples=False, description="Not ready"
        )
    },
)
async def get_ready(health_checks: NamedDependency[list[Check]]) -> Response[HealthView]:
    """Say whether a request would succeed now, and what is missing (503) when it would not."""
    view = await examine(health_checks)
    unavailable = view.status == "unavailable"
    return Response(view, status_code=HTTP_503_SERVICE_UNAVAILABLE if unavailable else HTTP_200_OK)


@get(
    "/problems/{code:str}",
    operation_id="problem_get",
    tags=["anyone"],
    guards=[public("documentation")],
    responses=problems("not_found", "parameter_invalid"),
)
async def get_problem(code: FromPath[str]) -> ProblemMeaningView:
    """Say what the `type` of a problem means (RFC 9457 section 3.1.1)."""
    problem = PROBLEMS.get(code)
    if problem is None:
        raise Refusal("not_found")
    return ProblemMeaningView(code, problem.status, problem.title, problem.title_zh, problem.detail)


ROUTES = [get_live, get_ready, get_problem]
