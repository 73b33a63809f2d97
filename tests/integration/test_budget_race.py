"""Goal: whoever comes at the same moment, nothing is oversold and nothing that fits is refused.

Method: real races, each contender on a connection of its own: for the last fen of each limit, for
one reservation, and a long mixed one with refills, new versions and the clock's own job among them.
Afterwards the books are asked, and what contenders were told is compared with them.
"""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from backend.kit.postgres import Database, Tx
from backend.kit.problem import Refusal
from backend.programme.rules.budget import Reservation
from backend.programme.rules.document import Budget, Limit, Programme, Span
from backend.programme.service import budget
from tests.conftest import NOW
from tests.support.budget_world import CODE, broken, citizen, partner, publish, publish_next

CONNECTIONS = 20
WHY: dict[str, Any] = {"by_whom": "partner:x", "reason": "order"}


@pytest.fixture
async def crowd(database_url: str) -> AsyncIterator[Database]:
    database = await Database.open(database_url, size=CONNECTIONS)
    yield database
    async with database.read() as tx:
        faults = await broken(tx)
    await database.close()
    assert faults == {}


async def opened(database: Database, terms: Budget) -> Programme:
    async with database.write() as tx:
        return await publish(tx, terms, now=NOW)


async def told(database: Database, verb: Callable[[Tx], Awaitable[Any]]) -> Any:
    """Do one thing in a transaction of its own; return what was told once it had committed."""
    try:
        async with database.write() as tx:
            return await verb(tx)
    except Refusal as refusal:
        return refusal


def reserving(
    programme: Programme, who: int, at: int, amount: int, *, minutes: int | None = None
) -> Callable[[Tx], Awaitable[Reservation]]:
    return lambda tx: budget.reserve(
        tx,
        subject_id=citizen(who),
        programme=programme,
        partner_id=partner(at),
        amount_fen=amount,
        expires_at=None if minutes is None else NOW + timedelta(minutes=minutes),
        now=NOW,
        **WHY,
    )


@pytest.mark.parametrize(
    ("terms", "span"),
    [
        (Budget(reservation_minutes=60, amount_fen=99_97), "programme"),
        (Budget(reservation_minutes=60, partner=Limit(amount_fen=99_97)), "partner"),
        (Budget(reservation_minutes=60, day=Limit(amount_fen=99_97)), "day"),
        (Budget(reservation_minutes=60, month=Limit(amount_fen=99_97)), "month"),
        (Budget(reservation_minutes=60, citizen=Limit(amount_fen=99_97)), "citizen"),
        (Budget(reservation_minutes=60, uses=31), "programme"),
        (Budget(reservation_minutes=60, citizen=Limit(uses=31)), "citizen"),
    ],
    ids=str,
)
async def test_the_last_fen_has_many_contenders(crowd: Database, terms: Budget, span: Span) -> None:
    programme = await opened(crowd, terms)
    chance = random.Random(4)
    amounts = [chance.randrange(1, 400) for _ in range(120)]
    who = 1 if span == "citizen" else None
    outcomes = await asyncio.gather(
        *(
            told(crowd, reserving(programme, who or place, 1, amount))
            for place, amount in enumerate(amounts)
        )
    )
    made = [each for each in outcomes if isinstance(each, Reservation)]
    refused = [
        amount
        for amount, each in zip(amounts, outcomes, strict=True)
        if isinstance(each, Refusal) and each.facts == {"span": span}
    ]
    assert len(made) + len(refused) == len(amounts), "nobody was told anything else"
    bound = terms.limit_of(span)
    if bound.uses is not None:
        assert len(made) == bound.uses
    else:
        assert bound.amount_fen is not None
        left = bound.amount_fen - sum(each.amount_fen for each in made)
        assert 0 <= left < min(refused), "not one fen too many, and nobody turned away who fitted"


async def test_one_reservation_is_closed_once(crowd: Database) -> None:
    programme = await opened(crowd, Budget(reservation_minutes=60, amount_fen=10_00))
    for turn in range(8):
        made = await told(crowd, reserving(programme, turn, 1, 1_00, minutes=5))
        named = {"subject_id": made.subject_id, "reservation_id": made.reservation_id}
        now = NOW + timedelta(minutes=5 if turn % 2 else 4)

        def step(number: int, named: Any = named, now: Any = now) -> Any:
            return [
                lambda tx: budget.settle(tx, **named, settled_fen=1, now=now, **WHY),
                lambda tx: budget.settle(tx, **named, settled_fen=2, now=now, **WHY),
                lambda tx: budget.release(tx, **named, now=now, **WHY),
                lambda tx: budget.lower(tx, **named, amount_fen=50, now=now, **WHY),
                lambda tx: budget.expire_due(tx, now=now),
            ][number % 5]

        outcomes = await asyncio.gather(*(told(crowd, step(number)) for number in range(20)))
        async with crowd.read() as tx:
            closings = await tx.fetch_value(
                int,
                """SELECT count(*) FROM budget_entry WHERE reservation_id = $1
                   AND kind IN ('settle', 'release', 'expire') AND span = 'programme'""",
                made.reservation_id,
            )
            state = await tx.fetch_value(
                str, "SELECT state FROM reservation WHERE reservation_id = $1", made.reservation_id
            )
        assert closings == 1
        settled = {each.settled_fen for each in outcomes if isinstance(each, Reservation)} - {None}
        assert len(settled) == (state == "settled"), "those who were told agree on the amount"


class Play:
    """A long mixed race."""

    def __init__(self, database: Database, programme: Programme, seed: int) -> None:
        self.database, self.programme = database, programme
        self.chance = random.Random(seed)
        self.held: list[Reservation] = []
        self.told: Counter[str] = Counter()
        self.minute = 0

    async def one(self) -> None:
        kind = self.chance.choices(
            ["reserve", "settle", "release", "lower", "expire", "refill", "publish"],
            [10, 4, 4, 3, 1, 1, 1],
        )[0]
        self.minute += 1
        outcome = await told(self.database, getattr(self, f"_{kind}")())
        self.told[outcome.code if isinstance(outcome, Refusal) else kind] += 1

    def _reserve(self) -> Any:
        who, at = self.chance.randrange(8), self.chance.randrange(3)
        amount, minutes = self.chance.randrange(300), self.chance.choice([None, None, 90, 400])
        made = reserving(self.programme, who, at, amount, minutes=minutes)

        async def verb(tx: Tx) -> None:
            reservation = await made(tx)
            if self.chance.random() < 0.1:
                raise Refusal("benefit_unavailable")  # the caller thinks better of it
            self.held.append(reservation)

        return verb

    def _closing(self, verb: Any, **more: Any) -> Any:
        made = self.chance.choice(self.held) if self.held else None
        now = NOW + timedelta(minutes=self.minute)

        async def run(tx: Tx) -> Any:
            if made is None:
                return None
            return await verb(
                tx,
                subject_id=made.subject_id,
                reservation_id=made.reservation_id,
                now=now,
                **WHY,
                **more,
            )

        return run

    def _settle(self) -> Any:
        return self._closing(budget.settle, settled_fen=self.chance.randrange(300))

    def _release(self) -> Any:
        return self._closing(budget.release)

    def _lower(self) -> Any:
        return self._closing(budget.lower, amount_fen=self.chance.randrange(300))

    def _expire(self) -> Any:
        now = NOW + timedelta(minutes=self.minute)
        return lambda tx: budget.expire_due(tx, now=now)

    def _refill(self) -> Any:
        span, bucket = self.chance.choice(
            [("programme", ""), ("partner", str(partner(1))), ("day", "2026-11-20")]
        )
        amount = self.chance.randrange(1, 200)
        return lambda tx: budget.refill(
            tx,
            programme_code=CODE,
            span=span,
            bucket=bucket,
            amount_fen=amount,
            by_whom="operator:x",
            reason="more",
            now=NOW,
        )

    def _publish(self) -> Any:
        terms = Budget(
            reservation_minutes=60,
            amount_fen=self.chance.randrange(1_500, 6_000),
            partner=Limit(amount_fen=self.chance.randrange(1_000, 4_000)),
            day=Limit(amount_fen=self.chance.randrange(1_500, 6_000), uses=60),
            citizen=Limit(amount_fen=900),
        )

        async def verb(tx: Tx) -> None:
            self.programme = await publish_next(tx, terms, now=NOW)

        return verb


@pytest.mark.parametrize("seed", [1, 2])
async def test_everything_at_once(crowd: Database, seed: int) -> None:
    terms = Budget(
        reservation_minutes=60,
        amount_fen=3_000,
        partner=Limit(amount_fen=1_500),
        day=Limit(amount_fen=3_000),
        month=Limit(uses=400),
        citizen=Limit(amount_fen=900),
    )
    play = Play(crowd, await opened(crowd, terms), seed)

    async def player() -> None:
        for _ in range(25):
            await play.one()

    await asyncio.gather(*(player() for _ in range(CONNECTIONS)))
    assert sum(play.told.values()) == 25 * CONNECTIONS
    assert "unavailable" not in play.told, "nobody waits in a circle"
    # Everything was tried, and the limits were felt.
    assert play.told.keys() >= {"reserve", "settle", "release", "lower", "budget_spent", "refill"}
