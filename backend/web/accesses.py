"""Who looked at the citizen, when, why, and under which consent."""

from datetime import datetime

import msgspec
from litestar import Response, get
from litestar.di import NamedDependency

from backend.case.service import LOOK_ACTION, LOOK_DATA_KIND
from backend.consent.service import DATA_KINDS
from backend.kit.page import PAGE_SIZE_DEFAULT, Page
from backend.kit.postgres import Database
from backend.ledger import service as ledger
from backend.ledger.rules import AccessEntry
from backend.programme.rules.eligibility import ACTION
from backend.record.service.looking import DATA_KIND as RECORDS_KIND
from backend.web.programme_words import ProgrammeWords, name_of, programme_words
from backend.web.render import render_page
from backend.web.session import AnyRequest, Visit, Visitor, signed_in
from backend.web.words import NOTHING, Text

_ACTIONS = {
    ACTION: Text("核验是否符合资格", "Checked whether you are eligible"),
    LOOK_ACTION: Text("查看人工复核申请", "Looked at a request for review"),
    "record:read": Text("查看信用信息", "Looked at records"),
}
_DISCLOSED = {
    "eligible": Text("符合", "Eligible"),
    "not_eligible": Text("不符合（不说明原因）", "Not eligible (no reason given)"),
}
# What is told as a number: "versions:3".
_COUNTED = {
    "versions": Text("信用信息 {} 个版本", "Versions of records: {}"),
    "lines": Text("文件中的 {} 行", "Lines of a file: {}"),
}
_RECORDS = Text("信用信息", "Records")
_CASES = Text("复核申请的内容", "What you wrote in a request for review")


class AccessItem(msgspec.Struct, frozen=True):
    """One look; `consent_id` is "" when none was needed."""

    at: datetime
    actor: Text
    action: Text
    programme: Text
    disclosed: Text
    purpose: Text
    data_kinds: list[Text]
    consent_id: str


class AccessesView(msgspec.Struct, frozen=True):
    """One page of looks, newest first."""

    accesses: list[AccessItem]
    next_href: str


def accesses_view(page: Page[AccessEntry], programmes: dict[str, ProgrammeWords]) -> AccessesView:
    """Return the page of looks in words."""
    return AccessesView(
        accesses=[_item(entry, programmes) for entry in page.items],
        next_href=f"/accesses?cursor={page.next_cursor}" if page.next_cursor else "",
    )


def _item(entry: AccessEntry, programmes: dict[str, ProgrammeWords]) -> AccessItem:
    return AccessItem(
        at=entry.at,
        actor=Text(entry.actor_name_zh, entry.actor_name_en),
        action=_worded(_ACTIONS, entry.action),
        programme=name_of(programmes, entry.programme_code) if entry.programme_code else NOTHING,
        disclosed=_disclosed(entry.disclosed),
        purpose=Text(entry.purpose_zh, entry.purpose_en),
        data_kinds=[_data_kind(code) for code in entry.data_kinds],
        consent_id="" if entry.consent_id is None else str(entry.consent_id),
    )


def _disclosed(code: str) -> Text:
    kind, _, count = code.partition(":")
    if kind == "case":
        return _CASES
    if kind in _COUNTED and count.isdecimal():
        words = _COUNTED[kind]
        return Text(words.zh.format(count), words.en.format(count))
    return _worded(_DISCLOSED, code)


def _data_kind(code: str) -> Text:
    if code == RECORDS_KIND:
        return _RECORDS
    if code == LOOK_DATA_KIND:
        return _CASES
    kind = DATA_KINDS.get(code)
    return Text(code, code) if kind is None else Text(kind.name_zh, kind.name_en)


def _worded(words: dict[str, Text], code: str) -> Text:
    # A code that is newer than this page is shown as it is: a look is never hidden.
    return words.get(code, Text(code, code))


@get("/accesses", operation_id="web_accesses_show", guards=[signed_in], include_in_schema=False)
async def show_accesses(
    request: AnyRequest,
    visit: NamedDependency[Visit],
    visitor: NamedDependency[Visitor],
    db: NamedDependency[Database],
) -> Response[bytes]:
    """Show the looks, newest first."""
    async with db.read() as tx:
        page = await ledger.list_accesses(
            tx,
            subject_id=visitor.subject_id,
            cursor=request.query_params.get("cursor"),
            page_size=PAGE_SIZE_DEFAULT,
        )
        programmes = await programme_words(tx)
    return render_page(visit, "accesses.html", accesses_view(page, programmes), tab="accesses")


ROUTES = [show_accesses]
