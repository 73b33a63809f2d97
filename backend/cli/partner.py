"""Partners and their clients from the command line."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import click

from backend.access.rules import SOURCE_SCOPES
from backend.cli.environment import Fault, command_settings, database_url, run
from backend.cli.shell import actor_of, as_somebody, reason_of
from backend.kit.clock import SystemClock
from backend.kit.postgres import Database, Tx
from backend.kit.problem import Refusal
from backend.partner import service as partner_service
from backend.partner.rules import PARTNER_KINDS, SOURCE_KIND, Client, scopes_of
from backend.record import service as record
from backend.settings import Settings

T = TypeVar("T")

_SCOPES = sorted({str(scope) for kind in PARTNER_KINDS for scope in scopes_of(kind)})

JSON_OPTION = click.option("--json", "as_json", is_flag=True, help="Print the answer as JSON.")
_JWKS_OPTION = click.option(
    "--jwks",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    required=True,
    help="File with its public keys, a JWKS; each key has a kid.",
)


@click.group()
def partner() -> None:
    """Merchants and lenders that may ask about citizens who agree; departments that report."""


@partner.command("add")
@click.argument("code")
@click.option("--name-zh", required=True, help="Name shown to citizens, in Chinese.")
@click.option("--name-en", required=True, help="Name shown to citizens, in English.")
@click.option("--kind", type=click.Choice(PARTNER_KINDS), default="merchant", show_default=True)
@click.option("--source", help="For the kind source: its code in the catalogue.")
@JSON_OPTION
def partner_add(
    *, code: str, name_zh: str, name_en: str, kind: str, source: str | None, as_json: bool
) -> None:
    """Add a partner under CODE, such as city-library."""

    async def add(tx: Tx) -> str:
        known = () if source is None else (await record.get_catalogue(tx)).sources
        added = await partner_service.add_partner(
            tx,
            code=code,
            name_zh=name_zh,
            name_en=name_en,
            kind=kind,
            source_code=source,
            known_sources=known,
            now=SystemClock().now(),
        )
        return str(added.partner_id)

    partner_id = run(in_transaction(command_settings(), add))
    say(as_json, f"Partner {code} is added.", partner=code, partner_id=partner_id)


@partner.command("suspend")
@click.argument("code")
@as_somebody
@JSON_OPTION
def partner_suspend(*, code: str, by: str, reason: str, as_json: bool) -> None:
    """Suspend the partner CODE: the tokens of all its clients open nothing within a second."""
    _set_partner_suspended(code, by, reason, suspended=True)
    say(as_json, f"Partner {code} is suspended.", partner=code, suspended=True)


@partner.command("resume")
@click.argument("code")
@as_somebody
@JSON_OPTION
def partner_resume(*, code: str, by: str, reason: str, as_json: bool) -> None:
    """Let the suspended partner CODE go on."""
    _set_partner_suspended(code, by, reason, suspended=False)
    say(as_json, f"Partner {code} goes on.", partner=code, suspended=False)


@partner.command("bound")
@click.argument("code")
@click.option(
    "--checks-a-day",
    type=click.IntRange(min=1),
    help="Left out, there is no bound but those of the consents.",
)
@as_somebody
@JSON_OPTION
def partner_bound(
    *, code: str, checks_a_day: int | None, by: str, reason: str, as_json: bool
) -> None:
    """Bound how many eligibility checks the partner CODE may make on one day of the city."""

    async def work(tx: Tx) -> None:
        await partner_service.set_checks_a_day(
            tx,
            code=code,
            checks_a_day=checks_a_day,
            by=actor_of(by),
            reason=reason_of(reason),
            now=SystemClock().now(),
        )

    run(in_transaction(command_settings(), work))
    bound = "no bound" if checks_a_day is None else f"{checks_a_day} checks a day"
    say(as_json, f"Partner {code} has {bound}.", partner=code, checks_a_day=checks_a_day)


def _set_partner_suspended(code: str, by: str, reason: str, *, suspended: bool) -> None:
    async def work(tx: Tx) -> None:
        await partner_service.set_partner_suspended(
            tx,
            code=code,
            suspended=suspended,
            by=actor_of(by),
            reason=reason_of(reason),
            now=SystemClock().now(),
        )

    run(in_transaction(command_settings(), work))


@click.group()
def client() -> None:
    """The software of partners: each client with its own keys and scopes."""


@client.command("add")
@click.argument("client_id")
@click.option("--partner", "partner_code", required=True, help="Code of its partner.")
@click.option("--name-zh", required=True, help="Name shown to citizens, in Chinese.")
@click.option("--name-en", required=True, help="Name shown to citizens, in English.")
@_JWKS_OPTION
@click.option(
    "--redirect-uri", "redirect_uris", multiple=True, help="Repeatable; a source's client has none."
)
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    type=click.Choice(_SCOPES),
    help="Repeatable; left out, all that its kind of partner can have.",
)
@JSON_OPTION
def client_add(
    *,
    client_id: str,
    partner_code: str,
    name_zh: str,
    name_en: str,
    jwks: Path,
    redirect_uris: tuple[str, ...],
    scopes: tuple[str, ...],
    as_json: bool,
) -> None:
    """Add the client CLIENT_ID, such as library-demo, to a partner."""
    keys = _read_jwks(jwks)

    async def add(tx: Tx) -> None:
        found = await partner_service.find_partner(tx, code=partner_code)
        kind = "" if found is None else found.kind
        await partner_service.add_client(
            tx,
            partner_code=partner_code,
            client_id=client_id,
            name_zh=name_zh,
            name_en=name_en,
            jwks=keys,
            redirect_uris=list(redirect_uris),
            scopes=list(scopes) or sorted(scopes_of(kind)),
            now=SystemClock().now(),
        )

    run(in_transaction(command_settings(), add))
    say(as_json, f"Client {client_id} is added.", partner=partner_code, client_id=client_id)


@client.command("add-source")
@click.argument("source")
@_JWKS_OPTION
@click.option("--client-id", help="Left out, it is made of the source's code.")
@JSON_OPTION
def client_add_source(*, source: str, jwks: Path, client_id: str | None, as_json: bool) -> None:
    """Let the software of the source department SOURCE, such as city_library, hand in.

    The department becomes a partner unless it is one; its names are those of the catalogue.
    """
    keys = _read_jwks(jwks)

    async def add(tx: Tx) -> Client:
        return await add_source_client(
            tx, source_code=source, client_id=client_id, jwks=keys, now=SystemClock().now()
        )

    added = run(in_transaction(command_settings(), add))
    say(
        as_json,
        f"Client {added.client_id} of {added.partner_code} may hand in for {source}.",
        partner=added.partner_code,
        client_id=added.client_id,
        source=source,
    )


@client.command("suspend")
@click.argument("client_id")
@as_somebody
@JSON_OPTION
def client_suspend(*, client_id: str, by: str, reason: str, as_json: bool) -> None:
    """Suspend the client CLIENT_ID, whose key may be in wrong hands; its partner's others go on."""
    _set_client_suspended(client_id, by, reason, suspended=True)
    say(as_json, f"Client {client_id} is suspended.", client_id=client_id, suspended=True)


@client.command("resume")
@click.argument("client_id")
@as_somebody
@JSON_OPTION
def client_resume(*, client_id: str, by: str, reason: str, as_json: bool) -> None:
    """Let the suspended client CLIENT_ID go on."""
    _set_client_suspended(client_id, by, reason, suspended=False)
    say(as_json, f"Client {client_id} goes on.", client_id=client_id, suspended=False)


def _set_client_suspended(client_id: str, by: str, reason: str, *, suspended: bool) -> None:
    async def work(tx: Tx) -> None:
        await partner_service.set_client_suspended(
            tx,
            client_id=client_id,
            suspended=suspended,
            by=actor_of(by),
            reason=reason_of(reason),
            now=SystemClock().now(),
        )

    run(in_transaction(command_settings(), work))


async def add_source_client(
    tx: Tx, *, source_code: str, client_id: str | None, jwks: dict[str, Any], now: datetime
) -> Client:
    """Register the software of a source of the catalogue, and the source unless it is known.

    Raises Refusal submission_source_unknown and those of the partner room.
    """
    sources = (await record.get_catalogue(tx)).sources
    source = sources.get(source_code)
    if source is None:
        raise Refusal("submission_source_unknown")
    code = f"source-{source_code.replace('_', '-')}"
    if await partner_service.find_partner(tx, code=code) is None:
        await partner_service.add_partner(
            tx,
            code=code,
            name_zh=source.name_zh,
            name_en=source.name_en,
            kind=SOURCE_KIND,
            source_code=source_code,
            known_sources=sources,
            now=now,
        )
    return await partner_service.add_client(
        tx,
        partner_code=code,
        client_id=client_id or code,
        name_zh=source.name_zh,
        name_en=source.name_en,
        jwks=jwks,
        redirect_uris=[],
        scopes=sorted(SOURCE_SCOPES),
        now=now,
    )


async def in_transaction(settings: Settings, work: Callable[[Tx], Awaitable[T]]) -> T:
    """Run one verb in a transaction on the database of the settings."""
    database = await Database.open(database_url(settings), size=1)
    try:
        async with database.write() as tx:
            return await work(tx)
    finally:
        await asyncio.shield(database.close())


def _read_jwks(path: Path) -> dict[str, Any]:
    try:
        jwks = json.loads(path.read_text())
    except (OSError, ValueError, RecursionError):
        raise Fault(f"{path} is not a JSON file") from None
    if not isinstance(jwks, dict):
        raise Fault(f'{path} is not a JWKS: {{"keys": […]}}')
    return jwks


def say(as_json: bool, sentence: str, **facts: object) -> None:
    """Print a sentence to people, or the facts to programs."""
    click.echo(json.dumps(facts) if as_json else sentence)
