"""Operators, their sessions and their tries in SQL."""

from datetime import datetime
from uuid import UUID

from backend.kit.postgres import ReadTx, Tx
from backend.operator.rules import Counter, Operator, Secrets, Session, SessionKind


async def insert_operator(
    tx: Tx, operator: Operator, *, set_up_hash: bytes, set_up_until: datetime
) -> bool:
    """Insert an operator who has no password yet; False when the login is taken."""
    inserted = await tx.execute(
        """INSERT INTO operator (operator_id, login, name_zh, name_en, roles, created_by,
                                 created_at, set_up_hash, set_up_until)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
           ON CONFLICT (login) DO NOTHING""",
        operator.operator_id,
        operator.login,
        operator.name_zh,
        operator.name_en,
        operator.roles,
        operator.created_by,
        operator.created_at,
        set_up_hash,
        set_up_until,
    )
    return inserted == 1


async def find_operator(tx: ReadTx, login: str) -> Operator | None:
    """Return the operator with this login."""
    return await tx.fetch_optional(
        Operator,
        """SELECT operator_id, login, name_zh, name_en, roles, created_by, created_at,
                  password_hash IS NOT NULL AS is_set_up, suspended_at
           FROM operator WHERE login = $1""",
        login,
    )


async def list_operators(tx: ReadTx, *, after: str | None, limit: int) -> list[Operator]:
    """Return operators by login, from the one behind `after` on."""
    return await tx.fetch_all(
        Operator,
        """SELECT operator_id, login, name_zh, name_en, roles, created_by, created_at,
                  password_hash IS NOT NULL AS is_set_up, suspended_at
           FROM operator WHERE $1::text IS NULL OR login > $1
           ORDER BY login LIMIT $2""",
        after,
        limit,
    )


async def find_secrets(tx: ReadTx, login: str) -> Secrets | None:
    """Return what an operator signs in with."""
    return await tx.fetch_optional(
        Secrets,
        """SELECT operator_id, password_hash, totp_sealed, totp_step, set_up_hash, set_up_until,
                  suspended_at
           FROM operator WHERE login = $1""",
        login,
    )


async def set_suspended(tx: Tx, login: str, *, suspended_at: datetime | None) -> bool:
    """Suspend or let in again; False when that is how it was."""
    changed = await tx.execute(
        """UPDATE operator SET suspended_at = $2
           WHERE login = $1 AND (suspended_at IS NULL) <> ($2::timestamptz IS NULL)""",
        login,
        suspended_at,
    )
    return changed == 1


async def set_roles(tx: Tx, login: str, *, roles: list[str]) -> None:
    """Give an operator these roles and no others."""
    await tx.execute("""UPDATE operator SET roles = $2 WHERE login = $1""", login, roles)


async def reset(tx: Tx, login: str, *, set_up_hash: bytes, set_up_until: datetime) -> None:
    """Take password and second factor away; they are set up anew with a code."""
    await tx.execute(
        """UPDATE operator SET password_hash = NULL, totp_sealed = NULL, set_up_hash = $2,
                  set_up_until = $3
           WHERE login = $1""",
        login,
        set_up_hash,
        set_up_until,
    )


async def set_up(
    tx: Tx,
    operator_id: UUID,
    *,
    set_up_hash: bytes,
    password_hash: str,
    totp_sealed: bytes,
    now: datetime,
) -> bool:
    """Use a set-up code up; False when it was used, is over, or the operator is suspended."""
    changed = await tx.execute(
        """UPDATE operator SET password_hash = $3, totp_sealed = $4, totp_step = 0,
                  set_up_hash = NULL, set_up_until = NULL
           WHERE operator_id = $1 AND set_up_hash = $2 AND set_up_until > $5
             AND suspended_at IS NULL""",
        operator_id,
        set_up_hash,
        password_hash,
        totp_sealed,
        now,
    )
    return changed == 1


async def use_totp_step(tx: Tx, operator_id: UUID, *, password_hash: str, step: int) -> bool:
    """Use a time step's code up; False when it, or a later one, was used before.

    Also when the operator was suspended or reset since the password was looked at.
    """
    changed = await tx.execute(
        """UPDATE operator SET totp_step = $3
           WHERE operator_id = $1 AND password_hash = $2 AND totp_step < $3
             AND suspended_at IS NULL""",
        operator_id,
        password_hash,
        step,
    )
    return changed == 1


async def insert_session(
    tx: Tx,
    operator_id: UUID,
    *,
    token_hash: bytes,
    kind: SessionKind,
    jkt: str | None,
    now: datetime,
    expires_at: datetime,
) -> None:
    """Insert a session that begins now."""
    await tx.execute(
        """INSERT INTO operator_session (token_hash, operator_id, kind, jkt, created_at, seen_at,
                                         expires_at)
           VALUES ($1, $2, $3, $4, $5, $5, $6)""",
        token_hash,
        operator_id,
        str(kind),
        jkt,
        now,
        expires_at,
    )


async def find_session(tx: ReadTx, token_hash: bytes) -> Session | None:
    """Return a session and its operator."""
    return await tx.fetch_optional(
        Session,
        """SELECT token_hash, operator_id, kind, jkt, operator_session.created_at, seen_at,
                  expires_at, ended_at, login, name_zh, name_en, roles, suspended_at
           FROM operator_session JOIN operator USING (operator_id)
           WHERE token_hash = $1""",
        token_hash,
    )


async def note_use(tx: Tx, token_hash: bytes, *, now: datetime, idle_since: datetime) -> bool:
    """Note that a session is in use; False when it has ended or was left idle meanwhile."""
    changed = await tx.execute(
        """UPDATE operator_session SET seen_at = greatest(seen_at, $2)
           WHERE token_hash = $1 AND ended_at IS NULL AND expires_at > $2 AND seen_at > $3""",
        token_hash,
        now,
        idle_since,
    )
    return changed == 1


async def end_session(tx: Tx, token_hash: bytes, now: datetime) -> bool:
    """End a session; False when it had ended."""
    changed = await tx.execute(
        """UPDATE operator_session SET ended_at = $2 WHERE token_hash = $1 AND ended_at IS NULL""",
        token_hash,
        now,
    )
    return changed == 1


async def end_sessions(tx: Tx, login: str, now: datetime) -> int:
    """End every session of an operator; return how many there were."""
    return await tx.execute(
        """UPDATE operator_session SET ended_at = $2
           FROM operator
           WHERE operator.operator_id = operator_session.operator_id AND login = $1
             AND ended_at IS NULL""",
        login,
        now,
    )


async def has_signed_in(tx: ReadTx, login: str, jkt: str) -> bool:
    """Tell whether a key has signed this login in before, not too long ago."""
    return await tx.fetch_value(
        bool,
        """SELECT EXISTS (
             SELECT FROM operator_session JOIN operator USING (operator_id)
             WHERE login = $1 AND jkt = $2)""",
        login,
        jkt,
    )


async def lock_counters(tx: Tx, counter_hashes: list[bytes], now: datetime) -> list[Counter]:
    """Lock the counters, making those that don't exist, so that tries are counted one by one."""
    assert counter_hashes == sorted(counter_hashes), "always in one order, or two tries deadlock"
    return await tx.fetch_all(
        Counter,
        """INSERT INTO operator_try AS held (counter_hash, tried_at, touched_at)
           SELECT counter_hash, '{}', $2
           FROM unnest($1::bytea[]) WITH ORDINALITY AS wanted (counter_hash, place)
           ORDER BY place
           ON CONFLICT (counter_hash) DO UPDATE SET touched_at = excluded.touched_at
           RETURNING counter_hash, tried_at""",
        counter_hashes,
        now,
    )


async def count_try(
    tx: Tx, counter_hashes: list[bytes], *, now: datetime, window_start: datetime
) -> None:
    """Add a try to locked counters, and drop those that no longer count."""
    await tx.execute(
        """UPDATE operator_try
           SET tried_at = array_append(
             ARRAY(SELECT moment FROM unnest(tried_at) AS moment
                   WHERE moment > $3 ORDER BY moment), $2::timestamptz)
           WHERE counter_hash = ANY ($1::bytea[])""",
        counter_hashes,
        now,
        window_start,
    )


async def forgive_try(tx: Tx, counter_hashes: list[bytes], *, tried_at: datetime) -> None:
    """Take one try back: it was no guess."""
    await tx.execute(
        """UPDATE operator_try AS held
           SET tried_at = held.tried_at[:place - 1] || held.tried_at[place + 1:]
           FROM (SELECT counter_hash, array_position(tried_at, $2::timestamptz) AS place
                 FROM operator_try WHERE counter_hash = ANY ($1::bytea[])
                 ORDER BY counter_hash FOR UPDATE) AS found
           WHERE held.counter_hash = found.counter_hash AND place IS NOT NULL""",
        counter_hashes,
        tried_at,
    )


async def delete_counters(tx: Tx, counter_hashes: list[bytes]) -> None:
    """Let counters start again from nothing."""
    await tx.execute(
        """DELETE FROM operator_try WHERE counter_hash = ANY ($1::bytea[])""", counter_hashes
    )


async def delete_over(tx: Tx, *, sessions_before: datetime, tries_before: datetime) -> int:
    """Delete sessions and tries that no longer count; at most 10,000 of each at a time."""
    return await tx.fetch_value(
        int,
        """WITH counter AS (
             DELETE FROM operator_try WHERE counter_hash IN (
               SELECT counter_hash FROM operator_try WHERE touched_at <= $2 LIMIT 10000)
             AND touched_at <= $2 RETURNING 1),
           signed_in AS (
             DELETE FROM operator_session WHERE token_hash IN (
               SELECT token_hash FROM operator_session WHERE expires_at <= $1 LIMIT 10000)
             RETURNING 1)
           SELECT (SELECT count(*) FROM counter) + (SELECT count(*) FROM signed_in)""",
        sessions_before,
        tries_before,
    )
