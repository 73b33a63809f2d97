"""Programmes on their way, for operators over HTTP: each step by somebody, for a reason."""

from typing import Annotated
from uuid import UUID

import msgspec
from litestar import get, post
from litestar.datastructures import CacheControlHeader
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody
from litestar.status_codes import HTTP_200_OK

from backend.access.guard import requires
from backend.access.rules import OperatorPrincipal, Scope
from backend.kit.clock import Clock
from backend.kit.crypto import Vault
from backend.kit.http import Cursor, IdempotencyKey, PageSize, problems
from backend.kit.page import PAGE_SIZE_DEFAULT
from backend.kit.postgres import Database
from backend.programme import service
from backend.programme.api.turn import STEP_PROBLEMS, VERSION_PROBLEMS, OperatorTurn, check_name
from backend.programme.api.version_view import (
    DryRunListView,
    DryRunView,
    VersionPageView,
    VersionView,
    dry_run_view,
    listed_view,
    version_view,
)

_NO_STORE = CacheControlHeader(no_store=True)
_GUARD = requires(Scope.PROGRAMMES_OPERATE)
_VERSIONS = "/v1/operator/programmes/{code:str}/versions/{version:int}"
TEXT_CHARACTERS_MAX = 40_000


class ProgrammeDraftCreate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A programme file as it is written, TOML; its code and version say which draft it is."""

    text: Annotated[
        str,
        msgspec.Meta(
            min_length=1,
            max_length=TEXT_CHARACTERS_MAX,
            description="the file's text, TOML; see docs/programmes.md",
            examples=['code = "library"\nkind = "library"\n'],
        ),
    ]


class ProgrammeApproval(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The dry run you looked at: of this text, beside what is live, a day old at most."""

    dry_run_id: UUID


@get(
    "/v1/operator/programmes",
    operation_id="operator_programme_list",
    tags=["operator"],
    guards=[_GUARD],
    cache_control=_NO_STORE,
    responses=problems(
        "cursor_invalid", "parameter_invalid", "scope_insufficient", "token_invalid"
    ),
)
async def list_versions(
    db: NamedDependency[Database], cursor: Cursor = None, page_size: PageSize = PAGE_SIZE_DEFAULT
) -> VersionPageView:
    """List every version of every programme: drafts, submitted ones, live ones and retired ones."""
    async with db.read() as tx:
        page = await service.list_versions(tx, cursor=cursor, page_size=page_size)
    return VersionPageView([listed_view(each) for each in page.items], page.next_cursor)


@get(
    _VERSIONS,
    operation_id="operator_programme_version_get",
    tags=["operator"],
    guards=[_GUARD],
    cache_control=_NO_STORE,
    responses=problems(*VERSION_PROBLEMS),
)
async def get_version(
    code: FromPath[str], version: FromPath[int], db: NamedDependency[Database]
) -> VersionView:
    """Show a version: what it says, who wrote, submitted and decided."""
    check_name(code, version)
    async with db.read() as tx:
        return version_view(await service.get_version(tx, code=code, version=version))


@post(
    "/v1/operator/programmes",
    operation_id="operator_programme_draft",
    tags=["operator"],
    guards=[_GUARD],
    cache_control=_NO_STORE,
    responses=problems(
        "body_invalid",
        "catalogue_missing",
        "programme_document_invalid",
        "programme_draft_taken",
        "programme_version_taken",
        "scorecard_missing",
        *STEP_PROBLEMS,
    ),
)
async def create_draft(
    data: JSONBody[ProgrammeDraftCreate],
    operator: NamedDependency[OperatorPrincipal],
    reason: NamedDependency[str],
    db: NamedDependency[Database],
    clock: NamedDependency[Clock],
    idempotency_key: IdempotencyKey = None,
) -> VersionView:
    """Keep a programme file that proves right as a draft of yours; your own draft is replaced."""
    turn = OperatorTurn(db, operator, reason, idempotency_key, clock.now())
    return await turn.version(
        f"operator_programme_draft {data.text}",
        lambda tx: service.draft(tx, text=data.text, by=turn.by, reason=reason, now=turn.now),
    )


@post(
    f"{_VERSIONS}/submit",
    operation_id="operator_programme_submit",
    tags=["operator"],
    guards=[_GUARD],
    status_code=HTTP_200_OK,
    cache_control=_NO_STORE,
    responses=problems(*STEP_PROBLEMS),
)
async def submit_version(
    code: FromPath[str],
    version: FromPath[int],
    operator: NamedDependency[OperatorPrincipal],
    reason: NamedDependency[str],
    db: NamedDependency[Database],
    clock: NamedDependency[Clock],
    idempotency_key: IdempotencyKey = None,
) -> VersionView:
    """Hand a draft to whoever decides: its text does not change any more."""
    check_name(code, version)
    turn = OperatorTurn(db, operator, reason, idempotency_key, clock.now())
    return await turn.version(
        f"operator_programme_submit {code} {version}",
        lambda tx: service.submit(
            tx, code=code, version=version, by=turn.by, reason=reason, now=turn.now
        ),
    )


@post(
    f"{_VERSIONS}/reject",
    operation_id="operator_programme_reject",
    tags=["operator"],
    guards=[_GUARD],
    status_code=HTTP_200_OK,
    cache_control=_NO_STORE,
    responses=problems("programme_self_decision", *STEP_PROBLEMS),
)
async def reject_version(
    code: FromPath[str],
    version: FromPath[int],
    operator: NamedDependency[OperatorPrincipal],
    reason: NamedDependency[str],
    db: NamedDependency[Database],
    clock: NamedDependency[Clock],
    idempotency_key: IdempotencyKey = None,
) -> VersionView:
    """Decide against a version of others; who drafted it may change it and submit it again."""
    check_name(code, version)
    turn = OperatorTurn(db, operator, reason, idempotency_key, clock.now())
    return await turn.version(
        f"operator_programme_reject {code} {version}",
        lambda tx: service.reject(
            tx, code=code, version=version, by=turn.by, reason=reason, now=turn.now
        ),
    )


@post(
    f"{_VERSIONS}/approve",
    operation_id="operator_programme_approve",
    tags=["operator"],
    guards=[_GUARD],
    status_code=HTTP_200_OK,
    cache_control=_NO_STORE,
    responses=problems(
        "body_invalid",
        "budget_below_reserved",
        "catalogue_missing",
        "programme_document_invalid",
        "programme_dry_run_unfit",
        "programme_seats_taken",
        "programme_self_decision",
        "programme_version_taken",
        "scorecard_missing",
        *STEP_PROBLEMS,
    ),
)
async def approve_version(
    code: FromPath[str],
    version: FromPath[int],
    data: JSONBody[ProgrammeApproval],
    operator: NamedDependency[OperatorPrincipal],
    reason: NamedDependency[str],
    db: NamedDependency[Database],
    clock: NamedDependency[Clock],
    idempotency_key: IdempotencyKey = None,
) -> VersionView:
    """Bring a version of others live. Whoever is enrolled keeps the one they were promised."""
    check_name(code, version)
    turn = OperatorTurn(db, operator, reason, idempotency_key, clock.now())
    return await turn.version(
        f"operator_programme_approve {code} {version} {data.dry_run_id}",
        lambda tx: service.approve(
            tx,
            code=code,
            version=version,
            dry_run_id=data.dry_run_id,
            by=turn.by,
            reason=reason,
            now=turn.now,
        ),
    )


@post(
    f"{_VERSIONS}/dry-runs",
    operation_id="operator_programme_dry_run_create",
    tags=["operator"],
    guards=[_GUARD],
    cache_control=_NO_STORE,
    responses=problems("catalogue_missing", "scorecard_missing", *STEP_PROBLEMS),
)
async def create_dry_run(
    code: FromPath[str],
    version: FromPath[int],
    operator: NamedDependency[OperatorPrincipal],
    reason: NamedDependency[str],
    db: NamedDependency[Database],
    clock: NamedDependency[Clock],
    vault: NamedDependency[Vault],
    idempotency_key: IdempotencyKey = None,
) -> DryRunView:
    """Count the city under a version, beside the live one; the result is signed and kept.

    It takes as long as the city is large. `creditplus programme dry-run` does the same.
    """
    check_name(code, version)
    turn = OperatorTurn(db, operator, reason, idempotency_key, clock.now())
    async with db.read() as look:
        signed = await service.work_out_dry_run(
            look, code=code, version=version, made_by=operator.login, vault=vault, now=turn.now
        )
    async with db.write() as tx:

        async def run() -> DryRunView:
            await service.keep_dry_run(tx, signed=signed, by=turn.by, reason=reason)
            return dry_run_view(signed)

        request = f"operator_programme_dry_run {code} {version}"
        return await turn.once(tx, request, DryRunView, run)


@get(
    f"{_VERSIONS}/dry-runs",
    operation_id="operator_programme_dry_run_list",
    tags=["operator"],
    guards=[_GUARD],
    cache_control=_NO_STORE,
    responses=problems(*VERSION_PROBLEMS),
)
async def list_dry_runs(
    code: FromPath[str], version: FromPath[int], db: NamedDependency[Database]
) -> DryRunListView:
    """List the latest dry runs of a version, the last one first."""
    check_name(code, version)
    async with db.read() as tx:
        found = await service.list_dry_runs(tx, code=code, version=version)
    return DryRunListView([dry_run_view(each) for each in found])


ROUTES = [
    list_versions,
    get_version,
    create_draft,
    submit_version,
    reject_version,
    approve_version,
    create_dry_run,
    list_dry_runs,
]
