"""Goal: the table of exposure gives a higher tier never less, and every fault of it is named.

Method: the shipped table by the shipped scorecard, and texts with one fault each.
"""

import pytest

from backend.order.rules.exposure import (
    ExposureFaults,
    free_fen,
    limit_fen,
    load_exposure,
)
from backend.order.service import exposure_table
from backend.score.rules.scorecard import Tier
from backend.score.service import packaged_scorecard

TIERS = [
    Tier(code="low", name_zh="低", name_en="Low", from_points=0),
    Tier(code="high", name_zh="高", name_en="High", from_points=500),
]
GOOD = """
in_force_from = 2026-11-01
[[limit]]
tier = "low"
open_max_fen = 100
[[limit]]
tier = "high"
open_max_fen = 200
"""


def test_more_points_never_mean_less() -> None:
    """Over the whole range of the shipped scorecard."""
    tiers = packaged_scorecard().tiers
    limits = [limit_fen(exposure_table(), tiers=tiers, points=points) for points in range(1001)]
    assert limits == sorted(limits)
    assert limits[0] > 0
    assert len(set(limits)) == len(tiers)


def test_a_tier_that_the_table_does_not_know_has_what_the_next_lower_one_has() -> None:
    table = load_exposure(GOOD, tiers=TIERS)
    others = [
        *(TIERS[0], Tier(code="new", name_zh="新", name_en="New", from_points=300)),
        *(TIERS[1], Tier(code="top", name_zh="顶", name_en="Top", from_points=900)),
    ]
    found = [limit_fen(table, tiers=others, points=points) for points in (0, 300, 500, 900)]
    assert found == [100, 100, 200, 200]
    strangers = [Tier(code="x", name_zh="未知", name_en="X", from_points=0)]
    assert limit_fen(table, tiers=strangers, points=1000) == 100


def test_a_limit_that_fell_takes_nothing_back() -> None:
    assert free_fen(300, 200) == 0
    assert free_fen(50, 200) == 150


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("open_max_fen = 200", "open_max_fen = 99", "high: less than low"),
        ("open_max_fen = 100", "open_max_fen = -1", "low: a limit is 0 to"),
        ("open_max_fen = 200", "open_max_fen = 100000001", "high: a limit is 0 to"),
        ('tier = "high"', 'tier = "higher"', "the tiers are low, high"),
        ('tier = "high"', 'tier = "low"', "the tiers are low, high"),
        ("open_max_fen = 200", 'open_max_fen = "200"', "not a table of limits"),
        ("open_max_fen = 200", "open_max_fen = 200\nmore = 1", "not a table of limits"),
        ("[[limit]]", "[limit", "not a table of limits"),
    ],
)
def test_each_fault_is_named(old: str, new: str, said: str) -> None:
    with pytest.raises(ExposureFaults) as caught:
        load_exposure(GOOD.replace(old, new), tiers=TIERS)
    assert said in str(caught.value)
