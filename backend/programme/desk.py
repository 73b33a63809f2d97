"""The desks where eligibility checks and enrolments queue: one a process, a transaction a batch.

They are edges like api.py: they open the transaction and call one verb. A check's answer leaves
after the commit of its batch, so nothing is disclosed that is not in the ledger.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from backend.access.admission import Admission, Arrival
from backend.access.authenticate import TokenRefused
from backend.access.guard import requires
from backend.access.rules import PartnerPrincipal, Scope
from backend.kit.batch import Batcher
from backend.kit.clock import Clock
from backend.kit.crypto import Vault
from backend.kit.idempotency import Turn, check_key, once_each
from backend.kit.postgres import Database
from backend.kit.problem import Refusal, Unavailable
from backend.programme import service
from backend.programme.rules.eligibility import (
    ConsentGone,
    EligibilityAnswer,
    EligibilityCheck,
    LookRaced,
    LooksSpent,
    Outcome,
    covers,
)
from backend.programme.rules.offer import Enrolment, Waiting
from backend.programme.service.enrolling import Ask, Deferred, Placed

# Who asks again comes into a later batch, and costs nobody else anything. Of two processes each
# wins the race half of the time.
_ATTEMPTS_MAX = 8
GUARD = requires(Scope.ELIGIBILITY_VERIFY)


class Caller:
    """A check whose caller is not known yet; `check` is what became of it once it was let in."""

    __slots__ = ("arrival", "check", "programme_code")

    def __init__(self, arrival: Arrival, programme_code: str) -> None:
        self.arrival = arrival
        self.programme_code = programme_code
        self.check: EligibilityCheck | None = None


class EligibilityDesk:
    """Answers partners' checks, many at a time."""

    def __init__(
        self, *, database: Database, vault: Vault, clock: Clock, admission: Admission
    ) -> None:
        self._database = database
        self._vault = vault
        self._clock = clock
        self.admission = admission
        self._batcher: Batcher[EligibilityCheck | Caller, Outcome | None] = Batcher(
            self._flush, name="eligibility"
        )

    async def check(self, check: EligibilityCheck) -> EligibilityAnswer:
        """Return the answer to one check once it is written.

        Raises TokenRefused (the consent ended meanwhile), Refusal too_many_requests (its looks of
        this day are used up), unavailable (the queue is full, the database is away, or others
        under the same consent were faster each time).
        """
        answer = await self._told(check)
        assert answer is not None, "who was let in already gets an answer"
        return answer

    async def check_of(self, arrival: Arrival, programme_code: str) -> EligibilityAnswer | None:
        """Let somebody in and answer, in one batch; None for whom the guard has to look at.

        Raises what `check` does.
        """
        return await self._told(Caller(arrival, programme_code))

    async def _told(self, asked: EligibilityCheck | Caller) -> EligibilityAnswer | None:
        outcome = await self._batcher.ask(asked)
        for _ in range(_ATTEMPTS_MAX - 1):
            if not isinstance(outcome, LookRaced):
                break
            # The proof is used by now, so whom it let in asks by name.
            asked = _check_of(asked)
            outcome = await self._batcher.ask(asked)
        if isinstance(outcome, LookRaced):
            raise Unavailable("eligibility")
        if isinstance(outcome, ConsentGone):
            # What a partner sees of any token that is dead (产品原则 3).
            raise TokenRefused("invalid_token", "the token is unknown, expired or revoked")
        if isinstance(outcome, LooksSpent):
            raise Refusal("too_many_requests", retry_after_seconds=outcome.retry_after_seconds)
        return outcome

    async def close(self) -> None:
        """Take no more checks, and return when those already taken are answered."""
        await self._batcher.close()

    async def _flush(self, asked: Sequence[EligibilityCheck | Caller]) -> list[Outcome | None]:
        now = self._clock.now()
        callers = {id(each.arrival): each for each in asked if isinstance(each, Caller)}
        let_in = await self._let_in(callers, now)
        if not let_in and len(callers) == len(asked):
            return [None] * len(asked)
        async with self._database.write() as tx:
            if let_in:
                let_in = await self.admission.mark_second(tx, let_in)
            proved = {id(each) for each in let_in}
            checks = [
                _check_of(each)
                for each in asked
                if not isinstance(each, Caller) or id(each.arrival) in proved
            ]
            outcomes = iter(
                await service.check_eligibility(tx, checks=checks, vault=self._vault, now=now)
            )
        return [
            next(outcomes) if not isinstance(each, Caller) or id(each.arrival) in proved else None
            for each in asked
        ]

    async def _let_in(self, callers: dict[int, Caller], now: datetime) -> list[Arrival]:
        """Return those who may ask what they ask, and whose proof Valkey doesn't know.

        Before the transaction: nobody waits for Valkey in one.
        """
        if not callers:
            return []
        arrivals = [each.arrival for each in callers.values()]
        allowed = []
        for arrival in await self.admission.recognise(arrivals, now=now):
            caller, partner = callers[id(arrival)], arrival.principal
            if isinstance(partner, PartnerPrincipal) and GUARD.allows(partner):
                caller.check = check_of(partner, caller.programme_code)
                if caller.check is not None:
                    allowed.append(arrival)
        return await self.admission.mark_first(allowed) if allowed else []


def check_of(partner: PartnerPrincipal, programme_code: str) -> EligibilityCheck | None:
    """Return the check that a partner's token allows of a programme, or None."""
    if not covers(partner.details, programme_code):
        return None
    return EligibilityCheck(
        subject_id=partner.subject_id,
        consent_id=partner.consent_id,
        partner_id=partner.partner_id,
        client_id=partner.client_id,
        programme_code=programme_code,
    )


def _check_of(asked: EligibilityCheck | Caller) -> EligibilityCheck:
    check = asked.check if isinstance(asked, Caller) else asked
    assert check is not None, "who was let in has a check"
    return check


class Enrolled(msgspec.Struct, frozen=True):
    """What a citizen is told of a new enrolment, and again when the same request comes again."""

    enrolment_id: UUID
    programme: str
    version: int
    enrolled_at: datetime


class Waits(msgspec.Struct, frozen=True):
    """What a citizen is told who waits for a seat, and again when the same request comes again."""

    waiting_id: UUID
    programme: str
    since: datetime


class _Kept(msgspec.Struct, frozen=True):
    """Either of the two, as it is kept for repetitions."""

    programme: str
    enrolment_id: UUID | None = None
    version: int = 0
    enrolled_at: datetime | None = None
    waiting_id: UUID | None = None
    since: datetime | None = None

    def told(self) -> Enrolled | Waits:
        """Return what the citizen is told."""
        if self.enrolment_id is not None and self.enrolled_at is not None:
            return Enrolled(self.enrolment_id, self.programme, self.version, self.enrolled_at)
        assert self.waiting_id is not None, "who isn't enrolled waits"
        assert self.since is not None, "who waits does so since a moment"
        return Waits(self.waiting_id, self.programme, self.since)


class _AskOnce(msgspec.Struct, frozen=True):
    turn: Turn
    ask: Ask


class EnrolmentDesk:
    """Enrols citizens, many at a time: when seats are scarce, they all come at once."""

    def __init__(self, *, database: Database, vault: Vault, clock: Clock) -> None:
        self._database = database
        self._vault = vault
        self._clock = clock
        self._batcher: Batcher[_AskOnce, _Kept | Refusal | Deferred] = Batcher(
            self._flush, name="enrolment"
        )

    async def enrol(
        self, *, subject_id: UUID, programme_code: str, key: str | None, request: bytes
    ) -> Enrolled:
        """Enrol a citizen once for this key; return when it is committed.

        Raises what service.enrol and kit.idempotency.once raise, and Refusal unavailable.
        """
        told = await self._told(Ask(subject_id, programme_code), key=key, request=request)
        assert isinstance(told, Enrolled), "who doesn't wait is enrolled or refused"
        return told

    async def enrol_or_wait(
        self, *, subject_id: UUID, programme_code: str, key: str | None, request: bytes
    ) -> Enrolled | Waits:
        """Do as `enrol` does, but let the citizen wait where no seat is free."""
        ask = Ask(subject_id, programme_code, wait=True)
        return await self._told(ask, key=key, request=request)

    async def _told(self, ask: Ask, *, key: str | None, request: bytes) -> Enrolled | Waits:
        asked = _AskOnce(Turn(ask.subject_id, check_key(key), request), ask)
        for _ in range(_ATTEMPTS_MAX):
            outcome = await self._batcher.ask(asked)
            if isinstance(outcome, Refusal):
                raise outcome
            if isinstance(outcome, _Kept):
                return outcome.told()
        raise Unavailable("enrolment")

    async def close(self) -> None:
        """Take no more citizens, and return when those already taken are answered."""
        await self._batcher.close()

    async def _flush(self, asked: Sequence[_AskOnce]) -> list[_Kept | Refusal | Deferred]:
        now = self._clock.now()
        async with self._database.write() as tx:
            deferred: set[int] = set()

            async def run(places: Sequence[int]) -> list[_Kept | Refusal]:
                found = await service.enrol_many(
                    tx,
                    asks=[asked[place].ask for place in places],
                    vault=self._vault,
                    now=now,
                )
                deferred.update(
                    place
                    for place, each in zip(places, found, strict=True)
                    if isinstance(each, Deferred)
                )
                return [_kept(each) for each in found]

            outcomes = await once_each(
                tx, turns=[each.turn for each in asked], kind=_Kept, now=now, run=run
            )
        return [
            Deferred() if place in deferred else outcome for place, outcome in enumerate(outcomes)
        ]


def _kept(outcome: Placed | Deferred) -> _Kept | Refusal:
    if isinstance(outcome, Enrolment):
        return _Kept(
            programme=outcome.programme_code,
            enrolment_id=outcome.enrolment_id,
            version=outcome.programme_version,
            enrolled_at=outcome.enrolled_at,
        )
    if isinstance(outcome, Waiting):
        return _Kept(
            programme=outcome.programme_code,
            waiting_id=outcome.waiting_id,
            since=outcome.since,
        )
    return outcome if isinstance(outcome, Refusal) else Refusal("idempotency_key_in_flight")
