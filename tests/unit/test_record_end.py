"""Goal: nothing bad stays for ever: of the two limits of an adverse item, the earlier one ends it.

Method: a table of cases a lawyer could have written, by the classes of the shipped catalogue.
"""

from datetime import date

import pytest

from backend.record.rules.life import ends_on_of
from backend.record.service import packaged_catalogue

CLASSES = packaged_catalogue().classes


@pytest.mark.parametrize(
    ("code", "decided_on", "conduct_ended_on", "ends_on"),
    [
        # The longest publication: 3 months for minor, 12 for general, 36 for serious items.
        ("penalty_minor", date(2026, 5, 10), date(2026, 5, 1), date(2026, 8, 10)),
        ("penalty_general", date(2026, 5, 10), date(2026, 5, 1), date(2027, 5, 10)),
        ("penalty_serious", date(2026, 5, 10), date(2026, 5, 1), date(2029, 5, 10)),
        # The conduct ended long before the decision: five years from its end come first.
        ("penalty_minor", date(2026, 5, 10), date(2021, 6, 1), date(2026, 6, 1)),
        ("penalty_general", date(2026, 5, 10), date(2022, 1, 1), date(2027, 1, 1)),
        ("penalty_serious", date(2026, 5, 10), date(2022, 1, 1), date(2027, 1, 1)),
        # Both on one day, and either side of it.
        ("penalty_serious", date(2026, 5, 10), date(2024, 5, 10), date(2029, 5, 10)),
        ("penalty_serious", date(2026, 5, 10), date(2024, 5, 9), date(2029, 5, 9)),
        ("penalty_serious", date(2026, 5, 10), date(2024, 5, 11), date(2029, 5, 10)),
        # It had ended before it was decided: it never counts.
        ("penalty_serious", date(2026, 5, 10), date(2021, 5, 10), date(2026, 5, 10)),
        ("penalty_serious", date(2026, 5, 10), date(2020, 1, 1), date(2025, 1, 1)),
        # The conduct ended after the decision: publication runs from the decision all the same.
        ("penalty_serious", date(2026, 5, 10), date(2027, 5, 10), date(2029, 5, 10)),
        # It goes on: five years have not begun, the publication ends it.
        ("penalty_minor", date(2026, 5, 10), None, date(2026, 8, 10)),
        ("penalty_general", date(2026, 5, 10), None, date(2027, 5, 10)),
        ("penalty_serious", date(2026, 5, 10), None, date(2029, 5, 10)),
        # Months of different lengths, and 29 February.
        ("penalty_minor", date(2026, 8, 31), None, date(2026, 11, 30)),
        ("penalty_minor", date(2027, 11, 30), None, date(2028, 2, 29)),
        ("penalty_general", date(2028, 2, 29), None, date(2029, 2, 28)),
        ("penalty_serious", date(2028, 2, 29), None, date(2031, 2, 28)),
        ("penalty_serious", date(2026, 2, 28), date(2024, 2, 29), date(2029, 2, 28)),
        ("penalty_serious", date(2028, 3, 1), date(2024, 2, 29), date(2029, 2, 28)),
    ],
)
def test_the_earlier_of_the_two_limits_ends_an_adverse_item(
    code: str, decided_on: date, conduct_ended_on: date | None, ends_on: date
):
    record_class = CLASSES[code]
    assert record_class.is_adverse
    found = ends_on_of(record_class, occurred_on=decided_on, ended_on=conduct_ended_on)
    assert found == ends_on


def test_the_classes_of_the_table_have_the_longest_publication_of_order_36():
    months = {
        code: CLASSES[code].publication_max_months
        for code in ("penalty_minor", "penalty_general", "penalty_serious")
    }
    assert months == {"penalty_minor": 3, "penalty_general": 12, "penalty_serious": 36}
