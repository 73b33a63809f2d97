"""Goal: whatever is sent, it is answered as documented and changes nothing.

Method: the real application in process. Each test holds one sentence of the brief over every
operation it concerns, and compares a digest of every table before and after.
"""

import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import httpx
import pytest

from backend.app import House
from backend.kit.problem import PROBLEMS
from tests.support.bodies import BODIES, address_of
from tests.support.scene import Scene
from tests.support.world import CHECKS, World, oauth_error_of, problem_of

KB65 = 65 * 1024
FORM = {"content-type": "application/x-www-form-urlencoded"}
OAUTH_FORMS = ("/oauth/par", "/oauth/token", "/oauth/revoke", "/oauth/introspect")
# Members that any text, or any list of texts, fits: what is none of them is said by a rule.
BY_RULE = {
    ("/v1/operator/operators", "roles"): "operator_invalid",
    ("/v1/operator/operators/{login}/roles", "roles"): "operator_unknown",
    ("/v1/operator/programmes", "text"): "programme_document_invalid",
    ("/v1/operator/budgets/{code}/refills", "bucket"): "budget_bucket_invalid",
    ("/v1/operator/cases/{case_id}/decide", "answer_zh"): "not_found",
    ("/v1/operator/cases/{case_id}/decide", "answer_en"): "not_found",
    ("/v1/webhook-endpoints", "url"): "webhook_url_refused",
    ("/v1/webhook-endpoints", "topics"): "webhook_topics_invalid",
}
# Whoever signs in is told that it failed and no more, and each try is counted.
DOORS = ("/v1/operator/sessions", "/v1/operator/set-ups")


@pytest.fixture
async def scene(house: House) -> AsyncIterator[Scene]:
    world = World(house)
    yield await Scene(world).set_up()
    await world.close()


async def send(scene: Scene, method: str, path: str, content: Any, **more: str) -> httpx.Response:
    """Send bytes as a JSON body, with all else as it should be."""
    sender, _ = BODIES[method, path]
    address = address_of(path)
    headers = {**scene.signed(sender, method, address), "content-type": "application/json", **more}
    return await scene.world.http.request(method, address, content=content, headers=headers)


async def refused(scene: Scene, method: str, path: str, content: Any) -> dict[str, Any]:
    """Send bytes as a JSON body that must be refused as no valid body; return the problem."""
    return problem_of(await send(scene, method, path, content), 400, "body_invalid")


def test_every_operation_with_a_body_is_tried(house: House) -> None:
    """Found in the interface's own description."""
    paths = World(house).app.openapi_schema.paths or {}
    taking_json = {
        (method.upper(), path)
        for path, item in paths.items()
        for method in ("post", "put", "patch", "delete")
        if (operation := getattr(item, method)) is not None
        if operation.request_body is not None
        if "application/json" in operation.request_body.content
    }
    assert taking_json == set(BODIES)


async def test_an_unknown_field_is_refused(scene: Scene) -> None:
    """Not ignored: a caller who misspells a member, or hopes for one, is told."""
    async with scene.nothing_changes():
        for (method, path), (_, body) in BODIES.items():
            for extra in ({"threshold": 600}, {"subject_id": str(uuid4())}, {"": 1}):
                problem = await refused(scene, method, path, json.dumps({**body, **extra}))
                assert problem["errors"], path


WRONG = (None, 1, -1.5, True, [], {}, ["library"], {"a": "b"}, "", "x" * 500)
WHOLE = (
    "null",
    "[]",
    '"library"',
    "1",
    "true",
    "",
    "{",
    '{"a":1}{"a":1}',
    "NaN",
    '{"phone":1e999}',
)


async def test_a_wrong_type_is_refused(scene: Scene) -> None:
    """Each member of each body, and the body itself; what was sent is not said back."""
    async with scene.nothing_changes():
        for (method, path), (_, body) in BODIES.items():
            for name, right in body.items():
                for wrong in (each for each in WRONG if each != right):
                    answer = await send(scene, method, path, json.dumps({**body, name: wrong}))
                    code = answer.json()["code"]
                    assert code in {"body_invalid", BY_RULE.get((path, name))}, (path, name, wrong)
                    problem_of(answer, PROBLEMS[code].status, code)
                    assert "x" * 20 not in answer.text
                left_out = {key: value for key, value in body.items() if key != name}
                await refused(scene, method, path, json.dumps(left_out))
            for whole in WHOLE:
                await refused(scene, method, path, whole)


async def in_pieces(whole: bytes) -> AsyncIterator[bytes]:
    """Send a body without saying how long it will be."""
    for start in range(0, len(whole), 8192):
        yield whole[start : start + 8192]


async def test_a_body_of_65_kilobytes_is_refused(scene: Scene) -> None:
    """By its announced length, and by counting when no length is announced."""
    async with scene.nothing_changes():
        for (method, path), (_, body) in BODIES.items():
            whole = json.dumps(body).encode().ljust(KB65)
            for content in (whole, in_pieces(whole)):
                answer = await send(scene, method, path, content)
                problem_of(answer, 413, "body_too_large")
        whole = b"a=" + b"x" * KB65
        for path in OAUTH_FORMS:
            for content in (whole, in_pieces(whole)):
                answer = await scene.world.http.post(path, content=content, headers=FORM)
                oauth_error_of(answer, 400, "invalid_request")
        page = await scene.browser.send("/leave", {"csrf": "x" * KB65})
        assert page.status == 413
        assert page.headers["content-type"].startswith("text/html")


async def test_a_body_of_64_kilobytes_is_read(scene: Scene) -> None:
    """The limit is where it is said to be: what is under it comes to its own answer."""
    whole = json.dumps({"programme": "library"}).encode().ljust(64 * 1024)
    answer = await send(scene, "POST", CHECKS, whole)
    assert (answer.status_code, answer.json()["eligible"]) == (200, True)


BROKEN = {
    "a byte that starts nothing": b'{"%b": "\xff"}',
    "an overlong slash": b'{"%b": "\xc0\xaf"}',
    "half a character": b'{"%b": "\xe6\x9e"}',
    "a surrogate in UTF-8": b'{"%b": "\xed\xa0\x80"}',
    "an escaped half of a pair": b'{"%b": "\\ud800"}',
    "broken in a name": b'{"\xff": "x"}',
    "an escaped half in a name": b'{"\\udfff": "x"}',
}


async def test_broken_utf8_is_refused(scene: Scene) -> None:
    """In a value and in a name, and UTF-16 or UTF-32 as a whole."""
    async with scene.nothing_changes():
        for (method, path), (_, body) in BODIES.items():
            for template in BROKEN.values():
                content = template.replace(b"%b", next(iter(body), "a").encode())
                await refused(scene, method, path, content)
            for encoding in ("utf-16", "utf-32"):
                await refused(scene, method, path, json.dumps(body).encode(encoding))


async def test_a_broken_form_is_refused(scene: Scene) -> None:
    """UTF-8, NUL, a field twice, no form at all: OAuth's words there, a page on the pages."""
    async with scene.nothing_changes():
        for content in (b"a=%ff", b"a=\xff", b"a=%ed%a0%80", b"a=%00", b"a=1&a=2", b"a"):
            for path in OAUTH_FORMS:
                answer = await scene.world.http.post(path, content=content, headers=FORM)
                oauth_error_of(answer, 400, "invalid_request")
        for content in (b"csrf=%ff", b"csrf=\xff", b"csrf=%00", b"csrf=1&csrf=2", b"x", b"more=1"):
            answer = await scene.browser.http.post("/leave", content=content, headers=FORM)
            assert answer.status_code == 400, (content, answer.text)
            assert answer.headers["content-type"].startswith("text/html")
        for content in (b"", b"csrf=", b"csrf=x"):
            answer = await scene.browser.http.post("/leave", content=content, headers=FORM)
            assert answer.status_code == 403, (content, answer.text)


async def test_bottomless_nesting_is_refused(scene: Scene) -> None:
    """Where a member should be, beside it, and as the whole body."""
    depth = 10_000
    async with scene.nothing_changes():
        for (method, path), (_, body) in BODIES.items():
            rest = json.dumps(body)[1:]
            for content in (
                "[" * depth,
                "[" * depth + "]" * depth,
                '{"a":' * depth + "1" + "}" * depth,
                f'{{"{next(iter(body), "a")}":' + "[" * depth + "]" * depth + "}",
                '{"deep":' + "[" * depth + "]" * depth + "," + rest,
            ):
                await refused(scene, method, path, content)
        nested = "[" * depth + "]" * depth
        answer = await scene.library.push(authorization_details=nested)
        assert answer.json()["error"] in {"invalid_request", "invalid_authorization_details"}
        deep = scene.library.assertion(claims={"deep": json.loads("[" * 900 + "]" * 900)})
        answer = await scene.library.post("/oauth/revoke", {"token": "x"}, assertion=deep)
        assert answer.status_code in {200, 401}


async def test_a_nul_is_no_character_of_ours(scene: Scene) -> None:
    """JSON can spell U+0000 and PostgreSQL can't store it: it never gets there."""
    answers = {
        "/v1/me/participation": (409, "notice_outdated"),
        "/v1/operator/programmes": (422, "programme_document_invalid"),
    }
    async with scene.nothing_changes():
        for (method, path), (_, body) in BODIES.items():
            for name in body if path not in DOORS else ():
                nul = {**body, name: f"{body[name]}\0"}
                answer = await send(scene, method, path, json.dumps(nul))
                assert answer.status_code in {400, 404, 409, 422}, (path, name, answer.text)
                if len(body) == 1 and path != "/v1/sign-in-codes":
                    problem_of(answer, *answers.get(path, (400, "body_invalid")))
        for claims in ({"sub": "a\0b", "iss": "a\0b"}, {"sub": "a\ud800", "iss": "a\ud800"}):
            assertion = scene.library.assertion(claims=claims)
            answer = await scene.library.post("/oauth/par", {}, assertion=assertion)
            oauth_error_of(answer, 401, "invalid_client")
        details = '[{"type":"eligibility","programme":"a\\u0000","purpose":"x"}]'
        answer = await scene.library.push(authorization_details=details)
        oauth_error_of(answer, 400, "invalid_authorization_details")


@pytest.mark.parametrize("path", DOORS)
async def test_a_nul_opens_no_door(scene: Scene, path: str) -> None:
    """In a login, a password or a code: it failed, as with any other wrong one."""
    _, body = BODIES["POST", path]
    for name in body:
        answer = await send(scene, "POST", path, json.dumps({**body, name: f"{body[name]}\0"}))
        if name == "totp":
            problem_of(answer, 400, "body_invalid")
        else:
            problem_of(answer, 401, "sign_in_failed")


async def test_another_media_type_is_refused(scene: Scene) -> None:
    """A page of another site can send text/plain and forms; JSON it can't without asking."""
    async with scene.nothing_changes():
        for (method, path), (_, body) in BODIES.items():
            for media_type in ("text/plain", FORM["content-type"], "application/xml", "json", ""):
                more = {"content-type": media_type}
                answer = await send(scene, method, path, json.dumps(body), **more)
                problem_of(answer, 415, "media_type_unsupported")
        for path in OAUTH_FORMS:
            answer = await scene.world.http.post(path, json={"client_id": "library-demo"})
            oauth_error_of(answer, 400, "invalid_request")
        answer = await scene.browser.http.post("/leave", json={"csrf": "x"})
        assert answer.status_code == 415


async def test_json_in_utf8_may_say_so(scene: Scene) -> None:
    """What RFC 8259 calls a no-op parameter is not held against anybody."""
    more = {"content-type": "Application/JSON; charset=utf-8"}
    answer = await send(scene, "POST", CHECKS, '{"programme": "library"}', **more)
    assert answer.status_code == 200


async def test_an_unknown_id_is_not_found(scene: Scene) -> None:
    """An id nobody ever had, and what is no id at all."""
    codes = ("casino", "%00", "%ff", "a" * 300, "LIBRARY", "图书", "library%0A")
    ids = (uuid4(), "0", "%00", "%ff", "a" * 300, "..%2f", "'%20or%201=1")
    async with scene.nothing_changes():
        for method, path, unknown in (
            *(("DELETE", "/v1/me/consents", each) for each in ids),
            *(("DELETE", "/v1/me/enrolments", each) for each in ids),
            *(("GET", "/v1/me/programmes", each) for each in codes),
            *(("GET", "/problems", each) for each in codes),
            *(("GET", "/v1", each) for each in codes),
        ):
            address = httpx.URL(f"{path}/{unknown}").raw_path.decode()
            headers = scene.signed("citizen", method, address)
            answer = await scene.world.http.request(method, address, headers=headers)
            assert answer.status_code == 404, (address, answer.text)
            problem_of(answer, 404, "not_found")
        answer = await send(scene, "POST", "/v1/me/enrolments", '{"programme": "casino"}')
        problem_of(answer, 404, "not_found")


async def test_an_unknown_cursor_or_page_size_is_refused(scene: Scene) -> None:
    """400 with the parameter named; no cursor, however it is bent, opens anything."""
    bent = ("x", "W10", "WyJhIl0", "WyIlMDAiXQ", "WzFd", "%ff", "%00", "%ed%a0%80")
    sizes = ("0", "101", "ten", "-1", "9" * 40, "1.5", "%00")
    async with scene.nothing_changes():
        for path in ("/v1/me/accesses", "/v1/me/consents", "/v1/me/records"):
            for query, code in (
                *((f"page_size={each}", "parameter_invalid") for each in sizes),
                *((f"cursor={each}", "cursor_invalid") for each in bent),
                ("cursor=" + "A" * 513, "parameter_invalid"),
            ):
                headers = scene.signed("citizen", "GET", path)
                answer = await scene.world.http.get(f"{path}?{query}", headers=headers)
                assert answer.status_code == 400, (query, answer.text)
                problem_of(answer, 400, code)


async def test_another_method_is_not_allowed(scene: Scene) -> None:
    """405 says which ones are; the answer has its request id like any other."""
    async with scene.nothing_changes():
        for path in ("/v1/sign-in-codes", "/v1/me/programmes", CHECKS, "/oauth/token"):
            answer = await scene.world.http.request("PATCH", path)
            problem_of(answer, 405, "method_not_allowed")
            assert answer.headers["allow"]
