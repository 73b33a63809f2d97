"""Programmes from the command line: draft, submit, look, decide, pause, end; what there is."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from uuid import UUID

import click
import msgspec

from backend.app import open_vault
from backend.citizen import service as citizen
from backend.cli.document import read_document
from backend.cli.dry_run import facts_of_dry_run, show_dry_run
from backend.cli.environment import Fault, command_settings, database_url, run
from backend.cli.partner import JSON_OPTION, in_transaction, say
from backend.cli.progress import progress_bar
from backend.cli.shell import actor_of, as_somebody, reason_of
from backend.kit.clock import SystemClock
from backend.kit.page import PAGE_SIZE_MAX
from backend.kit.postgres import Database, Tx
from backend.kit.problem import Refusal
from backend.ledger.rules import Actor
from backend.programme import service
from backend.programme.rules.document import Programme, restore_programme
from backend.programme.rules.fact import Vocabulary
from backend.programme.rules.life import ListedVersion, Version
from backend.programme.rules.rule import Comparison, Condition
from backend.programme.service import PublishedProgramme, SignedDryRun
from backend.settings import Settings

_CODE = click.argument("code")
_VERSION = click.argument("version", type=click.IntRange(1, 1_000_000))


@click.group()
def programme() -> None:
    """What the city offers: benefits, the rule for each, and how many can have them."""


@programme.command("draft")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@as_somebody
@JSON_OPTION
def programme_draft(*, file: Path, by: str, reason: str, as_json: bool) -> None:
    """Prove the programme in FILE (TOML), say what it means, and keep it as a draft of yours."""
    text, who, why = read_document(file), actor_of(by), reason_of(reason)

    async def draft(tx: Tx) -> tuple[Programme, Vocabulary]:
        try:
            kept = await service.draft(tx, text=text, by=who, reason=why, now=SystemClock().now())
        except Refusal as refusal:
            if refusal.code != "programme_document_invalid":
                raise
            raise Fault(_refused(file, refusal)) from None
        proved = restore_programme(kept.document, kept.digest)
        return proved, await service.get_vocabulary(tx)

    proved, vocabulary = run(in_transaction(command_settings(), draft))
    _show_meaning(proved, vocabulary, as_json=as_json)


@programme.command("submit")
@_CODE
@_VERSION
@as_somebody
@JSON_OPTION
def programme_submit(*, code: str, version: int, by: str, reason: str, as_json: bool) -> None:
    """Hand the draft of CODE VERSION to whoever decides: its text does not change any more."""
    who, why = actor_of(by), reason_of(reason)

    async def submit(tx: Tx) -> Version:
        now = SystemClock().now()
        return await service.submit(tx, code=code, version=version, by=who, reason=why, now=now)

    _say_version(run(in_transaction(command_settings(), submit)), as_json=as_json)


@programme.command("dry-run")
@_CODE
@_VERSION
@as_somebody
@JSON_OPTION
def programme_dry_run(*, code: str, version: int, by: str, reason: str, as_json: bool) -> None:
    """Count the city under CODE VERSION, beside what is live; the result is signed and kept."""
    who, why = actor_of(by), reason_of(reason)
    signed = run(_make_dry_run(command_settings(), code, version, by=who, reason=why))
    if as_json:
        click.echo(json.dumps(facts_of_dry_run(signed), ensure_ascii=False))
        return
    show_dry_run(signed)


@programme.command("verify")
@click.argument("dry_run_id", type=click.UUID)
@JSON_OPTION
def programme_verify(*, dry_run_id: UUID, as_json: bool) -> None:
    """Check that the dry run DRY_RUN_ID is what the service signed; print it and the public key."""
    settings = command_settings()
    vault = open_vault(settings)

    async def find(tx: Tx) -> SignedDryRun:
        return await service.get_dry_run(tx, dry_run_id=dry_run_id)

    signed = run(in_transaction(settings, find))
    if not service.is_authentic(signed, vault=vault):
        raise Fault(f"the dry run {dry_run_id} is not what the service signed")
    key = service.verification_key(vault=vault)
    if as_json:
        facts = {**facts_of_dry_run(signed), "is_authentic": True, "key": key}
        click.echo(json.dumps(facts, ensure_ascii=False))
        return
    show_dry_run(signed)
    click.echo(f"It is what the service signed. The key, a JWK: {json.dumps(key)}")
    click.echo(f"The signature, a JWS of the whole: {signed.signature}")


@programme.command("approve")
@_CODE
@_VERSION
@click.option("--dry-run", "dry_run_id", type=click.UUID, required=True, help="What you looked at.")
@as_somebody
@JSON_OPTION
def programme_approve(
    *, code: str, version: int, dry_run_id: UUID, by: str, reason: str, as_json: bool
) -> None:
    """Bring CODE VERSION live: not by who wrote or submitted it, and after a dry run of today."""
    who, why = actor_of(by), reason_of(reason)

    async def approve(tx: Tx) -> Version:
        return await service.approve(
            tx,
            code=code,
            version=version,
            dry_run_id=dry_run_id,
            by=who,
            reason=why,
            now=SystemClock().now(),
        )

    _say_version(run(in_transaction(command_settings(), approve)), as_json=as_json)


@programme.command("reject")
@_CODE
@_VERSION
@as_somebody
@JSON_OPTION
def programme_reject(*, code: str, version: int, by: str, reason: str, as_json: bool) -> None:
    """Decide against CODE VERSION; who drafted it may change it and submit it again."""
    who, why = actor_of(by), reason_of(reason)

    async def reject(tx: Tx) -> Version:
        now = SystemClock().now()
        return await service.reject(tx, code=code, version=version, by=who, reason=why, now=now)

    _say_version(run(in_transaction(command_settings(), reject)), as_json=as_json)


@programme.command("pause")
@_CODE
@as_somebody
@JSON_OPTION
def programme_pause(*, code: str, by: str, reason: str, as_json: bool) -> None:
    """Pause CODE: nobody enrols, partners get no yes, orders that run go on."""
    _take_step(service.pause, code, by, reason)
    say(as_json, f"Programme {code} is paused.", programme=code, outcome="paused")


@programme.command("resume")
@_CODE
@as_somebody
@JSON_OPTION
def programme_resume(*, code: str, by: str, reason: str, as_json: bool) -> None:
    """Let CODE run again after a pause."""
    _take_step(service.resume, code, by, reason)
    say(as_json, f"Programme {code} runs again.", programme=code, outcome="resumed")


@programme.command("end")
@_CODE
@as_somebody
@JSON_OPTION
def programme_end(*, code: str, by: str, reason: str, as_json: bool) -> None:
    """End the programme CODE: nobody enrols any more, partners get no yes, the baseline goes on.

    A higher version, approved, lets it run again.
    """
    _take_step(service.end, code, by, reason)
    say(as_json, f"Programme {code} has ended.", programme=code, outcome="ended")


@programme.command("list")
@JSON_OPTION
def programme_list(*, as_json: bool) -> None:
    """List the programmes and the versions on their way; people are counted in twenties."""

    async def find(tx: Tx) -> tuple[list[PublishedProgramme], list[ListedVersion]]:
        found = await service.list_programmes(tx)
        page = await service.list_versions(tx, cursor=None, page_size=PAGE_SIZE_MAX)
        on_their_way = {"draft", "submitted", "rejected"}
        return found, [each for each in page.items if each.state in on_their_way]

    found, waiting = run(in_transaction(command_settings(), find))
    if as_json:
        drafts = [json.loads(msgspec.json.encode(each)) for each in waiting]
        facts = {"programmes": [_facts_of(each) for each in found], "versions": drafts}
        click.echo(json.dumps(facts, ensure_ascii=False))
        return
    if not found:
        click.echo("No programme is live yet.")
    for each in found:
        document = each.programme.document
        state = "ended" if each.is_ended else "paused" if each.is_paused else "live"
        click.echo(
            f"{document.code} {document.name_zh} ({document.name_en}) version {document.version},"
            f" {state}: {each.seats.taken_told} of {each.seats.total} seats taken"
        )
    for version in waiting:
        click.echo(
            f"{version.programme_code} {version.name_zh} ({version.name_en}) version"
            f" {version.version}, {version.state}: drafted by {version.drafted_by}"
        )


@programme.command("show")
@_CODE
@_VERSION
@JSON_OPTION
def programme_show(*, code: str, version: int, as_json: bool) -> None:
    """Show CODE VERSION: what it means, who wrote and decided, and its dry runs."""

    async def find(tx: Tx) -> tuple[Version, Vocabulary, list[SignedDryRun]]:
        found = await service.get_version(tx, code=code, version=version)
        looks = await service.list_dry_runs(tx, code=code, version=version)
        return found, await service.get_vocabulary(tx), looks

    found, vocabulary, looks = run(in_transaction(command_settings(), find))
    if as_json:
        shown = json.loads(msgspec.json.encode(found))
        shown["digest"] = found.digest.hex()
        shown["dry_runs"] = [facts_of_dry_run(each) for each in looks]
        click.echo(json.dumps(shown, ensure_ascii=False))
        return
    _say_version(found, as_json=False)
    _show_meaning(restore_programme(found.document, found.digest), vocabulary, as_json=False)
    for each in looks:
        made = each.dry_run
        click.echo(f"  dry run:   {made.dry_run_id} by {made.made_by} at {made.made_at:%F %T} UTC")


async def _make_dry_run(
    settings: Settings, code: str, version: int, *, by: Actor, reason: str
) -> SignedDryRun:
    vault = open_vault(settings)
    database = await Database.open(database_url(settings), size=1)
    try:
        with progress_bar() as bar:
            # One picture of the city for the whole of it; it is kept once it is whole.
            async with database.read() as tx:
                task = bar.add_task("people", total=await citizen.count_participants(tx))
                signed = await service.work_out_dry_run(
                    tx,
                    code=code,
                    version=version,
                    made_by=by.login,
                    vault=vault,
                    now=SystemClock().now(),
                    on_progress=lambda counted: bar.update(task, completed=counted),
                )
        async with database.write() as tx:
            await service.keep_dry_run(tx, signed=signed, by=by, reason=reason)
        return signed
    finally:
        await asyncio.shield(database.close())


def _take_step(step: Callable[..., Awaitable[None]], code: str, by: str, reason: str) -> None:
    who, why = actor_of(by), reason_of(reason)

    async def take(tx: Tx) -> None:
        await step(tx, programme_code=code, by=who, reason=why, now=SystemClock().now())

    run(in_transaction(command_settings(), take))


def _refused(file: Path, refusal: Refusal) -> str:
    faults = refusal.facts["faults"]
    assert isinstance(faults, list), "what can't be proved has faults"
    lines = "\n".join(f"  {each}" for each in faults)
    return f"{file} can't be a programme:\n{lines}"


def _say_version(version: Version, *, as_json: bool) -> None:
    say(
        as_json,
        f"Programme {version.programme_code} version {version.version} is {version.state}.",
        programme=version.programme_code,
        version=version.version,
        state=version.state.value,
    )


def _show_meaning(proved: Programme, vocabulary: Vocabulary, *, as_json: bool) -> None:
    document = proved.document
    clauses = [[_words(condition, vocabulary) for condition in clause] for clause in proved.rule]
    if as_json:
        facts = {
            "programme": document.code,
            "version": document.version,
            "digest": proved.digest.hex(),
            "seats": document.seats,
            "rule": clauses,
        }
        click.echo(json.dumps(facts, ensure_ascii=False))
        return
    click.echo(f"Programme {document.code} version {document.version} proves right.")
    click.echo(f"  everybody: {document.baseline_zh} / {document.baseline_en}")
    click.echo(f"  granted:   {document.benefit_zh} / {document.benefit_en}")
    click.echo(f"  seats:     {document.seats}")
    for clause in clauses:
        click.echo(f"  needs:     {' or '.join(clause)}")
    for conditions in proved.enrol:
        words = (f"{each.fact} {each.bound or ', '.join(each.one_of)}" for each in conditions)
        click.echo(f"  to enrol:  {' or '.join(words)}")


def _words(condition: Condition, vocabulary: Vocabulary) -> str:
    fact = vocabulary.get(condition.fact)
    name = condition.fact if fact is None else f"{fact.name_zh} ({fact.name_en})"
    word = "at least" if condition.comparison is Comparison.AT_LEAST else "at most"
    return f"{name} {word} {condition.bound}"


def _facts_of(published: PublishedProgramme) -> dict[str, object]:
    document = published.programme.document
    return {
        "programme": document.code,
        "name_zh": document.name_zh,
        "name_en": document.name_en,
        "version": document.version,
        "is_paused": published.is_paused,
        "is_ended": published.is_ended,
        "seats_total": published.seats.total,
        "seats_taken": published.seats.taken_told,
    }
