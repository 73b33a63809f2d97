"""SQL of what is still owed."""

from collections.abc import Sequence
from datetime import date
from uuid import UUID

from backend.kit.postgres import ReadTx, Tx
from backend.order.rules.obligation import Obligation


async def insert_obligation(tx: Tx, obligation: Obligation) -> None:
    """Insert what is announced; the unique index refuses a second one about an order."""
    await tx.execute(
        """INSERT INTO obligation
             (subject_id, obligation_id, order_id, partner_id, amount_fen, state, announced_at,
              stands_on, revision)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)""",
        obligation.subject_id,
        obligation.obligation_id,
        obligation.order_id,
        obligation.partner_id,
        obligation.amount_fen,
        str(obligation.state),
        obligation.announced_at,
        obligation.stands_on,
        obligation.revision,
    )


async def save_obligation(tx: Tx, obligation: Obligation) -> bool:
    """Write the next revision of an obligation that is held; False when it isn't the next."""
    count = await tx.execute(
        """UPDATE obligation
           SET state = $4, reply_kind = $5, reply_sealed = $6, replied_at = $7, case_id = $8,
               revision = $3
           WHERE subject_id = $1 AND obligation_id = $2 AND revision = $3 - 1""",
        obligation.subject_id,
        obligation.obligation_id,
        obligation.revision,
        str(obligation.state),
        obligation.reply_kind,
        obligation.reply_sealed,
        obligation.replied_at,
        obligation.case_id,
    )
    return count == 1


async def find_of_order(tx: ReadTx, subject_id: UUID, order_id: UUID) -> Obligation | None:
    """Return what is owed under an order."""
    return await tx.fetch_optional(
        Obligation,
        """SELECT subject_id, obligation_id, order_id, partner_id, amount_fen, state,
                  announced_at, stands_on, reply_kind, reply_sealed, replied_at, case_id, revision
           FROM obligation WHERE subject_id = $1 AND order_id = $2""",
        subject_id,
        order_id,
    )


async def find_obligation(tx: ReadTx, subject_id: UUID, obligation_id: UUID) -> Obligation | None:
    """Return an obligation of a citizen."""
    return await tx.fetch_optional(
        Obligation,
        """SELECT subject_id, obligation_id, order_id, partner_id, amount_fen, state,
                  announced_at, stands_on, reply_kind, reply_sealed, replied_at, case_id, revision
           FROM obligation WHERE subject_id = $1 AND obligation_id = $2""",
        subject_id,
        obligation_id,
    )


async def list_of_orders(
    tx: ReadTx, subject_ids: Sequence[UUID], order_ids: Sequence[UUID]
) -> list[Obligation]:
    """Return what is owed under some orders; the two lists are parallel."""
    return await tx.fetch_all(
        Obligation,
        """SELECT obligation.subject_id, obligation.obligation_id, obligation.order_id,
                  obligation.partner_id, obligation.amount_fen, obligation.state,
                  obligation.announced_at, obligation.stands_on, obligation.reply_kind,
                  obligation.reply_sealed, obligation.replied_at, obligation.case_id,
                  obligation.revision
           FROM unnest($1::uuid[], $2::uuid[]) AS given (subject_id, order_id)
           JOIN obligation USING (subject_id, order_id)""",
        list(subject_ids),
        list(order_ids),
    )


async def list_due(tx: ReadTx, today: date, *, limit: int) -> list[Obligation]:
    """Return announced ones whose waiting period is over, longest first."""
    return await tx.fetch_all(
        Obligation,
        """SELECT subject_id, obligation_id, order_id, partner_id, amount_fen, state,
                  announced_at, stands_on, reply_kind, reply_sealed, replied_at, case_id, revision
           FROM obligation WHERE state = 'announced' AND stands_on <= $1
           ORDER BY stands_on, obligation_id LIMIT $2""",
        today,
        limit,
    )


async def delete_obligation(tx: Tx, subject_id: UUID, obligation_id: UUID) -> None:
    """Delete an obligation: it is gone for everybody."""
    await tx.execute(
        """DELETE FROM obligation WHERE subject_id = $1 AND obligation_id = $2""",
        subject_id,
        obligation_id,
    )


async def delete_all(tx: Tx, subject_id: UUID) -> list[Obligation]:
    """Delete what is owed by a citizen, and return what it was."""
    return await tx.fetch_all(
        Obligation,
        """DELETE FROM obligation WHERE subject_id = $1
           RETURNING subject_id, obligation_id, order_id, partner_id, amount_fen, state,
                     announced_at, stands_on, reply_kind, reply_sealed, replied_at, case_id,
                     revision""",
        subject_id,
    )
