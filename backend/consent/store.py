"""The consent room's SQL."""

from datetime import datetime
from uuid import UUID

from backend.consent.rules import Consent, ConsentListed, ConsentRefusal
from backend.kit.postgres import ReadTx, Tx


async def insert_consent(tx: Tx, consent: Consent) -> bool:
    """Insert a live consent; False when there is one for the same recipient and purpose.

    The unique index decides between two given at the same moment.
    """
    count = await tx.execute(
        """INSERT INTO consent
             (subject_id, consent_id, partner_id, client_id, purpose, programme_code,
              detail, detail_hash, given_at, expires_at)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
           ON CONFLICT (subject_id, partner_id, purpose, programme_code)
           WHERE ended_at IS NULL DO NOTHING""",
        consent.subject_id,
        consent.consent_id,
        consent.partner_id,
        consent.client_id,
        consent.purpose,
        consent.programme_code,
        consent.detail,
        consent.detail_hash,
        consent.given_at,
        consent.expires_at,
    )
    return count == 1


async def lock_consent(tx: Tx, subject_id: UUID, consent_id: UUID) -> Consent | None:
    """Return a consent and lock it: who reads it FOR SHARE comes before, or after, not between."""
    return await tx.fetch_optional(
        Consent,
        """SELECT subject_id, consent_id, partner_id, client_id, purpose, programme_code,
                  detail, detail_hash, given_at, expires_at, ended_at, end_reason
           FROM consent WHERE subject_id = $1 AND consent_id = $2 FOR UPDATE""",
        subject_id,
        consent_id,
    )


async def lock_open_consent(
    tx: Tx, subject_id: UUID, *, partner_id: UUID, purpose: str, programme_code: str
) -> Consent | None:
    """Return and lock the one consent for these that nobody has ended, or None."""
    return await tx.fetch_optional(
        Consent,
        """SELECT subject_id, consent_id, partner_id, client_id, purpose, programme_code,
                  detail, detail_hash, given_at, expires_at, ended_at, end_reason
           FROM consent
           WHERE subject_id = $1 AND partner_id = $2 AND purpose = $3 AND programme_code = $4
             AND ended_at IS NULL
           FOR UPDATE""",
        subject_id,
        partner_id,
        purpose,
        programme_code,
    )


async def lock_open_consents(tx: Tx, subject_id: UUID) -> list[Consent]:
    """Return and lock every consent of a subject that nobody has ended, oldest first."""
    return await tx.fetch_all(
        Consent,
        """SELECT subject_id, consent_id, partner_id, client_id, purpose, programme_code,
                  detail, detail_hash, given_at, expires_at, ended_at, end_reason
           FROM consent WHERE subject_id = $1 AND ended_at IS NULL
           ORDER BY consent_id FOR UPDATE""",
        subject_id,
    )


async def find_live_consent(
    tx: ReadTx,
    subject_id: UUID,
    *,
    partner_id: UUID,
    purpose: str,
    programme_code: str,
    now: datetime,
) -> Consent | None:
    """Return the consent in force for these, or None."""
    return await tx.fetch_optional(
        Consent,
        """SELECT subject_id, consent_id, partner_id, client_id, purpose, programme_code,
                  detail, detail_hash, given_at, expires_at, ended_at, end_reason
           FROM consent
           WHERE subject_id = $1 AND partner_id = $2 AND purpose = $3 AND programme_code = $4
             AND ended_at IS NULL AND expires_at > $5""",
        subject_id,
        partner_id,
        purpose,
        programme_code,
        now,
    )


async def hold_live_consent(
    tx: Tx, subject_id: UUID, consent_id: UUID, now: datetime
) -> Consent | None:
    """Return a consent in force, and keep it from being ended until the transaction ends."""
    return await tx.fetch_optional(
        Consent,
        """SELECT subject_id, consent_id, partner_id, client_id, purpose, programme_code,
                  detail, detail_hash, given_at, expires_at, ended_at, end_reason
           FROM consent
           WHERE subject_id = $1 AND consent_id = $2 AND ended_at IS NULL AND expires_at > $3
           FOR SHARE""",
        subject_id,
        consent_id,
        now,
    )


async def save_end(tx: Tx, consent: Consent) -> bool:
    """Store when and why a consent ended; False when somebody had ended it."""
    count = await tx.execute(
        """UPDATE consent SET ended_at = $3, end_reason = $4
           WHERE subject_id = $1 AND consent_id = $2 AND ended_at IS NULL""",
        consent.subject_id,
        consent.consent_id,
        consent.ended_at,
        consent.end_reason,
    )
    return count == 1


async def list_consents(
    tx: ReadTx, subject_id: UUID, *, before: UUID | None, limit: int
) -> list[ConsentListed]:
    """Return consents of a subject with their recipients' names, newest first.

    `before` is the last consent of the page before; ids are UUIDv7, so they sort by age.
    """
    return await tx.fetch_all(
        ConsentListed,
        """SELECT consent.consent_id, partner.code AS partner_code,
                  partner.name_zh AS partner_name_zh, partner.name_en AS partner_name_en,
                  client.name_zh AS client_name_zh, client.name_en AS client_name_en,
                  consent.purpose, consent.programme_code, consent.detail,
                  consent.given_at, consent.expires_at, consent.ended_at, consent.end_reason
           FROM consent
           JOIN partner ON partner.partner_id = consent.partner_id
           JOIN client ON client.client_id = consent.client_id
           WHERE consent.subject_id = $1 AND ($2::uuid IS NULL OR consent.consent_id < $2)
           ORDER BY consent.consent_id DESC LIMIT $3""",
        subject_id,
        before,
        limit,
    )


async def save_refusal(tx: Tx, refusal: ConsentRefusal) -> bool:
    """Store a refusal; a later one for the same partner and purpose takes its place.

    False when there is no account (any more). The account is held: whoever deletes it waits, and
    then deletes the refusal with it, so that no row stays that nobody could erase.
    """
    saved = await tx.execute(
        """INSERT INTO consent_refusal
             (subject_id, partner_id, purpose, refused_at, cooldown_until)
           SELECT held.subject_id, $2, $3, $4, $5
           FROM (SELECT subject_id FROM account WHERE subject_id = $1 FOR KEY SHARE) AS held
           ON CONFLICT (subject_id, partner_id, purpose) DO UPDATE
           SET refused_at = excluded.refused_at,
               cooldown_until = greatest(consent_refusal.cooldown_until, excluded.cooldown_until)
           """,
        refusal.subject_id,
        refusal.partner_id,
        refusal.purpose,
        refusal.refused_at,
        refusal.cooldown_until,
    )
    return saved == 1


async def find_cooldown(
    tx: ReadTx, subject_id: UUID, *, partner_id: UUID, purpose: str, now: datetime
) -> datetime | None:
    """Return until when the partner may not ask for the purpose again, or None."""
    return await tx.fetch_optional_value(
        datetime,
        """SELECT cooldown_until FROM consent_refusal
           WHERE subject_id = $1 AND partner_id = $2 AND purpose = $3 AND cooldown_until > $4""",
        subject_id,
        partner_id,
        purpose,
        now,
    )


async def delete_refusals(tx: Tx, subject_id: UUID) -> None:
    """Forget every refusal of a subject."""
    await tx.execute("""DELETE FROM consent_refusal WHERE subject_id = $1""", subject_id)
