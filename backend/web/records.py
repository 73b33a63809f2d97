"""What is on record about the citizen: what, from whom, since when, and whether it counts."""

from collections.abc import Sequence
from datetime import date

import msgspec
from litestar import Response, get
from litestar.di import NamedDependency

from backend.kit.clock import Clock, city_date
from backend.kit.page import PAGE_SIZE_DEFAULT, Page
from backend.kit.postgres import Database
from backend.record import service as record
from backend.record.rules.catalogue import Catalogue
from backend.record.rules.life import Record, counts
from backend.record.rules.status import why_not
from backend.score.rules.change import plural
from backend.web.render import render_page
from backend.web.session import AnyRequest, Visit, Visitor, signed_in
from backend.web.words import NOTHING, Text

_COUNTS = Text("计入信用分", "Counts")


class RecordLine(msgspec.Struct, frozen=True):
    """A record in one line, and where it stands in the list; `amount` is "" where it is one."""

    name: Text
    source: Text
    amount: Text
    on: date
    href: str


class RecordItem(msgspec.Struct, frozen=True):
    """One record in full; `ends_on` is the first day on which it no longer counts."""

    record_id: str
    name: Text
    source: Text
    number: str
    amount: Text
    on: date
    ended_on: date | None
    status: Text
    counts: bool
    ends_on: date | None
    legal_basis: str


class RecordsView(msgspec.Struct, frozen=True):
    """One page of records, newest first."""

    records: list[RecordItem]
    next_href: str


def record_lines(records: Sequence[Record], catalogue: Catalogue) -> list[RecordLine]:
    """Return records as lines that lead to the list."""
    return [
        RecordLine(
            name=class_name(each.class_code, catalogue),
            source=_source_name(each.source_code, catalogue),
            amount=_amount(each, catalogue),
            on=each.occurred_on,
            href=f"/records?cursor={record.cursor_at(each)}#r-{each.record_id}",
        )
        for each in records
    ]


def records_view(page: Page[Record], catalogue: Catalogue, *, today: date) -> RecordsView:
    """Return the page of records in words."""
    return RecordsView(
        records=[_item(each, catalogue, today) for each in page.items],
        next_href=f"/records?cursor={page.next_cursor}" if page.next_cursor else "",
    )


def class_name(code: str, catalogue: Catalogue) -> Text:
    """Return the name of a class; a code the catalogue no longer has is shown as it is."""
    found = catalogue.classes.get(code)
    return Text(code, code) if found is None else Text(found.name_zh, found.name_en)


def status_text(held: Record, *, today: date) -> Text:
    """Say whether a record counts on a day, and if not, why."""
    reason = why_not(held, today)
    return _COUNTS if reason is None else Text(reason.zh, reason.en)


def _item(held: Record, catalogue: Catalogue, today: date) -> RecordItem:
    record_class = catalogue.classes.get(held.class_code)
    return RecordItem(
        record_id=str(held.record_id),
        name=class_name(held.class_code, catalogue),
        source=_source_name(held.source_code, catalogue),
        number=held.external_id,
        amount=_amount(held, catalogue),
        on=held.occurred_on,
        ended_on=held.ended_on,
        status=status_text(held, today=today),
        counts=counts(held, today),
        ends_on=held.ends_on,
        legal_basis="" if record_class is None else record_class.legal_basis,
    )


def _source_name(code: str, catalogue: Catalogue) -> Text:
    found = catalogue.sources.get(code)
    return Text(code, code) if found is None else Text(found.name_zh, found.name_en)


def _amount(held: Record, catalogue: Catalogue) -> Text:
    found = catalogue.classes.get(held.class_code)
    if found is None or found.value.max == 1:
        return NOTHING
    unit_en = found.value.unit_en if held.quantity == 1 else plural(found.value.unit_en)
    return Text(f"{held.quantity} {found.value.unit_zh}", f"{held.quantity} {unit_en}")


@get("/records", operation_id="web_records_show", guards=[signed_in], include_in_schema=False)
async def show_records(
    request: AnyRequest,
    visit: NamedDependency[Visit],
    visitor: NamedDependency[Visitor],
    db: NamedDependency[Database],
    clock: NamedDependency[Clock],
) -> Response[bytes]:
    """Show the records, newest first."""
    async with db.read() as tx:
        page = await record.list_records(
            tx,
            subject_id=visitor.subject_id,
            cursor=request.query_params.get("cursor"),
            page_size=PAGE_SIZE_DEFAULT,
        )
        catalogue = await record.get_catalogue(tx)
    view = records_view(page, catalogue, today=city_date(clock.now()))
    return render_page(visit, "records.html", view)


ROUTES = [show_records]
