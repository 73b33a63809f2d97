"""Goal: no number about people that is published stands for 1 to 19 of them (product line 12).

Method: Hypothesis draws tables; whoever reads them works out everything that sums and differences
of cells, totals and other tables of the same people give, and finds no few people.
"""

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from backend.kit.anonymity import K, tell, tell_part, told

tables = st.lists(st.integers(0, 70), min_size=1, max_size=9)


def few(count: int) -> bool:
    """Say whether a number stands for so few people that it must not be known."""
    return 0 < abs(count) < K


@given(tables)
def test_no_cell_total_or_difference_of_them_stands_for_a_few_people(counts):
    numbers = [cell for cell in tell(counts) if cell is not None] + [told(sum(counts))]
    assert not any(few(number) for number in numbers)
    for size in range(1, len(numbers) + 1):
        for chosen in combinations(numbers[:-1], size):
            assert not few(numbers[-1] - sum(chosen))
    assert not any(few(a - b) for a, b in combinations(numbers, 2))


@given(tables)
def test_what_is_kept_back_is_never_a_few_people_even_if_the_total_were_known(counts):
    cells = tell(counts)
    hidden = [count for count, cell in zip(counts, cells, strict=True) if cell is None]
    assert not any(
        cell is not None and few(count) for count, cell in zip(counts, cells, strict=True)
    )
    if hidden and any(cell for cell in cells):
        assert sum(hidden) >= K
        assert len(hidden) >= 2
    # Nobody is left among the told: then the total itself is all there is.
    if hidden and not any(cell for cell in cells):
        assert not any(count for count, cell in zip(counts, cells, strict=True) if cell is not None)


@given(tables)
def test_nothing_is_kept_back_without_a_few_people_to_protect(counts):
    if not any(few(count) for count in counts):
        assert tell(counts) == [told(count) for count in counts]


@given(tables, st.data())
def test_two_tables_of_the_same_people_differ_by_no_few_people(counts, data):
    """Before and after, champion and challenger: some people change their cell."""
    after = counts[:]
    for _ in range(data.draw(st.integers(0, 30))):
        here, there = (data.draw(st.integers(0, len(counts) - 1)) for _ in range(2))
        if after[here]:
            after[here], after[there] = after[here] - 1, after[there] + 1
    for one, other in zip(tell(counts), tell(after), strict=True):
        if one is not None and other is not None:
            assert not few(one - other)


@given(st.integers(0, 200), st.data())
def test_a_part_is_told_only_if_neither_it_nor_the_rest_is_a_few_people(whole, data):
    parts = sorted(data.draw(st.lists(st.integers(0, whole), min_size=2, max_size=5)))
    cells = [tell_part(part, whole) for part in parts]
    for part, cell in zip(parts, cells, strict=True):
        if cell is None:
            assert few(part) or few(whole - part)
        else:
            assert not few(part)
            assert not few(whole - part)
    # At or above one tier and at or above the next: who is between them is no few people either.
    shown = [cell for cell in cells if cell is not None]
    assert not any(few(a - b) for a, b in combinations(shown, 2))
    assert not any(few(told(whole) - cell) for cell in shown)


def test_a_lone_cell_takes_the_next_smallest_with_it():
    assert tell([100, 7, 40, 60]) == [100, None, None, 60]


def test_cells_that_hide_each_other_need_no_third():
    assert tell([100, 12, 13]) == [100, None, None]


def test_an_empty_cell_hides_nobody():
    assert tell([0, 5, 30, 90]) == [0, None, None, 80]
