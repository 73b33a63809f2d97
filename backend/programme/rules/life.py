"""The life of a version: drafted, submitted, looked at in a dry run, approved by somebody else.

A version that was submitted is never changed; a change is another version. What is live is retired
by the next one, and goes on for whom it was promised to.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final
from uuid import NAMESPACE_URL, UUID, uuid5

import msgspec

from backend.kit.problem import Refusal

# An older dry run is of another city: people come, leave and change.
DRY_RUN_HOURS_MAX: Final = 24


class VersionState(StrEnum):
    """Where a version is on its way."""

    DRAFT = "draft"
    SUBMITTED = "submitted"
    REJECTED = "rejected"
    LIVE = "live"
    RETIRED = "retired"


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """A version of a programme: its text, who wrote, submitted and decided, and where it stands.

    `text` is the file as it was handed in; a release's own programmes have none.
    """

    programme_code: str
    version: int
    state: VersionState
    text: str
    document: dict[str, Any]
    digest: bytes
    drafted_by: str
    drafted_at: datetime
    submitted_by: str | None
    submitted_at: datetime | None
    decided_by: str | None
    decided_at: datetime | None
    dry_run_id: UUID | None
    published_at: datetime | None


class ListedVersion(msgspec.Struct, frozen=True, kw_only=True):
    """A version in a list, without its text."""

    programme_code: str
    version: int
    state: str
    name_zh: str
    name_en: str
    drafted_by: str
    drafted_at: datetime
    submitted_by: str | None
    decided_by: str | None
    is_paused: bool
    is_ended: bool


class DryRunFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What an approval rests on: of which text, beside which live one, by which scorecard."""

    programme_code: str
    version: int
    digest: bytes
    live_digest: bytes | None
    scorecard_version: str
    made_at: datetime
    is_sound: bool


def check_redraft(before: Version, *, by: str) -> None:
    """Check that a draft may be replaced: it is one's own, and isn't submitted.

    Raises Refusal programme_version_taken, programme_draft_taken (drafted_by).
    """
    if before.state not in {VersionState.DRAFT, VersionState.REJECTED}:
        raise Refusal(
            "programme_version_taken", programme=before.programme_code, version=before.version
        )
    if before.drafted_by != by:
        # Who else changed it would be an author too, and could approve the one's text as the other.
        raise Refusal("programme_draft_taken", drafted_by=before.drafted_by)


def check_submission(version: Version) -> None:
    """Check that a version can be submitted; raises Refusal programme_step_impossible."""
    _check_state(version, VersionState.DRAFT, "submit")


def check_decision(version: Version, *, by: str, step: str) -> None:
    """Check that somebody may decide on a version: submitted, and by others.

    Raises Refusal programme_step_impossible (state, step), programme_self_decision.
    """
    _check_state(version, VersionState.SUBMITTED, step)
    if by in (version.drafted_by, version.submitted_by):
        raise Refusal("programme_self_decision")


def check_dry_run(
    facts: DryRunFacts | None,
    *,
    version: Version,
    live_digest: bytes | None,
    scorecard_version: str,
    now: datetime,
) -> None:
    """Check that a dry run shows what would be approved; raises Refusal programme_dry_run_unfit."""
    why = None
    if facts is None or (facts.programme_code, facts.version) != (
        version.programme_code,
        version.version,
    ):
        why = "unknown"
    elif facts.digest != version.digest:
        why = "other_text"
    elif facts.live_digest != live_digest:
        why = "other_live_version"
    elif facts.scorecard_version != scorecard_version:
        why = "other_scorecard"
    elif not timedelta() <= now - facts.made_at <= timedelta(hours=DRY_RUN_HOURS_MAX):
        why = "too_old"
    elif not facts.is_sound:
        why = "faults"
    if why is not None:
        raise Refusal("programme_dry_run_unfit", why=why)


def programme_id(code: str) -> UUID:
    """Return the id that a programme goes by where ids are told: always the same for a code."""
    return uuid5(NAMESPACE_URL, f"creditplus:programme:{code}")


def told_states() -> Mapping[str, str]:
    """Return what partners are told about the life of a programme: step to topic."""
    return {
        "pause": "programme.paused",
        "resume": "programme.resumed",
        "end": "programme.ended",
    }


def _check_state(version: Version, wanted: VersionState, step: str) -> None:
    if version.state is not wanted:
        raise Refusal("programme_step_impossible", state=version.state.value, step=step)
