"""Goal: a department can work its mark out again from the counts, and doing better never lowers it.

Method: Hypothesis makes counts that belong together; the mark is worked out a second time here,
with fractions and by the text of docs/quality.md; then one kind of bad line after another is taken
away. Timing is held against calendars that Hypothesis makes, known whole and known in part.
"""

from datetime import date, timedelta
from fractions import Fraction

import msgspec
from hypothesis import assume, given
from hypothesis import strategies as st

from backend.calendar.rules import WorkCalendar, WorkDay
from backend.record.rules.quality import (
    DAYS_OFF_MAX,
    WEIGHTS,
    MonthCounts,
    calendar_days_needed,
    is_late,
    measure,
)

MONTH = date(2026, 11, 1)
numbers = st.one_of(st.integers(0, 5), st.integers(0, 2_000_000))


@st.composite
def counts(draw: st.DrawFn) -> MonthCounts:
    """Counts as taking in makes them: parts never exceed what they are parts of."""
    rejected, duplicates, corrections = draw(numbers), draw(numbers), draw(numbers)
    withdrawals, repairs, fresh = draw(numbers), draw(numbers), draw(numbers)
    timed = draw(st.integers(0, fresh))
    return MonthCounts(
        source_code="city_library",
        class_code="library_return",
        month=MONTH,
        accepted=duplicates + corrections + withdrawals + repairs + fresh,
        rejected=rejected,
        incomplete=draw(st.integers(0, rejected)),
        duplicates=duplicates,
        corrections=corrections,
        withdrawals=withdrawals,
        repairs=repairs,
        timed=timed,
        late=draw(st.integers(0, timed)),
    )


def by_hand(c: MonthCounts) -> int | None:
    """Work a mark out as docs/quality.md says, with a pencil instead of the code."""
    parts = [
        (20, c.lines - c.incomplete, c.lines),
        (30, c.accepted, c.lines),
        (30, c.timed - c.late, c.timed),
        (10, c.accepted - c.duplicates, c.accepted),
        (10, c.accepted - c.corrections, c.accepted),
    ]
    known = [(weight, int(Fraction(1000 * good, of))) for weight, good, of in parts if of]
    if not known:
        return None
    points = sum(weight * share for weight, share in known)
    return int(Fraction(points, 10 * sum(weight for weight, _ in known)))


def test_the_weights_make_a_hundred() -> None:
    assert sum(WEIGHTS.values()) == 100


@given(counts())
def test_the_mark_follows_from_the_counts_alone(found: MonthCounts) -> None:
    quality = measure(found)
    assert quality.mark == by_hand(found)
    assert (quality.mark is None) == (found.lines == 0), "no line, no mark"
    if quality.mark is not None:
        assert 0 <= quality.mark <= 100
        faults = found.rejected + found.late + found.duplicates + found.corrections
        assert quality.mark < 100 or faults == 0, "100 is for a month without any fault"
        assert quality.mark == 100 or faults > 0


@given(counts(), st.sampled_from(("late", "duplicates", "corrections", "incomplete")), st.data())
def test_fewer_faults_never_lower_the_mark(found: MonthCounts, kind: str, data: st.DataObject):
    most = getattr(found, kind)
    assume(most > 0)
    better = msgspec.structs.replace(found, **{kind: data.draw(st.integers(0, most - 1))})
    before, after = measure(found).mark, measure(better).mark
    assert before is not None
    assert after is not None
    assert after >= before


@given(counts(), st.integers(1, 1_000_000))
def test_more_good_lines_never_lower_the_mark(found: MonthCounts, more: int) -> None:
    assume(found.timed > 0)  # else lines that are timed bring a share that wasn't there
    better = msgspec.structs.replace(
        found, accepted=found.accepted + more, timed=found.timed + more
    )
    before, after = measure(found).mark, measure(better).mark
    assert before is not None
    assert after is not None
    assert after >= before


FIRST = date(2025, 1, 1)
flags = st.lists(st.booleans(), min_size=120, max_size=120)


def _is_likely(working: list[bool]) -> bool:
    """Say whether no row of days off is longer than any calendar has."""
    off = 0
    for each in working:
        off = 0 if each else off + 1
        if off > DAYS_OFF_MAX:
            return False
    return True


def _calendar(working: list[bool], known: list[bool]) -> WorkCalendar:
    days = [FIRST + timedelta(days=place) for place in range(len(working))]
    rows = zip(days, working, known, strict=True)
    return WorkCalendar([WorkDay(day, each) for day, each, is_known in rows if is_known])


@given(flags, flags, st.integers(0, 100), st.integers(0, 19), st.integers(1, 7))
def test_what_is_said_with_part_of_a_calendar_the_whole_one_says_too(
    working: list[bool], known: list[bool], start: int, gap: int, within: int
) -> None:
    assume(_is_likely(working))
    starts_on = FIRST + timedelta(days=start)
    received_on = starts_on + timedelta(days=gap)
    whole, part = (_calendar(working, each) for each in ([True] * len(known), known))
    ask = {"starts_on": starts_on, "received_on": received_on, "within": within}
    said, guessed = is_late(whole, **ask), is_late(part, **ask)
    assert said is not None
    assert guessed in {said, None}
    # By the calendar's own words: late is after the last of the working days.
    passed = sum(working[start + 1 : start + gap])
    assert said == (passed >= within)


@given(st.integers(1, 60), st.integers(0, 5000))
def test_a_calendar_need_not_reach_further_back_than_is_read(within: int, gap: int) -> None:
    received_on = date(2026, 11, 20)
    first = received_on - timedelta(days=calendar_days_needed(within))
    # The calendar with the fewest working days there can be.
    days = [first + timedelta(days=place) for place in range((received_on - first).days + 1)]
    sparse = WorkCalendar([WorkDay(day, day.toordinal() % (DAYS_OFF_MAX + 1) == 0) for day in days])
    starts_on = received_on - timedelta(days=gap)
    assert is_late(sparse, starts_on=starts_on, received_on=received_on, within=within) is not None
