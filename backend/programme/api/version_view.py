"""Versions and dry runs as operators see them."""

from datetime import date, datetime
from typing import Any, Literal
from uuid import UUID

import msgspec

from backend.programme.rules.dry_run import DryRun, GroupShare
from backend.programme.rules.life import ListedVersion, Version
from backend.programme.service import SignedDryRun

State = Literal["draft", "submitted", "rejected", "live", "retired"]


class ListedVersionView(msgspec.Struct, frozen=True):
    """A version in a list; `is_paused` and `is_ended` are the programme's."""

    programme: str
    version: int
    state: State
    name_zh: str
    name_en: str
    drafted_by: str
    drafted_at: datetime
    submitted_by: str | None
    decided_by: str | None
    is_paused: bool
    is_ended: bool


class VersionPageView(msgspec.Struct, frozen=True):
    """One page of versions, by programme and number; `next_cursor` is null on the last."""

    items: list[ListedVersionView]
    next_cursor: str | None


class VersionView(msgspec.Struct, frozen=True):
    """A version: `document` as it was proved, `text` the file, empty for a release's own.

    `digest` is the SHA-256, in hexadecimal, of the canonical JSON of what stands in the file.
    """

    programme: str
    version: int
    state: State
    digest: str
    drafted_by: str
    drafted_at: datetime
    submitted_by: str | None
    submitted_at: datetime | None
    decided_by: str | None
    decided_at: datetime | None
    dry_run_id: UUID | None
    published_at: datetime | None
    document: dict[str, Any]
    text: str


class CheckView(msgspec.Struct, frozen=True):
    """One static check; sound without faults."""

    name: str
    is_sound: bool
    faults: list[str]


class CostView(msgspec.Struct, frozen=True):
    """What it would cost if everybody eligible enrolled; null is not told, or no limit."""

    expected_cost_fen: int
    seats: int
    cost_fen: int | None
    budget_fen: int | None
    is_within: bool | None


class DifferenceView(msgspec.Struct, frozen=True):
    """Who would gain and lose against the live version, in whole twenties; null is too few."""

    live_version: int
    gained: int | None
    lost: int | None
    kept: int | None
    neither: int | None


class GroupShareView(msgspec.Struct, frozen=True):
    """One age band (the age it begins at) or district (GB/T 2260); null is too few."""

    code: str
    people: int | None
    eligible: int | None
    share_permille: int | None


class DryRunView(msgspec.Struct, frozen=True):
    """What a version would mean for the city; numbers of people are whole twenties, or null.

    `signature` is a JWS in compact form (RFC 7515) over the canonical JSON of it:
    `creditplus programme verify` checks it.
    """

    dry_run_id: UUID
    programme: str
    version: int
    digest: str
    live_version: int | None
    live_digest: str | None
    scorecard_version: str
    catalogue_edition: str
    as_of: date
    made_by: str
    made_at: datetime
    is_sound: bool
    checks: list[CheckView]
    participants: int
    not_scored: int | None
    rule_met: int | None
    eligible: int | None
    cost: CostView
    difference: DifferenceView | None
    age_bands: list[GroupShareView]
    districts: list[GroupShareView]
    signature: str


class DryRunListView(msgspec.Struct, frozen=True):
    """The latest dry runs of a version, the last one first."""

    items: list[DryRunView]


class ProgrammeStepView(msgspec.Struct, frozen=True):
    """A programme after a step of its life."""

    programme: str
    state: Literal["live", "paused", "ended"]


def listed_view(listed: ListedVersion) -> ListedVersionView:
    """Return a version as a list shows it."""
    shown = msgspec.structs.asdict(listed)
    shown["programme"] = shown.pop("programme_code")
    return msgspec.convert(shown, ListedVersionView)


def version_view(version: Version) -> VersionView:
    """Return a version as operators see it."""
    shown = msgspec.structs.asdict(version)
    shown["programme"] = shown.pop("programme_code")
    shown["digest"] = version.digest.hex()
    return msgspec.convert(shown, VersionView)


def dry_run_view(signed: SignedDryRun) -> DryRunView:
    """Return a dry run as operators see it."""
    made = signed.dry_run
    shown = msgspec.structs.asdict(made)
    parity = shown.pop("parity")
    return DryRunView(
        **{
            **shown,
            "is_sound": made.is_sound,
            "checks": [CheckView(each.name, each.is_sound, each.faults) for each in made.checks],
            "cost": msgspec.convert(msgspec.structs.asdict(made.cost), CostView),
            "difference": _difference(made),
            "age_bands": [_group(each) for each in parity.age_bands],
            "districts": [_group(each) for each in parity.districts],
            "signature": signed.signature,
        }
    )


def _difference(made: DryRun) -> DifferenceView | None:
    if made.difference is None:
        return None
    return msgspec.convert(msgspec.structs.asdict(made.difference), DifferenceView)


def _group(group: GroupShare) -> GroupShareView:
    return GroupShareView(group.code, group.people, group.eligible, group.share_permille)
