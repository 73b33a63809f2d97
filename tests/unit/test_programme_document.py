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
    Payment,
    Price,
    Priority,
    Rate,
    RateReduction,
    benefit_fault,
)
from backend.programme.rules.document import (
    Document,
    Programme,
    load_programme,
    restore_programme,
)
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


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ('code = "library"', 'code = "Library!"', "code:"),
        ('kind = "library"', 'kind = "casino"', "kind:"),
        ("version = 1", "version = 0", "version:"),
        ("version = 1", 'version = "1"', "version:"),
        ("version = 1\n", "", "version: is missing"),
        ("version = 1\n", "version = 1\nthreshold = 5\n", "unknown member threshold"),
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
        ('purpose = "deposit_free_borrowing"', 'purpose = "sales"', "purpose: sales is not"),
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
    ],
)
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
        ("version = 1", "version = 0"),
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
    for kind in (DepositWaiver, Discount, DeferredPayment, RateReduction, Priority, FeeWaiver):
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
