"""What came of a department's own lines, month by month, and the mark that follows from it."""

import re
from datetime import date
from typing import Annotated

import msgspec
from litestar import get
from litestar.datastructures import CacheControlHeader
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter

from backend.access.guard import requires
from backend.access.rules import Scope, SourcePrincipal
from backend.kit.clock import Clock, city_date
from backend.kit.http import problems
from backend.kit.postgres import Database
from backend.kit.problem import Refusal
from backend.record import service
from backend.record.rules.quality import FORMULA, WEIGHTS, MonthQuality

_SOURCE_CODE = re.compile(r"[a-z][a-z0-9_]{0,63}")
# Its `$` lets a line feed by: the length does not. (`\Z` is none of OpenAPI's patterns.)
MONTH_PATTERN = r"^20[0-9]{2}-(0[1-9]|1[0-2])$"


class QualityCountsView(msgspec.Struct, frozen=True):
    """Counts of lines; what each of them means stands in docs/quality.md."""

    lines: int
    accepted: int
    rejected: int
    incomplete: int
    duplicates: int
    corrections: int
    withdrawals: int
    repairs: int
    timed: int
    late: int


class QualitySharesView(msgspec.Struct, frozen=True):
    """Shares of good lines in permille, rounded down; null where there was nothing to look at."""

    completeness: int | None
    validity: int | None
    timeliness: int | None
    uniqueness: int | None
    first_time_right: int | None


class QualityWeightsView(msgspec.Struct, frozen=True):
    """How much each share weighs; the weight of a share that is null falls to the others."""

    completeness: int
    validity: int
    timeliness: int
    uniqueness: int
    first_time_right: int


class MonthQualityView(msgspec.Struct, frozen=True):
    """One class in one month (YYYY-MM); while it is running, its mark may still change.

    After that it does only by files of that month that are not taken in whole yet.
    """

    class_code: str
    month: str
    is_running: bool
    counts: QualityCountsView
    shares_permille: QualitySharesView
    mark: int | None


class QualityView(msgspec.Struct, frozen=True):
    """The months with lines, newest first, and the formula their marks come from."""

    source_code: str
    formula: str
    weights: QualityWeightsView
    items: list[MonthQualityView]


@get(
    "/v1/quality",
    operation_id="quality_list",
    tags=["source"],
    guards=[requires(Scope.QUALITY_READ)],
    cache_control=CacheControlHeader(no_store=True),
    responses=problems("parameter_invalid", "scope_insufficient", "token_invalid"),
)
async def list_quality(
    source: NamedDependency[SourcePrincipal],
    db: NamedDependency[Database],
    clock: NamedDependency[Clock],
    month: Annotated[str | None, QueryParameter(pattern=MONTH_PATTERN, max_length=7)] = None,
) -> QualityView:
    """List the quality of the source's own lines: one month, or the last 24."""
    return await _quality_of(source.source_code, month, db=db, today=city_date(clock.now()))


@get(
    "/v1/operator/sources/{code:str}/quality",
    operation_id="operator_quality_list",
    tags=["operator"],
    guards=[requires(Scope.DATA_OPERATE)],
    cache_control=CacheControlHeader(no_store=True),
    responses=problems("not_found", "parameter_invalid", "scope_insufficient", "token_invalid"),
)
async def list_quality_of_source(
    code: FromPath[str],
    db: NamedDependency[Database],
    clock: NamedDependency[Clock],
    month: Annotated[str | None, QueryParameter(pattern=MONTH_PATTERN, max_length=7)] = None,
) -> QualityView:
    """List the quality of one source's lines, as the source itself sees it."""
    if not _SOURCE_CODE.fullmatch(code):
        raise Refusal("not_found")
    return await _quality_of(code, month, db=db, today=city_date(clock.now()))


async def _quality_of(
    source_code: str, month: str | None, *, db: Database, today: date
) -> QualityView:
    async with db.read() as tx:
        found = await service.list_quality(
            tx,
            source_code=source_code,
            month=None if month is None else date.fromisoformat(f"{month}-01"),
            today=today,
        )
    return QualityView(
        source_code=source_code,
        formula=FORMULA,
        weights=QualityWeightsView(**WEIGHTS),
        items=[_view(each, today) for each in found],
    )


def _view(quality: MonthQuality, today: date) -> MonthQualityView:
    counts = quality.counts
    return MonthQualityView(
        class_code=counts.class_code,
        month=f"{counts.month:%Y-%m}",
        is_running=counts.month == today.replace(day=1),
        counts=QualityCountsView(
            **{name: getattr(counts, name) for name in QualityCountsView.__struct_fields__}
        ),
        shares_permille=QualitySharesView(**msgspec.structs.asdict(quality.shares)),
        mark=quality.mark,
    )


ROUTES = [list_quality, list_quality_of_source]
