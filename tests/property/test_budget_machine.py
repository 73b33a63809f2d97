"""Goal: in any order of reserving, lowering, settling, releasing, expiring, refilling, publishing,
a budget is exact: nothing is promised beyond a limit, nothing is refused that fits.

Method: a Hypothesis state machine drives the real verbs on a real PostgreSQL, one transaction a
step, beside a model of a few lines that knows amounts and limits only; after each step balances and
history must say what the model says. What is refused is refused in a transaction that commits.
"""

import asyncio
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from backend.kit.clock import city_date
from backend.kit.postgres import Database
from backend.kit.problem import Refusal
from backend.programme.rules.budget import Reservation, buckets_of
from backend.programme.rules.document import Budget, Limit, Programme
from backend.programme.service import budget
from tests.conftest import NOW
from tests.support.budget_world import CODE, broken, citizen, partner, publish, publish_next
from tests.support.examples import examples

AMOUNTS = st.integers(0, 60)
LIMIT = st.builds(
    Limit,
    amount_fen=st.none() | st.integers(20, 200),
    uses=st.none() | st.integers(2, 8),
)
BUDGETS = st.none() | st.builds(
    lambda whole, partner, day, month, citizen: Budget(
        reservation_minutes=60,
        amount_fen=whole.amount_fen,
        uses=whole.uses,
        partner=partner,
        day=day,
        month=month,
        citizen=citizen,
    ),
    *[LIMIT] * 5,
)
WHY: dict[str, Any] = {"by_whom": "partner:x", "reason": "order"}
Key = tuple[str, str]


class Held:
    """A reservation as the model has it."""

    def __init__(self, made: Reservation, citizen_limit: Limit) -> None:
        self.made, self.citizen_limit = made, citizen_limit
        self.amount, self.settled, self.state = made.amount_fen, 0, "reserved"

    @property
    def keys(self) -> list[Key]:
        return keys_of(self.made.partner_id, self.made.day)


def keys_of(partner_id: UUID, day: date) -> list[Key]:
    return [(each.span, each.name) for each in buckets_of(partner_id, day)]


def limit_of(budget: Budget | None, span: Any) -> Limit:
    return Limit() if budget is None else budget.limit_of(span)


class Budgets(RuleBasedStateMachine):
    """A programme, three partners, three citizens; `database` and `runner` are set by the test."""

    database: Database
    runner: asyncio.Runner

    def __init__(self) -> None:
        super().__init__()
        self.now = NOW
        self.held: list[Held] = []
        self.limits: dict[Key, Limit] = {}
        self.programme: Programme = self.runner.run(self._begin())
        self.limits["programme", ""] = Limit()

    async def _begin(self) -> Programme:
        async with self.database.write() as tx:
            for table in ("budget_entry", "budget"):
                await tx.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
            for table in ("reservation", "citizen_budget", "budget_entry", "budget"):
                await tx.execute(f"DELETE FROM {table}")
            for table in ("budget_entry", "budget"):
                await tx.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")
            await publish(tx, None, now=self.now)
            return await publish_next(tx, None, now=self.now)

    def do(self, verb: Any, **arguments: Any) -> Any:
        """Run a verb in a transaction that commits, also when it refuses; a refusal's facts."""

        async def step() -> Any:
            async with self.database.write() as tx:
                try:
                    return await verb(tx, now=self.now, **arguments)
                except Refusal as refusal:
                    return refusal

        return self.runner.run(step())

    def sums(self, key: Key) -> tuple[int, int, int]:
        """What the model says of a bucket: reserved, settled, uses."""
        mine = [h for h in self.held if key in h.keys]
        return _sums(mine)

    def is_known(self, key: Key) -> Limit:
        """The limit of a bucket; one that appears has that of the version in force."""
        return self.limits.setdefault(key, limit_of(self.programme.document.budget, key[0]))

    @rule(who=st.integers(1, 3), at=st.integers(1, 3), amount=AMOUNTS, minutes=st.integers(0, 90))
    def reserve(self, who: int, at: int, amount: int, minutes: int) -> None:
        outcome = self.do(
            budget.reserve,
            subject_id=citizen(who),
            programme=self.programme,
            partner_id=partner(at),
            amount_fen=amount,
            expires_at=None if minutes == 0 else self.now + timedelta(minutes=minutes),
            **WHY,
        )
        spent = [
            key[0]
            for key in keys_of(partner(at), city_date(self.now))
            if not _fits(self.is_known(key), self.sums(key), amount)
        ]
        own = limit_of(self.programme.document.budget, "citizen")
        mine = [h for h in self.held if h.made.subject_id == citizen(who)]
        if not _fits(own, _sums(mine), amount):
            spent.append("citizen")
        if spent:
            assert isinstance(outcome, Refusal), "no more is promised than there is"
            assert outcome.facts == {"span": spent[0]}
        else:
            assert isinstance(outcome, Reservation), "nothing is refused that fits"
            self.held.append(Held(outcome, own))

    def _one(self, place: int) -> Held | None:
        return self.held[place % len(self.held)] if self.held else None

    def _state(self, held: Held) -> str:
        due = held.made.expires_at is not None and held.made.expires_at <= self.now
        return "expired" if held.state == "reserved" and due else held.state

    def _change(self, held: Held, verb: Any, **more: Any) -> Any:
        made = held.made
        return self.do(
            verb,
            subject_id=made.subject_id,
            reservation_id=made.reservation_id,
            **WHY,
            **more,
        )

    @rule(place=st.integers(0, 50), amount=AMOUNTS)
    def settle(self, place: int, amount: int) -> None:
        if (held := self._one(place)) is None:
            return
        outcome = self._change(held, budget.settle, settled_fen=amount)
        if held.state == "settled" and held.settled == amount:
            assert outcome.settled_fen == amount
        elif self._state(held) != "reserved":
            assert outcome.facts == {"state": self._state(held)}
        elif amount > held.amount:
            assert outcome.code == "budget_amount_above_reserved"
        else:
            assert outcome.state == "settled"
            held.state, held.settled = "settled", amount

    @rule(place=st.integers(0, 50), amount=AMOUNTS)
    def lower(self, place: int, amount: int) -> None:
        if (held := self._one(place)) is None:
            return
        outcome = self._change(held, budget.lower, amount_fen=amount)
        if self._state(held) != "reserved":
            assert outcome.facts == {"state": self._state(held)}
        elif amount > held.amount:
            assert outcome.code == "budget_amount_above_reserved"
        else:
            assert outcome.amount_fen == amount
            held.amount = amount

    @rule(place=st.integers(0, 50))
    def release(self, place: int) -> None:
        if (held := self._one(place)) is None:
            return
        outcome = self._change(held, budget.release)
        if held.state == "settled":
            assert outcome.facts == {"state": "settled"}
        elif held.state == "reserved":
            assert outcome.state == held_state(held, "released")

    @rule(minutes=st.sampled_from([1, 30, 90, 60 * 24, 60 * 24 * 12]))
    def time_goes_on(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)

    @rule()
    def expire(self) -> None:
        due = [h for h in self.held if h.state == "reserved" and self._state(h) == "expired"]
        assert self.do(budget.expire_due) == len(due)
        for held in due:
            held.state = "expired"

    @rule(span=st.sampled_from(["programme", "partner", "day", "month"]), amount=AMOUNTS)
    def refill(self, span: Any, amount: int) -> None:
        key = keys_of(partner(1), city_date(self.now))[
            ["programme", "partner", "day", "month"].index(span)
        ]
        limit = self.is_known(key)
        outcome = self.do(
            budget.refill,
            programme_code=CODE,
            span=span,
            bucket=key[1],
            amount_fen=amount,
            uses=0 if limit.uses is None else 1,
            by_whom="operator:x",
            reason="more",
        )
        nothing = amount == 0 and limit.uses is None
        if nothing or (amount and limit.amount_fen is None):
            assert outcome.code == "budget_refill_impossible"
            return
        self.limits[key] = Limit(
            amount_fen=None if limit.amount_fen is None else limit.amount_fen + amount,
            uses=None if limit.uses is None else limit.uses + 1,
        )

    @rule(next_budget=BUDGETS)
    def publish(self, next_budget: Budget | None) -> None:
        today = city_date(self.now)
        counts = {
            key
            for key in self.limits
            if key[0] in {"programme", "partner"}
            or (key[0] == "day" and key[1] >= today.isoformat())
            or (key[0] == "month" and key[1] >= f"{today:%Y-%m}")
        }
        below = [k for k in counts if not _bears(limit_of(next_budget, k[0]), self.sums(k))]

        async def step() -> Any:
            try:
                async with self.database.write() as tx:
                    return await publish_next(tx, next_budget, now=self.now)
            except Refusal as refusal:
                return refusal

        outcome = self.runner.run(step())
        if below:
            assert outcome.code == "budget_below_reserved"
            assert (outcome.facts["span"], outcome.facts["bucket"]) in below
            return
        assert isinstance(outcome, Programme)
        self.programme = outcome
        self.limits.update({key: limit_of(next_budget, key[0]) for key in counts})

    @invariant()
    def database_and_model_agree(self) -> None:
        """Every balance is the model's, and the books hold."""
        found, faults = self.runner.run(self._look())
        assert faults == {}
        for balance in found:
            key = (balance.span, balance.bucket)
            assert (balance.reserved_fen, balance.settled_fen, balance.uses) == self.sums(key)
            limit = self.limits.get(key)
            assert limit is None or limit == Limit(
                amount_fen=balance.limit_fen, uses=balance.limit_uses
            )
        there = {(balance.span, balance.bucket) for balance in found}
        assert {key for held in self.held for key in held.keys} <= there

    async def _look(self) -> Any:
        async with self.database.read() as tx:
            # From the first day on, whatever the clock of the machine says.
            found = await budget.get_balances(tx, programme_code=CODE, now=NOW)
            return found, await broken(tx)


def held_state(held: Held, state: str) -> str:
    held.state = state
    return state


def _sums(held: list[Held]) -> tuple[int, int, int]:
    return (
        sum(h.amount for h in held if h.state == "reserved"),
        sum(h.settled for h in held if h.state == "settled"),
        sum(h.state in {"reserved", "settled"} for h in held),
    )


def _fits(limit: Limit, sums: tuple[int, int, int], amount: int) -> bool:
    reserved, settled, uses = sums
    fits = limit.amount_fen is None or reserved + settled + amount <= limit.amount_fen
    return fits and (limit.uses is None or uses + 1 <= limit.uses)


def _bears(limit: Limit, sums: tuple[int, int, int]) -> bool:
    reserved, settled, uses = sums
    fits = limit.amount_fen is None or reserved + settled <= limit.amount_fen
    return fits and (limit.uses is None or uses <= limit.uses)


@pytest.mark.parametrize("steps", [30])
def test_budgets_in_any_order(database_url: str, steps: int) -> None:
    """Exact to the fen, whatever happens in whatever order."""
    with asyncio.Runner() as runner:
        Budgets.runner = runner
        Budgets.database = runner.run(Database.open(database_url, size=2, role=None))
        try:
            run_state_machine_as_test(
                Budgets,
                settings=examples(
                    25,
                    stateful_step_count=steps,
                    suppress_health_check=list(HealthCheck),
                ),
            )
        finally:
            runner.run(Budgets.database.close())
