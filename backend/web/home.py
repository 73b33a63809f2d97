"""The home page: whether the citizen takes part, and the score with its reasons."""

import msgspec
from litestar import Response, get
from litestar.di import NamedDependency

from backend.citizen import service as citizen
from backend.citizen.rules import Profile
from backend.citizen.service import CURRENT_NOTICE
from backend.kit.clock import Clock
from backend.kit.postgres import Database
from backend.notice import service as notice
from backend.record import service as record
from backend.score import service as score
from backend.web.render import render_page
from backend.web.score import ScoreCard, score_card
from backend.web.session import Visit, Visitor, signed_in


class HomeView(msgspec.Struct, frozen=True):
    """The home page; `score` is None while there is none to show."""

    name: str
    takes_part: bool
    notice_is_new: bool
    score: ScoreCard | None
    unread: int


def home_view(profile: Profile, card: ScoreCard | None, *, unread: int = 0) -> HomeView:
    """Return the home page of a citizen."""
    participation = profile.participation
    current = CURRENT_NOTICE.version
    return HomeView(
        name=profile.name_masked,
        takes_part=participation is not None,
        notice_is_new=participation is not None and participation.notice_version != current,
        score=card,
        unread=unread,
    )


@get("/", operation_id="web_home_show", guards=[signed_in], include_in_schema=False)
async def show_home(
    visit: NamedDependency[Visit],
    visitor: NamedDependency[Visitor],
    db: NamedDependency[Database],
    clock: NamedDependency[Clock],
) -> Response[bytes]:
    """Show the score to whoever takes part, and the way in to whoever does not."""
    subject_id, card = visitor.subject_id, None
    async with db.read() as tx:
        profile = await citizen.get_profile(tx, subject_id=subject_id, vault=visit.vault)
        unread = await notice.count_unread(tx, subject_id=subject_id)
        if await score.find(tx, subject_id=subject_id) is not None:
            explained = await score.get_explained(tx, subject_id=subject_id, now=clock.now())
            card = score_card(explained, await record.get_catalogue(tx))
    return render_page(visit, "home.html", home_view(profile, card, unread=unread), tab="home")


ROUTES = [show_home]
