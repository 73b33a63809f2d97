"""Goal: what is said of a citizen is kept by no cache on the way. Method: ask for all of it.

Security checklist: `Cache-Control: no-store`. Every operation behind a token is called as it should
be; what only speaks of the service (metadata, keys, the style sheet) may be kept, and says so.
"""

from collections.abc import AsyncIterator

import pytest

from backend.app import House
from backend.kit.ids import new_token
from tests.support.bodies import BODIES, body_of
from tests.support.scene import Scene
from tests.support.source import SUBMISSIONS, file_of
from tests.support.world import World

QUERIES = {"/v1/operator/webhook-deliveries": "?partner=library"}
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
    bodies = 0
    for method, path, scope in scene.protected_routes():
        refused = await scene.world.http.request(method, path)
        assert (refused.status_code, refused.headers["cache-control"]) == (401, "no-store")
        if method == "DELETE":
            continue  # answers without a body, and ends the scene
        # All of a partner's orders are its own to list, with no citizen's token.
        own = (method, path) == ("GET", "/v1/service-orders")
        headers = scene.signed("client" if own else scene.sender_of(scope), method, path)
        if method == "POST":
            headers.setdefault("idempotency-key", new_token("key_"))
        body = body_of(method, path)
        if (method, path) == ("POST", SUBMISSIONS):
            answer = await scene.source.send(file_of(1))
        else:
            address = path + QUERIES.get(path, "")
            answer = await scene.world.http.request(method, address, headers=headers, json=body)
        # 404: a submission that never was; 409: she is enrolled already; 422: what a rule refuses.
        assert answer.status_code in (200, 201, 202, 404, 409, 422), f"{path} {answer.text}"
        assert answer.headers.get("cache-control") == "no-store", f"{method} {path}"
        bodies += body is not None
    assert bodies == sum(sender != "anyone" for sender, _ in BODIES.values())


async def test_what_speaks_of_the_service_may_be_kept(scene: Scene) -> None:
    """For as long as it is the same."""
    for path, said in KEPT.items():
        answer = await scene.world.http.get(path)
        assert (answer.status_code, answer.headers["cache-control"]) == (200, said)
