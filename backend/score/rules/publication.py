"""How a scorecard comes into force: two people, each after a report of it beside the one in force."""

from datetime import datetime

import msgspec


class StoredScorecard(msgspec.Struct, frozen=True, kw_only=True):
    """A scorecard as it was submitted; `in_force_at` is null until two people have approved it."""

    version: str
    document: str
    digest: bytes
    submitted_by: str
    submitted_at: datetime
    in_force_at: datetime | None
