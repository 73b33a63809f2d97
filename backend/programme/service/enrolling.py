"""Enrolling, one citizen or many at a time: decided by the same rules, with the same seats."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from backend.kit.clock import city_date
from backend.kit.crypto import Vault
from backend.kit.ids import new_id
from backend.kit.postgres import Tx
from backend.kit.problem import Refusal
from backend.programme.rules.context import check_context
from backend.programme.rules.document import Document
from backend.programme.rules.fact import Vocabulary
from backend.programme.rules.offer import (
    Enrolment,
    Waiting,
    check_enrolment,
    check_exclusion,
)
from backend.programme.rules.rule import Facts
from backend.programme.service.context import find_context_lacks
from backend.programme.service.publication import (
    PublishedProgramme,
    find_programme,
    get_vocabulary,
    programmes_by_digest,
)
from backend.programme.store import enrolment as store
from backend.programme.store import waiting as waiting_store
from backend.score import service as score
from backend.score.rules.state import facts_of


class Ask(msgspec.Struct, frozen=True):
    """Who wants to enrol in what, and whether they wait for a seat when none is free.

    With `granted_by_case_id`, a person let the rule count as met.
    """

    subject_id: UUID
    programme_code: str
    wait: bool = False
    granted_by_case_id: UUID | None = None


Placed = Enrolment | Waiting | Refusal


class Deferred(msgspec.Struct, frozen=True):
    """Not decided: another ask of the same citizen came first in the same batch."""


async def enrol(
    tx: Tx, *, subject_id: UUID, programme_code: str, now: datetime, vault: Vault | None = None
) -> Enrolment:
    """Enrol a citizen in the version in force, and take a seat; `vault` as in `enrol_many`.

    Raises Refusal not_found, programme_closed, participation_required, not_eligible_yet (missing),
    already_enrolled, enrolment_excluded (programme), seats_sold_out.
    """
    outcome = await _enrol_one(tx, Ask(subject_id, programme_code), now=now, vault=vault)
    assert isinstance(outcome, Enrolment), "who doesn't wait is enrolled or refused"
    return outcome


async def enrol_or_wait(
    tx: Tx, *, subject_id: UUID, programme_code: str, now: datetime, vault: Vault | None = None
) -> Enrolment | Waiting:
    """Enrol a citizen, or let them wait where no seat is free; who waits already keeps the place.

    Raises what `enrol` does, but never seats_sold_out.
    """
    ask = Ask(subject_id, programme_code, wait=True)
    return await _enrol_one(tx, ask, now=now, vault=vault)


async def _enrol_one(
    tx: Tx, ask: Ask, *, now: datetime, vault: Vault | None
) -> Enrolment | Waiting:
    (outcome,) = await enrol_many(tx, asks=[ask], now=now, vault=vault)
    assert not isinstance(outcome, Deferred), "nobody came first"
    if isinstance(outcome, Refusal):
        raise outcome
    return outcome


async def enrol_many(
    tx: Tx, *, asks: Sequence[Ask], now: datetime, vault: Vault | None = None
) -> list[Placed | Deferred]:
    """Decide a batch of enrolments; one outcome an ask, in order, and first come, first served.

    The outcomes may be told once the transaction has committed. What is refused changes nothing,
    so the others stand. `vault` opens what conditions of enrolment ask about (`[enrol]`); without
    it there can be no programme that has any.
    """
    batch = _Batch(tx, now, asks, vault)
    await batch.gather()
    await batch.decide()
    # Last, because everybody who enrols in a programme waits here for everybody else; in one
    # order, so that two batches can't wait for each other.
    for programme_code in sorted(batch.fit):
        await batch.seat(programme_code)
    return batch.answers()


async def enrol_waiting(
    tx: Tx,
    *,
    asks: Sequence[Ask],
    programme_code: str,
    seats: int,
    now: datetime,
    vault: Vault,
) -> list[Enrolment]:
    """Give seats that are kept to the first of those who wait and fit; return who got one.

    Who isn't in the queue any more gets none.
    """
    batch = _Batch(tx, now, asks, vault)
    await batch.gather()
    await batch.decide()
    return await batch.seat_waiting(programme_code, seats)


class _Batch:
    """A batch under way: what is known, who fits, and what each is told."""

    def __init__(self, tx: Tx, now: datetime, asks: Sequence[Ask], vault: Vault | None) -> None:
        self._tx, self._now, self._asks, self._vault = tx, now, asks, vault
        self._outcomes: dict[int, Placed | Deferred] = {}
        self._programmes: dict[str, PublishedProgramme | None] = {}
        self._contenders: dict[UUID, store.Contender] = {}
        # Places in the batch of those who fit, by programme, in the order they came in.
        self.fit: dict[str, list[int]] = defaultdict(list)

    async def gather(self) -> None:
        """Read what is asked about, and hold who asks."""
        for code in {ask.programme_code for ask in self._asks}:
            self._programmes[code] = await find_programme(self._tx, programme_code=code)
        turns = {
            ask.subject_id
            for ask in self._asks
            if (document := self._document(ask)) is not None and document.exclusive_group
        }
        if turns:
            # Two enrolments of which one excludes the other must see each other.
            await store.take_turns(self._tx, sorted(turns))
        subject_ids = sorted({ask.subject_id for ask in self._asks})
        held = await store.hold_contenders(self._tx, subject_ids)
        self._contenders = {each.subject_id: each for each in held}

    async def decide(self) -> None:
        """Decide each ask, seats apart."""
        vocabulary = await get_vocabulary(self._tx)
        facts = await self._facts()
        running = {digest for each in self._contenders.values() for digest in each.running}
        promised = await programmes_by_digest(self._tx, running)
        documents = {digest: each.document for digest, each in promised.items()}
        seen: set[UUID] = set()
        for place, ask in enumerate(self._asks):
            if ask.subject_id in seen:
                self._outcomes[place] = Deferred()
                continue
            seen.add(ask.subject_id)
            try:
                self._check(ask, facts, vocabulary, documents)
                await self._check_context(ask)
            except Refusal as refusal:
                self._outcomes[place] = refusal
            else:
                self.fit[ask.programme_code].append(place)

    async def seat(self, programme_code: str) -> None:
        """Give those who fit a seat, as long as there are any; let wait who wants to."""
        left = await self._seat(programme_code, self.fit[programme_code])
        patient = [place for place in left if self._asks[place].wait]
        if patient:
            # Whoever gives a seat back sees who waits by now, or has given it back by now.
            await waiting_store.hold_seats(self._tx, programme_code)
            await self._queue(programme_code, await self._seat(programme_code, patient))
        for place in left:
            self._outcomes.setdefault(place, Refusal("seats_sold_out"))
        await self._leave_queue(programme_code)

    async def seat_waiting(self, programme_code: str, seats: int) -> list[Enrolment]:
        """Give as many seats as are kept to those who fit and still wait; return who got one."""
        left = self.fit[programme_code]
        enrolled: list[Enrolment] = []
        already = [
            self._asks[place].subject_id
            for place, outcome in self._outcomes.items()
            if isinstance(outcome, Refusal) and outcome.code == "already_enrolled"
        ]
        if already:
            await waiting_store.delete_waiting(self._tx, programme_code, already)
        while left and len(enrolled) < seats:
            wanted = seats - len(enrolled)
            turn, left = left[:wanted], left[wanted:]
            asked = [self._asks[place] for place in turn]
            queued = await waiting_store.delete_waiting(
                self._tx, programme_code, [ask.subject_id for ask in asked]
            )
            made = [self._enrolment(ask) for ask in asked if ask.subject_id in queued]
            inserted = await store.insert_enrolments(self._tx, made)
            enrolled += [each for each in made if each.enrolment_id in inserted]
        return enrolled

    async def _seat(self, programme_code: str, waiting: list[int]) -> list[int]:
        """Give seats in this order; return who is left when there are none."""
        while waiting:
            granted = await store.take_seats(self._tx, programme_code, len(waiting))
            turn, waiting = waiting[:granted], waiting[granted:]
            if not turn:
                break
            made = {place: self._enrolment(self._asks[place]) for place in turn}
            inserted = await store.insert_enrolments(self._tx, [*made.values()])
            for place, enrolment in made.items():
                is_in = enrolment.enrolment_id in inserted
                self._outcomes[place] = enrolment if is_in else Refusal("already_enrolled")
            # Enrolled by somebody else's door at the same moment: the seat is the next one's.
            if spare := len(made) - len(inserted):
                assert await store.give_seats_back(self._tx, programme_code, spare)
        return waiting

    async def _queue(self, programme_code: str, patient: Sequence[int]) -> None:
        """Let these wait, in this order."""
        if not patient:
            return
        asks = [self._asks[place] for place in patient]
        placed = await waiting_store.insert_waiting(
            self._tx,
            programme_code,
            [ask.subject_id for ask in asks],
            waiting_ids=[new_id(self._now) for _ in asks],
            case_ids=[self._grant(ask) for ask in asks],
            since=self._now,
        )
        found = {each.subject_id: each for each in placed}
        for place, ask in zip(patient, asks, strict=True):
            self._outcomes[place] = Waiting(
                waiting_id=found[ask.subject_id].waiting_id,
                programme_code=programme_code,
                since=found[ask.subject_id].since,
                granted_by_case_id=self._grant(ask),
                people_ahead_told=None,
            )

    async def _leave_queue(self, programme_code: str) -> None:
        """Let nobody wait for what they have got."""
        done = [
            outcome.subject_id
            for outcome in self._outcomes.values()
            if isinstance(outcome, Enrolment)
            and outcome.programme_code == programme_code
            and programme_code in self._contenders[outcome.subject_id].waits_for
        ]
        if done:
            await waiting_store.delete_waiting(self._tx, programme_code, done)

    def answers(self) -> list[Placed | Deferred]:
        """Return the outcomes in the order of the asks."""
        return [self._outcomes[place] for place in range(len(self._asks))]

    def _document(self, ask: Ask) -> Document | None:
        found = self._programmes[ask.programme_code]
        return None if found is None else found.programme.document

    def _check(
        self,
        ask: Ask,
        facts: Mapping[UUID, Facts],
        vocabulary: Vocabulary,
        documents: Mapping[bytes, Document],
    ) -> None:
        found = self._programmes[ask.programme_code]
        if found is None:
            raise Refusal("not_found")
        check_enrolment(
            found.programme,
            is_ended=found.is_closed,
            facts=facts.get(ask.subject_id),
            day=city_date(self._now),
            vocabulary=vocabulary,
            is_granted=self._grant(ask) is not None,
        )
        running = self._contenders[ask.subject_id].running
        check_exclusion(found.programme.document, [documents[digest] for digest in running])

    async def _check_context(self, ask: Ask) -> None:
        """Check the conditions of enrolment, last: only then is an identity number opened."""
        found = self._programmes[ask.programme_code]
        assert found is not None, "what isn't there was refused"
        if not found.programme.enrol:
            return
        if self._vault is None:
            raise RuntimeError("conditions of enrolment ask about what only a vault opens")
        check_context(
            await find_context_lacks(
                self._tx,
                subject_id=ask.subject_id,
                programme=found.programme,
                vault=self._vault,
                now=self._now,
            )
        )

    def _grant(self, ask: Ask) -> UUID | None:
        """Return the case that granted it: this ask's, or the one with which they wait."""
        contender = self._contenders.get(ask.subject_id)
        if ask.granted_by_case_id is not None or contender is None:
            return ask.granted_by_case_id
        granted = dict(zip(contender.waits_for, contender.grants, strict=True))
        return granted.get(ask.programme_code)

    async def _facts(self) -> dict[UUID, Facts]:
        scored = [each for each in self._contenders.values() if each.scorecard_digest is not None]
        scorecards = await score.scorecards_by_digest(
            self._tx, {each.scorecard_digest for each in scored if each.scorecard_digest}
        )
        facts: dict[UUID, Facts] = {}
        for each in scored:
            assert each.scorecard_digest is not None
            assert each.points is not None, "a score is there as a whole"
            facts[each.subject_id] = facts_of(
                scorecards[each.scorecard_digest],
                points=each.points,
                dimensions=each.dimensions or (),
                indicator_values=each.indicator_values or (),
            )
        return facts

    def _enrolment(self, ask: Ask) -> Enrolment:
        document = self._document(ask)
        assert document is not None, "who fits wants something there is"
        return Enrolment(
            subject_id=ask.subject_id,
            enrolment_id=new_id(self._now),
            programme_code=ask.programme_code,
            programme_version=document.version,
            enrolled_at=self._now,
            granted_by_case_id=self._grant(ask),
        )
