"""Budgets: reserve before it is promised, settle what was spent, give back what wasn't.

Nothing is oversold: whoever changes a programme's balances holds its row until the end.
What is refused changes nothing, so that a caller may go on and commit what it has to say of it.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from msgspec.structs import replace

from backend.kit.clock import city_date
from backend.kit.ids import new_id
from backend.kit.page import Page, cut_page, decode_cursor
from backend.kit.postgres import ReadTx, Tx
from backend.kit.problem import Refusal
from backend.ledger import service as ledger
from backend.ledger.rules import Actor
from backend.programme.rules import budget as rules
from backend.programme.rules.budget import (
    SHARED,
    Balance,
    Bucket,
    Cause,
    Change,
    Entry,
    Kind,
    Reservation,
    State,
)
from backend.programme.rules.document import Budget, Programme
from backend.programme.service.publication import find_programme
from backend.programme.store import budget as store

_WHOLE = Bucket("programme", "")
EXPIRED_AT_ONCE = 100
DAYS_SHOWN, MONTHS_SHOWN = timedelta(days=31), timedelta(days=366)


async def has_room(
    tx: ReadTx,
    *,
    subject_id: UUID,
    programme: Programme,
    partner_id: UUID,
    amount_fen: int,
    now: datetime,
) -> bool:
    """Say whether an amount could be reserved at this moment; `reserve` has the last word.

    It holds nothing, so that a no keeps nobody waiting.
    """
    document = programme.document
    balances = await store.find_balances(
        tx,
        document.code,
        rules.buckets_of(partner_id, city_date(now)),
        subject_id=subject_id,
        citizen=rules.limit_of(document.budget, "citizen"),
    )
    return rules.find_spent(balances, amount_fen) is None


async def reserve(
    tx: Tx,
    *,
    subject_id: UUID,
    programme: Programme,
    partner_id: UUID,
    amount_fen: int,
    expires_at: datetime | None,
    by_whom: str,
    reason: str,
    now: datetime,
) -> Reservation:
    """Set an amount and one use aside for a citizen at a partner.

    `programme` is the version the citizen is promised: it bounds what this citizen may have. What
    all share is bounded by the version in force and its refills. Without `expires_at` it lasts
    until it is settled or released. Raises Refusal budget_spent (span), having changed nothing.
    """
    assert expires_at is None or expires_at > now, "a reservation lasts a while"
    change = rules.reserving(amount_fen)
    document = programme.document
    reservation = Reservation(
        subject_id=subject_id,
        reservation_id=new_id(now),
        programme_code=document.code,
        partner_id=partner_id,
        day=city_date(now),
        amount_fen=amount_fen,
        settled_fen=None,
        state=State.RESERVED.value,
        created_at=now,
        expires_at=expires_at,
        closed_at=None,
    )
    balances = await _lock(tx, reservation.programme_code, reservation.buckets, now)
    if (spent := rules.find_spent(balances, amount_fen)) is not None:
        raise Refusal("budget_spent", span=spent)
    changed = await store.insert_reservation(
        tx,
        reservation,
        change,
        citizen=rules.limit_of(document.budget, "citizen"),
        cause=Cause(by_whom, reason, now),
    )
    if changed == 0:
        raise Refusal("budget_spent", span="citizen")
    assert changed == len(SHARED), "a reservation counts in each of its buckets"
    return reservation


async def lower(
    tx: Tx,
    *,
    subject_id: UUID,
    reservation_id: UUID,
    amount_fen: int,
    by_whom: str,
    reason: str,
    now: datetime,
) -> Reservation:
    """Reserve less than before; the same amount again changes nothing.

    Raises Refusal not_found, budget_reservation_closed (state), budget_amount_above_reserved.
    """
    reservation = await _locked(tx, subject_id, reservation_id)
    change = rules.lowering(reservation, amount_fen, now=now)
    if change is None:
        return reservation
    lowered = replace(reservation, amount_fen=amount_fen)
    return await _save(tx, lowered, change, Cause(by_whom, reason, now))


async def settle(
    tx: Tx,
    *,
    subject_id: UUID,
    reservation_id: UUID,
    settled_fen: int,
    by_whom: str,
    reason: str,
    now: datetime,
) -> Reservation:
    """Spend all or a part of what is reserved; the rest is given back, the use is not.

    Settling again with the same amount changes nothing, with another one it is refused. Raises
    Refusal not_found, budget_reservation_closed (state; also when its time is over),
    budget_amount_above_reserved (reserved_fen).
    """
    reservation = await _locked(tx, subject_id, reservation_id)
    change = rules.settling(reservation, settled_fen, now=now)
    if change is None:
        return reservation
    settled = replace(
        reservation, settled_fen=settled_fen, state=State.SETTLED.value, closed_at=now
    )
    return await _save(tx, settled, change, Cause(by_whom, reason, now))


async def release(
    tx: Tx, *, subject_id: UUID, reservation_id: UUID, by_whom: str, reason: str, now: datetime
) -> Reservation:
    """Give back what is reserved, and its use; again, or after its time, it changes nothing.

    Raises Refusal not_found, budget_reservation_closed (state) for what was settled.
    """
    reservation = await _locked(tx, subject_id, reservation_id)
    change = rules.releasing(reservation)
    if change is None:
        return reservation
    released = replace(reservation, state=State.RELEASED.value, closed_at=now)
    return await _save(tx, released, change, Cause(by_whom, reason, now))


async def keep(tx: Tx, *, subject_id: UUID, reservation_id: UUID, now: datetime) -> Reservation:
    """Let a reservation last until it is settled or released, whatever time it was given.

    Raises Refusal not_found, budget_reservation_closed (state; also when its time is over).
    """
    reservation = await _locked(tx, subject_id, reservation_id)
    rules.check_open(reservation, now=now)
    cleared = await store.clear_expiry(tx, subject_id, reservation_id)
    assert cleared == 1, "it is locked and stands"
    return replace(reservation, expires_at=None)


async def hold_reserved(tx: Tx, *, subject_id: UUID) -> None:
    """Hold all that is reserved for a citizen, before more than one of it is given back.

    Reservations come before balances: who holds a balance and waits for another reservation, and
    the clock that holds that one and waits for the balance, would wait for each other.
    """
    await store.lock_reserved(tx, subject_id)


async def expire_due(tx: Tx, *, now: datetime) -> int:
    """Give back reservations whose time is over, some at a time; return how many that were.

    Those that somebody settles or releases at this moment are left to them.
    """
    due = await store.lock_due(tx, now, EXPIRED_AT_ONCE)
    # In one order, so that two who give back for several programmes can't wait for each other.
    for reservation in sorted(due, key=lambda each: each.programme_code):
        change = rules.expiring(reservation, now=now)
        expired = replace(reservation, state=State.EXPIRED.value, closed_at=now)
        await _save(tx, expired, change, Cause("clock", "its time is over", now))
    return len(due)


async def refill(
    tx: Tx,
    *,
    programme_code: str,
    span: str,
    bucket: str,
    amount_fen: int,
    uses: int = 0,
    by_whom: str,
    reason: str,
    now: datetime,
) -> Balance:
    """Raise the limit of one bucket, until the next version comes into force.

    Raises Refusal not_found, budget_bucket_invalid, budget_refill_impossible (fault).
    """
    wanted = rules.parse_bucket(span, bucket)
    if rules.is_over(wanted, city_date(now)):
        raise Refusal("budget_refill_impossible", fault="the day or month is past")
    found = await find_programme(tx, programme_code=programme_code)
    if found is None:
        raise Refusal("not_found")
    cause = Cause(by_whom, reason, now)
    buckets = [_WHOLE] if wanted == _WHOLE else [_WHOLE, wanted]
    balance = (await _lock(tx, programme_code, buckets, now))[-1]
    limit = rules.refilled(balance, amount_fen=amount_fen, uses=uses)
    changed = await store.save_limits(
        tx, programme_code, [(wanted, limit)], kind=Kind.REFILL, cause=cause
    )
    assert changed == 1, "it is locked"
    return replace(
        balance,
        limit_fen=limit.amount_fen,
        limit_uses=limit.uses,
        revision=balance.revision + 1,
    )


async def refill_by(
    tx: Tx,
    *,
    programme_code: str,
    span: str,
    bucket: str,
    amount_fen: int,
    uses: int,
    by: Actor,
    reason: str,
    now: datetime,
) -> Balance:
    """Refill as an operator, or somebody at the shell, and write down that they did.

    Raises what `refill` raises.
    """
    balance = await refill(
        tx,
        programme_code=programme_code,
        span=span,
        bucket=bucket,
        amount_fen=amount_fen,
        uses=uses,
        by_whom=by.login,
        reason=reason,
        now=now,
    )
    await ledger.note_action(
        tx,
        by=by,
        action="budget.refilled",
        thing=f"programme:{programme_code}",
        reason=reason,
        facts={
            "span": balance.span,
            "bucket": balance.bucket,
            "amount_fen": amount_fen,
            "uses": uses,
            "revision": balance.revision,
        },
        now=now,
    )
    return balance


async def get_balances(tx: ReadTx, *, programme_code: str, now: datetime) -> list[Balance]:
    """Return a programme's balances: the whole, partners, days and months of late and to come.

    Raises Refusal not_found.
    """
    today = city_date(now)
    found = await store.list_balances(tx, programme_code, today - DAYS_SHOWN, today - MONTHS_SHOWN)
    if not found:
        raise Refusal("not_found")
    return found


async def list_entries(
    tx: ReadTx,
    *,
    programme_code: str,
    span: str,
    bucket: str,
    cursor: str | None,
    page_size: int,
) -> Page[Entry]:
    """Return one page of why a balance changed, newest first.

    Raises Refusal not_found (no such programme), budget_bucket_invalid, cursor_invalid.
    """
    if await find_programme(tx, programme_code=programme_code) is None:
        raise Refusal("not_found")
    found = await store.list_entries(
        tx,
        programme_code,
        rules.parse_bucket(span, bucket),
        before=None if cursor is None else _revision(cursor),
        limit=page_size + 1,
    )
    return cut_page(found, page_size, key=lambda each: (str(each.revision),))


async def forget(tx: Tx, *, subject_id: UUID) -> None:
    """Delete what a citizen's reservations were, but for those that are still reserved.

    For who leaves, and again when the last of theirs is closed. The shared balances stay as they
    are: they name nobody.
    """
    await store.delete_closed(tx, subject_id)
    await store.delete_empty(tx, subject_id)


def _revision(cursor: str) -> int:
    (text,) = decode_cursor(cursor, parts=1)
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise Refusal("cursor_invalid")
    return int(text)


async def _lock(
    tx: Tx, programme_code: str, buckets: Sequence[Bucket], now: datetime
) -> list[Balance]:
    """Lock balances in their order; make those that are missing first, by the version in force."""
    balances = await store.lock_balances(tx, programme_code, buckets)
    if len(balances) == len(buckets):
        return balances
    # The first of a day, a month, or a partner. The programme's row is held, so the version that
    # is read now stays the one in force.
    assert balances, "a published programme has its balance"
    in_force = await find_programme(tx, programme_code=programme_code)
    assert in_force is not None, "what has a balance was published"
    document = in_force.programme.document
    there = {(balance.span, balance.bucket) for balance in balances}
    missing = [each for each in buckets if (each.span, each.name) not in there]
    budget: Budget | None = document.budget
    cause = Cause("programme", f"limit of version {document.version}", now)
    await store.make_balances(
        tx,
        programme_code,
        [(each, rules.limit_of(budget, each.span)) for each in missing],
        cause,
    )
    balances = await store.lock_balances(tx, programme_code, buckets)
    assert len(balances) == len(buckets), "what was missing is made"
    return balances


async def _locked(tx: Tx, subject_id: UUID, reservation_id: UUID) -> Reservation:
    reservation = await store.lock_reservation(tx, subject_id, reservation_id)
    if reservation is None:
        raise Refusal("not_found")
    return reservation


async def _save(tx: Tx, reservation: Reservation, change: Change, cause: Cause) -> Reservation:
    balances = await store.lock_balances(tx, reservation.programme_code, reservation.buckets)
    assert len(balances) == len(SHARED), "it was reserved from all of them"
    changed = await store.save_reservation(tx, reservation, change, cause)
    assert changed == len(SHARED), "a reservation counts in each of its buckets"
    return reservation
