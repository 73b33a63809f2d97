"""From a city counted to a report that may be read: everything told in whole twenties, or not."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from fractions import Fraction
from typing import NamedTuple, TypeVar
from uuid import UUID

import msgspec

from backend.kit.anonymity import K, tell, tell_part, told
from backend.score.rules import report as told_as
from backend.score.rules.report import Report, Side
from backend.score.rules.sample import AGE_BANDS, THIN_RECORDS, Sample, SideSample
from backend.score.rules.scorecard import DimensionCap, Indicator, Scorecard
from backend.score.rules.statistic import (
    Spread,
    area_under_curve,
    binned,
    decile_cuts,
    mean,
    median,
    people,
    separation,
    stability_index,
)

BINS = 20
# Changes of points are told in these bands: (least, most), None for no bound.
MOVES: tuple[tuple[int | None, int | None], ...] = (
    (None, -50),
    (-49, -20),
    (-19, -1),
    (0, 0),
    (1, 19),
    (20, 49),
    (50, None),
)
PERMILLE = 1_000
# The greatest is the greatest range of a scorecard: K people have a step too.
_MEAN_STEPS = [
    *(Fraction(step, 10) for step in (1, 2, 5)),
    *(Fraction(step * power) for power in (1, 10, 100, 1_000) for step in (1, 2, 5)),
    Fraction(10_000),
]
RATIO_PEOPLE_MIN = 5 * K

Code = TypeVar("Code", int, str)


class Heading(msgspec.Struct, frozen=True, kw_only=True):
    """What a report says about itself, and the earlier ones it is compared with, by version."""

    report_id: UUID
    made_by: str
    made_at: datetime
    as_of: date
    today: date
    earlier: Mapping[str, Report]


def make_report(sample: Sample, heading: Heading) -> Report:
    """Make the report of a city; one of fewer than K participants says nothing but that."""
    is_told = sample.participants >= K
    champion, challenger = sample.champion, sample.challenger
    both = champion is not None and challenger is not None
    return Report(
        schema=told_as.SCHEMA,
        report_id=heading.report_id,
        made_by=heading.made_by,
        made_at=heading.made_at,
        as_of=heading.as_of,
        is_backtest=heading.as_of < heading.today,
        k=K,
        subject="challenger" if challenger else "champion",
        champion_version=champion.scorecard.version if champion else None,
        challenger_version=challenger.scorecard.version if challenger else None,
        is_told=is_told,
        participants=told(sample.participants),
        champion=_side(champion, sample, heading) if champion and is_told else None,
        challenger=_side(challenger, sample, heading) if challenger and is_told else None,
        movement=_movement(sample) if both and is_told else None,
        thin_files=_thin_files(sample) if is_told else None,
        parity=_parity(sample) if is_told else None,
    )


def _share(count: int | None, whole: int) -> int | None:
    """Return a share in permille, of numbers that may be told and of nothing else.

    A told number stands for itself and up to K - 1 people more: both are taken in the middle.
    """
    if count is None:
        return None
    return (2 * count + K - 1) * PERMILLE // (2 * whole + K - 1) if count else 0


def _side(side: SideSample, sample: Sample, heading: Heading) -> Side:
    scorecard, whole = side.scorecard, told(people(side.spread))
    edges = [scorecard.range_points * place // BINS for place in range(BINS + 1)]
    edges = sorted({*edges})  # a range of less than BINS points has fewer bins
    bins = tell(binned(side.spread, edges[1:-1]))
    histogram = [
        told_as.Bin(low, high, count, _share(count, whole))
        for low, high, count in zip(edges, edges[1:], bins, strict=False)
    ]
    indicators, dimensions = _contributions(side)
    base = _base(scorecard)
    return Side(
        version=scorecard.version,
        digest=scorecard.digest.hex(),
        range_points=scorecard.range_points,
        base_points=base,
        mean_points=base + _mean(mean(side.spread) - base, people(side.spread), scorecard),
        median_points=median(side.spread),
        histogram=histogram,
        tiers=_tiers(side, whole),
        dimensions=dimensions,
        indicators=indicators,
        outcome=_outcome(side, sample, is_backtest=heading.as_of < heading.today),
        drift=_drift(scorecard.version, histogram, whole, heading),
    )


def _tiers(side: SideSample, whole: int) -> list[told_as.TierShare]:
    tiers = side.scorecard.tiers
    counts = tell(binned(side.spread, [tier.from_points for tier in tiers[1:]]))
    above = [_at_or_above(side.spread, tier.from_points) for tier in tiers]
    return [
        told_as.TierShare(
            code=tier.code,
            name_zh=tier.name_zh,
            name_en=tier.name_en,
            from_points=tier.from_points,
            people=count,
            share_permille=_share(count, whole),
            at_or_above_permille=_share(reached, whole),
        )
        for tier, count, reached in zip(tiers, counts, above, strict=True)
    ]


def _at_or_above(spread: Spread, points: int) -> int | None:
    reached = sum(count for there, count in spread.items() if there >= points)
    return tell_part(reached, people(spread))


class _Effect(NamedTuple):
    """How many people one part of a scorecard moves, and by how many points in all."""

    moved: int
    amount: int


def _contributions(
    side: SideSample,
) -> tuple[list[told_as.Contribution], list[told_as.Contribution]]:
    """Tell how much each indicator moves, and each dimension.

    Where one moves a few people only, not even how much; and a dimension that has such an
    indicator is told without it, so that nothing follows from what is missing to the whole.
    """
    indicators, dimensions = side.scorecard.indicators, side.scorecard.dimensions
    effects = [
        _effect({v: abs(each.points_at(v) - each.neutral_points) for v in values}, values)
        for each, values in zip(indicators, side.values, strict=True)
    ]
    counts = tell([effect.moved for effect in effects])
    of_dimensions = []
    for dimension, points in zip(dimensions, side.dimensions, strict=True):
        own = [
            (each.neutral_points, effect.amount, count)
            for each, effect, count in zip(indicators, effects, counts, strict=True)
            if each.dimension == dimension.code
        ]
        base = sum(neutral for neutral, _, _ in own)
        whole = _effect({there: abs(there - base) for there in points}, points)
        if any(count is None for _, _, count in own):
            told_amount = sum(amount for _, amount, count in own if count is not None)
            whole = whole._replace(amount=told_amount)
        of_dimensions.append(whole)
    return _shares(indicators, effects), _shares(dimensions, of_dimensions)


def _effect(amount_of: Mapping[int, int], counter: Counter[int]) -> _Effect:
    found = [(amount_of[there], count) for there, count in counter.items()]
    return _Effect(
        sum(count for amount, count in found if amount),
        sum(amount * count for amount, count in found),
    )


def _shares(
    parts: Sequence[Indicator | DimensionCap], effects: Sequence[_Effect]
) -> list[told_as.Contribution]:
    """Give each part its share of all that is told."""
    counts = tell([effect.moved for effect in effects])
    pairs = list(zip(counts, effects, strict=True))
    total = sum(effect.amount for count, effect in pairs if count is not None)
    return [
        told_as.Contribution(
            *(part.code, part.name_zh, part.name_en, count),
            None if count is None else effect.amount * PERMILLE // max(1, total),
        )
        for part, (count, effect) in zip(parts, pairs, strict=True)
    ]


def _outcome(side: SideSample, sample: Sample, *, is_backtest: bool) -> told_as.Outcome:
    """Ask of each thing that was performed or not what its person's points were before."""
    if not is_backtest:
        return told_as.Outcome(None, None, None, None, "not_a_backtest")
    performed, failed = (
        tell_part(count, sample.participants)
        for count in (sample.performed_people, sample.failed_people)
    )
    if not performed or not failed:
        return told_as.Outcome(performed, failed, None, None, "too_few")
    return told_as.Outcome(
        performed,
        failed,
        _thousandth(separation(side.performed, side.failed)),
        _thousandth(area_under_curve(side.performed, side.failed)),
        None,
    )


def _drift(
    version: str, histogram: Sequence[told_as.Bin], whole: int, heading: Heading
) -> told_as.Drift:
    """Compare with an earlier report by what both tell; the rest of each is one more bin."""
    earlier = heading.earlier.get(version)
    if earlier is None:
        return told_as.Drift(None, None, None, None, "no_earlier_report")
    sides = [each for each in (earlier.champion, earlier.challenger) if each is not None]
    before = next((each for each in sides if each.version == version), None)
    if before is None or not earlier.participants:
        return told_as.Drift(earlier.report_id, earlier.as_of, None, None, "too_few")
    pairs = [
        (old.people, new.people)
        for old, new in zip(before.histogram, histogram, strict=True)
        if old.people is not None and new.people is not None
    ]
    old_rest = earlier.participants - sum(old for old, _ in pairs)
    new_rest = whole - sum(new for _, new in pairs)
    index = stability_index(
        [*(old for old, _ in pairs), max(0, old_rest)],
        [*(new for _, new in pairs), max(0, new_rest)],
    )
    return told_as.Drift(
        earlier.report_id, earlier.as_of, round(index, 3), told_as.level_of(index), None
    )


def _movement(sample: Sample) -> told_as.Movement:
    assert sample.champion is not None
    assert sample.challenger is not None
    cuts = decile_cuts(sample.champion.spread)
    index = stability_index(
        binned(sample.champion.spread, cuts), binned(sample.challenger.spread, cuts)
    )
    whole = told(sample.participants)
    counts = binned(sample.changes, [least for least, _ in MOVES if least is not None])
    steps = tell([sample.tier_steps[step] for step in (-1, 0, 1)])
    is_same = [tier.code for tier in sample.champion.scorecard.tiers] == [
        tier.code for tier in sample.challenger.scorecard.tiers
    ]
    return told_as.Movement(
        # Two digits: a few people of a hundred move the third.
        stability_index=round(index, 2),
        level=told_as.level_of(index),
        mean_change_points=_mean(
            mean(sample.changes), sample.participants, sample.challenger.scorecard
        ),
        bands=[
            told_as.MoveBand(least, most, count, _share(count, whole))
            for (least, most), count in zip(MOVES, tell(counts), strict=True)
        ],
        tiers=told_as.TierMoves(*steps) if is_same else None,
    )


def _thin_files(sample: Sample) -> told_as.ThinFiles:
    counts = sample.record_counts
    few = sum(counts[number] for number in range(1, THIN_RECORDS))
    none, few_told, more = tell([counts[0], few, counts[THIN_RECORDS]])
    thin = tell_part(counts[0] + few, sample.participants)
    return told_as.ThinFiles(none, few_told, more, _share(thin, told(sample.participants)))


def _parity(sample: Sample) -> told_as.Parity:
    sides = (sample.champion, sample.challenger)
    ages = [side.by_age if side else None for side in sides]
    districts = [side.by_district if side else None for side in sides]
    names = {
        age: f"{age}+" if age == AGE_BANDS[-1] else f"{age}-{following - 1}"
        for age, following in zip(AGE_BANDS, [*AGE_BANDS[1:], 0], strict=True)
    }
    # Groups must be the same people under both scorecards; the sample counted them so.
    return told_as.Parity(
        age_bands=_groups(sides, ages, names),
        # There are thousands of districts: that one has a few people would tell of them too.
        districts=[
            each
            for each in _groups(
                sides, districts, {code: code for each in districts for code in each or ()}
            )
            if each.people is not None
        ],
    )


def _groups(
    sides: Sequence[SideSample | None],
    spreads: Sequence[Mapping[Code, Counter[int]] | None],
    names: Mapping[Code, str],
) -> list[told_as.Group]:
    known = next(each for each in spreads if each is not None)
    codes = sorted(known)
    groups = []
    for code, count in zip(codes, tell([people(known[code]) for code in codes]), strict=True):
        views = [
            _group_side(side, spread[code]) if side and spread and count else None
            for side, spread in zip(sides, spreads, strict=True)
        ]
        groups.append(told_as.Group(str(code), names[code], names[code], count, *views))
    return groups


def _group_side(side: SideSample, spread: Spread) -> told_as.GroupSide:
    """Compare a group that may be told with everybody."""
    everybody, group = people(side.spread), people(spread)
    tiers = []
    for tier in side.scorecard.tiers[1:]:
        reached = _at_or_above(spread, tier.from_points)
        of_all = _at_or_above(side.spread, tier.from_points)
        share, usual = _share(reached, told(group)), _share(of_all, told(everybody))
        ratio, is_low = None, False
        if reached is not None and share is not None and usual:
            # Of few people rounding moves a ratio more than conduct does: no ratio is told then.
            ratio = share * PERMILLE // usual if not 0 < reached < RATIO_PEOPLE_MIN else None
            # Low only if it stays so with all the people that rounding may have left out.
            most = min(PERMILLE, (reached + bool(reached) * (K - 1)) * PERMILLE // told(group))
            is_low = most * PERMILLE // usual < told_as.PARITY_LOW_PERMILLE
        tiers.append(told_as.GroupTier(tier.code, share, ratio, is_low))
    there, base = mean(spread), _base(side.scorecard)
    return told_as.GroupSide(
        base + _mean(there - base, group, side.scorecard),
        _mean(there - mean(side.spread), group, side.scorecard),
        tiers,
    )


def _base(scorecard: Scorecard) -> int:
    return sum(each.neutral_points for each in scorecard.indicators)


def _mean(away: Fraction, whose: int, scorecard: Scorecard) -> float:
    """Return how far a mean is away from where it is known to begin, as it may be told.

    Whoever knows by how much a scorecard moves each of a few people would count them by an exact
    mean. It is told in whole steps, rounded towards the beginning; K people who move by a tenth of
    the range move it by a step, and no step is finer than a tenth of a point.
    """
    needed = Fraction(K * scorecard.range_points, 10 * whose)
    step = next(step for step in _MEAN_STEPS if step >= needed)
    return round(float(int(away / step) * step), 1) + 0.0  # never a minus zero


def _thousandth(value: Fraction) -> float:
    return round(float(value), 3)
