"""Goal: a citizen can follow the score: what it was, what changed and why, what it would be.

Method: the real application in process; records come in as files, the worker's handlers carry
out what follows from them. Product lines 2, 8 and 9.
"""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from backend.kit.clock import FixedClock, city_date
from backend.kit.crypto import Vault
from backend.kit.postgres import Database
from backend.kit.valkey import Valkey
from tests.support.citizen_world import App, CitizenWorld, open_world
from tests.support.world import JOINING, problem_of

SIMULATIONS = "/v1/me/score/simulations"


@pytest.fixture
async def world(
    database: Database, valkey: Valkey, vault: Vault, clock: FixedClock
) -> AsyncIterator[CitizenWorld]:
    async with open_world(database, valkey, vault, clock) as world:
        yield world


async def get(app: App, path: str) -> Any:
    answer = await app.call("GET", path)
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    return answer.json()


async def simulate(app: App, *changes: dict[str, Any], **day: str) -> Any:
    answer = await app.call("POST", SIMULATIONS, {"changes": changes, **day})
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    return answer.json()


async def live(world: CitizenWorld) -> App:
    """Let a citizen join, volunteer, be fined, and be told the score each time."""
    app = await world.app_of(joins=True)
    for source, class_code, line in (
        ("volunteer_federation", "volunteer_service", "v-1,2026-10-02,,12"),
        ("volunteer_federation", "volunteer_service", "v-2,2026-11-01,,6"),
        ("city_management_bureau", "penalty_general", "p-1,2026-06-01,,1"),
    ):
        world.clock.advance(timedelta(hours=1))
        await world.hand_in(source, class_code, line)
        await world.work()
    return app


class TestHistory:
    async def test_it_grows_by_what_comes_in_and_nothing_else(self, world):
        app = await live(world)
        page = await get(app, "/v1/me/score/history")
        assert [each["revision"] for each in page["items"]] == [4, 3, 2, 1]
        points = [each["points"] for each in page["items"]]
        assert points[3] < points[2] < points[1] > points[0]
        assert page["next_cursor"] is None
        score = await get(app, "/v1/me/score")
        newest = page["items"][0]
        assert (
            newest.items()
            >= {
                name: score[name]
                for name in ("points", "tier", "dimensions", "revision", "as_of", "input_digest")
            }.items()
        )
        await world.hand_in("volunteer_federation", "volunteer_service", "v-1,2026-10-02,,12")
        await world.work()
        assert await get(app, "/v1/me/score/history") == page, "the same line again is no change"

    async def test_it_comes_page_by_page_each_once(self, world):
        app = await live(world)
        seen: list[int] = []
        cursor = ""
        for size in (2, 2):
            page = await get(app, f"/v1/me/score/history?page_size=2{cursor}")
            assert len(page["items"]) == size
            seen += [each["revision"] for each in page["items"]]
            cursor = f"&cursor={page['next_cursor']}"
        assert (seen, page["next_cursor"]) == ([4, 3, 2, 1], None)

    @pytest.mark.parametrize("cursor", ["nonsense", "WyJ4Il0", "WyIwIl0", "WyItMSJd"])
    async def test_a_cursor_that_is_none_is_refused(self, world, cursor):
        app = await world.app_of(joins=True)
        answer = await app.call("GET", f"/v1/me/score/history?cursor={cursor}")
        problem_of(answer, 400, "cursor_invalid")

    async def test_who_leaves_has_no_history_and_none_from_before_after_rejoining(self, world):
        app = await live(world)
        assert (await app.call("DELETE", "/v1/me/participation")).is_success
        for path in ("history", "changes"):
            answer = await app.call("GET", f"/v1/me/score/{path}")
            problem_of(answer, 404, "score_missing")
        assert await world.count("score_history") == 0
        assert (await app.call("PUT", "/v1/me/participation", JOINING)).status_code == 200
        (only,) = (await get(app, "/v1/me/score/history"))["items"]
        assert only["revision"] == 1
        answer = await app.call("GET", "/v1/me/score/changes?from=4")
        problem_of(answer, 404, "score_revision_missing")

    async def test_the_next_change_is_the_day_a_window_slides_or_an_item_ends(self, world):
        app = await live(world)
        score = await get(app, "/v1/me/score")
        # A whole month since the newest volunteering and since the penalty, both on the 1st.
        assert score["next_change_on"] == "2026-12-01"
        assert (await get(await world.app_of(2, joins=True), "/v1/me/score"))[
            "next_change_on"
        ] is None


class TestChanges:
    async def test_the_last_two_are_compared_unless_others_are_named(self, world):
        app = await live(world)
        changes = await get(app, "/v1/me/score/changes")
        assert (changes["before"]["revision"], changes["after"]["revision"]) == (3, 4)
        assert changes == await get(app, "/v1/me/score/changes?from=3&to=4")
        back = await get(app, "/v1/me/score/changes?from=4&to=3")
        assert back["delta_points"] == -changes["delta_points"]
        first = await get(app, "/v1/me/score/changes?to=1")
        assert (first["delta_points"], first["items"]) == (0, [])

    @pytest.mark.parametrize("pair", [(1, 4), (1, 2), (2, 4), (4, 1), (3, 3)])
    async def test_the_items_add_up_to_the_difference(self, world, pair):
        app = await live(world)
        changes = await get(app, f"/v1/me/score/changes?from={pair[0]}&to={pair[1]}")
        difference = changes["after"]["points"] - changes["before"]["points"]
        assert changes["base"] is None
        assert changes["delta_points"] == difference
        assert sum(each["delta_points"] for each in changes["items"]) == difference

    async def test_an_item_says_from_what_to_what_and_which_record_came(self, world):
        app = await live(world)
        changes = await get(app, "/v1/me/score/changes?from=2&to=3")
        items = {each["indicator"]: each for each in changes["items"]}
        hours = items["volunteer_hours"]
        assert hours["text_en"] == "Volunteer hours: from 12 to 18 hours"
        assert hours["text_zh"] == "志愿服务时长：从 12 小时变为 18 小时"
        (came,) = hours["came"]
        assert (came["external_id"], came["quantity"], came["version"]) == ("v-2", 6, 1)
        assert hours["left"] == []
        known = {each["record_id"] for each in (await get(app, "/v1/me/records"))["items"]}
        assert came["record_id"] in known

    async def test_a_correction_is_named_as_what_left_and_what_came(self, world):
        app = await live(world)
        world.clock.advance(timedelta(hours=1))
        await world.report(1, "volunteer_federation", "volunteer_service", ["v-2,2,2026-11-01,,8"])
        await world.work()
        changes = await get(app, "/v1/me/score/changes")
        (hours,) = [each for each in changes["items"] if each["indicator"] == "volunteer_hours"]
        assert hours["text_en"] == "Volunteer hours: from 18 to 20 hours"
        assert [(each["version"], each["quantity"]) for each in hours["came"]] == [(2, 8)]
        assert [(each["version"], each["quantity"]) for each in hours["left"]] == [(1, 6)]

    async def test_a_revision_that_is_not_the_citizens_is_not_there(self, world):
        await live(world)
        stranger = await world.app_of(2, joins=True)
        for query in ("from=2", "to=4", "from=1&to=3"):
            answer = await stranger.call("GET", f"/v1/me/score/changes?{query}")
            problem_of(answer, 404, "score_revision_missing")

    @pytest.mark.parametrize("query", ["from=0", "to=x", f"to={2**63}"])
    async def test_what_is_no_revision_is_refused_by_the_name_it_was_sent_under(self, world, query):
        app = await world.app_of(joins=True)
        answer = await app.call("GET", f"/v1/me/score/changes?{query}")
        found = problem_of(answer, 400, "parameter_invalid")
        assert [each["name"] for each in found["errors"]] == [query.partition("=")[0]]


class TestSimulation:
    async def test_it_says_what_would_be_item_by_item(self, world):
        app = await live(world)
        (penalty,) = [
            each
            for each in (await get(app, "/v1/me/records"))["items"]
            if each["record_class"]["code"] == "penalty_general"
        ]
        score = await get(app, "/v1/me/score")
        found = await simulate(
            app,
            {"kind": "add", "record_class": "library_return", "occurred_on": "2026-11-19"},
            {"kind": "repair", "record_id": penalty["record_id"]},
        )
        assert found["before"]["points"] == score["points"]
        assert found["before"]["dimensions"] == score["dimensions"]
        items = {each["indicator"]: each["delta_points"] for each in found["items"]}
        assert items.keys() == {"library_returns", "penalties", "months_since_penalty"}
        assert found["after"]["points"] - found["before"]["points"] == found["delta_points"]
        assert sum(items.values()) == found["delta_points"] > 0

    async def test_what_it_said_comes_true(self, world):
        app = await live(world)
        found = await simulate(
            app,
            {
                "kind": "add",
                "record_class": "volunteer_service",
                "occurred_on": "2026-11-19",
                "quantity": 30,
            },
        )
        await world.hand_in("volunteer_federation", "volunteer_service", "v-9,2026-11-19,,30")
        await world.work()
        score = await get(app, "/v1/me/score")
        assert score["points"] == found["after"]["points"]
        assert score["dimensions"] == found["after"]["dimensions"]

    async def test_nothing_simulated_is_nothing_changed(self, world):
        app = await live(world)
        found = await simulate(app)
        assert (found["before"], found["delta_points"]) == (found["after"], 0)
        assert found["items"] == []

    async def test_what_time_alone_does(self, world):
        app = await live(world)
        found = await simulate(app, as_of="2027-07-01")
        items = {each["indicator"]: each["value_after"] for each in found["items"]}
        assert items["penalties"] == 0, "the longest publication of a general item is 12 months"
        assert found["after"]["as_of"] == "2027-07-01"

    async def test_it_changes_no_table_and_needs_no_idempotency_key(self, world):
        app = await live(world)
        before = await world.affairs()
        body = {
            "changes": [
                {"kind": "add", "record_class": "civic_honour", "occurred_on": "2026-11-01"}
            ]
        }
        headers = app.signed("POST", SIMULATIONS)
        del headers["idempotency-key"]
        answer = await world.http.post(SIMULATIONS, json=body, headers=headers)
        assert answer.status_code == 200, answer.text
        assert answer.json()["delta_points"] > 0
        assert await world.affairs() == before

    @pytest.mark.parametrize(
        ("change", "code"),
        [
            ({"kind": "add", "record_class": "goodness"}, "simulation_class_unknown"),
            (
                {"kind": "add", "record_class": "library_return", "quantity": 1_000_000},
                "simulation_quantity_invalid",
            ),
            (
                {
                    "kind": "add",
                    "record_class": "library_return",
                    "occurred_on": "2026-11-21",
                },
                "simulation_date_invalid",
            ),
        ],
    )
    async def test_what_can_not_be_is_refused_with_its_place(self, world, change, code):
        app = await world.app_of(joins=True)
        fine = {"kind": "add", "record_class": "civic_honour", "occurred_on": "2026-11-01"}
        change = {"occurred_on": "2026-11-01", **change}
        answer = await app.call("POST", SIMULATIONS, {"changes": [fine, change]})
        assert problem_of(answer, 422, code)["position"] == 1

    async def test_somebody_elses_record_is_not_there_to_be_repaired(self, world):
        app = await live(world)
        records = (await get(app, "/v1/me/records"))["items"]
        stranger = await world.app_of(2, joins=True)
        for kind in ("repair", "expire"):
            change = {"kind": kind, "record_id": records[0]["record_id"]}
            answer = await stranger.call("POST", SIMULATIONS, {"changes": [change]})
            assert problem_of(answer, 422, "simulation_record_unknown")["position"] == 0

    @pytest.mark.parametrize("as_of", ["2026-11-19", "2031-11-21"])
    async def test_a_day_too_early_or_too_far_is_refused(self, world, as_of):
        app = await world.app_of(joins=True)
        answer = await app.call("POST", SIMULATIONS, {"changes": [], "as_of": as_of})
        assert problem_of(answer, 422, "simulation_day_invalid")["months_ahead_max"] == 60

    @pytest.mark.parametrize(
        "body",
        [
            {},
            {"changes": [{"kind": "forget", "record_id": "x"}]},
            {"changes": [{"kind": "add", "record_class": "civic_honour"}]},
            {"changes": [], "store": True},
            {
                "changes": [
                    {"kind": "add", "record_class": "civic_honour", "occurred_on": "2026-11-01"}
                ]
                * 21
            },
        ],
    )
    async def test_a_body_that_is_no_simulation_is_refused(self, world, body):
        app = await world.app_of(joins=True)
        problem_of(await app.call("POST", SIMULATIONS, body), 400, "body_invalid")

    async def test_without_a_score_there_is_nothing_to_simulate(self, world):
        app = await world.app_of()
        problem_of(await app.call("POST", SIMULATIONS, {"changes": []}), 404, "score_missing")

    async def test_whoever_asks_without_end_is_told_to_wait(self, world):
        app = await world.app_of(joins=True)
        for _ in range(60):
            await simulate(app)
        answer = await app.call("POST", SIMULATIONS, {"changes": []})
        assert problem_of(answer, 429, "too_many_requests")["retry_after_seconds"] == 60
        assert answer.headers["retry-after"] == "60"
        stranger = await world.app_of(2, joins=True)
        await simulate(stranger)


async def test_what_would_help_gives_what_it_says(world):
    app = await live(world)
    helps = (await get(app, "/v1/me/score"))["helps"]
    assert [each["gain_points"] for each in helps] == sorted(
        (each["gain_points"] for each in helps), reverse=True
    )
    repair = next(each for each in helps if each["record_ids"])
    (record_id,) = repair["record_ids"]
    found = await simulate(app, {"kind": "repair", "record_id": record_id})
    assert found["delta_points"] == repair["gain_points"]


async def test_a_reason_names_the_records_of_the_day_the_score_is_of(world):
    app = await live(world)
    score = await get(app, "/v1/me/score")
    assert score["as_of"] == city_date(world.clock.now()).isoformat()
    by_indicator = {each["indicator"]: each for each in score["reasons"]}
    assert by_indicator["volunteer_hours"]["record_count"] == 2
    records = (await get(app, "/v1/me/records"))["items"]
    services = [each for each in records if each["record_class"]["code"] == "volunteer_service"]
    assert by_indicator["volunteer_hours"]["record_ids"] == [each["record_id"] for each in services]


@pytest.mark.parametrize("path", ["history", "changes", "simulations"])
async def test_without_a_token_nothing_is_shown(world, path):
    method = "POST" if path == "simulations" else "GET"
    answer = await world.http.request(method, f"/v1/me/score/{path}", json={"changes": []})
    assert answer.status_code == 401
