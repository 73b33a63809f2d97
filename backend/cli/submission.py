"""Files of records from the command line: hand one in, see what came of it, fetch its bad lines."""

import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from io import SEEK_END, BufferedReader
from pathlib import Path
from typing import Any, BinaryIO
from uuid import UUID

import click

from backend.app import open_vault
from backend.cli.environment import Fault, command_settings, database_url, run
from backend.cli.progress import progress_bar
from backend.cli.shell import note
from backend.kit.clock import SystemClock
from backend.kit.crypto import Vault
from backend.kit.postgres import Database
from backend.record import service as record
from backend.record.api.faults import csv_of_faults
from backend.record.jobs import send_submission
from backend.record.rules.fault import StoredFault
from backend.record.rules.layout import COLUMNS, Form, Layout
from backend.record.rules.submission import Submission
from backend.settings import Settings

FAULTS_SHOWN = 20

JSON_OPTION = click.option("--json", "as_json", is_flag=True, help="Print the answer as JSON.")


@dataclass(frozen=True)
class _Looker:
    """Who looks at lines, and why."""

    actor: str
    reason: str


@click.group()
def submission() -> None:
    """Files of records that source departments hand in."""


@submission.command("send")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--source", required=True, help="Code of the source that hands in.")
@click.option("--class", "class_code", required=True, help="Class of the records.")
@click.option("--batch-id", help="The source's name for this file; else its content names it.")
@click.option("--format", "form", type=click.Choice(["csv", "jsonl"]), help="Else by its name.")
@click.option(
    "--encoding",
    type=click.Choice(["utf-8", "gb18030"]),
    default="utf-8",
    show_default=True,
    help="Encoding of a CSV file.",
)
@click.option(
    "--column",
    "columns",
    multiple=True,
    metavar="NAME=HEADER",
    help="What the file calls a column, e.g. national_id=身份证号码; repeat it for several.",
)
@JSON_OPTION
def submission_send(*, file: Path, as_json: bool, **said: Any) -> None:
    """Hand FILE in; what is wrong with a line keeps that line out, and no other.

    Sent again after an interruption it goes on where it stood; nothing is counted twice.
    """
    settings = command_settings()
    form: Form = said["form"] or ("jsonl" if file.suffix in {".jsonl", ".ndjson"} else "csv")
    if form == "jsonl" and said["columns"]:
        raise Fault("JSON lines have our names: --column is for CSV")
    if form == "jsonl" and said["encoding"] != "utf-8":
        raise Fault("JSON lines are UTF-8")
    layout = Layout(form=form, encoding=said["encoding"], columns=_columns(said["columns"]))
    with file.open("rb") as content:
        taken, faults = run(_send(settings, content, layout, said))
    _show(taken, faults, as_json=as_json)


@submission.command("show")
@click.argument("submission_id", type=click.UUID)
@JSON_OPTION
def submission_show(*, submission_id: UUID, as_json: bool) -> None:
    """Show how far a submission is, what came of its lines, and the first of its bad ones."""
    taken, faults = run(_find(command_settings(), submission_id))
    _show(taken, faults, as_json=as_json)


@submission.command("errors")
@click.argument("submission_id", type=click.UUID)
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), help="A new file for its owner only."
)
@click.option("--by", "actor", help="Who looks; whoever stands in a line sees it.")
@click.option("--reason", help="Why; whoever stands in a line sees it as it is typed.")
@JSON_OPTION
def submission_errors(
    *,
    submission_id: UUID,
    out: Path | None,
    actor: str | None,
    reason: str | None,
    as_json: bool,
) -> None:
    """Fetch all bad lines as CSV: line, column, code, message and the line as handed in.

    The lines hold personal data: they are for the data officer of the department, each look stands
    in the access ledger of the people in them first, and with --json they are left out. The file
    is readable by its owner only, and is not written over another.
    """
    settings = command_settings()
    if as_json:
        click.echo(json.dumps({"errors": run(_list(settings, submission_id))}, ensure_ascii=False))
        return
    if actor is None or reason is None:
        raise click.UsageError("the lines hold personal data: say --by and --reason, or --json")
    looker = _Looker(actor, reason)
    if out is None:
        run(_write_errors(settings, submission_id, looker, sys.stdout.buffer))
        return
    try:
        descriptor = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as fault:
        raise Fault(f"{out}: {fault.strerror}") from None
    with os.fdopen(descriptor, "wb") as file:
        run(_write_errors(settings, submission_id, looker, file))
    click.echo(f"Written to {out}: it holds personal data.", err=True)


def _columns(said: tuple[str, ...]) -> dict[str, str]:
    columns: dict[str, str] = {}
    for pair in said:
        name, _, header = pair.partition("=")
        header = header.strip()
        if name not in COLUMNS or name in columns or not header or header in columns.values():
            raise Fault(f"--column {pair}: one of {', '.join(COLUMNS)}, =, and the file's header")
        columns[name] = header
    return columns


async def _send(
    settings: Settings, content: BufferedReader, layout: Layout, said: dict[str, Any]
) -> tuple[Submission, list[StoredFault]]:
    size = content.seek(0, SEEK_END)
    async with opened(settings) as (database, vault):
        with progress_bar() as bar:
            task = bar.add_task(said["class_code"], total=size)
            taken = await send_submission(
                database,
                content,
                source_code=said["source"],
                class_code=said["class_code"],
                batch_id=said["batch_id"],
                vault=vault,
                clock=SystemClock(),
                layout=layout,
                on_progress=lambda done: bar.update(task, completed=done),
            )
            bar.update(task, completed=size)
        async with database.read() as tx:
            return taken, await record.list_faults(tx, submission_id=taken.submission_id)


async def _find(settings: Settings, submission_id: UUID) -> tuple[Submission, list[StoredFault]]:
    async with opened(settings) as (database, _), database.read() as tx:
        found = await record.get_submission_of_any(tx, submission_id=submission_id)
        return found, await record.list_faults(tx, submission_id=submission_id)


async def _list(settings: Settings, submission_id: UUID) -> list[dict[str, Any]]:
    """Return every fault, without the lines."""
    async with opened(settings) as (database, _), database.read() as tx:
        await record.get_submission_of_any(tx, submission_id=submission_id)
        listed: list[StoredFault] = []
        place = record.FIRST_PLACE
        while found := await record.list_faults_after(tx, submission_id=submission_id, place=place):
            listed += found
            place = (found[-1].line_number, found[-1].fault_number)
    return [_fault_facts(fault) for fault in listed]


async def _write_errors(
    settings: Settings, submission_id: UUID, looker: _Looker, file: BinaryIO
) -> None:
    async with opened(settings) as (database, vault):
        async with database.read() as tx:
            await record.get_submission_of_any(tx, submission_id=submission_id)
            layout = await record.find_layout(tx, submission_id=submission_id)
        is_noted = False

        async def look(lines: list[bytes]) -> None:
            nonlocal is_noted
            async with database.write() as tx:
                await record.look_at_lines(
                    tx,
                    lines=lines,
                    encoding=layout.encoding,
                    looking=record.Looking.BAD_LINES,
                    actor=looker.actor,
                    reason=looker.reason,
                    vault=vault,
                    now=SystemClock().now(),
                )
                if not is_noted:  # one look, however many pieces the lines come in
                    await note(
                        tx,
                        by=looker.actor,
                        action="submission.looked_at",
                        thing=f"submission:{submission_id}",
                        reason=looker.reason,
                        now=SystemClock().now(),
                    )
            is_noted = True

        async for piece in csv_of_faults(
            database, vault, submission_id=submission_id, encoding=layout.encoding, look=look
        ):
            file.write(piece)


def _show(taken: Submission, faults: list[StoredFault], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(_submission_facts(taken, faults), ensure_ascii=False))
        return
    state = "" if taken.completed_at is not None else " so far"
    click.echo(
        f"Batch {taken.batch_id}: {taken.accepted} lines in, {taken.rejected} kept aside{state}."
    )
    counts = {
        "on record already": taken.duplicates,
        "corrections": taken.corrections,
        "withdrawals": taken.withdrawals,
        "repairs": taken.repairs,
        "late": taken.late,
    }
    told = [f"{count} {name}" for name, count in counts.items() if count]
    if told:
        click.echo(f"  {', '.join(told)}")
    click.echo(f"  submission {taken.submission_id}")
    for fault in faults[:FAULTS_SHOWN]:
        column = f" {fault.column_name}" if fault.column_name else ""
        click.echo(f"  line {fault.line_number}{column}: {fault.message} ({fault.code})")
    if len(faults) > FAULTS_SHOWN:
        click.echo(f"  … all of them: creditplus submission errors {taken.submission_id}")


def _submission_facts(taken: Submission, faults: list[StoredFault]) -> dict[str, Any]:
    return {
        "submission_id": str(taken.submission_id),
        "source": taken.source_code,
        "class": taken.class_code,
        "batch_id": taken.batch_id,
        "is_complete": taken.completed_at is not None,
        "lines": taken.lines_done,
        "accepted": taken.accepted,
        "rejected": taken.rejected,
        "duplicates": taken.duplicates,
        "corrections": taken.corrections,
        "withdrawals": taken.withdrawals,
        "repairs": taken.repairs,
        "incomplete": taken.incomplete,
        "timed": taken.timed,
        "late": taken.late,
        "errors": [_fault_facts(fault) for fault in faults],
    }


def _fault_facts(fault: StoredFault) -> dict[str, Any]:
    return {
        "line": fault.line_number,
        "column": fault.column_name or None,
        "code": fault.code,
        "message": fault.message,
    }


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[tuple[Database, Vault]]:
    """Open what a command needs that takes records in."""
    vault = open_vault(settings)
    database = await Database.open(database_url(settings), size=2)
    try:
        yield database, vault
    finally:
        await database.close()
