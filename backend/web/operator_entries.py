"""What operators did and why, as a page for auditors."""

from datetime import datetime

import msgspec
from litestar import Response, get
from litestar.di import NamedDependency

from backend.access.rules import Scope
from backend.kit.page import PAGE_SIZE_DEFAULT, Page
from backend.kit.postgres import Database
from backend.ledger import service as ledger
from backend.ledger.rules import OperatorEntry
from backend.web.operator_page import operator_page, render_desk
from backend.web.session import AnyRequest, Visit


class EntryItem(msgspec.Struct, frozen=True):
    """One action."""

    at: datetime
    login: str
    action: str
    object: str
    reason: str


class OperatorEntriesView(msgspec.Struct, frozen=True):
    """One page of actions, newest first; `next_href` is "" on the last."""

    items: list[EntryItem]
    next_href: str


def entries_view(page: Page[OperatorEntry]) -> OperatorEntriesView:
    """Return the page of actions."""
    return OperatorEntriesView(
        items=[
            EntryItem(each.at, each.login, each.action, each.object, each.reason)
            for each in page.items
        ],
        next_href=f"/operator/entries?cursor={page.next_cursor}" if page.next_cursor else "",
    )


@get(
    "/operator/entries",
    operation_id="web_operator_entries_show",
    guards=[operator_page(Scope.AUDIT_READ)],
    include_in_schema=False,
)
async def show_entries(
    request: AnyRequest, visit: NamedDependency[Visit], db: NamedDependency[Database]
) -> Response[bytes]:
    """List what operators did, newest first."""
    async with db.read() as tx:
        page = await ledger.list_actions(
            tx,
            thing=None,
            login=None,
            cursor=request.query_params.get("cursor"),
            page_size=PAGE_SIZE_DEFAULT,
        )
    return render_desk(visit, "operator_entries.html", entries_view(page))


ROUTES = [show_entries]
