"""The citizen room's SQL: accounts, sessions, codes, counters, participation."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from backend.citizen.rules import Counter, Participation, Session, SignInCode
from backend.kit.postgres import ReadTx, Tx


class Account(msgspec.Struct, frozen=True):
    """An account as stored: everything personal is sealed under its data key."""

    subject_id: UUID
    data_key: bytes
    phone_sealed: bytes
    name_sealed: bytes
    national_id_sealed: bytes
    created_at: datetime


class SealedIdentity(msgspec.Struct, frozen=True):
    """A participant's identity number as stored, and the key that opens it."""

    subject_id: UUID
    data_key: bytes
    national_id_sealed: bytes
    joined_at: datetime


async def insert_account(tx: Tx, account: Account) -> bool:
    """Insert an account; False when the subject has one (the primary key decides a race)."""
    count = await tx.execute(
        """INSERT INTO account
             (subject_id, data_key, phone_sealed, name_sealed, national_id_sealed, created_at)
           VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING""",
        account.subject_id,
        account.data_key,
        account.phone_sealed,
        account.name_sealed,
        account.national_id_sealed,
        account.created_at,
    )
    return count == 1


async def find_account(tx: ReadTx, subject_id: UUID) -> Account | None:
    """Return the account of a subject, or None."""
    return await tx.fetch_optional(
        Account,
        """SELECT subject_id, data_key, phone_sealed, name_sealed, national_id_sealed, created_at
           FROM account WHERE subject_id = $1""",
        subject_id,
    )


async def hold_account(tx: Tx, subject_id: UUID) -> bool:
    """Keep an account from being deleted until the transaction ends; False if there is none."""
    found = await tx.fetch_optional_value(
        UUID, """SELECT subject_id FROM account WHERE subject_id = $1 FOR SHARE""", subject_id
    )
    return found is not None


async def lock_account(tx: Tx, subject_id: UUID) -> bool:
    """Wait for all who hold the account, then keep it alone; False if there is none."""
    found = await tx.fetch_optional_value(
        UUID, """SELECT subject_id FROM account WHERE subject_id = $1 FOR UPDATE""", subject_id
    )
    return found is not None


async def delete_account(tx: Tx, subject_id: UUID) -> None:
    """Delete the account's row, and with it the key that opens its sealed columns."""
    await tx.execute("""DELETE FROM account WHERE subject_id = $1""", subject_id)


async def insert_phone(tx: Tx, phone_hash: bytes, subject_id: UUID) -> bool:
    """Enter a phone for a subject; False when either is entered (unique indexes decide)."""
    count = await tx.execute(
        """INSERT INTO phone_directory (phone_hash, subject_id)
           VALUES ($1, $2) ON CONFLICT DO NOTHING""",
        phone_hash,
        subject_id,
    )
    return count == 1


async def find_subject_by_phone(tx: ReadTx, phone_hash: bytes) -> UUID | None:
    """Return whose phone it is, or None."""
    return await tx.fetch_optional_value(
        UUID, """SELECT subject_id FROM phone_directory WHERE phone_hash = $1""", phone_hash
    )


async def delete_phone(tx: Tx, subject_id: UUID) -> None:
    """Take a subject's phone out of the directory."""
    await tx.execute("""DELETE FROM phone_directory WHERE subject_id = $1""", subject_id)


async def insert_session(tx: Tx, session: Session) -> None:
    """Insert a session."""
    await tx.execute(
        """INSERT INTO session
             (token_hash, subject_id, kind, jkt, created_at, expires_at, ended_at)
           VALUES ($1, $2, $3, $4, $5, $6, $7)""",
        session.token_hash,
        session.subject_id,
        session.kind,
        session.jkt,
        session.created_at,
        session.expires_at,
        session.ended_at,
    )


async def find_session(tx: ReadTx, token_hash: bytes) -> Session | None:
    """Return a session, live or not, or None."""
    return await tx.fetch_optional(
        Session,
        """SELECT token_hash, subject_id, kind, jkt, created_at, expires_at, ended_at
           FROM session WHERE token_hash = $1""",
        token_hash,
    )


async def has_signed_in(tx: ReadTx, phone_hash: bytes, jkt: str) -> bool:
    """Tell whether a key has a session, ended or not, of the one whose phone this is."""
    return await tx.fetch_value(
        bool,
        """SELECT EXISTS (
             SELECT FROM phone_directory JOIN session USING (subject_id)
             WHERE phone_hash = $1 AND jkt = $2)""",
        phone_hash,
        jkt,
    )


async def extend_session(tx: Tx, token_hash: bytes, expires_at: datetime, now: datetime) -> bool:
    """Move the end of a session that is still live; False when it is not."""
    count = await tx.execute(
        """UPDATE session SET expires_at = $2
           WHERE token_hash = $1 AND ended_at IS NULL AND expires_at > $3""",
        token_hash,
        expires_at,
        now,
    )
    return count == 1


async def end_session(tx: Tx, token_hash: bytes, now: datetime) -> None:
    """End a session; ending it again keeps the first time."""
    await tx.execute(
        """UPDATE session SET ended_at = $2 WHERE token_hash = $1 AND ended_at IS NULL""",
        token_hash,
        now,
    )


async def delete_sessions(tx: Tx, subject_id: UUID) -> None:
    """Delete every session of a subject."""
    await tx.execute("""DELETE FROM session WHERE subject_id = $1""", subject_id)


async def replace_code(
    tx: Tx, phone_hash: bytes, code_hash: bytes, *, sent_at: datetime, expires_at: datetime
) -> None:
    """Store a new code for a phone, in place of the one before."""
    await tx.execute(
        """INSERT INTO sign_in_code (phone_hash, code_hash, sent_at, expires_at)
           VALUES ($1, $2, $3, $4)
           ON CONFLICT (phone_hash) DO UPDATE
           SET code_hash = excluded.code_hash, sent_at = excluded.sent_at,
               expires_at = excluded.expires_at, consumed_at = NULL""",
        phone_hash,
        code_hash,
        sent_at,
        expires_at,
    )


async def find_code(tx: ReadTx, phone_hash: bytes) -> SignInCode | None:
    """Return the last code sent to a phone, or None."""
    return await tx.fetch_optional(
        SignInCode,
        """SELECT code_hash, expires_at, consumed_at FROM sign_in_code WHERE phone_hash = $1""",
        phone_hash,
    )


async def consume_code(tx: Tx, phone_hash: bytes, code_hash: bytes, now: datetime) -> bool:
    """Use a code up; False when it was used or replaced in the meantime."""
    count = await tx.execute(
        """UPDATE sign_in_code SET consumed_at = $3
           WHERE phone_hash = $1 AND code_hash = $2 AND consumed_at IS NULL""",
        phone_hash,
        code_hash,
        now,
    )
    return count == 1


async def lock_counters(tx: Tx, counter_hashes: list[bytes], now: datetime) -> list[Counter]:
    """Lock the counters, making those that don't exist, so that tries are counted one by one."""
    assert counter_hashes == sorted(counter_hashes), "always in one order, or two tries deadlock"
    return await tx.fetch_all(
        Counter,
        """INSERT INTO sign_in_try AS held (counter_hash, tried_at, touched_at)
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
        """UPDATE sign_in_try
           SET tried_at = array_append(
             ARRAY(SELECT moment FROM unnest(tried_at) AS moment
                   WHERE moment > $3 ORDER BY moment), $2::timestamptz)
           WHERE counter_hash = ANY ($1::bytea[])""",
        counter_hashes,
        now,
        window_start,
    )


async def delete_counter(tx: Tx, counter_hash: bytes) -> None:
    """Let a counter start again from nothing."""
    await tx.execute("""DELETE FROM sign_in_try WHERE counter_hash = $1""", counter_hash)


async def insert_participation(tx: Tx, participation: Participation) -> None:
    """Insert a participation; the caller holds the account's lock and saw that there is none."""
    await tx.execute(
        """INSERT INTO participation (subject_id, data_key, notice_version, joined_at)
           VALUES ($1, $2, $3, $4)""",
        participation.subject_id,
        participation.data_key,
        participation.notice_version,
        participation.joined_at,
    )


async def find_participation(tx: ReadTx, subject_id: UUID) -> Participation | None:
    """Return the participation of a subject, or None."""
    return await tx.fetch_optional(
        Participation,
        """SELECT subject_id, data_key, notice_version, joined_at
           FROM participation WHERE subject_id = $1""",
        subject_id,
    )


async def hold_participation(tx: Tx, subject_id: UUID) -> Participation | None:
    """Return the participation, and keep the citizen from leaving until the transaction ends."""
    return await tx.fetch_optional(
        Participation,
        """SELECT subject_id, data_key, notice_version, joined_at
           FROM participation WHERE subject_id = $1 FOR SHARE""",
        subject_id,
    )


async def lock_participations(tx: Tx, subject_ids: Sequence[UUID]) -> list[Participation]:
    """Lock the participations of those who take part, always in the same order.

    Who is joining at this moment is waited for first, and found by the second statement: whoever
    counts records under this lock would else miss one that joining read too early to see.
    """
    await tx.execute(
        """SELECT FROM account
           WHERE subject_id = ANY($1) AND NOT EXISTS (
             SELECT FROM participation WHERE participation.subject_id = account.subject_id)
           ORDER BY subject_id FOR KEY SHARE OF account""",
        subject_ids,
    )
    return await tx.fetch_all(
        Participation,
        """SELECT subject_id, data_key, notice_version, joined_at
           FROM participation WHERE subject_id = ANY($1)
           ORDER BY subject_id FOR NO KEY UPDATE""",
        subject_ids,
    )


async def list_participants(tx: ReadTx, *, after: UUID | None, limit: int) -> list[SealedIdentity]:
    """Return the sealed identity numbers of participants, in the order of the ids."""
    return await tx.fetch_all(
        SealedIdentity,
        """SELECT subject_id, account.data_key, national_id_sealed, joined_at
           FROM participation JOIN account USING (subject_id)
           WHERE $1::uuid IS NULL OR subject_id > $1 ORDER BY subject_id LIMIT $2""",
        after,
        limit,
    )


async def find_participant(tx: ReadTx, subject_id: UUID) -> SealedIdentity | None:
    """Return the sealed identity number of one participant, or None."""
    return await tx.fetch_optional(
        SealedIdentity,
        """SELECT subject_id, account.data_key, national_id_sealed, joined_at
           FROM participation JOIN account USING (subject_id)
           WHERE subject_id = $1""",
        subject_id,
    )


async def count_participants(tx: ReadTx) -> int:
    """Return how many citizens take part."""
    return await tx.fetch_value(int, """SELECT count(*) FROM participation""")


async def save_notice_version(tx: Tx, subject_id: UUID, notice_version: str) -> None:
    """Note that a participant accepted another version of the notice."""
    await tx.execute(
        """UPDATE participation SET notice_version = $2 WHERE subject_id = $1""",
        subject_id,
        notice_version,
    )


async def delete_participation(tx: Tx, subject_id: UUID) -> bool:
    """Delete a participation and the data key in it; False when there was none."""
    count = await tx.execute("""DELETE FROM participation WHERE subject_id = $1""", subject_id)
    return count == 1


async def delete_stale(tx: Tx, *, now: datetime, window_start: datetime) -> int:
    """Delete codes, counters and sessions that have no effect any more; at most 10,000 each."""
    return await tx.fetch_value(
        int,
        """WITH code AS (
             DELETE FROM sign_in_code WHERE phone_hash IN (
               SELECT phone_hash FROM sign_in_code WHERE expires_at <= $1 LIMIT 10000)
             AND expires_at <= $1 RETURNING 1),
           counter AS (
             DELETE FROM sign_in_try WHERE counter_hash IN (
               SELECT counter_hash FROM sign_in_try WHERE touched_at <= $2 LIMIT 10000)
             AND touched_at <= $2 RETURNING 1),
           signed_in AS (
             DELETE FROM session WHERE token_hash IN (
               SELECT token_hash FROM session WHERE expires_at <= $1 LIMIT 10000)
             AND expires_at <= $1 RETURNING 1)
           SELECT (SELECT count(*) FROM code) + (SELECT count(*) FROM counter)
                + (SELECT count(*) FROM signed_in)""",
        now,
        window_start,
    )
