"""An operator's step that is taken once, however often it is sent."""

import re
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TypeVar

import msgspec

from backend.access.rules import OperatorPrincipal
from backend.kit.idempotency import once
from backend.kit.postgres import Database, Tx
from backend.kit.problem import Refusal
from backend.ledger.rules import Actor
from backend.programme.api.version_view import VersionView, version_view
from backend.programme.rules.life import Version

T = TypeVar("T", bound=msgspec.Struct)

VERSION_PROBLEMS = (
    *("parameter_invalid", "programme_unknown", "scope_insufficient", "token_invalid"),
)
STEP_PROBLEMS = (
    *("idempotency_key_in_flight", "idempotency_key_missing", "idempotency_key_reused"),
    *("programme_step_impossible", "reason_missing"),
    *VERSION_PROBLEMS,
)
_CODE = re.compile(r"[a-z][a-z0-9]*(?:[_-][a-z0-9]+)*")
_VERSION_MAX = 1_000_000


class OperatorTurn(msgspec.Struct, frozen=True):
    """What every step has: who, why, when, and the key it is taken once under."""

    db: Database
    operator: OperatorPrincipal
    reason: str
    key: str | None
    now: datetime

    @property
    def by(self) -> Actor:
        """Who acts, as it is written down."""
        return Actor.of(self.operator)

    async def version(self, request: str, run: Callable[[Tx], Awaitable[Version]]) -> VersionView:
        """Do something to a version once, and show it."""
        async with self.db.write() as tx:

            async def shown() -> VersionView:
                return version_view(await run(tx))

            return await self.once(tx, request, VersionView, shown)

    async def once(self, tx: Tx, request: str, kind: type[T], run: Callable[[], Awaitable[T]]) -> T:
        """Carry it out, or answer as it was answered; see `kit.idempotency.once`."""
        return await once(
            tx,
            owner_id=self.operator.operator_id,
            key=self.key,
            request=f"{request} {self.reason}".encode(),
            kind=kind,
            now=self.now,
            run=run,
        )


def check_name(code: str, version: int = 1) -> None:
    """Check that there can be such a version at all: what can't never reaches the database.

    Raises Refusal programme_unknown.
    """
    is_code = len(code) <= 64 and _CODE.fullmatch(code) is not None
    if not is_code or not 1 <= version <= _VERSION_MAX:
        raise Refusal("programme_unknown")
