"""Goal: a scorecard comes into force by two people who saw what it does, once, everywhere at once.

Method: the real verbs on a real PostgreSQL; races are tasks on connections of their own; the
worker's part is carried out from the outbox.
"""

import asyncio
import re
import subprocess
import sys
from datetime import date, timedelta
from importlib.resources import files
from pathlib import Path
from uuid import UUID

import pytest

from backend.app import House, health_checks
from backend.kit.health import examine
from backend.kit.ids import new_id
from backend.kit.postgres import Database, ReadTx
from backend.kit.problem import Refusal
from backend.programme import service as programme
from backend.programme.service.dependence import ProgrammeRules
from backend.record import service as record
from backend.record.rules.catalogue import DataFault
from backend.record.service import packaged_texts
from backend.score import service
from backend.score.rules.report import Report
from backend.score.service import Submitted
from tests.support.crowd import Crowd

EXAMPLE = (Path(__file__).parents[2] / "docs/examples/scorecard-2026-3.toml").read_text("utf-8")


class Desk:
    """The two people of a city, and what they do with scorecards."""

    def __init__(self, house: House) -> None:
        self.house = house

    async def submit(self, text: str = EXAMPLE, by: str = "李薇") -> tuple[str, Submitted]:
        """Hand a scorecard in."""
        async with self.house.database.write() as tx:
            return await service.submit(tx, text=text, submitted_by=by, now=self.house.clock.now())

    async def report(self, version: str | None = "2026-3", as_of: date | None = None) -> UUID:
        """Make a report and keep it."""
        async with self.house.database.read() as tx:
            report = await self._worked_out(tx, version, as_of)
        async with self.house.database.write() as tx:
            await service.keep_report(tx, report=report)
        return report.report_id

    async def _worked_out(self, tx: ReadTx, version: str | None, as_of: date | None) -> Report:
        return await service.work_out_report(
            tx,
            version=version,
            as_of=as_of,
            made_by="李薇",
            vault=self.house.vault,
            now=self.house.clock.now(),
        )

    async def approve(self, report_id: UUID, by: str, version: str = "2026-3") -> bool:
        """Approve a scorecard."""
        async with self.house.database.write() as tx:
            return await service.approve(
                tx,
                version=version,
                report_id=report_id,
                approver=by,
                dependants=ProgrammeRules(),
                now=self.house.clock.now(),
            )

    async def in_force(self) -> str:
        """Return the version in force, as any process sees it."""
        async with self.house.database.read() as tx:
            return (await service.scorecard_in_force(tx)).version


@pytest.fixture
def desk(house: House) -> Desk:
    """A city whose scorecard is the one that comes with the service."""
    return Desk(house)


async def refused(code: str, approval: object, **facts: object) -> None:
    """Expect a refusal."""
    with pytest.raises(Refusal) as caught:
        await approval  # type: ignore[misc] - a coroutine of any verb
    assert caught.value.code == code
    for name, value in facts.items():
        assert caught.value.facts[name] == value


async def test_two_people_bring_it_into_force_and_one_does_not(desk: Desk):
    assert await desk.submit() == ("2026-3", Submitted.NEW)
    report = await desk.report()
    assert not await desk.approve(report, "李薇"), "who handed it in may be one of the two"
    assert await desk.in_force() == "2026-2"
    await refused("scorecard_approver_repeated", desk.approve(report, "李薇"))
    await refused("scorecard_approver_repeated", desk.approve(report, "  李薇 "))
    assert await desk.approve(report, "王强")
    assert await desk.in_force() == "2026-3"
    await refused("scorecard_settled", desk.approve(report, "赵敏"))


@pytest.mark.parametrize(
    ("name", "again"),
    [
        ("Li Wei", "LI  ＷEI"),
        ("Li Wei", "LiWei"),
        ("李薇", "李\u3000薇"),
        ("李薇", "李薇。"),
        ("阿卜杜拉·买买提", "阿卜杜拉•买买提"),
    ],
)
async def test_a_name_is_the_same_in_whatever_case_width_and_spacing(
    desk: Desk, name: str, again: str
):
    await desk.submit()
    report = await desk.report()
    await desk.approve(report, name)
    await refused("scorecard_approver_repeated", desk.approve(report, again))


async def test_a_name_that_does_not_show_is_none(desk: Desk):
    await desk.submit()
    report = await desk.report()
    for name in (" ", "Li Wei\ufe00", "Li\u3164Wei", "\u2800", "…"):
        await refused("person_invalid", desk.approve(report, name))


async def test_handing_in_again_changes_nothing_and_another_text_is_refused(desk: Desk):
    await desk.submit()
    assert await desk.submit(by="王强") == ("2026-3", Submitted.UNCHANGED)
    await refused("scorecard_version_taken", desk.submit(EXAMPLE + "# another text\n"))


async def test_what_can_not_be_proved_is_not_even_kept(desk: Desk):
    with pytest.raises(DataFault, match="the curve falls"):
        await desk.submit(EXAMPLE.replace("[5, 40], [20, 65]", "[5, 70], [20, 65]"))
    async with desk.house.database.read() as tx:
        assert [each.stored.version for each in await service.list_scorecards(tx)] == ["2026-2"]


async def test_a_report_about_another_scorecard_is_no_ground(desk: Desk):
    await desk.submit()
    other = await desk.report(version=None)
    await refused("scorecard_report_unfit", desk.approve(other, "王强"), fault="other_scorecard")
    unknown = new_id(desk.house.clock.now())
    await refused("scorecard_report_unknown", desk.approve(unknown, "王强"))
    await refused("scorecard_unknown", desk.approve(other, "王强", version="2030-1"))


async def test_a_report_is_good_for_thirty_days(desk: Desk):
    await desk.submit()
    report = await desk.report()
    desk.house.clock.advance(timedelta(days=30))
    assert not await desk.approve(report, "王强")
    desk.house.clock.advance(timedelta(days=1))
    await refused("scorecard_report_unfit", desk.approve(report, "李薇"), fault="outdated")
    # The first approval has lapsed with its report: the same person may give it again.
    fresh = await desk.report()
    assert not await desk.approve(fresh, "李薇")
    assert await desk.approve(fresh, "王强")


async def test_a_backtest_of_long_ago_is_no_ground(desk: Desk):
    await desk.submit()
    report = await desk.report(as_of=date(2026, 1, 1))
    await refused("scorecard_report_unfit", desk.approve(report, "王强"), fault="outdated")


async def test_a_report_beside_a_former_champion_is_no_ground(desk: Desk):
    await desk.submit()
    await desk.submit(EXAMPLE.replace('"2026-3"', '"2026-4"'))
    older = await desk.report("2026-4")
    assert not await desk.approve(older, "王强", version="2026-4")
    report = await desk.report()
    for person in ("李薇", "王强"):
        await desk.approve(report, person)
    assert await desk.in_force() == "2026-3"
    await refused(
        "scorecard_report_unfit",
        desk.approve(older, "李薇", version="2026-4"),
        fault="other_champion",
    )
    fresh = await desk.report("2026-4")
    assert not await desk.approve(fresh, "李薇", version="2026-4")
    assert await desk.approve(fresh, "王强", version="2026-4")


async def test_two_approvals_at_one_moment_bring_it_into_force_once(desk: Desk):
    await desk.submit()
    report = await desk.report()
    done = await asyncio.gather(
        *(desk.approve(report, person) for person in ("李薇", "王强", "赵敏")),
        return_exceptions=True,
    )
    assert sorted(each for each in done if isinstance(each, bool)) == [False, True]
    (late,) = [each for each in done if isinstance(each, Refusal)]
    assert late.code == "scorecard_settled"
    async with desk.house.database.read() as tx:
        found = await service.find_listed(tx, version="2026-3")
    assert len(found.approvals) == 2
    assert await events_of(desk.house.database) == 1


async def test_the_same_person_twice_at_one_moment_counts_once(desk: Desk):
    await desk.submit()
    report = await desk.report()
    done = await asyncio.gather(
        *(desk.approve(report, "王强") for _ in range(4)), return_exceptions=True
    )
    assert [each for each in done if isinstance(each, bool)] == [False]
    assert await desk.in_force() == "2026-2"


async def test_two_scorecards_at_one_moment_do_not_both_follow_the_same_champion(desk: Desk):
    await desk.submit()
    await desk.submit(EXAMPLE.replace('"2026-3"', '"2026-4"'))
    reports = {version: await desk.report(version) for version in ("2026-3", "2026-4")}
    for version, report in reports.items():
        assert not await desk.approve(report, "李薇", version=version)
    done = await asyncio.gather(
        *(desk.approve(report, "王强", version=v) for v, report in reports.items()),
        return_exceptions=True,
    )
    assert [each for each in done if isinstance(each, bool)] == [True]
    (late,) = [each for each in done if isinstance(each, Refusal)]
    assert late.facts["fault"] == "other_champion"


async def events_of(database: Database) -> int:
    """Count the events that a scorecard came into force."""
    async with database.read() as tx:
        return await tx.fetch_value(
            int, "SELECT count(*) FROM outbox WHERE topic = 'scorecard.in_force'"
        )


async def test_a_clock_that_goes_back_does_not_keep_it_from_force(desk: Desk):
    await desk.submit()
    desk.house.clock.advance(timedelta(hours=-3))
    report = await desk.report()
    for person in ("李薇", "王强"):
        await desk.approve(report, person)
    assert await desk.in_force() == "2026-3"


async def test_every_score_follows_even_if_nobody_but_the_worker_is_left(desk: Desk):
    crowd = Crowd(desk.house)
    await crowd.join(*range(5))
    await crowd.report("volunteer_federation", "volunteer_service", date(2026, 10, 1), {1: 5})
    await crowd.work()
    await desk.submit()
    report = await desk.report()
    async with desk.house.database.read() as tx:
        before = await service.get(tx, subject_id=crowd.subject(1))
    for person in ("李薇", "王强"):
        await desk.approve(report, person)
    await crowd.work()
    async with desk.house.database.read() as tx:
        after = [await service.get(tx, subject_id=crowd.subject(serial)) for serial in range(5)]
    assert {each.scorecard_version for each in after} == {"2026-3"}
    assert after[1].points > before.points, "the first five hours count more"
    assert after[1].revision == before.revision + 1


async def test_a_scorecard_without_what_programmes_ask_for_is_not_approved(desk: Desk):
    async with desk.house.database.write() as tx:
        await programme.publish_packaged(tx, now=desk.house.clock.now())
    # Volunteer hours go, and what they gave goes to another indicator, so that it can be proved.
    without = EXAMPLE.replace('code = "volunteer_hours"', 'code = "hours_of_volunteering"')
    await desk.submit(without)
    report = await desk.report()
    with pytest.raises(Refusal) as caught:
        await desk.approve(report, "王强")
    assert caught.value.code == "scorecard_dependants"
    (fault,) = caught.value.facts["faults"]  # type: ignore[misc] - a list of texts
    assert "indicator.volunteer_hours" in fault
    assert "library" in fault


async def test_a_scorecard_that_counts_otherwise_what_programmes_ask_for_is_not_approved(
    desk: Desk,
):
    """Ten hours that were promised to be enough are not ten records (line 9)."""
    async with desk.house.database.write() as tx:
        await programme.publish_packaged(tx, now=desk.house.clock.now())
    place = EXAMPLE.index('code = "volunteer_hours"')
    await desk.submit(
        EXAMPLE[:place] + EXAMPLE[place:].replace('aggregate = "sum"', 'aggregate = "count"', 1)
    )
    report = await desk.report()
    with pytest.raises(Refusal) as caught:
        await desk.approve(report, "王强")
    assert caught.value.code == "scorecard_dependants"
    (fault,) = caught.value.facts["faults"]  # type: ignore[misc] - a list of texts
    assert fault.startswith(
        "programme library version 2, rule: indicator.volunteer_hours was a sum"
    )
    assert "would be a count" in fault


async def test_a_programme_published_at_the_same_moment_asks_the_new_scorecard(desk: Desk):
    """Nobody's rule asks what is no longer answered, not even for one version (line 9)."""
    await desk.submit(EXAMPLE.replace('code = "volunteer_hours"', 'code = "hours_of_volunteering"'))
    report = await desk.report()
    await desk.approve(report, "李薇")
    text = (files("backend.programme") / "data/library.toml").read_text("utf-8")

    async def publish() -> None:
        async with desk.house.database.write() as tx:
            proved = await programme.load(tx, text=text)
            await programme.publish(tx, programme=proved, now=desk.house.clock.now())

    async with desk.house.database.write() as tx:
        assert await service.approve(
            tx,
            version="2026-3",
            report_id=report,
            approver="王强",
            dependants=ProgrammeRules(),
            now=desk.house.clock.now(),
        )
        publishing = asyncio.create_task(publish())
        await asyncio.sleep(0.2)
        assert not publishing.done(), "it waits for what is in force"
    with pytest.raises(DataFault, match="volunteer_hours"):
        await publishing


async def test_what_comes_with_the_service_is_published_once_and_never_over_a_citys_own(
    desk: Desk,
):
    async with desk.house.database.write() as tx:
        assert await service.publish_packaged(tx, desk.house.clock.now()) is None
        (packaged,) = await service.list_scorecards(tx)
    assert len({each.approver for each in packaged.approvals}) == 2
    assert packaged.state == "in_force"


async def test_without_a_scorecard_nobody_is_scored_and_nothing_is_ready(house: House):
    async with house.database.write() as tx:
        await tx.execute("UPDATE scorecard SET in_force_at = NULL")
        with pytest.raises(Refusal, match="scorecard_missing"):
            await service.scorecard_in_force(tx)
    view = await examine([each for each in health_checks(house) if each.name == "scorecard"])
    assert view.status == "unavailable"
    assert "two people approve one" in view.checks[0].status


async def test_the_first_scorecard_of_a_city_needs_two_people_as_well(desk: Desk):
    async with desk.house.database.write() as tx:
        await tx.execute("UPDATE scorecard SET in_force_at = NULL")
    await desk.submit()
    report = await desk.report()
    assert not await desk.approve(report, "李薇")
    assert await desk.approve(report, "王强")
    assert await desk.in_force() == "2026-3"


def shorter_catalogue() -> tuple[str, str]:
    """Return a catalogue that keeps volunteering for a year: the scorecard looks back two."""
    catalogue, sources = packaged_texts()
    named = "：《江城市社会信用条例》"
    catalogue = catalogue.replace("（发布前填写：《本市社会信用条例》及其补充目录）", named)
    start = catalogue.index('code = "volunteer_service"')
    end = catalogue.index("[[class]]", start)
    kept = re.sub(r"retention_months = \d+", "retention_months = 12", catalogue[start:end])
    changed = re.sub(r'(?m)^edition = ".*"$', 'edition = "short"', catalogue[:start], count=1)
    return changed + kept + catalogue[end:], sources


async def test_a_catalogue_by_which_the_scorecard_in_force_fails_is_not_published(
    desk: Desk, database_url: str, tmp_path: Path
):
    files = []
    for name, text in zip(("catalogue.toml", "sources.toml"), shorter_catalogue(), strict=True):
        (tmp_path / name).write_text(text, "utf-8")
        files.append(str(tmp_path / name))
    words = ["catalogue", "publish", files[0], "--sources", files[1], "--by", "李薇"]
    done = subprocess.run(
        [sys.executable, "-m", "backend", *words],
        env={
            "PATH": "/usr/bin:/bin",
            "CREDIT_DATABASE_URL": database_url,
            "CREDIT_VALKEY_URL": "redis://127.0.0.1:1",
            "CREDIT_LOCAL_DIR": str(tmp_path),
        },
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 1
    assert "scorecard 2026-2, indicator volunteer_hours: window_months is longer" in done.stderr
    async with desk.house.database.read() as tx:
        assert (await record.get_catalogue(tx)).edition != "short"


async def test_a_scorecard_is_proved_again_by_the_catalogue_of_the_day_it_is_approved(desk: Desk):
    await desk.submit()
    report = await desk.report()
    catalogue, sources = shorter_catalogue()
    async with desk.house.database.write() as tx:
        await record.publish_catalogue(
            tx,
            document=catalogue,
            sources=sources,
            published_by="李薇",
            now=desk.house.clock.now(),
        )
    with pytest.raises(DataFault, match="longer than a class is kept"):
        await desk.approve(report, "王强")
