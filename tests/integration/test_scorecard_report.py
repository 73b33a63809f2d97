"""Goal: a report about a scorecard counts the participants, all of them and nobody else, and keeps
of them nothing but numbers.

Method: people of several ages and districts join by the real doors, departments hand in files; the
report is compared with what was put in. The command is run as an operator runs it.
"""

import json
import subprocess
import sys
import xml.etree.ElementTree as ET
from datetime import date, timedelta
from pathlib import Path
from uuid import UUID

import asyncpg
import msgspec
import pytest

from backend.app import House
from backend.kit.problem import Refusal
from backend.score import service
from backend.score.rules.report import Report
from tests.conftest import DIGEST_KEY, KEK, encoded_key
from tests.support.crowd import DISTRICTS, Crowd, national_id

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "docs/examples/scorecard-2026-3.toml"
PEOPLE = 132  # of six age bands and three districts: 22 and 44 of each
STEP = 20  # of a mean of so many: twenty people, each moved by a hundred points, move it by 15


@pytest.fixture
async def crowd(house: House) -> Crowd:
    """A city in which many take part, some volunteer and some keep their contracts."""
    crowd = Crowd(house)
    await crowd.join(*range(PEOPLE))
    await crowd.report(
        "volunteer_federation",
        "volunteer_service",
        date(2026, 3, 1),
        dict.fromkeys(range(60), 5),
    )
    await crowd.work()
    return crowd


async def report_of(crowd: Crowd, version: str | None = None, as_of: date | None = None) -> Report:
    """Make a report and keep it."""
    house = crowd.house
    async with house.database.read() as tx:
        report = await service.work_out_report(
            tx,
            version=version,
            as_of=as_of,
            made_by="李薇",
            vault=house.vault,
            now=house.clock.now(),
        )
    async with house.database.write() as tx:
        await service.keep_report(tx, report=report)
    return report


async def submit(crowd: Crowd) -> None:
    """Hand the challenger in."""
    async with crowd.house.database.write() as tx:
        await service.submit(
            tx, text=EXAMPLE.read_text("utf-8"), submitted_by="李薇", now=crowd.house.clock.now()
        )


async def test_everybody_who_takes_part_is_counted_once(crowd: Crowd):
    report = await report_of(crowd)
    assert report.participants == 120
    assert report.champion is not None
    assert report.parity is not None
    assert [(each.code, each.people) for each in report.parity.age_bands] == [
        (code, 20) for code in ("18", "25", "35", "45", "55", "65")
    ]
    assert [(each.code, each.people) for each in report.parity.districts] == [
        (code, 40) for code in DISTRICTS
    ]
    assert report.thin_files is not None
    assert (report.thin_files.none, report.thin_files.few) == (60, 60)
    hours = next(each for each in report.champion.indicators if each.code == "volunteer_hours")
    assert hours.people == 60


async def test_nobody_else_is_counted_however_much_is_on_record(crowd: Crowd):
    before = await report_of(crowd)
    strangers = dict.fromkeys(range(PEOPLE, PEOPLE + 60), 5)
    await crowd.report("volunteer_federation", "volunteer_service", date(2026, 3, 2), strangers)
    await crowd.work()
    after = await report_of(crowd)
    assert after.participants == before.participants
    assert after.champion == before.champion
    assert after.parity == before.parity


async def test_the_report_agrees_with_the_scores_that_are_kept(crowd: Crowd):
    report = await report_of(crowd)
    async with crowd.house.database.read() as tx:
        points = [
            (await service.get(tx, subject_id=crowd.subject(serial))).points
            for serial in range(PEOPLE)
        ]
    assert report.champion is not None
    away = sum(points) / PEOPLE - report.champion.base_points
    assert report.champion.mean_points == report.champion.base_points + int(away / STEP) * STEP
    assert report.champion.median_points == sorted(points)[(PEOPLE - 1) // 2]


async def test_a_challenger_is_shown_beside_the_champion(crowd: Crowd):
    await submit(crowd)
    report = await report_of(crowd, "2026-3")
    assert (report.subject, report.champion_version) == ("challenger", "2026-2")
    assert report.movement is not None
    # Five hours: 32 points before, 40 now (and the same for when it was).
    told = {(each.from_change, each.to_change): each.people for each in report.movement.bands}
    assert told == {
        (None, -50): 0,
        (-49, -20): 0,
        (-19, -1): 0,
        (0, 0): 60,
        (1, 19): 60,
        (20, 49): 0,
        (50, None): 0,
    }
    # Eight points for 60 of 132: nobody leaves the tenth of the city they stood in.
    assert 60 * 8 / PEOPLE < STEP
    assert report.movement.mean_change_points == 0
    assert report.movement.level == "stable"


async def test_a_backtest_sees_what_stood_then_and_what_came_of_it(crowd: Crowd):
    day = date(2026, 6, 1)
    keepers = dict.fromkeys(range(60), 1)
    breakers = dict.fromkeys(range(60, 100), 1)
    await crowd.report("housing_rental_centre", "rental_performed", date(2026, 8, 1), keepers)
    await crowd.report("housing_rental_centre", "rental_default", date(2026, 8, 1), breakers)
    await crowd.work()
    report = await report_of(crowd, as_of=day)
    assert report.is_backtest
    assert report.champion is not None
    outcome = report.champion.outcome
    assert (outcome.performed_people, outcome.failed_people) == (60, 40)
    # Who volunteered stood higher on that day than who did not, and only they kept their contracts.
    assert (outcome.area, outcome.separation) == (1.0, 1.0)
    today = await report_of(crowd)
    assert today.champion is not None
    assert today.champion.outcome.reason == "not_a_backtest"
    moved = {each.code: each.people for each in report.champion.indicators}
    assert moved["rental_performance"] == 0, "what came later did not count then"


async def test_a_later_report_says_how_far_the_city_has_moved(crowd: Crowd):
    first = await report_of(crowd)
    assert first.champion is not None
    assert first.champion.drift.reason == "no_earlier_report"
    crowd.house.clock.advance(timedelta(days=30))
    await crowd.report(
        "volunteer_federation",
        "volunteer_service",
        date(2026, 12, 1),
        dict.fromkeys(range(PEOPLE), 150),
    )
    await crowd.work()
    second = await report_of(crowd)
    assert second.champion is not None
    drift = second.champion.drift
    assert (drift.report_id, drift.as_of) == (first.report_id, first.as_of)
    assert drift.stability_index is not None
    assert drift.stability_index > 0.25
    assert drift.level == "changed"


async def test_days_that_are_none_and_scorecards_that_are_none_are_refused(crowd: Crowd):
    for version, day, code in (
        (None, crowd.house.clock.now().date() + timedelta(days=2), "report_day_invalid"),
        (None, date(1999, 1, 1), "report_day_invalid"),
        ("2031-1", None, "scorecard_unknown"),
    ):
        with pytest.raises(Refusal) as caught:
            await report_of(crowd, version, day)
        assert caught.value.code == code


async def test_a_look_is_recorded_with_its_maker_and_holds_nobody(crowd: Crowd, database_url: str):
    report = await report_of(crowd)
    connection = await asyncpg.connect(database_url)
    try:
        row = await connection.fetchrow(
            "SELECT made_by, document::text AS document FROM scorecard_report WHERE report_id = $1",
            report.report_id,
        )
    finally:
        await connection.close()
    assert row["made_by"] == "李薇"
    for serial in range(PEOPLE):
        assert national_id(serial) not in row["document"]
        assert str(crowd.subject(serial)) not in row["document"]


async def test_a_report_is_read_back_as_it_was_made(crowd: Crowd):
    report = await report_of(crowd)
    async with crowd.house.database.read() as tx:
        assert await service.find_report(tx, report_id=report.report_id) == report
        assert await service.find_report(tx, report_id=UUID(int=1)) is None


async def test_a_city_in_which_hardly_anybody_takes_part_says_only_that(house: House):
    crowd = Crowd(house)
    await crowd.join(*range(19))
    report = await report_of(crowd)
    assert not report.is_told
    assert (report.champion, report.parity, report.thin_files) == (None, None, None)
    assert report.participants == 0


def creditplus(database_url: str, directory: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the command as an operator does."""
    return subprocess.run(
        [sys.executable, "-m", "backend", "scorecard", *words],
        env={
            "PATH": "/usr/bin:/bin",
            "CREDIT_DATABASE_URL": database_url,
            "CREDIT_VALKEY_URL": "redis://127.0.0.1:1",
            "CREDIT_KEK": encoded_key(KEK),
            "CREDIT_DIGEST_KEY": encoded_key(DIGEST_KEY),
            "CREDIT_LOCAL_DIR": str(directory),
        },
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


async def test_an_operator_does_it_all_from_the_command_line(
    crowd: Crowd, database_url: str, tmp_path: Path
):
    def does(*words: str) -> dict[str, object]:
        done = creditplus(database_url, tmp_path, *words, "--json")
        assert done.returncode == 0, done.stderr
        answer: dict[str, object] = json.loads(done.stdout)
        return answer

    assert does("check", str(EXAMPLE))["version"] == "2026-3"
    assert does("submit", str(EXAMPLE), "--by", "李薇")["outcome"] == "submitted"
    made = does("report", "2026-3", "--out", str(tmp_path / "out"), "--by", "李薇")
    encoded = (tmp_path / "out" / "report.json").read_bytes()
    report = msgspec.json.decode(encoded, type=Report)
    assert str(report.report_id) == made["report_id"]
    ET.parse(tmp_path / "out" / "report.svg")
    given = ("approve", "2026-3", "--report", str(made["report_id"]), "--by")
    assert does(*given, "李薇")["outcome"] == "approved"
    again = creditplus(database_url, tmp_path, *given, "李薇")
    assert again.returncode == 1
    assert "scorecard_approver_repeated" in again.stderr
    assert does(*given, "王强") == {
        "version": "2026-3",
        "outcome": "in_force",
        "seen": PEOPLE,
        "changed": PEOPLE,
    }
    async with crowd.house.database.read() as tx:
        score = await service.get(tx, subject_id=crowd.subject(1))
    assert score.scorecard_version == "2026-3"
    listed = creditplus(database_url, tmp_path, "list")
    assert listed.stdout.splitlines() == [
        "2026-3: in_force, approved by 李薇, 王强",
        "2026-2: retired, approved by release: author, release: reviewer",
    ]
    shown = creditplus(database_url, tmp_path, "show", "2026-3")
    assert 'version = "2026-3"' in shown.stdout


async def test_what_is_wrong_with_a_file_is_said_line_by_line(
    database_url: str, house: House, tmp_path: Path
):
    file = tmp_path / "scorecard.toml"
    text = EXAMPLE.read_text("utf-8").replace('"2026-3"', '"UPPER"')
    file.write_text(text.replace("[0, 20], [5, 40]", "[0, 20], [5, 70]"))
    done = creditplus(database_url, tmp_path, "check", str(file))
    assert done.returncode == 1
    assert "version must be" in done.stderr
    assert "volunteer_hours: the curve falls" in done.stderr
    file.write_bytes(EXAMPLE.read_bytes().join([b"\xef\xbb\xbf", b""]))
    assert creditplus(database_url, tmp_path, "check", str(file)).returncode == 0, (
        "a BOM is no word"
    )
    file.write_bytes(b"\xff\xfe")
    done = creditplus(database_url, tmp_path, "submit", str(file), "--by", "李薇")
    assert done.returncode == 1
    assert "not a text file" in done.stderr


async def test_a_place_for_the_report_that_is_none_is_said_before_anybody_is_counted(
    crowd: Crowd, database_url: str, tmp_path: Path
):
    (tmp_path / "file").touch()
    out = tmp_path / "file" / "out"
    done = creditplus(database_url, tmp_path, "report", "--out", str(out), "--by", "李薇")
    assert done.returncode == 1
    assert done.stderr == f"creditplus: nothing can be written to {out}\n"
    async with crowd.house.database.read() as tx:
        listed = await service.find_listed(tx, version=service.packaged_scorecard().version)
    assert [report.made_by for report in listed.reports] == ["release: author"]
