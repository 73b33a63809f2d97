"""The score in full: why it is what it is, what would help, what it was and what changed."""

from collections.abc import Sequence
from datetime import date, datetime

import msgspec
from litestar import Response, get
from litestar.di import NamedDependency
from markupsafe import Markup

from backend.kit.clock import Clock
from backend.kit.postgres import Database
from backend.kit.problem import Refusal
from backend.kit.svg import Axis, Point, step_chart
from backend.record import service as record
from backend.record.rules.catalogue import Catalogue
from backend.score import service as score
from backend.score.rules.scorecard import Scorecard, Tier
from backend.score.service import ExplainedScore, PastScore, RevisionChanges
from backend.web.records import RecordLine, record_lines
from backend.web.render import render_page
from backend.web.session import AnyRequest, Visit, Visitor, signed_in
from backend.web.words import Text, city_day, city_day_en, city_day_iso

_DRAWN_WIDTH = 1000
# A reason names a few records by themselves and says how many there are.
_RECORDS_SHOWN = 3
# What the chart draws, and what the list under it says in figures.
_REVISIONS_DRAWN = 60
_REVISIONS_LISTED = 10
_GRID_POINTS = 100
_REVISION_DIGITS = 18


class TierStep(msgspec.Struct, frozen=True):
    """One tier on the scale; `is_here` for the one the score lies in."""

    name: Text
    from_points: int
    is_here: bool


class DimensionBar(msgspec.Struct, frozen=True):
    """The points of one dimension, of the most it can give."""

    name: Text
    points: int
    most: int


class EffectItem(msgspec.Struct, frozen=True):
    """One thing and its points with their sign ("+24", "−8"), the records behind it, how many."""

    text: Text
    effect: str
    records: list[RecordLine]
    record_count: int


class ScoreCard(msgspec.Struct, frozen=True):
    """The score as drawn on the page; `place` of 1000 is where it stands on the scale."""

    points: int
    range_points: int
    tier: Text
    steps: list[TierStep]
    place: int
    as_of: date
    scorecard_version: str
    reasons: list[EffectItem]
    next_change_on: date | None


class PastItem(msgspec.Struct, frozen=True):
    """One past score: since when, its points, and where it is said what had changed."""

    at: datetime
    points: int
    href: str


class MovedItem(msgspec.Struct, frozen=True):
    """One thing that changed: by how many points, and the records that came and left."""

    text: Text
    effect: str
    came: list[RecordLine]
    left: list[RecordLine]


class ChangesView(msgspec.Struct, frozen=True):
    """What changed between two scores; `base` is None where one scorecard gave both."""

    points_before: int
    points_after: int
    at_before: datetime
    at_after: datetime
    effect: str
    base: EffectItem | None
    items: list[MovedItem]


class ScoreView(msgspec.Struct, frozen=True):
    """The whole page; `changes` is None while there is but one score."""

    score: ScoreCard
    helps: list[EffectItem]
    dimensions: list[DimensionBar]
    chart: Markup
    past: list[PastItem]
    has_more: bool
    changes: ChangesView | None


def score_view(
    explained: ExplainedScore,
    past: Sequence[PastScore],
    changes: RevisionChanges | None,
    *,
    catalogue: Catalogue,
    now: datetime,
) -> ScoreView:
    """Return the page of a score; `past` are its revisions, newest first."""
    return ScoreView(
        score=score_card(explained, catalogue),
        helps=[
            EffectItem(
                Text(each.text_zh, each.text_en),
                with_sign(each.gain_points),
                record_lines(each.records[:_RECORDS_SHOWN], catalogue),
                len(each.records),
            )
            for each in explained.helps
        ],
        dimensions=dimension_bars(explained.scorecard, explained.score.dimensions),
        chart=history_chart(past, now=now),
        past=[
            PastItem(
                each.score.computed_at,
                each.score.points,
                f"/score/changes?to={each.score.revision}",
            )
            for each in past[:_REVISIONS_LISTED]
        ],
        has_more=len(past) > _REVISIONS_LISTED,
        changes=None if changes is None else changes_view(changes, catalogue),
    )


def score_card(explained: ExplainedScore, catalogue: Catalogue) -> ScoreCard:
    """Return a score with its reasons in words, as drawn on the pages."""
    found, scorecard = explained.score, explained.scorecard
    tier = scorecard.tier_at(found.points)
    return ScoreCard(
        points=found.points,
        range_points=scorecard.range_points,
        tier=_name(tier),
        steps=[TierStep(_name(each), each.from_points, each is tier) for each in scorecard.tiers],
        place=place_on_scale(found.points, scorecard),
        as_of=found.as_of,
        scorecard_version=found.scorecard_version,
        reasons=[
            EffectItem(
                Text(each.text_zh, each.text_en),
                with_sign(each.effect_points),
                record_lines(each.records[:_RECORDS_SHOWN], catalogue),
                each.record_count,
            )
            for each in explained.reasons
        ],
        next_change_on=explained.next_change_on,
    )


def dimension_bars(scorecard: Scorecard, points: dict[str, int]) -> list[DimensionBar]:
    """Return the dimensions of a scorecard with the points of each, given by code."""
    return [
        DimensionBar(Text(each.name_zh, each.name_en), points[each.code], each.cap_points)
        for each in scorecard.dimensions
    ]


def changes_view(changes: RevisionChanges, catalogue: Catalogue) -> ChangesView:
    """Return in words what changed between two scores."""
    before, after = changes.before.score, changes.after.score
    base = changes.base
    return ChangesView(
        points_before=before.points,
        points_after=after.points,
        at_before=before.computed_at,
        at_after=after.computed_at,
        effect=with_sign(after.points - before.points),
        base=None
        if base is None
        else EffectItem(Text(base.text_zh, base.text_en), with_sign(base.delta_points), [], 0),
        items=[
            MovedItem(
                text=Text(each.item.text_zh, each.item.text_en),
                effect=with_sign(each.item.delta_points),
                came=record_lines(each.came[:_RECORDS_SHOWN], catalogue),
                left=record_lines(each.left[:_RECORDS_SHOWN], catalogue),
            )
            for each in changes.items
        ],
    )


def history_chart(past: Sequence[PastScore], *, now: datetime) -> Markup:
    """Return the line of a score up to this moment, drawn between round figures."""
    assert past, "who has a score has its first revision"
    points = [_point(each.score.points, each.score.computed_at) for each in past[::-1]]
    points.append(_point(past[0].score.points, max(now, past[0].score.computed_at)))
    lowest = min(each.value for each in points)
    highest = max(each.value for each in points)
    low = lowest // _GRID_POINTS * _GRID_POINTS
    axis = Axis(
        low=low,
        high=max(-(-highest // _GRID_POINTS) * _GRID_POINTS, low + _GRID_POINTS),
        first=city_day_iso(past[-1].score.computed_at),
        last=city_day_iso(now),
    )
    drawn = step_chart(
        points,
        axis,
        name="history-chart",
        title="信用分走势 How your score has moved",
        description=(
            f"{points[0].label} → {points[-1].label}。最低 lowest {lowest}，最高 highest {highest}"
        ),
    )
    return Markup(drawn)  # noqa: S704 - made by kit.svg, which escapes every text


def place_on_scale(points: int, scorecard: Scorecard) -> int:
    """Return where points stand on a scale that gives each tier the same width, 0 to 1000.

    The names of the tiers stand evenly under it, so the marker must be even with them.
    """
    starts = [tier.from_points for tier in scorecard.tiers]
    ends = [*starts[1:], scorecard.range_points]
    index = starts.index(scorecard.tier_at(points).from_points)
    inside = (points - starts[index]) / max(1, ends[index] - starts[index])
    return round((index + min(1.0, inside)) * _DRAWN_WIDTH / len(starts))


def with_sign(points: int) -> str:
    """Return points with their sign; the minus is the typographic one, as wide as a plus."""
    return f"+{points}" if points >= 0 else f"−{-points}"


def _point(points: int, at: datetime) -> Point:
    return Point(int(at.timestamp()), points, f"{city_day(at)} {city_day_en(at)}: {points}")


def _name(tier: Tier) -> Text:
    return Text(tier.name_zh, tier.name_en)


@get("/score", operation_id="web_score_show", guards=[signed_in], include_in_schema=False)
async def show_score(
    visit: NamedDependency[Visit],
    visitor: NamedDependency[Visitor],
    db: NamedDependency[Database],
    clock: NamedDependency[Clock],
) -> Response[bytes]:
    """Show the score in full to whoever takes part."""
    now, subject_id = clock.now(), visitor.subject_id
    async with db.read() as tx:
        explained = await score.get_explained(tx, subject_id=subject_id, now=now)
        page = await score.list_history(
            tx, subject_id=subject_id, cursor=None, page_size=_REVISIONS_DRAWN
        )
        changes = None
        if len(page.items) > 1:
            changes = await score.get_changes(
                tx, subject_id=subject_id, from_revision=None, to_revision=None
            )
        catalogue = await record.get_catalogue(tx)
    view = score_view(explained, page.items, changes, catalogue=catalogue, now=now)
    return render_page(visit, "score.html", view)


@get(
    "/score/changes",
    operation_id="web_score_changes_show",
    guards=[signed_in],
    include_in_schema=False,
)
async def show_changes(
    request: AnyRequest,
    visit: NamedDependency[Visit],
    visitor: NamedDependency[Visitor],
    db: NamedDependency[Database],
) -> Response[bytes]:
    """Show what had changed when the score came to be that of a revision, else of the newest."""
    named = request.query_params.get("to")
    to_revision = None if named is None else _revision(named)
    async with db.read() as tx:
        changes = await score.get_changes(
            tx, subject_id=visitor.subject_id, from_revision=None, to_revision=to_revision
        )
        catalogue = await record.get_catalogue(tx)
    view = changes_view(changes, catalogue)
    return render_page(visit, "score_changes.html", view)


def _revision(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= _REVISION_DIGITS):
        raise Refusal("score_revision_missing")
    return int(text)


ROUTES = [show_score, show_changes]
