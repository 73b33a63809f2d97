"""The server's own signing keys from the command line."""

import click

from backend.app import open_vault
from backend.cli.environment import command_settings, run
from backend.cli.partner import JSON_OPTION, in_transaction, say
from backend.kit.clock import SystemClock
from backend.kit.postgres import Tx
from backend.oauth import service as oauth


@click.group()
def key() -> None:
    """The server's own signing keys."""


@key.command("ensure")
@JSON_OPTION
def key_ensure(*, as_json: bool) -> None:
    """Make the server's signing key if there is none; readiness asks for one."""
    settings = command_settings()
    vault = open_vault(settings)

    async def ensure(tx: Tx) -> str:
        return await oauth.ensure_signing_key(tx, vault=vault, now=SystemClock().now())

    kid = run(in_transaction(settings, ensure))
    say(as_json, f"The active signing key is {kid}.", kid=kid)
