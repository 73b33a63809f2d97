"""What is on record about the citizen: what, from which source, since when, until when."""

from datetime import date, datetime
from uuid import UUID

import msgspec
from litestar import get
from litestar.datastructures import CacheControlHeader
from litestar.di import NamedDependency

from backend.access.guard import requires
from backend.access.rules import CitizenPrincipal, Scope
from backend.kit.clock import Clock, city_date
from backend.kit.http import Cursor, PageSize, problems
from backend.kit.page import PAGE_SIZE_DEFAULT
from backend.kit.postgres import Database
from backend.record import service
from backend.record.rules.catalogue import Catalogue
from backend.record.rules.life import Record, counts
from backend.record.rules.status import status_of, why_not


class RecordClassView(msgspec.Struct, frozen=True):
    """What kind of record it is, as the catalogue says; `severity` is null unless adverse."""

    code: str
    name_zh: str
    name_en: str
    dimension: str
    polarity: str
    severity: str | None
    legal_basis: str


class SourceView(msgspec.Struct, frozen=True):
    """Who reported it."""

    code: str
    name_zh: str
    name_en: str


class WhyNotView(msgspec.Struct, frozen=True):
    """Why a record does not count."""

    text_zh: str
    text_en: str


class RecordView(msgspec.Struct, frozen=True):
    """One record. `ends_on` is the first day on which it no longer counts, null while it goes on.

    `status` is standing, disputed, repaired or ended; `counts` says whether a score may look at it
    today, and `why_not`, unless it may, why not. Which indicator did, and with what effect, stands
    with the score's reasons. What its source corrected or withdrew is not shown.
    """

    record_id: UUID
    record_class: RecordClassView
    source: SourceView
    external_id: str
    version: int
    quantity: int
    unit_zh: str
    unit_en: str
    occurred_on: date
    ended_on: date | None
    ends_on: date | None
    status: str
    counts: bool
    why_not: WhyNotView | None
    reported_at: datetime


class RecordPageView(msgspec.Struct, frozen=True):
    """One page of records, newest first; `next_cursor` is null on the last."""

    items: list[RecordView]
    next_cursor: str | None


@get(
    "/v1/me/records",
    operation_id="record_list",
    tags=["citizen"],
    guards=[requires(Scope.ME_RECORDS)],
    cache_control=CacheControlHeader(no_store=True),
    responses=problems(
        "cursor_invalid", "parameter_invalid", "scope_insufficient", "token_invalid"
    ),
)
async def list_records(
    citizen: NamedDependency[CitizenPrincipal],
    db: NamedDependency[Database],
    clock: NamedDependency[Clock],
    cursor: Cursor = None,
    page_size: PageSize = PAGE_SIZE_DEFAULT,
) -> RecordPageView:
    """List what is on record about the citizen: what, from whom, when, and when it ends."""
    async with db.read() as tx:
        page = await service.list_records(
            tx, subject_id=citizen.subject_id, cursor=cursor, page_size=page_size
        )
        catalogue = await service.get_catalogue(tx)
    today = city_date(clock.now())
    items = [_record_view(record, catalogue, today) for record in page.items]
    return RecordPageView(items, page.next_cursor)


def _record_view(record: Record, catalogue: Catalogue, today: date) -> RecordView:
    record_class = catalogue.classes[record.class_code]
    source = catalogue.sources[record.source_code]
    reason = why_not(record, today)
    return RecordView(
        record_id=record.record_id,
        record_class=RecordClassView(
            code=record_class.code,
            name_zh=record_class.name_zh,
            name_en=record_class.name_en,
            dimension=record_class.dimension,
            polarity=record_class.polarity,
            severity=record_class.severity,
            legal_basis=record_class.legal_basis,
        ),
        source=SourceView(source.code, source.name_zh, source.name_en),
        external_id=record.external_id,
        version=record.version,
        quantity=record.quantity,
        unit_zh=record_class.value.unit_zh,
        unit_en=record_class.value.unit_en,
        occurred_on=record.occurred_on,
        ended_on=record.ended_on,
        ends_on=record.ends_on,
        status=status_of(record, today).value,
        counts=counts(record, today),
        why_not=None if reason is None else WhyNotView(reason.zh, reason.en),
        reported_at=record.reported_at,
    )


ROUTES = [list_records]
