"""Goal: what is said of a citizen is kept by no cache on the way. Method: ask for all of it.

Security checklist: `Cache-Control: no-store`. Every operation behind a token is called as it should
be; what only speaks of the service (metadata, keys, the style sheet) may be kept, and says so.
"""

from collections.abc import AsyncIterator

import pytest

from backend.app import House
from tests.support.scene import Scene
from tests.support.source import SUBMISSIONS, file_of
from tests.support.world import JOINING, World

COLLEAGUE = {"name_zh": "李娜", "name_en": "Li Na", "roles": ["cases"]}
BODIES = {
    "/v1/me/participation": JOINING,
    "/v1/me/enrolments": {"programme": "library"},
    "/v1/eligibility-checks": {"programme": "library"},
    "/v1/me/score/simulations": {"changes": []},
    "/v1/operator/operators": {**COLLEAGUE, "login": "op-1"},
    "/v1/operator/operators/nobody/roles": {"roles": ["cases"]},
}
KEPT = {
    "/.well-known/oauth-authorization-server": "public, max-age=300",
    "/.well-known/oauth-protected-resource": "public, max-age=300",
    "/oauth/jwks": "public, max-age=300",
    "/v1/catalogue": "public, max-age=300",
    "/static/app.css": "public, max-age=31536000, immutable",
}


@pytest.fixture
async def scene(house: House) -> AsyncIterator[Scene]:
    world = World(house)
    yield await Scene(world).set_up()
    await world.close()


async def test_no_answer_behind_a_token_is_kept(scene: Scene) -> None:
    """Neither what is asked for nor the refusal of it."""
    asked = set()
    for method, path, scope in scene.protected_routes():
        refused = await scene.world.http.request(method, path)
        assert (refused.status_code, refused.headers["cache-control"]) == (401, "no-store")
        if method == "DELETE":
            continue  # answers without a body, and ends the scene
        headers = scene.signed(scene.sender_of(scope), method, path)
        body = BODIES.get(path) if method != "GET" else None
        if (method, path) == ("POST", SUBMISSIONS):
            answer = await scene.source.send(file_of(1))
        else:
            answer = await scene.world.http.request(method, path, headers=headers, json=body)
        # 404: a submission that never was; 409: she is enrolled already, the login is taken.
        assert answer.status_code in (200, 202, 404, 409), f"{method} {path} {answer.text}"
        assert answer.headers["cache-control"] == "no-store", f"{method} {path}"
        asked.add(path)
    assert asked >= BODIES.keys()


async def test_what_speaks_of_the_service_may_be_kept(scene: Scene) -> None:
    """For as long as it is the same."""
    for path, said in KEPT.items():
        answer = await scene.world.http.get(path)
        assert (answer.status_code, answer.headers["cache-control"]) == (200, said)
