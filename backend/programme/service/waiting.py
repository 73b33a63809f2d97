"""Whoever waits for a seat gets it, first come, first served; and what a person has granted.

Who can't have a seat when it becomes free is passed over and keeps the place: conduct gets better,
and another programme is left.
"""

from datetime import datetime
from uuid import UUID

from backend.event.rules import Event
from backend.kit.crypto import Vault
from backend.kit.ids import new_id
from backend.kit.postgres import Tx
from backend.kit.problem import Refusal
from backend.notice import service as notice
from backend.programme.service.enrolling import Ask, Deferred, enrol_many, enrol_waiting
from backend.programme.service.publication import PublishedProgramme, find_programme
from backend.programme.service.seats import KEPT_AT_ONCE, give_back, offer_free
from backend.programme.store import waiting as store

# Of these, those who are passed over cost nobody an event of their own.
ASKED_AT_ONCE = 50


async def seat_waiting(tx: Tx, *, event: Event, vault: Vault, now: datetime) -> None:
    """Give the seats of one event to those who wait, and tell them; the rest goes on or back.

    Safe to run twice: the event is done in the same transaction.
    """
    code, seats = event.payload["programme"], event.payload["seats"]
    await store.take_queue(tx, code)
    found = await find_programme(tx, programme_code=code)
    assert found is not None, "a seat is a programme's"
    if found.is_closed:
        # They wait on; when it goes on, its free seats are offered again.
        await give_back(tx, programme_code=code, count=seats, after=_BEHIND_ALL, now=now)
        return
    limit = _asked_at_once(found, seats)
    asked = await store.list_waiting(tx, code, after=event.payload["after"], limit=limit)
    enrolled = await enrol_waiting(
        tx,
        asks=[
            Ask(each.subject_id, code, granted_by_case_id=each.granted_by_case_id) for each in asked
        ],
        programme_code=code,
        seats=seats,
        now=now,
        vault=vault,
    )
    for each in enrolled:
        await notice.notify(
            tx,
            subject_id=each.subject_id,
            topic="enrolment.from_waiting",
            facts={"programme": code},
            now=now,
        )
    if left := seats - len(enrolled):
        after = asked[-1].place if asked else event.payload["after"]
        await give_back(tx, programme_code=code, count=left, after=after, now=now)
    elif seats == KEPT_AT_ONCE:
        # More seats may be free than one event keeps.
        await offer_free(tx, programme_code=code, now=now)


async def leave_waiting(tx: Tx, *, subject_id: UUID, waiting_id: UUID) -> None:
    """Give a place in a queue up.

    Raises Refusal not_found when the citizen has none such: also when it has become a seat.
    """
    if not await store.delete_own(tx, subject_id, waiting_id):
        raise Refusal("not_found")


async def apply_case(
    tx: Tx, *, subject_id: UUID, programme_code: str, case_id: UUID, vault: Vault, now: datetime
) -> None:
    """Carry out that a person turned a "not yet" into a yes; again, it is nothing.

    The rule counts as met, for the enrolment and for partners' checks under it. Everything else
    holds: who can't be enrolled now, for want of a seat or because the programme is paused, waits
    with what was granted.
    """
    ask = Ask(subject_id, programme_code, wait=True, granted_by_case_id=case_id)
    (outcome,) = await enrol_many(tx, asks=[ask], now=now, vault=vault)
    assert not isinstance(outcome, Deferred), "nobody came first"
    if not isinstance(outcome, Refusal):
        return
    if outcome.code in {"not_found", "participation_required"}:
        return
    if await store.grant_running(tx, subject_id, programme_code, case_id):
        return
    found = await find_programme(tx, programme_code=programme_code)
    if found is None or found.is_ended:
        return
    await store.hold_seats(tx, programme_code)
    await store.insert_waiting(
        tx,
        programme_code,
        [subject_id],
        waiting_ids=[new_id(now)],
        case_ids=[case_id],
        since=now,
    )


_BEHIND_ALL = 2**63 - 1


def _asked_at_once(found: PublishedProgramme, seats: int) -> int:
    """Return how many are looked at: conditions of enrolment open identity numbers, so no more
    of those than there are seats.
    """
    wanted = seats if found.programme.enrol else max(seats, ASKED_AT_ONCE)
    return min(wanted, KEPT_AT_ONCE)
