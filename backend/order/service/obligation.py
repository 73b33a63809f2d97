"""What a partner says is still owed: announced, answered, standing, gone."""

from datetime import datetime
from uuid import UUID

import msgspec

from backend.calendar import service as calendar
from backend.case import service as case
from backend.case.rules import parse_text
from backend.citizen import service as citizen
from backend.kit.clock import city_date
from backend.kit.crypto import Vault
from backend.kit.ids import new_id
from backend.kit.postgres import ReadTx, Tx
from backend.kit.problem import Refusal
from backend.order.rules import obligation as rules
from backend.order.rules import order as order_rules
from backend.order.rules.machine import Owed
from backend.order.rules.obligation import EVENT_OF_END, EndedBy, Obligation, ReplyKind
from backend.order.rules.order import Order
from backend.order.service import holding
from backend.order.service.course import Keeper, find_kept
from backend.order.service.telling import tell_of_obligation
from backend.order.store import obligation as store
from backend.order.store import order as order_store
from backend.programme.service import promise

STOOD_AT_ONCE = 100


async def announce(
    tx: Tx, *, keeper: Keeper, order_id: UUID, amount_fen: int, now: datetime
) -> tuple[Order, Obligation]:
    """Say that something is still owed under a completed order: the citizen is told first.

    Raises Refusal not_found, order_state_conflict, performance_reported, obligation_too_large,
    calendar_unknown.
    """
    held = await holding.hold(tx, await find_kept(tx, keeper=keeper, order_id=order_id))
    order = order_rules.owing(held.order)
    promised = await promise.get_version(
        tx, programme_code=order.programme_code, version=order.programme_version
    )
    waiting, today = promised.document.waiting_working_days, city_date(now)
    first, last = rules.calendar_span(today, waiting)
    days = await calendar.get_calendar(tx, first=first, last=last)
    obligation = rules.announced(
        order,
        obligation_id=new_id(now),
        amount_fen=amount_fen,
        first_day=rules.stands_on(days, today, waiting),
        now=now,
    )
    await holding.write(tx, held.order, order)
    await store.insert_obligation(tx, obligation)
    await _tell(tx, obligation, order, "announce", now=now)
    return order, obligation


async def reply(
    tx: Tx,
    *,
    subject_id: UUID,
    order_id: UUID,
    kind: ReplyKind,
    text: str,
    vault: Vault,
    now: datetime,
) -> tuple[Order, Obligation]:
    """Take a citizen's answer; what is contested waits for a person who looks at it.

    Raises Refusal not_found, obligation_state_conflict, obligation_replied, case_text_invalid,
    calendar_unknown.
    """
    words = parse_text(text)
    order, obligation = await _held(tx, await _find_order(tx, subject_id, order_id))
    # Behind the hold: leaving has deleted what is owed, so who still owes has an account.
    key = await citizen.find_account_key(tx, subject_id=subject_id)
    if key is None or obligation is None:
        raise Refusal("not_found")
    aad = f"obligation|reply_sealed|{obligation.obligation_id}"
    sealed = vault.seal(key, words.encode(), aad=aad) if words else None
    answered = rules.replied(obligation, kind, sealed=sealed, now=now)
    if kind == "contested":
        opened = await case.open_case(
            tx,
            subject_id=subject_id,
            kind=rules.CASE_KIND,
            object=str(obligation.obligation_id),
            text=words,
            vault=vault,
            now=now,
        )
        answered = msgspec.structs.replace(answered, case_id=opened.case_id)
    await _save(tx, answered)
    event = "contest" if kind == "contested" else "will_pay"
    await _tell(tx, answered, order, event, now=now)
    return order, answered


async def end(
    tx: Tx,
    *,
    keeper: Keeper,
    order_id: UUID,
    ended_by: EndedBy,
    now: datetime,
) -> Order:
    """Let what was owed be gone: it is paid, or the partner takes it back.

    A case about it is closed. Raises Refusal not_found: also when nothing is owed.
    """
    found = await find_kept(tx, keeper=keeper, order_id=order_id)
    order, obligation = await _held(tx, found)
    if obligation is None:
        raise Refusal("not_found")
    if obligation.state == Owed.CONTESTED and obligation.case_id is not None:
        await case.withdraw_if_open(
            tx, subject_id=obligation.subject_id, case_id=obligation.case_id
        )
    return await _gone(tx, obligation, order, ended_by, now=now)


async def list_due(tx: ReadTx, *, now: datetime) -> list[Obligation]:
    """Return announced ones whose waiting period is over, some at a time."""
    return await store.list_due(tx, city_date(now), limit=STOOD_AT_ONCE)


async def stand(tx: Tx, *, found: Obligation, now: datetime) -> bool:
    """Let one stand whose waiting period is over; False when something else happened to it."""
    held = await _find_held(tx, found, Owed.ANNOUNCED)
    if held is None:
        return False
    order, obligation = held
    stood = rules.standing(obligation, today=city_date(now))
    await _save(tx, stood)
    await _tell(tx, stood, order, "stand", now=now)
    return True


async def apply_case(
    tx: Tx, *, subject_id: UUID, obligation_id: UUID, changed: bool, now: datetime
) -> None:
    """Carry out what a person decided about a contested one; again, or too late, it is nothing."""
    held = await _find_contested(tx, subject_id, obligation_id)
    if held is None:
        return
    order, obligation = held
    if changed:
        await _gone(tx, obligation, order, "reviewed", now=now)
        return
    stood = rules.upheld(obligation)
    await _save(tx, stood)
    await _tell(tx, stood, order, "uphold", now=now)


async def give_up_case(tx: Tx, *, subject_id: UUID, obligation_id: UUID, now: datetime) -> None:
    """Let one go on as announced whose citizen took the case back; again, it is nothing."""
    held = await _find_contested(tx, subject_id, obligation_id)
    if held is None:
        return
    order, obligation = held
    announced = rules.given_up(obligation)
    await _save(tx, announced)
    await _tell(tx, announced, order, "give_up", now=now)


async def _find_contested(
    tx: Tx, subject_id: UUID, obligation_id: UUID
) -> tuple[Order, Obligation] | None:
    """Hold a contested obligation with its order; None when it isn't contested, or is gone."""
    found = await store.find_obligation(tx, subject_id, obligation_id)
    return None if found is None else await _find_held(tx, found, Owed.CONTESTED)


async def _find_held(tx: Tx, found: Obligation, state: Owed) -> tuple[Order, Obligation] | None:
    """Hold an obligation that was found, with its order; None unless it is in a state still."""
    held = await holding.find_held(tx, subject_id=found.subject_id, order_id=found.order_id)
    if held is None:
        return None
    obligation = await store.find_of_order(tx, found.subject_id, found.order_id)
    if obligation is None or obligation.state != state:
        return None
    return held.order, obligation


async def _find_order(tx: Tx, subject_id: UUID, order_id: UUID) -> Order:
    found = await order_store.find_of_citizen(tx, subject_id, order_id)
    if found is None:
        raise Refusal("not_found")
    return found


async def _held(tx: Tx, found: Order) -> tuple[Order, Obligation | None]:
    """Hold an order, and with it what is owed under it."""
    held = await holding.hold(tx, found)
    obligation = await store.find_of_order(tx, found.subject_id, found.order_id)
    return held.order, obligation


async def _save(tx: Tx, obligation: Obligation) -> None:
    saved = await store.save_obligation(tx, obligation)
    assert saved, "whoever changes it holds its order"


async def _gone(
    tx: Tx, obligation: Obligation, order: Order, ended_by: EndedBy, *, now: datetime
) -> Order:
    revision = rules.check_end(obligation, ended_by)
    free = order_rules.owing_nothing(order)
    await store.delete_obligation(tx, obligation.subject_id, obligation.obligation_id)
    await holding.write(tx, order, free)
    gone = msgspec.structs.replace(obligation, revision=revision)
    await _tell(tx, gone, order, EVENT_OF_END[ended_by], now=now)
    return free


async def _tell(tx: Tx, obligation: Obligation, order: Order, event: str, *, now: datetime) -> None:
    await tell_of_obligation(
        tx,
        obligation,
        event,
        programme_code=order.programme_code,
        now=now,
    )
