"""Goal: the main job, from a citizen's first code to the library that learns nothing more.

Method: the real application in process. The citizen has an app with a key of its own and a
browser without scripts; the library speaks the raw protocol. Each claim of the story is held
against the answer, and where it is a claim about what is kept, against the tables.
"""

import re
from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import pytest

from backend.app import House
from backend.kit.clock import FixedClock
from tests.conftest import NOW
from tests.support.citizen import national_id, phone
from tests.support.oauth_client import ELIGIBILITY, ISSUER, OauthClient
from tests.support.web import Browser
from tests.support.world import JOINING, App, Tokens, World


@pytest.fixture
async def world(house: House) -> AsyncIterator[World]:
    world = World(house)
    yield world
    await world.close()


@pytest.fixture
async def library(world: World) -> OauthClient:
    return await world.found()


class Scene:
    """A reader who is enrolled, and a library that holds her consent."""

    def __init__(self, world: World, library: OauthClient, app: App, browser: Browser) -> None:
        self.world, self.library = world, library
        self.app, self.browser = app, browser
        self.tokens: Tokens

    async def consent_id(self) -> str:
        items = (await self.app.call("GET", "/v1/me/consents")).json()["items"]
        return str(items[0]["consent_id"])


@pytest.fixture
async def scene(world: World, library: OauthClient) -> Scene:
    app = await world.reader_of()
    scene = Scene(world, library, app, await world.browser_of())
    scene.tokens = await world.tokens_of(scene.browser, library)
    return scene


async def test_she_signs_in_joins_and_sees_the_score_with_its_reasons(world: World) -> None:
    """No score before joining; afterwards points, dimensions that add up, reasons, and records."""
    await world.found()
    await world.make_reader()
    app = App(world)
    asked = await app.call("POST", "/v1/sign-in-codes", {"phone": phone()})
    assert (asked.status_code, asked.json()) == (202, {"expires_in": 300})
    person = {"phone": phone(), "national_id": national_id(), "name": "林晓"}
    opened = await app.call("POST", "/v1/accounts", {**person, "code": world.inbox.code})
    assert (opened.status_code, opened.json()["token_type"]) == (201, "DPoP")
    app.token = opened.json()["access_token"]
    assert (await app.call("GET", "/v1/me/score")).json()["code"] == "score_missing"
    assert await world.count("score") == 0
    notice = (await app.call("GET", "/v1/me/participation")).json()["notice"]
    assert notice["version"] == JOINING["notice_version"]
    joined = await app.call("PUT", "/v1/me/participation", JOINING)
    assert joined.json()["joined_at"] == "2026-11-20T02:00:00Z"
    score = (await app.call("GET", "/v1/me/score")).json()
    assert 600 <= score["points"] <= 1000
    assert score["points"] == sum(each["points"] for each in score["dimensions"])
    assert 1 <= len(score["reasons"]) <= 4
    known = {
        each["record_id"] for each in (await app.call("GET", "/v1/me/records")).json()["items"]
    }
    behind = {each for reason in score["reasons"] for each in reason["record_ids"]}
    assert behind
    assert behind <= known, "each reason stands on records she can look at"


async def test_she_sees_six_offers_and_enrols_in_one(world: World, library: OauthClient) -> None:
    """Each offer with its baseline; what is missing where it is not yet; a seat is taken."""
    await world.make_reader()
    app = await world.app_of(joins=True)
    offers = (await app.call("GET", "/v1/me/programmes")).json()["items"]
    assert [each["programme"] for each in offers] == [
        *("approval", "library", "loan", "rental", "tourism", "transit"),
    ]
    for each in offers:
        assert each["baseline_zh"]
        assert (each["offer"] == "not_yet") == bool(each["missing"]), each
    assert {"available", "not_yet"} <= {each["offer"] for each in offers}
    made = await app.call("POST", "/v1/me/enrolments", {"programme": "library"})
    assert made.status_code == 201, made.text
    seen = (await app.call("GET", "/v1/me/programmes/library")).json()
    assert seen["offer"] == "enrolled"
    assert seen["enrolment"]["enrolment_id"] == made.json()["enrolment_id"]
    assert await world.count("seat_budget", "seats_taken = 1 AND programme_code = 'library'") == 1


async def test_the_library_asks_and_gets_a_token_bound_to_its_key(scene: Scene) -> None:
    """DPoP, ten minutes, one scope, the details of the consent; introspection says the same."""
    body = scene.tokens.body
    shown = {name: body[name] for name in ("token_type", "expires_in", "scope")}
    assert shown == {"token_type": "DPoP", "expires_in": 600, "scope": "eligibility:verify"}
    assert body["authorization_details"] == ELIGIBILITY
    said = (await scene.library.introspect(scene.tokens.access)).json()
    assert (said["active"], said["iss"], said["aud"]) == (True, ISSUER, ISSUER)
    assert said["cnf"] == {"jkt": scene.library.jkt}
    assert said["authorization_details"] == ELIGIBILITY
    assert said["sub"] != str(await scene.app.subject_id), "the library knows her by another id"


async def test_the_answer_is_yes_with_benefit_and_proof_and_nothing_else(scene: Scene) -> None:
    """Exactly these members, in these bytes; no score, no name, no threshold."""
    answer = await scene.world.check(scene.library, scene.tokens.access)
    assert answer.status_code == 200
    decision_id = answer.json()["decision_id"]
    assert answer.text == (
        '{"eligible":true,"programme":"library",'
        '"benefit":{"type":"deposit_waiver","cap_fen":10000},'
        f'"decision_id":"{decision_id}","valid_until":"2026-11-20T02:10:00Z"}}'
    )
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"


async def test_the_look_is_in_her_ledger_when_the_answer_arrives(scene: Scene) -> None:
    """Who, when, why, what kind of data, under which consent, and what was said."""
    answer = await scene.world.check(scene.library, scene.tokens.access)
    page = (await scene.app.call("GET", "/v1/me/accesses")).json()
    assert page["next_cursor"] is None
    (look,) = page["items"]
    purpose = look.pop("purpose")
    assert purpose["code"] == "deposit_free_borrowing"
    assert "图书馆" in purpose["text_zh"]
    assert look.pop("access_id")
    assert look == {
        "at": "2026-11-20T02:00:00Z",
        "actor": {
            "kind": "partner",
            "id": "city-library",
            "name_zh": "市图书馆",
            "name_en": "City Library",
        },
        "action": "eligibility_check",
        "data_kinds": ["eligibility"],
        "consent_id": await scene.consent_id(),
        "programme": "library",
        "decision_id": answer.json()["decision_id"],
        "disclosed": "eligible",
    }
    page_of_looks = await scene.browser.open("/accesses")
    assert "市图书馆" in page_of_looks.html
    assert "City Library" in page_of_looks.html


async def test_the_decision_is_kept_with_version_digest_and_trace(scene: Scene) -> None:
    """What was decided can be decided again: rule version, facts digest, sealed trace."""
    answer = await scene.world.check(scene.library, scene.tokens.access)
    kept = await scene.world.count(
        "decision",
        """decision_id = $1 AND eligible AND programme_version = 2 AND client_id = 'library-demo'
           AND octet_length(facts_digest) = 32 AND trace_sealed IS NOT NULL
           AND decided_at = $2 AND valid_until = $3""",
        answer.json()["decision_id"],
        NOW,
        NOW + timedelta(seconds=600),
    )
    assert kept == 1


async def test_withdrawn_means_401_and_no_refresh_and_no_new_look(scene: Scene) -> None:
    """At once, for the token, the refresh token and every later question."""
    await scene.world.check(scene.library, scene.tokens.access)
    gone = await scene.app.call("DELETE", f"/v1/me/consents/{await scene.consent_id()}")
    assert gone.status_code == 204
    answer = await scene.world.check(scene.library, scene.tokens.access)
    assert (answer.status_code, answer.json()["code"]) == (401, "token_invalid")
    assert answer.headers["content-type"] == "application/problem+json"
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]
    refreshed = await scene.library.refresh(scene.tokens.refresh)
    assert (refreshed.status_code, refreshed.json()["error"]) == (400, "invalid_grant")
    said = await scene.library.introspect(scene.tokens.access)
    assert said.json() == {"active": False}
    looks = (await scene.app.call("GET", "/v1/me/accesses")).json()["items"]
    assert len(looks) == 1
    assert await scene.world.count("decision") == 1


async def test_a_refreshed_token_answers_like_the_first(scene: Scene, clock: FixedClock) -> None:
    """Ten minutes later the old token is over; the refreshed one is good, for the same consent."""
    assert isinstance(scene.world.clock, FixedClock)
    clock.advance(timedelta(minutes=10))
    assert (await scene.world.check(scene.library, scene.tokens.access)).status_code == 401
    refreshed = await scene.library.refresh(scene.tokens.refresh)
    assert refreshed.status_code == 200, refreshed.text
    answer = await scene.world.check(scene.library, refreshed.json()["access_token"])
    assert answer.json()["eligible"] is True
    until = datetime.fromisoformat(answer.json()["valid_until"])
    assert until == NOW + timedelta(minutes=20)


async def test_leaving_erases_the_score_and_costs_nothing_else(scene: Scene) -> None:
    """Score, enrolment, key and traces are gone; account, ledger and the proof of the look stay."""
    world = scene.world
    await world.check(scene.library, scene.tokens.access)
    assert (await scene.app.call("DELETE", "/v1/me/participation")).status_code == 204
    assert (await scene.app.call("GET", "/v1/me/score")).json()["code"] == "score_missing"
    for table in ("score", "enrolment", "participation"):
        assert await world.count(table) == 0, table
    assert await world.count("decision", "trace_sealed IS NOT NULL") == 0
    assert await world.count("seat_budget", "seats_taken <> 0") == 0
    assert await world.count("consent", "ended_at IS NULL") == 0
    assert await world.count("oauth_grant", "revoked_at IS NULL") == 0
    assert (await world.check(scene.library, scene.tokens.access)).status_code == 401
    assert len((await scene.app.call("GET", "/v1/me/accesses")).json()["items"]) == 1
    assert (await scene.app.call("GET", "/v1/me")).status_code == 200
    offers = (await scene.app.call("GET", "/v1/me/programmes")).json()["items"]
    assert {each["offer"] for each in offers} == {"join_first"}
    assert all(each["baseline_zh"] for each in offers), "the baseline goes on"


async def test_she_can_go_and_come_back_and_nothing_of_the_old_token_wakes_up(
    scene: Scene,
) -> None:
    """Joining again makes a new score under a new key; the library has to ask again."""
    await scene.app.call("DELETE", "/v1/me/participation")
    assert (await scene.app.call("PUT", "/v1/me/participation", JOINING)).status_code == 200
    assert (await scene.app.call("GET", "/v1/me/score")).status_code == 200
    assert (await scene.world.check(scene.library, scene.tokens.access)).status_code == 401
    again = await scene.world.tokens_of(scene.browser, scene.library)
    answer = await scene.world.check(scene.library, again.access)
    assert answer.content == b'{"eligible":false}', "she has not enrolled again"


async def test_the_whole_story_says_nothing_personal_to_the_library(scene: Scene) -> None:
    """Neither name nor phone nor identity nor subject id nor points in anything it is sent."""
    heard: list[str] = []

    async def hear(response: object) -> None:
        assert hasattr(response, "aread")
        await response.aread()
        headers = {k: v for k, v in response.headers.items() if k != "content-length"}
        heard.append(f"{headers}{response.text}")

    points = (await scene.app.call("GET", "/v1/me/score")).json()["points"]
    scene.library.http = scene.world.new_http()
    scene.library.http.event_hooks = {"response": [hear]}
    tokens = await scene.world.tokens_of(scene.browser, scene.library)
    scene.world.http.event_hooks = {"response": [hear]}
    await scene.world.check(scene.library, tokens.access)
    scene.world.http.event_hooks = {}
    await scene.library.introspect(tokens.access)
    await scene.library.refresh(tokens.refresh)
    assert len(heard) == 5
    secrets = ["林", phone()[3:], national_id(), str(await scene.app.subject_id)]
    for text in heard:
        assert not any(secret in text for secret in secrets), text
        assert not re.search(rf"\b{points}\b", text), text
