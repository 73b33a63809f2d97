"""Trying out: what would the score be if. The page shows the outcome, and nothing is kept."""

from collections.abc import Sequence
from datetime import date
from uuid import UUID

import msgspec
from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import RawBody

from backend.kit.clock import Clock, city_date
from backend.kit.pace import Pace
from backend.kit.postgres import Database, ReadTx
from backend.kit.problem import Refusal
from backend.record import service as record
from backend.record.rules.catalogue import Catalogue
from backend.record.rules.life import Record, add_months, counts
from backend.score import service as score
from backend.score.rules.scorecard import Scorecard
from backend.score.rules.simulation import MONTHS_AHEAD_MAX, Add, Change, Repair
from backend.score.service import SimulatedScore
from backend.web.form import Fault
from backend.web.records import RecordLine, record_lines
from backend.web.render import render_page
from backend.web.score import EffectItem, with_sign
from backend.web.session import Visit, Visitor, signed_in
from backend.web.words import Text

_FORM = "simulate"
_ADD, _REPAIR, _TIME = "add", "repair", "time"
_NUMBER_DIGITS = 10
# Of somebody's adverse records, as many have a button of their own.
_REPAIRS_SHOWN = 20
# What the form can say wrong, and what may be wrong with it although it reads well.
_FAULTS = {
    "simulation_class_unknown": Fault(
        "record_class", Text("请从列表中选择一项", "Choose one from the list")
    ),
    "simulation_class_not_scored": Fault(
        "record_class", Text("请从列表中选择一项", "Choose one from the list")
    ),
    "simulation_quantity_invalid": Fault(
        "quantity",
        Text("这个数量超出了一条记录的范围", "That is more than one record of this kind can say"),
    ),
    "simulation_date_invalid": Fault(
        "occurred_on", Text("日期不能晚于今天", "The day can't lie in the future")
    ),
    "simulation_day_invalid": Fault(
        "months",
        Text(
            f"请输入 0 到 {MONTHS_AHEAD_MAX} 个月",
            f"Give a number of months from 0 to {MONTHS_AHEAD_MAX}",
        ),
    ),
}


class SimulationForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What would be different; which fields are used depends on `kind`."""

    kind: str
    record_class: str = ""
    quantity: str = ""
    occurred_on: str = ""
    record_id: str = ""
    months: str = ""
    csrf: str = ""


class ClassChoice(msgspec.Struct, frozen=True):
    """A class the score looks at, with its unit."""

    code: str
    name: Text
    unit: Text


class RepairChoice(msgspec.Struct, frozen=True):
    """An adverse record that counts, and could be repaired."""

    record_id: str
    line: RecordLine


class OutcomeView(msgspec.Struct, frozen=True):
    """What the score would be."""

    what: Text
    points_before: int
    points_after: int
    on_after: date
    tier_after: Text
    effect: str
    items: list[EffectItem]


class SimulationView(msgspec.Struct, frozen=True):
    """The form, what is wrong with it, what was typed, and the outcome once there is one."""

    faults: list[Fault]
    form: SimulationForm
    today: date
    months_max: int
    classes: list[ClassChoice]
    repairs: list[RepairChoice]
    outcome: OutcomeView | None


class _Setting(msgspec.Struct, frozen=True):
    """What the page is made of, besides the form."""

    scorecard: Scorecard
    catalogue: Catalogue
    records: list[Record]
    today: date


def simulation_view(
    form: SimulationForm,
    setting: _Setting,
    *,
    faults: Sequence[Fault] = (),
    outcome: OutcomeView | None = None,
) -> SimulationView:
    """Return the page with its choices."""
    catalogue, today = setting.catalogue, setting.today
    looked_at = {
        code
        for indicator in setting.scorecard.indicators
        for code in (*indicator.classes, *indicator.against)
    }
    adverse = [
        each
        for each in setting.records
        if counts(each, today)
        and each.class_code in catalogue.classes
        and catalogue.classes[each.class_code].is_adverse
    ]
    adverse.sort(key=lambda each: (each.occurred_on, each.external_id), reverse=True)
    shown = adverse[:_REPAIRS_SHOWN]
    return SimulationView(
        faults=[*faults],
        form=_filled(form, today),
        today=today,
        months_max=MONTHS_AHEAD_MAX,
        classes=[
            ClassChoice(
                each.code,
                Text(each.name_zh, each.name_en),
                Text(each.value.unit_zh, each.value.unit_en),
            )
            for each in catalogue.classes.values()
            if each.code in looked_at and not each.is_adverse
        ],
        repairs=[
            RepairChoice(str(each.record_id), line)
            for each, line in zip(shown, record_lines(shown, catalogue), strict=True)
        ],
        outcome=outcome,
    )


def _filled(form: SimulationForm, today: date) -> SimulationForm:
    """Return a form whose fields stand ready, but for those of the kind that was sent."""
    ready = {"quantity": "1", "occurred_on": today.isoformat()} if form.kind != _ADD else {}
    if form.kind != _TIME:
        ready["months"] = "12"
    return msgspec.structs.replace(form, **ready)


def outcome_view(form: SimulationForm, simulated: SimulatedScore) -> OutcomeView:
    """Return in words what the score would be."""
    found = simulated.simulation
    tier = simulated.scorecard.tier_at(found.after.points)
    return OutcomeView(
        what=_WHAT[form.kind],
        points_before=found.before.points,
        points_after=found.after.points,
        on_after=found.after.as_of,
        tier_after=Text(tier.name_zh, tier.name_en),
        effect=with_sign(found.after.points - found.before.points),
        items=[
            EffectItem(Text(each.text_zh, each.text_en), with_sign(each.delta_points), [], 0)
            for each in found.comparison.items
        ],
    )


_WHAT = {
    _ADD: Text("假如多了这一条记录", "If this record were there"),
    _REPAIR: Text("假如这一条已经修复", "If this item were repaired"),
    _TIME: Text("假如只是时间过去", "If nothing but time passed"),
}


def read_changes(form: SimulationForm, *, today: date) -> tuple[list[Change], date, list[Fault]]:
    """Return the changes and the day a form stands for, and what is wrong with it.

    Raises Refusal body_invalid for a form no page of ours shows.
    """
    if form.kind == _ADD:
        quantity, occurred_on = _number(form.quantity), _day(form.occurred_on)
        faults = []
        if not quantity:
            wanted = Text("请输入 1 或更大的整数", "Give a whole number of 1 or more")
            faults.append(Fault("quantity", wanted))
        if occurred_on is None:
            faults.append(Fault("occurred_on", Text("请输入日期", "Give a day")))
        if quantity and occurred_on is not None:
            return [Add(form.record_class, occurred_on, quantity=quantity)], today, faults
        return [], today, faults
    if form.kind == _REPAIR:
        try:
            return [Repair(UUID(form.record_id))], today, []
        except ValueError:
            raise Refusal("body_invalid") from None
    if form.kind == _TIME:
        months = _number(form.months)
        if months is None or months > MONTHS_AHEAD_MAX:
            return [], today, [_FAULTS["simulation_day_invalid"]]
        return [], add_months(today, months), []
    raise Refusal("body_invalid")


def _number(text: str) -> int | None:
    stripped = text.strip()
    if stripped.isascii() and stripped.isdigit() and len(stripped) <= _NUMBER_DIGITS:
        return int(stripped)
    return None


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text.strip())
    except ValueError:
        return None


async def _setting(tx: ReadTx, subject_id: UUID, today: date) -> _Setting:
    found = await score.get(tx, subject_id=subject_id)
    records = await record.list_current_by_subject(tx, subject_ids=[subject_id])
    return _Setting(
        scorecard=await score.get_scorecard(tx, found.scorecard_version),
        catalogue=await record.get_catalogue(tx),
        records=records[subject_id],
        today=today,
    )


@get(
    "/score/simulation",
    operation_id="web_simulation_show",
    guards=[signed_in],
    include_in_schema=False,
)
async def show_simulation(
    visit: NamedDependency[Visit],
    visitor: NamedDependency[Visitor],
    db: NamedDependency[Database],
    clock: NamedDependency[Clock],
) -> Response[bytes]:
    """Show the form."""
    today = city_date(clock.now())
    async with db.read() as tx:
        setting = await _setting(tx, visitor.subject_id, today)
    view = simulation_view(SimulationForm(kind=""), setting)
    return render_page(visit, "simulation.html", view)


@post(
    "/score/simulation",
    operation_id="web_simulation_create",
    guards=[signed_in],
    include_in_schema=False,
)
async def simulate(
    body: RawBody,
    visit: NamedDependency[Visit],
    visitor: NamedDependency[Visitor],
    db: NamedDependency[Database],
    clock: NamedDependency[Clock],
    simulation_pace: NamedDependency[Pace],
) -> Response[bytes]:
    """Show what the score would be; the transaction can't write."""
    form = visit.read_form(SimulationForm, body)
    visit.check_form(form.csrf, _FORM)
    now = clock.now()
    simulation_pace.take(visitor.subject_id, now=now)
    today, outcome = city_date(now), None
    changes, as_of, faults = read_changes(form, today=today)
    async with db.read() as tx:
        setting = await _setting(tx, visitor.subject_id, today)
        if not faults:
            try:
                simulated = await score.simulate_score(
                    tx, subject_id=visitor.subject_id, changes=changes, as_of=as_of, now=now
                )
                outcome = outcome_view(form, simulated)
            except Refusal as refusal:
                if refusal.code not in _FAULTS:
                    raise
                faults = [_FAULTS[refusal.code]]
    view = simulation_view(form, setting, faults=faults, outcome=outcome)
    status = 422 if faults else 200
    return render_page(visit, "simulation.html", view, status=status)


ROUTES = [show_simulation, simulate]
