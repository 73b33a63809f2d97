"""What citizens can get, and how they leave; a seat is given back in the same transaction."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

import msgspec

from backend.kit.clock import city_date
from backend.kit.postgres import ReadTx, Tx
from backend.kit.problem import Refusal
from backend.programme.rules.offer import (
    Enrolment,
    Offer,
    Waiting,
    decide_offer,
    helps_with,
    people_told,
)
from backend.programme.rules.rule import Facts
from backend.programme.service.publication import (
    PublishedProgramme,
    get_vocabulary,
    list_programmes,
    programmes_by_digest,
)
from backend.programme.service.seats import give_back
from backend.programme.store import eligibility as eligibility_store
from backend.programme.store import programme as store
from backend.programme.store import waiting as waiting_store
from backend.score import service as score


async def list_offers(tx: ReadTx, *, subject_id: UUID, now: datetime) -> list[Offer]:
    """Return every programme as one citizen sees it: yes, or not yet, what is missing and helps."""
    published = await list_programmes(tx)
    facts = await score.find_facts(tx, subject_id=subject_id)
    enrolled = {row.programme_code: row for row in await store.list_enrolled(tx, subject_id)}
    offers = await _offers(tx, subject_id, published, facts=facts, enrolled=enrolled, now=now)
    if not any(offer.missing for offer in offers):
        return offers
    helps = await score.list_helps(tx, subject_id=subject_id, now=now)
    return [
        msgspec.structs.replace(offer, helps=helps_with(offer.missing, helps)) for offer in offers
    ]


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
        await give_back(tx, programme_code=programme_code, now=now)
    elif not await store.has_enrolment(tx, subject_id, enrolment_id):
        raise Refusal("not_found")


async def erase(tx: Tx, *, subject_id: UUID, now: datetime) -> None:
    """Delete enrolments and places in queues of a citizen who leaves, and destroy the traces.

    Seats are given back. That decisions were made stays, for the partners who relied on them; what
    they were made from is gone. Erasing again changes nothing.
    """
    await waiting_store.delete_of_subject(tx, subject_id)
    deleted = await store.delete_enrolments(tx, subject_id)
    # In one order, so that two citizens who leave at the same moment can't wait for each other.
    for programme_code in sorted(row.programme_code for row in deleted if row.was_running):
        await give_back(tx, programme_code=programme_code, now=now)
    await eligibility_store.delete_traces(tx, subject_id)


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
    waiting = {
        each.programme_code: _waiting(each) for each in await waiting_store.list_own(tx, subject_id)
    }
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
                waiting=waiting.get(each.programme.document.code),
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
        granted_by_case_id=row.granted_by_case_id,
    )


def _waiting(row: waiting_store.OwnPlace) -> Waiting:
    return Waiting(
        waiting_id=row.waiting_id,
        programme_code=row.programme_code,
        since=row.since,
        granted_by_case_id=row.granted_by_case_id,
        people_ahead_told=people_told(row.people_ahead),
    )
