"""Goal: a programme only grants, reads only what it says, and is refused with all its faults.

Method: the file of the library programme, which is right, with one thing changed at a time.
"""

import tomllib
from collections.abc import Callable
from datetime import date
from importlib.resources import files
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest

from backend.consent.service import PURPOSES
from backend.programme.rules.benefit import (
    Baseline,
    Benefit,
    DeferredPayment,
    Deposit,
    DepositWaiver,
    Discount,
    Fee,
    FeeWaiver,
    Handling,
    Materials,
    Payment,
    Price,
    Priority,
    Rate,
    RateReduction,
    Simplified,
    benefit_fault,
)
from backend.programme.rules.context import context_lacks
from backend.programme.rules.document import Document, Limit, Programme, restore_programme
from backend.programme.rules.proof import load_programme
from backend.programme.service import load_by_packaged as load
from backend.programme.service import packaged_documents, packaged_vocabulary
from backend.record.rules.catalogue import DataFault
from backend.record.service import packaged_catalogue

CODES = ["approval", "library", "loan", "rental", "tourism", "transit"]


def library_text() -> str:
    return (files("backend.programme") / "data/library.toml").read_text("utf-8")


def changed(old: str, new: str) -> tuple[str, ...]:
    text = library_text()
    assert text.count(old) == 1, f"{old!r} stands once in the file"
    with pytest.raises(DataFault) as refused:
        load(text.replace(old, new))
    return refused.value.faults


@pytest.mark.parametrize(
    "text",
    [
        "version = " + "9" * 5000,
        "rule = " + "[" * 5000,
        "rule = " + "[" * 5000 + "]" * 5000,
        "version = ",
    ],
    ids=["too long a number", "never closed", "too deep", "no value"],
)
def test_what_is_no_toml_is_a_fault_however_it_breaks_the_reader(text: str) -> None:
    with pytest.raises(DataFault) as refused:
        load(text)
    (fault,) = refused.value.faults
    assert fault.startswith("not TOML: ")


@pytest.mark.parametrize("hidden", ["\\u0000", "\\u200b", "\\u202e"])
def test_texts_hide_nothing_from_whoever_reads_them(hidden: str) -> None:
    faults = changed('summary_zh = "在', f'summary_zh = "医{hidden}疗，在')
    assert "summary_zh: holds characters that nobody sees" in faults


def test_the_file_is_read_by_others_as_it_is_kept() -> None:
    """A mark that turns the line round shows whoever approves another file than is proved."""
    faults = changed("# What is at risk", "# \u202eWhat is at risk")
    assert faults == ("the file holds characters that nobody sees",)


@pytest.mark.parametrize("kind", ["medical_care", "medical-care"])
def test_a_kind_is_forbidden_however_it_is_joined(kind: str) -> None:
    faults = changed('kind = "library"', f'kind = "{kind}"')
    assert any(fault.startswith(f"kind: {kind} is everybody's by law") for fault in faults)


def test_the_six_programmes_of_the_city_are_proved() -> None:
    assert [programme.document.code for programme in packaged_documents()] == CODES


def test_a_published_document_is_read_back_as_it_was() -> None:
    for programme in packaged_documents():
        stored: Any = msgspec.json.decode(msgspec.json.encode(programme.document))
        assert restore_programme(stored, programme.digest) == programme


def test_another_text_has_another_digest_and_a_comment_or_another_order_does_not() -> None:
    text = library_text()
    digest = load(text).digest
    assert load(text.replace("seats = 200000", "seats = 200001")).digest != digest
    assert load("# note\n" + text).digest == digest
    assert load("seats = 200000\n" + text.replace("seats = 200000\n", "")).digest == digest


WRONG = [
    ('code = "library"', 'code = "Library!"', "code:"),
    ('kind = "library"', 'kind = "Casino!"', "kind:"),
    ('kind = "library"', 'kind = "casino"', "nothing to do with a programme of kind casino"),
    ('kind = "library"', 'kind = "election"', "kind: election is everybody's by law: 《"),
    (
        'summary_zh = "在市',
        'summary_zh = "入学优先，在市',
        "summary_zh: 入学 is everybody's by law",
    ),
    ("Register and", "A school place; register and", "summary_en: school is everybody's"),
    ("version = 2", "version = 0", "version:"),
    ("version = 2", 'version = "2"', "version:"),
    ("version = 2\n", "", "version: is missing"),
    ("version = 2\n", "version = 2\nthreshold = 5\n", "unknown member threshold"),
    ('name_zh = "图书借还"', 'name_zh = " "', "name_zh:"),
    ('partners = ["city-library"]', "partners = []", "partners:"),
    ('partners = ["city-library"]', 'partners = ["a1", "a1"]', "partners: one is given twice"),
    ("seats = 200000", "seats = 0", "seats:"),
    ("starts_on = 2026-01-01", 'starts_on = "soon"', "starts_on:"),
    (
        "starts_on = 2026-01-01",
        "starts_on = 2026-01-02\nends_on = 2026-01-01",
        "ends_on: before starts_on",
    ),
    ('purposes = ["deposit_free_borrowing"]', 'purposes = ["sales"]', "purposes: sales is not"),
    ('purposes = ["deposit_free_borrowing"]', "purposes = []", "purposes:"),
    (
        'purposes = ["deposit_free_borrowing"]',
        'purposes = ["deposit_free_borrowing", "deposit_free_borrowing"]',
        "purposes: one is given twice",
    ),
    ("expected_cost_fen = 1000\n", "", "expected_cost_fen: is missing"),
    ("expected_cost_fen = 1000\n", "expected_cost_fen = -1\n", "expected_cost_fen:"),
    ("reservation_minutes = 60", "reservation_minutes = 0", "budget:"),
    ("day = { uses = 20000 }", "day = {}", "budget.day: neither amount_fen nor uses"),
    ("day = { uses = 20000 }", "day = { hours = 1 }", "budget:"),
    (
        "citizen = { amount_fen = 10000 }",
        "citizen = { amount_fen = 200000001 }",
        "budget.citizen.amount_fen: more than the programme may have",
    ),
    (
        "day = { uses = 20000 }",
        "day = { uses = 20000 }\nmonth = { uses = 19999 }",
        "budget.day.uses: more than the month may have",
    ),
    ('confirm = "consent"', 'confirm = "partner"', "order:"),
    ("amount_max_fen = 10000", "amount_max_fen = 0", "order:"),
    ("amount_max_fen = 10000", "amount_max_fen = 10001", "order: more than the benefit's cap"),
    ('"library_return"\nw', '"religion"\nw', "performed_class: religion is not catalogued"),
    ('"library_return"\nw', '"library_overdue"\nw', "library_overdue is adverse"),
    (
        '"library_return"\nw',
        '"tax_filing"\nw',
        "performed_class: the source service_orders may not report tax_filing",
    ),
    ('[order]\nconfirm = "consent"\namount_max_fen = 10000\n', "", "without [order]"),
    ("waiting_working_days = 10", "waiting_working_days = 4", "waiting_working_days:"),
    (
        "seats = 200000",
        'seats = 200000\nstacks_with = ["rental"]',
        "stacks_with: without exclusive_group everything stacks",
    ),
    (
        "seats = 200000",
        'seats = 200000\nexclusive_group = "deposit"\nstacks_with = ["library"]',
        "stacks_with: names the programme itself",
    ),
    (
        "[rule]",
        '[enrol]\nfact = "context.age"\nat_most = 60\n\n[rule]',
        "enrol: a term is fact with at_least or one_of",
    ),
    (
        "[rule]",
        '[enrol]\nfact = "context.age"\none_of = ["350100"]\n\n[rule]',
        "enrol: context.age can only be asked at_least",
    ),
    (
        "[rule]",
        '[enrol]\nfact = "context.sex"\nat_least = 1\n\n[rule]',
        "enrol: context.sex is no context fact",
    ),
    (
        "[rule]",
        '[enrol]\nfact = "context.district"\none_of = ["福州"]\n\n[rule]',
        "enrol: context.district is the six digits",
    ),
    ("cap_fen = 10000", "cap_fen = 0", "benefit:"),
    ("cap_fen = 10000", "cap_fen = -1", "benefit:"),
    ("cap_fen = 10000", "cap_fen = 10000\nsurcharge_fen = 5", "benefit:"),
    ('type = "deposit_waiver"', 'type = "denial"', "benefit:"),
    ('type = "deposit_waiver"', 'type = "fee_waiver"', "can't be compared"),
    ("deposit_fen = 10000", "deposit_fen = 0", "not better than what everybody gets"),
    ("at_least = 600", "at_most = 600", "can only be asked at_least"),
    ("免交押金，最高 100 元。", "失信者加收押金。", "a programme only grants"),
    ("No deposit, up to 100 yuan.", "A surcharge for some.", "a programme only grants"),
    (
        'record_classes = ["library_overdue", ',
        "record_classes = [",
        "record_classes: the rule reads library_overdue",
    ),
    (
        'record_classes = ["library_overdue", ',
        'record_classes = ["court_enforcement", "library_overdue", ',
        "record_classes: no fact needs court_enforcement",
    ),
    (
        'record_classes = ["library_overdue", ',
        'record_classes = ["religion", "library_overdue", ',
        "record_classes: religion is not catalogued",
    ),
    ('facts = ["score", ', "facts = [", "facts: the rule reads score"),
    (
        'facts = ["score", ',
        'facts = ["indicator.tax_level", "score", ',
        "facts: the rule does not read indicator.tax_level",
    ),
    ('facts = ["score", ', 'facts = ["income", "score", ', "income is not in the vocabulary"),
    ('name_zh = "', 'name_zh = "献血', "name_zh: deny-listed content (献血)"),
    ("最高 100 元", "最高 1000 元", "benefit_zh: says 1000 yuan"),
    ("deposit of 100 yuan", "deposit of 1,00.5 yuan", "baseline_en: says 1,00.5 yuan"),
]


@pytest.mark.parametrize(("old", "new", "fault"), WRONG)
def test_one_thing_wrong_is_one_fault_that_names_it(old: str, new: str, fault: str) -> None:
    assert any(fault in found for found in changed(old, new)), changed(old, new)


def test_what_needs_a_written_consent_is_read_by_no_programme() -> None:
    """征信业管理条例 14: written consent is given to one use, not to a rule."""
    catalogue = packaged_catalogue()
    guarded = msgspec.structs.replace(
        catalogue.classes["library_return"], sensitivity="written_consent"
    )
    with pytest.raises(DataFault, match="library_return needs a written consent"):
        load_programme(
            library_text(),
            vocabulary=packaged_vocabulary(),
            purposes=PURPOSES,
            catalogue=msgspec.structs.replace(
                catalogue, classes={**catalogue.classes, "library_return": guarded}
            ),
        )


def test_all_faults_come_at_once() -> None:
    text = library_text()
    for old, new in (
        ("version = 2", "version = 0"),
        ("seats = 200000", "seats = 0"),
        ("deposit_fen = 10000", "deposit_fen = 0"),
        ("deposit of 100 yuan", "deposit"),
        ("交 100 元押金", "交押金"),
        ("at_least = 600", "at_least = 6000"),
    ):
        text = text.replace(old, new)
    with pytest.raises(DataFault) as refused:
        load(text)
    assert len(refused.value.faults) == 4


def test_of_a_group_a_citizen_has_one_unless_either_says_that_they_stack() -> None:
    library = load(library_text()).document
    one = msgspec.structs.replace(library, code="one", exclusive_group="deposit")
    two = msgspec.structs.replace(library, code="two", exclusive_group="deposit")
    assert one.excludes(two)
    assert two.excludes(one)
    assert not one.excludes(one)
    assert not library.excludes(one)
    friend = msgspec.structs.replace(two, stacks_with=["one"])
    assert not one.excludes(friend)
    assert not friend.excludes(one)


def test_a_capped_benefit_alone_takes_orders() -> None:
    text = (files("backend.programme") / "data/tourism.toml").read_text("utf-8")
    order = '[order]\nconfirm = "citizen"\namount_max_fen = 100\n\n[rule]'
    with pytest.raises(DataFault, match="discount is granted without an order"):
        load(text.replace("[rule]", order))


def test_conditions_of_enrolment_are_met_by_what_grows_and_by_a_district() -> None:
    enrol = """[enrol]
all = [
  { fact = "context.age", at_least = 60 },
  { any = [
    { fact = "context.district", one_of = ["350102", "350103"] },
    { fact = "context.participation_months", at_least = 12 },
  ] },
]

[rule]"""
    rule = load(library_text().replace("[rule]", enrol)).enrol
    met: dict[str, int | str] = {
        "context.age": 60,
        "context.district": "350103",
        "context.participation_months": 0,
    }
    assert context_lacks(rule, met) == ()
    assert context_lacks(rule, met | {"context.age": 61, "context.participation_months": 12}) == ()
    (young,) = context_lacks(rule, met | {"context.age": 59})
    assert [condition.fact for condition in young] == ["context.age"]
    (elsewhere,) = context_lacks(rule, met | {"context.district": "110101"})
    assert len(elsewhere) == 2
    assert len(context_lacks(rule, {})) == 2


def test_a_document_of_an_older_release_is_read_back() -> None:
    programme = load(library_text())
    stored: Any = msgspec.to_builtins(programme.document)
    for name in ("purposes", "expected_cost_fen", "budget", "order", "performed_class"):
        del stored[name]
    stored["purpose"] = "deposit_free_borrowing"
    found = restore_programme(stored, programme.digest).document
    assert (found.purposes, found.purpose) == (["deposit_free_borrowing"], found.purposes[0])
    assert (found.expected_cost_fen, found.budget, found.order) == (0, None, None)


def test_a_budget_says_the_limit_of_each_span() -> None:
    budget = load(library_text()).document.budget
    assert budget is not None
    assert budget.limit_of("programme") == Limit(amount_fen=200_000_000)
    assert budget.limit_of("day") == Limit(uses=20_000)
    assert budget.limit_of("partner") == Limit()


def test_what_is_no_toml_is_refused() -> None:
    with pytest.raises(DataFault, match="not TOML"):
        load("code = ")


@pytest.mark.parametrize(
    ("everybody", "granted", "is_better"),
    [
        (Deposit(1), DepositWaiver(1), True),
        (Deposit(0), DepositWaiver(1), False),
        (Price(100), Discount(101), True),
        (Price(100), Discount(100), False),
        (Price(100), Discount(99), False),
        (Payment(0), DeferredPayment(1, 1), True),
        (Payment(30), DeferredPayment(30, 1), False),
        (Payment(30), DeferredPayment(29, 1), False),
        (Rate(0), RateReduction(1), True),
        (Rate(50), RateReduction(50), False),
        (Rate(50), RateReduction(49), False),
        (Handling(10), Priority(9), True),
        (Handling(10), Priority(10), False),
        (Handling(10), Priority(11), False),
        (Fee(1), FeeWaiver(1), True),
        (Fee(0), FeeWaiver(1), False),
        (Materials(5), Simplified(4), True),
        (Materials(1), Simplified(0), True),
        (Materials(5), Simplified(5), False),
        (Handling(5), Simplified(4), False),
        (Fee(1), DepositWaiver(1), False),
        (Price(0), RateReduction(5), False),
    ],
)
def test_a_benefit_is_better_than_the_baseline_of_its_own_kind(
    everybody: Any, granted: Any, is_better: bool
) -> None:
    assert (benefit_fault(everybody, granted) is None) is is_better


def test_no_benefit_has_a_field_that_takes_away() -> None:
    taking = ("deny", "refus", "surcharge", "penalty", "extra", "block")
    for kind in get_args(Benefit):
        names = [field.name for field in msgspec.structs.fields(kind)]
        assert not [name for name in names if any(word in name for word in taking)]


@pytest.mark.parametrize(
    ("ends_on", "day", "is_open"),
    [
        (None, "2025-12-31", False),
        (None, "2026-01-01", True),
        (None, "2099-01-01", True),
        ("2026-06-30", "2026-06-30", True),
        ("2026-06-30", "2026-07-01", False),
    ],
)
def test_a_programme_is_open_from_its_first_to_its_last_day(
    ends_on: str | None, day: str, is_open: bool
) -> None:
    document = msgspec.structs.replace(
        load(library_text()).document, ends_on=ends_on and date.fromisoformat(ends_on)
    )
    assert document.is_open_on(date.fromisoformat(day)) is is_open


def test_every_text_of_the_city_is_in_both_languages() -> None:
    pairs: list[Callable[[Document], tuple[str, str]]] = [
        lambda d: (d.name_zh, d.name_en),
        lambda d: (d.summary_zh, d.summary_en),
        lambda d: (d.baseline_zh, d.baseline_en),
        lambda d: (d.benefit_zh, d.benefit_en),
    ]
    for programme in packaged_documents():
        for pair in pairs:
            chinese, english = pair(programme.document)
            assert any("\u4e00" <= character <= "\u9fff" for character in chinese)
            assert english.isascii()


def test_the_data_files_are_what_the_loader_sees() -> None:
    raw = tomllib.loads(library_text())
    programme: Programme = load(library_text())
    assert raw["seats"] == programme.document.seats
    assert raw["rule"] == programme.document.rule


def test_the_guide_names_every_member_benefit_and_baseline() -> None:
    guide = (Path(__file__).parents[2] / "docs/programmes.md").read_text("utf-8")
    for field in msgspec.structs.fields(Document):
        word = field.name[:-3] + "_*" if field.name.endswith(("_zh", "_en")) else field.name
        assert f"`{word}`" in guide or f"[{word}]" in guide, word
    for kind in (*get_args(Baseline), *get_args(Benefit)):
        assert f"`{kind.__struct_config__.tag}`" in guide
        for field in msgspec.structs.fields(kind):
            assert f"`{field.name}`" in guide
