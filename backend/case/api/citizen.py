"""The citizen's cases: ask for a person to look, see until when and what came of it, withdraw."""

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

import msgspec
from litestar import delete, get, post
from litestar.datastructures import CacheControlHeader
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from backend.access.guard import requires
from backend.access.rules import CitizenPrincipal, Scope
from backend.case import service
from backend.case.ports import CaseGrounds
from backend.case.rules import TEXT_CHARACTERS_MAX, Kind, is_overdue
from backend.case.service import OwnCase
from backend.kit.clock import Clock, city_date
from backend.kit.crypto import Vault
from backend.kit.http import Cursor, IdempotencyKey, PageSize, problems
from backend.kit.idempotency import once
from backend.kit.page import PAGE_SIZE_DEFAULT
from backend.kit.postgres import Database

_NO_STORE = CacheControlHeader(no_store=True)
_ALWAYS = ("scope_insufficient", "token_invalid")


class CaseCreate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Ask for a person to look at a "not yet"; `text` may be empty."""

    kind: Literal["not_yet"]
    programme: Annotated[str, msgspec.Meta(min_length=1, max_length=64, examples=["library"])]
    text: Annotated[str, msgspec.Meta(max_length=TEXT_CHARACTERS_MAX)] = ""


class CaseCreated(msgspec.Struct, frozen=True):
    """A case that is open; `due_on` is the last day on which it is decided."""

    case_id: UUID
    kind: str
    object: str
    state: str
    opened_at: datetime
    due_on: date


class CaseView(msgspec.Struct, frozen=True):
    """One case. `object` is a programme's code (not_yet) or an obligation's id (obligation).

    `state` is open, decided or withdrawn; `outcome`, once decided, upheld or changed. `text` is
    what the citizen wrote, empty when nothing was or when it was withdrawn.
    """

    case_id: UUID
    kind: str
    object: str
    text: str
    state: str
    opened_at: datetime
    due_on: date
    is_overdue: bool
    outcome: str | None
    answer_zh: str | None
    answer_en: str | None
    decided_at: datetime | None


class CasePageView(msgspec.Struct, frozen=True):
    """One page of cases, newest first; `next_cursor` is null on the last."""

    items: list[CaseView]
    next_cursor: str | None


@post(
    "/v1/me/cases",
    operation_id="case_create",
    tags=["citizen"],
    guards=[requires(Scope.ME_CASES)],
    cache_control=_NO_STORE,
    responses=problems(
        "body_invalid",
        "calendar_unknown",
        "case_not_needed",
        "case_open",
        "case_text_invalid",
        "idempotency_key_in_flight",
        "idempotency_key_missing",
        "idempotency_key_reused",
        "not_found",
        "participation_required",
        "programme_closed",
        *_ALWAYS,
    ),
)
async def create_case(
    data: JSONBody[CaseCreate],
    citizen: NamedDependency[CitizenPrincipal],
    db: NamedDependency[Database],
    clock: NamedDependency[Clock],
    vault: NamedDependency[Vault],
    case_grounds: NamedDependency[CaseGrounds],
    idempotency_key: IdempotencyKey = None,
) -> CaseCreated:
    """Ask for a person to look at why a programme says "not yet" (个人信息保护法 art. 24)."""
    now = clock.now()
    async with db.write() as tx:

        async def run() -> CaseCreated:
            await case_grounds.check_not_yet(
                tx, subject_id=citizen.subject_id, programme_code=data.programme, now=now
            )
            case = await service.open_case(
                tx,
                subject_id=citizen.subject_id,
                kind=Kind.NOT_YET,
                object=data.programme,
                text=data.text,
                vault=vault,
                now=now,
            )
            # Without the text: this answer is kept, and not sealed.
            return CaseCreated(
                case.case_id, case.kind, case.object, case.state, case.opened_at, case.due_on
            )

        return await once(
            tx,
            owner_id=citizen.subject_id,
            key=idempotency_key,
            request=b"case_create " + msgspec.json.encode(data),
            kind=CaseCreated,
            now=now,
            run=run,
        )


@get(
    "/v1/me/cases",
    operation_id="case_list",
    tags=["citizen"],
    guards=[requires(Scope.ME_CASES)],
    cache_control=_NO_STORE,
    responses=problems("cursor_invalid", "parameter_invalid", *_ALWAYS),
)
async def list_cases(
    citizen: NamedDependency[CitizenPrincipal],
    db: NamedDependency[Database],
    clock: NamedDependency[Clock],
    vault: NamedDependency[Vault],
    cursor: Cursor = None,
    page_size: PageSize = PAGE_SIZE_DEFAULT,
) -> CasePageView:
    """List what the citizen asked a person to look at, until when, and what came of it."""
    async with db.read() as tx:
        page = await service.list_by_citizen(
            tx, subject_id=citizen.subject_id, cursor=cursor, page_size=page_size, vault=vault
        )
    today = city_date(clock.now())
    return CasePageView([_case_view(own, today) for own in page.items], page.next_cursor)


@delete(
    "/v1/me/cases/{case_id:uuid}",
    operation_id="case_withdraw",
    tags=["citizen"],
    guards=[requires(Scope.ME_CASES)],
    responses=problems("case_settled", "not_found", "parameter_invalid", *_ALWAYS),
)
async def withdraw_case(
    case_id: FromPath[UUID],
    citizen: NamedDependency[CitizenPrincipal],
    db: NamedDependency[Database],
    clock: NamedDependency[Clock],
) -> None:
    """Take a case back: what was written is forgotten at once."""
    async with db.write() as tx:
        await service.withdraw(tx, subject_id=citizen.subject_id, case_id=case_id, now=clock.now())


def _case_view(own: OwnCase, today: date) -> CaseView:
    case = own.case
    return CaseView(
        case_id=case.case_id,
        kind=case.kind,
        object=case.object,
        text=own.text,
        state=case.state,
        opened_at=case.opened_at,
        due_on=case.due_on,
        is_overdue=is_overdue(case, today),
        outcome=case.outcome,
        answer_zh=case.answer_zh,
        answer_en=case.answer_en,
        decided_at=case.decided_at,
    )


ROUTES = [create_case, list_cases, withdraw_case]
