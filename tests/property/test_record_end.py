"""Goal: an adverse record never counts after either of its two limits, whatever the edition says.

Method: Hypothesis takes any adverse class of the shipped catalogue, gives it any longest
publication a loader lets through for its severity, and any days; the limits are worked out here by
counting months on the calendar, not by the code under test.
"""

from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from backend.record.rules.catalogue import RecordClass
from backend.record.rules.life import Record, counts, ends_on_of
from backend.record.rules.status import Status, status_of
from backend.record.service import packaged_catalogue

ADVERSE = [each for each in packaged_catalogue().classes.values() if each.is_adverse]
MONTHS_MAX = {"minor": 3, "general": 12, "serious": 36}
DAYS = st.dates(date(2000, 1, 1), date(2060, 12, 31))


@st.composite
def adverse_classes(draw: st.DrawFn) -> RecordClass:
    """Return an adverse class as some edition might have it."""
    record_class = draw(st.sampled_from(ADVERSE))
    assert record_class.severity is not None
    most = MONTHS_MAX[record_class.severity]
    months = draw(st.integers(record_class.publication_min_months or 0, most))
    return msgspec.structs.replace(record_class, publication_max_months=months)


def is_over(since: date, months: int, today: date) -> bool:
    """Say whether so many months have passed, by the number of the month and the day in it."""
    passed = (today.year - since.year) * 12 + today.month - since.month
    # Who has no such day in that month is through on its last one.
    last = (today.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)
    return passed > months or (passed == months and today.day >= min(since.day, last.day))


@given(
    record_class=adverse_classes(),
    decided_on=DAYS,
    ended_on=st.none() | DAYS,
    as_of=st.data(),
)
def test_an_adverse_record_never_counts_after_either_limit(
    record_class: RecordClass, decided_on: date, ended_on: date | None, as_of: st.DataObject
):
    ends_on = ends_on_of(record_class, occurred_on=decided_on, ended_on=ended_on)
    assert ends_on is not None, "nothing bad stays for ever"
    record = Record(
        *(UUID(int=9), UUID(int=1), record_class.code, "s", "x", 1, 1, decided_on, ended_on),
        *(ends_on, datetime(2026, 1, 1, tzinfo=UTC), None, None, 0),
    )
    near = st.integers(-2, 2).map(lambda days: ends_on + timedelta(days=days))
    today = as_of.draw(near | DAYS | st.just(decided_on))
    months = record_class.publication_max_months
    assert months is not None
    is_past = is_over(decided_on, months, today) or (
        ended_on is not None and is_over(ended_on, 60, today)
    )
    assert (status_of(record, today) is Status.ENDED) == is_past
    assert counts(record, today) == (not is_past and decided_on <= today)
