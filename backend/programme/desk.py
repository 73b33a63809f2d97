"""The desk where eligibility checks queue: one a process, a transaction a batch.

It is an edge like api.py: it opens the transaction and calls one verb. A check's answer leaves
after the commit of its batch, so nothing is disclosed that is not in the ledger.
"""

from collections.abc import Sequence

from backend.access.authenticate import TokenRefused
from backend.kit.batch import Batcher
from backend.kit.clock import Clock
from backend.kit.crypto import Vault
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
