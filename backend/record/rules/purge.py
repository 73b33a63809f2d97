"""What is deleted when, and the proof that stays of it.

A record's digest is keyed (the caller holds the key): whoever has the record can find it, and from
a digest alone nobody learns whom it was about.
"""

import hashlib
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from uuid import UUID

import msgspec

from backend.record.rules.life import Action, RecordVersion

DIGEST_PURPOSE = "purged-record"
# Long enough for a department to correct a file, and to answer for it in two quarters' reports.
QUARANTINE_DAYS = 180


class PurgedContent(msgspec.Struct, frozen=True, kw_only=True):
    """What a purged version is recognised by: whom it was about, and the cells of its line."""

    subject_id: UUID
    class_code: str
    source_code: str
    external_id: str
    version: int
    action: Action
    quantity: int
    occurred_on: date
    ended_on: date | None


class RecordPurge(msgspec.Struct, frozen=True):
    """One batch of versions that were deleted together; `digest` is over theirs, in order."""

    purge_id: UUID
    ended_before: date
    record_count: int
    digest: bytes
    purged_at: datetime


class EndedNumber(msgspec.Struct, frozen=True):
    """A number that was purged: up to which version it is over, and when that can be forgotten.

    `forget_on` is when the last of its versions would have ended by itself, None for never.
    """

    external_id: str
    version: int
    forget_on: date | None


def canonical_text(content: PurgedContent) -> str:
    """Return the one text of a version; no part but the last two can be empty or hold a `|`."""
    return "|".join(
        (
            str(content.subject_id),
            content.class_code,
            content.source_code,
            content.external_id,
            str(content.version),
            content.action,
            str(content.quantity),
            content.occurred_on.isoformat(),
            "" if content.ended_on is None else content.ended_on.isoformat(),
        )
    )


def content_of(version: RecordVersion) -> PurgedContent:
    """Return what a version is recognised by once it is gone."""
    return PurgedContent(
        **{name: getattr(version, name) for name in PurgedContent.__struct_fields__}
    )


def ended_numbers(gone: Sequence[RecordVersion], *, today: date) -> list[EndedNumber]:
    """Return the purged numbers of one source of which a version would count if it came again."""
    groups: dict[str, list[RecordVersion]] = {}
    for each in gone:
        groups.setdefault(each.external_id, []).append(each)
    found = []
    for external_id, versions in sorted(groups.items()):
        ends = [each.ends_on for each in versions if each.ends_on is not None]
        forget_on = max(ends) if len(ends) == len(versions) else None
        if forget_on is None or forget_on > today:
            highest = max(each.version for each in versions)
            found.append(EndedNumber(external_id, highest, forget_on))
    return found


def batch_digest(record_digests: Sequence[bytes]) -> bytes:
    """Return the SHA-256 over the digests of a batch, in the order of their ordinals."""
    return hashlib.sha256(b"".join(record_digests)).digest()


def quarantine_end(now: datetime) -> datetime:
    """Return before when a submission must have come in for its bad lines to be deleted."""
    return now - timedelta(days=QUARANTINE_DAYS)
