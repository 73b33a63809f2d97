"""The queue at the door: passwords are compared a few at a time, and outside of transactions.

Comparing one takes a tenth of a second and 19 MiB, and anybody may ask for it without a token.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from backend.kit.clock import Clock
from backend.kit.crypto import Vault
from backend.kit.postgres import Database
from backend.kit.problem import Refusal
from backend.operator import rules, service
from backend.operator.rules import SessionKind, SignInDecision, SignInThrottled
from backend.operator.service import Knock, SetUp, SetUpFailed
from backend.operator.service.password import hash_password

AT_ONCE = 2
WAITING_MAX = 32
RETRY_AFTER_SECONDS = 5


class OperatorDesk:
    """Signs operators in and sets them up; one a process."""

    def __init__(self, *, database: Database, vault: Vault, clock: Clock) -> None:
        self._database, self._vault, self._clock = database, vault, clock
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._waiting = 0

    async def sign_in(
        self, who: Knock, *, password: str, code: str, kind: SessionKind, jkt: str | None = None
    ) -> SignInDecision:
        """Open a session, or say that it failed; raises Refusal too_many_requests."""
        async with self._turn():
            now = self._clock.now()
            async with self._database.write() as tx:
                knocked = await service.knock(tx, who=who, vault=self._vault, now=now)
            if isinstance(knocked, SignInThrottled):
                return knocked
            step = await asyncio.to_thread(
                service.prove, knocked, password=password, code=code, vault=self._vault, now=now
            )
            async with self._database.write() as tx:
                return await service.enter(
                    tx, knocked=knocked, step=step, kind=kind, jkt=jkt, now=now
                )

    async def set_up(
        self, who: Knock, *, set_up_code: str, password: str
    ) -> SetUp | SetUpFailed | SignInThrottled:
        """Set a new operator up; raises Refusal operator_password_weak or too_many_requests."""
        password = rules.parse_password(password, login=who.login)
        async with self._turn():
            now = self._clock.now()
            async with self._database.write() as tx:
                knocked = await service.knock(tx, who=who, vault=self._vault, now=now)
            if isinstance(knocked, SignInThrottled):
                return knocked
            password_hash = await asyncio.to_thread(hash_password, password)
            async with self._database.write() as tx:
                return await service.finish_set_up(
                    tx,
                    knocked=knocked,
                    set_up_code=set_up_code,
                    password_hash=password_hash,
                    vault=self._vault,
                    now=now,
                )

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        if self._waiting >= WAITING_MAX:
            raise Refusal("too_many_requests", retry_after_seconds=RETRY_AFTER_SECONDS)
        self._waiting += 1
        try:
            async with self._turns:
                yield
        finally:
            self._waiting -= 1
