"""Who acts at the server's shell, and how it is written down.

Whoever has the shell could do anything anyway, so nobody signs in here; what they do stands in the
same entries as what operators do, under the name they give.
"""

import getpass
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final, TypeVar

import click

from backend.access.reason import REASON_CHARACTERS_MAX, parse_reason
from backend.cli.environment import Fault
from backend.kit.postgres import Tx
from backend.kit.problem import Refusal
from backend.ledger import service as ledger
from backend.ledger.rules import Actor

F = TypeVar("F", bound=Callable[..., Any])

AT_THE_SHELL: Final = "命令行操作 · from the command line"


def as_somebody(command: F) -> F:
    """Give a command the options that say who acts and why, as `by` and `reason`."""
    for option in (
        click.option("--reason", default=AT_THE_SHELL, help="Why, on one line; it is kept."),
        click.option(
            "--by", default=_user, help="Who acts, by name; without it the system's user."
        ),
    ):
        command = option(command)
    return command


def actor_of(by: str) -> Actor:
    """Return somebody at the shell by the name given; Fault when it is none."""
    name = by.strip()
    if not 1 <= len(name) <= REASON_CHARACTERS_MAX or not name.isprintable():
        raise Fault(f"--by is the name of a person, 1 to {REASON_CHARACTERS_MAX} characters")
    return Actor.at_shell(name)


def reason_of(text: str) -> str:
    """Return a reason as it is kept; Fault when it is none."""
    try:
        return parse_reason(text)
    except Refusal:
        raise Fault(f"--reason is one line of 1 to {REASON_CHARACTERS_MAX} characters") from None


async def note(
    tx: Tx,
    *,
    by: str,
    action: str,
    thing: str,
    now: datetime,
    reason: str = AT_THE_SHELL,
    facts: Mapping[str, Any] | None = None,
) -> None:
    """Write down what a command did, in its transaction and after its verb took the words."""
    await ledger.note_action(
        tx,
        by=Actor.at_shell(by.strip()),
        action=action,
        thing=thing,
        reason=reason,
        facts=facts,
        now=now,
    )


def _user() -> str:
    return getpass.getuser()
