"""What citizens can get, and how they leave; a seat is given back in the same transaction."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from backend.kit.clock import city_date
from backend.kit.postgres import ReadTx, Tx
from backend.kit.problem import Refusal
from backend.programme.rules.offer import Enrolment, Offer, decide_offer
from backend.programme.rules.rule import Facts
from backend.programme.service.publication import (
    PublishedProgramme,
    get_vocabulary,
    list_programmes,
    programmes_by_digest,
)
from backend.programme.store import eligibility as eligibility_store
from backend.programme.store import programme as store
from backend.score import service as score


async def list_offers(tx: ReadTx, *, subject_id: UUID, now: datetime) -> list[Offer]:
    """Return every programme as one citizen sees it: yes, or not yet and what is missing."""
    published = await list_programmes(tx)
    facts = await score.find_facts(tx, subject_id=subject_id)
    enrolled = {row.programme_code: row for row in await store.list_enrolled(tx, subject_id)}
    return await _offers(tx, subject_id, published, facts=facts, enrolled=enrolled, now=now)


async def get_offer(tx: ReadTx, *, subject_id: UUID, programme_code: str, now: datetime) -> Offer:
    """Return one programme as one citizen sees it; raises Refusal not_found."""
    offers = await list_offers(tx, subject_id=subject_id, now=now)
    for offer in offers:
        if offer.programme.document.code == programme_code:
            return offer
    raise Refusal("not_found")


async def leave_enrolment(tx: Tx, *, subject_id: UUID, enrolment_id: UUID, now: datetime) -> None:
    """End an enrolment and give its seat back, once; leaving again changes nothing.

    Raises Refusal not_found for an id that is not the citizen's.
    """
    programme_code = await store.end_enrolment(tx, subject_id, enrolment_id, now)
    if programme_code is not None:
        await _give_back(tx, programme_code)
    elif not await store.has_enrolment(tx, subject_id, enrolment_id):
        raise Refusal("not_found")


async def erase(tx: Tx, *, subject_id: UUID, now: datetime) -> None:
    """Delete the enrolments of a citizen who leaves, give the seats back, destroy the traces.

    That decisions were made stays, for the partners who relied on them; what they were made from
    is gone. Erasing again changes nothing.
    """
    assert now.tzinfo is not None, "a moment without a zone is not a moment"
    deleted = await store.delete_enrolments(tx, subject_id)
    # In one order, so that two citizens who leave at the same moment can't wait for each other.
    for programme_code in sorted(row.programme_code for row in deleted if row.was_running):
        await _give_back(tx, programme_code)
    await eligibility_store.delete_traces(tx, subject_id)


async def _give_back(tx: Tx, programme_code: str) -> None:
    released = await store.release_seat(tx, programme_code)
    assert released, "a running enrolment has a seat"


async def _offers(
    tx: ReadTx,
    subject_id: UUID,
    published: list[PublishedProgramme],
    *,
    facts: Facts | None,
    enrolled: Mapping[str, store.EnrolledRow],
    now: datetime,
) -> list[Offer]:
    promised = await programmes_by_digest(tx, {row.digest for row in enrolled.values()})
    vocabulary = await get_vocabulary(tx)
    offers = []
    for each in published:
        row = enrolled.get(each.programme.document.code)
        enrolment = None if row is None else _enrolment(subject_id, row)
        offers.append(
            decide_offer(
                each.programme if row is None else promised[row.digest],
                is_ended=each.is_closed,
                facts=facts,
                enrolment=enrolment,
                seats=each.seats,
                day=city_date(now),
                vocabulary=vocabulary,
            )
        )
    return offers


def _enrolment(subject_id: UUID, row: store.EnrolledRow) -> Enrolment:
    return Enrolment(
        subject_id=subject_id,
        enrolment_id=row.enrolment_id,
        programme_code=row.programme_code,
        programme_version=row.programme_version,
        enrolled_at=row.enrolled_at,
    )
