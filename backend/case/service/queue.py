"""What operators do with cases: see the queue, take one, look at it, decide it."""

from datetime import date, datetime
from uuid import UUID

import msgspec

from backend.access.rules import OperatorPrincipal
from backend.case import rules, store
from backend.case.rules import Case, Outcome
from backend.case.service.citizen import text_of
from backend.citizen import service as citizen
from backend.event import service as event
from backend.kit.clock import city_date
from backend.kit.crypto import Vault
from backend.kit.ids import new_id
from backend.kit.page import Page, cut_page, decode_cursor
from backend.kit.postgres import ReadTx, Tx
from backend.kit.problem import Refusal
from backend.ledger import service as ledger
from backend.ledger.rules import AccessEntry, Actor

DECIDED_TOPIC = "case.decided"
LOOK_ACTION = "case:read"
LOOK_DATA_KIND = "cases"
LOOK_PURPOSE = "case_review"


class QueueCounts(msgspec.Struct, frozen=True):
    """How many cases wait, and how many of them should have been decided by now."""

    open: int
    overdue: int


class LookedAt(msgspec.Struct, frozen=True):
    """A case whose look is written down. Its text is still sealed: `opened_text` opens it."""

    case: Case
    account_key: bytes | None


async def list_queue(
    tx: ReadTx, *, overdue_only: bool, cursor: str | None, page_size: int, today: date
) -> Page[Case]:
    """Return one page of the open cases, the first to be due first; Refusal cursor_invalid.

    It says nothing of whose they are: nobody shows subject or text from it.
    """
    after_due, after_id = (None, None) if cursor is None else _place(cursor)
    found = await store.list_open(
        tx,
        due_before=today if overdue_only else None,
        after_due=after_due,
        after_id=after_id,
        limit=page_size + 1,
    )
    return cut_page(found, page_size, key=lambda case: (case.due_on.isoformat(), str(case.case_id)))


async def count_queue(tx: ReadTx, *, today: date) -> QueueCounts:
    """Return how many cases wait and how many are overdue."""
    return QueueCounts(
        open=await store.count_open(tx, due_before=None),
        overdue=await store.count_open(tx, due_before=today),
    )


async def look(
    tx: Tx, *, case_id: UUID, by: OperatorPrincipal, reason: str, now: datetime
) -> LookedAt:
    """Write an operator's look into the citizen's ledger; raises Refusal not_found.

    The text is opened (`opened_text`) once this transaction has committed, and not before: there
    is no look that its citizen doesn't see.
    """
    case = await store.find_case(tx, case_id)
    if case is None:
        raise Refusal("not_found")
    await ledger.record_access(tx, entries=[_look_entry(case, by, reason=reason, now=now)])
    await _note(tx, "case.looked_at", case, by=Actor.of(by), reason=reason, now=now)
    key = await citizen.find_account_key(tx, subject_id=case.subject_id)
    return LookedAt(case, key)


def opened_text(looked: LookedAt, *, vault: Vault) -> str:
    """Open what the citizen wrote, after the look's commit; "" when there is nothing."""
    return text_of(looked.case, looked.account_key, vault=vault)


async def take(
    tx: Tx,
    *,
    case_id: UUID,
    by: Actor,
    reason: str,
    now: datetime,
    taken_from: str | None = None,
) -> Case:
    """Take an open case, so that no second person works at it; taking it again changes nothing.

    `taken_from` is the login it was with when the operator saw it, for taking over. Raises Refusal
    not_found, case_settled, case_taken.
    """
    found = await store.find_case(tx, case_id)
    if found is None:
        raise Refusal("not_found")
    taken = await store.take_case(tx, found.subject_id, case_id, by=by.login, taken_from=taken_from)
    if not taken:
        raise await _lost(tx, case_id)
    await _note(tx, "case.taken", found, by=by, reason=reason, now=now, taken_from=taken_from)
    return msgspec.structs.replace(found, taken_by=by.login)


async def decide(
    tx: Tx,
    *,
    case_id: UUID,
    outcome: Outcome,
    answer_zh: str,
    answer_en: str,
    by: Actor,
    reason: str,
    now: datetime,
) -> Case:
    """Decide a case once, with an answer in words; what follows is carried out by its event.

    `changed` is in the citizen's favour: the event case.decided lets programme or order apply it.
    Raises Refusal not_found (also when the citizen has left), case_settled, case_taken,
    case_text_invalid.
    """
    answer = rules.answer_of(outcome, zh=answer_zh, en=answer_en)
    found = await store.find_case(tx, case_id)
    # Held before the case's row is locked: leaving deletes it, and does so in this order.
    if found is None or not await citizen.hold_participation(tx, subject_id=found.subject_id):
        raise Refusal("not_found")
    decided = await store.decide_case(
        tx, found.subject_id, case_id, answer=answer, by=by.login, now=now
    )
    if decided is None:
        raise await _lost(tx, case_id)
    payload = {
        "case_id": str(case_id),
        "kind": decided.kind,
        "object": decided.object,
        "outcome": outcome.value,
    }
    await event.emit(
        tx, topic=DECIDED_TOPIC, subject_id=decided.subject_id, payload=payload, now=now
    )
    await _note(tx, "case.decided", decided, by=by, reason=reason, now=now, outcome=outcome.value)
    return decided


async def purge(tx: Tx, *, now: datetime) -> int:
    """Delete cases that were due, and decided, three years ago; return how many that was."""
    return await store.delete_ended(
        tx, due_before=city_date(now) - rules.KEPT_FOR, decided_before=now - rules.KEPT_FOR
    )


async def _lost(tx: Tx, case_id: UUID) -> Refusal:
    """Return why a case could not be changed: another operator or its citizen was there first."""
    now_found = await store.find_case(tx, case_id)
    if now_found is None:
        return Refusal("not_found")
    if now_found.state != rules.State.OPEN:
        return Refusal("case_settled", state=now_found.state)
    return Refusal("case_taken", taken_by=now_found.taken_by)


def _place(cursor: str) -> tuple[date, UUID]:
    due, case_id = decode_cursor(cursor, parts=2)
    try:
        return date.fromisoformat(due), UUID(case_id)
    except ValueError:
        raise Refusal("cursor_invalid") from None


async def _note(
    tx: Tx, action: str, case: Case, *, by: Actor, reason: str, now: datetime, **facts: object
) -> None:
    about = {"kind": case.kind, **{name: value for name, value in facts.items() if value}}
    await ledger.note_action(
        tx,
        by=by,
        action=action,
        thing=f"case:{case.case_id}",
        reason=reason,
        facts=about,
        now=now,
    )


def _look_entry(case: Case, by: OperatorPrincipal, *, reason: str, now: datetime) -> AccessEntry:
    return AccessEntry(
        subject_id=case.subject_id,
        entry_id=new_id(now),
        actor_kind="operator",
        actor_id=by.login,
        actor_name_zh=by.name_zh,
        actor_name_en=by.name_en,
        action=LOOK_ACTION,
        data_kinds=[LOOK_DATA_KIND],
        purpose=LOOK_PURPOSE,
        purpose_zh=f"人工复核：{reason}",
        purpose_en=f"Review by a person: {reason}",
        consent_id=None,
        programme_code=case.object if case.kind == rules.Kind.NOT_YET else None,
        decision_id=None,
        disclosed=f"case:{case.case_id}",
        at=now,
    )
