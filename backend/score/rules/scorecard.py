"""The scorecard: how conduct becomes points, as data that is proved before it is used (`proof`)."""

from typing import Literal

import msgspec

from backend.record.rules.catalogue import Dimension

Aggregate = Literal["count", "sum", "max", "tenure_months", "months_since", "ratio"]

PERMILLE = 1_000
VALUE_MAX = 1_000_000_000


class Tier(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A named part of the range, from `from_points` up to the next tier."""

    code: str
    name_zh: str
    name_en: str
    from_points: int


class DimensionCap(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The most points one dimension can give."""

    code: Dimension
    name_zh: str
    name_en: str
    cap_points: int


class Indicator(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One thing that is looked at: an aggregate over records, and the curve that gives points.

    `curve` holds (value, points) corners, straight between them and level outside; values count
    records, units, months or permille as `aggregate` says. `against` is the other side of a ratio.
    """

    code: str
    dimension: Dimension
    name_zh: str
    name_en: str
    aggregate: Aggregate
    classes: list[str]
    window_months: int
    neutral_value: int
    neutral_points: int
    curve: list[tuple[int, int]]
    text_zh: str
    text_en: str
    can_act: bool
    against: list[str] = []
    minimum_count: int = 0
    help_step: int = 0
    help_zh: str = ""
    help_en: str = ""

    def points_at(self, value: int) -> int:
        """Return the points at a value: straight between corners, rounded towards the left one.

        Only non-negative whole numbers are divided, so that every engine gives the same bits.
        """
        left_value, left_points = self.curve[0]
        if value <= left_value:
            return left_points
        for right_value, right_points in self.curve[1:]:
            if value < right_value:
                run, width = value - left_value, right_value - left_value
                if right_points >= left_points:
                    return left_points + (right_points - left_points) * run // width
                return left_points - (left_points - right_points) * run // width
            left_value, left_points = right_value, right_points
        return left_points

    @property
    def points_max(self) -> int:
        """The most points this indicator can give."""
        return max(points for _, points in self.curve)


class Scorecard(msgspec.Struct, frozen=True, kw_only=True):
    """A proved scorecard; `digest` is the SHA-256 of the file it came from."""

    version: str
    range_points: int
    tiers: list[Tier]
    dimensions: list[DimensionCap]
    indicators: list[Indicator]
    digest: bytes

    def tier_at(self, points: int) -> Tier:
        """Return the tier a number of points lies in."""
        return next(tier for tier in reversed(self.tiers) if points >= tier.from_points)
