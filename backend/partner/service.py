"""What an operator does with partners and clients, and what the other rooms ask about them."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from backend.kit.ids import new_id
from backend.kit.postgres import ReadTx, Tx
from backend.kit.problem import Refusal
from backend.partner import store
from backend.partner.rules import (
    DEMO_KID_PREFIX,
    Client,
    Partner,
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


async def list_demo_clients(tx: ReadTx) -> list[str]:
    """Return the ids of up to 10 clients in use whose keys a demo made."""
    found = await store.list_clients_by_kid(tx, prefix=DEMO_KID_PREFIX, limit=10)
    return [each.client_id for each in found]
