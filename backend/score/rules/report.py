"""A report about a scorecard, as an operator reads it: on its own, or beside the one in force.

Every number of people in it is k-anonymous (kit/anonymity.py): `people` is told in whole twenties
or is null, and shares (in permille) are worked out from what is told, a told number taken in the
middle of what it can stand for. The member names are a promise to whoever reads the JSON
(docs/scorecards.md); a change of them is a new `schema`.
"""

from datetime import date, datetime
from typing import Literal
from uuid import UUID

import msgspec

SCHEMA = "creditplus.scorecard-report/1"

Role = Literal["champion", "challenger"]
# Below 0.1 a distribution counts as unchanged, from 0.25 on as another one: the usual bounds of
# scorecard monitoring.
StabilityLevel = Literal["stable", "shifted", "changed"]
STABILITY_SHIFTED, STABILITY_CHANGED = 0.1, 0.25
# The four-fifths rule: a group that reaches a tier less than 0.8 times as often as everybody does
# is looked at by people.
PARITY_LOW_PERMILLE = 800


class Bin(msgspec.Struct, frozen=True):
    """People with `from_points` to below `to_points` (the last bin: to the end of the range)."""

    from_points: int
    to_points: int
    people: int | None
    share_permille: int | None


class TierShare(msgspec.Struct, frozen=True):
    """People in one tier, and at it or above."""

    code: str
    name_zh: str
    name_en: str
    from_points: int
    people: int | None
    share_permille: int | None
    at_or_above_permille: int | None


class Contribution(msgspec.Struct, frozen=True):
    """How much of all that moves scores away from the base is moved by one part of the scorecard.

    `people`: whose score it moves. Null where it moves too few to be told.
    """

    code: str
    name_zh: str
    name_en: str
    people: int | None
    share_permille: int | None


class Outcome(msgspec.Struct, frozen=True):
    """How well points foretold what would be performed: null with a reason when it can't be told.

    Asked of each contract or bill, not of each person: somebody who has many meets more of both.
    `*_people`: whose they are. `separation` is the Kolmogorov-Smirnov statistic, `area` that
    under the ROC curve.
    """

    performed_people: int | None
    failed_people: int | None
    separation: float | None
    area: float | None
    reason: str | None


class Drift(msgspec.Struct, frozen=True):
    """How far the distribution has moved since an earlier report of the same scorecard."""

    report_id: UUID | None
    as_of: date | None
    stability_index: float | None
    level: StabilityLevel | None
    reason: str | None


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """What one scorecard makes of the city."""

    version: str
    digest: str
    range_points: int
    base_points: int
    mean_points: float
    median_points: int
    histogram: list[Bin]
    tiers: list[TierShare]
    dimensions: list[Contribution]
    indicators: list[Contribution]
    outcome: Outcome
    drift: Drift


class MoveBand(msgspec.Struct, frozen=True):
    """People whose points would change by `from_change` to `to_change`; null: no bound."""

    from_change: int | None
    to_change: int | None
    people: int | None
    share_permille: int | None


class TierMoves(msgspec.Struct, frozen=True):
    """People who would stand in a lower, the same or a higher tier."""

    lower: int | None
    same: int | None
    higher: int | None


class Movement(msgspec.Struct, frozen=True):
    """What the challenger would change: points under it, less points under the champion."""

    stability_index: float
    level: StabilityLevel
    mean_change_points: float
    bands: list[MoveBand]
    tiers: TierMoves | None


class ThinFiles(msgspec.Struct, frozen=True):
    """People by how many records count: none, one or two, three and more."""

    none: int | None
    few: int | None
    more: int | None
    thin_permille: int | None


class GroupTier(msgspec.Struct, frozen=True):
    """How often a group reaches a tier, and how that compares with everybody (1000: as often)."""

    code: str
    share_permille: int | None
    ratio_permille: int | None
    is_low: bool


class GroupSide(msgspec.Struct, frozen=True):
    """What one scorecard makes of a group."""

    mean_points: float
    mean_difference: float
    tiers: list[GroupTier]


class Group(msgspec.Struct, frozen=True):
    """An age band or district; without `people` there is nothing else about it either."""

    code: str
    name_zh: str
    name_en: str
    people: int | None
    champion: GroupSide | None
    challenger: GroupSide | None


class Parity(msgspec.Struct, frozen=True):
    """Whether the scorecard treats groups alike that it should not tell apart."""

    age_bands: list[Group]
    districts: list[Group]


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The whole report. `is_told` is false, and the rest null, for a city of under 20 people.

    At least one of `champion` (the scorecard in force) and `challenger` is there; `subject` says
    which of them the report is about.
    """

    schema: str
    report_id: UUID
    made_by: str
    made_at: datetime
    as_of: date
    is_backtest: bool
    k: int
    subject: Role
    champion_version: str | None
    challenger_version: str | None
    is_told: bool
    participants: int
    champion: Side | None
    challenger: Side | None
    movement: Movement | None
    thin_files: ThinFiles | None
    parity: Parity | None


def level_of(index: float) -> StabilityLevel:
    """Return what a stability index means."""
    if index < STABILITY_SHIFTED:
        return "stable"
    return "shifted" if index < STABILITY_CHANGED else "changed"
