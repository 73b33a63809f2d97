"""The citizen's own account and taking part over HTTP; PUT and DELETE are idempotent by nature."""

from datetime import datetime
from typing import Annotated

import msgspec
from litestar import delete, get, put
from litestar.datastructures import CacheControlHeader
from litestar.di import NamedDependency
from litestar.params import JSONBody

from backend.access.guard import requires
from backend.access.rules import CitizenPrincipal, Scope
from backend.citizen import service
from backend.citizen.ports import ParticipationHooks
from backend.citizen.rules import Participation
from backend.kit.clock import Clock
from backend.kit.crypto import Vault
from backend.kit.http import problems
from backend.kit.postgres import Database

_NO_STORE = CacheControlHeader(no_store=True)


class ParticipationJoin(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Join, having read the notice of this version."""

    notice_version: Annotated[str, msgspec.Meta(min_length=1, max_length=32, examples=["2026-11"])]


class NoticeView(msgspec.Struct, frozen=True):
    """What a citizen is told before joining."""

    version: str
    title_zh: str
    title_en: str
    text_zh: str
    text_en: str


class ParticipationView(msgspec.Struct, frozen=True):
    """Whether the citizen takes part, and the notice in force.

    `joined_at` and `accepted_version` are null for who does not. When `accepted_version` is not
    the notice's version, show the notice and PUT again.
    """

    joined_at: datetime | None
    accepted_version: str | None
    notice: NoticeView


class MeView(msgspec.Struct, frozen=True):
    """The citizen's own account, masked."""

    name_masked: str
    phone_masked: str
    joined_at: datetime | None
    created_at: datetime


@get(
    "/v1/me",
    operation_id="me_get",
    tags=["citizen"],
    guards=[requires(Scope.ME)],
    cache_control=_NO_STORE,
    responses=problems("account_missing", "scope_insufficient", "token_invalid"),
)
async def get_me(
    citizen: NamedDependency[CitizenPrincipal],
    db: NamedDependency[Database],
    vault: NamedDependency[Vault],
) -> MeView:
    """Show the own account, masked."""
    async with db.read() as tx:
        profile = await service.get_profile(tx, subject_id=citizen.subject_id, vault=vault)
    joined_at = None if profile.participation is None else profile.participation.joined_at
    return MeView(profile.name_masked, profile.phone_masked, joined_at, profile.created_at)


@delete(
    "/v1/me",
    operation_id="me_delete",
    tags=["citizen"],
    guards=[requires(Scope.ME_DATA)],
    responses=problems("scope_insufficient", "token_invalid"),
)
async def delete_me(
    citizen: NamedDependency[CitizenPrincipal],
    db: NamedDependency[Database],
    clock: NamedDependency[Clock],
    participation_hooks: NamedDependency[ParticipationHooks],
) -> None:
    """Leave and delete the account: its key is destroyed, every session of it ends."""
    async with db.write() as tx:
        await service.delete_account(
            tx, subject_id=citizen.subject_id, now=clock.now(), hooks=participation_hooks
        )


@get(
    "/v1/me/participation",
    operation_id="participation_get",
    tags=["citizen"],
    guards=[requires(Scope.ME_PARTICIPATION)],
    cache_control=_NO_STORE,
    responses=problems("scope_insufficient", "token_invalid"),
)
async def get_participation(
    citizen: NamedDependency[CitizenPrincipal], db: NamedDependency[Database]
) -> ParticipationView:
    """Show whether the citizen takes part, and the notice to read before joining."""
    async with db.read() as tx:
        participation = await service.get_participation(tx, subject_id=citizen.subject_id)
    return _participation_view(participation)


@put(
    "/v1/me/participation",
    operation_id="participation_join",
    tags=["citizen"],
    guards=[requires(Scope.ME_PARTICIPATION)],
    cache_control=_NO_STORE,
    responses=problems(
        "account_missing", "body_invalid", "notice_outdated", "scope_insufficient", "token_invalid"
    ),
)
async def join_participation(
    data: JSONBody[ParticipationJoin],
    citizen: NamedDependency[CitizenPrincipal],
    db: NamedDependency[Database],
    clock: NamedDependency[Clock],
    vault: NamedDependency[Vault],
    participation_hooks: NamedDependency[ParticipationHooks],
) -> ParticipationView:
    """Join, or accept a newer notice; joining again changes nothing."""
    async with db.write() as tx:
        participation = await service.join(
            tx,
            subject_id=citizen.subject_id,
            notice_version=data.notice_version,
            vault=vault,
            now=clock.now(),
            hooks=participation_hooks,
        )
    return _participation_view(participation)


@delete(
    "/v1/me/participation",
    operation_id="participation_leave",
    tags=["citizen"],
    guards=[requires(Scope.ME_PARTICIPATION)],
    responses=problems("scope_insufficient", "token_invalid"),
)
async def leave_participation(
    citizen: NamedDependency[CitizenPrincipal],
    db: NamedDependency[Database],
    clock: NamedDependency[Clock],
    participation_hooks: NamedDependency[ParticipationHooks],
) -> None:
    """Leave: score, history, enrolments and consents end with it; the baseline goes on."""
    async with db.write() as tx:
        await service.leave(
            tx, subject_id=citizen.subject_id, now=clock.now(), hooks=participation_hooks
        )


def _participation_view(participation: Participation | None) -> ParticipationView:
    notice = service.CURRENT_NOTICE
    return ParticipationView(
        joined_at=None if participation is None else participation.joined_at,
        accepted_version=None if participation is None else participation.notice_version,
        notice=NoticeView(
            version=notice.version,
            title_zh=notice.title_zh,
            title_en=notice.title_en,
            text_zh=notice.text_zh,
            text_en=notice.text_en,
        ),
    )


ROUTES = [get_me, delete_me, get_participation, join_participation, leave_participation]
