"""Budgets from the command line: what there is, why it changed, and more of it."""

import json

import click
import msgspec

from backend.cli.environment import Fault, command_settings, run
from backend.cli.partner import JSON_OPTION, in_transaction
from backend.cli.shell import actor_of, as_somebody, reason_of
from backend.kit.clock import SystemClock
from backend.kit.money import format_yuan, parse_yuan
from backend.kit.page import PAGE_SIZE_MAX
from backend.kit.postgres import ReadTx, Tx
from backend.partner import service as partner
from backend.programme.rules.budget import Balance, Entry
from backend.programme.service import budget as service

_PARTNER = click.option("--partner", "partner_code", help="Of one partner, by its code.")
_DAY = click.option("--day", help="Of one day of the city, as 2026-11-24.")
_MONTH = click.option("--month", help="Of one month of the city, as 2026-11.")


@click.group()
def budget() -> None:
    """What programmes may cost, and what is reserved and spent of it."""


@budget.command("show")
@click.argument("code")
@JSON_OPTION
def budget_show(*, code: str, as_json: bool) -> None:
    """Show the budget of the programme CODE: the whole, partners, days and months."""

    async def find(tx: Tx) -> tuple[list[Balance], dict[str, str]]:
        found = await service.get_balances(tx, programme_code=code, now=SystemClock().now())
        return found, await _partner_codes(tx)

    found, partners = run(in_transaction(command_settings(), find))
    if as_json:
        click.echo(json.dumps([msgspec.to_builtins(each) for each in found]))
        return
    for each in found:
        click.echo(_line(each, partners))


@budget.command("entries")
@click.argument("code")
@_PARTNER
@_DAY
@_MONTH
@click.option("--limit", type=click.IntRange(1, PAGE_SIZE_MAX), default=20, show_default=True)
@JSON_OPTION
def budget_entries(
    *,
    code: str,
    partner_code: str | None,
    day: str | None,
    month: str | None,
    limit: int,
    as_json: bool,
) -> None:
    """List why the budget of CODE changed, newest first: the whole, or one part of it."""

    async def find(tx: Tx) -> list[Entry]:
        span, bucket = await _bucket(tx, partner_code, day, month)
        page = await service.list_entries(
            tx, programme_code=code, span=span, bucket=bucket, cursor=None, page_size=limit
        )
        return page.items

    found = run(in_transaction(command_settings(), find))
    if as_json:
        click.echo(json.dumps([msgspec.to_builtins(each) for each in found], ensure_ascii=False))
        return
    for each in found:
        click.echo(
            f"{each.revision}  {each.at:%Y-%m-%d %H:%M} UTC  {each.kind}"
            f"  reserved {_signed(each.reserved_change_fen)}"
            f"  spent {_signed(each.settled_change_fen)}  uses {each.uses_change:+}"
            f"  limit {_limit(each.limit_fen)}  by {each.by_whom}: {each.reason}"
        )
    if not found:
        click.echo("Nothing has changed.")


@budget.command("refill")
@click.argument("code")
@_PARTNER
@_DAY
@_MONTH
@click.option("--yuan", "amount", default="0", help="Raise the limit by so much, as 1000.00.")
@click.option("--uses", type=click.IntRange(0), default=0, help="Raise it by so many uses.")
@as_somebody
@JSON_OPTION
def budget_refill(
    *,
    code: str,
    partner_code: str | None,
    day: str | None,
    month: str | None,
    amount: str,
    uses: int,
    by: str,
    reason: str,
    as_json: bool,
) -> None:
    """Raise the limit of CODE, as a whole or of one part, until the next version is live."""
    who, why, amount_fen = actor_of(by), reason_of(reason), _fen(amount)

    async def refill(tx: Tx) -> tuple[Balance, dict[str, str]]:
        span, bucket = await _bucket(tx, partner_code, day, month)
        raised = await service.refill_by(
            tx,
            programme_code=code,
            span=span,
            bucket=bucket,
            amount_fen=amount_fen,
            uses=uses,
            by=who,
            reason=why,
            now=SystemClock().now(),
        )
        return raised, await _partner_codes(tx)

    raised, partners = run(in_transaction(command_settings(), refill))
    if as_json:
        click.echo(json.dumps(msgspec.to_builtins(raised)))
        return
    click.echo(_line(raised, partners))


async def _bucket(
    tx: ReadTx, partner_code: str | None, day: str | None, month: str | None
) -> tuple[str, str]:
    given = [name for name in (partner_code, day, month) if name is not None]
    if len(given) > 1:
        raise Fault("one of --partner, --day and --month, or none for the whole programme")
    if partner_code is not None:
        found = await partner.find_partner(tx, code=partner_code)
        if found is None:
            raise Fault(f"there is no partner {partner_code}")
        return "partner", str(found.partner_id)
    if day is not None:
        return "day", day
    return ("programme", "") if month is None else ("month", month)


async def _partner_codes(tx: ReadTx) -> dict[str, str]:
    codes: dict[str, str] = {}
    cursor = None
    while True:
        page = await partner.list_partners(tx, cursor=cursor, page_size=PAGE_SIZE_MAX)
        codes.update({str(each.partner_id): each.code for each in page.items})
        if (cursor := page.next_cursor) is None:
            return codes


def _fen(amount: str) -> int:
    try:
        return parse_yuan(amount)
    except ValueError:
        raise Fault("--yuan is an amount such as 1000.00") from None


def _line(balance: Balance, partners: dict[str, str]) -> str:
    name = partners.get(balance.bucket, balance.bucket)
    uses = "no limit" if balance.limit_uses is None else str(balance.limit_uses)
    return (
        f"{' '.join((balance.span, name)).strip()}: reserved {format_yuan(balance.reserved_fen)},"
        f" spent {format_yuan(balance.settled_fen)} of {_limit(balance.limit_fen)};"
        f" {balance.uses} uses of {uses}"
    )


def _limit(limit_fen: int | None) -> str:
    return "no limit" if limit_fen is None else f"{format_yuan(limit_fen)} yuan"


def _signed(amount_fen: int) -> str:
    return f"{'+' if amount_fen > 0 else ''}{format_yuan(amount_fen)}"
