"""Partners and clients in SQL."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from backend.kit.postgres import ReadTx, Tx
from backend.partner.rules import Client, Partner, PartnerName


async def insert_partner(tx: Tx, partner: Partner) -> bool:
    """Insert a partner; False when its code is taken."""
    inserted = await tx.execute(
        """
        INSERT INTO partner (partner_id, code, name_zh, name_en, kind, source_code, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7)
        ON CONFLICT (code) DO NOTHING
        """,
        partner.partner_id,
        partner.code,
        partner.name_zh,
        partner.name_en,
        partner.kind,
        partner.source_code,
        partner.created_at,
    )
    return inserted == 1


async def find_partner(tx: ReadTx, *, code: str) -> Partner | None:
    """Return the partner with this code."""
    return await tx.fetch_optional(
        Partner,
        """
        SELECT partner_id, code, name_zh, name_en, kind, source_code, created_at, suspended_at
        FROM partner
        WHERE code = $1
        """,
        code,
    )


async def list_names(tx: ReadTx, partner_ids: Sequence[UUID]) -> list[PartnerName]:
    """Return what some partners are called."""
    return await tx.fetch_all(
        PartnerName,
        """SELECT partner_id, name_zh, name_en FROM partner WHERE partner_id = ANY($1)""",
        list(partner_ids),
    )


async def list_partners(tx: ReadTx, *, after: str | None, limit: int) -> list[Partner]:
    """Return partners by code, from the one behind `after` on."""
    return await tx.fetch_all(
        Partner,
        """
        SELECT partner_id, code, name_zh, name_en, kind, source_code, created_at, suspended_at
        FROM partner
        WHERE $1::text IS NULL OR code > $1
        ORDER BY code
        LIMIT $2
        """,
        after,
        limit,
    )


async def set_partner_suspended(tx: Tx, code: str, *, suspended_at: datetime | None) -> bool:
    """Suspend a partner or let it go on; False when that is how it was."""
    changed = await tx.execute(
        """
        UPDATE partner SET suspended_at = $2
        WHERE code = $1 AND (suspended_at IS NULL) <> ($2::timestamptz IS NULL)
        """,
        code,
        suspended_at,
    )
    return changed == 1


async def set_checks_a_day(tx: Tx, code: str, checks_a_day: int | None) -> bool:
    """Bound how often a partner may check in a day, or take the bound away; False if unknown."""
    changed = await tx.execute(
        """UPDATE partner SET checks_a_day = $2 WHERE code = $1""", code, checks_a_day
    )
    return changed == 1


async def set_client_suspended(tx: Tx, client_id: str, *, suspended_at: datetime | None) -> bool:
    """Suspend a client or let it go on; False when that is how it was."""
    changed = await tx.execute(
        """
        UPDATE client SET suspended_at = $2
        WHERE client_id = $1 AND (suspended_at IS NULL) <> ($2::timestamptz IS NULL)
        """,
        client_id,
        suspended_at,
    )
    return changed == 1


async def list_clients(
    tx: ReadTx, *, partner_code: str | None, after: str | None, limit: int
) -> list[Client]:
    """Return clients by id, of one partner or of all, from the one behind `after` on."""
    return await tx.fetch_all(
        Client,
        """
        SELECT
            client.client_id,
            client.partner_id,
            partner.code AS partner_code,
            partner.name_zh AS partner_name_zh,
            partner.name_en AS partner_name_en,
            partner.kind AS partner_kind,
            client.name_zh,
            client.name_en,
            client.jwks,
            client.redirect_uris,
            client.scopes,
            client.created_at,
            client.suspended_at,
            partner.suspended_at AS partner_suspended_at
        FROM client
        INNER JOIN partner USING (partner_id)
        WHERE ($1::text IS NULL OR partner.code = $1) AND ($2::text IS NULL OR client_id > $2)
        ORDER BY client_id
        LIMIT $3
        """,
        partner_code,
        after,
        limit,
    )


async def insert_client(tx: Tx, client: Client) -> bool:
    """Insert a client of an existing partner; False when its id is taken."""
    inserted = await tx.execute(
        """
        INSERT INTO client
            (client_id, partner_id, name_zh, name_en, jwks, redirect_uris, scopes, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        ON CONFLICT (client_id) DO NOTHING
        """,
        client.client_id,
        client.partner_id,
        client.name_zh,
        client.name_en,
        client.jwks,
        client.redirect_uris,
        client.scopes,
        client.created_at,
    )
    return inserted == 1


async def find_client(tx: ReadTx, *, client_id: str) -> Client | None:
    """Return the client with this id, and its partner."""
    return await tx.fetch_optional(
        Client,
        """
        SELECT
            client.client_id,
            client.partner_id,
            partner.code AS partner_code,
            partner.name_zh AS partner_name_zh,
            partner.name_en AS partner_name_en,
            partner.kind AS partner_kind,
            client.name_zh,
            client.name_en,
            client.jwks,
            client.redirect_uris,
            client.scopes,
            client.created_at,
            client.suspended_at,
            partner.suspended_at AS partner_suspended_at
        FROM client
        INNER JOIN partner USING (partner_id)
        WHERE client.client_id = $1
        """,
        client_id,
    )


class ClientId(msgspec.Struct, frozen=True):
    """A client by its id alone."""

    client_id: str


async def list_clients_by_kid(tx: ReadTx, *, prefix: str, limit: int) -> list[ClientId]:
    """Return the clients in use that have a key whose id begins with `prefix`."""
    return await tx.fetch_all(
        ClientId,
        """
        SELECT client_id
        FROM client
        WHERE suspended_at IS NULL AND EXISTS (
            SELECT FROM jsonb_array_elements(jwks -> 'keys') AS key
            WHERE starts_with(key ->> 'kid', $1))
        ORDER BY client_id
        LIMIT $2
        """,
        prefix,
        limit,
    )
