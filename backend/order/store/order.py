"""SQL of orders, and of how much credit stands for a citizen in all of them."""

from datetime import datetime
from uuid import UUID

import msgspec

from backend.kit.postgres import ReadTx, Tx
from backend.order.rules.order import Order


async def insert_order(tx: Tx, order: Order) -> None:
    """Insert an order; the unique index refuses a second one under the partner's number."""
    await tx.execute(
        """INSERT INTO service_order
             (subject_id, order_id, partner_id, client_id, consent_id, programme_code,
              programme_version, decision_id, reservation_id, reference, state, confirmed_by,
              opened_fen, accepts_partial, amount_fen, credit_fen, revision, created_at,
              confirm_by, activated_at)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17,
                   $18, $19, $20)""",
        order.subject_id,
        order.order_id,
        order.partner_id,
        order.client_id,
        order.consent_id,
        order.programme_code,
        order.programme_version,
        order.decision_id,
        order.reservation_id,
        order.reference,
        str(order.state),
        order.confirmed_by,
        order.opened_fen,
        order.accepts_partial,
        order.amount_fen,
        order.credit_fen,
        order.revision,
        order.created_at,
        order.confirm_by,
        order.activated_at,
    )


async def save_order(tx: Tx, order: Order) -> bool:
    """Write the next revision of an order; False when it isn't the next, or an amount would rise.

    The order is held by whoever writes: then it is neither.
    """
    count = await tx.execute(
        """UPDATE service_order
           SET state = $4, confirmed_by = $5, amount_fen = $6, credit_fen = $7, settled_fen = $8,
               performance = $9, revision = $3, activated_at = $10, ended_at = $11,
               reservation_id = $12
           WHERE subject_id = $1 AND order_id = $2 AND revision = $3 - 1
             AND amount_fen >= $6 AND credit_fen >= $7""",
        order.subject_id,
        order.order_id,
        order.revision,
        str(order.state),
        order.confirmed_by,
        order.amount_fen,
        order.credit_fen,
        order.settled_fen,
        order.performance,
        order.activated_at,
        order.ended_at,
        order.reservation_id,
    )
    return count == 1


async def find_by_reference(
    tx: ReadTx, *, subject_id: UUID, partner_id: UUID, reference: str
) -> Order | None:
    """Return the order of a citizen that has a partner's number."""
    return await tx.fetch_optional(
        Order,
        """SELECT subject_id, order_id, partner_id, client_id, consent_id, programme_code,
                  programme_version, decision_id, reservation_id, reference, state, confirmed_by,
                  opened_fen, accepts_partial, amount_fen, credit_fen, settled_fen, performance,
                  revision, created_at, confirm_by, activated_at, ended_at
           FROM service_order
           WHERE subject_id = $1 AND partner_id = $2 AND reference = $3""",
        subject_id,
        partner_id,
        reference,
    )


async def find_of_citizen(tx: ReadTx, subject_id: UUID, order_id: UUID) -> Order | None:
    """Return a citizen's order."""
    return await tx.fetch_optional(
        Order,
        """SELECT subject_id, order_id, partner_id, client_id, consent_id, programme_code,
                  programme_version, decision_id, reservation_id, reference, state, confirmed_by,
                  opened_fen, accepts_partial, amount_fen, credit_fen, settled_fen, performance,
                  revision, created_at, confirm_by, activated_at, ended_at
           FROM service_order WHERE subject_id = $1 AND order_id = $2""",
        subject_id,
        order_id,
    )


async def find_of_partner(tx: ReadTx, partner_id: UUID, order_id: UUID) -> Order | None:
    """Return a partner's order, whoever's it is."""
    return await tx.fetch_optional(
        Order,
        """SELECT subject_id, order_id, partner_id, client_id, consent_id, programme_code,
                  programme_version, decision_id, reservation_id, reference, state, confirmed_by,
                  opened_fen, accepts_partial, amount_fen, credit_fen, settled_fen, performance,
                  revision, created_at, confirm_by, activated_at, ended_at
           FROM service_order WHERE partner_id = $1 AND order_id = $2""",
        partner_id,
        order_id,
    )


async def lock_order(tx: Tx, subject_id: UUID, order_id: UUID) -> Order | None:
    """Return an order as it stands now, and hold it until the transaction ends."""
    return await tx.fetch_optional(
        Order,
        """SELECT subject_id, order_id, partner_id, client_id, consent_id, programme_code,
                  programme_version, decision_id, reservation_id, reference, state, confirmed_by,
                  opened_fen, accepts_partial, amount_fen, credit_fen, settled_fen, performance,
                  revision, created_at, confirm_by, activated_at, ended_at
           FROM service_order WHERE subject_id = $1 AND order_id = $2 FOR UPDATE""",
        subject_id,
        order_id,
    )


async def lock_all(tx: Tx, subject_id: UUID) -> list[Order]:
    """Return all orders of a citizen, and hold them, in one order."""
    return await tx.fetch_all(
        Order,
        """SELECT subject_id, order_id, partner_id, client_id, consent_id, programme_code,
                  programme_version, decision_id, reservation_id, reference, state, confirmed_by,
                  opened_fen, accepts_partial, amount_fen, credit_fen, settled_fen, performance,
                  revision, created_at, confirm_by, activated_at, ended_at
           FROM service_order WHERE subject_id = $1 ORDER BY order_id FOR UPDATE""",
        subject_id,
    )


async def list_overdue(tx: ReadTx, now: datetime, *, limit: int) -> list[Order]:
    """Return orders whose time to be confirmed is over, longest first."""
    return await tx.fetch_all(
        Order,
        """SELECT subject_id, order_id, partner_id, client_id, consent_id, programme_code,
                  programme_version, decision_id, reservation_id, reference, state, confirmed_by,
                  opened_fen, accepts_partial, amount_fen, credit_fen, settled_fen, performance,
                  revision, created_at, confirm_by, activated_at, ended_at
           FROM service_order WHERE state = 'created' AND confirm_by <= $1
           ORDER BY confirm_by, order_id LIMIT $2""",
        now,
        limit,
    )


async def list_of_citizen(
    tx: ReadTx, subject_id: UUID, *, before: UUID | None, limit: int
) -> list[Order]:
    """Return orders of a citizen, newest first, from behind `before`."""
    return await tx.fetch_all(
        Order,
        """SELECT subject_id, order_id, partner_id, client_id, consent_id, programme_code,
                  programme_version, decision_id, reservation_id, reference, state, confirmed_by,
                  opened_fen, accepts_partial, amount_fen, credit_fen, settled_fen, performance,
                  revision, created_at, confirm_by, activated_at, ended_at
           FROM service_order
           WHERE subject_id = $1 AND ($2::uuid IS NULL OR order_id < $2)
           ORDER BY order_id DESC LIMIT $3""",
        subject_id,
        before,
        limit,
    )


async def list_of_partner(
    tx: ReadTx, partner_id: UUID, *, before: UUID | None, limit: int
) -> list[Order]:
    """Return orders of a partner, newest first, from behind `before`."""
    return await tx.fetch_all(
        Order,
        """SELECT subject_id, order_id, partner_id, client_id, consent_id, programme_code,
                  programme_version, decision_id, reservation_id, reference, state, confirmed_by,
                  opened_fen, accepts_partial, amount_fen, credit_fen, settled_fen, performance,
                  revision, created_at, confirm_by, activated_at, ended_at
           FROM service_order
           WHERE partner_id = $1 AND ($2::uuid IS NULL OR order_id < $2)
           ORDER BY order_id DESC LIMIT $3""",
        partner_id,
        before,
        limit,
    )


async def delete_order(tx: Tx, subject_id: UUID, order_id: UUID) -> None:
    """Delete an order."""
    await tx.execute(
        """DELETE FROM service_order WHERE subject_id = $1 AND order_id = $2""",
        subject_id,
        order_id,
    )


class OpenSum(msgspec.Struct, frozen=True):
    """How much credit stands for a citizen."""

    open_fen: int


async def lock_exposure(tx: Tx, subject_id: UUID) -> OpenSum:
    """Return how much stands for a citizen, and let nobody add to it until the transaction ends."""
    return await tx.fetch_one(
        OpenSum,
        """INSERT INTO exposure (subject_id, open_fen) VALUES ($1, 0)
           ON CONFLICT (subject_id) DO UPDATE SET open_fen = exposure.open_fen
           RETURNING open_fen""",
        subject_id,
    )


async def find_exposure(tx: ReadTx, subject_id: UUID) -> OpenSum | None:
    """Return how much stands for a citizen; None where nothing ever did."""
    return await tx.fetch_optional(
        OpenSum, """SELECT open_fen FROM exposure WHERE subject_id = $1""", subject_id
    )


async def raise_exposure(tx: Tx, subject_id: UUID, by_fen: int, *, limit_fen: int) -> bool:
    """Add to what stands for a citizen; False when it would be more than the limit."""
    count = await tx.execute(
        """UPDATE exposure SET open_fen = open_fen + $2
           WHERE subject_id = $1 AND open_fen + $2 <= $3""",
        subject_id,
        by_fen,
        limit_fen,
    )
    return count == 1


async def lower_exposure(tx: Tx, subject_id: UUID, by_fen: int) -> bool:
    """Take off what stands no more; False when so much didn't stand."""
    count = await tx.execute(
        """UPDATE exposure SET open_fen = open_fen - $2
           WHERE subject_id = $1 AND open_fen >= $2""",
        subject_id,
        by_fen,
    )
    return count == 1


async def delete_exposure(tx: Tx, subject_id: UUID) -> None:
    """Forget that orders ever stood for a citizen, unless some still do."""
    await tx.execute("""DELETE FROM exposure WHERE subject_id = $1 AND open_fen = 0""", subject_id)
