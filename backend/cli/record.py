"""Single records from the command line: look, decide, purge, prove."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any, BinaryIO, TextIO, TypeVar
from uuid import UUID

import click

from backend.app import open_vault
from backend.citizen.rules import parse_national_id
from backend.cli.environment import Fault, command_settings, database_url, run
from backend.cli.partner import JSON_OPTION, in_transaction
from backend.cli.shell import note
from backend.kit.clock import SystemClock, city_date
from backend.kit.crypto import Vault
from backend.kit.postgres import Database, Tx
from backend.record import service
from backend.record.jobs import purge_records
from backend.record.rules.layout import Encoding, Layout
from backend.record.rules.life import RecordVersion
from backend.record.rules.status import status_of
from backend.settings import Settings

F = TypeVar("F", bound=Callable[..., Any])
Verb = Callable[..., Awaitable[RecordVersion]]

# A proof is asked for some lines in question, not for a year's exports.
PROOF_BYTES_MAX = 1_048_576
_NATIONAL_ID_CHARACTERS_MAX = 100

SUBJECT_OPTION = click.option(
    "--subject", type=click.UUID, help="The person's pseudonymous id (subject id)."
)


def _as_operator(command: F) -> F:
    """Give a command the options that say who acts and why; the citizen is shown both."""
    for option in (
        click.option("--reason", required=True, help="Why; the citizen sees it as it is typed."),
        click.option("--by", "actor", required=True, help="Who acts; the citizen sees it."),
    ):
        command = option(command)
    return command


@dataclass(frozen=True)
class _Asked:
    """Whose record, by whom and why."""

    subject_id: UUID
    actor: str
    reason: str


@click.group()
def record() -> None:
    """Records of one person: look, dispute, confirm, repair; what was deleted, and its proof."""


@record.command("find")
@click.option(
    "--national-id-file",
    type=click.File("r"),
    help="File with the person's identity number, - for the standard input; never the number.",
)
@SUBJECT_OPTION
@_as_operator
@JSON_OPTION
def record_find(
    *,
    national_id_file: TextIO | None,
    subject: UUID | None,
    actor: str,
    reason: str,
    as_json: bool,
) -> None:
    """Show what is on file about a person; the look stands in their access ledger first."""
    if (national_id_file is None) == (subject is None):
        raise Fault("say whom: either --national-id-file or --subject")
    settings, now = command_settings(), SystemClock().now()
    if subject is None:
        assert national_id_file is not None, "one of the two is given"
        subject = run(_subject_of(national_id_file, open_vault(settings), city_date(now)))
    asked = _Asked(subject, actor, reason)
    found = run(in_transaction(settings, lambda tx: _look(tx, asked, now)))
    if as_json:
        click.echo(json.dumps(_found_facts(asked, found, city_date(now)), ensure_ascii=False))
        return
    click.echo(f"Subject {subject}: {len(found.versions)} versions on file.")
    for each in found.versions:
        click.echo(
            f"  {each.record_id} {status_of(each, city_date(now))}: {each.class_code} of"
            f" {each.source_code}, {each.external_id} version {each.version}, quantity"
            f" {each.quantity}, {each.occurred_on} to {each.ended_on or '…'}, ends"
            f" {each.ends_on or 'never'}"
        )
    for step in found.steps:
        click.echo(f"  {step.at:%Y-%m-%d %H:%M} {step.step} {step.record_id} by {step.actor}")


async def _subject_of(file: TextIO, vault: Vault, today: date) -> UUID:
    number = parse_national_id(file.read(_NATIONAL_ID_CHARACTERS_MAX), today=today)
    return vault.subject_id(number.number)


async def _look(tx: Tx, asked: _Asked, now: datetime) -> service.RecordsLookedAt:
    found = await service.look_at_records(
        tx, subject_id=asked.subject_id, actor=asked.actor, reason=asked.reason, now=now
    )
    thing = f"subject:{asked.subject_id}"
    await note(
        tx, by=asked.actor, action="record.looked_at", thing=thing, reason=asked.reason, now=now
    )
    return found


def _found_facts(asked: _Asked, found: service.RecordsLookedAt, today: date) -> dict[str, Any]:
    return {
        "subject_id": str(asked.subject_id),
        "versions": [_version_facts(each, today) for each in found.versions],
        "steps": [
            {
                "record_id": str(each.record_id),
                "step": each.step,
                "by": each.actor,
                "reason": each.reason,
                "at": each.at.isoformat(),
            }
            for each in found.steps
        ],
    }


def _version_facts(version: RecordVersion, today: date) -> dict[str, Any]:
    def day(found: date | None) -> str | None:
        return None if found is None else found.isoformat()

    return {
        "record_id": str(version.record_id),
        "status": status_of(version, today).value,
        "class": version.class_code,
        "source": version.source_code,
        "external_id": version.external_id,
        "version": version.version,
        "action": version.action,
        "quantity": version.quantity,
        "occurred_on": day(version.occurred_on),
        "ended_on": day(version.ended_on),
        "ends_on": day(version.ends_on),
        "reported_at": version.reported_at.isoformat(),
    }


def _take_step(verb: Verb, action: str, record_id: UUID, asked: _Asked, *, as_json: bool) -> None:
    """Write the look, then take a step; say what state the record is in.

    The look is committed first: a step that is refused tells where the record stands.
    """
    settings, now = command_settings(), SystemClock().now()

    async def work(tx: Tx) -> RecordVersion:
        after = await verb(
            tx,
            subject_id=asked.subject_id,
            record_id=record_id,
            actor=asked.actor,
            reason=asked.reason,
            now=now,
        )
        thing = f"record:{record_id}"
        await note(tx, by=asked.actor, action=action, thing=thing, reason=asked.reason, now=now)
        return after

    run(in_transaction(settings, lambda tx: _look(tx, asked, now)))
    after = run(in_transaction(settings, work))
    status = status_of(after, city_date(now)).value
    if as_json:
        click.echo(json.dumps({"record_id": str(record_id), "status": status}))
        return
    click.echo(f"Record {record_id}: {status}. Its subject's score follows.")


_RECORD = click.argument("record_id", type=click.UUID)
_ITS_SUBJECT = click.option(
    "--subject", type=click.UUID, required=True, help="Whose record: the subject id."
)


@record.command("dispute")
@_RECORD
@_ITS_SUBJECT
@_as_operator
@JSON_OPTION
def record_dispute(
    *, record_id: UUID, subject: UUID, actor: str, reason: str, as_json: bool
) -> None:
    """Take RECORD_ID out of the score at once, until the dispute was looked at."""
    asked = _Asked(subject, actor, reason)
    _take_step(service.dispute, "record.disputed", record_id, asked, as_json=as_json)


@record.command("confirm")
@_RECORD
@_ITS_SUBJECT
@_as_operator
@JSON_OPTION
def record_confirm(
    *, record_id: UUID, subject: UUID, actor: str, reason: str, as_json: bool
) -> None:
    """Let disputed RECORD_ID count again: the dispute was looked at and the record stays."""
    asked = _Asked(subject, actor, reason)
    _take_step(service.confirm, "record.confirmed", record_id, asked, as_json=as_json)


@record.command("repair")
@_RECORD
@_ITS_SUBJECT
@_as_operator
@JSON_OPTION
def record_repair(
    *, record_id: UUID, subject: UUID, actor: str, reason: str, as_json: bool
) -> None:
    """Take adverse RECORD_ID out for good: its authority decided that it is repaired."""
    asked = _Asked(subject, actor, reason)
    _take_step(service.repair, "record.repaired", record_id, asked, as_json=as_json)


@record.command("purge")
@click.option("--dry-run", is_flag=True, help="Count what would be deleted, and delete nothing.")
@JSON_OPTION
def record_purge(*, dry_run: bool, as_json: bool) -> None:
    """Delete what has ended, and lines kept aside long enough; a proof of the records stays."""
    total = run(_purge(command_settings(), dry_run=dry_run))
    if as_json:
        facts = {"dry_run": dry_run, "versions": total.versions, "faults": total.faults}
        click.echo(json.dumps(facts))
        return
    done = "would be deleted" if dry_run else "deleted"
    click.echo(
        f"{total.versions} versions of records and {total.faults} faults of lines kept aside"
        f" {done}."
    )


async def _purge(settings: Settings, *, dry_run: bool) -> service.PurgeCount:
    vault, clock = open_vault(settings), SystemClock()
    database = await Database.open(database_url(settings), size=1)
    try:
        if dry_run:
            async with database.read() as tx:
                return await service.count_purge(tx, now=clock.now())
        return await purge_records(database, vault=vault, clock=clock, batches=None)
    finally:
        await database.close()


@record.command("proof")
@click.argument("file", type=click.File("rb"))
@click.option("--source", required=True, help="Code of the source that handed the lines in.")
@click.option("--class", "class_code", required=True, help="Class of the records.")
@click.option("--encoding", type=click.Choice(["utf-8", "gb18030"]), default="utf-8")
@_as_operator
@JSON_OPTION
def record_proof(
    *,
    file: BinaryIO,
    source: str,
    class_code: str,
    encoding: Encoding,
    actor: str,
    reason: str,
    as_json: bool,
) -> None:
    """Say in which purge the lines of FILE went (- for the standard input).

    The look stands in the access ledger of the people in the lines first. FILE holds lines as the
    source handed them in: a CSV with its header, or JSON lines (.jsonl).
    """
    content = file.read(PROOF_BYTES_MAX + 1)
    if len(content) > PROOF_BYTES_MAX:
        raise Fault(f"the file holds more than {PROOF_BYTES_MAX} bytes: ask for fewer lines")
    is_jsonl = Path(file.name).suffix in {".jsonl", ".ndjson"}
    layout = Layout(form="jsonl" if is_jsonl else "csv", encoding=encoding, columns={})
    settings = command_settings()
    vault = open_vault(settings)

    async def prove(tx: Tx) -> list[service.LineProof]:
        await service.look_at_lines(
            tx,
            lines=content.split(b"\n"),
            encoding=encoding,
            looking=service.Looking.PROOF,
            actor=actor,
            reason=reason,
            vault=vault,
            now=SystemClock().now(),
        )
        await note(
            tx,
            by=actor,
            action="record.proof_looked_at",
            thing=f"source:{source}",
            reason=reason,
            now=SystemClock().now(),
        )
        return await service.prove_lines(
            tx,
            content=content,
            source_code=source,
            class_code=class_code,
            layout=layout,
            vault=vault,
            now=SystemClock().now(),
        )

    found = run(in_transaction(settings, prove))
    if as_json:
        click.echo(json.dumps({"lines": [_proof_facts(each) for each in found]}))
        return
    for each in found:
        click.echo(f"line {each.line_number}: {_proof_words(each)}")


def _proof_words(line: service.LineProof) -> str:
    if line.faults:
        return "can't be read: " + "; ".join(fault.message for fault in line.faults)
    if line.proof is None:
        return "in no purge"
    purge = line.proof.purge
    whole = "proof whole" if line.proof.is_whole else "PROOF BROKEN: its digest does not fit"
    return (
        f"purged {purge.purged_at:%Y-%m-%d} by purge {purge.purge_id}, ordinal"
        f" {line.proof.ordinal}, {whole}"
    )


def _proof_facts(line: service.LineProof) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "line": line.line_number,
        "errors": [{"column": each.column, "code": each.code.value} for each in line.faults],
        "purge": None,
    }
    if line.proof is not None:
        facts["purge"] = {
            "purge_id": str(line.proof.purge.purge_id),
            "ordinal": line.proof.ordinal,
            "purged_at": line.proof.purge.purged_at.isoformat(),
            "ended_before": line.proof.purge.ended_before.isoformat(),
            "is_whole": line.proof.is_whole,
        }
    return facts
