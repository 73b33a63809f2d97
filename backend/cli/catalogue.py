"""The catalogue from the command line: prove one, publish it, see what is in force."""

import json
from datetime import datetime
from pathlib import Path

import click
import msgspec

from backend.cli.document import read_document
from backend.cli.environment import Fault, command_settings, run
from backend.cli.partner import JSON_OPTION, in_transaction, say
from backend.cli.shell import note
from backend.kit.clock import SystemClock
from backend.kit.postgres import Tx
from backend.record import service
from backend.record.api.catalogue import catalogue_view
from backend.record.rules.catalogue import (
    Catalogue,
    DataFault,
    RecordClass,
    bases_to_name,
    load_catalogue,
    restore_catalogue,
)
from backend.record.rules.edition import Edition, ListedEdition
from backend.record.service import CatalogueOutcome
from backend.score import service as score

_PERSON_CHARACTERS_MAX = 64
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group()
def catalogue() -> None:
    """What may be collected at all, on which basis, and who reports it."""


@catalogue.command("model")
@click.argument("directory", type=click.Path(file_okay=False, path_type=Path))
@JSON_OPTION
def catalogue_model(*, directory: Path, as_json: bool) -> None:
    """Write the catalogue of this release into DIRECTORY, for a city to make its own of it."""
    texts = dict(zip(("catalogue.toml", "sources.toml"), service.packaged_texts(), strict=True))
    directory.mkdir(parents=True, exist_ok=True)
    for name in texts:
        if (directory / name).exists():
            raise Fault(f"{directory / name} is there already")
    for name, text in texts.items():
        (directory / name).write_text(text, "utf-8")
    written = [str(directory / name) for name in texts]
    say(as_json, f"Wrote {' and '.join(written)}.", written=written)


@catalogue.command("check")
@click.argument("file", type=_FILE)
@click.option("--sources", type=_FILE, help="The city's sources; without, the classes alone.")
@JSON_OPTION
def catalogue_check(*, file: Path, sources: Path | None, as_json: bool) -> None:
    """Prove the catalogue in FILE (TOML or JSON) and say everything that is wrong with it."""
    document, sources_text = read_document(file), "" if sources is None else read_document(sources)
    try:
        proved = load_catalogue(document, sources_text)
    except DataFault as fault:
        if not as_json:
            raise _unusable(file, fault) from None
        click.echo(json.dumps({"faults": fault.faults}, ensure_ascii=False))
        raise click.exceptions.Exit(1) from None
    unreported = [] if sources is None else _unreported(proved)
    unnamed = bases_to_name(proved)
    if as_json:
        facts = _counts_of(proved) | {
            "unreported": unreported,
            "bases_to_name": unnamed,
            "faults": [],
        }
        click.echo(json.dumps(facts, ensure_ascii=False))
        return
    click.echo(
        f"Edition {proved.edition} is proved:"
        f" {len(proved.classes)} classes, {len(proved.sources)} sources."
    )
    for code in unnamed:
        click.echo(f"  not to be published before the regulation behind it is named: {code}")
    for code in unreported:
        click.echo(f"  no source of this city may report {code}")


@catalogue.command("publish")
@click.argument("file", type=_FILE)
@click.option("--sources", type=_FILE, required=True, help="The city's sources.")
@click.option("--by", "published_by", required=True, help="Who publishes it.")
@JSON_OPTION
def catalogue_publish(*, file: Path, sources: Path, published_by: str, as_json: bool) -> None:
    """Put the catalogue in FILE in force, everywhere at once."""
    document, sources_text = read_document(file), read_document(sources)
    person = published_by.strip()
    if not 1 <= len(person) <= _PERSON_CHARACTERS_MAX or not person.isprintable():
        raise Fault(f"--by is the name of a person, 1 to {_PERSON_CHARACTERS_MAX} characters")
    try:
        proved = load_catalogue(document, sources_text)
    except DataFault as fault:
        raise _unusable(file, fault) from None
    if unnamed := bases_to_name(proved):
        raise Fault(
            "these classes rest on a regulation of your city that legal_basis doesn't name yet:"
            f" {', '.join(unnamed)}"
        )

    async def publish(tx: Tx) -> CatalogueOutcome:
        done = await service.publish_catalogue(
            tx,
            document=document,
            sources=sources_text,
            published_by=person,
            now=SystemClock().now(),
        )
        # Whoever is scored today must be scored by what is proved tomorrow as well.
        if faults := await score.faults_under(tx, catalogue=proved):
            raise _unusable(file, DataFault(faults))
        if done is CatalogueOutcome.PUBLISHED:
            await note(
                tx,
                by=person,
                action="catalogue.published",
                thing=f"catalogue:{proved.edition}",
                now=SystemClock().now(),
            )
        return done

    done = run(in_transaction(command_settings(), publish))
    said = "is in force" if done is CatalogueOutcome.PUBLISHED else "was published before"
    facts = _counts_of(proved) | {"outcome": done.value}
    say(as_json, f"Edition {proved.edition} {said}.", **facts)


@catalogue.command("list")
@JSON_OPTION
def catalogue_list(*, as_json: bool) -> None:
    """List the editions that were published, the one in force first."""

    async def find(tx: Tx) -> list[ListedEdition]:
        return await service.list_editions(tx)

    found = run(in_transaction(command_settings(), find))
    if as_json:
        facts = [
            _listed(each.edition, each.digest, each.published_by, each.published_at)
            | {"is_in_force": each is found[0]}
            for each in found
        ]
        click.echo(json.dumps(facts, ensure_ascii=False))
        return
    if not found:
        click.echo("No edition is published yet.")
    for each in found:
        state = ", in force" if each is found[0] else ""
        click.echo(
            f"{each.edition} published {each.published_at:%Y-%m-%d} by {each.published_by}{state}"
        )


@catalogue.command("show")
@click.argument("edition", required=False)
@JSON_OPTION
def catalogue_show(*, edition: str | None, as_json: bool) -> None:
    """Show the edition in force, or EDITION: what may be collected, by whom, for how long."""

    async def find(tx: Tx) -> Edition | None:
        name = edition or (await service.get_catalogue(tx)).edition
        return await service.find_edition(tx, edition=name)

    row = run(in_transaction(command_settings(), find))
    if row is None:
        raise Fault(f"there is no edition {edition}: see `creditplus catalogue list`")
    found = restore_catalogue(row.document, row.sources)
    if as_json:
        facts = msgspec.to_builtins(catalogue_view(found)) | _listed(
            row.edition, row.digest, row.published_by, row.published_at
        )
        texts = {"document": row.document, "sources_document": row.sources}
        click.echo(json.dumps(facts | texts, ensure_ascii=False))
        return
    click.echo(f"{found.name_zh} {found.name_en}, edition {found.edition}")
    for each in found.classes.values():
        click.echo(f"{each.code} {each.name_zh} ({each.name_en})")
        click.echo(f"  {each.basis}: {each.legal_basis}")
        sources = [s.code for s in found.sources.values() if found.may_report(s, each)]
        click.echo(f"  from {', '.join(sources) or 'nobody in this city'}; {_life(each)}")


def _life(item: RecordClass) -> str:
    if item.is_adverse:
        return f"{item.severity}, counts for {item.publication_max_months} months at most"
    lasting = "until the source reports its end, then " if item.is_lasting else ""
    return f"{item.polarity}, kept {lasting}{item.retention_months} months"


def _unreported(proved: Catalogue) -> list[str]:
    """Return the classes that no source of the city may report."""
    kinds = {source.kind for source in proved.sources.values()}
    return [each.code for each in proved.classes.values() if kinds.isdisjoint(each.source_kinds)]


def _counts_of(proved: Catalogue) -> dict[str, object]:
    return {
        "edition": proved.edition,
        "digest": proved.digest.hex(),
        "classes": len(proved.classes),
        "sources": len(proved.sources),
    }


def _listed(
    edition: str, digest: bytes, published_by: str, published_at: datetime
) -> dict[str, object]:
    return {
        "edition": edition,
        "digest": digest.hex(),
        "published_by": published_by,
        "published_at": published_at.isoformat(),
    }


def _unusable(file: Path, fault: DataFault) -> Fault:
    faults = "\n".join(f"  {each}" for each in fault.faults)
    return Fault(f"{file} can't be published:\n{faults}")
