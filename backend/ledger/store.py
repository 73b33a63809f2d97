"""SQL of the access ledger: it reads and inserts; there is no right to anything else."""

from collections.abc import Sequence
from uuid import UUID

import msgspec

from backend.kit.postgres import ReadTx, Tx
from backend.ledger.rules import AccessEntry, OperatorEntry


async def insert_entries(tx: Tx, entries: Sequence[AccessEntry]) -> int:
    """Insert looks in one statement and return how many went in.

    The entries travel as one JSON array: they carry arrays themselves, and unnest flattens those.
    """
    return await tx.execute(
        """INSERT INTO access_entry
           SELECT * FROM jsonb_populate_recordset(NULL::access_entry, $1)""",
        msgspec.to_builtins(entries),
    )


async def list_entries(
    tx: ReadTx, subject_id: UUID, *, before: UUID | None, limit: int
) -> list[AccessEntry]:
    """Return a citizen's entries older than `before`, newest first."""
    return await tx.fetch_all(
        AccessEntry,
        """SELECT subject_id, entry_id, actor_kind, actor_id, actor_name_zh, actor_name_en, action,
                  data_kinds, purpose, purpose_zh, purpose_en, consent_id, programme_code,
                  decision_id, disclosed, at
           FROM access_entry
           WHERE subject_id = $1 AND ($2::uuid IS NULL OR entry_id < $2)
           ORDER BY entry_id DESC LIMIT $3""",
        subject_id,
        before,
        limit,
    )


async def insert_operator_entry(tx: Tx, entry: OperatorEntry) -> None:
    """Insert what an operator did."""
    await tx.execute(
        """INSERT INTO operator_entry
             (entry_id, operator_id, login, action, object, reason, facts, at)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8)""",
        entry.entry_id,
        entry.operator_id,
        entry.login,
        entry.action,
        entry.object,
        entry.reason,
        entry.facts,
        entry.at,
    )


async def list_operator_entries(
    tx: ReadTx, *, thing: str | None, login: str | None, before: UUID | None, limit: int
) -> list[OperatorEntry]:
    """Return what operators did before an entry, newest first."""
    return await tx.fetch_all(
        OperatorEntry,
        """SELECT entry_id, operator_id, login, action, object, reason, facts, at
           FROM operator_entry
           WHERE ($1::text IS NULL OR object = $1) AND ($2::text IS NULL OR login = $2)
             AND ($3::uuid IS NULL OR entry_id < $3)
           ORDER BY entry_id DESC LIMIT $4""",
        thing,
        login,
        before,
        limit,
    )


async def find_rewriter(tx: ReadTx) -> str | None:
    """Return this connection's login when it could set the ledger's guards aside, else None.

    What counts is who logged in, not the role acted as: a login may lay that role down again.
    """
    return await tx.fetch_optional_value(
        str,
        """SELECT login.rolname::text FROM pg_roles AS login
           JOIN pg_class AS ledger ON ledger.oid = 'access_entry'::regclass
           WHERE login.rolname = session_user
             AND (login.rolsuper OR pg_has_role(login.oid, ledger.relowner, 'MEMBER'))""",
    )
