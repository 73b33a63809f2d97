"""Goal: readiness says the truth quickly, and nothing that a stranger should not read.

Method: checks that pass, fail, hang and break, put together as a process puts them together.
"""

import asyncio

import pytest

from backend.kit import health
from backend.kit.health import Check, NotReady, examine
from backend.kit.problem import Unavailable
from backend.kit.valkey import ValkeyDown


async def _well() -> None:
    return None


def _raising(fault: Exception) -> Check:
    async def probe() -> None:
        raise fault

    return Check("thing", probe)


async def test_all_well_is_ok() -> None:
    view = await examine([Check("one", _well), Check("two", _well)])
    assert view.status == "ok"
    assert [(check.name, check.status) for check in view.checks] == [("one", "ok"), ("two", "ok")]


async def test_something_optional_away_is_degraded_and_something_required_unavailable() -> None:
    required = _raising(NotReady("the schema is old"))
    optional = Check("thing", required.probe, is_required=False)
    assert (await examine([Check("one", _well), optional])).status == "degraded"
    view = await examine([Check("one", _well), required])
    assert view.status == "unavailable"
    assert view.checks[1].status == "the schema is old"


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (Unavailable("database"), "does not answer"),
        (ValkeyDown(), "does not answer"),
        (ValueError("password=secret host=10.0.0.7"), "failed"),
    ],
)
async def test_a_fault_shows_that_it_is_there_and_nothing_of_what_it_says(
    fault: Exception, said: str
) -> None:
    view = await examine([_raising(fault)])
    assert view.status == "unavailable"
    assert view.checks[0].status == said


async def test_checks_run_at_the_same_time_and_none_for_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(health, "CHECK_SECONDS", 0.05)
    waiting = 0

    async def hang() -> None:
        nonlocal waiting
        waiting += 1
        await asyncio.Event().wait()

    async with asyncio.timeout(2):
        view = await examine([Check(str(n), hang) for n in range(40)])
    assert waiting == 40
    assert {check.status for check in view.checks} == {"does not answer in time"}


async def test_an_empty_list_of_checks_is_ok() -> None:
    assert (await examine([])).status == "ok"
