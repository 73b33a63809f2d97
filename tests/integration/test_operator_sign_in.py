"""Goal: an operator comes in with password and second factor, for a quarter of an hour without use
and a working day at most; nobody else comes in, and nobody learns why not.

Method: the whole application on real servers; the clock is moved, the authenticator app is our own
arithmetic, held against RFC 6238 elsewhere.
"""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from backend.app import House
from tests.support.operator import OperatorSoftware
from tests.support.world import World, problem_of

ME = "/v1/operator/me"
MINUTE = timedelta(minutes=1)


@pytest.fixture
async def world(house: House) -> AsyncIterator[World]:
    """A city without anybody."""
    world = World(house)
    yield world
    await world.close()


async def test_an_operator_signs_in_is_known_and_signs_out(world: World) -> None:
    operator = await OperatorSoftware.added(world, "programmes", "cases", login="chen.jing")
    answer = await operator.sign_in()
    assert answer.status_code == 201, answer.text
    assert answer.headers["cache-control"] == "no-store"
    body = answer.json()
    assert body["access_token"].startswith("cp_op_")
    assert body["token_type"] == "DPoP"
    assert body["expires_in"] == 8 * 3600
    assert body["scope"] == "cases:operate operator:read programmes:operate"
    me = (await operator.call("GET", ME)).json()
    assert (me["login"], me["roles"]) == ("chen.jing", ["cases", "programmes"])
    assert (await operator.call("DELETE", "/v1/operator/sessions/current")).status_code == 204
    problem_of(await operator.call("GET", ME), 401, "token_invalid")
