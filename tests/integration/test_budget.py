"""Goal: what a programme may cost is exact to the fen: reserved before it is promised, settled when
it is spent, given back when it isn't; each change is told with who, why and what it left.

Method: the verbs on a real database, a transaction at a time; after each story the books are asked
(tests/support/budget_world.py) whether every balance is what its history and the reservations say.
"""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from backend.kit.postgres import Tx
from backend.kit.problem import Refusal
from backend.programme.rules.budget import Balance, Reservation
from backend.programme.rules.document import Budget, Limit, Programme
from backend.programme.service import budget
from tests.conftest import NOW
from tests.support.budget_world import CODE, broken, citizen, partner, publish, publish_next

BUDGET = Budget(
    reservation_minutes=60,
    amount_fen=100_00,
    uses=10,
    partner=Limit(amount_fen=60_00),
    day=Limit(amount_fen=80_00),
    month=Limit(amount_fen=90_00),
    citizen=Limit(amount_fen=40_00, uses=3),
)


class Desk:
    """The verbs, with what every test says the same."""

    def __init__(self, tx: Tx, programme: Programme) -> None:
        self.tx, self.programme, self.now = tx, programme, NOW
        self.why: dict[str, Any] = {"by_whom": "partner:city-rental", "reason": "order 1"}

    async def reserve(
        self, amount_fen: int, *, who: int = 1, at: int = 1, until: datetime | None = None
    ) -> Reservation:
        return await budget.reserve(
            self.tx,
            subject_id=citizen(who),
            programme=self.programme,
            partner_id=partner(at),
            amount_fen=amount_fen,
            expires_at=until,
            now=self.now,
            **self.why,
        )

    async def settle(self, made: Reservation, settled_fen: int) -> Reservation:
        return await budget.settle(
            self.tx, **_named(made), settled_fen=settled_fen, now=self.now, **self.why
        )

    async def release(self, made: Reservation) -> Reservation:
        return await budget.release(self.tx, **_named(made), now=self.now, **self.why)

    async def lower(self, made: Reservation, amount_fen: int) -> Reservation:
        return await budget.lower(
            self.tx, **_named(made), amount_fen=amount_fen, now=self.now, **self.why
        )

    async def refill(self, span: str, bucket: str = "", **more: int) -> Balance:
        return await budget.refill(
            self.tx,
            programme_code=CODE,
            span=span,
            bucket=bucket,
            **{"amount_fen": 0, **more},
            by_whom="operator:lin",
            reason="season",
            now=self.now,
        )

    async def balance(self, span: str, bucket: str = "") -> Balance:
        found = await budget.get_balances(self.tx, programme_code=CODE, now=self.now)
        (balance,) = (b for b in found if (b.span, b.bucket) == (span, bucket))
        return balance


def _named(made: Reservation) -> dict[str, Any]:
    return {"subject_id": made.subject_id, "reservation_id": made.reservation_id}


@pytest.fixture
async def desk(tx: Tx) -> AsyncIterator[Desk]:
    desk = Desk(tx, await publish(tx, BUDGET, now=NOW))
    yield desk
    assert await broken(tx) == {}


def _figures(balance: Balance) -> tuple[int, int, int]:
    return balance.reserved_fen, balance.settled_fen, balance.uses


async def test_a_reservation_counts_in_its_four_buckets_and_with_the_citizen(desk: Desk) -> None:
    made = await desk.reserve(12_34)
    for span, bucket in (
        ("programme", ""),
        ("partner", str(partner(1))),
        ("day", "2026-11-20"),
        ("month", "2026-11"),
    ):
        assert _figures(await desk.balance(span, bucket)) == (12_34, 0, 1)
    assert (made.state, made.amount_fen, made.day.isoformat()) == ("reserved", 1234, "2026-11-20")


async def test_settling_spends_a_part_and_gives_back_the_rest(desk: Desk) -> None:
    made = await desk.reserve(12_34)
    settled = await desk.settle(made, 10_01)
    assert (settled.state, settled.settled_fen) == ("settled", 10_01)
    assert _figures(await desk.balance("programme")) == (0, 10_01, 1)


async def test_releasing_gives_back_amount_and_use(desk: Desk) -> None:
    await desk.release(await desk.reserve(12_34))
    assert _figures(await desk.balance("programme")) == (0, 0, 0)


async def test_lowering_keeps_the_use(desk: Desk) -> None:
    made = await desk.reserve(12_34)
    lowered = await desk.lower(made, 5_00)
    assert lowered.amount_fen == 5_00
    assert _figures(await desk.balance("day", "2026-11-20")) == (5_00, 0, 1)


async def test_the_same_again_changes_nothing(desk: Desk) -> None:
    one, other = await desk.reserve(1_00), await desk.reserve(2_00)
    await desk.settle(one, 50)
    await desk.release(other)
    before = await desk.balance("programme")
    assert (await desk.settle(one, 50)).settled_fen == 50
    assert (await desk.release(other)).state == "released"
    assert await desk.balance("programme") == before, "not even an entry"


@pytest.mark.parametrize("then", ["settle", "release", "lower"])
@pytest.mark.parametrize("first", ["settled", "released"])
async def test_what_is_closed_stays_as_it_is(desk: Desk, first: str, then: str) -> None:
    made = await desk.reserve(3_00)
    await (desk.settle(made, 1_00) if first == "settled" else desk.release(made))
    before = await desk.balance("programme")
    if (first, then) == ("released", "release"):
        return
    with pytest.raises(Refusal) as refused:
        await {
            "settle": lambda: desk.settle(made, 2_00),
            "release": lambda: desk.release(made),
            "lower": lambda: desk.lower(made, 50),
        }[then]()
    assert (refused.value.code, refused.value.facts) == (
        "budget_reservation_closed",
        {"state": first},
    )
    assert await desk.balance("programme") == before


async def test_amounts_only_go_down(desk: Desk) -> None:
    made = await desk.reserve(3_00)
    for step in (desk.lower(made, 3_01), desk.settle(made, 3_01)):
        with pytest.raises(Refusal, match="budget_amount_above_reserved"):
            await step


@pytest.mark.parametrize(
    ("span", "reservations"),
    [
        ("citizen", [(1, 1, 40_00)]),
        ("partner", [(1, 1, 40_00), (2, 1, 20_00)]),
        ("day", [(1, 1, 40_00), (2, 2, 40_00)]),
    ],
)
async def test_the_last_fen_is_promised_and_not_one_more(
    desk: Desk, span: str, reservations: list[tuple[int, int, int]]
) -> None:
    for who, at, amount in reservations:
        await desk.reserve(amount, who=who, at=at)
    who, at, _ = reservations[0]
    before = await desk.balance("programme")
    with pytest.raises(Refusal) as refused:
        await desk.reserve(1, who=who if span == "citizen" else 9, at=at if span != "day" else 9)
    assert (refused.value.code, refused.value.facts) == ("budget_spent", {"span": span})
    assert await desk.balance("programme") == before, "what is refused changes nothing"
    assert await desk.reserve(0, who=8, at=7), "an order that costs nothing has room"


async def test_month_and_programme_bound_over_days(desk: Desk) -> None:
    await desk.reserve(40_00, who=1, at=1)
    desk.now += timedelta(days=1)
    await desk.reserve(40_00, who=2, at=2)
    with pytest.raises(Refusal) as refused:
        await desk.reserve(10_01, who=3, at=3)
    assert refused.value.facts == {"span": "month"}
    desk.now = datetime(2026, 12, 1, 2, tzinfo=UTC)
    with pytest.raises(Refusal) as refused:
        await desk.reserve(20_01, who=3, at=3)
    assert refused.value.facts == {"span": "programme"}
    assert await desk.reserve(20_00, who=3, at=3)


async def test_uses_are_bounded_too(desk: Desk) -> None:
    for _ in range(3):
        await desk.reserve(1)
    with pytest.raises(Refusal) as refused:
        await desk.reserve(1)
    assert refused.value.facts == {"span": "citizen"}


async def test_day_and_month_are_the_citys(desk: Desk) -> None:
    desk.now = datetime(2026, 11, 30, 16, 0, tzinfo=UTC)  # midnight: the first of December
    assert (await desk.reserve(1_00)).day.isoformat() == "2026-12-01"
    assert _figures(await desk.balance("month", "2026-12")) == (1_00, 0, 1)
    desk.now -= timedelta(microseconds=1)
    assert (await desk.reserve(1_00)).day.isoformat() == "2026-11-30"
    assert _figures(await desk.balance("month", "2026-11")) == (1_00, 0, 1)


async def test_what_is_settled_later_counts_on_the_day_it_was_reserved(desk: Desk) -> None:
    made = await desk.reserve(5_00)
    desk.now += timedelta(days=20)
    await desk.settle(made, 4_00)
    assert _figures(await desk.balance("day", "2026-11-20")) == (0, 4_00, 1)
    assert _figures(await desk.balance("month", "2026-11")) == (0, 4_00, 1)


async def test_a_reservation_ends_with_its_time(desk: Desk) -> None:
    made = await desk.reserve(5_00, until=NOW + timedelta(hours=1))
    assert await budget.expire_due(desk.tx, now=NOW + timedelta(minutes=59)) == 0
    desk.now = NOW + timedelta(hours=1)
    for step in (desk.settle(made, 1), desk.lower(made, 1)):
        with pytest.raises(Refusal) as refused:
            await step
        assert refused.value.facts == {"state": "expired"}
    assert await budget.expire_due(desk.tx, now=desk.now) == 1
    assert await budget.expire_due(desk.tx, now=desk.now) == 0
    assert _figures(await desk.balance("programme")) == (0, 0, 0)
    assert (await desk.release(made)).state == "expired", "given back already: nothing changes"


async def test_what_is_kept_does_not_expire(desk: Desk) -> None:
    made = await desk.reserve(5_00, until=NOW + timedelta(hours=1))
    kept = await budget.keep(desk.tx, **_named(made), now=NOW)
    assert kept.expires_at is None
    assert await budget.expire_due(desk.tx, now=NOW + timedelta(days=400)) == 0
    assert (await desk.settle(made, 5_00)).state == "settled"


async def test_a_reservation_of_somebody_else_is_not_found(desk: Desk) -> None:
    made = await desk.reserve(5_00)
    with pytest.raises(Refusal, match="not_found"):
        await budget.release(
            desk.tx,
            subject_id=citizen(2),
            reservation_id=made.reservation_id,
            now=NOW,
            **desk.why,
        )


async def test_a_refill_raises_one_limit_and_says_so(desk: Desk) -> None:
    await desk.reserve(40_00)
    raised = await desk.refill("programme", amount_fen=7_00, uses=2)
    assert (raised.limit_fen, raised.limit_uses) == (107_00, 12)
    assert raised == await desk.balance("programme")
    page = await budget.list_entries(
        desk.tx, programme_code=CODE, span="programme", bucket="", cursor=None, page_size=2
    )
    newest, before = page.items
    assert (newest.kind, newest.by_whom, newest.reason) == ("refill", "operator:lin", "season")
    assert (newest.limit_fen, before.limit_fen, newest.reserved_fen) == (107_00, 100_00, 40_00)
    assert (before.kind, before.reserved_change_fen) == ("reserve", 40_00)
    rest = await budget.list_entries(
        desk.tx,
        programme_code=CODE,
        span="programme",
        bucket="",
        cursor=page.next_cursor,
        page_size=100,
    )
    assert [e.revision for e in rest.items] == [*range(before.revision - 1, 0, -1)]
    assert rest.next_cursor is None


async def test_a_day_to_come_can_be_refilled_and_one_that_is_past_can_not(desk: Desk) -> None:
    assert (await desk.refill("day", "2026-12-24", amount_fen=1)).limit_fen == 80_01
    with pytest.raises(Refusal, match="budget_refill_impossible"):
        await desk.refill("day", "2026-11-19", amount_fen=1)
    with pytest.raises(Refusal, match="budget_refill_impossible"):
        await desk.refill("month", "2026-10", amount_fen=1)


@pytest.mark.parametrize(
    ("span", "bucket", "more", "code"),
    [
        ("programme", "", {}, "budget_refill_impossible"),
        ("programme", "", {"amount_fen": -1}, "budget_refill_impossible"),
        ("programme", "", {"amount_fen": 10**15}, "budget_refill_impossible"),
        ("partner", str(partner(1)), {"uses": 1}, "budget_refill_impossible"),
        ("programme", "x", {"amount_fen": 1}, "budget_bucket_invalid"),
        ("day", "2026-11", {"amount_fen": 1}, "budget_bucket_invalid"),
        ("day", "20261124", {"amount_fen": 1}, "budget_bucket_invalid"),
        ("month", "2026-13", {"amount_fen": 1}, "budget_bucket_invalid"),
        ("partner", "city-rental", {"amount_fen": 1}, "budget_bucket_invalid"),
        ("citizen", str(citizen(1)), {"amount_fen": 1}, "budget_bucket_invalid"),
    ],
)
async def test_what_can_not_be_refilled_is_refused(
    desk: Desk, span: str, bucket: str, more: dict[str, int], code: str
) -> None:
    before = await desk.balance("programme")
    with pytest.raises(Refusal, match=code):
        await desk.refill(span, bucket, **more)
    assert await desk.balance("programme") == before


async def test_a_new_version_sets_the_limits_of_what_still_counts(desk: Desk) -> None:
    await desk.reserve(10_00)
    await desk.refill("programme", amount_fen=50_00)
    desk.now += timedelta(days=1)
    await desk.reserve(10_00)
    desk.programme = await publish_next(
        desk.tx,
        Budget(reservation_minutes=60, amount_fen=70_00, day=Limit(amount_fen=30_00)),
        now=desk.now,
    )
    assert (await desk.balance("programme")).limit_fen == 70_00, "the refill is over"
    assert (await desk.balance("day", "2026-11-20")).limit_fen == 80_00, "a day that is past"
    assert (await desk.balance("day", "2026-11-21")).limit_fen == 30_00
    assert (await desk.balance("partner", str(partner(1)))).limit_fen is None
    with pytest.raises(Refusal) as refused:
        await desk.reserve(20_01)
    assert refused.value.facts == {"span": "day"}


@pytest.mark.parametrize(
    ("budget_next", "span"),
    [
        (Budget(reservation_minutes=60, amount_fen=9_99), "programme"),
        (Budget(reservation_minutes=60, uses=1), "programme"),
        (Budget(reservation_minutes=60, partner=Limit(amount_fen=9_99)), "partner"),
        (Budget(reservation_minutes=60, day=Limit(uses=1)), "day"),
        (Budget(reservation_minutes=60, month=Limit(amount_fen=1)), "month"),
    ],
)
async def test_no_version_caps_below_what_is_reserved_or_spent(
    desk: Desk, budget_next: Budget, span: str
) -> None:
    await desk.settle(await desk.reserve(6_00), 5_00)
    await desk.reserve(5_00)
    with pytest.raises(Refusal) as refused:
        await publish_next(desk.tx, budget_next, now=NOW)
    assert refused.value.code == "budget_below_reserved"
    assert (refused.value.facts["span"], refused.value.facts["committed_fen"]) == (span, 10_00)


async def test_a_citizen_is_bounded_by_the_version_they_were_promised(desk: Desk) -> None:
    promised = desk.programme
    await publish_next(
        desk.tx, Budget(reservation_minutes=60, citizen=Limit(amount_fen=1_00)), now=NOW
    )
    assert desk.programme is promised
    await desk.reserve(40_00, who=1)
    with pytest.raises(Refusal) as refused:
        await desk.reserve(1, who=1)
    assert refused.value.facts == {"span": "citizen"}


async def test_who_leaves_is_forgotten_but_for_what_is_still_reserved(tx: Tx) -> None:
    desk = Desk(tx, await publish(tx, BUDGET, now=NOW))
    spent, back, still = [await desk.reserve(amount) for amount in (3_00, 4_00, 5_00)]
    await desk.settle(spent, 3_00)
    await desk.release(back)
    whole = await desk.balance("programme")
    await budget.forget(desk.tx, subject_id=citizen(1))
    await budget.forget(desk.tx, subject_id=citizen(1))
    assert await desk.tx.fetch_value(int, "SELECT count(*) FROM reservation") == 1
    assert await desk.tx.fetch_value(int, "SELECT reserved_fen FROM citizen_budget") == 5_00
    assert await desk.balance("programme") == whole
    await desk.settle(still, 0)
    await budget.forget(desk.tx, subject_id=citizen(1))
    assert await desk.tx.fetch_value(int, "SELECT count(*) FROM reservation") == 0
    assert await desk.tx.fetch_value(int, "SELECT count(*) FROM citizen_budget") == 0


async def test_a_programme_without_a_budget_counts_and_bounds_nothing(tx: Tx) -> None:
    desk = Desk(tx, await publish(tx, None, now=NOW))
    for _ in range(3):
        await desk.reserve(99_999_00)
    assert _figures(await desk.balance("programme")) == (299_997_00, 0, 3)
    with pytest.raises(Refusal, match="budget_refill_impossible"):
        await desk.refill("programme", amount_fen=1)
    assert await broken(tx) == {}
