"""Goal: every answer has an id, a line in the log and a place in the metrics, and none tells whom.

Method: the real application in process; also addresses that have no route, which the framework
answers before anything of ours is asked. Log lines and counters are read as an operator reads them.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import redirect_stderr
from io import StringIO
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from backend.app import House
from backend.kit.log import configure_logs
from backend.kit.metric import REGISTRY
from tests.support.world import World, problem_of

TELLING = "13800138000"


@pytest.fixture
def log() -> Iterator[StringIO]:
    """What is written to the log while a test runs."""
    written = StringIO()
    with redirect_stderr(written):
        configure_logs(strict=True)
    yield written
    configure_logs(strict=True)


@pytest.fixture
async def world(house: House, log: StringIO) -> AsyncIterator[World]:
    world = World(house)
    yield world
    await world.close()


def lines(log: StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.getvalue().splitlines()]


def counted(method: str, route: str, status: int) -> float:
    labels = {"method": method, "route": route, "status": str(status)}
    return REGISTRY.get_sample_value("creditplus_http_request_seconds_count", labels) or 0.0


@pytest.mark.parametrize(
    ("method", "path", "route", "status"),
    [
        ("GET", "/health/live", "/health/live", 200),
        ("GET", f"/v1/{TELLING}", "unmatched", 404),
        ("GET", f"/v1/me/programmes/{TELLING}?phone={TELLING}", "/v1/me/programmes/{code}", 401),
        ("PATCH", "/v1/me", "unmatched", 405),
        ("HEAD", "/v1/me", "unmatched", 405),
        ("GET", f"/{TELLING}", "unmatched", 404),
        ("POST", "/oauth/par", "/oauth/par", 401),
        ("POST", "/sign-in", "/sign-in", 415),
    ],
)
async def test_every_answer_is_logged_and_counted_by_its_route(
    world: World,
    log: StringIO,
    method: str,
    path: str,
    route: str,
    status: int,
) -> None:
    """By the template of its route, never by its path."""
    before, form = counted(method, route, status), {"content-type": "text/plain"}
    if path.startswith("/oauth"):
        form = {"content-type": "application/x-www-form-urlencoded"}
    answer = await world.http.request(method, path, headers=form if method == "POST" else None)
    assert answer.status_code == status
    await asyncio.sleep(0)  # lines are written a moment later
    told = lines(log)
    (line,) = [each for each in told if each["event"] == "request"]
    assert (line["method"], line["route"], line["status"]) == (method, route, status)
    assert line["request_id"] == answer.headers["x-request-id"]
    assert line["duration_ms"] >= 0
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert TELLING not in json.dumps(told)
    assert counted(method, route, status) == before + 1


async def test_the_id_of_a_caller_is_taken_over_when_it_is_one(world: World) -> None:
    """Anything else could be anybody's name, or a line of its own."""
    mine = str(uuid4())
    answer = await world.http.get("/v1/nowhere", headers={"x-request-id": mine})
    assert answer.headers["x-request-id"] == mine
    assert problem_of(answer, 404, "not_found")["request_id"] == mine
    for given in (TELLING, "x" * 500, mine + '"', mine + "-1"):
        answer = await world.http.get("/v1/nowhere", headers={"x-request-id": given})
        made = answer.headers["x-request-id"]
        assert made != given
        assert UUID(made).version == 7


async def test_a_fault_says_where_and_not_what(
    world: World, log: StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To the caller the request's id, to the operator the place besides."""

    def break_down() -> None:
        raise RuntimeError(TELLING)

    monkeypatch.setattr(world.clock, "now", break_down)
    answer: httpx.Response = await world.http.post(
        "/v1/sign-in-codes", json={"phone": TELLING}, headers={"x-request-id": str(uuid4())}
    )
    problem = problem_of(answer, 500, "internal")
    await asyncio.sleep(0)  # lines are written a moment later
    told = lines(log)
    (fault,) = [each for each in told if each["event"] == "request_failed"]
    assert fault["error_type"] == "RuntimeError"
    assert fault["request_id"] == problem["request_id"]
    assert TELLING not in answer.text + json.dumps(told)
