"""Goal: ids, money, cursors and clocks mean what they say. Method: vectors and properties."""

from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.kit.clock import FixedClock, city_date
from backend.kit.ids import new_id, new_ids, new_token, subject_id_from, token_hash
from backend.kit.money import format_yuan, parse_yuan
from backend.kit.page import cut_page, decode_cursor, encode_cursor
from backend.kit.problem import Refusal

NOW = datetime(2026, 11, 20, 2, 0, tzinfo=UTC)
# What a database keeps as text: anything but the character NUL.
_KEPT = st.characters(exclude_characters="\0", exclude_categories=["Cs"])


def test_ids_are_uuid7_and_sort_by_time() -> None:
    ids = [new_id(NOW + timedelta(milliseconds=i)) for i in range(50)]
    assert ids == sorted(ids)
    assert {i.version for i in ids} == {7}
    assert {i.variant for i in ids} == {"specified in RFC 4122"}
    assert ids[0].int >> 80 == int(NOW.timestamp() * 1000)


def test_ids_of_one_millisecond_differ() -> None:
    assert len({new_id(NOW) for _ in range(2000)}) == 2000


def test_ids_for_thousands_of_rows_are_each_as_one_made_alone():
    ids = [UUID(bytes=each) for each in new_ids(NOW, 3_000)]
    assert len(set(ids)) == 3_000
    alone = new_id(NOW)
    assert {each.int >> 80 for each in ids} == {alone.int >> 80}
    assert {(each.version, each.variant) for each in ids} == {(7, alone.variant)}
    # Every bit that is random is so: over so many ids each has been both 0 and 1.
    zeros = ones = 0
    for each in ids:
        ones |= each.int
        zeros |= ~each.int
    random_bits = (0xFFF << 64) | ((1 << 62) - 1)
    assert ones & zeros & ((1 << 80) - 1) == random_bits
    assert new_ids(NOW, 0) == []


@given(st.binary(min_size=16, max_size=64))
def test_a_subject_id_is_a_uuid8_of_its_digest(digest: bytes) -> None:
    first = subject_id_from(digest)
    assert first == subject_id_from(digest)
    assert (first.version, first.variant) == (8, "specified in RFC 4122")


def test_tokens_carry_256_bits_and_only_their_hash_is_comparable() -> None:
    token = new_token("cp_at_")
    assert len(token) == len("cp_at_") + 43
    assert token_hash(token) != token_hash(new_token("cp_at_"))
    assert len(token_hash(token)) == 32


@given(st.integers(min_value=0, max_value=10**15))
def test_money_survives_its_text_to_the_fen(amount_fen: int) -> None:
    assert parse_yuan(format_yuan(amount_fen)) == amount_fen


@pytest.mark.parametrize("text", ["", ".", "1.", ".5", "1.234", "-1", "1e3", "１", "1,000", " 1"])
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="amount"):
        parse_yuan(text)


def test_yuan_are_written_with_two_decimals() -> None:
    assert [format_yuan(n) for n in (5, 12345, -205)] == ["0.05", "123.45", "-2.05"]


@given(st.lists(st.text(_KEPT, max_size=40), min_size=1, max_size=3))
def test_a_cursor_gives_its_key_back(parts: list[str]) -> None:
    assert decode_cursor(encode_cursor(*parts), parts=len(parts)) == tuple(parts)


@given(st.text(max_size=60))
def test_a_foreign_cursor_is_refused_not_guessed(text: str) -> None:
    if text == encode_cursor("a", "b"):
        return
    with pytest.raises(Refusal, match="cursor_invalid"):
        decode_cursor(text, parts=2)


def test_a_cursor_brings_nothing_that_no_database_takes() -> None:
    with pytest.raises(Refusal, match="cursor_invalid"):
        decode_cursor(encode_cursor("library\0", "3"), parts=2)


@given(st.integers(0, 30), st.integers(1, 12))
def test_pages_in_turn_show_everything_once_and_the_last_says_so(count: int, size: int) -> None:
    sizes, shown, after = [], [], -1
    while True:
        read = list(range(after + 1, count))[: size + 1]
        page = cut_page(read, size, key=lambda each: (str(each),))
        shown += page.items
        sizes.append(len(page.items))
        if page.next_cursor is None:
            break
        after = int(decode_cursor(page.next_cursor, parts=1)[0])
    assert shown == list(range(count))
    assert all(each == size for each in sizes[:-1])
    assert sizes[-1] > 0 or count == 0, "no page is empty but that of an empty list"


def test_the_city_changes_its_date_eight_hours_before_utc() -> None:
    assert city_date(datetime(2026, 11, 20, 15, 59, tzinfo=UTC)) == date(2026, 11, 20)
    assert city_date(datetime(2026, 11, 20, 16, 0, tzinfo=UTC)) == date(2026, 11, 21)


def test_a_fixed_clock_moves_only_when_told() -> None:
    clock = FixedClock(NOW)
    assert clock.now() == NOW
    clock.advance(timedelta(hours=1))
    assert clock.now() == NOW + timedelta(hours=1)
