"""Source departments hand in: a file by one request, what came of it by others.

A submission is named by the source itself (`batch_id`) and proved by its content, so there is no
Idempotency-Key: the same file sent again has the same answer, and another file under its name is
refused, whichever process took the first and however long ago.
"""

from datetime import datetime
from typing import Annotated, Literal, cast
from uuid import UUID

import msgspec
from litestar import Response, get, post
from litestar.datastructures import CacheControlHeader
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, QueryParameter
from litestar.response import Stream
from litestar.status_codes import HTTP_200_OK, HTTP_202_ACCEPTED

from backend.access.guard import requires
from backend.access.rules import Scope, SourcePrincipal
from backend.kit.clock import Clock
from backend.kit.crypto import Vault
from backend.kit.http import AnyRequest, Cursor, PageSize, problems, read_pieces
from backend.kit.page import PAGE_SIZE_DEFAULT
from backend.kit.postgres import Database
from backend.kit.problem import Refusal
from backend.record import service
from backend.record.api.described import CSV, FaultsOperation, FileOperation
from backend.record.api.faults import csv_of_faults
from backend.record.api.upload import lay_down
from backend.record.rules.fault import StoredFault
from backend.record.rules.layout import Encoding
from backend.record.rules.submission import Submission
from backend.record.rules.upload import (
    PART_BYTES,
    UPLOAD_BYTES_MAX,
    Sending,
    read_layout,
)

# A MiB in half a minute is a line of 35 KiB/s. The whole file has less time than parts are kept.
PIECE_SECONDS = 30.0
UPLOAD_SECONDS = 3_000.0
JSON = "application/json"

NO_STORE = CacheControlHeader(no_store=True)


class SubmissionView(msgspec.Struct, frozen=True):
    """A file and what came of its lines so far; `completed_at` is null while it is taken in.

    `lines` were read, `accepted` of them went in or were on record already (`duplicates`),
    `rejected` are kept aside: see its errors; in `incomplete` of them something is missing. Of
    those that went in, `corrections`, `withdrawals` and `repairs` changed what was reported
    before, and of `timed` reports, whose class has a clock, `late` came after it. Empty lines are
    in `lines` only.
    """

    submission_id: UUID
    class_code: str
    batch_id: str
    status: Literal["taking_in", "complete"]
    lines: int
    accepted: int
    rejected: int
    duplicates: int
    corrections: int
    withdrawals: int
    repairs: int
    incomplete: int
    timed: int
    late: int
    received_at: datetime
    completed_at: datetime | None


class SubmissionPageView(msgspec.Struct, frozen=True):
    """One page of submissions, newest first; `next_cursor` is null on the last."""

    items: list[SubmissionView]
    next_cursor: str | None


class LineFaultView(msgspec.Struct, frozen=True):
    """One thing that is wrong with a line; `column` is null when it is the whole line."""

    line: int
    column: str | None
    code: str
    message: str


class LineFaultPageView(msgspec.Struct, frozen=True):
    """One page of faults, by line; `next_cursor` is null on the last."""

    items: list[LineFaultView]
    next_cursor: str | None


_REFUSALS = (
    "body_incomplete",
    "body_too_large",
    "catalogue_missing",
    "media_type_unsupported",
    "parameter_invalid",
    "scope_insufficient",
    "submission_batch_id_invalid",
    "submission_batches_waiting",
    "submission_class_unknown",
    "submission_conflict",
    "submission_consent_missing",
    "submission_header_invalid",
    "submission_source_not_allowed",
    "submission_source_unknown",
    "submission_too_long",
    "token_invalid",
)


@post(
    "/v1/submissions",
    operation_id="submission_create",
    operation_class=FileOperation,
    tags=["source"],
    guards=[requires(Scope.SUBMISSIONS_WRITE)],
    request_max_body_size=UPLOAD_BYTES_MAX,
    status_code=HTTP_202_ACCEPTED,
    cache_control=NO_STORE,
    responses={
        HTTP_200_OK: ResponseSpec(
            SubmissionView, generate_examples=False, description="This very file is in already"
        ),
        **problems(*_REFUSALS),
    },
)
async def create_submission(
    request: AnyRequest,
    source: NamedDependency[SourcePrincipal],
    db: NamedDependency[Database],
    vault: NamedDependency[Vault],
    clock: NamedDependency[Clock],
    class_code: Annotated[str, QueryParameter(name="class", max_length=100)],
    batch_id: Annotated[str, QueryParameter(max_length=100)],
    encoding: Annotated[Encoding | None, QueryParameter()] = None,
    column: Annotated[list[str] | None, QueryParameter(max_items=20)] = None,
) -> Response[SubmissionView]:
    """Hand in a file of one class, as CSV or JSONL.

    It is laid down and answered with 202; its lines are taken in afterwards, good ones go in, bad
    ones are kept aside. Sent again, the same file goes on, or has the answer it had (200). The
    body is streamed. `encoding` is that of a CSV file, `column` names a column that the file calls
    otherwise, as `our name:its header`; repeat it for several.
    """
    media_type, parameters = request.content_type
    if request.headers.get("content-encoding", "identity") != "identity":
        raise Refusal("media_type_unsupported")
    layout = read_layout(
        media_type, parameters.get("charset"), encoding=encoding, columns=column or []
    )
    submission = await lay_down(
        db,
        read_pieces(
            request,
            piece_bytes=PART_BYTES,
            piece_seconds=PIECE_SECONDS,
            total_seconds=UPLOAD_SECONDS,
        ),
        client_id=source.client_id,
        sending=Sending(source.source_code, class_code, batch_id, layout),
        vault=vault,
        clock=clock,
    )
    return Response(
        _submission_view(submission),
        status_code=HTTP_202_ACCEPTED if submission.completed_at is None else HTTP_200_OK,
        headers={"location": f"/v1/submissions/{submission.submission_id}"},
    )


@get(
    "/v1/submissions",
    operation_id="submission_list",
    tags=["source"],
    guards=[requires(Scope.SUBMISSIONS_WRITE)],
    cache_control=NO_STORE,
    responses=problems(
        "cursor_invalid", "parameter_invalid", "scope_insufficient", "token_invalid"
    ),
)
async def list_submissions(
    source: NamedDependency[SourcePrincipal],
    db: NamedDependency[Database],
    cursor: Cursor = None,
    page_size: PageSize = PAGE_SIZE_DEFAULT,
) -> SubmissionPageView:
    """List what the source has handed in, newest first."""
    async with db.read() as tx:
        page = await service.list_submissions(
            tx, source_code=source.source_code, cursor=cursor, page_size=page_size
        )
    return SubmissionPageView([_submission_view(each) for each in page.items], page.next_cursor)


@get(
    "/v1/submissions/{submission_id:uuid}",
    operation_id="submission_get",
    tags=["source"],
    guards=[requires(Scope.SUBMISSIONS_WRITE)],
    cache_control=NO_STORE,
    responses=problems("not_found", "parameter_invalid", "scope_insufficient", "token_invalid"),
)
async def get_submission(
    submission_id: FromPath[UUID],
    source: NamedDependency[SourcePrincipal],
    db: NamedDependency[Database],
) -> SubmissionView:
    """Say how far a submission is, and what came of its lines."""
    async with db.read() as tx:
        found = await service.get_submission(
            tx, source_code=source.source_code, submission_id=submission_id
        )
    return _submission_view(found)


@get(
    "/v1/submissions/{submission_id:uuid}/errors",
    operation_id="submission_error_list",
    operation_class=FaultsOperation,
    tags=["source"],
    guards=[requires(Scope.SUBMISSIONS_WRITE)],
    cache_control=NO_STORE,
    responses=problems(
        "cursor_invalid",
        "not_acceptable",
        "not_found",
        "parameter_invalid",
        "scope_insufficient",
        "token_invalid",
    ),
)
async def list_submission_errors(
    request: AnyRequest,
    submission_id: FromPath[UUID],
    source: NamedDependency[SourcePrincipal],
    db: NamedDependency[Database],
    vault: NamedDependency[Vault],
    cursor: Cursor = None,
    page_size: PageSize = PAGE_SIZE_DEFAULT,
) -> Response[LineFaultPageView]:
    """List what is wrong with the lines kept aside, by line.

    `Accept: text/csv` brings all of them at once, with each line as it was handed in; there are no
    pages then.
    """
    wanted = _wanted_form(request)
    async with db.read() as tx:
        submission = await service.get_submission(
            tx, source_code=source.source_code, submission_id=submission_id
        )
        page = await service.list_fault_page(
            tx, submission_id=submission.submission_id, cursor=cursor, page_size=page_size
        )
        layout = await service.find_layout(tx, submission_id=submission.submission_id)
    if wanted == CSV:
        return _download(db, vault, submission, encoding=layout.encoding)
    return Response(
        LineFaultPageView([_fault_view(each) for each in page.items], page.next_cursor),
        media_type=JSON,
    )


def _wanted_form(request: AnyRequest) -> str:
    try:
        wanted = request.accept.best_match([JSON, CSV])
    except OverflowError:  # the framework reads any number as a weight, infinity too
        wanted = None
    if wanted is None:
        raise Refusal("not_acceptable")
    return wanted


def _download(
    database: Database, vault: Vault, submission: Submission, *, encoding: str
) -> Response[LineFaultPageView]:
    stream = Stream(
        csv_of_faults(database, vault, submission_id=submission.submission_id, encoding=encoding),
        media_type=CSV,
        headers={
            "content-disposition": f'attachment; filename="errors-{submission.submission_id}.csv"'
        },
    )
    # The description names the page; `FaultsOperation` adds this second form to it.
    return cast("Response[LineFaultPageView]", stream)


def _submission_view(submission: Submission) -> SubmissionView:
    return SubmissionView(
        submission_id=submission.submission_id,
        class_code=submission.class_code,
        batch_id=submission.batch_id,
        status="taking_in" if submission.completed_at is None else "complete",
        lines=submission.lines_done,
        accepted=submission.accepted,
        rejected=submission.rejected,
        duplicates=submission.duplicates,
        corrections=submission.corrections,
        withdrawals=submission.withdrawals,
        repairs=submission.repairs,
        incomplete=submission.incomplete,
        timed=submission.timed,
        late=submission.late,
        received_at=submission.received_at,
        completed_at=submission.completed_at,
    )


def _fault_view(fault: StoredFault) -> LineFaultView:
    return LineFaultView(
        line=fault.line_number,
        column=fault.column_name or None,
        code=fault.code,
        message=fault.message,
    )


ROUTES = [create_submission, list_submissions, get_submission, list_submission_errors]
