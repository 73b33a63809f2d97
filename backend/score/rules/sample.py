"""A city counted: what a report is made from. Person by person in, numbers of people out.

It holds no person: only how many have which points, values, changes. What it holds grows with the
number of different points, values and districts, not with the number of people.
"""

from collections import Counter
from collections.abc import Sequence

import msgspec

from backend.score.rules.scorecard import Scorecard

THIN_RECORDS = 3  # fewer records than these are a thin file
AGE_BANDS = (18, 25, 35, 45, 55, 65)


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """What a report asks about a participant besides points.

    `performed` and `failed`: quantities of what happened after the day of a backtest.
    """

    age_band: int
    district: str
    record_count: int = 0
    performed: int = 0
    failed: int = 0


class Standing(msgspec.Struct, frozen=True):
    """How a participant stands under one scorecard; `dimensions` and `values` in its order."""

    points: int
    dimensions: Sequence[int]
    values: Sequence[int]


class SideSample:
    """How everybody stands under one scorecard."""

    def __init__(self, scorecard: Scorecard) -> None:
        self.scorecard = scorecard
        self.spread: Counter[int] = Counter()
        self.dimensions: list[Counter[int]] = [Counter() for _ in scorecard.dimensions]
        self.values: list[Counter[int]] = [Counter() for _ in scorecard.indicators]
        # Not people but what they did: somebody who keeps ten contracts says more than one does.
        self.performed: Counter[int] = Counter()
        self.failed: Counter[int] = Counter()
        self.by_age: dict[int, Counter[int]] = {}
        self.by_district: dict[str, Counter[int]] = {}

    def add(self, person: Person, standing: Standing) -> None:
        """Count one participant."""
        assert 0 <= standing.points <= self.scorecard.range_points, "points stay in range"
        self.spread[standing.points] += 1
        for counter, points in zip(self.dimensions, standing.dimensions, strict=True):
            counter[points] += 1
        for counter, value in zip(self.values, standing.values, strict=True):
            counter[value] += 1
        self.performed[standing.points] += person.performed
        self.failed[standing.points] += person.failed
        self.by_age.setdefault(person.age_band, Counter())[standing.points] += 1
        self.by_district.setdefault(person.district, Counter())[standing.points] += 1


class Sample:
    """How everybody stands: under the champion, the challenger, or each beside the other."""

    def __init__(self, *, champion: Scorecard | None, challenger: Scorecard | None) -> None:
        assert champion or challenger, "a report about nothing"
        self.champion = SideSample(champion) if champion else None
        self.challenger = SideSample(challenger) if challenger else None
        self.participants = 0
        self.performed_people = 0
        self.failed_people = 0
        self.record_counts: Counter[int] = Counter()
        self.changes: Counter[int] = Counter()
        self.tier_steps: Counter[int] = Counter()

    def add(
        self, person: Person, *, champion: Standing | None, challenger: Standing | None
    ) -> None:
        """Count one participant, with how they stand under each scorecard of the report."""
        self.participants += 1
        self.performed_people += person.performed > 0
        self.failed_people += person.failed > 0
        self.record_counts[min(person.record_count, THIN_RECORDS)] += 1
        for side, standing in ((self.champion, champion), (self.challenger, challenger)):
            assert (side is None) == (standing is None), "one standing for each scorecard"
            if side is not None and standing is not None:
                side.add(person, standing)
        if champion is not None and challenger is not None:
            assert self.champion is not None
            assert self.challenger is not None
            self.changes[challenger.points - champion.points] += 1
            before = _tier_place(self.champion.scorecard, champion.points)
            after = _tier_place(self.challenger.scorecard, challenger.points)
            self.tier_steps[(after > before) - (after < before)] += 1


def _tier_place(scorecard: Scorecard, points: int) -> int:
    return sum(points >= tier.from_points for tier in scorecard.tiers)
