"""Goal: a simulation takes what could be on record, and says which change can not be.

Method: the shipped scorecard and catalogue, changes that are right but for one thing.
"""

from datetime import timedelta

import msgspec
import pytest

from backend.kit.problem import Refusal
from backend.record.rules.catalogue import Catalogue
from backend.record.rules.life import Record, add_months
from backend.score.rules.simulation import Add, Change, Expire, Ground, Repair, Simulation, simulate
from tests.property.score_worlds import AS_OF, CATALOGUE, REPORTED_AT, SHIPPED, make_record

TOMORROW = AS_OF + timedelta(days=1)


def held(code: str, number: int, *, days_ago: int = 30) -> Record:
    occurred_on = AS_OF - timedelta(days=days_ago)
    return make_record(CATALOGUE.classes[code], number, occurred_on=occurred_on)


RETURNED, PENALTY = held("library_return", 1), held("penalty_general", 2)


def try_out(
    *changes: Change, records: list[Record] | None = None, catalogue: Catalogue = CATALOGUE
) -> Simulation:
    ground = Ground(SHIPPED, catalogue, [RETURNED, PENALTY] if records is None else records)
    return simulate(ground, changes, today=AS_OF, as_of=AS_OF)


FINE = Add("volunteer_service", AS_OF, quantity=10)


@pytest.mark.parametrize(
    ("wrong", "code", "facts"),
    [
        (Add("goodness", AS_OF), "simulation_class_unknown", {}),
        (
            Add("volunteer_service", AS_OF, quantity=201),
            "simulation_quantity_invalid",
            {"quantity_max": 200},
        ),
        (
            Add("volunteer_service", AS_OF, quantity=0),
            "simulation_quantity_invalid",
            {"quantity_max": 200},
        ),
        (
            Add("volunteer_service", TOMORROW),
            "simulation_date_invalid",
            {"member": "occurred_on"},
        ),
        (
            Add("volunteer_service", AS_OF, ended_on=TOMORROW),
            "simulation_date_invalid",
            {"member": "ended_on"},
        ),
        (
            Add("volunteer_service", AS_OF, ended_on=AS_OF - timedelta(days=1)),
            "simulation_date_invalid",
            {"member": "ended_on"},
        ),
        (Repair(RETURNED.record_id), "simulation_record_not_adverse", {}),
        (Repair(held("penalty_general", 9).record_id), "simulation_record_unknown", {}),
        (Expire(held("penalty_general", 9).record_id), "simulation_record_unknown", {}),
    ],
)
def test_the_change_that_can_not_be_is_named(
    wrong: Change, code: str, facts: dict[str, object]
) -> None:
    with pytest.raises(Refusal) as refused:
        try_out(FINE, wrong)
    assert refused.value.code == code
    assert refused.value.facts == {"position": 1, **facts}


def test_a_record_is_changed_once() -> None:
    with pytest.raises(Refusal, match="simulation_record_unknown"):
        try_out(Repair(PENALTY.record_id), Expire(PENALTY.record_id))


def test_a_disputed_or_repaired_record_is_out_already() -> None:
    for change in ({"disputed_at": REPORTED_AT}, {"repaired_at": REPORTED_AT}):
        gone = msgspec.structs.replace(PENALTY, **change)
        with pytest.raises(Refusal, match="simulation_record_unknown"):
            try_out(Repair(gone.record_id), records=[gone])


def test_a_class_no_scorecard_looks_at_or_may_look_at_is_not_simulated() -> None:
    volunteering = CATALOGUE.classes["volunteer_service"]
    unseen = msgspec.structs.replace(volunteering, code="unseen")
    consented = msgspec.structs.replace(volunteering, sensitivity="written_consent")
    for classes in ({"unseen": unseen}, {"volunteer_service": consented}):
        catalogue = msgspec.structs.replace(CATALOGUE, classes=CATALOGUE.classes | classes)
        with pytest.raises(Refusal, match="simulation_class_not_scored"):
            try_out(Add(next(iter(classes)), AS_OF), catalogue=catalogue)


@pytest.mark.parametrize("days", [-1, (add_months(AS_OF, 60) - AS_OF).days + 1])
def test_the_day_lies_between_today_and_five_years_from_now(days: int) -> None:
    ground = Ground(SHIPPED, CATALOGUE, [])
    with pytest.raises(Refusal, match="simulation_day_invalid"):
        simulate(ground, [], today=AS_OF, as_of=AS_OF + timedelta(days=days))
    last = simulate(ground, [], today=AS_OF, as_of=add_months(AS_OF, 60))
    assert last.after.points == last.before.points


def test_conduct_may_have_ended_before_the_decision_on_it() -> None:
    late = Add("penalty_general", AS_OF, ended_on=AS_OF - timedelta(days=400))
    assert try_out(late).after.points < try_out().after.points


def test_the_outcome_is_told_item_by_item() -> None:
    found = try_out(FINE, Repair(PENALTY.record_id))
    items = {each.indicator: each.delta_points for each in found.comparison.items}
    assert items == {
        "volunteer_hours": 25,
        "months_since_volunteering": 20,
        "penalties": 20,
        "months_since_penalty": 10,
    }
    assert found.after.points - found.before.points == sum(items.values())
    assert found.after.dimensions["civic"] - found.before.dimensions["civic"] == 45
    assert found.after.tier_code == SHIPPED.tier_at(found.after.points).code


def test_time_alone_lets_an_item_end() -> None:
    ground = Ground(SHIPPED, CATALOGUE, [PENALTY])
    found = simulate(ground, [], today=AS_OF, as_of=add_months(AS_OF, 12))
    assert {each.indicator for each in found.comparison.items} == {
        "penalties",
        "months_since_penalty",
    }
    assert found.after.points > found.before.points
