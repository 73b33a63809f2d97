"""What stood at a moment: every version that is on file says when it came and when it stopped."""

from datetime import datetime

from backend.record.rules.life import Record


class RecordVersion(Record, frozen=True):
    """A version of a record, also one that no longer stands; a withdrawal never stood."""

    superseded_at: datetime | None


def stood_at(version: RecordVersion, moment: datetime) -> bool:
    """Say whether a version was what stood at a moment.

    As far as it can be told today: a dispute that was settled since has left no mark on it.
    """
    ends = (version.superseded_at, version.disputed_at, version.repaired_at)
    return version.reported_at <= moment and all(end is None or end > moment for end in ends)
