"""What may be collected at all, for everybody to read before they join."""

import msgspec
from litestar import Response, get
from litestar.di import NamedDependency

from backend.access.guard import public
from backend.kit.postgres import Database
from backend.record import service as record
from backend.record.rules.catalogue import (
    ADVERSE_MONTHS_MAX,
    DIMENSIONS,
    Basis,
    Catalogue,
    Dimension,
    RecordClass,
    Severity,
)
from backend.score.rules.change import plural
from backend.web.render import render_page
from backend.web.session import AnyRequest, Visit
from backend.web.words import Text

_DIMENSIONS: dict[Dimension, Text] = {
    "identity": Text("身份特质", "Identity"),
    "performance": Text("履约能力", "Keeping agreements"),
    "law": Text("遵纪守法", "Law-abidance"),
    "economic": Text("经济行为", "Economic conduct"),
    "civic": Text("社会公德", "Civic conduct"),
}
_BASES: dict[Basis, Text] = {
    "statute": Text("法律法规", "Statute"),
    "local_catalogue": Text("本市目录", "The city’s own catalogue"),
    "consent": Text("您对来源单位的同意", "Your consent to the source"),
}
_SEVERITIES: dict[Severity, Text] = {
    "minor": Text("轻微失信", "Minor, adverse"),
    "general": Text("一般失信", "General, adverse"),
    "serious": Text("严重失信", "Serious, adverse"),
}
_HELPS = Text("只加分", "Can only help")
_NEUTRAL = Text("基本情况", "A plain fact")


class ClassItem(msgspec.Struct, frozen=True):
    """One class in words; `written_consent`: only with a consent of your own to each use."""

    code: str
    name: Text
    kind: Text
    is_adverse: bool
    value: Text
    basis: Text
    legal_basis: str
    sources: list[Text]
    clock: Text | None
    ends: Text
    needs_written_consent: bool


class DimensionItem(msgspec.Struct, frozen=True):
    """The classes of one dimension of the score."""

    code: str
    name: Text
    classes: list[ClassItem]


class CatalogueView(msgspec.Struct, frozen=True):
    """The edition in force, by dimension."""

    edition: str
    name: Text
    notes: Text
    count: int
    dimensions: list[DimensionItem]


def catalogue_view(catalogue: Catalogue) -> CatalogueView:
    """Return the catalogue in words."""
    by_dimension = [
        (code, [each for each in catalogue.classes.values() if each.dimension == code])
        for code in DIMENSIONS
    ]
    return CatalogueView(
        edition=catalogue.edition,
        name=Text(catalogue.name_zh, catalogue.name_en),
        notes=Text(catalogue.notes_zh, catalogue.notes_en),
        count=len(catalogue.classes),
        dimensions=[
            DimensionItem(code, _DIMENSIONS[code], [_item(each, catalogue) for each in classes])
            for code, classes in by_dimension
            if classes
        ],
    )


def _item(item: RecordClass, catalogue: Catalogue) -> ClassItem:
    kind = _NEUTRAL if item.polarity == "neutral" else _HELPS
    return ClassItem(
        code=item.code,
        name=Text(item.name_zh, item.name_en),
        kind=kind if item.severity is None else _SEVERITIES[item.severity],
        is_adverse=item.is_adverse,
        value=_value(item),
        basis=_BASES[item.basis],
        legal_basis=item.legal_basis,
        sources=[
            Text(each.name_zh, each.name_en)
            for each in catalogue.sources.values()
            if catalogue.may_report(each, item)
        ],
        clock=_clock(item.report_within_working_days),
        ends=_ends(item),
        needs_written_consent=item.sensitivity == "written_consent",
    )


def _value(item: RecordClass) -> Text:
    """Say which number a record carries, and that it carries none where it is always one."""
    value = item.value
    if value.max == 1:
        return Text("只记有这一条，不记其他内容", "That it is so, and nothing else")
    return Text(
        f"{value.name_zh}，每条最多 {value.max} {value.unit_zh}",
        f"{value.name_en}: up to {value.max} {plural(value.unit_en)} a record",
    )


def _clock(days: int | None) -> Text | None:
    if days is None:
        return None
    return Text(f"{days} 个工作日内", f"Within {days} working days")


def _ends(item: RecordClass) -> Text:
    if item.is_adverse:
        most, years = item.publication_max_months, ADVERSE_MONTHS_MAX // 12
        return Text(
            f"最长 {most} 个月，或行为终止满 {years} 年，以先到者为准；修复或有异议的立即不计入",
            f"After {most} months, or {years} years after the conduct ended, whichever is first;"
            " at once when repaired or disputed",
        )
    months = item.retention_months
    if item.is_lasting:
        return Text(f"失效之后 {months} 个月", f"{months} months after it ceases")
    return Text(f"{months} 个月之后", f"After {months} months")


@get(
    "/catalogue",
    operation_id="web_catalogue_show",
    guards=[public("whoever thinks of joining reads first what may be collected")],
    include_in_schema=False,
)
async def show_catalogue(
    request: AnyRequest, visit: NamedDependency[Visit], db: NamedDependency[Database]
) -> Response[bytes]:
    """Show what may be collected; whoever is signed in finds the way back to their pages."""
    visitor = await visit.door.find_visitor(request)
    async with db.read() as tx:
        catalogue = await record.get_catalogue(tx)
    seen_by = msgspec.structs.replace(visit, visitor=visitor)
    return render_page(seen_by, "catalogue.html", catalogue_view(catalogue))


ROUTES = [show_catalogue]
