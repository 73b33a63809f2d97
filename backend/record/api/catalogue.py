"""The catalogue for everybody: what may be collected, on which basis, by whom, for how long."""

import hashlib
from typing import Any

import msgspec
from litestar import Response, get
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec

from backend.access.guard import public
from backend.kit.http import AnyRequest, problems
from backend.kit.postgres import Database
from backend.record import service
from backend.record.rules.catalogue import ADVERSE_MONTHS_MAX, Catalogue, RecordClass

_VIEWS_KEPT = 4


class CatalogueSourceView(msgspec.Struct, frozen=True):
    """Who may report a class."""

    code: str
    name_zh: str
    name_en: str


class CatalogueValueView(msgspec.Struct, frozen=True):
    """The one number a record of the class carries: 1 to `max`."""

    name_zh: str
    name_en: str
    unit_zh: str
    unit_en: str
    max: int


class CatalogueEndView(msgspec.Struct, frozen=True):
    """When a record of the class stops counting, in months.

    Adverse: the earlier of `published_max_months` from the decision and `conduct_months` from the
    end of the conduct. Others: `kept_months` from the end of what was reported, which goes on
    until the source reports that end where `is_lasting`. Null is what does not apply.
    """

    is_lasting: bool
    kept_months: int | None
    published_min_months: int | None
    published_max_months: int | None
    conduct_months: int | None


class CatalogueClassView(msgspec.Struct, frozen=True):
    """A kind of record that may be collected. `severity` is null unless it is adverse.

    `basis` says what lets a source hand it over: `statute`, `local_catalogue` or `consent`.
    `report_within_working_days` is null where no rule sets a clock.
    """

    code: str
    name_zh: str
    name_en: str
    dimension: str
    polarity: str
    severity: str | None
    basis: str
    legal_basis: str
    sensitivity: str
    value: CatalogueValueView
    reported_by: list[CatalogueSourceView]
    report_within_working_days: int | None
    ends: CatalogueEndView
    programme_kinds: list[str]


class CatalogueView(msgspec.Struct, frozen=True):
    """The edition in force. What is not among `classes` is not collected."""

    edition: str
    name_zh: str
    name_en: str
    notes_zh: str
    notes_en: str
    classes: list[CatalogueClassView]


class _Shown(msgspec.Struct, frozen=True):
    """An edition as it is shown, and the tag that names exactly these bytes."""

    view: CatalogueView
    etag: str


_shown: dict[bytes, _Shown] = {}


@get(
    "/v1/catalogue",
    operation_id="catalogue_show",
    tags=["anyone"],
    guards=[public("whoever thinks of joining reads first what may be collected")],
    responses={
        **problems("catalogue_missing"),
        304: ResponseSpec(None, description="It is what If-None-Match names."),
    },
)
async def show_catalogue(
    request: AnyRequest, db: NamedDependency[Database]
) -> Response[CatalogueView]:
    """Show what may be collected, on which basis, by whom, for how long, and how it ends.

    May be kept for five minutes, and asked for again with `If-None-Match`: 304 while it is the
    same.
    """
    async with db.read() as tx:
        catalogue = await service.get_catalogue(tx)
    shown = _shown.get(catalogue.digest) or _show(catalogue)
    headers = {"cache-control": "public, max-age=300", "etag": shown.etag}
    if _is_known(request.headers.get("if-none-match", ""), shown.etag):
        unchanged: Response[Any] = Response(None, status_code=304, headers=headers)
        return unchanged
    return Response(shown.view, headers=headers)


def catalogue_view(catalogue: Catalogue) -> CatalogueView:
    """Return a catalogue as everybody sees it."""
    return CatalogueView(
        edition=catalogue.edition,
        name_zh=catalogue.name_zh,
        name_en=catalogue.name_en,
        notes_zh=catalogue.notes_zh,
        notes_en=catalogue.notes_en,
        classes=[_class_view(each, catalogue) for each in catalogue.classes.values()],
    )


def _show(catalogue: Catalogue) -> _Shown:
    view = catalogue_view(catalogue)
    digest = hashlib.sha256(msgspec.json.encode(view)).hexdigest()
    if len(_shown) >= _VIEWS_KEPT:
        _shown.clear()
    _shown[catalogue.digest] = shown = _Shown(view, f'"{digest[:32]}"')
    return shown


def _is_known(if_none_match: str, etag: str) -> bool:
    """Compare weakly, as RFC 9110 section 13.1.2 says: a proxy may have weakened the tag."""
    tags = [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
    return etag in tags or tags == ["*"]


def _class_view(item: RecordClass, catalogue: Catalogue) -> CatalogueClassView:
    return CatalogueClassView(
        code=item.code,
        name_zh=item.name_zh,
        name_en=item.name_en,
        dimension=item.dimension,
        polarity=item.polarity,
        severity=item.severity,
        basis=item.basis,
        legal_basis=item.legal_basis,
        sensitivity=item.sensitivity,
        value=CatalogueValueView(
            name_zh=item.value.name_zh,
            name_en=item.value.name_en,
            unit_zh=item.value.unit_zh,
            unit_en=item.value.unit_en,
            max=item.value.max,
        ),
        reported_by=[
            CatalogueSourceView(source.code, source.name_zh, source.name_en)
            for source in catalogue.sources.values()
            if catalogue.may_report(source, item)
        ],
        report_within_working_days=item.report_within_working_days,
        ends=CatalogueEndView(
            is_lasting=item.is_lasting,
            kept_months=None if item.is_adverse else item.retention_months,
            published_min_months=item.publication_min_months,
            published_max_months=item.publication_max_months,
            conduct_months=ADVERSE_MONTHS_MAX if item.is_adverse else None,
        ),
        programme_kinds=list(item.programme_kinds),
    )


ROUTES = [show_catalogue]
