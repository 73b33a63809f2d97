"""Goal: operators bring a programme live over HTTP by two people; partners see what lists them.

Method: the whole application; operators signed in with keys of their own, a partner's software
with a token of its own, and steps that are sent twice, out of turn or by the wrong person.
"""

import asyncio
from collections.abc import AsyncIterator
from importlib.resources import files

import pytest

from backend.app import House
from tests.support.oauth_client import OauthClient
from tests.support.operator import OperatorSoftware
from tests.support.partner import PartnerSoftware
from tests.support.world import World, problem_of

LIBRARY = (files("backend.programme") / "data/library.toml").read_text("utf-8")
PROGRAMMES = "/v1/operator/programmes"
VERSION = f"{PROGRAMMES}/library/versions/3"


def text(version: int = 3) -> str:
    return LIBRARY.replace("version = 2", f"version = {version}")


@pytest.fixture
async def world(house: House) -> AsyncIterator[World]:
    world = World(house)
    yield world
    await world.close()


@pytest.fixture
async def library(world: World) -> OauthClient:
    return await world.found()


async def test_two_operators_bring_a_version_live(world: World, library: OauthClient) -> None:
    ann = await OperatorSoftware.of(world, "programmes")
    ben = await OperatorSoftware.of(world, "programmes")
    drafted = await ann.call("POST", PROGRAMMES, {"text": text()})
    assert drafted.status_code == 201, drafted.text
    assert (drafted.json()["state"], drafted.json()["drafted_by"]) == ("draft", ann.login)
    assert drafted.json()["document"]["order"]["confirm"] == "consent"
    submitted = await ann.call("POST", f"{VERSION}/submit")
    assert submitted.json()["state"] == "submitted"
    look = await ben.call("POST", f"{VERSION}/dry-runs")
    assert look.status_code == 201, look.text
    assert look.json()["is_sound"] is True
    assert look.json()["difference"]["live_version"] == 2
    body = {"dry_run_id": look.json()["dry_run_id"]}
    problem_of(await ann.call("POST", f"{VERSION}/approve", body), 409, "programme_self_decision")
    approved = await ben.call("POST", f"{VERSION}/approve", body, reason="同意")
    assert approved.status_code == 200, approved.text
    assert (approved.json()["state"], approved.json()["decided_by"]) == ("live", ben.login)
    listed = await ben.call("GET", f"{PROGRAMMES}?page_size=100", reason=None)
    states = {
        (each["programme"], each["version"]): each["state"] for each in listed.json()["items"]
    }
    assert (states["library", 2], states["library", 3]) == ("retired", "live")
    looks = await ben.call("GET", f"{VERSION}/dry-runs", reason=None)
    assert looks.json()["items"] == [look.json()]
    assert (await ben.call("GET", VERSION, reason=None)).json() == approved.json()
    said = await world.count("operator_entry", "action = 'programme.approved' AND reason = '同意'")
    assert said == 1


async def test_a_step_sent_twice_is_taken_once(world: World, library: OauthClient) -> None:
    ann = await OperatorSoftware.of(world, "programmes")
    headers = ann.signed("POST", PROGRAMMES)
    first = await world.http.post(PROGRAMMES, json={"text": text()}, headers=headers)
    headers["dpop"] = ann.signed("POST", PROGRAMMES)["dpop"]
    again = await world.http.post(PROGRAMMES, json={"text": text()}, headers=headers)
    assert again.json() == first.json()
    assert await world.count("operator_entry", "action = 'programme.drafted'") == 1
    headers["dpop"] = ann.signed("POST", PROGRAMMES)["dpop"]
    other = await world.http.post(PROGRAMMES, json={"text": text(4)}, headers=headers)
    problem_of(other, 422, "idempotency_key_reused")


async def test_what_is_wrong_is_said_and_changes_nothing(
    world: World, library: OauthClient
) -> None:
    ann = await OperatorSoftware.of(world, "programmes")
    wrong = text().replace("seats = 200000", "seats = 0").replace("deposit_fen = 10000", "x = 1")
    answer = await ann.call("POST", PROGRAMMES, {"text": wrong})
    refused = problem_of(answer, 422, "programme_document_invalid")
    assert len(refused["faults"]) >= 2
    for unreadable in (
        text().replace('name_en = "', 'name_en = "\\u0000'),
        text().replace("seats = 200000", f"seats = {'9' * 5000}"),
        f"{text()}\nmore = {'[' * 9000}",
    ):
        answer = await ann.call("POST", PROGRAMMES, {"text": unreadable})
        problem_of(answer, 422, "programme_document_invalid")
    for path in (
        f"{PROGRAMMES}/casino/versions/1",
        f"{PROGRAMMES}/library/versions/0",
        f"{PROGRAMMES}/library/versions/99999999999999999999",
        f"{PROGRAMMES}/lib%00rary/versions/1",
    ):
        problem_of(await ann.call("GET", path, reason=None), 404, "programme_unknown")
    problem_of(await ann.call("POST", f"{PROGRAMMES}/casino/pause"), 404, "programme_unknown")
    problem_of(
        await ann.call("POST", f"{PROGRAMMES}/library/versions/2/submit"),
        409,
        "programme_step_impossible",
    )
    problem_of(await ann.call("POST", f"{VERSION}/submit", reason=None), 400, "reason_missing")
    assert await world.count("programme_version", "state = 'draft'") == 0


@pytest.mark.parametrize("role", ["data", "cases", "security", "audit"])
async def test_other_roles_touch_no_programme(
    world: World, library: OauthClient, role: str
) -> None:
    other = await OperatorSoftware.of(world, role)
    for method, path in (
        ("GET", PROGRAMMES),
        ("POST", PROGRAMMES),
        ("POST", f"{PROGRAMMES}/library/pause"),
    ):
        body = {"text": text()} if path == PROGRAMMES and method == "POST" else None
        problem_of(await other.call(method, path, body), 403, "scope_insufficient")


async def test_a_pause_is_seen_by_partners_and_nobody_gets_a_yes(
    world: World, library: OauthClient
) -> None:
    ann = await OperatorSoftware.of(world, "programmes")
    own = await PartnerSoftware.of(library)
    await world.reader_of(1)
    tokens = await world.tokens_of(await world.browser_of(1), library)
    assert (await world.check(library, tokens.access)).json()["eligible"] is True
    paused = await ann.call("POST", f"{PROGRAMMES}/library/pause")
    assert paused.json() == {"programme": "library", "state": "paused"}
    assert (await world.check(library, tokens.access)).json() == {"eligible": False}
    (seen,) = (await own.call("GET", "/v1/programmes")).json()["items"]
    assert (seen["programme"], seen["state"]) == ("library", "paused")
    assert seen["order"] == {"confirm": "consent", "amount_max_fen": 10_000}
    assert seen["benefit"] == {"type": "deposit_waiver", "cap_fen": 10_000}
    other = await world.app_of(2, joins=True)
    closed = await other.call("POST", "/v1/me/enrolments", {"programme": "library"})
    problem_of(closed, 409, "programme_closed")
    resumed = await ann.call("POST", f"{PROGRAMMES}/library/resume")
    assert resumed.json()["state"] == "live"
    assert (await world.check(library, tokens.access)).json()["eligible"] is True
    told = await world.count(
        "outbox", "topic = 'webhook.message' AND payload ->> 'topic' LIKE 'programme.%'"
    )
    assert told == 2


async def test_a_partner_sees_no_programme_that_does_not_list_it(
    world: World, library: OauthClient
) -> None:
    museum = await PartnerSoftware.of(await world.client_of("city-museum", "museum-demo"))
    assert (await museum.call("GET", "/v1/programmes")).json() == {"items": []}
    less = await PartnerSoftware.of(library, scope="webhooks:write")
    problem_of(await less.call("GET", "/v1/programmes"), 403, "scope_insufficient")


async def test_of_two_operators_at_once_one_ends_it(world: World, library: OauthClient) -> None:
    people = [await OperatorSoftware.of(world, "programmes") for _ in range(2)]
    answers = await asyncio.gather(
        *(each.call("POST", f"{PROGRAMMES}/library/end") for each in people)
    )
    assert [each.json()["state"] for each in answers] == ["ended", "ended"]
    assert await world.count("operator_entry", "action = 'programme.ended'") == 1
