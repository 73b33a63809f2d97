"""What citizens do with cases: open one, withdraw it, see what became of it."""

from datetime import datetime
from uuid import UUID

import msgspec

from backend.calendar import service as calendar
from backend.case import rules, store
from backend.case.rules import Case, Kind, State
from backend.citizen import service as citizen
from backend.event import service as event
from backend.kit.clock import city_date
from backend.kit.crypto import Vault
from backend.kit.ids import new_id
from backend.kit.page import Page, cut_page, decode_id_cursor
from backend.kit.postgres import ReadTx, Tx
from backend.kit.problem import Refusal

WITHDRAWN_TOPIC = "case.withdrawn"


class OwnCase(msgspec.Struct, frozen=True):
    """A case as its citizen sees it; `text` is what they wrote, "" when there is nothing."""

    case: Case
    text: str


async def open_case(
    tx: Tx,
    *,
    subject_id: UUID,
    kind: str,
    object: str,  # noqa: A002 - the word of the column and of the API
    text: str,
    vault: Vault,
    now: datetime,
) -> Case:
    """Ask for a person to look at something; `text` is in the citizen's own words, or empty.

    `object` is a programme's code for not_yet, an obligation's id for obligation: that it is the
    citizen's is the caller's to know. The participation is held, so that leaving erases the case
    too. Raises Refusal participation_required, case_text_invalid, calendar_unknown, case_open.
    """
    kind, words = Kind(kind), rules.parse_text(text)
    if await citizen.hold_participation(tx, subject_id=subject_id) is None:
        raise Refusal("participation_required")
    key = await citizen.find_account_key(tx, subject_id=subject_id)
    assert key is not None, "who takes part has an account"
    today, case_id = city_date(now), new_id(now)
    days = await calendar.get_calendar(tx, first=today, last=today + rules.CLOCK_SPAN)
    sealed = vault.seal(key, words.encode(), aad=rules.seal_place(subject_id, case_id))
    case = Case(
        subject_id=subject_id,
        case_id=case_id,
        kind=kind.value,
        object=object,
        text_sealed=sealed if words else None,
        state=State.OPEN.value,
        opened_at=now,
        due_on=rules.due_on(kind, opened_on=today, calendar=days),
        taken_by=None,
        outcome=None,
        answer_zh=None,
        answer_en=None,
        decided_by=None,
        decided_at=None,
    )
    if not await store.insert_case(tx, case):
        raise Refusal("case_open")
    return case


async def withdraw(tx: Tx, *, subject_id: UUID, case_id: UUID, now: datetime) -> None:
    """Take a case back; what was written is forgotten. Withdrawing again changes nothing.

    The event case.withdrawn lets the room follow whose thing it was about. Raises Refusal not_found
    for what is not the citizen's, case_settled when it is decided.
    """
    found = await store.find_case_of(tx, subject_id, case_id)
    if found is None:
        raise Refusal("not_found")
    if await withdraw_if_open(tx, subject_id=subject_id, case_id=case_id):
        payload = {"case_id": str(case_id), "kind": found.kind, "object": found.object}
        await event.emit(tx, topic=WITHDRAWN_TOPIC, subject_id=subject_id, payload=payload, now=now)
        return
    settled = await store.find_case_of(tx, subject_id, case_id)
    if settled is not None and settled.state != State.WITHDRAWN:
        raise Refusal("case_settled", state=settled.state)


async def withdraw_if_open(tx: Tx, *, subject_id: UUID, case_id: UUID) -> bool:
    """Withdraw a case about what is gone, such as a paid obligation; nobody else is told.

    False, and nothing changes, when it isn't open.
    """
    return await store.withdraw_case(tx, subject_id, case_id)


async def list_by_citizen(
    tx: ReadTx, *, subject_id: UUID, cursor: str | None, page_size: int, vault: Vault
) -> Page[OwnCase]:
    """Return one page of a citizen's cases, newest first; raises Refusal cursor_invalid."""
    before = None if cursor is None else decode_id_cursor(cursor)
    found = await store.list_by_citizen(tx, subject_id, before=before, limit=page_size + 1)
    page = cut_page(found, page_size, key=lambda case: (str(case.case_id),))
    key = await citizen.find_account_key(tx, subject_id=subject_id) if page.items else None
    own = [OwnCase(case, text_of(case, key, vault=vault)) for case in page.items]
    return Page(own, page.next_cursor)


async def erase(tx: Tx, *, subject_id: UUID) -> None:
    """Delete every case of a citizen who leaves; erasing again changes nothing."""
    await store.delete_cases(tx, subject_id)


def text_of(case: Case, account_key: bytes | None, *, vault: Vault) -> str:
    """Open what a citizen wrote; raises SealBroken."""
    if case.text_sealed is None or account_key is None:
        return ""
    place = rules.seal_place(case.subject_id, case.case_id)
    return vault.unseal(account_key, case.text_sealed, aad=place).decode()
