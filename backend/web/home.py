"""The home page: whether the citizen takes part, and the score with its reasons."""

from datetime import date

import msgspec
from litestar import Response, get
from litestar.di import NamedDependency

from backend.citizen import service as citizen
from backend.citizen.rules import Profile
from backend.citizen.service import CURRENT_NOTICE
from backend.kit.postgres import Database
from backend.score import service as score
from backend.score.rules.scorecard import Scorecard, Tier
from backend.score.service import ExplainedScore
from backend.web.render import render_page
from backend.web.session import Visit, Visitor, signed_in
from backend.web.words import Text

_DRAWN_WIDTH = 1000


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


class ReasonItem(msgspec.Struct, frozen=True):
    """One reason, and by how many points it moved the score: "+24" or "−8"."""

    text: Text
    effect: str


class ScoreView(msgspec.Struct, frozen=True):
    """The score as the citizen sees it; `place` of 1000 is where it stands on the drawn scale."""

    points: int
    range_points: int
    tier: Text
    steps: list[TierStep]
    place: int
    as_of: date
    scorecard_version: str
    reasons: list[ReasonItem]
    helps: list[ReasonItem]
    dimensions: list[DimensionBar]


class HomeView(msgspec.Struct, frozen=True):
    """The home page; `score` is None while there is none to show."""

    name: str
    takes_part: bool
    notice_is_new: bool
    score: ScoreView | None


def home_view(profile: Profile, explained: ExplainedScore | None) -> HomeView:
    """Return the home page of a citizen."""
    participation = profile.participation
    current = CURRENT_NOTICE.version
    return HomeView(
        name=profile.name_masked,
        takes_part=participation is not None,
        notice_is_new=participation is not None and participation.notice_version != current,
        score=None if explained is None else score_view(explained),
    )


def score_view(explained: ExplainedScore) -> ScoreView:
    """Return a score with its reasons in words, as drawn on the page."""
    found, scorecard = explained.score, explained.scorecard
    tier = scorecard.tier_at(found.points)
    return ScoreView(
        points=found.points,
        range_points=scorecard.range_points,
        tier=_name(tier),
        steps=[TierStep(_name(each), each.from_points, each is tier) for each in scorecard.tiers],
        place=place_on_scale(found.points, scorecard),
        as_of=found.as_of,
        scorecard_version=found.scorecard_version,
        reasons=[
            ReasonItem(Text(each.text_zh, each.text_en), with_sign(each.effect_points))
            for each in explained.explanation.reasons
        ],
        helps=[
            ReasonItem(Text(each.text_zh, each.text_en), with_sign(each.gain_points))
            for each in explained.explanation.helps
        ],
        dimensions=[
            DimensionBar(
                name=Text(each.name_zh, each.name_en),
                points=found.dimensions[each.code],
                most=each.cap_points,
            )
            for each in scorecard.dimensions
        ],
    )


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


def _name(tier: Tier) -> Text:
    return Text(tier.name_zh, tier.name_en)


@get("/", operation_id="web_home_show", guards=[signed_in], include_in_schema=False)
async def show_home(
    visit: NamedDependency[Visit],
    visitor: NamedDependency[Visitor],
    db: NamedDependency[Database],
) -> Response[bytes]:
    """Show the score to whoever takes part, and the way in to whoever does not."""
    async with db.read() as tx:
        profile = await citizen.get_profile(tx, subject_id=visitor.subject_id, vault=visit.vault)
        explained = None
        if await score.find(tx, subject_id=visitor.subject_id) is not None:
            explained = await score.get_explained(tx, subject_id=visitor.subject_id)
    view = home_view(profile, explained)
    return render_page(visit, "home.html", view, tab="home")


ROUTES = [show_home]
