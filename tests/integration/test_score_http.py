"""Goal: the citizen sees the own score with its reasons, and the own records; nobody else's.

Method: the real application in process.
"""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from backend.kit.clock import FixedClock
from backend.kit.crypto import Vault
from backend.kit.postgres import Database
from backend.kit.valkey import Valkey
from tests.support.citizen_world import CitizenWorld, open_world


@pytest.fixture
async def world(
    database: Database, valkey: Valkey, vault: Vault, clock: FixedClock
) -> AsyncIterator[CitizenWorld]:
    async with open_world(database, valkey, vault, clock) as world:
        yield world


async def test_the_score_is_shown_with_tier_dimensions_reasons_and_what_would_help(world):
    await world.hand_in("city_library", "library_return", "l-1,2026-10-01,,40")
    await world.hand_in("volunteer_federation", "volunteer_service", "v-1,2026-10-02,,60")
    await world.hand_in("city_management_bureau", "penalty_general", "p-1,2026-06-01,,1")
    app = await world.app_of(joins=True)
    answer = await app.call("GET", "/v1/me/score")
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    score = answer.json()
    assert score["points"] == sum(each["points"] for each in score["dimensions"])
    assert score["range_points"] == 1000
    assert (score["scorecard_version"], score["as_of"]) == ("2026-2", "2026-11-20")
    assert len(bytes.fromhex(score["input_digest"])) == 32
    assert score["tier"]["name_zh"] in {"起步", "稳健", "良好", "优秀", "示范"}
    assert [each["code"] for each in score["dimensions"]] == [
        *("identity", "performance", "law", "economic", "civic"),
    ]
    effects = [each["effect_points"] for each in score["reasons"]]
    assert len(effects) == 4
    assert score["reasons"][0]["text_zh"] == "近24个月志愿服务 60 小时"
    lowering = next(each for each in score["reasons"] if each["indicator"] == "penalties")
    assert lowering["effect_points"] == -20
    assert len(lowering["record_ids"]) == 1
    assert all(each["gain_points"] > 0 for each in score["helps"])
    assert len(score["helps"]) == 3


async def test_the_records_behind_a_reason_are_the_citizens_own_records(world):
    await world.hand_in("city_library", "library_return", "l-1,2026-10-01,,4")
    app = await world.app_of(joins=True)
    reason = (await app.call("GET", "/v1/me/score")).json()["reasons"][0]
    (record,) = (await app.call("GET", "/v1/me/records")).json()["items"]
    assert reason["record_ids"] == [record["record_id"]]


async def test_a_record_says_what_from_whom_when_and_when_it_ends(world):
    await world.hand_in("city_management_bureau", "penalty_minor", "p-1,2026-10-01,2026-09-15,1")
    app = await world.app_of()
    answer = await app.call("GET", "/v1/me/records")
    assert answer.status_code == 200, "records are shown without taking part: they are theirs"
    (record,) = answer.json()["items"]
    del record["record_id"]
    assert record == {
        "record_class": {
            "code": "penalty_minor",
            "name_zh": "行政处罚（轻微失信）",
            "name_en": "Administrative penalty, minor",
            "dimension": "law",
            "polarity": "adverse",
            "severity": "minor",
            "legal_basis": "《中华人民共和国行政处罚法》第四十八条",
        },
        "source": {
            "code": "city_management_bureau",
            "name_zh": "市城市管理局",
            "name_en": "City Management Bureau",
        },
        "external_id": "p-1",
        "version": 1,
        "quantity": 1,
        "unit_zh": "件",
        "unit_en": "item",
        "occurred_on": "2026-10-01",
        "ended_on": "2026-09-15",
        "ends_on": "2027-01-01",
        "counts": True,
        "status": "standing",
        "why_not": None,
        "reported_at": "2026-11-20T02:00:00Z",
    }


async def test_an_item_that_has_ended_no_longer_counts(world):
    await world.hand_in("city_management_bureau", "penalty_minor", "p-1,2026-08-25,,1")
    world.clock.advance(timedelta(days=5))
    app = await world.app_of(joins=True)
    (record,) = (await app.call("GET", "/v1/me/records")).json()["items"]
    assert (record["ends_on"], record["counts"]) == ("2026-11-25", False)
    assert (await app.call("GET", "/v1/me/score")).json()["reasons"] == []


async def test_records_come_newest_first_page_by_page_and_each_once(world):
    days = ["2026-03-01", "2026-05-01", "2026-04-01", "2026-05-01", "2026-02-01"]
    lines = [f"l-{number},{day},,1" for number, day in enumerate(days)]
    await world.hand_in("city_library", "library_return", *lines)
    app = await world.app_of()
    seen, cursor = [], ""
    for size in (2, 2, 1):
        page = (await app.call("GET", f"/v1/me/records?page_size=2{cursor}")).json()
        assert len(page["items"]) == size
        seen += page["items"]
        cursor = f"&cursor={page['next_cursor']}"
    assert page["next_cursor"] is None
    assert [each["occurred_on"] for each in seen] == sorted(days, reverse=True)
    assert len({each["record_id"] for each in seen}) == len(days)


async def test_nobody_sees_the_records_or_the_score_of_somebody_else(world):
    await world.hand_in("city_library", "library_return", "l-1,2026-10-01,,4")
    stranger = await world.app_of(2, joins=True)
    assert (await stranger.call("GET", "/v1/me/records")).json()["items"] == []
    assert (await stranger.call("GET", "/v1/me/score")).json()["reasons"] == []


async def test_before_joining_and_after_leaving_there_is_no_score(world):
    app = await world.app_of()
    for _ in range(2):
        answer = await app.call("GET", "/v1/me/score")
        assert (answer.status_code, answer.json()["code"]) == (404, "score_missing")
        joining = {
            "notice_version": (await app.call("GET", "/v1/me/participation")).json()["notice"][
                "version"
            ]
        }
        assert (await app.call("PUT", "/v1/me/participation", joining)).status_code == 200
        assert (await app.call("GET", "/v1/me/score")).status_code == 200
        assert (await app.call("DELETE", "/v1/me/participation")).is_success


@pytest.mark.parametrize("path", ["/v1/me/score", "/v1/me/records"])
async def test_without_a_token_nothing_is_shown(world, path):
    assert (await world.http.get(path)).status_code == 401


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("cursor=nonsense", "cursor_invalid"),
        ("cursor=WyJ4IiwieSJd", "cursor_invalid"),  # ["x","y"]: a cursor, but no place
        ("page_size=0", "parameter_invalid"),
        ("page_size=101", "parameter_invalid"),
    ],
)
async def test_a_wrong_page_is_refused(world, query, code):
    app = await world.app_of()
    answer = await app.call("GET", f"/v1/me/records?{query}")
    assert (answer.status_code, answer.json()["code"]) == (400, code)
