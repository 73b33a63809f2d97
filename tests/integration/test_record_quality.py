"""Goal: a department sees what came of its own lines, month by month, and nobody else's.

Method: three files in two months, sent by the job the command uses, with late lines, a duplicate,
a correction and bad lines; then the numbers over HTTP with a department's token, and by command.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner

from backend.__main__ import main
from backend.app import House
from backend.calendar import service as calendar
from backend.calendar.rules import WorkDay
from backend.kit.clock import FixedClock
from backend.partner import service as partner
from backend.record import service as record
from backend.record.jobs import send_submission
from backend.record.rules.life import Days
from backend.record.rules.quality import MonthCounts, Timing, measure
from tests.conftest import DIGEST_KEY, KEK, NOW, encoded_key
from tests.support.citizen import national_id
from tests.support.oauth_client import OauthClient, jwks_of
from tests.support.world import World, problem_of

SOURCE, CLASS = "city_management_bureau", "penalty_general"
HEADER = "national_id,external_id,version,occurred_on,ended_on,quantity,action\n"
# 23:30 on 31 October and 00:30 on 1 November in the city: the same day in UTC.
OCTOBER = datetime(2026, 10, 31, 15, 30, tzinfo=UTC)
NOVEMBER = datetime(2026, 10, 31, 16, 30, tzinfo=UTC)
ANSWERS = {
    OCTOBER: [
        "p-1,1,2026-10-26,,1,",  # in time
        "p-2,1,2026-09-01,,1,report",  # late
        "p-3,1,2026-13-01,,1,",  # no day of the calendar
        ",1,2026-10-26,,1,",  # its number is missing
    ],
    NOVEMBER: [
        "p-1,1,2026-10-26,,1,",  # handed in before
        "p-2,2,2026-09-02,,1,",  # a correction: not timed
        "p-5,1,2026-10-29,,1,",  # in time
    ],
    NOW: [
        "p-6,1,2026-11-10,,1,",  # the seventh working day was yesterday
        "p-7,1,2026-11-11,,1,",  # the seventh working day is today
        "p-1,2,2026-10-26,,1,withdraw",  # neither this
        "p-2,3,2026-09-02,,1,repair",  # nor this is timed
    ],
}
IN_OCTOBER = {"lines": 4, "accepted": 2, "rejected": 2, "incomplete": 1, "timed": 2, "late": 1}
IN_NOVEMBER = {
    "lines": 7,
    "accepted": 7,
    "duplicates": 1,
    "corrections": 1,
    "withdrawals": 1,
    "repairs": 1,
    "timed": 3,
    "late": 1,
}
NOTHING = dict.fromkeys(
    (
        *("lines", "accepted", "rejected", "incomplete", "duplicates", "corrections"),
        *("withdrawals", "repairs", "timed", "late"),
    ),
    0,
)


async def hand_in(house: House, clock: FixedClock, at: datetime) -> None:
    """Send the file of a moment, at that moment."""
    clock.advance(at - clock.now())
    lines = "".join(f"{national_id(1)},{line}\n" for line in ANSWERS[at])
    await send_submission(
        house.database,
        BytesIO((HEADER + lines).encode()),
        source_code=SOURCE,
        class_code=CLASS,
        batch_id=f"batch-{at:%m-%d-%H}",
        vault=house.vault,
        clock=clock,
    )


@pytest.fixture
async def world(house: House) -> AsyncIterator[World]:
    world = World(house)
    await world.found()
    yield world
    await world.close()


class Department:
    """A department's software with its token."""

    def __init__(self, world: World, client: OauthClient, token: str) -> None:
        self.world, self.client, self.token = world, client, token

    async def get(self, query: str = "") -> httpx.Response:
        """Ask for the quality of its lines."""
        proof = self.client.proof("GET", "/v1/quality", access_token=self.token)
        headers = {"authorization": f"DPoP {self.token}", "dpop": proof}
        return await self.world.http.get(f"/v1/quality{query}", headers=headers)


async def department_of(world: World, source_code: str, *, scopes: list[str]) -> Department:
    """Register a department's software and get it a token."""
    client = OauthClient(world.http, world.clock, client_id=f"{source_code.replace('_', '-')}-app")
    names = {"name_zh": "市图书馆", "name_en": "City Library"}
    code = f"{source_code.replace('_', '-')}-source"
    async with world.database.write() as tx:
        await partner.add_partner(
            tx,
            code=code,
            kind="source",
            source_code=source_code,
            known_sources=[source_code],
            now=world.clock.now(),
            **names,
        )
        await partner.add_client(
            tx,
            partner_code=code,
            client_id=client.client_id,
            jwks=jwks_of(client.key),
            redirect_uris=[],
            scopes=scopes,
            now=world.clock.now(),
            **names,
        )
    answer = await client.post(
        "/oauth/token",
        {"grant_type": "client_credentials"},
        proof=client.proof("POST", "/oauth/token"),
    )
    assert answer.status_code == 200, answer.text
    return Department(world, client, answer.json()["access_token"])


async def hand_in_all(world: World, clock: FixedClock) -> None:
    """Send the three files, the last of them twice."""
    for at in (OCTOBER, NOVEMBER, NOW, NOW):
        await hand_in(world.house, clock, at)


async def test_a_department_sees_its_months_and_can_work_its_marks_out(
    world: World, clock: FixedClock
) -> None:
    await hand_in_all(world, clock)
    department = await department_of(world, SOURCE, scopes=["quality:read"])
    answer = await department.get()
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    body: dict[str, Any] = answer.json()
    assert (body["source_code"], body["formula"]) == (SOURCE, "1")
    november, october = body["items"]
    assert (october["class_code"], october["month"]) == (CLASS, "2026-10")
    assert (october["is_running"], november["is_running"]) == (False, True)
    assert october["counts"] == NOTHING | IN_OCTOBER
    assert november["counts"] == NOTHING | IN_NOVEMBER
    for item in (october, november):
        weights, shares = body["weights"], item["shares_permille"]
        assert item["mark"] == sum(weights[name] * shares[name] for name in weights) // 1000
    assert october["shares_permille"] == {
        "completeness": 750,
        "validity": 500,
        "timeliness": 500,
        "uniqueness": 1000,
        "first_time_right": 1000,
    }
    assert (october["mark"], november["mark"]) == (65, 87)


async def test_one_month_can_be_asked_for_and_a_month_without_lines_has_no_mark(
    world: World, clock: FixedClock
) -> None:
    await hand_in_all(world, clock)
    department = await department_of(world, SOURCE, scopes=["quality:read"])
    (item,) = (await department.get("?month=2026-10")).json()["items"]
    assert item["month"] == "2026-10"
    assert (await department.get("?month=2026-09")).json()["items"] == []
    for wrong in ("2026-13", "2026-1", "26-10", "2026-10-01", "2026-10%0A", "x", ""):
        problem_of(await department.get(f"?month={wrong}"), 400, "parameter_invalid")


async def test_what_is_older_than_two_years_is_shown_when_asked_for_only(
    world: World, clock: FixedClock
) -> None:
    await hand_in_all(world, clock)
    async with world.database.read() as tx:
        today = datetime(2028, 9, 30, tzinfo=UTC).date()
        found = await record.list_quality(tx, source_code=SOURCE, month=None, today=today)
        assert [each.counts.month.month for each in found] == [11, 10]
        later = today.replace(month=10)
        found = await record.list_quality(tx, source_code=SOURCE, month=None, today=later)
        assert [each.counts.month.month for each in found] == [11]


async def test_another_department_sees_nothing_of_it(world: World, clock: FixedClock) -> None:
    await hand_in_all(world, clock)
    other = await department_of(world, "city_library", scopes=["quality:read"])
    body = (await other.get()).json()
    assert (body["source_code"], body["items"]) == ("city_library", [])


async def test_without_the_scope_or_a_departments_token_nothing_is_shown(world: World) -> None:
    writer = await department_of(world, SOURCE, scopes=["submissions:write"])
    problem_of(await writer.get(), 403, "scope_insufficient")
    problem_of(await world.http.get("/v1/quality"), 401, "token_invalid")
    app = await world.app_of()
    problem_of(await app.call("GET", "/v1/quality"), 403, "scope_insufficient")


async def test_a_year_nobody_knows_is_not_timed_and_a_class_without_a_clock_neither(
    world: World,
) -> None:
    catalogue = record.packaged_catalogue()
    penalty = catalogue.classes[CLASS]
    received_on = datetime(2027, 3, 1, tzinfo=UTC).date()
    days = [
        Days(datetime(2027, 1, 4, tzinfo=UTC).date(), None, None),  # nobody knows 2027
        Days(datetime(2027, 2, 26, tzinfo=UTC).date(), None, None),  # in time in any calendar
        Days(datetime(2026, 1, 5, tzinfo=UTC).date(), None, None),  # late in any calendar
    ]
    ask: dict[str, Any] = {"days": days, "received_on": received_on}
    async with world.database.write() as tx:
        assert await record.time_reports(tx, record_class=penalty, **ask) == Timing(2, 1)
        for each in catalogue.classes.values():
            if each.report_within_working_days is None:
                assert await record.time_reports(tx, record_class=each, **ask) == Timing(0, 0)


async def test_a_corrected_calendar_is_what_the_next_file_is_timed_by(world: World) -> None:
    penalty = record.packaged_catalogue().classes[CLASS]
    decided, received_on = (datetime(2026, 11, day, tzinfo=UTC).date() for day in (10, 20))
    ask: dict[str, Any] = {"days": [Days(decided, None, None)], "received_on": received_on}
    async with world.database.write() as tx:
        assert await record.time_reports(tx, record_class=penalty, **ask) == Timing(1, 1)
    async with world.database.write() as tx:
        days = await calendar.list_year(tx, year=2026)
        closed = [WorkDay(each.day, each.is_working and each.day.day != 16) for each in days]
        await calendar.import_days(tx, days=closed, now=NOW)
    async with world.database.write() as tx:
        assert await record.time_reports(tx, record_class=penalty, **ask) == Timing(1, 0)


async def test_operators_see_every_source_by_command(
    world: World, clock: FixedClock, database_url: str, tmp_path: Path
) -> None:
    await hand_in_all(world, clock)
    environment = {
        "CREDIT_DATABASE_URL": database_url,
        "CREDIT_KEK": encoded_key(KEK),
        "CREDIT_DIGEST_KEY": encoded_key(DIGEST_KEY),
        "CREDIT_LOCAL_DIR": str(tmp_path),
    }

    async def run(*words: str) -> str:
        result = await asyncio.to_thread(
            CliRunner().invoke, main, ("quality", *words), env=environment
        )
        assert result.exit_code == 0, result.output
        return result.stdout

    facts = json.loads(await run("--source", SOURCE, "--json"))
    assert facts["formula"] == "1"
    assert [each["counts"] for each in facts["items"]] == [
        NOTHING | IN_NOVEMBER,
        NOTHING | IN_OCTOBER,
    ]
    assert [each["mark"] for each in facts["items"]] == [87, 65]
    table = await run("--month", "2026-10")
    (row,) = [line.split() for line in table.splitlines() if CLASS in line]
    assert row == ["2026-10", SOURCE, CLASS, "4", "2", "0", "0", "1", "of", "2", "65"]
    assert await run("--source", "tax_bureau") == "Nothing was handed in.\n"


def test_counts_of_the_command_and_of_the_interface_are_those_of_the_rule() -> None:
    counts = MonthCounts(
        source_code=SOURCE,
        class_code=CLASS,
        month=NOW.date().replace(day=1),
        **{name: IN_NOVEMBER.get(name, 0) for name in NOTHING if name != "lines"},
    )
    assert (counts.lines, measure(counts).mark) == (7, 87)
