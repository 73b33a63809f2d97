"""Programmes from the command line: prove a file, publish it, see what is in force."""

import json
from pathlib import Path

import click

from backend.cli.document import read_document
from backend.cli.environment import Fault, command_settings, run
from backend.cli.partner import JSON_OPTION, in_transaction, say
from backend.kit.clock import SystemClock
from backend.kit.postgres import Tx
from backend.programme import service
from backend.programme.rules.document import Programme
from backend.programme.rules.fact import Vocabulary
from backend.programme.rules.rule import Comparison, Condition
from backend.programme.service import Publication, PublishedProgramme
from backend.record.rules.catalogue import DataFault


@click.group()
def programme() -> None:
    """What the city offers: benefits, the rule for each, and how many can have them."""


@programme.command("publish")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--dry-run", is_flag=True, help="Prove it and say what it means; change nothing.")
@JSON_OPTION
def programme_publish(*, file: Path, dry_run: bool, as_json: bool) -> None:
    """Prove the programme in FILE (TOML) and put it in force."""
    text = read_document(file)

    async def prove(tx: Tx) -> tuple[Programme, Vocabulary]:
        return await _proved(tx, file, text), await service.get_vocabulary(tx)

    async def publish(tx: Tx) -> tuple[Programme, Publication]:
        proved = await _proved(tx, file, text)
        return proved, await service.publish(tx, programme=proved, now=SystemClock().now())

    if dry_run:
        proved, vocabulary = run(in_transaction(command_settings(), prove))
        _show_meaning(proved, vocabulary, as_json=as_json)
        return
    proved, done = run(in_transaction(command_settings(), publish))
    document = proved.document
    if as_json:
        facts = {"programme": document.code, "version": document.version, "outcome": done.value}
        click.echo(json.dumps(facts))
    elif done is Publication.PUBLISHED:
        click.echo(f"Programme {document.code} version {document.version} is in force.")
    else:
        click.echo(f"Programme {document.code} version {document.version} was published before.")


@programme.command("end")
@click.argument("code")
@JSON_OPTION
def programme_end(*, code: str, as_json: bool) -> None:
    """End the programme CODE: nobody enrols any more, partners get no yes, the baseline goes on.

    Publishing a higher version lets it run again.
    """

    async def end(tx: Tx) -> None:
        await service.end(tx, programme_code=code, now=SystemClock().now())

    run(in_transaction(command_settings(), end))
    say(as_json, f"Programme {code} has ended.", programme=code, outcome="ended")


@programme.command("list")
@JSON_OPTION
def programme_list(*, as_json: bool) -> None:
    """List the programmes in force, with their seats: people are counted in twenties."""

    async def find(tx: Tx) -> list[PublishedProgramme]:
        return await service.list_programmes(tx)

    found = run(in_transaction(command_settings(), find))
    if as_json:
        click.echo(json.dumps([_facts_of(each) for each in found], ensure_ascii=False))
        return
    if not found:
        click.echo("No programme is published yet.")
    for each in found:
        document = each.programme.document
        state = "ended" if each.is_ended else "in force"
        click.echo(
            f"{document.code} {document.name_zh} ({document.name_en}) version {document.version},"
            f" {state}: {each.seats.taken_told} of {each.seats.total} seats taken"
        )


async def _proved(tx: Tx, file: Path, text: str) -> Programme:
    try:
        return await service.load(tx, text=text)
    except DataFault as fault:
        faults = "\n".join(f"  {each}" for each in fault.faults)
        raise Fault(f"{file} can't be published:\n{faults}") from None


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
    click.echo(f"Programme {document.code} version {document.version} can be published.")
    click.echo(f"  everybody: {document.baseline_zh} / {document.baseline_en}")
    click.echo(f"  granted:   {document.benefit_zh} / {document.benefit_en}")
    click.echo(f"  seats:     {document.seats}")
    for clause in clauses:
        click.echo(f"  needs:     {' or '.join(clause)}")


def _words(condition: Condition, vocabulary: Vocabulary) -> str:
    fact = vocabulary[condition.fact]
    word = "at least" if condition.comparison is Comparison.AT_LEAST else "at most"
    return f"{fact.name_zh} ({fact.name_en}) {word} {condition.bound}"


def _facts_of(published: PublishedProgramme) -> dict[str, object]:
    document = published.programme.document
    return {
        "programme": document.code,
        "name_zh": document.name_zh,
        "name_en": document.name_en,
        "version": document.version,
        "is_ended": published.is_ended,
        "seats_total": published.seats.total,
        "seats_taken": published.seats.taken_told,
    }
