"""What one look at a citizen leaves behind: who, when, why, what kind of data, by which consent."""

from datetime import datetime
from uuid import UUID

import msgspec


class AccessEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One look. Names and purposes are those of the moment; `disclosed` is what was told."""

    subject_id: UUID
    entry_id: UUID
    actor_kind: str
    actor_id: str
    actor_name_zh: str
    actor_name_en: str
    action: str
    data_kinds: list[str]
    purpose: str
    purpose_zh: str
    purpose_en: str
    consent_id: UUID | None
    programme_code: str | None
    decision_id: UUID | None
    disclosed: str
    at: datetime
