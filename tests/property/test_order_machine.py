"""Goal: in any order of opening, confirming, lowering, completing, cancelling, owing, answering and
waiting, an order does what its machine says, and the books add up.

Method: a Hypothesis state machine drives the real verbs on a real PostgreSQL, one transaction a
step, beside a model of a few lines; after each step the database must say what the model says.
"""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from backend.kit.clock import FixedClock, city_date
from backend.kit.problem import Refusal
from backend.order import service
from backend.order.jobs import expire_orders, stand_obligations
from backend.order.rules.order import Asked, Order
from tests.conftest import NOW
from tests.support.examples import examples
from tests.support.order_world import (
    Shop,
    books_of,
    exposure_of,
    obligation_of,
    row_of,
    topics_of,
)
from tests.support.programme_world import GOOD, City, open_city

CAP, EXPOSURE, CITIZENS_SHARE = 200_000, 300_000, 400_000
WHICH = st.integers(0, 4)
AMOUNTS = st.integers(1, 260_000)
RUNNING = ("created", "active")


@dataclass
class Known:
    """What the model knows of an order."""

    order_id: UUID
    state: str
    opened: int
    amount: int
    credit: int
    confirm_by: Any
    settled: int | None = None
    performance: str | None = None
    owed: str | None = None
    contested: bool = False
    promised: bool = False
    stands_on: Any = None
    messages: int = 1


class Ordering(RuleBasedStateMachine):
    """One citizen and one partner; `city`, `shop`, `runner` are set by the test."""

    city: City
    shop: Shop
    runner: asyncio.Runner

    def __init__(self) -> None:
        super().__init__()
        self.city.clock.advance(NOW - self.city.clock.now())
        self.person = self.runner.run(
            self.city.person(facts={**GOOD, "score": 650}, enrols=["rental"])
        )
        self.orders: list[Known] = []

    def do(self, verb: Any, **arguments: Any) -> Any:
        """Run a verb in a transaction of its own; a refusal's code is the outcome."""

        async def step() -> Any:
            async with self.city.house.database.write() as tx:
                return await verb(tx, now=self.city.clock.now(), **arguments)

        try:
            return self.runner.run(step())
        except Refusal as refusal:
            return refusal.code

    def pick(self, which: int) -> Known | None:
        return self.orders[which % len(self.orders)] if self.orders else None

    def partner(self, verb: Any, known: Known, **arguments: Any) -> Any:
        return self.do(verb, keeper=self.shop.keeper, order_id=known.order_id, **arguments)

    def citizen(self, verb: Any, known: Known, **arguments: Any) -> Any:
        return self.do(
            verb, subject_id=self.person.subject_id, order_id=known.order_id, **arguments
        )

    @rule(amount=AMOUNTS, partial=st.booleans())
    def open(self, amount: int, partial: bool) -> None:
        """All or nothing unless a part is taken too; never beyond cap and exposure."""
        if len(self.orders) >= 5:
            return
        free = EXPOSURE - sum(each.credit for each in self.orders if each.state in RUNNING)
        credit = min(amount, CAP, free)
        if credit < amount and not partial:
            credit = 0

        opener = self.runner.run(self.shop.opener(self.person, "rental"))
        done = self.do(
            service.open_order,
            opener=opener,
            asked=Asked("rental", f"R-{len(self.orders)}", amount, partial),
            vault=self.city.house.vault,
        )
        if amount > CAP and not partial:
            assert done == "order_amount_too_large"
            return
        if credit == 0:
            assert done is None
            return
        used = sum(
            each.settled if each.settled is not None else each.credit for each in self.orders
        )
        if done is None:
            assert used + credit > CITIZENS_SHARE, "there was room"
            return
        assert isinstance(done, Order)
        assert (done.amount_fen, done.credit_fen) == (amount, credit)
        self.orders.append(Known(done.order_id, "created", amount, amount, credit, done.confirm_by))

    @rule(which=WHICH)
    def confirm(self, which: int) -> None:
        known = self.pick(which)
        if known is None:
            return
        done = self.citizen(service.confirm, known)
        if known.state != "created" or self.city.clock.now() >= known.confirm_by:
            assert done == "order_state_conflict"
        elif done != "benefit_unavailable":  # what was kept ran out, and the share is used up
            assert done.state == "active"
            known.state = "active"
            known.messages += 1

    @rule(which=WHICH)
    def decline(self, which: int) -> None:
        if (known := self.pick(which)) is not None:
            done = self.citizen(service.decline, known)
            self._ends(known, done, "cancelled", possible=known.state == "created")

    @rule(which=WHICH)
    def cancel(self, which: int) -> None:
        if (known := self.pick(which)) is not None:
            done = self.partner(service.cancel, known)
            self._ends(known, done, "cancelled", possible=known.state in RUNNING)

    def _ends(self, known: Known, done: Any, state: str, *, possible: bool) -> None:
        if not possible:
            assert done == "order_state_conflict"
            return
        assert done.state == state
        known.state = state
        known.messages += 1

    @rule(which=WHICH, amount=AMOUNTS)
    def lower(self, which: int, amount: int) -> None:
        known = self.pick(which)
        if known is None:
            return
        done = self.partner(service.lower_amount, known, amount_fen=amount)
        if known.state not in RUNNING:
            assert done == "order_state_conflict"
        elif amount >= known.amount:
            assert done == "order_amount_not_lower"
        else:
            known.amount, known.credit = amount, min(known.credit, amount)
            known.messages += 1

    @rule(which=WHICH, settled=st.integers(0, 200_000), performed=st.booleans())
    def complete(self, which: int, settled: int, performed: bool) -> None:
        known = self.pick(which)
        if known is None:
            return
        done = self.partner(service.complete, known, settled_fen=settled, performed=performed)
        if known.state != "active":
            assert done == "order_state_conflict"
        elif settled > known.credit:
            assert done == "order_settled_too_much"
        else:
            known.state, known.settled = "completed", settled
            known.performance = "performed" if performed else None
            known.messages += 1

    @rule(which=WHICH)
    def perform(self, which: int) -> None:
        known = self.pick(which)
        if known is None:
            return
        done = self.partner(service.report_performed, known)
        if known.state != "completed":
            assert done == "order_state_conflict"
        elif known.performance not in (None, "nothing_owed"):
            assert done == "performance_reported"
        else:
            known.performance = "performed"

    @rule(which=WHICH, amount=st.integers(1, 50_000))
    def announce(self, which: int, amount: int) -> None:
        known = self.pick(which)
        if known is None:
            return
        done = self.partner(service.announce, known, amount_fen=amount)
        if known.state != "completed":
            assert done == "order_state_conflict"
        elif known.performance is not None:
            assert done == "performance_reported"
        elif amount > known.credit:
            assert done == "obligation_too_large"
        elif done != "calendar_unknown":  # next year's isn't known yet
            known.performance, known.owed = "open_obligation", "announced"
            known.stands_on = done[1].stands_on

    @rule(which=WHICH, kind=st.sampled_from(["will_pay", "contested"]))
    def reply(self, which: int, kind: str) -> None:
        known = self.pick(which)
        if known is None:
            return
        done = self.citizen(service.reply, known, kind=kind, text="", vault=self.city.house.vault)
        if known.owed is None:
            assert done == "not_found"
        elif known.owed == "contested" or (kind == "will_pay" and known.owed != "announced"):
            assert done == "obligation_state_conflict"
        elif known.contested or (kind == "will_pay" and known.promised):
            assert done == "obligation_replied"
        elif done != "calendar_unknown":
            known.promised |= kind == "will_pay"
            if kind == "contested":
                known.contested, known.owed = True, "contested"

    @rule(which=WHICH, changed=st.booleans())
    def decide(self, which: int, changed: bool) -> None:
        known = self.pick(which)
        if known is None:
            return
        found = self.runner.run(obligation_of(self.city, known.order_id))
        if found is None:
            return
        self.do(
            service.apply_case,
            subject_id=self.person.subject_id,
            obligation_id=found.obligation_id,
            changed=changed,
        )
        if known.owed == "contested":
            known.owed = None if changed else "standing"
            known.performance = "nothing_owed" if changed else "open_obligation"

    @rule(which=WHICH, ended_by=st.sampled_from(["paid", "withdrawn"]))
    def end(self, which: int, ended_by: str) -> None:
        known = self.pick(which)
        if known is None:
            return
        done = self.partner(service.end, known, ended_by=ended_by)
        if known.owed is None:
            assert done == "not_found"
        else:
            known.owed, known.performance = None, "nothing_owed"

    @rule(hours=st.sampled_from([1, 3, 24 * 6, 24 * 31]))
    def wait(self, hours: int) -> None:
        """Time passes, and the worker does what time does."""
        self.city.clock.advance(timedelta(hours=hours))
        now = self.city.clock.now()
        self.runner.run(expire_orders(self.city.house.database, clock=self.city.clock))
        self.runner.run(stand_obligations(self.city.house.database, clock=self.city.clock))
        for known in self.orders:
            if known.state == "created" and now >= known.confirm_by:
                known.state = "expired"
                known.messages += 1
            if known.owed == "announced" and city_date(now) >= known.stands_on:
                known.owed = "standing"

    @invariant()
    def database_and_model_agree(self) -> None:
        self.runner.run(self._agree())

    async def _agree(self) -> None:
        for known in self.orders:
            row = await row_of(self.city, known.order_id)
            assert row is not None
            assert (row.state, row.amount_fen, row.credit_fen) == (
                *(known.state, known.amount, known.credit),
            )
            assert (row.settled_fen, row.performance) == (known.settled, known.performance)
            found = await obligation_of(self.city, known.order_id)
            assert (None if found is None else found.state) == known.owed
            assert len(await topics_of(self.city, known.order_id)) == known.messages
        running = sum(each.credit for each in self.orders if each.state in RUNNING)
        assert await exposure_of(self.city, self.person) == running
        assert running <= EXPOSURE
        await books_of(self.city)


@pytest.mark.parametrize("steps", [20])
def test_the_life_of_orders_in_any_order(
    tmp_path: Path, database_url: str, valkey_url: str, steps: int
) -> None:
    """What the machine says is what happens, and nothing is held that isn't used."""
    with asyncio.Runner() as runner:
        place = open_city(
            tmp_path, database_url=database_url, valkey_url=valkey_url, clock=FixedClock(NOW)
        )
        Ordering.runner = runner
        Ordering.city = runner.run(place.__aenter__())
        try:
            Ordering.shop = runner.run(Shop.of(Ordering.city, "city-rental"))
            run_state_machine_as_test(
                Ordering,
                settings=examples(
                    20, stateful_step_count=steps, suppress_health_check=list(HealthCheck)
                ),
            )
        finally:
            runner.run(place.__aexit__(None, None, None))
