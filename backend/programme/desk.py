"""The desks where eligibility checks and enrolments queue: one a process, a transaction a batch.

They are edges like api.py: they open the transaction and call one verb. A check's answer leaves
after the commit of its batch, so nothing is disclosed that is not in the ledger.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from backend.access.authenticate import TokenRefused
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
)
from backend.programme.rules.offer import Enrolment
from backend.programme.service.enrolling import Ask, Deferred

# Who asks again comes into a later batch, and costs nobody else anything. Of two processes each
# wins the race half of the time.
_ATTEMPTS_MAX = 8


class EligibilityDesk:
    """Answers partners' checks, many at a time."""

    def __init__(self, *, database: Database, vault: Vault, clock: Clock) -> None:
        self._database = database
        self._vault = vault
        self._clock = clock
        self._batcher: Batcher[EligibilityCheck, Outcome] = Batcher(self._flush, name="eligibility")

    async def check(self, check: EligibilityCheck) -> EligibilityAnswer:
        """Return the answer to one check once it is written.

        Raises TokenRefused (the consent ended meanwhile), Refusal too_many_requests (its looks of
        this day are used up), unavailable (the queue is full, the database is away, or others
        under the same consent were faster each time).
        """
        outcome = await self._batcher.ask(check)
        for _ in range(_ATTEMPTS_MAX - 1):
            if not isinstance(outcome, LookRaced):
                break
            outcome = await self._batcher.ask(check)
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

    async def _flush(self, checks: Sequence[EligibilityCheck]) -> list[Outcome]:
        async with self._database.write() as tx:
            return await service.check_eligibility(
                tx, checks=checks, vault=self._vault, now=self._clock.now()
            )


class Enrolled(msgspec.Struct, frozen=True):
    """What a citizen is told of a new enrolment, and again when the same request comes again."""

    enrolment_id: UUID
    programme: str
    version: int
    enrolled_at: datetime


class _AskOnce(msgspec.Struct, frozen=True):
    turn: Turn
    ask: Ask


class EnrolmentDesk:
    """Enrols citizens, many at a time: when seats are scarce, they all come at once."""

    def __init__(self, *, database: Database, vault: Vault, clock: Clock) -> None:
        self._database = database
        self._vault = vault
        self._clock = clock
        self._batcher: Batcher[_AskOnce, Enrolled | Refusal | Deferred] = Batcher(
            self._flush, name="enrolment"
        )

    async def enrol(
        self, *, subject_id: UUID, programme_code: str, key: str | None, request: bytes
    ) -> Enrolled:
        """Enrol a citizen once for this key; return when it is committed.

        Raises what service.enrol and kit.idempotency.once raise, and Refusal unavailable.
        """
        turn = Turn(subject_id, check_key(key), request)
        asked = _AskOnce(turn, Ask(subject_id, programme_code))
        for _ in range(_ATTEMPTS_MAX):
            outcome = await self._batcher.ask(asked)
            if isinstance(outcome, Refusal):
                raise outcome
            if isinstance(outcome, Enrolled):
                return outcome
        raise Unavailable("enrolment")

    async def close(self) -> None:
        """Take no more citizens, and return when those already taken are answered."""
        await self._batcher.close()

    async def _flush(self, asked: Sequence[_AskOnce]) -> list[Enrolled | Refusal | Deferred]:
        now = self._clock.now()
        async with self._database.write() as tx:
            deferred: set[int] = set()

            async def run(places: Sequence[int]) -> list[Enrolled | Refusal]:
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
                return [_told(each) for each in found]

            outcomes = await once_each(
                tx, turns=[each.turn for each in asked], kind=Enrolled, now=now, run=run
            )
        return [
            Deferred() if place in deferred else outcome for place, outcome in enumerate(outcomes)
        ]


def _told(outcome: Enrolment | Refusal | Deferred) -> Enrolled | Refusal:
    if isinstance(outcome, Enrolment):
        return Enrolled(
            enrolment_id=outcome.enrolment_id,
            programme=outcome.programme_code,
            version=outcome.programme_version,
            enrolled_at=outcome.enrolled_at,
        )
    return outcome if isinstance(outcome, Refusal) else Refusal("idempotency_key_in_flight")
