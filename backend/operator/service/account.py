"""Who runs the service: adding, suspending, giving roles, starting again from a set-up code."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from backend.kit.crypto import Vault
from backend.kit.ids import new_id, new_token, token_hash
from backend.kit.page import Page, cut_page, decode_cursor
from backend.kit.postgres import ReadTx, Tx
from backend.kit.problem import Refusal
from backend.ledger import service as ledger
from backend.ledger.rules import Actor
from backend.operator import rules, store
from backend.operator.rules import Operator
from backend.operator.service import limit

_SET_UP_PREFIX = "cp_os_"


class Added(msgspec.Struct, frozen=True):
    """An operator with the code to set up with: shown this once, good until `set_up_until`."""

    operator: Operator
    set_up_code: str
    set_up_until: datetime


async def add(
    tx: Tx,
    *,
    login: str,
    name_zh: str,
    name_en: str,
    roles: Sequence[str],
    by: Actor,
    reason: str,
    now: datetime,
) -> Added:
    """Add an operator; raises Refusal operator_invalid (errors) or operator_exists."""
    faults = rules.operator_faults(login=login, name_zh=name_zh, name_en=name_en, roles=roles)
    if faults:
        raise Refusal("operator_invalid", errors=faults)
    operator = Operator(
        operator_id=new_id(now),
        login=login,
        name_zh=name_zh,
        name_en=name_en,
        roles=sorted(roles),
        created_by=by.login,
        created_at=now,
        is_set_up=False,
        suspended_at=None,
    )
    code, until = new_token(_SET_UP_PREFIX), now + rules.SET_UP_LIFE
    if not await store.insert_operator(
        tx, operator, set_up_hash=token_hash(code), set_up_until=until
    ):
        raise Refusal("operator_exists")
    facts = {"roles": operator.roles}
    await _note(tx, by, "added", login, reason=reason, facts=facts, now=now)
    return Added(operator, code, until)


async def find(tx: ReadTx, *, login: str) -> Operator | None:
    """Return the operator with this login, or None; it may be anything a stranger sent."""
    return await store.find_operator(tx, login) if rules.is_login(login) else None


async def list_all(tx: ReadTx, *, cursor: str | None, page_size: int) -> Page[Operator]:
    """Return one page of operators by login; raises Refusal cursor_invalid."""
    after = None
    if cursor is not None:
        (after,) = decode_cursor(cursor, parts=1)
        if not rules.is_login(after):
            raise Refusal("cursor_invalid")
    found = await store.list_operators(tx, after=after, limit=page_size + 1)
    return cut_page(found, page_size, key=lambda each: (each.login,))


async def set_suspended(
    tx: Tx, *, login: str, suspended: bool, by: Actor, reason: str, now: datetime
) -> Operator:
    """Suspend an operator, whose sessions are dead at once, or let them in again.

    Raises Refusal operator_unknown, or operator_self: somebody else decides that.
    """
    await _get_other(tx, login, by)
    if await store.set_suspended(tx, login, suspended_at=now if suspended else None):
        await store.end_sessions(tx, login, now)
        word = "suspended" if suspended else "resumed"
        await _note(tx, by, word, login, reason=reason, now=now)
    return await _get(tx, login)


async def set_roles(
    tx: Tx, *, login: str, roles: Sequence[str], by: Actor, reason: str, now: datetime
) -> Operator:
    """Give an operator these roles and no others, from the next request on.

    Raises Refusal operator_unknown, operator_invalid (errors), or operator_self.
    """
    former = await _get_other(tx, login, by)
    faults = rules.role_faults(roles)
    if faults:
        raise Refusal("operator_invalid", errors=faults)
    await store.set_roles(tx, login, roles=sorted(roles))
    facts = {"roles": sorted(roles), "former": former.roles}
    await _note(tx, by, "roles_changed", login, reason=reason, facts=facts, now=now)
    return await _get(tx, login)


async def reset(
    tx: Tx, *, login: str, by: Actor, reason: str, vault: Vault, now: datetime
) -> Added:
    """Take password and second factor away, end every session, and make a new set-up code.

    For a phone that was lost, or a login that strangers try. Raises as `set_suspended`.
    """
    await _get_other(tx, login, by)
    code, until = new_token(_SET_UP_PREFIX), now + rules.SET_UP_LIFE
    await store.reset(tx, login, set_up_hash=token_hash(code), set_up_until=until)
    await store.end_sessions(tx, login, now)
    await limit.forget_login(tx, login, vault=vault)
    await _note(tx, by, "reset", login, reason=reason, now=now)
    return Added(await _get(tx, login), code, until)


async def _get(tx: ReadTx, login: str) -> Operator:
    operator = await find(tx, login=login)
    if operator is None:
        raise Refusal("operator_unknown")
    return operator


async def _get_other(tx: ReadTx, login: str, by: Actor) -> Operator:
    operator = await _get(tx, login)
    if operator.operator_id == by.operator_id:
        raise Refusal("operator_self")
    return operator


async def _note(
    tx: Tx,
    by: Actor,
    word: str,
    login: str,
    *,
    reason: str,
    now: datetime,
    facts: Mapping[str, object] | None = None,
) -> None:
    await ledger.note_action(
        tx,
        by=by,
        action=f"operator.{word}",
        thing=f"operator:{login}",
        reason=reason,
        facts=facts,
        now=now,
    )
