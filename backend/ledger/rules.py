"""What one look at a citizen leaves behind: who, when, why, what kind of data, by which consent.

And what an operator's action leaves behind: who, when, what to which thing, and why.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from backend.access.rules import OperatorPrincipal


class AccessEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One look. Names and purposes are those of the moment; `disclosed` is what was told."""

    subject_id: UUID
    entry_id: UUID
    actor_kind: str
    actor_id: str
    actor_name_zh: str
    actor_name_en: str
    action: str
    data_kinds: list[str]
    purpose: str
    purpose_zh: str
    purpose_en: str
    consent_id: UUID | None
    programme_code: str | None
    decision_id: UUID | None
    disclosed: str
    at: datetime


# No login of an operator has a colon in it.
SHELL_PREFIX = "cli:"


class Actor(msgspec.Struct, frozen=True):
    """Who runs the service, as it is written down: an operator, or somebody at the server's shell.

    Whoever has the shell could do anything anyway; their name is what they gave.
    """

    operator_id: UUID | None
    login: str

    @classmethod
    def of(cls, operator: OperatorPrincipal) -> "Actor":
        """Return the operator whom a guard let in."""
        return cls(operator.operator_id, operator.login)

    @classmethod
    def at_shell(cls, name: str) -> "Actor":
        """Return somebody who calls a command, by the name they gave."""
        return cls(None, SHELL_PREFIX + name)


class OperatorEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One action: `object` is what it was done to, as kind:id; `facts` hold no personal data."""

    entry_id: UUID
    operator_id: UUID | None
    login: str
    action: str
    object: str
    reason: str
    facts: dict[str, Any]
    at: datetime


def operator_entry(
    actor: Actor,
    *,
    entry_id: UUID,
    action: str,
    thing: str,
    reason: str,
    now: datetime,
    facts: Mapping[str, Any] | None = None,
) -> OperatorEntry:
    """Return what is written down of an action, such as partner.suspended to partner:city-bank."""
    assert reason, "nothing is done without a reason"
    assert ":" in thing, "a thing is written as kind:id"
    return OperatorEntry(
        entry_id=entry_id,
        operator_id=actor.operator_id,
        login=actor.login,
        action=action,
        object=thing,
        reason=reason,
        facts=dict(facts or {}),
        at=now,
    )
