"""What an operator does with partners and clients, and what the other rooms ask about them."""

from collections.abc import Collection
from datetime import datetime
from typing import Any
from uuid import UUID

from backend.kit.ids import new_id
from backend.kit.page import Page, cut_page, decode_cursor
from backend.kit.postgres import ReadTx, Tx
from backend.kit.problem import Refusal
from backend.ledger import service as ledger
from backend.ledger.rules import Actor
from backend.partner import store
from backend.partner.rules import (
    DEMO_KID_PREFIX,
    Client,
    Partner,
    PartnerName,
    client_faults,
    is_code,
    partner_faults,
)


async def add_partner(
    tx: Tx,
    *,
    code: str,
    name_zh: str,
    name_en: str,
    kind: str,
    now: datetime,
    source_code: str | None = None,
    known_sources: Collection[str] = (),
) -> Partner:
    """Add a partner; a source department by its code among the `known_sources` of the catalogue.

    Refusal("partner_invalid", errors) or Refusal("partner_exists").
    """
    faults = partner_faults(
        code=code,
        name_zh=name_zh,
        name_en=name_en,
        kind=kind,
        source_code=source_code,
        known_sources=known_sources,
    )
    if faults:
        raise Refusal("partner_invalid", errors=faults)
    partner = Partner(
        partner_id=new_id(now),
        code=code,
        name_zh=name_zh,
        name_en=name_en,
        kind=kind,
        source_code=source_code,
        created_at=now,
        suspended_at=None,
    )
    if not await store.insert_partner(tx, partner):
        raise Refusal("partner_exists", partner=code)
    return partner


async def find_partner(tx: ReadTx, *, code: str) -> Partner | None:
    """Return the partner with this code, or None."""
    return await store.find_partner(tx, code=code)


async def find_names(tx: ReadTx, *, partner_ids: Collection[UUID]) -> dict[UUID, PartnerName]:
    """Return what some partners are called, by their ids, in one statement."""
    found = await store.list_names(tx, sorted(set(partner_ids)))
    return {each.partner_id: each for each in found}


async def add_client(
    tx: Tx,
    *,
    partner_code: str,
    client_id: str,
    name_zh: str,
    name_en: str,
    jwks: dict[str, Any],
    redirect_uris: list[str],
    scopes: list[str],
    now: datetime,
) -> Client:
    """Add a client to a partner.

    Refusal("client_invalid", errors), Refusal("client_exists") or Refusal("partner_unknown").
    """
    partner = await store.find_partner(tx, code=partner_code)
    if partner is None:
        raise Refusal("partner_unknown", partner=partner_code)
    faults = client_faults(
        kind=partner.kind,
        client_id=client_id,
        name_zh=name_zh,
        name_en=name_en,
        jwks=jwks,
        redirect_uris=redirect_uris,
        scopes=scopes,
    )
    if faults:
        raise Refusal("client_invalid", errors=faults)
    client = Client(
        client_id=client_id,
        partner_id=partner.partner_id,
        partner_code=partner.code,
        partner_name_zh=partner.name_zh,
        partner_name_en=partner.name_en,
        partner_kind=partner.kind,
        name_zh=name_zh,
        name_en=name_en,
        jwks=jwks,
        redirect_uris=redirect_uris,
        scopes=scopes,
        created_at=now,
        suspended_at=None,
        partner_suspended_at=partner.suspended_at,
    )
    if not await store.insert_client(tx, client):
        raise Refusal("client_exists", client_id=client_id)
    return client


async def find_client(tx: ReadTx, *, client_id: str) -> Client | None:
    """Return the client with this id, suspended or not, or None.

    The id may be anything a stranger sent: what can't be an id never reaches the database.
    """
    if not is_code(client_id):
        return None
    return await store.find_client(tx, client_id=client_id)


async def list_partners(tx: ReadTx, *, cursor: str | None, page_size: int) -> Page[Partner]:
    """Return one page of partners by code; raises Refusal cursor_invalid."""
    found = await store.list_partners(tx, after=_after(cursor), limit=page_size + 1)
    return cut_page(found, page_size, key=lambda each: (each.code,))


async def list_clients(
    tx: ReadTx, *, partner_code: str | None, cursor: str | None, page_size: int
) -> Page[Client]:
    """Return one page of clients by id, of one partner or of all; raises Refusal cursor_invalid."""
    if partner_code is not None and not is_code(partner_code):
        return Page([], None)
    found = await store.list_clients(
        tx, partner_code=partner_code, after=_after(cursor), limit=page_size + 1
    )
    return cut_page(found, page_size, key=lambda each: (each.client_id,))


async def set_partner_suspended(
    tx: Tx, *, code: str, suspended: bool, by: Actor, reason: str, now: datetime
) -> Partner:
    """Suspend a partner, whose tokens open nothing from then on, or let it go on.

    Nothing is lost: consents and orders stay, and tokens that haven't expired are good again when
    it goes on. Raises Refusal partner_unknown.
    """
    changed = is_code(code) and await store.set_partner_suspended(
        tx, code, suspended_at=now if suspended else None
    )
    partner = await store.find_partner(tx, code=code) if is_code(code) else None
    if partner is None:
        raise Refusal("partner_unknown")
    if changed:
        await _note(tx, by, f"partner:{code}", suspended=suspended, reason=reason, now=now)
    return partner


async def set_checks_a_day(
    tx: Tx, *, code: str, checks_a_day: int | None, by: Actor, reason: str, now: datetime
) -> None:
    """Bound how many eligibility checks a partner may make on one day; None takes the bound away.

    It holds from the next check on, today's included. Raises Refusal partner_unknown.
    """
    assert checks_a_day is None or checks_a_day >= 1, "who may ask nothing is suspended"
    if not is_code(code) or not await store.set_checks_a_day(tx, code, checks_a_day):
        raise Refusal("partner_unknown", partner=code)
    await ledger.note_action(
        tx,
        by=by,
        action="partner.checks_bounded",
        thing=f"partner:{code}",
        reason=reason,
        facts={"checks_a_day": checks_a_day},
        now=now,
    )


async def set_client_suspended(
    tx: Tx, *, client_id: str, suspended: bool, by: Actor, reason: str, now: datetime
) -> Client:
    """Suspend one client of a partner, or let it go on, as `set_partner_suspended` does.

    Raises Refusal client_unknown.
    """
    changed = is_code(client_id) and await store.set_client_suspended(
        tx, client_id, suspended_at=now if suspended else None
    )
    client = await find_client(tx, client_id=client_id)
    if client is None:
        raise Refusal("client_unknown")
    if changed:
        await _note(tx, by, f"client:{client_id}", suspended=suspended, reason=reason, now=now)
    return client


async def _note(
    tx: Tx, by: Actor, thing: str, *, suspended: bool, reason: str, now: datetime
) -> None:
    kind, word = thing.partition(":")[0], "suspended" if suspended else "resumed"
    await ledger.note_action(
        tx, by=by, action=f"{kind}.{word}", thing=thing, reason=reason, now=now
    )


def _after(cursor: str | None) -> str | None:
    if cursor is None:
        return None
    (after,) = decode_cursor(cursor, parts=1)
    if not is_code(after):
        raise Refusal("cursor_invalid")
    return after


async def list_demo_clients(tx: ReadTx) -> list[str]:
    """Return the ids of up to 10 clients in use whose keys a demo made."""
    found = await store.list_clients_by_kid(tx, prefix=DEMO_KID_PREFIX, limit=10)
    return [each.client_id for each in found]
