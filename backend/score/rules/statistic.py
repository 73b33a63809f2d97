"""What is worked out from how many people stand at which points: exact, until the last division.

A `Spread` says how many people have which number of points. Everything is whole numbers and
fractions; only the logarithm of the population stability index is not.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from fractions import Fraction
from math import log

Spread = Mapping[int, int]

DECILES = 10


def people(spread: Spread) -> int:
    """Return how many people there are."""
    return sum(spread.values())


def mean(spread: Spread) -> Fraction:
    """Return the mean; there must be somebody."""
    return Fraction(sum(points * count for points, count in spread.items()), people(spread))


def median(spread: Spread) -> int:
    """Return the points that half of the people reach (of two in the middle the lower)."""
    return _at(spread, Fraction(1, 2))


def _at(spread: Spread, share: Fraction) -> int:
    """Return the least points that at least `share` of the people do not exceed."""
    passed, needed = 0, share * people(spread)
    for points in sorted(spread):
        passed += spread[points]
        if passed >= needed:
            return points
    raise AssertionError("a spread without people has no middle")


def decile_cuts(spread: Spread) -> list[int]:
    """Return where the bins of a stability index begin: after each tenth of the people.

    Fewer than nine where many people have the same points; none where all have.
    """
    cuts = {_at(spread, Fraction(tenth, DECILES)) + 1 for tenth in range(1, DECILES)}
    return sorted(cut for cut in cuts if cut <= max(spread))


def binned(spread: Spread, cuts: Sequence[int]) -> list[int]:
    """Return how many people stand in each bin; `cuts` are where all bins but the first begin."""
    counts = [0] * (len(cuts) + 1)
    for points, count in spread.items():
        counts[bisect_right(cuts, points)] += count
    return counts


def stability_index(expected: Sequence[int], actual: Sequence[int]) -> float:
    """Return the population stability index of two tables with the same bins, each with people.

    The sum over the bins of (a - e) * ln(a / e), with a and e the bin's shares. An empty bin
    counts as half a person: nothing divides by zero, and one person more or less moves little.
    """
    assert len(expected) == len(actual), "the same bins"
    total_expected, total_actual = sum(expected), sum(actual)
    assert total_expected > 0, "an index of nobody"
    assert total_actual > 0, "an index of nobody"
    index = 0.0
    for wanted, found in zip(expected, actual, strict=True):
        if not wanted and not found:
            continue
        before = Fraction(2 * wanted or 1, 2 * total_expected)
        after = Fraction(2 * found or 1, 2 * total_actual)
        if before != after:
            index += float(after - before) * log(after / before)
    return index


def separation(performed: Spread, failed: Spread) -> Fraction:
    """Return the Kolmogorov-Smirnov statistic: the largest gap of the two cumulative shares."""
    all_performed, all_failed = people(performed), people(failed)
    gap, below_performed, below_failed = Fraction(0), 0, 0
    for points in sorted({*performed, *failed}):
        below_performed += performed.get(points, 0)
        below_failed += failed.get(points, 0)
        here = Fraction(below_failed, all_failed) - Fraction(below_performed, all_performed)
        gap = max(gap, abs(here))
    return gap


def area_under_curve(performed: Spread, failed: Spread) -> Fraction:
    """Return how often one who performed has more points than one who did not; a tie is a half."""
    wins_twice, below = 0, 0
    for points in sorted({*performed, *failed}):
        there = failed.get(points, 0)
        wins_twice += performed.get(points, 0) * (2 * below + there)
        below += there
    return Fraction(wins_twice, 2 * people(performed) * people(failed))
