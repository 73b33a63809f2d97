"""Operators from the command line: the first one, and whoever can't be let in by another."""

import json
from collections.abc import Awaitable, Callable
from pathlib import Path

import click

from backend.app import open_vault
from backend.cli.environment import Fault, command_settings, run
from backend.cli.partner import JSON_OPTION, in_transaction, say
from backend.cli.shell import actor_of, as_somebody, reason_of
from backend.kit.clock import SystemClock
from backend.kit.page import PAGE_SIZE_MAX
from backend.kit.postgres import Tx
from backend.operator import service
from backend.operator.rules import PASSWORD_LONGEST, ROLES, Operator
from backend.operator.service import Added, SetUp

_PASSWORD_FILE = click.option(
    "--password-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path, allow_dash=True),
    help="Its first line is the password; without it you are asked twice.",
)
_SET_UP_CODE = click.option(
    "--set-up-code",
    "by_code",
    is_flag=True,
    help="Ask no password: print a code of one use for them to set themselves up with.",
)


@click.group()
def operator() -> None:
    """Who runs the service: operators, with a password, a second factor, and roles apart."""


@operator.command("add")
@click.argument("login")
@click.option("--name-zh", required=True, help="Name in Chinese.")
@click.option("--name-en", required=True, help="Name in English.")
@click.option(
    "--role",
    "roles",
    multiple=True,
    required=True,
    type=click.Choice(ROLES),
    help="Repeatable; security and audit stand alone.",
)
@_PASSWORD_FILE
@_SET_UP_CODE
@as_somebody
@JSON_OPTION
def operator_add(
    *,
    login: str,
    name_zh: str,
    name_en: str,
    roles: tuple[str, ...],
    password_file: Path | None,
    by_code: bool,
    by: str,
    reason: str,
    as_json: bool,
) -> None:
    """Add the operator LOGIN, such as chen.jing, and print their second factor, this once.

    Give the otpauth address to their authenticator app, or let them set themselves up.
    """

    async def add(tx: Tx) -> Added:
        return await service.add(
            tx,
            login=login,
            name_zh=name_zh,
            name_en=name_en,
            roles=roles,
            by=actor_of(by),
            reason=reason_of(reason),
            now=SystemClock().now(),
        )

    password = None if by_code else _password(password_file)
    _set_up(add, password, f"Operator {login} is added.", as_json=as_json)


@operator.command("reset")
@click.argument("login")
@_PASSWORD_FILE
@_SET_UP_CODE
@as_somebody
@JSON_OPTION
def operator_reset(
    *,
    login: str,
    password_file: Path | None,
    by_code: bool,
    by: str,
    reason: str,
    as_json: bool,
) -> None:
    """Give LOGIN a new password and second factor; sessions end, and the count of wrong tries."""
    vault = open_vault(command_settings())

    async def reset(tx: Tx) -> Added:
        return await service.reset(
            tx,
            login=login,
            by=actor_of(by),
            reason=reason_of(reason),
            vault=vault,
            now=SystemClock().now(),
        )

    password = None if by_code else _password(password_file)
    _set_up(reset, password, f"Operator {login} starts again.", as_json=as_json)


@operator.command("suspend")
@click.argument("login")
@as_somebody
@JSON_OPTION
def operator_suspend(*, login: str, by: str, reason: str, as_json: bool) -> None:
    """Keep LOGIN out: every session ends at once, and none opens."""
    _set_suspended(login, by, reason, suspended=True)
    say(as_json, f"Operator {login} is suspended.", login=login, suspended=True)


@operator.command("resume")
@click.argument("login")
@as_somebody
@JSON_OPTION
def operator_resume(*, login: str, by: str, reason: str, as_json: bool) -> None:
    """Let LOGIN in again."""
    _set_suspended(login, by, reason, suspended=False)
    say(as_json, f"Operator {login} may sign in again.", login=login, suspended=False)


@operator.command("list")
@JSON_OPTION
def operator_list(*, as_json: bool) -> None:
    """List who runs the service."""

    async def find(tx: Tx) -> list[Operator]:
        found: list[Operator] = []
        cursor = None
        while True:
            page = await service.list_all(tx, cursor=cursor, page_size=PAGE_SIZE_MAX)
            found += page.items
            cursor = page.next_cursor
            if cursor is None:
                return found

    found = run(in_transaction(command_settings(), find))
    if as_json:
        facts = [
            {"login": each.login, "roles": each.roles, "state": _state(each)} for each in found
        ]
        click.echo(json.dumps({"operators": facts}))
        return
    for each in found:
        roles = ", ".join(each.roles)
        click.echo(f"{each.login} ({each.name_zh} {each.name_en}): {roles}; {_state(each)}")


def _state(operator: Operator) -> str:
    if operator.suspended_at is not None:
        return "suspended"
    return "ready" if operator.is_set_up else "not set up"


def _set_suspended(login: str, by: str, reason: str, *, suspended: bool) -> None:
    async def work(tx: Tx) -> Operator:
        return await service.set_suspended(
            tx,
            login=login,
            suspended=suspended,
            by=actor_of(by),
            reason=reason_of(reason),
            now=SystemClock().now(),
        )

    run(in_transaction(command_settings(), work))


def _set_up(
    verb: Callable[[Tx], Awaitable[Added]], password: str | None, words: str, *, as_json: bool
) -> None:
    """Add or reset somebody; print a set-up code, or set them up and print the second factor."""
    settings = command_settings()
    vault = open_vault(settings)

    async def work(tx: Tx) -> tuple[Added, SetUp | None]:
        added = await verb(tx)
        if password is None:
            return added, None
        now = SystemClock().now()
        return added, await service.set_up_at_once(
            tx, added=added, password=password, vault=vault, now=now
        )

    added, done = run(in_transaction(settings, work))
    login = added.operator.login
    if done is None:
        until = added.set_up_until.isoformat()
        code = f"They set themselves up with this code, until {until}:\n{added.set_up_code}"
        facts = {"set_up_code": added.set_up_code, "set_up_until": until}
        say(as_json, f"{words} {code}", login=login, **facts)
        return
    factor = f"For their authenticator app, shown this once:\n{done.totp_uri}"
    say(as_json, f"{words} {factor}", login=login, totp_uri=done.totp_uri)


def _password(file: Path | None) -> str:
    if file is None:
        return str(click.prompt("Password", hide_input=True, confirmation_prompt=True))
    with click.open_file(str(file), encoding="utf-8") as opened:
        try:
            line: str = opened.readline(PASSWORD_LONGEST + 2)
        except UnicodeDecodeError:
            raise Fault("--password-file holds no UTF-8") from None
    return line.rstrip("\r\n")
