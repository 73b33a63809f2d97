"""Scorecards from the command line: prove, hand in, look at side by side, approve by two people."""

import json
from collections.abc import Awaitable, Callable
from datetime import date, datetime
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

import click
import msgspec

from backend.app import open_vault
from backend.citizen import service as citizen
from backend.cli.document import read_document
from backend.cli.environment import Fault, command_settings, database_url, run
from backend.cli.partner import JSON_OPTION, in_transaction, say
from backend.cli.progress import progress_bar
from backend.cli.shell import note
from backend.kit.clock import SystemClock
from backend.kit.postgres import Database, Tx
from backend.programme.service.dependence import ProgrammeRules
from backend.record.rules.catalogue import DataFault
from backend.score import service
from backend.score.jobs import RecomputeTotal, recompute_all
from backend.score.rules.picture import draw_report
from backend.score.rules.report import Report
from backend.score.rules.scorecard import Scorecard
from backend.score.service import ListedScorecard, Submitted
from backend.settings import Settings

T = TypeVar("T")

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_BY = click.option("--by", "person", required=True, help="Who does this, by name.")


@click.group()
def scorecard() -> None:
    """How conduct becomes a score, and how two people bring that into force."""


@scorecard.command("check")
@click.argument("file", type=_FILE)
@JSON_OPTION
def scorecard_check(*, file: Path, as_json: bool) -> None:
    """Prove the scorecard in FILE (TOML or JSON) and say what it means; change nothing."""
    text = read_document(file)

    async def prove(tx: Tx) -> tuple[Scorecard, list[str]]:
        proved = await service.prove_document(tx, text=text)
        return proved, await ProgrammeRules().faults(tx, scorecard=proved)

    proved, faults = _proved(file, prove)
    base = sum(each.neutral_points for each in proved.indicators)
    if as_json:
        facts = {
            "version": proved.version,
            "digest": proved.digest.hex(),
            "range_points": proved.range_points,
            "base_points": base,
            "dimensions": {each.code: each.cap_points for each in proved.dimensions},
            "indicators": [each.code for each in proved.indicators],
            "programme_faults": faults,
        }
        click.echo(json.dumps(facts, ensure_ascii=False))
        return
    click.echo(f"Scorecard {proved.version} can be submitted: {len(proved.indicators)} indicators,")
    click.echo(f"0 to {proved.range_points} points, {base} for somebody without records.")
    for each in proved.dimensions:
        click.echo(f"  {each.name_zh} {each.name_en}: up to {each.cap_points} points")
    for fault in faults:
        click.echo(f"  not to be approved while this is so: {fault}")


@scorecard.command("submit")
@click.argument("file", type=_FILE)
@_BY
@JSON_OPTION
def scorecard_submit(*, file: Path, person: str, as_json: bool) -> None:
    """Hand in the scorecard in FILE (TOML or JSON), to be looked at and approved."""
    text = read_document(file)

    async def submit(tx: Tx) -> tuple[str, Submitted]:
        now = SystemClock().now()
        version, outcome = await service.submit(tx, text=text, submitted_by=person, now=now)
        if outcome is not Submitted.UNCHANGED:
            await _note(tx, "submitted", version, person)
        return version, outcome

    version, outcome = _proved(file, submit)
    words = f"Scorecard {version} is handed in: make a report, then two people approve it."
    if outcome is Submitted.UNCHANGED:
        words = f"Scorecard {version} was handed in before."
    say(as_json, words, version=version, outcome=outcome.value)


@scorecard.command("report")
@click.argument("version", required=False)
@click.option("--as-of", type=click.DateTime(["%Y-%m-%d"]), help="An earlier day: a backtest.")
@click.option(
    "--out",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Where report.json and report.svg go.",
)
@_BY
@JSON_OPTION
def scorecard_report(
    *, version: str | None, as_of: datetime | None, out: Path, person: str, as_json: bool
) -> None:
    """Count the city under scorecard VERSION, beside the one in force; without VERSION that alone.

    Whoever makes a report is named in it: it is a look at the city's people, though at none of
    them alone.
    """
    day = as_of.date() if as_of else None
    _make_directory(out)
    report = run(_make_report(command_settings(), version=version, as_of=day, person=person))
    (out / "report.json").write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=2))
    (out / "report.svg").write_text(draw_report(report), "utf-8")
    if as_json:
        facts = {
            "report_id": str(report.report_id),
            "participants": report.participants,
            "is_told": report.is_told,
            "files": [str(out / name) for name in ("report.json", "report.svg")],
        }
        click.echo(json.dumps(facts, ensure_ascii=False))
        return
    _show_report(report)
    click.echo(f"{out / 'report.json'}, {out / 'report.svg'}")


def _make_directory(out: Path) -> None:
    """Make the place of a report before the city is counted for it."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError:
        raise Fault(f"nothing can be written to {out}") from None


async def _make_report(
    settings: Settings, *, version: str | None, as_of: date | None, person: str
) -> Report:
    vault = open_vault(settings)
    database = await Database.open(database_url(settings), size=1)
    try:
        with progress_bar() as bar:
            # One picture of the city for the whole report; it is kept once it is whole.
            async with database.read() as tx:
                task = bar.add_task("people", total=await citizen.count_participants(tx))
                report = await service.work_out_report(
                    tx,
                    version=version,
                    as_of=as_of,
                    made_by=person,
                    vault=vault,
                    now=SystemClock().now(),
                    on_progress=lambda counted: bar.update(task, completed=counted),
                )
        async with database.write() as tx:
            await service.keep_report(tx, report=report)
            about = version or (report.champion.version if report.champion else "in-force")
            await _note(tx, "reported", about, person)
        return report
    finally:
        await database.close()


def _show_report(report: Report) -> None:
    click.echo(f"Report {report.report_id} of {report.as_of}:")
    if not report.is_told:
        click.echo(f"  fewer than {report.k} people take part: nothing is told about them")
    for name, side in (("in force", report.champion), ("challenger", report.challenger)):
        if side is not None:
            click.echo(
                f"  {name} {side.version}: mean {side.mean_points}, median {side.median_points}"
            )
    if report.movement is not None:
        movement = report.movement
        click.echo(
            f"  stability index {movement.stability_index} ({movement.level}),"
            f" {movement.mean_change_points:+} points on average"
        )


@scorecard.command("approve")
@click.argument("version")
@click.option("--report", "report_id", type=click.UUID, required=True, help="The report you saw.")
@_BY
@JSON_OPTION
def scorecard_approve(*, version: str, report_id: UUID, person: str, as_json: bool) -> None:
    """Approve scorecard VERSION after having seen a report; the second person brings it into force.

    Then every score is worked out anew. Interrupted, the worker goes on with it.
    """

    async def approve(tx: Tx) -> bool:
        is_in_force = await service.approve(
            tx,
            version=version,
            report_id=report_id,
            approver=person,
            dependants=ProgrammeRules(),
            now=SystemClock().now(),
        )
        await _note(tx, "approved", version, person)
        return is_in_force

    settings = command_settings()
    try:
        is_in_force = run(in_transaction(settings, approve))
    except DataFault as fault:
        raise Fault(_unproved(f"scorecard {version}", fault)) from None
    if not is_in_force:
        words = f"Scorecard {version} is approved once: a second person has to approve it too."
        say(as_json, words, version=version, outcome="approved")
        return
    total = run(_recompute(settings))
    if as_json:
        facts = {"version": version, "outcome": "in_force"}
        click.echo(json.dumps({**facts, "seen": total.seen, "changed": total.changed}))
        return
    click.echo(f"Scorecard {version} is in force; {total.changed} of {total.seen} scores changed.")


async def _recompute(settings: Settings) -> RecomputeTotal:
    database = await Database.open(database_url(settings), size=2)
    try:
        async with database.read() as tx:
            count = await service.count(tx)
        with progress_bar() as bar:
            task = bar.add_task("scores", total=count)
            return await recompute_all(
                database,
                clock=SystemClock(),
                on_progress=lambda total: bar.update(task, completed=total.seen),
            )
    finally:
        await database.close()


@scorecard.command("list")
@JSON_OPTION
def scorecard_list(*, as_json: bool) -> None:
    """List the scorecards that were handed in, the last one first."""
    found = run(in_transaction(command_settings(), service.list_scorecards))
    if as_json:
        click.echo(json.dumps([_facts_of(each) for each in found], ensure_ascii=False))
        return
    if not found:
        click.echo("No scorecard is handed in yet.")
    for each in found:
        people = ", ".join(approval.approver for approval in each.approvals) or "nobody"
        click.echo(f"{each.stored.version}: {each.state.value}, approved by {people}")


@scorecard.command("show")
@click.argument("version")
@JSON_OPTION
def scorecard_show(*, version: str, as_json: bool) -> None:
    """Show the scorecard VERSION: where it is on its way, its reports, its text."""

    async def find(tx: Tx) -> ListedScorecard:
        return await service.find_listed(tx, version=version)

    found = run(in_transaction(command_settings(), find))
    if as_json:
        facts = {**_facts_of(found), "document": found.stored.document}
        click.echo(json.dumps(facts, ensure_ascii=False))
        return
    click.echo(f"Scorecard {version}: {found.state.value}")
    stored = found.stored
    click.echo(f"  handed in by {stored.submitted_by}, {stored.submitted_at:%Y-%m-%d %H:%M} UTC")
    for report in found.reports:
        beside = f", beside {report.champion_version}" if report.champion_version else ""
        click.echo(f"  report {report.report_id} of {report.as_of} by {report.made_by}{beside}")
    for approval in found.approvals:
        click.echo(f"  approved by {approval.approver} after report {approval.report_id}")
    click.echo()
    click.echo(stored.document.rstrip())


def _facts_of(each: ListedScorecard) -> dict[str, Any]:
    stored = each.stored
    facts = {
        "version": stored.version,
        "state": each.state.value,
        "digest": stored.digest.hex(),
        "submitted_by": stored.submitted_by,
        "submitted_at": stored.submitted_at,
        "in_force_at": stored.in_force_at,
        "approvals": [
            {"approver": it.approver, "report_id": it.report_id, "approved_at": it.approved_at}
            for it in each.approvals
        ],
        "reports": [
            {
                "report_id": it.report_id,
                "as_of": it.as_of,
                "beside": it.champion_version,
                "made_by": it.made_by,
                "made_at": it.made_at,
            }
            for it in each.reports
        ],
    }
    built: dict[str, Any] = msgspec.to_builtins(facts)
    return built


async def _note(tx: Tx, word: str, version: str, person: str) -> None:
    now = SystemClock().now()
    await note(tx, by=person, action=f"scorecard.{word}", thing=f"scorecard:{version}", now=now)


def _proved(file: Path, work: Callable[[Tx], Awaitable[T]]) -> T:
    """Run a verb that proves a document; what is wrong with it becomes one fault a line."""
    try:
        return run(in_transaction(command_settings(), work))
    except DataFault as fault:
        raise Fault(_unproved(str(file), fault)) from None


def _unproved(what: str, fault: DataFault) -> str:
    return "\n".join([f"{what} can't be used:", *(f"  {each}" for each in fault.faults)])
