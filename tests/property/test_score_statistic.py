"""Goal: the numbers operators judge a scorecard by are what their names say.

Method: Hypothesis draws how many people stand at which points; each statistic is compared with
the slowest and plainest way to work it out, or held to what must be true of it.
"""

from collections import Counter
from fractions import Fraction
from math import isclose

from hypothesis import given
from hypothesis import strategies as st

from backend.score.rules.statistic import (
    DECILES,
    area_under_curve,
    binned,
    decile_cuts,
    mean,
    median,
    people,
    separation,
    stability_index,
)

crowds = st.lists(st.integers(0, 60), min_size=1, max_size=60)
tables = st.lists(st.tuples(st.integers(0, 500), st.integers(0, 500)), min_size=1, max_size=12)


@given(crowds, crowds)
def test_auc_is_how_often_one_who_performed_stands_higher(performed, failed):
    wins = sum(
        Fraction(1) if good > bad else Fraction(1, 2) if good == bad else Fraction(0)
        for good in performed
        for bad in failed
    )
    expected = wins / (len(performed) * len(failed))
    assert area_under_curve(Counter(performed), Counter(failed)) == expected


@given(crowds, crowds)
def test_ks_is_the_largest_gap_between_the_two(performed, failed):
    gaps = [
        abs(
            Fraction(sum(each <= at for each in performed), len(performed))
            - Fraction(sum(each <= at for each in failed), len(failed))
        )
        for at in range(61)
    ]
    assert separation(Counter(performed), Counter(failed)) == max(gaps)


@given(crowds)
def test_a_score_that_says_nothing_has_half_of_the_area_and_no_gap(crowd):
    assert area_under_curve(Counter(crowd), Counter(crowd)) == Fraction(1, 2)
    assert separation(Counter(crowd), Counter(crowd)) == 0


@given(crowds, crowds)
def test_a_score_that_parts_the_two_has_the_whole_area_and_the_whole_gap(low, high):
    above = Counter(each + 61 for each in high)
    assert area_under_curve(above, Counter(low)) == 1 == separation(above, Counter(low))
    assert area_under_curve(Counter(low), above) == 0


@given(tables, st.integers(1, 9))
def test_the_stability_index_of_the_same_shares_is_zero(table, times):
    cells = [cell + 1 for cell, _ in table]
    assert stability_index(cells, [cell * times for cell in cells]) == 0


@given(tables)
def test_the_stability_index_is_never_negative_and_the_same_both_ways(table):
    one, other = [a for a, _ in table], [b for _, b in table]
    one[0] += 1
    other[-1] += 1
    there, back = stability_index(one, other), stability_index(other, one)
    assert there >= 0
    assert isclose(there, back, abs_tol=1e-12)


@given(crowds)
def test_mean_and_median_are_those_of_the_crowd(crowd):
    spread = Counter(crowd)
    assert mean(spread) == Fraction(sum(crowd), len(crowd))
    assert median(spread) == sorted(crowd)[(len(crowd) - 1) // 2]


@given(crowds)
def test_every_person_stands_in_one_bin_and_no_bin_is_empty(crowd):
    spread = Counter(crowd)
    cuts = decile_cuts(spread)
    counts = binned(spread, cuts)
    assert sum(counts) == people(spread) == len(crowd)
    assert len(counts) <= DECILES
    assert all(counts)
    assert counts == [
        sum(low <= each < high for each in crowd)
        for low, high in zip([-1, *cuts], [*cuts, 10**9], strict=True)
    ]
