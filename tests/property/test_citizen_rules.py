"""Goal: what the citizen room's rules promise holds for any input, not just for examples.

Method: Hypothesis. Normal forms are fixed points; a number by the formula always passes and any
other check character never; the window admits at most its limit in any ten minutes.
"""

from datetime import UTC, date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from backend.citizen.rules import (
    LIMIT_WINDOW,
    mask_name,
    parse_name,
    parse_national_id,
    parse_phone,
    tries_in_window,
    wait_seconds,
)
from backend.kit.problem import Refusal

TODAY = date(2026, 11, 24)
NOW = datetime(2026, 11, 24, tzinfo=UTC)
CHECKS = "10X98765432"
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
areas = st.from_regex(r"[0-9]{6}", fullmatch=True).filter(str.isascii)
serials = st.integers(0, 999).map("{:03d}".format)
birthdays = st.dates(date(1897, 1, 1), TODAY)


def remainder(first_17: str) -> int:
    return sum(int(d) * w for d, w in zip(first_17, _WEIGHTS, strict=True)) % 11


@given(areas, birthdays, serials)
def test_exactly_one_check_character_makes_a_number_valid(
    area: str, born_on: date, serial: str
) -> None:
    """Of the eleven characters one passes, and then area and serial don't matter."""
    first_17 = f"{area}{born_on:%Y%m%d}{serial}"
    passed = []
    for character in CHECKS:
        try:
            parsed = parse_national_id(first_17 + character, today=TODAY)
        except Refusal:
            continue
        assert parsed.born_on == born_on
        passed.append(character)
    assert passed == [CHECKS[remainder(first_17)]]


@given(st.text(max_size=40))
def test_no_text_breaks_the_parsers_and_normal_forms_are_fixed_points(text: str) -> None:
    """Any text gives a value or a refusal; parsing a value again changes nothing."""
    for parse in (
        parse_name,
        parse_phone,
        lambda value: parse_national_id(value, today=TODAY).number,
    ):
        try:
            value = parse(text)
        except Refusal:
            continue
        assert parse(value) == value


@given(st.text(st.characters(min_codepoint=0x4E00, max_codepoint=0x9FFF), min_size=2, max_size=50))
def test_any_name_of_han_characters_passes_and_its_mask_shows_one(name: str) -> None:
    """Whatever the characters, the mask gives one away."""
    parsed = parse_name(name)
    assert mask_name(parsed).count("*") == min(len(parsed), 4) - 1
    assert mask_name(parsed)[0] == parsed[0]


@given(
    st.lists(st.timedeltas(timedelta(0), timedelta(minutes=4)), max_size=60),
    st.integers(1, 8),
)
def test_in_any_ten_minutes_at_most_the_limit_gets_through(
    pauses: list[timedelta], limit: int
) -> None:
    """However tries are spread, no window of ten minutes holds more than the limit."""
    moment, tried, passed = NOW, [], []
    for pause in pauses:
        moment += pause
        if wait_seconds(tried, limit=limit, now=moment) == 0:
            tried = [*tries_in_window(tried, moment), moment]
            passed.append(moment)
    assert len(tried) <= limit
    for end in passed:
        assert sum(end - LIMIT_WINDOW < start <= end for start in passed) <= limit


@given(
    st.lists(st.timedeltas(-LIMIT_WINDOW, timedelta(0)), min_size=1, max_size=30),
    st.integers(1, 8),
)
def test_waiting_as_long_as_told_is_enough_and_not_a_second_too_long(
    ages: list[timedelta], limit: int
) -> None:
    """The wait is the least whole number of seconds after which a try is allowed."""
    tried = [NOW + age for age in ages]
    wait = wait_seconds(tried, limit=limit, now=NOW)
    assert wait_seconds(tried, limit=limit, now=NOW + timedelta(seconds=wait)) == 0
    if wait:
        assert wait_seconds(tried, limit=limit, now=NOW + timedelta(seconds=wait - 1)) > 0
